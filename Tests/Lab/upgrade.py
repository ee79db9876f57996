#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""An older build and this one as a pair, and the upgrade of a running pair; `scripts/upgrade` runs it in the lab.

HAVPN_OLDER_PROGRAMS is the directory of the older build. Ends with 0 only if every promise was kept.
"""

import os
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from havpnlab.havpn import Settings  # noqa: E402
from havpnlab.system import expect  # noqa: E402
from havpnlab.traffic import live_spis  # noqa: E402
from havpnlab.world import World  # noqa: E402

OLDER = os.environ["HAVPN_OLDER_PROGRAMS"]


def _begin(world, older_routers):
    # What every release knows; at equal priorities only the operator moves the role.
    world.programs = {router: OLDER for router in older_routers}
    world.begin(Settings(timers="1 3", priorities={"r3": 100, "r4": 100}, unsecured=("r3", "r4")), routers=("r4", "r3"))
    world.bring_tunnel_up(standby="r3", active="r4")
    return world.watch(interval_milliseconds=20)


def _switch_over(world, active, standby):
    world.gateways[active].control("switchover")
    world.gateways[standby].wait_for_state("Active", 5)
    world.wait_for_hot(active, standby, seconds=60)
    spis = [live_spis(router) for router in ("r3", "r4", "r5")]
    expect(spis[0] == spis[1] == spis[2], f"the SPIs differ: {spis}")


def _finish(watch):
    time.sleep(1)
    watch.finish()
    watch.expect_same_spis()
    watch.expect_no_sequence_errors()
    watch.expect_no_repeated_pair()
    return f"{watch.lost()} of {len(watch.echoes)} pings lost"


def mixed(world, older):
    """A mixed pair reaches HOT both ways and switches over both ways."""
    watch = _begin(world, [older])
    _switch_over(world, "r4", "r3")
    _switch_over(world, "r3", "r4")
    return _finish(watch)


def upgraded(world):
    """A running pair is upgraded as docs/operations.md says: the standby, a switchover, the other node."""
    watch = _begin(world, ["r3", "r4"])
    _upgrade(world, "r3", "r4")
    _switch_over(world, "r4", "r3")
    _upgrade(world, "r4", "r3")
    _switch_over(world, "r3", "r4")
    return _finish(watch)


def _upgrade(world, router, active):
    """New programs on the standby, and a restart."""
    settings = world.gateways[router].settings
    # The socket unit keeps the relay's socket on a real node.
    world.gateways[router].stop()
    del world.programs[router]
    world.gateways[router] = world.gateway(router, settings).start()
    world.wait_for_hot(router, active, seconds=60)


def main():
    world = World().build()
    passed, failed = 0, 0
    for sentence, run in (
            ("r3 runs the older build: HOT and switchover both ways", lambda: mixed(world, "r3")),
            ("r4 runs the older build: HOT and switchover both ways", lambda: mixed(world, "r4")),
            ("a running pair is upgraded, node after node, under traffic", lambda: upgraded(world))):
        started = time.monotonic()
        try:
            print(f"ok   {sentence} ({run()}; {time.monotonic() - started:.0f} s)", flush=True)
            passed += 1
        except Exception as error:
            print(f"FAIL {sentence}\n        {error}\n        logs: {world.keep_logs('upgrade')}", flush=True)
            failed += 1
        world.reset()
    world.destroy()
    print(f"{passed} passed, {failed} failed", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
