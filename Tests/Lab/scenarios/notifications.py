# SPDX-License-Identifier: Apache-2.0
"""Programs that hear of changes: in order, bounded, and never in the way."""

import os
import shutil
import time

from havpnlab import system, topology, traffic
from havpnlab.havpn import Gateway, Settings
from havpnlab.runner import scenario
from havpnlab.system import expect, read_text, run, wait_until
from havpnlab.world import GATEWAYS


def _program(path, text):
    with open(path, "w") as file:
        file.write(text)
    os.chmod(path, 0o755)
    return path


@scenario("programs hear of each change in order; one that hangs is killed and holds nothing up")
def told(world):
    directory = f"{system.RUN}/r3"
    os.makedirs(directory, exist_ok=True)
    heard, alone = f"{directory}/heard.txt", f"{directory}/alone.txt"
    hears = _program(f"{directory}/hears", f"#!/bin/sh\nsleep 0.2\nid -un >>{alone}\n"
                     f'echo "$HAVPN_INTERFACE $HAVPN_GROUP $HAVPN_NAME $HAVPN_FROM $HAVPN_TO" >>{heard}\n')
    hangs = _program(f"{directory}/hangs", "#!/bin/sh\nsleep 1000 & sleep 1000\n")
    extra = f"notify {hears}\n user root\nnotify {hangs}\n timeout 1\n group VPN\nnotify {directory}/absent\n"
    gateway = world.gateways["r3"] = Gateway(
        "r3", Settings(stateful=False, ike_daemon=False, timers="msec 250 msec 800", extra=extra)).start()
    began = time.monotonic()
    gateway.wait_for_state("Active", 10)
    took = time.monotonic() - began
    expect(took < 4, f"r3 was Active only after {took:.1f} s")
    wait_until(lambda: len(read_text(heard).splitlines()) == 4, 5, f"the program heard {read_text(heard)!r}")
    expect([line.split()[3:] for line in read_text(heard).splitlines()]
           == [["Initial", "Listen"], ["Listen", "Speak"], ["Speak", "Standby"], ["Standby", "Active"]],
           f"the program heard {read_text(heard)!r}")
    expect(read_text(heard).startswith("eth1 10 VPN "), f"the program heard {read_text(heard)!r}")
    expect(set(read_text(alone).split()) == {"root"}, f"the program ran as {read_text(alone).split()}")
    wait_until(lambda: gateway.counters().get("notify.timedOut", 0) >= 4, 10, f"r3 counts {gateway.counters()}")
    expect(gateway.counters()["notify.refused"] == 4, f"r3 counts {gateway.counters()}")
    sleepers = run("ip", "netns", "pids", "r3").split()
    expect(not [pid for pid in sleepers if "sleep" in system.read_process(f"/proc/{pid}/comm")],
           "what the hanging program has started lives on")
    expect(gateway.counters().get("hello.stalled", 0) == 0, "the group stalled")
    # The daemon's own release is told before it ends.
    gateway.stop()
    expect(read_text(heard).splitlines()[-1] == "eth1 10 VPN Active Initial", f"in the end it heard {read_text(heard)!r}")
    return f"Active after {took:.1f} s"


_EXAMPLES = os.path.normpath(os.path.join(os.path.dirname(__file__), "../../../etc/conntrackd"))
_BY_HAND = "/etc/havpn/notify-conntrackd"


@scenario("a firewall that lets nothing new in lets go on what conntrackd has copied, there and back", long=True)
def firewall(world):
    for module in ("iptable_filter", "xt_conntrack", "nf_conntrack_netlink"):
        run("modprobe", module)
    os.makedirs(os.path.dirname(_BY_HAND), exist_ok=True)
    shutil.copyfile(f"{_EXAMPLES}/notify-conntrackd", _BY_HAND)
    os.chmod(_BY_HAND, 0o755)
    trackers = {}
    try:
        for router in GATEWAYS:
            trackers[router] = _track_connections(router)
            _filter(router, "-P", "FORWARD", "DROP")
            _filter(router, "-A", "FORWARD", "-m", "conntrack", "--ctstate", "ESTABLISHED,RELATED", "-j", "ACCEPT")
            _filter(router, *_NEW)
        return _go_on(world)
    finally:
        for router, process in trackers.items():
            system.end(process, 3)
            _filter(router, "-P", "FORWARD", "ACCEPT")
            _filter(router, "-F", "FORWARD")
            shutil.rmtree(f"/etc/netns/{router}", ignore_errors=True)


