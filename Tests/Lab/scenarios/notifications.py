# SPDX-License-Identifier: Apache-2.0
"""Programs that hear of changes: in order, bounded, and never in the way; and conntrackd as one of them."""

import os
import re
import socket
import threading
import time

from havpnlab import system
from havpnlab.havpn import Gateway, Settings
from havpnlab.runner import scenario
from havpnlab.system import expect, inside, read_text, run, spawn, wait_until
from havpnlab.world import GATEWAYS, gateway_address

_SHIPPED = os.path.normpath(os.path.join(os.path.dirname(__file__), "../../../etc/conntrackd"))


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


@scenario("a flow that conntrackd has copied passes the other gateway's firewall behind a switchover", long=True)
def conntrackd(world):
    if not os.path.exists("/usr/sbin/conntrackd"):
        return "not run: there is no conntrackd here (scripts/setup installs it)"
    processes = []
    try:
        return _conntrackd(world, processes)
    finally:
        for process in processes:
            system.end(process, 2)
        for router in GATEWAYS:
            run("nft", "flush", "ruleset", namespace=router, check=False)


def _conntrackd(world, processes):
    run("modprobe", "-q", "nf_conntrack_netlink", check=False)
    for router in GATEWAYS:
        os.makedirs(f"{system.RUN}/{router}", exist_ok=True)
        run("sysctl", "-q", "-w", "net.netfilter.nf_conntrack_tcp_loose=0", namespace=router, check=False)
        run("nft", "-f", "-", namespace=router, text="table ip firewall { chain forward { type filter hook forward priority 0; "
            "ct state invalid counter drop; }\n}")
        with open(f"{_SHIPPED}/conntrackd.conf") as file:
            text = file.read()
        if router == "r4":
            text = text.replace("IPv4_address 192.168.9.3\n\t\tIPv4_Destination_Address 192.168.9.4",
                                "IPv4_address 192.168.9.4\n\t\tIPv4_Destination_Address 192.168.9.3")
        text = re.sub(r" /run/conntrackd\.", f" {system.RUN}/{router}/conntrackd.", text)
        with open(f"{system.RUN}/{router}/conntrackd.conf", "w") as file:
            file.write(text)
        processes.append(spawn(["conntrackd", "-C", f"{system.RUN}/{router}/conntrackd.conf"],
                               log=f"{system.RUN}/{router}/conntrackd.log", namespace=router))
        with open(f"{_SHIPPED}/notify-conntrackd") as file:
            _program(f"{system.RUN}/{router}/notify-conntrackd", file.read().replace(
                "/etc/conntrackd/conntrackd.conf", f"{system.RUN}/{router}/conntrackd.conf"))
    settings = {router: Settings(timers="1 3", extra=f"notify {system.RUN}/{router}/notify-conntrackd\n group VPN\n user root")
                for router in GATEWAYS}
    for router in GATEWAYS:
        wait_until(lambda: os.path.exists(f"{system.RUN}/{router}/conntrackd.ctl"), 5,
                   f"conntrackd of {router}: {read_text(f'{system.RUN}/{router}/conntrackd.log')}")
    world.begin(_PerNode(settings))
    world.bring_tunnel_up()
    flow = _Flow()
    try:
        wait_until(lambda: flow.answers > 5, 10, "the flow does not run")
        # conntrackd tells of a flow within a moment.
        time.sleep(2)
        before = flow.answers
        at = time.monotonic()
        world.gateways["r3"].control("switchover")
        world.gateways["r4"].wait_for_state("Active", 10)
        run("ip", "-n", "r2", "route", "replace", "10.0.0.6/32", "via", gateway_address("r4"), "metric", "1")
        wait_until(lambda: flow.answers > before + 10, 15,
                   f"the flow stands still: {run('nft', 'list', 'ruleset', namespace='r4')}")
        took = time.monotonic() - at
    finally:
        flow.stop()
        run("ip", "-n", "r2", "route", "delete", "10.0.0.6/32", "via", gateway_address("r4"), "metric", "1", check=False)
    for router in GATEWAYS:
        counters = world.gateways[router].counters()
        bad = {name: counters[name] for name in ("notify.failed", "notify.timedOut", "notify.refused") if name in counters}
        expect(not bad, f"{router} counts {bad}: {[line for line in world.gateways[router].log_lines() if 'NOTIFY' in line]}")
    return f"ten answers {took:.1f} s behind the order"


class _PerNode:
    """Settings of which each node has its own."""

    def __init__(self, settings):
        self._settings = settings

    def __getattr__(self, name):
        return getattr(self._settings["r3"], name)

    def text(self, router):
        return self._settings[router].text(router)


class _Flow:
    """One TCP connection from r6 to r2 that asks and is answered ten times a second."""

    def __init__(self):
        self.answers = 0
        with inside("r2"):
            self._listener = socket.create_server(("10.2.0.2", 7000))
        threading.Thread(target=self._serve, daemon=True).start()
        with inside("r6"):
            self._socket = socket.create_connection(("10.2.0.2", 7000), timeout=10)
        self._runs = True
        self._thread = threading.Thread(target=self._ask, daemon=True)
        self._thread.start()

    def _serve(self):
        connection, _ = self._listener.accept()
        while data := connection.recv(100):
            connection.sendall(data)

    def _ask(self):
        try:
            while self._runs:
                self._socket.sendall(b"x")
                if not self._socket.recv(100):
                    return
                self.answers += 1
                time.sleep(0.1)
        except OSError:
            return

    def stop(self):
        self._runs = False
        self._socket.close()
        self._listener.close()
