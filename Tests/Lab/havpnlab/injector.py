# SPDX-License-Identifier: Apache-2.0
"""UDP packets for the branch by a process of its own, so that nothing else disturbs its clock.

    python3 injector.py INTERFACE HARDWARE_DESTINATION HARDWARE_SOURCE INTERVAL_MILLISECONDS

They are put on the wire whatever this machine's routes say. Each carries its number and the monotonic time. Says
`sending` once the first has left. Ends on SIGTERM.
"""

import os
import signal
import socket
import struct
import sys
import time

PORT = 40000


def packet(ethernet, number):
    """One Ethernet frame with the packet of this number."""
    body = struct.pack("!Id", number, time.monotonic())
    udp = struct.pack("!HHHH", PORT, PORT, 8 + len(body), 0)
    address = socket.inet_aton("10.2.0.2") + socket.inet_aton("10.0.0.6")
    header = struct.pack("!BBHHHBBH", 0x45, 0, 28 + len(body), number & 0xFFFF, 0, 64, 17, 0) + address
    total = sum(struct.unpack("!10H", header))
    total = (total >> 16) + (total & 0xFFFF)
    value = ~(total + (total >> 16)) & 0xFFFF
    return ethernet + header[:10] + struct.pack("!H", value) + header[12:] + udp + body


def main():
    interface, destination, source, interval = sys.argv[1:4] + [int(sys.argv[4]) / 1000]
    ethernet = b"".join(bytes.fromhex(address.replace(":", "")) for address in (destination, source)) + b"\x08\x00"
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    wire.bind((interface, 0))
    stopping = []
    signal.signal(signal.SIGTERM, lambda *_: stopping.append(True))
    # The lab has one processor for five routers: a source that waits for it would measure the queue, not the gateway.
    os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    number, due = 0, time.monotonic()
    while not stopping:
        wire.send(packet(ethernet, number))
        if number == 0:
            print("sending", flush=True)
        number += 1
        due = max(due + interval, time.monotonic())
        time.sleep(max(0.0, due - time.monotonic()))


if __name__ == "__main__":
    main()
