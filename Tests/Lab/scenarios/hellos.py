# SPDX-License-Identifier: Apache-2.0
"""What others send to port 1985: recordings, forgeries and floods; and the proofs that keep them off."""

import os
import re
import signal
import struct
import threading
import time

from havpnlab import capture, system, topology
from havpnlab.havpn import Settings
from havpnlab.runner import scenario
from havpnlab.system import expect, inside, run, wait_until
from havpnlab.world import GATEWAYS

_KEY = "0123456789abcdef0123456789abcdef"
_FAST = "msec 250 msec 800"


def _with_proofs(mode, key=_KEY):
    return Settings(stateful=False, ike_daemon=False, timers=_FAST, extra=(
        f'interface eth1\n standby version 2\n standby 10 hmac key-string "{key}" {mode}\n' if mode
        else "interface eth1\n standby version 2\n"))


def _reload(world, settings):
    for router in GATEWAYS:
        world.gateways[router].settings = settings
        world.gateways[router].write_configuration()
        world.gateways[router].control("reload")
        # The nodes never change at one moment.
        time.sleep(1.5)


def _state_changes(world):
    return {router: world.gateways[router].show("standby")["groups"][0]["stateChanges"] for router in GATEWAYS}


@scenario("proofs of hellos come into use in three steps, a new key as well, and nobody moves", long=True)
def roll_out(world):
    for router in GATEWAYS:
        world.gateways[router] = world.gateway(router, _with_proofs(None)).start()
    world.gateways["r3"].wait_for_state("Active", 15)
    world.gateways["r4"].wait_for_state("Standby", 15)
    before = _state_changes(world)
    other = "another key of at least thirty-two bytes"
    for mode, key in (("receive-only", _KEY), ("permissive", _KEY), ("enforce", _KEY), ("permissive", _KEY),
                      ("receive-only", _KEY), ("receive-only", other), ("permissive", other), ("enforce", other)):
        _reload(world, _with_proofs(mode, key))
        expect(_state_changes(world) == before, f"`{mode}` moved somebody: {_state_changes(world)}")
    time.sleep(3)
    expect(_state_changes(world) == before, f"somebody moved in the end: {_state_changes(world)}")
    counters = world.gateways["r4"].counters()
    # While r3 proved with a key that r4 no longer had it sent no proof at all.
    expect(counters.get("hello.badProof", 0) == 0, f"r4 counts {counters}")
    return "8 reloads of both nodes"


@scenario("tshark reads hellos with a proof as it reads others; recorded and forged ones are refused", long=True)
def refused(world):
    for router in GATEWAYS:
        world.gateways[router] = world.gateway(router, _with_proofs("enforce")).start()
    r3, r4 = world.gateways["r3"], world.gateways["r4"]
    r3.wait_for_state("Active", 15)
    r4.wait_for_state("Standby", 15)
    seen = capture.Capture("sw-out", expression="udp port 1985", whole=True)
    time.sleep(2)
    seen.stop()
    names = ["ip.src", "hsrp2.version", "hsrp2.state", "hsrp2.priority", "hsrp2.group", "hsrp2.virt_ip", "udp.payload"]
    text = run("tshark", "-r", seen.path, "-T", "fields", "-E", "separator=|",
               *[word for name in names for word in ("-e", name)], timeout=60)
    hellos = [dict(zip(names, line.split("|"))) for line in text.splitlines() if line.startswith("10.1.0.3|")]
    expect(hellos, "tshark saw no hello of r3")
    for hello in hellos:
        fields = [hello[name] for name in names[1:6]]
        expect(fields == ["2", "6", "105", "10", "10.1.0.100"], f"tshark reads {fields}")
        expect(len(hello["udp.payload"]) == 2 * (42 + 10 + 46), f"the payload has {len(hello['udp.payload']) // 2} bytes")
    recorded = bytes.fromhex(hellos[-1]["udp.payload"])
    # r3 is gone; whoever has recorded it keeps speaking in its name.
    topology.pull_cable("r3", "eth1")
    stop = threading.Event()
    speaker = threading.Thread(target=_speak, args=(stop, "10.1.0.3", recorded))
    speaker.start()
    try:
        r4.wait_for_state("Active", 10)
        time.sleep(2)
        expect(r4.state() == "Active", "a recording has moved r4")
        expect(r4.counters().get("hello.replayed", 0) > 10, f"r4 counts {r4.counters()}")
        expect(any("%HSRP-4-REPLAY" in line for line in r4.log_lines()), "r4 names no replay")
    finally:
        stop.set()
        speaker.join()
    # The strongest claim that can be made, with and without a proof of one's own.
    forged = recorded[:14] + struct.pack("!I", 255) + recorded[18:]
    for payload in (forged, forged[:52], forged[:42]):
        before = r4.counters().get("hello.badProof", 0) + r4.counters().get("hello.badAuthentication", 0)
        stop = threading.Event()
        speaker = threading.Thread(target=_speak, args=(stop, "10.1.0.9", payload))
        speaker.start()
        time.sleep(1.5)
        stop.set()
        speaker.join()
        after = r4.counters().get("hello.badProof", 0) + r4.counters().get("hello.badAuthentication", 0)
        expect(after > before + 5, f"r4 counted {after - before} forged messages")
        expect(r4.state() == "Active", "a forged message has moved r4")
    topology.plug_cable("r3", "eth1")
    r3.wait_for_state("Active", 15)


