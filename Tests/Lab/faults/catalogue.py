# SPDX-License-Identifier: Apache-2.0
"""The faults: what each does to a running pair, how it is undone, and how long the branch may be cut off by it."""

import dataclasses
import os
import re
import signal
import subprocess
import sys
import time

from havpnlab import system, topology
from havpnlab.system import run
from havpnlab.topology import VIRTUAL_ADDRESS

FAULTS = {}
PROCESSES = ("failover", "replication", "front", "supervisor")


@dataclasses.dataclass
class Fault:
    """One kind of fault; `outage_seconds` is the budget, None where connectivity is not promised."""
    name: str
    strike: object
    outage_seconds: float | None
    rekeys: bool = False
    #: so many packets that waited before a machine may leave it as it wakes, before any process has run
    stray_packets: int = 0
    #: the role of the node that is a machine of its own, where one is
    machine_role: str | None = None


class Scene:
    """Who is who when the fault strikes, and what must be undone after it."""

    def __init__(self, world, active, standby, random):
        self.world, self.active, self.standby, self.random = world, active, standby, random
        self._undo = []

    @property
    def gateways(self):
        return self.world.gateways

    def later(self, action, *arguments):
        """Remembers what ends the fault."""
        self._undo.append((action, arguments))

    def heal(self):
        """Ends the fault, last part first."""
        while self._undo:
            action, arguments = self._undo.pop()
            action(*arguments)


def fault(name, outage_seconds, *, rekeys=False):
    """Registers a function of one Scene; it returns after the fault has lasted as long as it should."""
    def register(function):
        FAULTS[name] = Fault(name, function, outage_seconds, rekeys)
        return function
    return register


def _victim(scene, role):
    return scene.active if role == "active" else scene.standby


def _restart_as_systemd(gateway, orphans):
    """The rest has a second to end by itself, then a new service starts."""
    deadline = time.monotonic() + 1
    while time.monotonic() < deadline and any(_runs(pid) for pid in orphans):
        time.sleep(0.05)
    for pid in orphans:
        if _runs(pid):
            os.kill(pid, signal.SIGKILL)
    gateway.process.wait()
    gateway.launch()


def _runs(pid):
    return system.read_process(f"/proc/{pid}/stat").rpartition(")")[2][:2].strip() not in ("", "Z")


def _register_processes():
    for role in ("active", "standby"):
        for process in PROCESSES:
            def kill(scene, role=role, process=process):
                gateway = scene.gateways[_victim(scene, role)]
                orphans = [pid for name, pid in gateway.processes().items() if name != "supervisor"]
                gateway.kill(process)
                if process == "supervisor":
                    _restart_as_systemd(gateway, orphans)

            def freeze(scene, role=role, process=process):
                gateway = scene.gateways[_victim(scene, role)]
                gateway.kill(process, signal.SIGSTOP)
                scene.later(gateway.signal_all, signal.SIGCONT)
                time.sleep(scene.random.uniform(0.3, 6))

            # The control socket is not on the way of any packet; a frozen supervisor ends the service after a while.
            fault(f"{process} of the {role} killed", 2)(kill)
            fault(f"{process} of the {role} frozen", 4)(freeze)


_register_processes()


@fault("all processes of the active killed", 2)
def _(scene):
    gateway = scene.gateways[scene.active]
    orphans = list(gateway.processes().values())[1:]
    gateway.signal_all(signal.SIGKILL)
    _restart_as_systemd(gateway, orphans)


@fault("all processes of the standby killed", 0.5)
def _(scene):
    gateway = scene.gateways[scene.standby]
    orphans = list(gateway.processes().values())[1:]
    gateway.signal_all(signal.SIGKILL)
    _restart_as_systemd(gateway, orphans)


@fault("all processes of the active frozen", 3)
def _(scene):
    scene.gateways[scene.active].signal_all(signal.SIGSTOP)
    scene.later(scene.gateways[scene.active].signal_all, signal.SIGCONT)
    time.sleep(scene.random.uniform(0.2, 8))


