# SPDX-License-Identifier: Apache-2.0
"""What `nat` starts: passes datagrams of ports 500 and 4500 on, each from a port of its own.

    natbox.py ADDRESS GATEWAY     prints the port that stands for 4500; SIGUSR1 takes new ones
"""

import select
import signal
import socket
import sys

_PORTS = (500, 4500)


def _bound(address, port=0):
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind((address, port))
    return made


def main(address, gateway):
    ways = {port: (_bound(address, port), _bound(address)) for port in _PORTS}
    peers, is_moving = {}, False

    def note_signal(*_):
        nonlocal is_moving
        is_moving = True
    signal.signal(signal.SIGUSR1, note_signal)
    print(ways[4500][1].getsockname()[1], flush=True)
    while True:
        ready, _, _ = select.select([end for way in ways.values() for end in way], [], [], 0.05)
        if is_moving:
            is_moving = False
            for port, (near, far) in ways.items():
                far.close()
                ways[port] = near, _bound(address)
            print(ways[4500][1].getsockname()[1], flush=True)
            continue
        for port, (near, far) in ways.items():
            if near in ready:
                data, peers[port] = near.recvfrom(65536)
                far.sendto(data, (gateway, port))
            if far in ready:
                data, _ = far.recvfrom(65536)
                if port in peers:
                    near.sendto(data, peers[port])


if __name__ == "__main__":
    main(*sys.argv[1:])
