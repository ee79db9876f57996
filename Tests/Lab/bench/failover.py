# SPDX-License-Identifier: Apache-2.0
"""havpnd and keepalived lose the same things in the same lab: how long the virtual address does not answer.

    scripts/bench failover [--runs 10] [--timers default,short,least] [--events …] [--daemons havpnd,keepalived] [--host]

A prober at r5 asks the virtual address every 2 ms. Rows decided by a default hold time run 3 times at most. Events:
tracked, outside, process, everything, frozen, planned. With --host the same network stands in namespaces of this machine's
own kernel, without SAs, association and routing daemons. The picture is written to $LAB_OUT/failover.svg.
"""

import argparse
import os
import signal
import statistics
import sys
import time

from measures import verdict

from havpnlab import keepalived, topology, traffic
from havpnlab.chart import draw_bars
from havpnlab.havpn import Gateway, Settings
from havpnlab.system import Failure, expect, undisturbed, wait_until
from havpnlab.topology import VIRTUAL_ADDRESS
from havpnlab.monitor import AddressMonitor
from havpnlab.world import GATEWAYS, World

#: name: (havpnd's `timers`, keepalived's seconds between adverts)
TIMERS = {"default": (None, 1), "short": ("msec 250 msec 800", 0.25), "least": ("msec 15 msec 50", 0.02)}
EVENTS = {
    "tracked": "tracked link lost", "outside": "outside link pulled", "process": "failover process killed",
    "everything": "all processes killed", "frozen": "machine frozen", "planned": "planned switch",
}
#: Rows in which nobody tells the peer: the hold time decides.
SLOW_ROWS = {("everything", "default"), ("frozen", "default")}


class HavpndPair:
    """Two havpnd with SAs in the kernel, replicated; the role stays where it is until something happens."""

    name = "havpnd"
    settings = {"priorities": {"r3": 100, "r4": 100}}

    def __init__(self, world, timers):
        self.world = world
        settings = Settings(timers=TIMERS[timers][0], ike_daemon=False, **self.settings)
        for router in GATEWAYS:
            world.gateways[router] = Gateway(router, settings).start()
            world.gateways[router].wait_for_state("Active" if router == "r3" else "Standby", 60)

    def ready(self):
        """Waits until one node is Active and the other could take over now; returns both."""
        return _wait_for_roles(self.is_ready, 60, "no standby is ready")

    def is_ready(self, active, standby):
        return (self.world.gateways[active].redundancy() == ("ACTIVE", "STANDBY HOT")
                and self.world.gateways[standby].state() == "Standby")

    def process(self, router):
        self.world.gateways[router].kill("failover")

    def everything(self, router):
        self.world.gateways[router].signal_all(signal.SIGKILL)

    def freeze(self, router):
        self.world.gateways[router].signal_all(signal.SIGSTOP)

    def planned(self, router):
        self.world.gateways[router].control("switchover")

    def mend(self, router):
        gateway = self.world.gateways[router]
        gateway.signal_all(signal.SIGCONT)
        if gateway.process.poll() is not None:
            gateway.start()

    def end(self):
        self.world.reset()


class StatelessPair(HavpndPair):
    """Two havpnd that share the address alone, as keepalived does; r3 takes it back whenever it can."""

    settings = {"stateful": False}

    def is_ready(self, active, standby):
        return (active == "r3" and self.world.gateways[active].state() == "Active"
                and self.world.gateways[standby].state() == "Standby")

    def planned(self, router):
        # Without a peer to hand over to, an orderly stop is what operators do.
        self.world.gateways[router].process.send_signal(signal.SIGTERM)

    def mend(self, router):
        # A process that dies several times in a minute is taken for one that will not stop dying.
        self.world.gateways[router].stop()
        self.world.gateways[router].start()


class KeepalivedPair:
    """Two keepalived with the same address; nobody preempts."""

    name = "keepalived"

    def __init__(self, world, timers):
        self.world, self.advert_seconds = world, TIMERS[timers][1]
        self.nodes = keepalived.begin(world, self.advert_seconds)

    def ready(self):
        roles = _wait_for_roles(self.is_ready, 30, "there is not one Master")
        time.sleep(max(1.0, 4 * self.advert_seconds))
        return roles

    def is_ready(self, active, standby):
        return (self.nodes[active].holds_address() and not self.nodes[standby].holds_address()
                and self.nodes[standby].processes())

    def process(self, router):
        self.nodes[router].kill_child()

    def everything(self, router):
        self.nodes[router].signal_all(signal.SIGKILL)

    def freeze(self, router):
        self.nodes[router].signal_all(signal.SIGSTOP)

    def planned(self, router):
        self.nodes[router].hand_over()

    def mend(self, router):
        node = self.nodes[router]
        node.signal_all(signal.SIGCONT)
        if not node.process or node.process.poll() is not None:
            node.stop()
            node.start()

    def end(self):
        for node in self.nodes.values():
            node.stop()
        self.world.reset()


def _wait_for_roles(is_ready, seconds, sentence):
    orders = (GATEWAYS, GATEWAYS[::-1])
    return wait_until(lambda: next((roles for roles in orders if is_ready(*roles)), None), seconds, sentence, pause=0.2)


