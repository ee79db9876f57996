# SPDX-License-Identifier: Apache-2.0
"""Tunnels whose ends are IPv6 addresses: the same promises, kept by the leased fence.

What passes through them is IPv4, so that every instrument of the other scenarios counts here too. No routes behind such
a tunnel are injected; r2 sends the branch's packets to an inside virtual address that follows the outside one.
"""

import contextlib
import signal
import time

from havpnlab import capture, system, takeover, topology
from havpnlab.havpn import GROUP, Settings
from havpnlab.runner import scenario
from havpnlab.system import Failure, expect, run, wait_until
from havpnlab.topology import VIRTUAL_IPV6_ADDRESS

VIRTUAL_MAC = "00:05:73:a0:00:0a"
LINK_LOCAL = "fe80::5:73ff:fea0:a"
INSIDE_ADDRESS = "10.2.0.100"
FIRST_ESP_MILLISECONDS = 50
ATTEMPTS = 3
#: of a hold time of 3 s
LEASE_SECONDS = 3

_INSIDE = f"interface eth0\n standby 1 ip {INSIDE_ADDRESS}\n standby 1 follow {GROUP}\n"


def _settings(**more):
    return Settings(virtual_address=VIRTUAL_IPV6_ADDRESS, peer_address="2001:db8:1::5", reverse_route=False,
                    extra=_INSIDE, **more)


@contextlib.contextmanager
def _routes():
    """The routes that no daemon makes, for the time of a scenario."""
    routes = [("r2", INSIDE_ADDRESS), ("r3", "10.1.0.5"), ("r4", "10.1.0.5")]
    for router, hop in routes:
        run("ip", "-n", router, "route", "replace", "10.0.0.6/32", "via", hop)
    try:
        yield
    finally:
        for router, hop in routes:
            run("ip", "-n", router, "route", "delete", "10.0.0.6/32", "via", hop, check=False)


def _bring_up(world, **more):
    world.begin(_settings(**more))
    world.wait_for_routing()
    world.charons["r5"].initiate()
    world.wait_for_hot()


def _kept(leg):
    if leg.failures:
        raise Failure("; ".join(leg.failures))
    return leg


@scenario("r3 loses its inside link with IPv6 tunnel ends: the same SAs go on at r4, and back at r3", long=True)
def inside_link_lost(world):
    with _routes():
        return _there_and_back(world)


def _there_and_back(world):
    _bring_up(world, delay_up_seconds=15)
    r3, r4 = world.gateways["r3"], world.gateways["r4"]
    for gateway, holds in ((r3, True), (r4, False)):
        expect(gateway.holds_address() == holds and gateway.fence_is_up() != holds,
               f"{gateway.router}: address {gateway.holds_address()}, fence {gateway.fence_is_up()}")
    view = r3.show("standby")["groups"]
    outside = next(group for group in view if group["group"] == 10)
    expect((outside["virtualAddress"], outside["globalVirtualAddresses"], outside["virtualMAC"])
           == (LINK_LOCAL, [f"{VIRTUAL_IPV6_ADDRESS}/64"], VIRTUAL_MAC), f"r3 shows {outside}")
    leg = _kept(takeover.keep_promises(takeover.away(world)))
    session = r4.wait_for_session("UP-ACTIVE")
    expect(session["ike"] and session["localAddress"] == VIRTUAL_IPV6_ADDRESS, f"r4 shows {session}")
    returned = _kept(takeover.keep_promises(takeover.back(world)))
    first = [leg.first_esp]
    while (first[-1] is None or min(first) > FIRST_ESP_MILLISECONDS) and len(first) < ATTEMPTS:
        world.wait_for_hot("r4", "r3")
        first.append(_kept(takeover.keep_promises(takeover.away(world))).first_esp)
        _kept(takeover.keep_promises(takeover.back(world)))
    said = ", ".join(f"{milliseconds:.0f}" for milliseconds in first)
    expect(min(first) <= FIRST_ESP_MILLISECONDS,
           f"the first ESP packet of r4 left {said} ms after the link was lost, promised are {FIRST_ESP_MILLISECONDS} ms")
    learned = run("ip", "-n", "r5", "-6", "neighbour", "show", VIRTUAL_IPV6_ADDRESS).split()
    expect(VIRTUAL_MAC in learned, f"r5 knows the virtual address by {learned}")
    return f"first ESP {said} ms, outage {leg.outage:.0f} ms, back {returned.outage:.0f} ms"


def _die(world, stop):
    """Ends r3's processes by `stop`, which returns the moment, while packets for the branch keep coming to it."""
    _bring_up(world, timers="1 3")
    r3, r4 = world.gateways["r3"], world.gateways["r4"]
    watch = world.watch()
    time.sleep(1)
    watch.inject("r3")
    time.sleep(0.5)
    at = stop(r3)
    r4.wait_for_state("Active", 14)
    watch.wait_for_ping(12, at + 4)
    time.sleep(max(0.0, at + LEASE_SECONDS + 4 - time.monotonic()))
    expect(not r3.holds_address(), "the address of the dead node outlived its lease")
    return r3, r4, watch, at


def _judge(watch, at, until=None):
    watch.finish()
    watch.expect_no_sequence_errors()
    watch.expect_no_repeated_pair()
    watch.expect_same_spis()
    if until is None:
        watch.expect_one_sender("r3", "r4", at - 1)
    sent = watch.esp_of("r3", at, until)
    expect(watch.esp_of("r3", at - 0.5, at), "r3 sent nothing before it died: nothing is proven")
    last = sent[-1].at - at if sent else 0
    expect(last <= LEASE_SECONDS + 0.5, f"the dead r3 sent ESP for {last:.2f} s, its lease is {LEASE_SECONDS} s")
    return f"last ESP of r3 after {last:.2f} s, first of r4 after {watch.first_esp_milliseconds('r4', at):.0f} ms, " \
           f"outage {watch.outage(at) * 1000:.0f} ms"