def _frame(source, payload, source_mac=bytes.fromhex("020000000509")):
    """An Ethernet frame to the routers of version 2."""
    udp = struct.pack("!HHHH", 1985, 1985, 8 + len(payload), 0) + payload
    head = struct.pack("!BBHIBBH4s4s", 0x45, 0xc0, 20 + len(udp), 0, 1, 17, 0, bytes(map(int, source.split("."))),
                       bytes([224, 0, 0, 102]))
    total = sum(struct.unpack("!10H", head))
    total = (total & 0xffff) + (total >> 16)
    total = (total & 0xffff) + (total >> 16)
    head = head[:10] + struct.pack("!H", total ^ 0xffff) + head[12:]
    return bytes.fromhex("01005e000066") + source_mac + b"\x08\x00" + head + udp


def _packet_socket():
    import socket
    with inside("r5"):
        sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        sender.bind(("eth1", 0))
    return sender


def _speak(stop, source, payload):
    """Says a message every tenth of a second from the outside network."""
    frame = _frame(source, payload)
    with _packet_socket() as sender:
        while not stop.is_set():
            sender.send(frame)
            time.sleep(0.1)


@scenario("a flood of hellos from a thousand forged sources moves nobody, and costs a bounded part of the processor", long=True)
def flood(world):
    extra = 'interface eth1\n standby version 2\n standby 10 authentication md5 key-string "hello key"\n'
    for router in GATEWAYS:
        world.gateways[router] = world.gateway(
            router, Settings(stateful=False, ike_daemon=False, timers="1 3", extra=extra)).start()
    r3, r4 = world.gateways["r3"], world.gateways["r4"]
    r3.wait_for_state("Active", 15)
    r4.wait_for_state("Standby", 15)
    before, counters = _state_changes(world), r3.counters()
    usage = [_processor_seconds(r3.processes()["failover"]), time.monotonic()]
    seconds = float(os.environ.get("FLOOD_SECONDS", "10"))
    sent = _flood(seconds)
    usage = [_processor_seconds(r3.processes()["failover"]) - usage[0], time.monotonic() - usage[1]]
    expect(_state_changes(world) == before, f"the flood moved somebody: {_state_changes(world)}")
    after = r3.counters()
    names = ("hello.badAuthentication", "hello.offLink", "hello.malformed", "hello.otherGroup")
    counted = {name: after.get(name, 0) - counters.get(name, 0) for name in names}
    expect(counted["hello.badAuthentication"] > 0 and counted["hello.offLink"] > 0 and counted["hello.malformed"] > 0
           and counted["hello.otherGroup"] > 0, f"r3 counts {counted}")
    expect(after.get("hello.stalled", 0) == counters.get("hello.stalled", 0), "r3 stalled")
    warnings = [line for line in r3.log_lines() if "%HSRP-4-BAD" in line]
    expect(len(warnings) <= 3, f"r3 wrote {len(warnings)} lines about it")
    share = usage[0] / usage[1]
    expect(share < 0.7, f"failover took {share:.0%} of the processor")
    # Memory: nothing grows with the number of senders.
    resident = int(re.search(r"VmRSS:\s+(\d+)", system.read_process(f"/proc/{r3.processes()['failover']}/status")).group(1))
    expect(resident < 40_000, f"failover holds {resident} KiB")
    time.sleep(2)
    expect(_state_changes(world) == before, f"behind the flood somebody moved: {_state_changes(world)}")
    return (f"{sent / seconds:.0f} frames a second sent, {sum(counted.values()) / seconds:.0f} read, "
            f"{share:.0%} of the processor, {resident // 1024} MiB")