def happen(pair, event, router):
    """Makes the event happen on the node; returns the moment just before."""
    before = time.monotonic()
    if event == "tracked":
        return topology.pull_cable(router, "eth0")
    if event == "outside":
        return topology.pull_cable(router, "eth1")
    if event == "frozen":
        pair.freeze(router)
        topology.isolate(router)
    else:
        getattr(pair, event)(router)
    return before


def one(pair, event):
    """(outage ms, ms to the peer's address or None, ms of two owners or None where it did not end)."""
    active, standby = pair.ready()
    prober = traffic.Pinger(interval_milliseconds=2, source="r5", target=VIRTUAL_ADDRESS)
    monitors = {router: AddressMonitor(router) for router in GATEWAYS}
    try:
        prober.wait_for_answer(10)
        time.sleep(0.5)
        with undisturbed():
            at = happen(pair, event, active)
            time.sleep(1)
        prober.wait_for_answer(40, at + 0.9)
        if event != "process":
            wait_until(lambda: _first(monitors[standby].lines, at, deleted=False), 30, f"{standby} never took the address")
        time.sleep(0.5)
        until = time.monotonic() - 0.2
    finally:
        echoes = prober.stop()
        changes = {router: monitor.stop() for router, monitor in monitors.items()}
    topology.plug_all_cables()
    topology.rejoin(active)
    pair.mend(active)
    gap = traffic.longest_outage(echoes, at - 0.05, until)[0] * 1000
    came = _first(changes[standby], at, deleted=False)
    gone = _first(changes[active], at, deleted=True)
    overlap = None if came is None or gone is None else max(0.0, (gone - came) * 1000)
    return gap, None if came is None else (came - at) * 1000, overlap


def _first(changes, after, *, deleted):
    return next((at for at, line in changes if at >= after and f"inet {VIRTUAL_ADDRESS}/" in line
                 and ("Deleted" in line) == deleted), None)


def row(world, kind, event, timers, runs):
    """The results of one daemon, event and set of timers."""
    pair, results = kind(world, timers), []
    try:
        for _ in range(min(runs, 3) if (event, timers) in SLOW_ROWS else runs):
            results.append(one(pair, event))
    finally:
        pair.end()
        topology.plug_all_cables()
    return results


def sentence(results):
    gaps = [result[0] for result in results]
    came = [result[1] for result in results if result[1] is not None]
    text = f"silent for median {statistics.median(gaps):.0f}, worst {max(gaps):.0f} ms of {len(gaps)}"
    if came:
        text += f"; the peer's address after median {statistics.median(came):.0f}, worst {max(came):.0f} ms"
    else:
        text += "; the role stayed"
    stayed = sum(1 for result in results if result[1] is not None and result[2] is None)
    overlaps = [result[2] for result in results if result[2] is not None]
    if stayed:
        text += f"; two owners to the end in {stayed}"
    elif overlaps and max(overlaps) > 0.5:
        text += f"; two owners for up to {max(overlaps):.0f} ms"
    return text


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--timers", default=",".join(TIMERS))
    parser.add_argument("--events", default=",".join(EVENTS))
    parser.add_argument("--daemons", default="havpnd,keepalived")
    parser.add_argument("--host", action="store_true")
    options = parser.parse_args()
    pairs = (StatelessPair if options.host else HavpndPair, KeepalivedPair)
    kinds = [kind for kind in pairs if kind.name in options.daemons.split(",")]
    world, measured, bars, broken = World(), {}, [], 0
    place = "on this machine's kernel" if options.host else "in one lab"
    try:
        if options.host:
            topology.build()
        else:
            world.build()
        for timers in options.timers.split(","):
            for event in options.events.split(","):
                for kind in kinds:
                    try:
                        results = row(world, kind, event, timers, options.runs)
                    except Failure as failure:
                        # What the other daemon does not do is a result.
                        broken += kind.name == "havpnd"
                        print(f"{timers:8} {EVENTS[event]:24} {kind.name:10} {failure}", flush=True)
                        continue
                    print(f"{timers:8} {EVENTS[event]:24} {kind.name:10} {sentence(results)}", flush=True)
                    gaps = [result[0] for result in results]
                    bars.append((f"{EVENTS[event]}, {timers}", kind.name, statistics.median(gaps), max(gaps)))
                    if kind.name == "havpnd" and timers == "default":
                        note(measured, event, results, "host kernel, " if options.host else "")
    finally:
        world.destroy()
    expect(bars, "nothing was measured")
    with open(os.path.join(os.environ.get("LAB_OUT", "/tmp"), "failover.svg"), "w") as file:
        file.write(draw_bars(f"The virtual address does not answer: havpnd and keepalived {place}", bars))
    return 1 if verdict(measured) or broken else 0


def note(measured, event, results, place):
    """Keeps what the budgets speak of: havpnd with default timers."""
    came = [result[1] for result in results if result[1] is not None]
    gaps = [result[0] for result in results]
    if event in ("tracked", "outside") and came:
        measured[f"{place}{EVENTS[event]}: address at the peer, median ms"] = statistics.median(came)
        measured[f"{place}{EVENTS[event]}: address at the peer, worst ms"] = max(came)
    if event == "process":
        measured[f"{place}failover process killed: silence, median ms"] = statistics.median(gaps)


if __name__ == "__main__":
    sys.exit(main())