@scenario("kill -9 of all processes under IPv6 tunnels: the dead node's ESP ends with its lease, the same SAs go on")
def killed(world):
    with _routes():
        _, _, watch, at = _die(world, lambda gateway: gateway.signal_all(signal.SIGKILL))
        return _judge(watch, at)


@scenario("SIGSTOP of all processes under IPv6 tunnels: the node's ESP ends with its lease, and it wakes behind a fence")
def stopped(world):
    with _routes():
        r3, r4, watch, at = _die(world, lambda gateway: gateway.signal_all(signal.SIGSTOP))
        woken = r3.signal_all(signal.SIGCONT)
        wait_until(lambda: sorted([r3.state() or "", r4.state() or ""]) == ["Active", "Standby"], 60,
                   f"the two did not settle: {r3.state()} and {r4.state()}", pause=0.5)
        time.sleep(2)
        return _judge(watch, at, woken)


@scenario("tshark reads the hellos and advertisements of an IPv6 group as they are configured")
def read_by_others(world):
    world.use(VIRTUAL_IPV6_ADDRESS)
    settings = Settings(virtual_address=VIRTUAL_IPV6_ADDRESS, stateful=False, ike_daemon=False, timers="msec 250 msec 800")
    seen = capture.Capture("sw-out", expression="udp port 2029 or icmp6", whole=True)
    for router in ("r3", "r4"):
        world.gateways[router] = world.gateway(router, settings).start()
    world.gateways["r3"].wait_for_state("Active", 20)
    world.gateways["r4"].wait_for_state("Standby", 20)
    time.sleep(3)
    seen.stop()
    names = ["ipv6.src", "ipv6.dst", "ipv6.hlim", "udp.srcport", "udp.dstport", "udp.checksum.status"]
    names += [f"hsrp2.{name}" for name in (
        "version", "opcode", "state", "ipversion", "group", "identifier", "priority", "hellotime", "holdtime",
        "virt_ip_v6", "auth_data")]
    hellos = _tshark(seen.path, "hsrp", names)
    own = {router: _link_local(router) for router in ("r3", "r4")}
    for router, priority, state in (("r3", "105", "6"), ("r4", "100", "5")):
        last = [packet for packet in hellos if packet["ipv6.src"] == own[router]][-3:]
        expect(len(last) == 3, f"{len(last)} hellos of {router} were seen")
        for packet in last:
            expected = {
                "ipv6.dst": "ff02::66", "ipv6.hlim": "255", "udp.srcport": "2029", "udp.dstport": "2029",
                "hsrp2.version": "2", "hsrp2.opcode": "0", "hsrp2.state": state,
                "hsrp2.ipversion": "6", "hsrp2.group": "10", "hsrp2.priority": priority, "hsrp2.hellotime": "250",
                "hsrp2.holdtime": "800", "hsrp2.virt_ip_v6": LINK_LOCAL, "hsrp2.auth_data": "cisco",
                "hsrp2.identifier": topology.hardware_address(router, "eth1")}
            found = {name: packet[name] for name in expected}
            expect(found == expected, f"{router} says by tshark {found}, expected is {expected}")
            # The kernel leaves the Standby's checksum to a network card, which a switch of the lab is not.
            expect(router == "r4" or packet["udp.checksum.status"] in ("1", "Good"), "the Active's checksum is wrong")
    advertised = _tshark(seen.path, "icmpv6.type == 136 && icmpv6.opt.linkaddr == " + VIRTUAL_MAC, [
        "ipv6.dst", "ipv6.hlim", "icmpv6.checksum.status", "icmpv6.nd.na.target_address", "icmpv6.nd.na.flag.o",
        "icmpv6.nd.na.flag.s", "icmpv6.opt.linkaddr"])
    unasked = [packet for packet in advertised if packet["ipv6.dst"] == "ff02::1"]
    for target in (LINK_LOCAL, VIRTUAL_IPV6_ADDRESS):
        found = [packet for packet in unasked if packet["icmpv6.nd.na.target_address"] == target]
        expect(len(found) >= 2, f"{target} was advertised {len(found)} times by {VIRTUAL_MAC}")
        for packet in found:
            values = packet["ipv6.hlim"], packet["icmpv6.checksum.status"], packet["icmpv6.opt.linkaddr"]
            expect(values in (("255", "1", VIRTUAL_MAC), ("255", "Good", VIRTUAL_MAC)) and packet["icmpv6.nd.na.flag.o"] in ("1", "True"),
                   f"an advertisement of {target} is {packet}")
    return f"{len(hellos)} hellos, {len(unasked)} advertisements"


def _tshark(path, display, names):
    words = [word for name in names for word in ("-e", name)]
    text = run("tshark", "-r", path, "-o", "udp.check_checksum:TRUE", "-Y", display, "-T", "fields", "-E",
               "separator=|", "-E", "occurrence=f", *words, timeout=60)
    return [dict(zip(names, line.split("|"))) for line in text.splitlines() if "|" in line]


def _link_local(router):
    for line in run("ip", "-n", router, "-o", "-6", "address", "show", "eth1").splitlines():
        if " fe80:" in line:
            return line.split()[3].split("/")[0]
    raise Failure(f"{router} has no link-local address on eth1: {system.read_text('/proc/net/if_inet6')}")
