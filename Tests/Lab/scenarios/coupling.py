# SPDX-License-Identifier: Apache-2.0
"""Groups that follow others: inside and outside of the gateway are always on the same node."""

import signal
import time

from havpnlab import topology
from havpnlab.havpn import Settings
from havpnlab.runner import scenario
from havpnlab.system import batch, expect, run, wait_until
from havpnlab.topology import INSIDE_VIRTUAL_ADDRESS

INSIDE_MAC = "00:00:0c:07:ac:01"
_COUPLED = f"interface eth0\n standby 1 ip {INSIDE_VIRTUAL_ADDRESS}\n standby 1 timers 1 3\n standby 1 follow VPN"


@scenario("a group that follows VPN moves the inside address with the outside one, in every kind of takeover", long=True)
def follower(world):
    world.begin(Settings(timers="1 3", preempt=False, extra=_COUPLED))
    world.bring_tunnel_up()
    # What goes to the branch goes by the inside virtual address, whatever OSPF says.
    batch("r2", [f"route add 10.0.0.6/32 via {INSIDE_VIRTUAL_ADDRESS} metric 1"])
    try:
        return _moves(world)
    finally:
        run("ip", "-n", "r2", "route", "delete", "10.0.0.6/32", "via", INSIDE_VIRTUAL_ADDRESS, "metric", "1", check=False)


def _moves(world):
    r3, r4 = world.gateways["r3"], world.gateways["r4"]
    _expect_states(world, r3="Active", r4="Standby")
    run("ping", "-q", "-c", "3", "-i", "0.2", "10.0.0.6", namespace="r2")
    expect(_neighbour() == INSIDE_MAC, f"r2 knows the inside address by {_neighbour()}")
    said = []

    watch = world.watch()
    time.sleep(1)
    at = time.monotonic()
    r3.control("switchover", timeout=20)
    _expect_states(world, r3="Standby", r4="Active")
    time.sleep(2)
    said.append(_verdict(watch, at, "r3", "r4", "switchover"))
    expect(watch.lost(at) <= 5, f"{watch.lost(at)} pings at 100/s were lost in a planned switchover")
    world.wait_for_hot(standby="r3", active="r4")

    watch = world.watch()
    time.sleep(1)
    at = topology.pull_cable("r4", "eth0")
    _expect_states(world, r3="Active", r4="Initial")
    watch.wait_for_ping(20, at + 0.5)
    time.sleep(2)
    said.append(_verdict(watch, at, "r4", "r3", "inside cable of the Active"))
    topology.plug_cable("r4", "eth0")
    _expect_states(world, r3="Active", r4="Standby")
    world.wait_for_hot(standby="r4", active="r3")

    watch = world.watch()
    time.sleep(1)
    at = r3.kill("failover")
    _expect_states(world, r4="Active")
    watch.wait_for_ping(20, at + 0.5)
    time.sleep(3)
    said.append(_verdict(watch, at, "r3", "r4", "failover process killed"))
    world.wait_for_hot(standby="r3", active="r4")

    watch = world.watch()
    time.sleep(1)
    at = r4.signal_all(signal.SIGKILL)
    _expect_states(world, r3="Active")
    watch.wait_for_ping(20, at + 0.5)
    time.sleep(3)
    said.append(_verdict(watch, at, "r4", "r3", "daemon killed", seconds=3 + 1 + 3 + 1))
    expect(not _holds("r4"), "r4 holds the inside address, and nobody runs there")
    expect(_neighbour() == INSIDE_MAC, f"r2 knows the inside address by {_neighbour()} in the end")
    return "; ".join(said)


def _verdict(watch, at, old, new, what, seconds=2):
    watch.finish()
    watch.expect_no_sequence_errors()
    watch.expect_no_repeated_pair()
    watch.expect_same_spis()
    watch.expect_one_sender(old, new, at - 1)
    watch.expect_whole_again(at, seconds)
    _expect_one_holder(watch, what)
    return f"{what}: {watch.lost(at)} lost, {watch.outage(at) * 1000:.0f} ms"


def _expect_one_holder(watch, what):
    """At no moment stood the inside address on both gateways, unless the old one's daemon was dead."""
    if "killed" in what:
        return
    changes = []
    for router, lines in zip(("r3", "r4"), watch.address_changes):
        changes += [(moment, router, "Deleted" not in line) for moment, line in lines if f"inet {INSIDE_VIRTUAL_ADDRESS}/" in line]
    holders = set()
    for moment, router, is_there in sorted(changes):
        holders = holders | {router} if is_there else holders - {router}
        expect(len(holders) < 2, f"{what}: both gateways hold {INSIDE_VIRTUAL_ADDRESS} at {moment:.3f}")
    expect(changes, f"{what}: nothing happened to {INSIDE_VIRTUAL_ADDRESS}")


def _expect_states(world, **wanted):
    """Both groups of a gateway come to a state, and on the way the follower never is Active without its leader."""
    for router, state in wanted.items():
        gateway = world.gateways[router]

        def both():
            groups = (gateway.try_show("standby") or {}).get("groups") or []
            states = {group["interface"]: group["state"] for group in groups}
            expect(states.get("eth0") != "Active" or states.get("eth1") == "Active", f"{router} shows {states}")
            return states == {"eth0": state, "eth1": state}
        wait_until(both, 40, f"r{router[1:]} did not come to {state} with both groups", pause=0.1)
    for router, state in wanted.items():
        expect(_holds(router) == (state == "Active"), f"{router} is {state}, and holds the inside address: {_holds(router)}")


def _holds(router):
    return any(f" {INSIDE_VIRTUAL_ADDRESS}/" in line
               for line in run("ip", "-n", router, "-o", "-4", "address", "show", "up").splitlines())


def _neighbour():
    words = run("ip", "-n", "r2", "neighbour", "show", INSIDE_VIRTUAL_ADDRESS).split()
    return words[words.index("lladdr") + 1] if "lladdr" in words else None
