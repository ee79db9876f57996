# SPDX-License-Identifier: Apache-2.0
"""ICMP echo by a process of its own, so that nothing else disturbs its clock.

    python3 pinger.py TARGET STYLE INTERVAL_MILLISECONDS LOG [IDENTIFIER]

STYLE `steady` sends every interval whatever comes back. STYLE `cisco` behaves as the seed's `ping`: it waits for the
answer (at most 2 s) and sends the next one an interval after the last, at the earliest. Each line of LOG is
`S sequence seconds` or `R sequence seconds` on the monotonic clock. Ends on SIGTERM, after a moment for late answers.
"""

import select
import signal
import socket
import struct
import sys
import time

TIMEOUT_SECONDS = 2.0


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


def main():
    target, style, interval, path = sys.argv[1], sys.argv[2], int(sys.argv[3]) / 1000, sys.argv[4]
    identifier = int(sys.argv[5]) if len(sys.argv) > 5 else 0x4856
    icmp = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    icmp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    icmp.setblocking(False)
    stopping = []
    signal.signal(signal.SIGTERM, lambda *_: stopping.append(time.monotonic()))
    poll = select.poll()
    poll.register(icmp, select.POLLIN)
    log = open(path, "w", buffering=1)
    padding = bytes(64)
    sequence, outstanding, due = 0, None, time.monotonic()
    while True:
        now = time.monotonic()
        if stopping and now > stopping[0] + 0.3:
            break
        waiting = style == "cisco" and outstanding is not None and now < outstanding[1] + TIMEOUT_SECONDS
        if not stopping and now >= due and not waiting:
            # The sequence is carried in the payload as well, where it does not wrap.
            body = struct.pack("!I", sequence) + padding
            header = struct.pack("!BBHHH", 8, 0, 0, identifier, sequence & 0xFFFF)
            header = struct.pack("!BBHHH", 8, 0, checksum(header + body), identifier, sequence & 0xFFFF)
            log.write(f"S {sequence} {now:.6f}\n")
            try:
                icmp.sendto(header + body, (target, 0))
            except OSError as error:
                log.write(f"# {error.strerror}\n")
            outstanding = (sequence, now)
            sequence += 1
            due = max(due + interval, now) if style == "steady" else now + interval
        wake = outstanding[1] + TIMEOUT_SECONDS if waiting else due
        poll.poll(max(0.0, min(0.1, wake - time.monotonic())) * 1000)
        while True:
            try:
                packet = icmp.recv(2048)
            except BlockingIOError:
                break
            offset = (packet[0] & 15) * 4
            if len(packet) < offset + 12 or packet[offset] != 0:
                continue
            if struct.unpack_from("!H", packet, offset + 4)[0] != identifier:
                continue
            answered = struct.unpack_from("!I", packet, offset + 8)[0]
            log.write(f"R {answered} {time.monotonic():.6f}\n")
            if outstanding and outstanding[0] == answered:
                outstanding = None
    log.close()


if __name__ == "__main__":
    main()
