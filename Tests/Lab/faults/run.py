#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Faults in random order under traffic, and the table of what they cost.

    scripts/faults [--machines] [--runs 200] [--seed N] [--only WORDS] [--list]

Without a routing daemon: r2 reaches the branch by the virtual address of an inside group that follows the outside one.
"""

import argparse
import os
import random
import re
import statistics
import sys
import time
import traceback

sys.dont_write_bytecode = True
here = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.dirname(here), here]

from catalogue import FAULTS, Scene  # noqa: E402
from havpnlab import topology  # noqa: E402
from havpnlab.distant import MACHINE, SplitWorld  # noqa: E402
from havpnlab.havpn import Settings  # noqa: E402
from havpnlab.system import Failure, batch  # noqa: E402
from havpnlab.topology import INSIDE_VIRTUAL_ADDRESS  # noqa: E402
from havpnlab.world import World  # noqa: E402
from promises import look, settled  # noqa: E402
from whole import MACHINE_FAULTS  # noqa: E402

TIMERS = "msec 250 msec 800"
INSIDE_GROUP = (f"interface eth0\n standby 1 ip {INSIDE_VIRTUAL_ADDRESS}\n standby 1 timers {TIMERS}\n"
                " standby 1 follow VPN")
SETTINGS = {"timers": TIMERS, "priorities": {"r3": 100, "r4": 100}, "extra": INSIDE_GROUP}


def order(generator, names, runs):
    """Every fault once in random order, then again, until there are enough."""
    while runs > 0:
        deck = list(names)
        generator.shuffle(deck)
        yield from deck[:runs]
        runs -= len(deck)


def begin(world):
    world.begin(Settings(**SETTINGS))
    world.bring_tunnel_up()


def arranged(world, fault):
    """(active, standby) of the settled pair, once the machine of its own has the role that the fault wants of it."""
    active, standby = settled(world)
    if fault.machine_role and (active == MACHINE) != (fault.machine_role == "active"):
        world.gateways[active].control("switchover")
        world.gateways[standby].wait_for_state("Active")
        active, standby = settled(world)
    return active, standby


def one(world, fault, generator):
    """One fault; returns (seconds of outage, sentences of broken promises)."""
    active, standby = arranged(world, fault)
    watch = world.watch()
    scene = Scene(world, active, standby, generator)
    at = time.monotonic()
    try:
        fault.strike(scene)
    finally:
        scene.heal()
    try:
        settled(world)
        watch.wait_for_ping(20, time.monotonic())
    finally:
        watch.finish()
    return look(watch, world, fault, at, active)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--machines", action="store_true", help="faults of a whole machine, which is one of the nodes")
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--only", default="")
    parser.add_argument("--list", action="store_true")
    options = parser.parse_args()
    faults = MACHINE_FAULTS if options.machines else FAULTS
    names = [name for name in faults if re.search(options.only, name)]
    if options.list or not names:
        print("\n".join(names or faults))
        return 0 if names else 2
    print(f"seed {options.seed}, {options.runs} runs of {len(names)} faults", flush=True)
    generator = random.Random(options.seed)
    world = SplitWorld().build() if options.machines else World().build(with_routing=False)
    results, failed, fresh = {}, 0, True
    batch("r2", [f"route add 10.0.0.6/32 via {INSIDE_VIRTUAL_ADDRESS}"])
    for number, name in enumerate(order(generator, names, options.runs), 1):
        started = time.monotonic()
        try:
            if fresh:
                begin(world)
            fresh = False
            outage, broken = one(world, faults[name], generator)
        except Exception as error:
            outage, broken = None, [str(error)]
            if not isinstance(error, Failure):
                broken.append(traceback.format_exc())
        results.setdefault(name, []).append((outage, not broken))
        seconds = time.monotonic() - started
        cost = "" if outage is None else f"outage {outage * 1000:.0f} ms"
        print(f"{'FAIL' if broken else 'ok  '} {number:4} {seconds:5.1f} s  {name}: {cost}", flush=True)
        if broken:
            failed += 1
            print("".join(f"          {sentence}\n" for sentence in broken)
                  + f"          logs: {world.keep_logs(f'fault-{number}')}", flush=True)
            world.reset()
            topology.plug_all_cables()
            fresh = True
    world.destroy()
    table(results)
    print(f"{options.runs - failed} of {options.runs} runs kept every promise; seed {options.seed}")
    return 1 if failed else 0


def table(results):
    print(f"\n{'fault':54} {'runs':>5} {'outage median':>14} {'p99':>8} {'worst':>8}  kept")
    for name, runs in sorted(results.items()):
        outages = sorted(outage * 1000 for outage, _ in runs if outage is not None)
        kept = sum(1 for _, good in runs if good)
        if outages:
            p99 = outages[min(len(outages) - 1, int(0.99 * len(outages)))]
            figures = f"{statistics.median(outages):11.0f} ms {p99:5.0f} ms {outages[-1]:5.0f} ms"
        else:
            figures = f"{'never whole':>32}"
        print(f"{name:54} {len(runs):5} {figures}  {kept} of {len(runs)}")


if __name__ == "__main__":
    sys.exit(main())
