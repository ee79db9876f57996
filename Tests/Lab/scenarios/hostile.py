# SPDX-License-Identifier: Apache-2.0
"""Somebody else at the other end of the association: a peer by the book, and peers that break every rule of it."""

import os
import re
import struct
import time

from havpnlab import manual, peer, system
from havpnlab.havpn import Settings
from havpnlab.peer import Peer
from havpnlab.runner import scenario
from havpnlab.system import batch, expect, wait_until

SETTINGS = {"timers": "1 3", "ike_daemon": False}
#: What the replication process may have taken more after all abuse than before, for buffers that are kept.
GROWTH_BYTES = 24 << 20


def _begin(world, sas=200):
    """r3 alone with SAs and policies in its kernel; r4's key is known to it, and r4 runs nothing."""
    settings = Settings(**SETTINGS)
    gateway = world.gateways["r3"] = world.gateway("r3", settings).start()
    gateway.wait_for_state("Active", 30)
    batch("r3", manual.bulk(sas) + manual.policies())
    time.sleep(2)
    return gateway


@scenario("a peer written from the protocol's page alone gets every SA and policy, and the same digest")
def by_the_book(world):
    _begin(world)
    node = Peer().connect()
    node.hello()
    spis, keys, total, policies, wanted = set(), set(), 0, 0, None
    node.send(peer.SNAPSHOT_REQUESTED)
    for kind, body in node.frames(15):
        if kind == peer.SNAPSHOT_BEGIN:
            spis, keys, total, policies = set(), set(), 0, 0
        elif kind == peer.RECORD:
            record = body[10:]
            total = (total + peer.record_digest(record)) & (1 << 64) - 1
            if record[1] == 1:
                spis.add(peer.spi_of(record))
                keys.add(peer.attributes(record)[6])
            else:
                policies += 1
            node.send(peer.ACKNOWLEDGED, body[:8])
        elif kind == peer.SNAPSHOT_END:
            wanted = struct.unpack("!Q", body[8:16])[0]
            node.send(peer.ACKNOWLEDGED, body[:8])
            break
    node.close()
    expect(wanted is not None, "no copy came")
    expect(spis == {0x100000 + number for number in range(200)}, f"{len(spis)} of 200 SAs came")
    expect(all(key[1:1 + key[0]] == b"rfc4106(gcm(aes))" and key[-20:] == bytes(range(1, 21)) for key in keys),
           "the keys differ from the kernel's")
    expect(policies == 3, f"{policies} of 3 policies came")
    expect(total == wanted, f"the digest by the page is {total:016x}, havpnd's is {wanted:016x}")
    return "200 SAs, 3 policies"


def _random_bytes(node):
    node.send_bytes(os.urandom(4000))


def _long_frame(node):
    node.hello()
    node.send_bytes(struct.pack("!IB", 1 << 20, peer.RECORD) + bytes(100))


def _empty_frame(node):
    node.hello()
    node.send_bytes(struct.pack("!I", 0))


def _other_version(node):
    node.hello(version=9)


def _other_scheme(node):
    node.hello(scheme="ELSEWHERE")


def _too_many_items(node):
    node.hello(items=1280)


def _no_hello(node):
    node.send(peer.HEARTBEAT, struct.pack("!Q", 1))


def _truncated(node):
    node.hello()
    node.send(peer.COUNTERS, struct.pack("!QBH", 1, 1, 5) + bytes(13))


#: name, what is sent, the counter that must rise
FATAL = (
    ("random bytes", _random_bytes, "session.malformed"), ("a frame over the limit", _long_frame, "session.malformed"),
    ("an empty frame", _empty_frame, "session.malformed"), ("another version", _other_version, "session.refused"),
    ("another scheme", _other_scheme, "session.refused"), ("ten times the items", _too_many_items, "session.malformed"),
    ("a frame before the hello", _no_hello, "session."), ("a frame whose fields do not fit", _truncated, "session.malformed"),
)


