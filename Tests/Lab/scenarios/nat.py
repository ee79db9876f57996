# SPDX-License-Identifier: Apache-2.0
"""A VPN peer behind NAT, whose port changes while its tunnel stands."""

import re
import time

from havpnlab import nat, topology, traffic
from havpnlab.havpn import Settings
from havpnlab.runner import scenario
from havpnlab.system import expect, run, wait_until
from havpnlab.topology import VIRTUAL_ADDRESS
from havpnlab.world import GATEWAYS


@scenario("a peer behind NAT gets another port: the standby's SAs follow, and go on there")
def port_changed(world):
    device = nat.Nat(VIRTUAL_ADDRESS)
    try:
        world.begin(Settings(timers="1 3", peer_address=nat.ADDRESS), through=nat.ADDRESS)
        world.bring_tunnel_up()
        first = device.port()
        for router in GATEWAYS:
            expect(_ports(router) == {first}, f"{router} has the peer at {_ports(router)}, its NAT uses {first}")
        spis, errors = traffic.live_spis("r5"), traffic.sequence_errors("r5")
        # The child's keys come from an IKE SA that is replaced by now: the standby needs both to install it anew.
        world.charons["r5"].rekey_ike()
        world.wait_for_hot()
        pinger = traffic.Pinger(interval_milliseconds=20)
        pinger.wait_for_answer(10)
        moved, port = time.monotonic(), device.move()
        wait_until(lambda: _ports("r3") == {port}, 10, f"r3's SAs are not at {port}", pause=0.01)
        active = time.monotonic() - moved
        wait_until(lambda: _ports("r4") == {port}, 10, f"r4's SAs are not at {port}", pause=0.01)
        standby = time.monotonic() - moved
        world.wait_for_hot()
        counters = world.gateways["r3"].counters()
        at = topology.pull_cable("r3", "eth0")
        world.gateways["r4"].wait_for_state("Active", 20)
        pinger.wait_for_answer(20, at + 0.5)
        time.sleep(1)
        echoes = pinger.stop()
        outage = traffic.longest_outage(echoes, at - 0.5, time.monotonic() - 0.5)[0]
        expect(spis <= traffic.live_spis("r5"), "the SPIs changed")
        refused = traffic.sequence_errors("r5") - errors
        expect(refused == 0, f"r5 refused {refused} packets for their sequence numbers")
        expect(_ports("r4") == {port}, f"r4 has the peer at {_ports('r4')}")
        expect("journal.peerMoved" in str(counters), "the move is not counted")
        return (f"r3 after {active * 1000:.0f} ms, r4 after {standby * 1000:.0f} ms, "
                f"outage of the takeover {outage * 1000:.0f} ms")
    finally:
        device.stop()


def _ports(router):
    """The peer's ports in the kernel's SAs of a gateway."""
    found = set()
    for entry in re.split(r"(?m)^(?=src )", run("ip", "-n", router, "xfrm", "state")):
        way = re.match(r"src (\S+) dst (\S+)", entry)
        ports = re.search(r"encap type espinudp sport (\d+) dport (\d+)", entry)
        if way and ports:
            found.add(int(ports.group(2 if way.group(1) == VIRTUAL_ADDRESS else 1)))
    return found
