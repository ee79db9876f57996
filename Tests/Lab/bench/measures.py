# SPDX-License-Identifier: Apache-2.0
"""What all parts of the benchmark share: percentiles, what a process costs, and the table against the budgets."""

import json
import os
import re
import statistics
import sys
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

from havpnlab import system  # noqa: E402
from havpnlab.havpn import Gateway, Settings  # noqa: E402
from havpnlab.system import wait_until  # noqa: E402
from havpnlab.world import GATEWAYS  # noqa: E402


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def spread(values, unit="ms"):
    """The sentence of a row: median and p99, which is the worst of fewer than a hundred."""
    if not values:
        return "never seen"
    return f"median {statistics.median(values):.2f} {unit}, p99 {percentile(values, 0.99):.2f} {unit} of {len(values)}"


def begin_without_daemon(world, **options):
    """Two gateways with `ike-daemon none`, r3 Active and r4 HOT."""
    settings = Settings(**{"timers": "1 3", "ike_daemon": False, **options})
    for router in GATEWAYS:
        world.gateways[router] = Gateway(router, settings).start()
    world.gateways["r3"].wait_for_state("Active", 60)
    wait_for_hot(world)


def wait_for_hot(world, seconds=120):
    wait_until(lambda: world.gateways["r3"].redundancy() == ("ACTIVE", "STANDBY HOT"), seconds,
               f"r4 is not HOT: {(world.gateways['r4'].try_show('redundancy') or {}).get('missingForHot')}", pause=0.3)


def memory(world, router, role="replication"):
    """Bytes of a process that are its own share (Pss)."""
    pid = world.gateways[router].processes()[role]
    found = re.search(r"^Pss: +(\d+) kB", system.read_text(f"/proc/{pid}/smaps_rollup"), re.MULTILINE)
    return int(found.group(1)) * 1024 if found else 0


def private_memory(world, router, role):
    """Bytes of a process that nobody shares and that were written (private and dirty)."""
    pid = world.gateways[router].processes()[role]
    found = re.search(r"^Private_Dirty: +(\d+) kB", system.read_text(f"/proc/{pid}/smaps_rollup"), re.MULTILINE)
    return int(found.group(1)) * 1024 if found else 0


def processor_seconds(world, router, role="replication"):
    """Processor time that a process has used."""
    pid = world.gateways[router].processes()[role]
    fields = system.read_process(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def load_of(world, router, seconds, role="replication"):
    """The share of a processor that a process uses for some seconds, in percent."""
    before, start = processor_seconds(world, router, role), time.monotonic()
    time.sleep(seconds)
    return 100 * (processor_seconds(world, router, role) - before) / (time.monotonic() - start)


def sent_bytes(world):
    association = world.gateways["r3"].show("ipc", "association")["association"] or {}
    return association.get("bytesSent", 0)


def silences(world, routers=GATEWAYS):
    """How often a node thought its peer silent since it started."""
    return sum(world.gateways[router].counters().get("session.peerSilent", 0) for router in routers)


def late_hellos(world, routers=GATEWAYS):
    """How many hellos left later than a tenth of their interval since the daemons started."""
    return sum(world.gateways[router].counters().get("hello.late", 0) for router in routers)


def verdict(measured):
    """Prints what was measured against the budgets; 1 if one was missed."""
    with open(os.path.join(HERE, "thresholds.json")) as file:
        thresholds = json.load(file)
    print(f"\n{'what':52} {'measured':>10} {'budget':>12}")
    missed = 0
    for name, limit in thresholds.items():
        if name not in measured:
            continue
        value = measured[name]
        word, bound = next(iter(limit.items()))
        kept = value <= bound if word == "most" else value >= bound
        missed += not kept
        print(f"{name:52} {value:10.2f} {word:>5} {bound:6} {'kept' if kept else 'MISSED'}")
    return 1 if missed else 0
