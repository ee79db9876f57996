# SPDX-License-Identifier: Apache-2.0
"""The experiment itself: r3 loses its inside link, r4 goes on; later r3 takes the role again."""

import dataclasses
import time

from . import topology, traffic
from .system import expect, wait_until
from .world import Watch


@dataclasses.dataclass
class Leg:
    """One change of the role and what it cost; times in milliseconds, None where the thing never happened."""
    name: str
    old: str
    new: str
    at: float
    watch: Watch
    seed_echoes: list
    lost_as_seed: int
    lost_steady: int
    outage: float
    first_esp: float | None
    address: float | None
    route: float | None
    sequence_errors: int
    failures: list = dataclasses.field(default_factory=list)

    def check(self, *promises):
        """Calls each promise and notes the sentences of those that were not kept."""
        for promise in promises:
            try:
                promise()
            except Exception as failure:
                self.failures.append(str(failure))


def away(world, *, settle_seconds=3, limit_seconds=90, inject=True):
    """Pulls r3's inside cable under traffic and waits until r6 reaches r2 through r4."""
    watch = world.watch()
    seed = traffic.Pinger(style="cisco", interval_milliseconds=80)
    time.sleep(settle_seconds)
    if inject:
        watch.inject("r4")
        time.sleep(0.3)
    at = topology.pull_cable("r3", "eth0")
    return _finish(world, watch, seed, "away", "r3", "r4", at, settle_seconds, limit_seconds)


def back(world, *, settle_seconds=3, limit_seconds=120):
    """Puts the cable back and waits until r3 has the role again and r6 reaches r2 through it."""
    watch = world.watch()
    seed = traffic.Pinger(style="cisco", interval_milliseconds=80)
    time.sleep(settle_seconds)
    topology.plug_cable("r3", "eth0")
    world.gateways["r3"].wait_for_state("Active", limit_seconds)
    # The moment of the move is when the address came, which the monitor has to the microsecond.
    watch.wait_for_ping(30, time.monotonic())
    time.sleep(settle_seconds)
    at = None
    return _finish(world, watch, seed, "back", "r4", "r3", at, settle_seconds, limit_seconds)


def _finish(world, watch, seed, name, old, new, at, settle_seconds, limit_seconds):
    if at is not None:
        # Asking the daemon costs the lab's one processor what the measured milliseconds would have to pay.
        time.sleep(1)
        world.gateways[new].wait_for_state("Active", 40)
        watch.wait_for_ping(limit_seconds, at + 0.5)
        # Late refusals and late packets of the old sender would come now.
        time.sleep(settle_seconds)
    seed_echoes = seed.stop()
    watch.finish()
    if at is None:
        at = next((moment for moment, line in watch.address_changes[("r3", "r4").index(new)]
                   if f" {world.virtual_address}/" in line and "Deleted" not in line), watch.started)
    return Leg(
        name=name, old=old, new=new, at=at, watch=watch, seed_echoes=seed_echoes,
        lost_as_seed=traffic.lost(seed_echoes[1:-1]), lost_steady=watch.lost(), outage=watch.outage(at) * 1000,
        first_esp=watch.first_esp_milliseconds(new, at), address=watch.address_milliseconds(new, at),
        route=watch.route_milliseconds(new, at), sequence_errors=watch.errors)


def keep_promises(leg, *, first_esp_milliseconds=None, whole_seconds=2):
    """Notes in the leg which of the stateful promises were broken."""
    watch = leg.watch
    leg.check(
        watch.expect_no_sequence_errors, watch.expect_no_repeated_pair, watch.expect_same_spis,
        lambda: watch.expect_one_sender(leg.old, leg.new, leg.at - 1),
        lambda: watch.expect_whole_again(leg.at, whole_seconds))
    if first_esp_milliseconds is not None:
        leg.check(lambda: expect(
            leg.first_esp is not None and leg.first_esp <= first_esp_milliseconds,
            f"the first ESP packet of {leg.new} left {_milliseconds(leg.first_esp)} after the link was lost, "
            f"promised are {first_esp_milliseconds} ms"))
    return leg


def rekey(world, active):
    """r5 and the active gateway each rekey the child and the IKE SA; traffic must go on with new SPIs."""
    for router in ("r5", active):
        # IKEv1 keeps the replaced IKE SA for ten seconds, and a rekey by name would take the children of both.
        for side in ("r5", active):
            wait_until(lambda side=side: len(world.charons[side].associations()) == 1, 30,
                       f"{side} does not have one IKE SA: {world.charons[side].associations()}", pause=0.5)
        before = traffic.live_spis("r5")
        world.charons[router].rekey_child()
        pinger = traffic.Pinger(interval_milliseconds=50)
        pinger.wait_for_answer(10)
        # A message that is lost is sent again after two seconds; charon drops one that comes before it is ready for it.
        wait_until(lambda: traffic.live_spis("r5") - before, 10, f"{router} could not rekey the child SA", pause=0.2)
        time.sleep(1)
        echoes = pinger.stop()
        expect(traffic.lost(echoes[-10:]) == 0, f"pings were lost after {router} rekeyed the child SA")
        old = _established(world, "r5")
        world.charons[router].rekey_ike()
        wait_until(lambda: _established(world, "r5") - old, 15, f"{router} could not rekey the IKE SA {old}", pause=0.2)
        time.sleep(1)
    _settle("r5")


def _established(world, side):
    return {entry[1] for entry in world.charons[side].associations() if entry[0] == "ESTABLISHED"}


def _settle(router, *, quiet_seconds=6, limit_seconds=20):
    """Waits until superseded SAs are gone: charon keeps the old inbound SA for 5 s after a rekey."""
    end = time.monotonic() + limit_seconds
    spis, since = traffic.live_spis(router), time.monotonic()
    while time.monotonic() < min(end, since + quiet_seconds):
        time.sleep(0.5)
        fresh = traffic.live_spis(router)
        if fresh != spis:
            spis, since = fresh, time.monotonic()


def _milliseconds(value):
    return "never" if value is None else f"{value:.0f} ms"
