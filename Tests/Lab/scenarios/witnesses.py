# SPDX-License-Identifier: Apache-2.0
"""Two witnesses: hellos are lost while the association lives, on a wire of its own."""

import time

from havpnlab import topology
from havpnlab.havpn import Settings
from havpnlab.runner import scenario
from havpnlab.system import expect, run, wait_until

_HOLD = 3


def _begin(world):
    world.begin(Settings(timers="1 3", association_on_sync_link_alone=True))
    world.bring_tunnel_up()
    # The next hop toward the VPN peer is told every five seconds.
    time.sleep(6)
    return world.gateways["r3"], world.gateways["r4"]


def _port(router, *words):
    run("bridge", "link", "set", "dev", router, *words, namespace="sw-out")


def _count(gateway, name):
    return gateway.counters().get(name, 0)


@scenario("hellos are lost between the nodes and r5 answers the active: nobody moves, it is asked each second")
def evidence(world):
    r3, r4 = _begin(world)
    watch = world.watch()
    for router in ("r3", "r4"):
        _port(router, "isolated", "on")
    time.sleep(_HOLD + 5)
    states = r3.state(), r4.state()
    asked = _count(r3, "probe.sent")
    for router in ("r3", "r4"):
        _port(router, "isolated", "off")
    expect(states == ("Active", "Standby"), f"without hellos r3 and r4 are {states}")
    expect(asked >= 3, f"r3 probed r5 {asked} times")
    world.wait_for_hot(seconds=30)
    time.sleep(1)
    watch.finish()
    watch.expect_same_spis()
    watch.expect_no_sequence_errors()
    lost = watch.lost()
    expect(lost == 0, f"{lost} pings were lost")
    return f"r3 showed evidence {asked} times, no ping lost"


@scenario("the active's switch port passes nothing, its link stays up: r4, whom r5 answers, is given the role")
def dead_port(world):
    r3, r4 = _begin(world)
    watch = world.watch()
    time.sleep(1)
    at = time.monotonic()
    _port("r3", "state", "0")
    r4.wait_for_state("Active", _HOLD + 5)
    moved = time.monotonic() - at
    wait_until(lambda: r3.state() != "Active", 5, "r3 stayed Active")
    watch.wait_for_ping(20, at + 0.5)
    # The better node would take the role back if it believed what it cannot hear.
    time.sleep(5)
    expect(r4.state() == "Active", f"r4 is {r4.state()}")
    _port("r3", "state", "3")
    # Its segment answers again, and the better node takes the role back as soon as it is HOT.
    r3.wait_for_state("Active", 60)
    world.wait_for_hot(seconds=30)
    time.sleep(1)
    watch.finish()
    watch.expect_same_spis()
    watch.expect_no_sequence_errors()
    watch.expect_no_repeated_pair()
    return f"r4 Active after {moved:.1f} s, outage {watch.outage(at) * 1000:.0f} ms"


@scenario("nothing passes either node's switch port: nothing moves")
def both_ports_dead(world):
    r3, r4 = _begin(world)
    for router in ("r3", "r4"):
        _port(router, "state", "0")
    time.sleep(_HOLD + 5)
    states = r3.state(), r4.state()
    for router in ("r3", "r4"):
        _port(router, "state", "3")
    expect(states == ("Active", "Standby"), f"r3 and r4 are {states}")
    world.wait_for_hot(seconds=30)
    return "r3 Active, r4 Standby throughout"
