# SPDX-License-Identifier: Apache-2.0
"""What the kernel of a router tells about its addresses, routes and links, with the time of each line."""

import datetime
import os
import select
import socket
import struct
import threading
import time

from . import system

_NEW_ADDRESS, _DELETED_ADDRESS = 20, 21
_LINK_GROUP_OF_ADDRESSES = 0x10 | 0x100
_FORCED_RECEIVE_BUFFER = 33


class Monitor:
    """`ip monitor` for links, routes or rules."""

    def __init__(self, router, what):
        self.path = f"{system.RUN}/monitor-{router}-{what}-{time.monotonic_ns()}.log"
        self.process = system.spawn(["ip", "-ts", "-o", "-n", router, "monitor", what], log=self.path)

    def stop(self):
        """[(monotonic seconds, line)]."""
        system.end(self.process)
        offset = time.time() - time.monotonic()
        changes = []
        for line in system.read_text(self.path).splitlines():
            stamp, _, rest = line.partition("] ")
            try:
                at = datetime.datetime.fromisoformat(stamp.lstrip("["))
            except ValueError:
                continue
            changes.append((at.astimezone().timestamp() - offset, rest.strip()))
        return changes


class AddressMonitor:
    """The same for addresses, which is what takeovers are measured by.

    The time of a line is that of its reading: it comes before all daemons that hear the same. `ip` asks the kernel for
    names before it writes the time down, which costs the lab's one processor as much as the takeover itself. Who makes
    something happen does so `undisturbed`, or the reading waits for the interpreter's lock.
    """

    def __init__(self, router):
        with system.inside(router):
            self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        self.socket.setsockopt(socket.SOL_SOCKET, _FORCED_RECEIVE_BUFFER, 4 << 20)
        self.socket.bind((0, _LINK_GROUP_OF_ADDRESSES))
        self.lines, self.is_over = [], False
        self.thread = threading.Thread(target=self._listen, daemon=True)
        self.thread.start()

    def stop(self):
        """[(monotonic seconds, line)], as `ip monitor address` would say it, with the interface's number."""
        self.is_over = True
        self.thread.join()
        self.socket.close()
        return self.lines

    def _listen(self):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(15))
        while not self.is_over:
            if not select.select([self.socket], [], [], 0.1)[0]:
                continue
            data, at = self.socket.recv(65536), time.monotonic()
            while len(data) >= 24:
                length, kind = struct.unpack_from("=IH", data)
                line = _address_line(kind, data[16:length])
                if line:
                    self.lines.append((at, line))
                data = data[(length + 3) & ~3:]


def _address_line(kind, body):
    """The line for an ifaddrmsg and its attributes; None for what is no address."""
    if kind not in (_NEW_ADDRESS, _DELETED_ADDRESS):
        return None
    family, prefix_length, _, _, index = struct.unpack_from("=BBBBI", body)
    position, addresses = 8, {}
    while position + 4 <= len(body):
        length, attribute = struct.unpack_from("=HH", body, position)
        addresses[attribute] = body[position + 4:position + length]
        position += max(4, (length + 3) & ~3)
    # IFA_LOCAL, which IPv6 does without; IFA_ADDRESS.
    raw = addresses.get(2) or addresses.get(1)
    if raw is None:
        return None
    word = "inet" if family == socket.AF_INET else "inet6"
    prefix = "Deleted " if kind == _DELETED_ADDRESS else ""
    return f"{prefix}{index}: {word} {socket.inet_ntop(family, raw)}/{prefix_length} "


def time_away(changes, sign):
    """Milliseconds from the deletion of what `sign` names, in what a monitor saw, until it is there again."""
    gone = None
    for at, line in changes:
        if sign not in line:
            continue
        if line.startswith("Deleted"):
            gone = gone or at
        elif gone:
            return (at - gone) * 1000
    return None
