# SPDX-License-Identifier: Apache-2.0
"""The routers, switches and cables of the seed, as network namespaces, bridges and veth pairs.

                  inside 10.2.0.0/24              outside 10.1.0.0/24         branch 10.0.0.0/24
                      ┌─ eth0 .3  r3  .3 eth1 ─┐
    r2 .2 ── sw-in ──┤        eth2│           ├── sw-out ── .5 eth1 r5 eth0 .5 ── sw-branch ── .6 r6
                      └─ eth0 .4  r4  .4 eth1 ─┘
                           sync 192.168.9.0/24 (sw-sync)
"""

import os
import time

from . import system
from .system import batch, run, set_link, wait_until

ROUTERS = ("r2", "r3", "r4", "r5", "r6")
VIRTUAL_ADDRESS = "10.1.0.100"
#: of a group that follows, where a scenario has one
INSIDE_VIRTUAL_ADDRESS = "10.2.0.100"
VIRTUAL_IPV6_ADDRESS = "2001:db8:1::100"

#: switch: {router: (interface, address)}
PLUGS = {
    "sw-in": {"r2": ("eth0", "10.2.0.2/24"), "r3": ("eth0", "10.2.0.3/24"), "r4": ("eth0", "10.2.0.4/24")},
    "sw-out": {"r3": ("eth1", "10.1.0.3/24"), "r4": ("eth1", "10.1.0.4/24"), "r5": ("eth1", "10.1.0.5/24")},
    "sw-branch": {"r5": ("eth0", "10.0.0.5/24"), "r6": ("eth0", "10.0.0.6/24")},
    "sw-sync": {"r3": ("eth2", "192.168.9.3/24"), "r4": ("eth2", "192.168.9.4/24")},
}

_SETTINGS = (
    "net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1",
    "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.default.rp_filter=0",
    "net.ipv4.conf.all.accept_redirects=0", "net.ipv4.conf.default.accept_redirects=0",
    "net.ipv4.conf.all.send_redirects=0", "net.ipv4.conf.default.send_redirects=0",
)


_SHIPPED_SETTINGS = os.path.normpath(os.path.join(os.path.dirname(__file__), "../../../etc/sysctl.d/50-havpn.conf"))


def hardware_address(router, interface):
    """The address that a captured frame shows: router and interface number stand in its last bytes."""
    return f"02:00:00:00:{int(router[1:]):02x}:{int(interface[3:]):02x}"


def build(*, machines=()):
    """Creates namespaces, switches, cables, addresses and the routes that never change.

    The routers in `machines` are machines of their own: their cables end in this machine's eth0, eth1 and eth2.
    """
    # A module in some kernels; loaded later, it would come up with its own settings.
    run("modprobe", "-q", "ipv6", check=False)
    for switch in PLUGS:
        _create(switch)
        batch(switch, ["link add br0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0", "link set br0 up"])
    for router in ROUTERS:
        if router in machines:
            _plug_machine(router)
        else:
            build_router(router)
    os.makedirs(system.RUN, exist_ok=True)


def build_router(router):
    """Creates a router with its cables, addresses and the routes that never change."""
    _create(router)
    batch(router, ["link set lo up"])
    for switch, plugs in PLUGS.items():
        if router in plugs:
            interface, address = plugs[router]
            batch(switch, [
                f"link add {router} type veth peer name {interface} "
                f"address {hardware_address(router, interface)} netns {router}",
                f"link set {router} master br0", f"link set {router} up",
            ])
            batch(router, [f"address add {address} dev {interface}", f"link set {interface} up"])
    _configure(router)


def become_router(router):
    """Makes the whole machine a router: its own interfaces are the router's, in a namespace as everywhere in the lab."""
    _create(router)
    batch(router, ["link set lo up"])
    for plugs in PLUGS.values():
        if router in plugs:
            interface, address = plugs[router]
            run("ip", "link", "set", interface, "netns", router)
            batch(router, [f"link set {interface} address {hardware_address(router, interface)}",
                           f"address add {address} dev {interface}", f"link set {interface} up"])
    _configure(router)
    os.makedirs(system.RUN, exist_ok=True)


