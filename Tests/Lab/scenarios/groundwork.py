# SPDX-License-Identifier: Apache-2.0
"""What the other scenarios take for granted, tried without havpn."""

import time

from havpnlab import capture, topology, traffic
from havpnlab.ike import Charon
from havpnlab.routing import wait_for_route
from havpnlab.runner import scenario
from havpnlab.system import batch, expect


def _tunnel_by_hand(world, version):
    """The virtual address and the route to the branch are put on r3 as an operator without havpn would."""
    batch("r3", [f"address add {topology.VIRTUAL_ADDRESS}/32 dev eth1",
                 "route add 10.0.0.6/32 via 10.1.0.5 proto 114"])
    for router in ("r3", "r4", "r5"):
        world.charons[router] = Charon(router, version=version, replicated=router != "r5").start()
    world.wait_for_routing()
    _, learned = wait_for_route(30, "10.2.0.3")
    seen = capture.Capture("sw-out")
    pinger = traffic.Pinger()
    pinger.wait_for_answer(20)
    time.sleep(1)
    echoes = pinger.stop()
    packets = seen.stop()
    states = world.charons["r3"].associations()
    expect(len(states) == 1 and states[0][0] == "ESTABLISHED", f"r3 shows {states}")
    expect(capture.esp_from(packets, "r3") and capture.esp_from(packets, "r5"), "no ESP passed the outside switch")
    expect(not capture.repeated_pairs(packets), "a pair of SPI and sequence number was seen twice")
    expect(traffic.lost(echoes[-50:]) == 0, "pings were lost through a standing tunnel")
    return f"route learned in {learned:.1f} s"


@scenario("a tunnel by hand with IKEv2 carries pings from r6 to r2, by a route that OSPF learned")
def tunnel_by_hand(world):
    return _tunnel_by_hand(world, 2)


@scenario("a tunnel by hand with IKEv1 carries pings from r6 to r2")
def tunnel_by_hand_version_1(world):
    return _tunnel_by_hand(world, 1)
