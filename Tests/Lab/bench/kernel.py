# SPDX-License-Identifier: Apache-2.0
"""`ike-daemon none` measured: latency, bulk, takeover, traffic, bytes and memory."""

import os
import signal
import socket
import statistics
import struct
import threading
import time

from measures import (
    begin_without_daemon, late_hellos, load_of, memory, private_memory, sent_bytes, silences, spread, wait_for_hot)

from havpnlab import manual, takeover, topology, xfrm
from havpnlab.monitor import Monitor
from havpnlab.system import inside, run, undisturbed, wait_until
from havpnlab.topology import VIRTUAL_ADDRESS
from havpnlab.world import GATEWAYS


def latency(world, runs, measured):
    """An SA on the active → in the standby's kernel, one at a time."""
    begin_without_daemon(world)
    run("ip", "-n", "r3", "-batch", "-", text="\n".join(manual.pair(0x1001, 0x2001)) + "\n")
    manual.wait_for_count("r4", 2, 10)
    like, writer, events = xfrm.any_sa("r3"), xfrm.open_socket("r3"), xfrm.open_socket("r4", 1 << 2)
    taken = []
    for number in range(max(runs * 20, 100)):
        time.sleep(0.03)
        # The moments are of this thread's waking, which on the lab's one processor waits behind every daemon's.
        with undisturbed():
            before = xfrm.add_like(writer, like, 0x300000 + number)
            taken.append((xfrm.wait_for(events, 0x300000 + number, 5) - before) * 1000)
    measured["ike-daemon none: latency median, ms"] = statistics.median(taken)
    print(f"ike-daemon none: SA on the active -> in the standby's kernel: {spread(taken)}", flush=True)
    world.reset()


def bulk(world, sizes, runs, measured):
    """Copies to a standby that starts anew, against `ip -batch` that inserts the same SAs."""
    for size in sizes:
        begin_without_daemon(world)
        empty = {router: memory(world, router) for router in GATEWAYS}
        text = "\n".join(manual.bulk(size)) + "\n"
        run("ip", "-n", "r3", "-batch", "-", text=text, timeout=600)
        wait_for_hot(world, 300)
        results = [_copy(world, size, text) for _ in range(runs)]
        rates = [size / result["copy"] for result in results]
        ratios = [result["ip"] / result["copy"] for result in results]
        held = [(memory(world, router) - empty[router]) / size for router in GATEWAYS]
        wire = statistics.median(result["wire"] for result in results)
        measured["ike-daemon none: bulk against ip -batch"] = min(
            statistics.median(ratios), measured.get("ike-daemon none: bulk against ip -batch", 1e9))
        measured["bytes per SA on the wire"] = wire
        late = sum(result["late"] for result in results)
        measured["hellos late by a tenth of their interval"] = max(
            late, measured.get("hellos late by a tenth of their interval", 0))
        if size >= 10_000:
            measured["memory per SA, bytes"] = max(*held, measured.get("memory per SA, bytes", 0))
        print(f"{size} SAs: copied at {spread(rates, 'SAs/s')}, {spread(ratios, 'of ip -batch')}; "
              f"HOT after {spread([result['hot'] for result in results], 's')}; {wire:.0f} bytes per SA on the wire; "
              f"memory per SA {held[0]:.0f} (active) and {held[1]:.0f} (standby) bytes, in all "
              f"{memory(world, 'r3') >> 20} and {memory(world, 'r4') >> 20} MiB; {late} late hellos, "
              f"{sum(result['silences'] for result in results)} silences", flush=True)
        world.reset()


def _copy(world, size, text):
    started = time.monotonic()
    run("ip", "-n", "r2", "-batch", "-", text=text, timeout=600)
    by_ip = time.monotonic() - started
    run("ip", "-n", "r2", "xfrm", "state", "flush")
    world.gateways["r4"].stop()
    run("ip", "-n", "r4", "xfrm", "state", "flush")
    time.sleep(2)
    counter = xfrm.Counter("r4")
    # What the flushes above held up in a kernel that nobody can interrupt is not the copy's.
    late, quiet = late_hellos(world, ("r3",)), silences(world, ("r3",))
    before = sent_bytes(world)
    world.gateways["r4"].launch()
    launched = time.monotonic()
    # Whoever looks must not wait for its turn behind what it looks at.
    os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    while (there := counter.read()) == 0:
        time.sleep(0.001)
    first = time.monotonic()
    last = counter.wait(size, 600)
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    wait_for_hot(world, 300)
    hot = time.monotonic()
    if os.environ.get("BENCH_VERBOSE"):
        print(f"  ip {by_ip:.1f} s, first after {first - launched:.1f} s, copy {last - first:.1f} s, "
              f"hot {hot - first:.1f} s", flush=True)
    return {"ip": by_ip, "copy": (last - first) * size / max(size - there, 1), "hot": hot - first,
            "wire": (sent_bytes(world) - before) / size, "late": late_hellos(world) - late, "silences": silences(world) - quiet}


