# SPDX-License-Identifier: Apache-2.0
"""The kernel under a running gateway: what others take away, and interfaces of every kind."""

import signal
import time

from havpnlab.havpn import Gateway, Settings
from havpnlab.monitor import AddressMonitor, Monitor, time_away
from havpnlab.runner import scenario
from havpnlab.system import batch, expect, run, wait_until
from havpnlab.topology import VIRTUAL_ADDRESS
from havpnlab.world import GATEWAYS

#: what the product promises, in milliseconds
_BACK_WITHIN = 50
_FENCE = f"from {VIRTUAL_ADDRESS} prohibit"


@scenario("what another program deletes is back within 50 ms: fence, address, reverse route, virtual MAC")
def stolen(world):
    world.begin()
    world.bring_tunnel_up()
    said = []
    for router, what, sign, theft in (
            ("r4", "rule", VIRTUAL_ADDRESS, ["rule", "delete", *_FENCE.split()]),
            ("r3", "address", f"{VIRTUAL_ADDRESS}/32",
             ["address", "delete", f"{VIRTUAL_ADDRESS}/32", "dev", "hsrp-eth1-10"]),
            ("r3", "route", "10.0.0.6 ", ["route", "delete", "10.0.0.6/32", "proto", "114"]),
            ("r3", "link", "hsrp-eth1-10", ["link", "delete", "hsrp-eth1-10"])):
        took = []
        for _ in range(5):
            monitor = AddressMonitor(router) if what == "address" else Monitor(router, what)
            time.sleep(0.3)
            run("ip", "-n", router, *theft)
            time.sleep(0.4)
            took.append(time_away(monitor.stop(), sign))
        expect(None not in took, f"{router} did not get its {what} back: {took}")
        took.sort()
        expect(took[2] <= _BACK_WITHIN, f"{router} got its {what} back after {took} ms")
        said.append(f"{what} {took[2]:.0f} ms (worst {took[-1]:.0f})")
    wait_until(world.gateways["r3"].holds_address, 2, "the address is not back behind the virtual MAC's link")
    expect(world.gateways["r3"].state() == "Active" and world.gateways["r4"].state() == "Standby",
           "a theft moved the role")
    stolen_lines = [line for line in world.gateways["r3"].log_lines() if "STOLEN" in line]
    expect(len(stolen_lines) == 1, f"r3 wrote {stolen_lines}")
    world.wait_for_hot()
    return ", ".join(said)


@scenario("a failover process that crashes for good leaves the interfaces as it found them")
def restored(world):
    # A scenario that ends with every process killed leaves its settings behind.
    _set_arp("r3", ignore=0, announce=1)
    gateway = world.gateways["r3"] = Gateway("r3", Settings(stateful=False, ike_daemon=False, timers="1 3")).start()
    gateway.wait_for_state("Active", 20)
    expect(_arp("r3") == ("1", "2"), f"under havpnd r3 has {_arp('r3')}")
    gateway.kill("failover")
    wait_until(lambda: gateway.state() == "Active", 10, "r3 is not Active behind a crash")
    expect(_arp("r3") == ("1", "2"), f"behind a crash r3 has {_arp('r3')}")
    for _ in range(2):
        gateway.kill("failover")
        time.sleep(1)
    wait_until(lambda: gateway.process.poll() is not None, 10, "havpnd goes on behind three crashes")
    expect(_arp("r3") == ("0", "1"), f"behind havpnd r3 has {_arp('r3')}")
    _set_arp("r3", ignore=0, announce=0)


def _set_arp(router, ignore, announce):
    run("sysctl", "-q", "-w", f"net.ipv4.conf.eth1.arp_ignore={ignore}",
        f"net.ipv4.conf.eth1.arp_announce={announce}", namespace=router)


def _arp(router):
    """(arp_ignore, arp_announce) of the outside interface."""
    return tuple(run("sysctl", "-n", f"net.ipv4.conf.eth1.{name}", namespace=router).strip()
                 for name in ("arp_ignore", "arp_announce"))


@scenario("a hundred reloads in a second, on both nodes and with changes in them, move nothing", long=True)
def reload_storm(world):
    world.begin()
    world.bring_tunnel_up()
    watch = world.watch()
    before = {router: world.gateways[router].show("standby")["groups"][0]["stateChanges"] for router in GATEWAYS}
    for number in range(100):
        for router in GATEWAYS:
            gateway = world.gateways[router]
            # Every other time something changes that concerns nobody, every fifth time the file is broken.
            with open(gateway.configuration, "w") as file:
                file.write(gateway.settings.text(router) + ("track 900 interface eth9 line-protocol\n" if number % 2
                                                            else "") + ("nonsense\n" if number % 5 == 4 else ""))
            gateway.kill("supervisor", signal.SIGHUP)
        time.sleep(0.002)
    for router in GATEWAYS:
        world.gateways[router].write_configuration()
        world.gateways[router].control("reload")
    time.sleep(1)
    watch.finish()
    watch.expect_no_sequence_errors()
    watch.expect_same_spis()
    for router in GATEWAYS:
        group = world.gateways[router].show("standby")["groups"][0]
        expect(group["stateChanges"] == before[router], f"{router} changed its state: {group}")
    expect(not world.gateways["r4"].show("track")["objects"][2:], "the last file is not in force")
    world.wait_for_hot()
    revisions = sum("is in force" in line for line in world.gateways["r3"].log_lines())
    # OSPF and BFD share the lab's one processor with two hundred reloads, and may lose each other meanwhile.
    return f"r3 took {revisions} configurations, {watch.lost()} pings lost to routing"


