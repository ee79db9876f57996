# SPDX-License-Identifier: Apache-2.0
"""`ike-daemon none` measured: latency, bulk, takeover, bytes and memory.

    scripts/bench replication [--sizes 1000,10000,50000] [--runs 5] [--parts latency,bulk,takeover]

Ratios are of one run on one machine; the milliseconds of a lab with one processor for five routers are noisy.
"""

import argparse
import json
import os
import re
import statistics
import sys
import time

sys.dont_write_bytecode = True
here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(here))

from havpnlab import manual, system, takeover, topology, xfrm  # noqa: E402
from havpnlab.havpn import Gateway, Settings  # noqa: E402
from havpnlab.system import batch, run, wait_until  # noqa: E402
from havpnlab.world import GATEWAYS, World  # noqa: E402


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def spread(values, unit="ms"):
    return f"median {statistics.median(values):.2f} {unit}, p99 {percentile(values, 0.99):.2f} {unit} of {len(values)}"


def begin(world):
    settings = Settings(timers="1 3", ike_daemon=False)
    for router in GATEWAYS:
        world.gateways[router] = Gateway(router, settings).start()
    world.gateways["r3"].wait_for_state("Active", 60)
    wait_for_hot(world)


def wait_for_hot(world, seconds=120):
    wait_until(lambda: world.gateways["r3"].redundancy() == ("ACTIVE", "STANDBY HOT"), seconds,
               f"r4 is not HOT: {(world.gateways['r4'].try_show('redundancy') or {}).get('missingForHot')}", pause=0.3)


def memory(world, router):
    """Bytes of the replication process that are its own share (Pss)."""
    pid = world.gateways[router].processes()["replication"]
    found = re.search(r"^Pss: +(\d+) kB", system.read_text(f"/proc/{pid}/smaps_rollup"), re.MULTILINE)
    return int(found.group(1)) * 1024 if found else 0


def sent_bytes(world):
    association = world.gateways["r3"].show("ipc", "association")["association"] or {}
    return association.get("bytesSent", 0)


def latency(world, runs):
    """An SA on the active → in the standby's kernel, one at a time."""
    begin(world)
    batch("r3", manual.pair(0x1001, 0x2001))
    manual.wait_for_count("r4", 2, 10)
    like, writer, events = xfrm.any_sa("r3"), xfrm.open_socket("r3"), xfrm.open_socket("r4", 1 << 2)
    taken = []
    for number in range(max(runs * 20, 100)):
        time.sleep(0.03)
        before = xfrm.add_like(writer, like, 0x300000 + number)
        taken.append((xfrm.wait_for(events, 0x300000 + number, 5) - before) * 1000)
    world.reset()
    return taken


def bulk(world, size):
    """(seconds of `ip -batch`, seconds of a copy, bytes per SA, memory per SA on each node)."""
    lines = manual.bulk(size)
    begin(world)
    empty = {router: memory(world, router) for router in GATEWAYS}
    text = "\n".join(lines) + "\n"
    started = time.monotonic()
    run("ip", "-n", "r2", "-batch", "-", text=text, timeout=600)
    by_ip = time.monotonic() - started
    run("ip", "-n", "r2", "xfrm", "state", "flush")
    world.gateways["r4"].stop()
    run("ip", "-n", "r3", "-batch", "-", text=text, timeout=600)
    time.sleep(3)
    counter = xfrm.Counter("r4")
    before = sent_bytes(world)
    world.gateways["r4"].launch()
    while counter.read() == 0:
        time.sleep(0.001)
    first = time.monotonic()
    last = counter.wait(size, 600)
    wait_for_hot(world, 300)
    hot = time.monotonic()
    wire = (sent_bytes(world) - before) / size
    time.sleep(2)
    held = [(memory(world, router) - empty[router]) / size for router in GATEWAYS]
    late = sum(world.gateways[router].counters().get("session.peerSilent", 0) for router in GATEWAYS)
    world.reset()
    return {"ip": by_ip, "copy": last - first, "hot": hot - first, "wire": wire, "memory": held, "silences": late}


def take_over(world, size):
    """Milliseconds from the pulled cable to the address and to the first ESP, with `size` SAs beside the tunnel."""
    begin(world)
    manual.tunnel("r3")
    if size:
        run("ip", "-n", "r3", "-batch", "-", text="\n".join(manual.bulk(size)) + "\n", timeout=600)
        manual.wait_for_count("r4", size + 2, 300)
    wait_for_hot(world, 300)
    world.bring_tunnel_up()
    leg = takeover.away(world)
    world.reset()
    topology.plug_all_cables()
    return leg.address, leg.first_esp, leg.sequence_errors


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", default="1000,10000,50000")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--parts", default="latency,bulk,takeover")
    options = parser.parse_args()
    sizes = [int(size) for size in options.sizes.split(",")]
    parts = options.parts.split(",")
    world, measured = World().build(), {}
    try:
        if "latency" in parts:
            taken = latency(world, options.runs)
            measured["latency median ms"] = statistics.median(taken)
            print(f"SA on the active -> in the standby's kernel: {spread(taken)}", flush=True)
        if "bulk" in parts:
            for size in sizes:
                # The largest size is run less often: each run makes it three times.
                results = [bulk(world, size) for _ in range(options.runs if size <= 1000 else max(options.runs // 3, 1))]
                ratio = statistics.median(result["ip"] / result["copy"] for result in results)
                measured["bulk against ip -batch"] = min(ratio, measured.get("bulk against ip -batch", ratio))
                measured["bytes per SA on the wire"] = results[-1]["wire"]
                measured["memory per SA bytes"] = max(results[-1]["memory"])
                for result in results:
                    print(f"{size} SAs: ip -batch {result['ip']:.2f} s, copy {result['copy']:.2f} s "
                          f"({size / result['copy']:.0f} SAs/s, {result['ip'] / result['copy']:.2f} of ip -batch), HOT after "
                          f"{result['hot']:.2f} s, {result['wire']:.0f} bytes per SA on the wire, memory per SA "
                          f"{result['memory'][0]:.0f} (active) {result['memory'][1]:.0f} (standby) bytes, "
                          f"{result['silences']} silences", flush=True)
        if "takeover" in parts:
            taken = {}
            for size in (0, *sizes):
                taken[size] = [take_over(world, size) for _ in range(options.runs if size <= 1000 else 1)]
                address = [value[0] for value in taken[size] if value[0] is not None]
                esp = [value[1] for value in taken[size] if value[1] is not None]
                print(f"takeover with {size} SAs: address {spread(address)}; first ESP {spread(esp)}; "
                      f"{sum(value[2] for value in taken[size])} sequence errors", flush=True)
            most = max(sizes)
            if most >= 50_000:
                measured["takeover with 50 000 against 0"] = (
                    statistics.median(value[0] for value in taken[most])
                    / statistics.median(value[0] for value in taken[0]))
    finally:
        world.destroy()
    return verdict(measured)


def verdict(measured):
    with open(os.path.join(here, "thresholds.json")) as file:
        thresholds = json.load(file)
    print(f"\n{'what':40} {'measured':>10} {'budget':>12}")
    failed = 0
    for name, limit in thresholds.items():
        if name not in measured:
            continue
        value = measured[name]
        word, bound = next(iter(limit.items()))
        kept = value <= bound if word == "most" else value >= bound
        failed += not kept
        print(f"{name:40} {value:10.2f} {word:>5} {bound:6} {'kept' if kept else 'MISSED'}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
