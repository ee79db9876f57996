# SPDX-License-Identifier: Apache-2.0
"""Many changes of the role in a row, under traffic, with rekeys between them."""

import os
import time

from havpnlab import topology
from havpnlab.havpn import Settings
from havpnlab.runner import scenario
from havpnlab.system import expect, wait_until
from havpnlab.traffic import live_spis

#: How many changes; 50 are run by hand: `LAB_FAILOVERS=50 scripts/test --lab 'in a row'`.
FAILOVERS = int(os.environ.get("LAB_FAILOVERS", "6"))


def _switch_over(world, active):
    world.gateways[active].control("switchover")


def _pull_inside_cable(world, active):
    topology.pull_cable(active, "eth0")


def _kill_failover(world, active):
    world.gateways[active].kill("failover")


WAYS = (_switch_over, _pull_inside_cable, _kill_failover)


@scenario("failovers in a row by switchover, lost cable and killed process: no pair twice, tables equal after each",
          long=True)
def in_a_row(world):
    # At equal priorities a lost cable moves the role, and its return does not.
    active, standby = "r4", "r3"
    world.begin(Settings(timers="1 3", priorities={"r3": 100, "r4": 100}), routers=(active, standby))
    world.bring_tunnel_up(standby=standby, active=active)
    watch = world.watch(interval_milliseconds=20)
    slowest = 0.0
    for number in range(FAILOVERS):
        way = WAYS[number % len(WAYS)]
        at = time.monotonic()
        way(world, active)
        world.gateways[standby].wait_for_state("Active", 20)
        watch.wait_for_ping(20, time.monotonic())
        topology.plug_all_cables()
        active, standby = standby, active
        world.wait_for_routing()
        world.wait_for_hot(standby, active, seconds=60)
        slowest = max(slowest, time.monotonic() - at)
        both = [live_spis(router) for router in (active, standby, "r5")]
        expect(both[0] == both[1] == both[2], f"after failover {number + 1} the SPIs differ: {both}")
        if number % 10 == 4:
            _rekey(world, active, standby)
    watch.finish()
    watch.expect_no_sequence_errors()
    watch.expect_no_repeated_pair()
    return f"{FAILOVERS} failovers, slowest to HOT again {slowest:.1f} s, {watch.lost()} pings lost"


def _rekey(world, active, standby):
    """The Active rekeys the child; the standby must follow before the next failover."""
    before = live_spis("r5")
    world.charons[active].rekey_child()
    wait_until(lambda: live_spis("r5").isdisjoint(before), 30, "the child SA was not rekeyed")
    wait_until(lambda: live_spis(standby) == live_spis("r5"), 15, "the standby did not follow the rekey")
    world.wait_for_hot(standby, active)