def _processor_seconds(process):
    fields = system.read_process(f"/proc/{process}/stat").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _flood(seconds):
    """Sends as fast as it can; returns how many frames that were."""
    def payload(group, digest):
        state = struct.pack("!BBBBBBH6sIII4s12x", 1, 40, 2, 0, 6, 4, group, bytes([2, 0, 0, 0, 9, 9]), 255, 250, 800,
                            bytes([10, 1, 0, 100]))
        return state + struct.pack("!BBBBHII16s", 4, 28, 1, 0, 0, 0x0a010009, 1, digest)
    frames = []
    for number in range(1000):
        source = f"10.1.0.{10 + number % 90}" if number % 10 != 3 else f"10.{20 + number % 100}.{number % 7}.9"
        body = payload(10 if number % 5 else 3000, os.urandom(16))
        frames.append(_frame(source, body[:30] if number % 50 == 49 else body, bytes([2, 0, 0, 0, number >> 8, number & 255])))
    end, sent = time.monotonic() + seconds, 0
    with _packet_socket() as sender:
        while time.monotonic() < end:
            for frame in frames:
                try:
                    sender.send(frame)
                    sent += 1
                except OSError:
                    # The device's queue is full.
                    time.sleep(0.001)
    return sent


@scenario("a failover process that sleeps and wakes, and a clock that is set, move nothing that need not move", long=True)
def time_jumps(world):
    for router in GATEWAYS:
        world.gateways[router] = world.gateway(
            router, Settings(stateful=False, ike_daemon=False, timers="1 3")).start()
    world.gateways["r3"].wait_for_state("Active", 15)
    world.gateways["r4"].wait_for_state("Standby", 15)
    before = _state_changes(world)
    # Shorter than the hold time: the node wakes before anybody misses it.
    for router, seconds in (("r3", 0.5), ("r4", 0.5), ("r3", 1.5), ("r4", 1.5)):
        world.gateways[router].kill("failover", signal.SIGSTOP)
        time.sleep(seconds)
        world.gateways[router].kill("failover", signal.SIGCONT)
        time.sleep(2)
        expect(_state_changes(world) == before, f"{router} slept {seconds} s, and moved: {_state_changes(world)}")
    now = time.time()
    try:
        for jump in (3600 * 24 * 400, -3600 * 24 * 4000, 3600):
            time.clock_settime(time.CLOCK_REALTIME, now + jump)
            time.sleep(4)
            expect(_state_changes(world) == before, f"a clock set by {jump} s moved somebody: {_state_changes(world)}")
    finally:
        time.clock_settime(time.CLOCK_REALTIME, now + 13)
    late = world.gateways["r3"].counters().get("hello.stalled", 0)
    expect(late == 0, f"r3 counts {late} stalls")
    wait_until(lambda: world.gateways["r3"].holds_address(), 1, "r3 lost its address")