def takeovers(world, sizes, runs, measured):
    """Milliseconds from the pulled cable to address, fence and first ESP with so many SAs beside the tunnel."""
    medians = {}
    for size in (0, *sizes):
        begin_without_daemon(world)
        manual.tunnel("r3")
        if size:
            run("ip", "-n", "r3", "-batch", "-", text="\n".join(manual.bulk(size)) + "\n", timeout=600)
            manual.wait_for_count("r4", size + 2, 300)
        world.bring_tunnel_up(standby=None)
        wait_for_hot(world, 300)
        legs = []
        for number in range(runs):
            if number:
                takeover.back(world)
                wait_for_hot(world, 300)
            rules = Monitor("r4", "rule")
            leg = takeover.away(world)
            fences = [at for at, line in rules.stop() if at >= leg.at and line.startswith("Deleted")
                      and VIRTUAL_ADDRESS in line]
            legs.append((leg, (fences[0] - leg.at) * 1000 if fences else None))
        rows = {
            "address": [leg.address for leg, _ in legs], "fence lowered": [fence for _, fence in legs],
            "first ESP": [leg.first_esp for leg, _ in legs], "route at r2": [leg.route for leg, _ in legs],
        }
        text = "; ".join(f"{name} {spread([value for value in values if value is not None])}"
                         for name, values in rows.items())
        errors = sum(leg.sequence_errors for leg, _ in legs)
        medians[size] = statistics.median(value for value in rows["first ESP"] if value is not None)
        print(f"takeover with {size} SAs: {text}; {errors} sequence errors", flush=True)
        world.reset()
        topology.plug_all_cables()
    measured["takeover: first ESP with the most SAs against none"] = medians[max(sizes)] / medians[0]


def routes(world, tunnels, measured):
    """Routes of so many tunnels: the load they cause at rest, and when the last one stands behind a takeover."""
    begin_without_daemon(world)
    manual.tunnel("r3")
    lines = manual.bulk(2 * tunnels)
    for number in range(tunnels):
        lines.append(f"xfrm policy add src 10.2.0.0/24 dst 10.200.{number >> 8}.{number & 255}/32 dir out priority 1000 "
                     f"tmpl src {VIRTUAL_ADDRESS} dst {manual.PEER} proto esp reqid {10 + number} mode tunnel")
    run("ip", "-n", "r3", "-batch", "-", text="\n".join(lines) + "\n", timeout=600)
    manual.wait_for_count("r4", 2 * tunnels + 2, 300)
    wait_for_hot(world, 300)
    wait_until(lambda: _standing_routes("r3") == tunnels + 1, 60, f"r3 has {_standing_routes('r3')} routes", pause=0.5)
    world.bring_tunnel_up()
    time.sleep(10)
    loads = [load_of(world, router, 10) for router in GATEWAYS]
    listener = _RouteListener("r4")
    leg = takeover.away(world)
    came = [at for at in listener.stop() if at >= leg.at]
    last = (came[tunnels - 1] - leg.at) * 1000 if len(came) >= tunnels else float("nan")
    print(f"{tunnels} tunnels with a route each: the replication process takes {loads[0]:.1f} % (active) and {loads[1]:.1f} % "
          f"(standby) of a processor at rest; takeover: first ESP {leg.first_esp:.0f} ms, last route {last:.0f} ms; "
          f"{leg.sequence_errors} sequence errors; {silences(world)} silences", flush=True)
    world.reset()
    topology.plug_all_cables()


