# SPDX-License-Identifier: Apache-2.0
"""The other side of the association, written from docs/replication-protocol.md alone: as it should be, or hostile."""

import os
import socket
import ssl
import struct
import time

from .havpn import GROUP, key_path
from .system import Failure, inside

(HELLO, SNAPSHOT_BEGIN, RECORD, SNAPSHOT_END, ACKNOWLEDGED, MARK, SNAPSHOT_REQUESTED, COUNTERS, COUNTERS_INSTALLED, STATE,
 ROLE, HEARTBEAT) = range(1, 13)
_SCTP = 132
_MASK = (1 << 64) - 1


class Peer:
    """r4 as r3 sees it; `secured` with r4's own key, else in clear text."""

    def __init__(self, *, secured=True, router="r4", own="10.1.0.4", other="10.1.0.3"):
        self.secured, self.router, self.own, self.other = secured, router, own, other
        self.boot = int.from_bytes(os.urandom(8), "big")
        self.unread, self.tls, self.has_ended = b"", None, False

    def connect(self, seconds=15):
        """An association that is up, and the handshake behind it where there is one."""
        deadline = time.monotonic() + seconds
        while True:
            with inside(self.router):
                self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM, _SCTP)
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.socket.settimeout(2)
            try:
                self.socket.bind((self.own, 5000))
                self.socket.connect((self.other, 5000))
                break
            except OSError as error:
                self.socket.close()
                if time.monotonic() > deadline:
                    raise Failure(f"no association with {self.other}: {error}")
                time.sleep(0.1)
        if self.secured:
            self._shake_hands()
        return self

    def _shake_hands(self):
        # The lower address is the client: r4 is the server.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.load_cert_chain(key_path(self.router))
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_side=True)
        while True:
            try:
                self.tls.do_handshake()
                self._flush()
                return
            except ssl.SSLWantReadError:
                self._flush()
                self._take(self.socket.recv(65536))

    def _take(self, data):
        if not data:
            raise ConnectionResetError("the association ended")
        self.incoming.write(data)

    def _flush(self):
        data = self.outgoing.read()
        while data:
            self.socket.send(data[:16384])
            data = data[16384:]

    def send_bytes(self, data):
        """Bytes of the stream of frames, whatever they mean."""
        if self.tls:
            self.tls.write(data)
            self._flush()
        else:
            self.socket.send(data)

    def send(self, kind, body=b""):
        self.send_bytes(struct.pack("!IB", 1 + len(body), kind) + body)

    def hello(self, *, version=1, scheme=GROUP, term=0, items=0):
        """The hello of a node with `ike-daemon none` that knows nothing."""
        attributes = [(1, struct.pack("!H", version)), (2, struct.pack("!I", 1)), (3, struct.pack("!Q", self.boot)),
                      (4, b"impostor"), (5, struct.pack("!Q", term)), (6, scheme.encode()), (9, b"\0"),
                      (10, struct.pack("!IQB", 0, 0, 0))]
        attributes += [(8, struct.pack("!H", 4) + b"name" + struct.pack("!H", 5) + b"value")] * items
        self.send(HELLO, b"".join(struct.pack("!BH", kind, len(value)) + value for kind, value in attributes))

    def role(self, message, *, boot=None, group=10, term=1):
        """A role message; `message` is its type and fields."""
        self.send(ROLE, struct.pack("!QHQ", self.boot if boot is None else boot, group, term) + message)

    def frames(self, seconds):
        """(type, body) of what arrives for some seconds; ends early where the association does."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            while len(self.unread) >= 4:
                length = struct.unpack("!I", self.unread[:4])[0]
                if len(self.unread) < 4 + length:
                    break
                frame, self.unread = self.unread[4:4 + length], self.unread[4 + length:]
                yield frame[0], frame[1:]
            self.socket.settimeout(min(left, 0.1))
            try:
                data = self.socket.recv(65536)
            except TimeoutError:
                self.heartbeat()
                continue
            except OSError:
                # The kernel says so once; later reads only wait.
                self.has_ended = True
            if self.has_ended or not self._receive(data):
                self.has_ended = True
                return

    def _receive(self, data):
        if not data:
            return False
        if not self.tls:
            self.unread += data
            return True
        self.incoming.write(data)
        while True:
            try:
                self.unread += self.tls.read(65536)
            except ssl.SSLWantReadError:
                return True
            except ssl.SSLError:
                return False

    def heartbeat(self):
        try:
            self.send(HEARTBEAT, struct.pack("!Q", 0))
        except OSError:
            pass

    def is_open(self, seconds=1):
        """Whether the association is still there some time later."""
        for _ in self.frames(seconds):
            pass
        return not self.has_ended

    def close(self):
        self.socket.close()


def record_digest(record):
    """The digest of what lasts in a kernel record, and its kind."""
    kind, position = record[1], 2
    position += _key_length(record, kind)
    while position < len(record) and record[position] < 64:
        position += 3 + struct.unpack("!H", record[position + 1:position + 3])[0]
    digest = 0xCBF29CE484222325
    for byte in record[1:position]:
        digest = ((digest ^ byte) * 0x100000001B3) & _MASK
    digest = ((digest ^ digest >> 30) * 0xBF58476D1CE4E5B9) & _MASK
    digest = ((digest ^ digest >> 27) * 0x94D049BB133111EB) & _MASK
    return digest ^ digest >> 31


def _address_length(record, position):
    return 1 + (4 if record[position] == 4 else 16)


def _key_length(record, kind):
    if kind in (1, 3):
        return _address_length(record, 2) + 4 + 1 + 8
    source = _address_length(record, 4)
    destination = _address_length(record, 4 + source + 1)
    return 1 + 1 + source + 1 + destination + 1 + 8 + 1 + 4 + 8 + 4


def attributes(record):
    """{type: value} of an SA or policy record."""
    position, found = 2 + _key_length(record, record[1]), {}
    while position < len(record):
        kind, length = struct.unpack("!BH", record[position:position + 3])
        found[kind] = record[position + 3:position + 3 + length]
        position += 3 + length
    return found


def spi_of(record):
    """The SPI of an SA record."""
    return struct.unpack("!I", record[2 + _address_length(record, 2):][:4])[0]