@fault("all processes of the standby frozen", 0.5)
def _(scene):
    scene.gateways[scene.standby].signal_all(signal.SIGSTOP)
    scene.later(scene.gateways[scene.standby].signal_all, signal.SIGCONT)
    time.sleep(scene.random.uniform(0.2, 8))


@fault("charon of the active killed", 3)
def _(scene):
    charon = scene.world.charons[scene.active]
    charon.stop(signal.SIGKILL)
    time.sleep(scene.random.uniform(0.2, 4))
    charon.start()


@fault("charon of the standby killed", 0.5)
def _(scene):
    charon = scene.world.charons[scene.standby]
    charon.stop(signal.SIGKILL)
    time.sleep(scene.random.uniform(0.2, 4))
    charon.start()


def _pull(name, role, interface, seconds):
    @fault(name, seconds)
    def _(scene):
        router = _victim(scene, role)
        topology.pull_cable(router, interface)
        scene.later(topology.plug_cable, router, interface)
        time.sleep(scene.random.uniform(0.05, 6))


_pull("inside link of the active lost", "active", "eth0", 1)
_pull("outside link of the active lost", "active", "eth1", 1)
_pull("sync link lost", "active", "eth2", 0.5)
_pull("inside link of the standby lost", "standby", "eth0", 0.5)
_pull("outside link of the standby lost", "standby", "eth1", 0.5)


def _impair(name, words, seconds):
    @fault(name, seconds)
    def _(scene):
        # Only what the two gateways say to each other on the sync link and the Active's port outside.
        switch, router = scene.random.choice((("sw-sync", scene.active), ("sw-sync", scene.standby),
                                              ("sw-out", scene.standby)))
        run("tc", "-n", switch, "qdisc", "replace", "dev", router, "root", "netem", *words)
        scene.later(lambda: run("tc", "-n", switch, "qdisc", "delete", "dev", router, "root", check=False))
        time.sleep(scene.random.uniform(2, 5))


_impair("a third of the packets lost", ["loss", "33%"], 3.0)
_impair("packets twice", ["duplicate", "50%"], 0.5)
_impair("packets out of order", ["delay", "20ms", "reorder", "50%", "50%"], 0.5)
_impair("packets late by 0 to 200 ms", ["delay", "100ms", "100ms"], 1.0)


def _deaf(name, match, seconds):
    @fault(name, seconds)
    def _(scene):
        # Where packets come in: the lab's kernel has no tables of nftables.
        for router in (scene.active, scene.standby):
            for interface in ("eth1", "eth2"):
                run("tc", "-n", router, "qdisc", "add", "dev", interface, "ingress")
                scene.later(lambda router=router, interface=interface: run(
                    "tc", "-n", router, "qdisc", "delete", "dev", interface, "ingress", check=False))
                run("tc", "-n", router, "filter", "add", "dev", interface, "parent", "ffff:", "protocol", "ip", "prio", "1",
                    "u32", *match, "action", "drop")
        time.sleep(scene.random.uniform(1, 6))
        dropped = sum(int(count) for router in (scene.active, scene.standby) for count in re.findall(
            r"dropped (\d+)", run("tc", "-n", router, "-s", "qdisc", "show", "dev", "eth1", "ingress")))
        system.expect(dropped, "nothing was dropped: this was no fault")


_deaf("hellos lost, association up", ["match", "ip", "protocol", "17", "0xff", "match", "ip", "dport", "1985", "0xffff"],
      0.5)
_deaf("association lost, hellos heard", ["match", "ip", "protocol", "132", "0xff"], 0.5)


# What both nodes may have used as Active is rekeyed when they meet again.
@fault("the active alone on every wire", 3, rekeys=True)
def _(scene):
    topology.isolate(scene.active)
    scene.later(topology.rejoin, scene.active)
    time.sleep(scene.random.uniform(2, 8))


@fault("the active alone on every wire, r5 rekeys meanwhile", 3, rekeys=True)
def _(scene):
    topology.isolate(scene.active)
    scene.later(topology.rejoin, scene.active)
    time.sleep(4)
    scene.world.charons["r5"].rekey_child()
    time.sleep(scene.random.uniform(1, 4))


