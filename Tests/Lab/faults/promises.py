# SPDX-License-Identifier: Apache-2.0
"""What must hold after every fault, and how long a pair has to settle."""

from havpnlab import topology
from havpnlab.system import Failure, expect, wait_until
from havpnlab.world import GATEWAYS

SETTLE_SECONDS = 60


def settled(world):
    """(active, standby) once one node is Active, the other HOT, and the tables of all three are the same."""
    def roles():
        states = {router: world.gateways[router].state() for router in GATEWAYS}
        if sorted(str(state) for state in states.values()) != ["Active", "Standby"]:
            return None
        active = next(router for router, state in states.items() if state == "Active")
        standby = GATEWAYS[1 - GATEWAYS.index(active)]
        if world.gateways[active].redundancy() != ("ACTIVE", "STANDBY HOT"):
            return None
        return active, standby

    found = wait_until(roles, SETTLE_SECONDS, "the pair did not settle: " + _states(world), pause=0.2)
    wait_until(lambda: len({frozenset(world.live_spis(router)) for router in (*GATEWAYS, "r5")}) == 1, 20,
               "the SAs of r3, r4 and r5 differ", pause=0.5)
    return found


def _states(world):
    texts = []
    for router in GATEWAYS:
        gateway = world.gateways[router]
        view = gateway.try_show("redundancy") or {}
        texts.append(f"{router} is {gateway.state()}, {view.get('state')} with peer {view.get('peerState')}, missing "
                     f"{view.get('missingForHot')}")
    return "; ".join(texts)


def look(watch, world, fault, at, active):
    """Every promise of one fault; returns (seconds of outage, sentences of the broken ones)."""
    broken = []

    def check(promise, *arguments):
        try:
            promise(*arguments)
        except Failure as failure:
            broken.append(str(failure))

    check(expect, watch.errors <= fault.stray_packets, f"r5 refused {watch.errors} packets for their sequence numbers")
    check(watch.expect_no_repeated_pair)
    if not fault.rekeys:
        check(watch.expect_same_spis)
    check(_expect_one_sender_at_a_time, watch, world, fault, at, active)
    check(_expect_one_owner, world)
    outage = watch.outage(at)
    if fault.outage_seconds is not None:
        check(expect, outage <= fault.outage_seconds,
              f"r6 could not reach r2 for {outage:.2f} s; the budget is {fault.outage_seconds} s")
    return outage, broken


def _expect_one_sender_at_a_time(watch, world, fault, at, active):
    """Senders of ESP change no more often than the virtual address came to a node."""
    moves = [_moves(changes, at, router == active) for router, changes in zip(world.here, watch.address_changes)]
    # A machine of its own is not watched: what leaves the other node has come to it.
    moved = sum(came for came, _ in moves) if len(moves) == len(GATEWAYS) else sum(map(sum, moves))
    sent = [packet.port for packet in watch.packets if packet.kind == "esp" and packet.port in GATEWAYS and packet.at >= at - 1]
    changes = sum(1 for before, after in zip(sent, sent[1:]) if before != after)
    expect(changes <= moved + 2 * fault.stray_packets,
           f"the sender of ESP changed {changes} times, the address moved {moved} times")


def _moves(changes, at, is_there):
    """(comings, goings) of the virtual address on a node; a renewal of its lease is neither."""
    came = went = 0
    for moment, line in changes:
        if moment < at - 1 or f"inet {topology.VIRTUAL_ADDRESS}/" not in line:
            continue
        comes = "Deleted" not in line
        came, went = came + (comes and not is_there), went + (is_there and not comes)
        is_there = comes
    return came, went


def _expect_one_owner(world):
    owners = [router for router in GATEWAYS if world.gateways[router].holds_address()]
    expect(len(owners) == 1, f"the virtual address stands on {owners or 'no node'}")
