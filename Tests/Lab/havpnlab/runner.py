# SPDX-License-Identifier: Apache-2.0
"""Runs scenarios one after the other in one booted system and counts."""

import os
import re
import sys
import time
import traceback

from .system import Failure
from .world import World

_scenarios = []


def scenario(sentence, *, long=False):
    """Registers a function of one World as a scenario; what it returns is printed as its measure.

    A long one is run only when LAB_LONG is set or a pattern asks for it.
    """
    def register(function):
        _scenarios.append((sentence, function, long))
        return function
    return register


def main(pattern=""):
    """Runs the scenarios whose sentence contains `pattern`; returns 0 only if all passed.

    With LAB_LANE=I/N only every Nth of them, from the Ith on: N labs beside each other share the work.
    """
    takes_long = bool(pattern or os.environ.get("LAB_LONG"))
    chosen = [(sentence, function) for sentence, function, long in _scenarios
              if re.search(pattern, sentence, re.IGNORECASE) and (takes_long or not long)]
    if not chosen:
        print(f"no scenario matches {pattern!r}; there are:")
        for sentence, _, long in _scenarios:
            print(f"  {sentence}{' (long)' if long else ''}")
        return 2
    lane, lanes = (int(part) for part in os.environ.get("LAB_LANE", "0/1").split("/"))
    chosen = chosen[lane::lanes]
    started = time.monotonic()
    world = World().build()
    print(f"the seed's network stands after {time.monotonic() - started:.1f} s", flush=True)
    passed, failed = 0, 0
    for sentence, function in chosen:
        # A machine that was busy elsewhere is told from a fault by a second run; both are printed.
        if _run(world, sentence, function) or _run(world, f"{sentence} (second run)", function):
            passed += 1
        else:
            failed += 1
    world.destroy()
    print(f"{passed} passed, {failed} failed", flush=True)
    return 1 if failed else 0


def _run(world, sentence, function):
    started = time.monotonic()
    try:
        measure = function(world)
        verdict, remark = "ok  ", f" ({measure})" if measure else ""
    except Exception as error:
        verdict, remark = "FAIL", f"\n        {error}"
        if not isinstance(error, Failure):
            remark += "\n" + traceback.format_exc()
        remark += f"\n        logs: {world.keep_logs(re.sub('[^a-z0-9]+', '-', sentence.lower()).strip('-'))}"
    seconds = time.monotonic() - started
    try:
        world.reset()
    except Exception:
        traceback.print_exc(file=sys.stdout)
    print(f"{verdict} {seconds:6.1f} s  {sentence}{remark}", flush=True)
    return verdict == "ok  "