@scenario("a peer with the right key that breaks the protocol is put out, counted, and moves nothing", long=True)
def fatal(world):
    gateway = _begin(world)
    pid = gateway.processes()["replication"]
    for name, send, counter in FATAL:
        before = _sum(gateway, counter)
        node = Peer().connect()
        try:
            send(node)
        except OSError:
            pass
        open_still = node.is_open(5)
        node.close()
        expect(not open_still, f"after {name} the association stood")
        wait_until(lambda: _sum(gateway, counter) > before, 5, f"after {name} no counter {counter}… rose: {gateway.counters()}")
    for _ in range(5):
        node = Peer(secured=False).connect()
        try:
            node.send_bytes(os.urandom(2000))
        except OSError:
            pass
        node.close()
    expect(gateway.processes().get("replication") == pid, "the replication process died")
    expect(gateway.state() == "Active", f"r3 is {gateway.state()}")
    return f"{len(FATAL)} ways"


@scenario("a peer with the right key that floods, lies or stops reading moves no role and fills no memory", long=True)
def flood(world):
    gateway = _begin(world, sas=2000)
    pids, before, held = gateway.processes(), gateway.counters(), _memory(gateway)
    node = Peer().connect()
    node.hello()
    expect(node.is_open(0.5), "a good hello was refused")
    # Records, ends and numbers that nobody asked for: r3 is the source here.
    filler = struct.pack("!QH", 1, 1000) + bytes(1000)
    for number in range(5000):
        node.send(peer.RECORD, filler)
        if number % 500 == 0:
            node.send(peer.SNAPSHOT_BEGIN, struct.pack("!QI", 1, 1 << 31))
            node.send(peer.SNAPSHOT_END, struct.pack("!QQ", 1, 1))
            node.send(peer.COUNTERS, struct.pack("!QBH", 1, 1, 0))
            _read_some(node)
    # Orders of another life, of an earlier term, for another group; and all of them from the wrong side.
    for kind in (bytes([1]), bytes([2]), bytes([3]), bytes([4]), bytes([5]), bytes([6, 255]), bytes([9]) + bytes(8) + b"\1"):
        node.role(kind, boot=1)
        node.role(kind, group=999)
        node.role(kind, term=0)
        node.role(kind)
    for number in range(20_000):
        node.send(peer.HEARTBEAT, struct.pack("!Q", number & 3))
        if number % 1000 == 0:
            _read_some(node)
    node.send(peer.ACKNOWLEDGED, struct.pack("!Q", 1 << 63))
    node.send(77, bytes(100))
    for _ in range(50):
        node.send(peer.SNAPSHOT_REQUESTED)
    # From here on nothing is read, while the tables change.
    batch("r3", manual.bulk(8000, first=0x800000))
    end = time.monotonic() + 5
    while time.monotonic() < end:
        node.heartbeat()
        time.sleep(0.2)
    grown = _memory(gateway) - held
    node.close()
    counters = gateway.counters()
    risen = {name for name in counters if counters[name] > before.get(name, 0)}
    for name in ("session.recordFromWrongSide", "session.countersFromWrongSide", "role.staleBoot", "role.wrongGroup",
                 "session.badAcknowledgement", "session.unknownFrame"):
        expect(name in risen, f"the counter {name} did not rise; risen: {sorted(risen)}")
    expect(gateway.processes() == pids, "a process died")
    expect(gateway.state() == "Active", f"r3 is {gateway.state()}")
    expect(gateway.holds_address() and not gateway.fence_is_up(), "r3 lost its address or raised its fence")
    expect(grown < GROWTH_BYTES, f"the replication process grew by {grown >> 20} MiB")
    # The real r4 comes, and all is as it should be.
    world.gateways["r4"] = world.gateway("r4", Settings(**SETTINGS)).start()
    wait_until(lambda: gateway.redundancy() == ("ACTIVE", "STANDBY HOT"), 60, f"r4 is not HOT: {gateway.redundancy()}", pause=0.5)
    manual.expect_same("r3", "r4")
    return f"grew by {grown / (1 << 20):.1f} MiB"


def _read_some(node):
    for _ in node.frames(0.02):
        pass


def _sum(gateway, prefix):
    return sum(value for name, value in gateway.counters().items() if name.startswith(prefix))


def _memory(gateway):
    text = system.read_text(f"/proc/{gateway.processes()['replication']}/status")
    return int(re.search(r"VmRSS:\s+(\d+) kB", text).group(1)) << 10