def _plug_machine(router):
    for switch, plugs in PLUGS.items():
        if router in plugs:
            run("ip", "link", "set", plugs[router][0], "netns", switch, "name", router)
            batch(switch, [f"link set {router} master br0", f"link set {router} up"])


def _configure(router):
    if router in ("r3", "r4", "r5"):
        run("sysctl", "-q", "-w", "net.ipv4.ip_forward=1", namespace=router)
    if router in ("r3", "r4"):
        # As scripts/install does on a real node.
        run("sysctl", "-e", "-q", "-p", _SHIPPED_SETTINGS, namespace=router)
    if router == "r6":
        batch(router, ["route add default via 10.0.0.5"])
    if router == "r5":
        batch(router, [f"route add 10.2.0.0/24 via {VIRTUAL_ADDRESS}"])


def enable_ipv6():
    """Gives the outside network IPv6 addresses; returns when nobody is being asked for them any more."""
    for router in ("r3", "r4", "r5"):
        run("sysctl", "-q", "-w", "net.ipv6.conf.all.accept_ra=0", "net.ipv6.conf.default.accept_ra=0",
            "net.ipv6.conf.all.disable_ipv6=0", "net.ipv6.conf.default.disable_ipv6=0", namespace=router)
        batch(router, [f"address replace 2001:db8:1::{router[1:]}/64 dev eth1"])
    for router in ("r3", "r4", "r5"):
        wait_until(lambda router=router: "tentative" not in run("ip", "-n", router, "-6", "address", "show", "eth1"),
                   10, f"the IPv6 addresses of {router} are tentative", pause=0.2)


def disable_ipv6():
    """Takes all IPv6 addresses away."""
    for router in ("r3", "r4", "r5"):
        run("sysctl", "-q", "-w", "net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1",
            namespace=router)


def destroy_router(router):
    """What a power cut leaves of a router in the kernel: nothing. Its processes must be gone already."""
    for switch, plugs in PLUGS.items():
        if router in plugs:
            run("ip", "-n", switch, "link", "delete", router, check=False)
    run("ip", "netns", "delete", router)


def _create(namespace):
    run("ip", "netns", "add", namespace)
    run("sysctl", "-e", "-q", "-w", *_SETTINGS, namespace=namespace)


def destroy():
    """Deletes every namespace; what lived in it goes with it."""
    for name in (*ROUTERS, *PLUGS):
        run("ip", "netns", "delete", name, check=False)


def switch_of(router, interface):
    """The switch at the other end of a cable."""
    for switch, plugs in PLUGS.items():
        if router in plugs and plugs[router][0] == interface:
            return switch
    raise KeyError(f"{router} has no {interface}")


def pull_cable(router, interface):
    """Takes a cable out at the switch; the router loses its carrier. Returns the monotonic time in seconds."""
    return set_link(switch_of(router, interface), router, False)[0]


def plug_cable(router, interface):
    """Puts the cable back. Returns the monotonic time in seconds."""
    return set_link(switch_of(router, interface), router, True)[0]


def isolate(router):
    """Takes a router's ports out of every switch: it keeps its carriers and hears nobody. Returns the time."""
    before = time.monotonic()
    for switch, plugs in PLUGS.items():
        if router in plugs:
            batch(switch, [f"link set {router} nomaster"])
    return before


def rejoin(router):
    """Puts the ports of an isolated router back. Returns the monotonic time in seconds."""
    before = time.monotonic()
    for switch, plugs in PLUGS.items():
        if router in plugs:
            batch(switch, [f"link set {router} master br0"])
    return before


def plug_all_cables():
    """Puts every cable and every port back."""
    for switch, plugs in PLUGS.items():
        for router in plugs:
            set_link(switch, router, True)
            batch(switch, [f"link set {router} master br0"])
