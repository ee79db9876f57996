# SPDX-License-Identifier: Apache-2.0
"""More than one virtual address, and others who claim one."""

import signal
import time

from havpnlab import topology
from havpnlab.havpn import VIRTUAL_MAC, Gateway, Settings
from havpnlab.monitor import AddressMonitor, time_away
from havpnlab.runner import scenario
from havpnlab.system import expect, run, wait_until
from havpnlab.topology import VIRTUAL_ADDRESS
from havpnlab.world import GATEWAYS

_SECOND = "10.1.0.101"
_BOTH = {VIRTUAL_ADDRESS, _SECOND}
_LINE = f"interface eth1\n standby 10 ip {_SECOND} secondary"


@scenario("a secondary virtual address is always where the primary one is, comes back, goes and comes by reload")
def secondary(world):
    world.begin(Settings(timers="1 3", extra=_LINE))
    world.bring_tunnel_up()
    r3 = world.gateways["r3"]
    expect(r3.show("standby")["groups"][0]["secondaryVirtualAddresses"] == [_SECOND], "the screen does not tell it")
    _expect_holder("r3")
    said = []

    def move(what, cause, new):
        monitors = [AddressMonitor(router) for router in GATEWAYS]
        time.sleep(0.3)
        at = cause()
        # Asking the daemon costs the lab's one processor what is measured.
        time.sleep(0.5)
        world.gateways[new].wait_for_state("Active", 20)
        time.sleep(4 if "kill" in what else 1)
        changes = [monitor.stop() for monitor in monitors]
        _expect_holder(new)
        came = [next((moment for moment, line in changes[GATEWAYS.index(new)]
                      if f" {address}/" in line and "Deleted" not in line and moment >= at), None)
                for address in (VIRTUAL_ADDRESS, _SECOND)]
        expect(None not in came and abs(came[1] - came[0]) < 0.5, f"{what}: {new} took its addresses at {came}")
        said.append(f"{what} {(came[1] - at) * 1000:.0f} ms")

    move("inside link lost", lambda: topology.pull_cable("r3", "eth0"), "r4")
    world.wait_for_hot(standby="r3", active="r4")
    move("link back", lambda: topology.plug_cable("r3", "eth0"), "r3")
    world.wait_for_hot()

    # What somebody deletes is back, together or alone.
    for theft in (["address", "delete", f"{_SECOND}/32"], ["address", "flush"]):
        monitor = AddressMonitor("r3")
        time.sleep(0.3)
        run("ip", "-n", "r3", *theft, "dev", "hsrp-eth1-10")
        time.sleep(0.4)
        took = time_away(monitor.stop(), f" {_SECOND}/")
        expect(took is not None and took <= 100, f"{' '.join(theft)}: {_SECOND} was away for {took} ms")
        said.append(f"back behind `{theft[1]}` {took:.0f} ms")
    _expect_holder("r3")

    # By a reload it goes and comes, and nobody moves.
    before = {router: world.gateways[router].show("standby")["groups"][0]["stateChanges"] for router in GATEWAYS}
    for lines, held in (("", {VIRTUAL_ADDRESS}), (_LINE, _BOTH)):
        for router in GATEWAYS:
            gateway = world.gateways[router]
            gateway.settings.extra = lines
            gateway.write_configuration()
            gateway.control("reload")
        wait_until(lambda: _held("r3") == held, 2, f"r3 holds {_held('r3')}, not {held}")
        wait_until(lambda: _fenced("r4") == held, 2, f"r4 has fences for {_fenced('r4')}, not {held}")
        expect(not _held("r4") and not _fenced("r3"), "the other node has what it must not have")
    after = {router: world.gateways[router].show("standby")["groups"][0]["stateChanges"] for router in GATEWAYS}
    expect(after == before, f"a reload moved somebody: {before}, {after}")
    world.wait_for_hot()

    # A dead node's kernel lets go of both.
    move("killed", lambda: r3.signal_all(signal.SIGKILL), "r4")
    return ", ".join(said)


def _expect_holder(router):
    other = "r4" if router == "r3" else "r3"
    wait_until(lambda: _held(router) == _BOTH and not _held(other), 5,
               f"{router} holds {_held(router)}, {other} holds {_held(other)}")
    wait_until(lambda: not _fenced(router), 6, f"{router} has fences up: {_fenced(router)}")
    for address in sorted(_BOTH):
        run("ip", "-n", "r5", "neighbour", "flush", "all", check=False)
        seen = run("ping", "-c", "2", "-W", "1", "-i", "0.3", address, namespace="r5", check=False)
        expect(" 0% packet loss" in seen, f"r5 does not reach {address} on {router}")
        neighbour = run("ip", "-n", "r5", "neighbour", "show", address)
        expect(VIRTUAL_MAC in neighbour, f"r5 knows {address} as {neighbour}")


def _held(router):
    """The virtual addresses that stand on links of a node that are up."""
    lines = run("ip", "-n", router, "-o", "-4", "address", "show", "up")
    return {address for address in _BOTH if f" {address}/" in lines}


def _fenced(router):
    lines = [line for line in run("ip", "-n", router, "rule", "show").splitlines() if "prohibit" in line]
    return {address for address in _BOTH if any(f"from {address} " in line for line in lines)}


@scenario("a host that has the virtual address as well is named by its MAC, and nobody moves")
def duplicate(world):
    mac = topology.hardware_address("r5", "eth1")
    dotted = ".".join(mac.replace(":", "")[start:start + 4] for start in (0, 4, 8))
    line = f"%HSRP-4-DUPADDR: Duplicate address {VIRTUAL_ADDRESS} on eth1, sourced by {dotted}"
    run("ip", "-n", "r5", "address", "add", f"{VIRTUAL_ADDRESS}/32", "dev", "eth1")
    try:
        for router in GATEWAYS:
            world.gateways[router] = Gateway(
                router, Settings(stateful=False, ike_daemon=False, timers="1 3")).start()
        r3, r4 = world.gateways["r3"], world.gateways["r4"]
        r3.wait_for_state("Active", 15)
        r4.wait_for_state("Standby", 15)
        wait_until(lambda: line in r3.log_lines(), 5, f"r3 does not name r5: {r3.last_words()}")
        expect(r3.counters().get("arp.duplicateAddress", 0) >= 1, f"r3 counts {r3.counters()}")
        expect(r3.state() == "Active" and r4.state() == "Standby", f"r3 is {r3.state()}, r4 is {r4.state()}")
        # What the two say of each other is none.
        expect(not r4.counters().get("arp.duplicateAddress", 0), f"r4 counts {r4.counters()}")
    finally:
        run("ip", "-n", "r5", "address", "delete", f"{VIRTUAL_ADDRESS}/32", "dev", "eth1")