#: what only the branch may do, until it no longer may
_NEW = ("-A", "FORWARD", "-s", "10.0.0.0/24", "-m", "conntrack", "--ctstate", "NEW", "-j", "ACCEPT")


def _filter(router, *words):
    run("iptables-legacy", "-w", *words, namespace=router)


def _track_connections(router):
    """Starts conntrackd as the recipe says, with the node's own addresses and sockets."""
    other = "4" if router == "r3" else "3"
    directory = f"/etc/netns/{router}/conntrackd"
    os.makedirs(directory, exist_ok=True)
    text = read_text(f"{_EXAMPLES}/conntrackd.conf")
    text = (text.replace("IPv4_address 192.168.9.3\n\t\tIPv4_Dest", f"IPv4_address 192.168.9.{router[1:]}\n\t\tIPv4_Dest")
            .replace("IPv4_Destination_Address 192.168.9.4", f"IPv4_Destination_Address 192.168.9.{other}")
            .replace("/run/conntrackd", f"/run/conntrackd-{router}"))
    with open(f"{directory}/conntrackd.conf", "w") as file:
        file.write(text)
    log = f"{system.RUN}/{router}/conntrackd.log"
    os.makedirs(os.path.dirname(log), exist_ok=True)
    process = system.spawn(["conntrackd"], log=log, namespace=router)
    wait_until(lambda: process.poll() is not None or os.path.exists(f"/run/conntrackd-{router}.ctl"), 10,
               f"conntrackd on {router} opened no socket")
    expect(process.poll() is None, f"conntrackd on {router} ended: {read_text(log)}")
    return process


def _go_on(world):
    world.begin(Settings(timers="1 3", delay_up_seconds=15, extra=f"notify {_BY_HAND}\n group VPN\n user root"))
    world.bring_tunnel_up()
    # One flow for the whole time: what comes behind it is refused.
    watch = world.watch()
    time.sleep(2)
    for router in GATEWAYS:
        _filter(router, "-D", *_NEW[1:])
    refused = run("ping", "-c", "2", "-W", "1", "-i", "0.3", "10.2.0.2", namespace="r6", check=False)
    expect("100% packet loss" in refused, f"the firewall lets something new in: {refused}")
    expect(not _flows("r4"), f"r4's kernel knows flows before it is told to: {_flows('r4')}")
    said = []
    for old, new, move in (("r3", "r4", topology.pull_cable), ("r4", "r3", topology.plug_cable)):
        at = time.monotonic()
        move("r3", "eth0")
        world.gateways[new].wait_for_state("Active", 60)
        moved = time.monotonic()
        wait_until(lambda: _flows(new), 10, f"{new}'s kernel was told of no flow")
        told = time.monotonic()
        try:
            watch.wait_for_ping(20, moved)
        except system.Failure as failure:
            raise system.Failure(f"{failure}; {new} knows {_flows(new)}, counts {world.gateways[new].counters()}")
        world.wait_for_hot(standby=old, active=new)
        outage = traffic.longest_outage(watch.pinger.echoes(), at - 0.1, time.monotonic() - 0.2)[0]
        said.append(f"{new} {outage * 1000:.0f} ms, its kernel had the flow {(told - moved) * 1000:.0f} ms behind the role")
    watch.finish()
    watch.expect_same_spis()
    for router in GATEWAYS:
        expect(world.gateways[router].counters().get("notify.failed", 0) == 0,
               f"{router} counts {world.gateways[router].counters()}")
    return ", ".join(said)


def _flows(router):
    """What the kernel of a router knows of the flow between the branch and the inside network."""
    lines = run("conntrack", "-L", namespace=router, check=False).splitlines()
    return [line for line in lines if "src=10.0.0.6 dst=10.2.0.2" in line]
