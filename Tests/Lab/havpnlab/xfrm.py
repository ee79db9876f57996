# SPDX-License-Identifier: Apache-2.0
"""XFRM netlink sockets inside a router, for what must not cost a process each time it is asked."""

import socket
import struct
import time

from .system import inside

_GET_INFO, _NEW_SA, _GET_SA, _UPDATE_SA = 0x23, 0x10, 0x12, 0x1A
_SPI_AT = 16 + 72
_SOURCE_AT = 16 + 80


def open_socket(router, groups=0):
    """A netlink socket of a router's namespace; `groups` is the bit mask of events."""
    with inside(router):
        xfrm = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 6)
    xfrm.setsockopt(socket.SOL_SOCKET, 33, 64 << 20)
    xfrm.bind((0, groups))
    return xfrm


class Counter:
    """How many SAs a kernel holds, asked as often as one likes."""

    def __init__(self, router):
        self.xfrm = open_socket(router)

    def read(self):
        self.xfrm.send(struct.pack("=IHHIII", 20, _GET_INFO, 1, 1, 0, 0))
        answer = self.xfrm.recv(4096)
        return struct.unpack_from("=I", answer, 16 + 4 + 4)[0]

    def wait(self, wanted, seconds, pause=0.005):
        """Waits until there are so many; returns when that was, or None."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.read() == wanted:
                return time.monotonic()
            time.sleep(pause)
        return None


def any_sa(router):
    """One SA of a router as its kernel dumps it, header included."""
    xfrm = open_socket(router)
    xfrm.send(struct.pack("=IHHII", 16, _GET_SA, 0x301, 1, 0))
    answer = xfrm.recv(65536)
    return answer[:struct.unpack_from("=I", answer)[0]]


def add_like(xfrm, message, spi):
    """Adds the dumped SA under another SPI; returns the moment before."""
    copy = bytearray(message)
    struct.pack_into("=HHII", copy, 4, _NEW_SA, 0x605, 1, 0)
    copy[_SPI_AT:_SPI_AT + 4] = struct.pack("!I", spi)
    before = time.monotonic()
    xfrm.send(copy)
    error = struct.unpack_from("=i", xfrm.recv(4096), 16)[0]
    if error:
        raise OSError(-error, "the kernel refused an SA")
    return before


def added_sa(message):
    """(SPI, source) of the SA that an event tells of, or None if it tells of something else."""
    if struct.unpack_from("=H", message, 4)[0] not in (_NEW_SA, _UPDATE_SA):
        return None
    return message[_SPI_AT:_SPI_AT + 4].hex(), socket.inet_ntoa(message[_SOURCE_AT:_SOURCE_AT + 4])


def wait_for(events, spi, seconds):
    """The moment at which a kernel told of the new SA with this SPI."""
    events.settimeout(seconds)
    wanted = struct.pack("!I", spi)
    while True:
        message = events.recv(65536)
        if struct.unpack_from("=H", message, 4)[0] == _NEW_SA and message[_SPI_AT:_SPI_AT + 4] == wanted:
            return time.monotonic()
