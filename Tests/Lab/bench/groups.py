# SPDX-License-Identifier: Apache-2.0
"""Many groups with short timers on one interface, in namespaces of this machine's own kernel: nobody may change a role.

    scripts/bench groups [--minutes 5] [--groups 255] [--timers 250,800]

Two nodes, a cable, and an observer that runs before all other tasks and notes when the machine itself stood still. A
change of role is false unless the observer saw a gap of more than half the hold time within the hold time before it.
"""

import argparse
import datetime
import json
import os
import re
import shutil
import signal
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from havpnlab import system  # noqa: E402
from havpnlab.havpn import programs  # noqa: E402
from havpnlab.system import expect, run, spawn, wait_until  # noqa: E402

NODES = {"havpn-a": ("10.77.0.1", 110), "havpn-b": ("10.77.0.2", 100)}

_OBSERVER = """
import os, sys, time
os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(99))
last = time.monotonic()
while True:
    time.sleep(0.001)
    now = time.monotonic()
    if now - last > 0.005:
        print(f"{last:.6f} {now:.6f}", flush=True)
    last = now
"""


class Node:
    """One havpnd with all the groups."""

    def __init__(self, name, directory, groups, timers):
        self.name, self.directory, self.groups = name, f"{directory}/{name}", groups
        address, priority = NODES[name]
        os.makedirs(f"{self.directory}/run")
        lines = [f"hostname {name[-1].upper()}", "interface eth1"]
        for number in range(1, groups + 1):
            lines += [f" standby {number} ip 10.77.{1 + number // 250}.{number % 250 + 1}",
                      f" standby {number} timers msec {timers[0]} msec {timers[1]}",
                      f" standby {number} priority {priority}", f" standby {number} preempt"]
        with open(f"{self.directory}/havpnd.conf", "w") as file:
            file.write("\n".join(lines) + "\n")
        self.process = spawn(
            [f"{programs()}/havpnd", "--config", f"{self.directory}/havpnd.conf",
             "--runtime-directory", f"{self.directory}/run"],
            log=f"{self.directory}/log", namespace=name, environment={"SWIFT_BACKTRACE": "enable=no"})
        self.events = None

    def control(self, *words):
        return run(f"{programs()}/havpnctl", "--socket", f"{self.directory}/run/control.sock", "--json", *words,
                   namespace=self.name, check=False)

    def states(self):
        try:
            return [group["state"] for group in json.loads(self.control("show", "standby"))["groups"]]
        except (ValueError, KeyError):
            return []

    def follow(self):
        """Writes every event to a file from now on."""
        self.events = spawn(
            [f"{programs()}/havpnctl", "--socket", f"{self.directory}/run/control.sock", "--json", "monitor"],
            log=f"{self.directory}/events", namespace=self.name)

    def changes(self):
        """[(monotonic seconds, group, from, to)] since `follow`."""
        offset = time.time() - time.monotonic()
        found = []
        for line in system.read_text(f"{self.directory}/events").splitlines():
            event = json.loads(line)
            if event["event"] == "hsrp-state":
                at = datetime.datetime.fromisoformat(event["time"].replace("Z", "+00:00")).timestamp() - offset
                found.append((at, event["group"], event["from"], event["to"]))
        return found

    def processor_seconds(self):
        """{role: seconds of processor time}."""
        used = {}
        for pid in [self.process.pid, *system.children(self.process.pid)]:
            role = re.match(r"havpnd: (\w+)", system.read_process(f"/proc/{pid}/cmdline").replace("\0", " "))
            fields = system.read_process(f"/proc/{pid}/stat").rpartition(")")[2].split()
            name = role.group(1) if role else "supervisor"
            used[name] = used.get(name, 0) + (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        return used

    def stop(self):
        for process in (self.events, self.process):
            if process:
                system.end(process)


def build_network():
    for name in NODES:
        run("ip", "netns", "add", name)
    run("ip", "-n", "havpn-a", "link", "add", "eth1", "type", "veth", "peer", "name", "eth1", "netns", "havpn-b")
    for name, (address, _) in NODES.items():
        system.batch(name, [f"address add {address}/16 dev eth1", "link set lo up", "link set eth1 up"])


def remove_network():
    for name in NODES:
        run("ip", "netns", "del", name, check=False)


def gaps_of(path):
    return [tuple(map(float, line.split())) for line in system.read_text(path).splitlines() if line.count(" ") == 1]


def is_excused(at, gaps, hold):
    return any(end - start > hold / 2 and start < at + 0.05 and end > at - hold for start, end in gaps)


def measure(directory, groups, timers, seconds):
    """Runs the pair for some time; returns the number of false changes of role."""
    nodes = {name: Node(name, directory, groups, timers) for name in NODES}
    observer = None
    try:
        wanted = {"havpn-a": ["Active"] * groups, "havpn-b": ["Standby"] * groups}
        for name, node in nodes.items():
            wait_until(lambda node=node, name=name: node.states() == wanted[name], 120,
                       f"{name} does not have all roles", pause=1)
        time.sleep(5)
        for node in nodes.values():
            node.follow()
        gap_file = f"{directory}/gaps"
        observer = spawn([sys.executable, "-c", _OBSERVER], log=gap_file)
        time.sleep(1)
        before = {name: node.processor_seconds() for name, node in nodes.items()}
        started = time.monotonic()
        time.sleep(seconds)
        taken = time.monotonic() - started
        after = {name: node.processor_seconds() for name, node in nodes.items()}
        for name, node in nodes.items():
            expect(node.states() == wanted[name], f"{name} does not have its roles any more")
        observer.send_signal(signal.SIGTERM)
        gaps = gaps_of(gap_file)
        changes = [change for node in nodes.values() for change in node.changes()]
    finally:
        if observer:
            system.end(observer)
        for node in nodes.values():
            node.stop()
    hold = timers[1] / 1000
    false = [change for change in changes if not is_excused(change[0], gaps, hold)]
    load = "; ".join(
        f"{name[-1]}: " + ", ".join(f"{role} {100 * (after[name][role] - before[name][role]) / taken:.1f} %"
                                    for role in sorted(after[name])) for name in nodes)
    worst = max((end - start for start, end in gaps), default=0) * 1000
    print(f"{groups} groups at {timers[0]}/{timers[1]} ms for {taken:.0f} s: {len(false)} false changes of role, "
          f"{len(changes) - len(false)} excused; the machine stood still for up to {worst:.0f} ms, "
          f"{sum(end - start > hold / 2 for start, end in gaps)} times for more than half the hold time; "
          f"processor: {load}", flush=True)
    for at, group, old, new in false[:10]:
        near = max((end - start for start, end in gaps if start < at + 0.05 and end > at - hold), default=0)
        print(f"  group {group}: {old} -> {new}, worst gap before it {near * 1000:.0f} ms", flush=True)
    return len(false)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--groups", type=int)
    parser.add_argument("--timers", default="250,800")
    options = parser.parse_args()
    rows = [(255, (250, 800)), (20, (15, 50))]
    if options.groups:
        rows = [(options.groups, tuple(map(int, options.timers.split(","))))]
    false = 0
    for groups, timers in rows:
        directory = tempfile.mkdtemp(prefix="havpn-groups.")
        build_network()
        try:
            false += measure(directory, groups, timers, options.minutes * 60)
            shutil.rmtree(directory)
        finally:
            remove_network()
    return 1 if false else 0


if __name__ == "__main__":
    sys.exit(main())