#: where the cables of `_KINDS` meet
_SWITCH = "sw-sync"
#: kind of interface: what makes it out of the cable `lan` of a node, and its name
_KINDS = {
    "VLAN": (["link add link lan0 name lan0.20 type vlan id 20", "link set lan0 up"], "lan0.20"),
    "bond": (["link add bond9 type bond mode active-backup miimon 100", "link set lan1 master bond9"], "bond9"),
    "bridge": (["link add br9 type bridge", "link set lan2 master br9", "link set lan2 up"], "br9"),
    "VRF member": (["link add red type vrf table 100", "link set red up", "link set lan3 master red"], "lan3"),
}


@scenario("VLANs, bonds, bridges and members of a VRF carry groups", long=True)
def parents(world):
    for module in ("8021q", "bonding", "vrf"):
        run("modprobe", "-q", module, check=False)
    try:
        return _parents(world)
    finally:
        for number, (_, interface) in enumerate(_KINDS.values()):
            run("ip", "-n", _SWITCH, "link", "delete", f"lan{number}", check=False)
            for router in GATEWAYS:
                run("ip", "-n", router, "link", "delete", f"lan{number}", check=False)
                run("ip", "-n", router, "link", "delete", interface, check=False)
        for router in GATEWAYS:
            run("ip", "-n", router, "link", "delete", "red", check=False)


def _parents(world):
    for number, (commands, interface) in enumerate(_KINDS.values()):
        # Over a switch: of a cable between the two both would lose the carrier.
        batch(_SWITCH, [f"link add lan{number} type bridge mcast_snooping 0", f"link set lan{number} up"])
        for router in GATEWAYS:
            port = f"{router}-lan{number}"
            batch(_SWITCH, [f"link add {port} type veth peer name lan{number} netns {router}",
                            f"link set {port} master lan{number} up"])
            batch(router, [*commands, f"address add 10.50.{number}.{router[1:]}/24 dev {interface}",
                           f"link set {interface} up", f"link set lan{number} up"])
    for router, priority in (("r3", 105), ("r4", 100)):
        groups = "".join(
            f"interface {interface}\n standby {number} ip 10.50.{number - 1}.100\n standby {number} priority {priority}\n"
            f" standby {number} preempt\n standby {number} timers msec 250 msec 800\n"
            for number, (_, interface) in enumerate(_KINDS.values(), 1))
        settings = Settings(stateful=False, ike_daemon=False, timers="1 3", extra=groups)
        world.gateways[router] = Gateway(router, settings).start()
    r3, r4 = world.gateways["r3"], world.gateways["r4"]
    _wait_for_states(r3, "Active")
    _wait_for_states(r4, "Standby")
    for number, (kind, (_, interface)) in enumerate(_KINDS.items()):
        address = f"10.50.{number}.100"
        seen = _ping("r4", address, interface)
        expect(seen, f"{kind}: r4 does not reach {address}")
        neighbour = run("ip", "-n", "r4", "neighbour", "show", address)
        expect(f"00:00:0c:07:ac:{number + 1:02x}" in neighbour, f"{kind}: r4 knows {address} as {neighbour}")
        # The parent's MTU is the virtual MAC's, up and down.
        name = next(line.split(":")[1].split("@")[0].strip()
                    for line in run("ip", "-n", "r3", "-o", "link", "show", "type", "macvlan").splitlines()
                    if f"00:00:0c:07:ac:{number + 1:02x}" in line)
        for mtu in (1400, 1500):
            batch("r3", [f"link set {interface} mtu {mtu}"])
            wait_until(lambda: f"mtu {mtu} " in run("ip", "-n", "r3", "link", "show", name), 2,
                       f"{kind}: {name} does not follow the MTU {mtu}")
    expect("master red" in run("ip", "-n", "r3", "link", "show", "hsrp-lan3-4"), "the virtual MAC is not in the VRF")
    expect("10.50.3.100" in run("ip", "-n", "r3", "route", "show", "table", "100", "type", "local"),
           "the virtual address is not local in the VRF's table")
    # The cable of each kind, and the way back.
    for number in range(len(_KINDS)):
        batch(_SWITCH, [f"link set r3-lan{number} down"])
    _wait_for_states(r4, "Active")
    expect(_ping("r3", "10.1.0.4", "eth1"), "r3 is cut off")
    for number in range(len(_KINDS)):
        batch(_SWITCH, [f"link set r3-lan{number} up"])
    _wait_for_states(r3, "Active")
    _wait_for_states(r4, "Standby")
    return ", ".join(_KINDS)


def _wait_for_states(gateway, state):
    def states():
        return {group["interface"]: group["state"] for group in gateway.show("standby")["groups"]
                if group["interface"] != "eth1"}
    wait_until(lambda: set(states().values()) == {state} and len(states()) == len(_KINDS), 20,
               f"{gateway.router} is not {state} everywhere: {states()}", pause=0.2)


def _ping(router, address, interface):
    return " 0% packet loss" in run("ping", "-c", "2", "-W", "1", "-i", "0.3", "-I", interface, address, namespace=router,
                                    check=False)
