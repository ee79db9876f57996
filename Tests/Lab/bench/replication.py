# SPDX-License-Identifier: Apache-2.0
"""Replication measured against the budgets, in the lab.

    scripts/bench replication [--sizes 1000,10000,50000] [--runs 5] [--tunnels 300] [--parts …]

Parts: latency, bulk, takeover, routes, traffic, rest, strongswan. Ratios are of one run on one machine; the milliseconds of a
lab with one processor for five routers are noisy.
"""

import argparse
import sys

import charon
import kernel
from measures import verdict

from havpnlab.system import Failure
from havpnlab.world import World

PARTS = "latency,bulk,takeover,routes,traffic,rest,strongswan"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", default="1000,10000,50000")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--tunnels", type=int, default=300)
    parser.add_argument("--parts", default=PARTS)
    options = parser.parse_args()
    sizes = [int(size) for size in options.sizes.split(",")]
    world, measured = World().build(), {}
    parts = {
        "latency": [lambda: kernel.latency(world, options.runs, measured), lambda: charon.latency(world, options.runs, measured)],
        "bulk": [lambda: kernel.bulk(world, sizes, options.runs, measured)],
        "takeover": [lambda: kernel.takeovers(world, sizes, options.runs, measured)],
        "routes": [lambda: kernel.routes(world, min(2000, max(sizes) // 2), measured)],
        "traffic": [lambda: kernel.traffic_counters(world, min(10_000, max(sizes)), measured)],
        "rest": [lambda: kernel.at_rest(world, measured)],
        "strongswan": [lambda: charon.restore(world, options.tunnels, options.runs, measured)],
    }
    broken = 0
    try:
        for name in options.parts.split(","):
            for part in parts[name]:
                try:
                    part()
                except Failure as failure:
                    broken += 1
                    print(f"{name}: {failure}", flush=True)
                    world.reset()
    finally:
        world.destroy()
    return 1 if verdict(measured) or broken else 0


if __name__ == "__main__":
    sys.exit(main())