@fault("the standby alone on every wire", 0.5, rekeys=True)
def _(scene):
    topology.isolate(scene.standby)
    scene.later(topology.rejoin, scene.standby)
    time.sleep(scene.random.uniform(2, 8))


@fault("virtual address stolen", 0.5)
def _(scene):
    for line in run("ip", "-n", scene.active, "-o", "-4", "address", "show").splitlines():
        if f" {VIRTUAL_ADDRESS}/" in line:
            run("ip", "-n", scene.active, "address", "delete", f"{VIRTUAL_ADDRESS}/32", "dev", line.split()[1], check=False)
    time.sleep(1)


@fault("virtual link stolen", 2)
def _(scene):
    for line in run("ip", "-n", scene.active, "-o", "link", "show", "type", "macvlan").splitlines():
        run("ip", "-n", scene.active, "link", "delete", line.split(":")[1].strip().split("@")[0], check=False)
    time.sleep(2)


@fault("fence of the standby stolen", 0.5)
def _(scene):
    for line in run("ip", "-n", scene.standby, "rule", "show").splitlines():
        if VIRTUAL_ADDRESS in line:
            run("ip", "-n", scene.standby, "rule", "delete", "preference", line.split(":")[0], check=False)
    time.sleep(1)


@fault("reverse routes of the active stolen", 0.5)
def _(scene):
    run("ip", "-n", scene.active, "route", "flush", "proto", "114", check=False)
    time.sleep(2)


@fault("SAs of the standby flushed", 0.5)
def _(scene):
    run("ip", "-n", scene.standby, "xfrm", "state", "flush")
    time.sleep(1)


@fault("no memory left", 0.5)
def _(scene):
    # Pages are taken until the kernel has none to give and takes what it can from others; one that holds on to them
    # does so for seconds, and is the first to be killed.
    greedy = subprocess.Popen([sys.executable, "-c", _GREEDY], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    scene.later(greedy.wait)
    scene.later(greedy.kill)
    time.sleep(scene.random.uniform(3, 6))


_GREEDY = """
import time
open("/proc/self/oom_score_adj", "w").write("1000")
held = []
while True:
    free = next(int(line.split()[1]) for line in open("/proc/meminfo") if line.startswith("MemAvailable:"))
    if free > 40_000:
        held.append(bytearray(8 << 20))
    time.sleep(0.01)
"""


def _step_clock(name, seconds):
    @fault(name, 0.5)
    def _(scene):
        # One kernel has one clock: it is both nodes' and r5's. It stands right again before anybody reads stamps.
        def step(offset):
            time.clock_settime(time.CLOCK_REALTIME, time.clock_gettime(time.CLOCK_REALTIME) + offset)
        step(seconds)
        scene.later(step, -seconds)
        time.sleep(scene.random.uniform(1, 3))


_step_clock("clocks an hour ahead, and back", 3600)
_step_clock("clocks an hour behind, and ahead again", -3600)


@fault("the active rebooted", 3)
def _(scene):
    scene.world.reboot(scene.active)


@fault("the standby rebooted", 0.5)
def _(scene):
    scene.world.reboot(scene.standby)


@fault("both rebooted", None, rekeys=True)
def _(scene):
    # The tunnels end with the kernels that held them; r5 finds out by DPD and builds them anew.
    scene.world.reboot_both()


@fault("planned switchover", 0.5)
def _(scene):
    scene.gateways[scene.active].control("switchover")
    time.sleep(1)


@fault("reload of both", 0.5)
def _(scene):
    for router in (scene.active, scene.standby):
        scene.gateways[router].control("reload")
    time.sleep(1)


@fault("r5 rekeys", 0.5, rekeys=True)
def _(scene):
    scene.world.charons["r5"].rekey_child()
    time.sleep(1)


@fault("orderly stop and start of the active", 2)
def _(scene):
    gateway = scene.gateways[scene.active]
    gateway.stop()
    time.sleep(scene.random.uniform(0, 2))
    gateway.launch()
