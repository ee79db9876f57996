# SPDX-License-Identifier: Apache-2.0
"""`ike-daemon none`: SAs that only the kernel knows are replicated, kept and taken over."""

import os
import threading
import time

from havpnlab import manual, takeover, topology, traffic
from havpnlab.havpn import Gateway, Settings
from havpnlab.runner import scenario
from havpnlab.system import batch, expect, run, wait_until
from havpnlab.topology import VIRTUAL_ADDRESS
from havpnlab.world import GATEWAYS

NONE = {"ike_daemon": False, "timers": "1 3"}


def _begin(world, routers=GATEWAYS, **options):
    """Starts havpnd without any IKE daemon."""
    settings = Settings(**{**NONE, **options})
    for router in routers:
        world.gateways[router] = Gateway(router, settings).start()
    world.gateways["r3"].wait_for_state("Active", 60)
    if len(routers) > 1:
        world.gateways["r4"].wait_for_state("Standby", 60)
        _wait_for_hot(world)


def _wait_for_hot(world, standby="r4", active="r3", seconds=30):
    wait_until(lambda: world.gateways[active].redundancy() == ("ACTIVE", "STANDBY HOT"), seconds,
               f"{active} never showed ACTIVE with a peer STANDBY HOT: {world.gateways[active].redundancy()}, "
               f"{(world.gateways[standby].try_show('redundancy') or {}).get('missingForHot')}", pause=0.1)


@scenario("kernel SAs: those made by hand on the active appear on the standby, of every kind")
def kinds(world):
    _begin(world)
    plain, udp = manual.GCM, "encap espinudp 4500 4501 0.0.0.0"
    batch("r3", manual.policies())
    batch("r3", manual.pair(0x1001, 0x2001))
    batch("r3", manual.pair(0x1002, 0x2002, algorithm=manual.CBC, reqid=2))
    batch("r3", manual.pair(0x1003, 0x2003, algorithm=f"flag esn {plain}", window="replay-window 256", reqid=3))
    batch("r3", manual.pair(0x1004, 0x2004, more=udp, reqid=4))
    batch("r3", manual.pair(0x1005, 0x2005, more="if_id 0x2a", reqid=5,
                            algorithm=f"mark 0x11 mask 0xff output-mark 0x22 mask 0xff {plain}"))
    batch("r3", manual.pair(0x1006, 0x2006, algorithm=f"flag noecn {plain}", reqid=6,
                            more="limit time-soft 3000 limit time-hard 3600 limit byte-hard 900000000"))
    batch("r3", ["xfrm policy add src 10.2.0.0/24 dst 10.9.0.0/24 dir out priority 7 mark 0x11 mask 0xff if_id 0x2a "
                 f"tmpl src {VIRTUAL_ADDRESS} dst {manual.PEER} proto esp reqid 5 mode tunnel"])
    # Others' SAs and policies are not ours to touch.
    for router in GATEWAYS:
        batch(router, ["xfrm state add src 10.7.0.1 dst 10.7.0.2 proto esp spi 0x77 mode tunnel " + plain,
                       "xfrm policy add src 10.7.1.0/24 dst 10.7.2.0/24 dir out tmpl src 10.7.0.1 dst 10.7.0.2 proto esp "
                       "mode tunnel"])
    manual.wait_for_count("r4", 13, 5)
    _wait_for_equal(world)
    manual.expect_same("r3", "r4")
    _wait_for_hot(world)
    refused = {name: value for name, value in world.gateways["r4"].counters().items()
               if name in ("kernel.writeRefused", "record.malformed", "journal.digestDiffers")}
    expect(not refused, f"r4 counts {refused}")
    session = world.gateways["r4"].wait_for_session("UP-STANDBY")
    expect(session["ike"] is None and session["flows"], f"r4 shows {session}")
    session = world.gateways["r3"].wait_for_session("UP-ACTIVE")
    expect(session["ike"] is None and session["flows"][0]["outbound"]["spi"], f"r3 shows {session}")
    return "13 SAs"


