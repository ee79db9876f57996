# SPDX-License-Identifier: Apache-2.0
"""Faults around havpn: the IKE daemon dies or comes late, packets and requests are nonsense, the sync link is lost."""

import os
import signal
import socket
import time

from havpnlab import takeover, topology, traffic
from havpnlab.havpn import Settings
from havpnlab.runner import scenario
from havpnlab.system import expect, inside, wait_until


@scenario("the standby's charon is killed and restarted: it is HOT again without a packet to r5, and takes over")
def standby_ike_daemon_restarted(world):
    world.begin()
    world.bring_tunnel_up()
    r4 = world.gateways["r4"]
    world.charons["r4"].stop(signal.SIGKILL)
    wait_until(lambda: r4.redundancy()[0] != "STANDBY HOT", 10, "r4 is HOT without an IKE daemon")
    world.charons["r4"].start()
    world.wait_for_hot(seconds=30)
    expect(len(traffic.live_spis("r4")) == 2, f"r4 holds {sorted(traffic.live_spis('r4'))}")
    leg = takeover.keep_promises(takeover.away(world))
    expect(not leg.failures, "; ".join(leg.failures))
    return f"outage {leg.outage:.0f} ms"


@scenario("the active's charon is killed: the same SAs go on at r4")
def active_ike_daemon_killed(world):
    world.begin()
    world.bring_tunnel_up()
    watch = world.watch()
    time.sleep(1)
    at = time.monotonic()
    world.charons["r3"].stop(signal.SIGKILL)
    world.gateways["r4"].wait_for_state("Active", 15)
    watch.wait_for_ping(20, at + 0.5)
    time.sleep(2)
    watch.finish()
    watch.expect_no_sequence_errors()
    watch.expect_no_repeated_pair()
    watch.expect_same_spis()
    watch.expect_one_sender("r3", "r4", at)
    return f"outage {watch.outage(at) * 1000:.0f} ms"


@scenario("the whole association is lost for 5 s: nobody moves, and the standby is HOT again after it")
def association_lost(world):
    # The replication addresses of the outside LAN stay out, so that one cable carries the association.
    world.begin(Settings(timers="1 3", association_on_sync_link_alone=True))
    world.bring_tunnel_up()
    watch = world.watch()
    at = topology.pull_cable("r3", "eth2")
    time.sleep(5)
    expect(world.gateways["r3"].state() == "Active", f"r3 is {world.gateways['r3'].state()}")
    expect(world.gateways["r4"].state() == "Standby", f"r4 is {world.gateways['r4'].state()}")
    topology.plug_cable("r3", "eth2")
    world.wait_for_hot(seconds=60)
    watch.finish()
    watch.expect_no_sequence_errors()
    watch.expect_same_spis()
    expect(watch.lost(at) == 0, f"{watch.lost(at)} pings were lost")


@scenario("nonsense on every door is counted and disturbs nothing")
def nonsense(world):
    world.begin()
    world.bring_tunnel_up()
    r3 = world.gateways["r3"]
    before = r3.counters()
    watch = world.watch()
    at = time.monotonic()
    with inside("r5"):
        hello = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        hello.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("10.1.0.5"))
        hello.bind(("10.1.0.5", 1985))
    for size in (0, 1, 7, 19, 20, 21, 64, 1400):
        for _ in range(20):
            hello.sendto(os.urandom(size), ("224.0.0.2", 1985))
    # A well-formed Coup and Resign with a foreign password.
    for opcode, state in ((1, 16), (2, 16), (0, 16)):
        packet = bytes([0, opcode, state, 1, 3, 255, 10, 0]) + b"stranger" + socket.inet_aton("10.1.0.100")
        hello.sendto(packet, ("224.0.0.2", 1985))
    hello.close()
    with inside("r5"):
        for _ in range(3):
            stranger = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 132)
            stranger.settimeout(2)
            try:
                stranger.connect(("10.1.0.3", 5000))
                stranger.send(os.urandom(600))
            except OSError:
                pass
            stranger.close()
    for payload in (b"", b"{", b"\0" * 70000, b"[]\n", b'{"command":17}\n', os.urandom(3000)):
        client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        client.settimeout(2)
        try:
            client.connect(f"{r3.runtime}/control.sock")
            client.sendall(payload)
            client.recv(100)
        except OSError:
            pass
        client.close()
    time.sleep(3)
    expect(r3.state() == "Active", f"r3 is {r3.state()}")
    world.wait_for_hot(seconds=5)
    watch.finish()
    expect(watch.lost(at) == 0, f"{watch.lost(at)} pings were lost")
    after = r3.counters()
    risen = sorted(name for name in after if after[name] > before.get(name, 0))
    for prefix in ("hello.", "association.", "control."):
        expect(any(name.startswith(prefix) for name in risen), f"no counter {prefix}… rose; risen: {risen}")
    watch.expect_same_spis()
