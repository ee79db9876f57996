# SPDX-License-Identifier: Apache-2.0
"""The pair falls apart and finds itself again."""

import time

from havpnlab import takeover, topology, traffic
from havpnlab.havpn import Settings
from havpnlab.routing import wait_for_route
from havpnlab.runner import scenario
from havpnlab.system import expect, wait_until
from havpnlab.world import gateway_address


@scenario("the active is cut off on every wire for 60 s while r5 rekeys at the other: the survivor's SAs stay", long=True)
def isolated(world):
    world.begin(Settings(timers="1 3", preempt=False))
    world.bring_tunnel_up()
    r3, r4 = world.gateways["r3"], world.gateways["r4"]
    cut = topology.isolate("r3")
    r4.wait_for_state("Active", 20)
    expect(r3.state() == "Active", f"r3, alone on its wires, is {r3.state()}")
    traffic_back = traffic.Pinger(interval_milliseconds=100)
    traffic_back.wait_for_answer(30)
    takeover.rekey(world, "r4")
    time.sleep(max(0, cut + 60 - time.monotonic()))
    traffic_back.stop()
    watch = world.watch()
    time.sleep(1)
    healed = topology.rejoin("r3")
    wait_until(lambda: r3.state() != "Active", 10, "r3 stayed Active beside r4")
    settled = time.monotonic()
    expect(r4.state() == "Active", f"r4, which has the live SAs, is {r4.state()}")
    world.wait_for_hot("r3", "r4", seconds=60)
    hot = time.monotonic()
    # OSPF believes r3's old announcement for a moment when the adjacency is back.
    world.wait_for_routing()
    wait_for_route(20, gateway_address("r4"))
    routed = time.monotonic()
    time.sleep(2)
    lost = watch.lost_between(routed, time.monotonic() - 0.5)
    expect(lost == 0, f"{lost} pings were lost after the split had healed")
    r4.control("switchover")
    r3.wait_for_state("Active", 5)
    time.sleep(2)
    watch.finish()
    watch.expect_same_spis()
    watch.expect_no_sequence_errors()
    watch.expect_no_repeated_pair()
    return (f"one Active {(settled - healed) * 1000:.0f} ms and HOT {hot - healed:.1f} s after the heal, "
            f"{watch.lost(healed) - watch.lost(routed)} pings lost until OSPF had settled, "
            f"{watch.lost(routed)} in the switchover behind it")