def _wait_for_equal(world, active="r3", standby="r4", seconds=10):
    """Waits until a mark after now was compared."""
    time.sleep(1.5)
    wait_until(lambda: world.gateways[standby].redundancy()[0] == "STANDBY HOT", seconds,
               f"{standby} is not HOT: {(world.gateways[standby].try_show('redundancy') or {}).get('missingForHot')}")


def _tunnel(world):
    _begin(world)
    manual.tunnel("r3")
    world.bring_tunnel_up()


@scenario("kernel SAs: r3 loses its inside link, and the same SAs go on at r4")
def inside_link_lost(world):
    _tunnel(world)
    leg = takeover.keep_promises(takeover.away(world))
    expect(not leg.failures, "; ".join(leg.failures))
    world.gateways["r4"].wait_for_session("UP-ACTIVE")
    return f"first ESP {leg.first_esp:.0f} ms, outage {leg.outage:.0f} ms"


@scenario("kernel SAs: failovers in a row under traffic, no packet refused, no pair used twice, tables equal after each", long=True)
def failovers_in_a_row(world):
    rounds = int(os.environ.get("KERNEL_FAILOVERS", "3"))
    _tunnel(world)
    # With plain hellos the pair would need minutes to see each change.
    watch = world.watch(interval_milliseconds=20)
    outages = []
    for number in range(rounds):
        # There for want of the link, back by preemption as soon as r3 is HOT again.
        old, new, move = (("r3", "r4", topology.pull_cable), ("r4", "r3", topology.plug_cable))[number % 2]
        at = move("r3", "eth0")
        world.gateways[new].wait_for_state("Active", 60)
        watch.wait_for_ping(60, time.monotonic())
        outages.append(traffic.longest_outage(watch.pinger.echoes(), at - 0.1, time.monotonic() - 0.2)[0] * 1000)
        _wait_for_hot(world, old, new, 60)
        manual.expect_same(new, old)
        world.wait_for_routing(routers=("r2", new))
    watch.finish()
    watch.expect_no_sequence_errors()
    watch.expect_no_repeated_pair()
    watch.expect_same_spis()
    outages.sort()
    return f"{rounds} failovers, outage median {outages[len(outages) // 2]:.0f} ms, worst {outages[-1]:.0f} ms"


@scenario("kernel SAs: deletions, rekeys and changes by hand reach the standby", long=True)
def changes(world):
    _begin(world)
    batch("r3", manual.pair(0x1001, 0x2001) + manual.pair(0x1002, 0x2002, reqid=2) + manual.policies())
    manual.wait_for_count("r4", 4, 5)
    # A rekey: the new pair comes, the old one goes.
    batch("r3", manual.pair(0x1003, 0x2003) + [
        f"xfrm state delete src {manual.PEER} dst {VIRTUAL_ADDRESS} proto esp spi 0x1001",
        f"xfrm state delete src {VIRTUAL_ADDRESS} dst {manual.PEER} proto esp spi 0x2001"])
    # The same SPI with other keys.
    batch("r3", [f"xfrm state delete src {VIRTUAL_ADDRESS} dst {manual.PEER} proto esp spi 0x2002",
                 manual.pair(0x1002, 0x2002, algorithm=manual.CBC, reqid=2)[1]])
    batch("r3", ["xfrm policy delete src 10.0.0.6/32 dst 10.2.0.0/24 dir in",
                 manual.policies()[0].replace(" add ", " update ").replace("priority 1000", "priority 900")])
    wait_until(lambda: {spi for spi, _ in manual.states("r4")} == {0x1002, 0x2002, 0x1003, 0x2003}, 5,
               f"r4 holds {manual.states('r4').keys()}")
    _wait_for_equal(world)
    manual.expect_same("r3", "r4")
    # What somebody does on the standby is undone.
    run("ip", "-n", "r4", "xfrm", "state", "delete", "src", manual.PEER, "dst", VIRTUAL_ADDRESS, "proto", "esp",
        "spi", "0x1003")
    batch("r4", manual.pair(0x9999, 0x999a, reqid=9))
    wait_until(lambda: {spi for spi, _ in manual.states("r4")} == {0x1002, 0x2002, 0x1003, 0x2003}, 10,
               f"r4 was not mended: {manual.states('r4').keys()}")
    run("ip", "-n", "r3", "xfrm", "state", "flush")
    manual.wait_for_count("r4", 0, 5)
    _wait_for_equal(world)