class _RouteListener:
    """The moments at which a kernel got a route of ours; with room for thousands at once, which `ip monitor` has not."""

    _NEW_ROUTE, _OUR_PROTOCOL, _IPV4_ROUTES = 24, 114, 0x40

    def __init__(self, router):
        with inside(router):
            self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        self.socket.setsockopt(socket.SOL_SOCKET, 33, 64 << 20)
        self.socket.bind((0, self._IPV4_ROUTES))
        self.socket.settimeout(0.2)
        self.moments, self.is_over = [], False
        self.thread = threading.Thread(target=self._listen)
        self.thread.start()

    def stop(self):
        self.is_over = True
        self.thread.join()
        self.socket.close()
        return self.moments

    def _listen(self):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(10))
        while True:
            try:
                message = self.socket.recv(65536)
            except TimeoutError:
                if self.is_over:
                    return
                continue
            if struct.unpack_from("=H", message, 4)[0] == self._NEW_ROUTE and message[16 + 5] == self._OUR_PROTOCOL:
                self.moments.append(time.monotonic())


def _standing_routes(router):
    return len(run("ip", "-n", router, "route", "show", "proto", "114").splitlines())


def traffic_counters(world, size, measured):
    """Processor time of the replication process while the counters of all outbound SAs move, and while none does."""
    begin_without_daemon(world, reverse_route=False)
    lines = ["route add 10.200.0.0/15 via 10.1.0.5"]
    for number in range(size // 2):
        far = f"10.{200 + (number >> 16)}.{number >> 8 & 255}.{number & 255}"
        lines += manual.pair(0x100000 + 2 * number, 0x100001 + 2 * number, reqid=10 + number)
        lines.append(f"xfrm policy add src 10.2.0.3/32 dst {far}/32 dir out priority 1000 "
                     f"tmpl src {VIRTUAL_ADDRESS} dst {manual.PEER} proto esp reqid {10 + number} mode tunnel")
    run("ip", "-n", "r3", "-batch", "-", text="\n".join(lines) + "\n", timeout=600)
    manual.wait_for_count("r4", size // 2 * 2, 300)
    wait_for_hot(world, 300)
    time.sleep(10)
    idle = [load_of(world, router, 10) for router in GATEWAYS]
    sender = _Sender(size // 2)
    time.sleep(5)
    busy = [load_of(world, router, 20) for router in GATEWAYS]
    rate = sender.stop()
    wait_for_hot(world, 60)
    measured["processor with 10 000 moving SAs, percent"] = max(busy)
    print(f"{size} SAs: the replication process takes {idle[0]:.1f} % (active) and {idle[1]:.1f} % (standby) of a processor "
          f"at rest, {busy[0]:.1f} % and {busy[1]:.1f} % while {rate:.0f} packets a second move all outbound numbers; "
          f"{silences(world)} silences", flush=True)
    world.reset()


class _Sender:
    """One packet after the other to every destination in turn, from r3 itself."""

    def __init__(self, count):
        self.start = time.monotonic()
        self.reader, writer = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self.reader)
            self._send(count, writer)
        os.close(writer)

    @staticmethod
    def _send(count, writer):
        with inside("r3"):
            out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        out.bind(("10.2.0.3", 0))
        sent, going = 0, [True]
        signal.signal(signal.SIGTERM, lambda *_: going.clear())
        while going:
            number = sent % count
            try:
                out.sendto(b"x", (f"10.{200 + (number >> 16)}.{number >> 8 & 255}.{number & 255}", 9))
            except OSError:
                pass
            sent += 1
            if sent % 20 == 0:
                time.sleep(0.01)
        os.write(writer, str(sent).encode())
        os._exit(0)

    def stop(self):
        """Ends it; returns packets a second."""
        seconds = time.monotonic() - self.start
        os.kill(self.pid, signal.SIGTERM)
        sent = int(os.read(self.reader, 32) or b"0")
        os.waitpid(self.pid, 0)
        return sent / seconds


def at_rest(world, measured):
    """Memory of every process of a pair with one tunnel, a quarter of a minute after it became HOT."""
    begin_without_daemon(world)
    manual.tunnel("r3")
    manual.wait_for_count("r4", 2, 10)
    time.sleep(15)
    for router in GATEWAYS:
        sizes = {role: private_memory(world, router, role) / (1 << 20) for role in world.gateways[router].processes()}
        print(f"{router} at rest, private and written: "
              + ", ".join(f"{role} {size:.1f} MiB" for role, size in sizes.items()), flush=True)
        others = max(size for role, size in sizes.items() if role != "replication")
        measured["memory of a process at rest, MiB"] = max(others, measured.get("memory of a process at rest, MiB", 0))
        measured["memory of replication at rest, MiB"] = max(
            sizes["replication"], measured.get("memory of replication at rest, MiB", 0))
    world.reset()