@scenario("kernel SAs: a standby whose replication dies, or that restarts whole, is HOT again with the same SAs", long=True)
def standby_restarts(world):
    _begin(world)
    batch("r3", manual.bulk(200) + manual.policies())
    manual.wait_for_count("r4", 200, 10)
    _wait_for_equal(world)
    world.gateways["r4"].kill("replication")
    run("ip", "-n", "r3", "xfrm", "state", "delete", "src", manual.PEER, "dst", VIRTUAL_ADDRESS, "proto", "esp",
        "spi", hex(0x100000))
    manual.wait_for_count("r4", 199, 20)
    _wait_for_hot(world)
    manual.expect_same("r3", "r4")
    world.gateways["r4"].stop()
    run("ip", "-n", "r4", "xfrm", "state", "flush")
    batch("r3", manual.pair(0x5001, 0x5002))
    world.gateways["r4"].start()
    _wait_for_hot(world, seconds=60)
    manual.expect_same("r3", "r4")
    return f"{manual.count('r4')} SAs"


@scenario("kernel SAs: 10 000 at once reach HOT, and heartbeats stay on time", long=True)
def ten_thousand(world):
    _begin(world)
    before = {router: world.gateways[router].show("standby")["groups"][0]["stateChanges"] for router in GATEWAYS}
    at = time.monotonic()
    run("ip", "-n", "r3", "-batch", "-", text="\n".join(manual.bulk(10_000)) + "\n", timeout=300)
    inserted = time.monotonic() - at
    manual.wait_for_count("r4", 10_000, 60)
    held = time.monotonic() - at
    _wait_for_hot(world, seconds=60)
    hot = time.monotonic() - at
    for router in GATEWAYS:
        counters = world.gateways[router].counters()
        expect(counters.get("session.peerSilent", 0) == 0, f"{router} missed heartbeats: {counters}")
        after = world.gateways[router].show("standby")["groups"][0]["stateChanges"]
        expect(after == before[router], f"{router} changed its state meanwhile")
    world.gateways["r4"].stop()
    run("ip", "-n", "r4", "xfrm", "state", "flush")
    at = time.monotonic()
    world.gateways["r4"].start()
    manual.wait_for_count("r4", 10_000, 60)
    copied = time.monotonic() - at
    _wait_for_hot(world, seconds=60)
    return (f"made in {inserted:.1f} s, on the standby after {held:.1f} s, HOT after {hot:.1f} s; "
            f"copied to an empty standby {copied:.1f} s after its start")


@scenario("a standby that is HOT waits in real time for the word of a hand-over, but not while thousands of SAs come")
def attention(world):
    _begin(world)
    wait_until(lambda: _is_real_time(world, "r4"), 10, "the standby's replication does not wait in real time")
    wait_until(lambda: not _is_real_time(world, "r3"), 5, "the Active's replication stays in real time")
    moments, is_over = [], threading.Event()

    def look():
        while not is_over.wait(0.05):
            moments.append(_is_real_time(world, "r4"))

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        run("ip", "-n", "r3", "-batch", "-", text="\n".join(manual.bulk(6000)) + "\n", timeout=120)
        manual.wait_for_count("r4", 6000, 60)
    finally:
        is_over.set()
        watcher.join()
    share = sum(moments) / len(moments)
    expect(share < 0.5, f"in {share:.0%} of the time in which 6000 SAs came the standby was in real time")
    wait_until(lambda: _is_real_time(world, "r4"), 20, "the standby does not go back to real time when all is calm")
    return f"in real time for {share:.0%} of the copy"


def _is_real_time(world, router):
    pid = world.gateways[router].processes()["replication"]
    return os.sched_getscheduler(pid) & ~os.SCHED_RESET_ON_FORK == os.SCHED_RR
