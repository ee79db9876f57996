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
    peers = {}

    def renew(*_):
        for port in _PORTS:
            ways[port][1].close()
            ways[port] = ways[port][0], _bound(address)
        print(ways[4500][1].getsockname()[1], flush=True)

    def noted(*_):
        nonlocal isMoving
        isMoving = True
    isMoving = False
    signal.signal(signal.SIGUSR1, noted)
    print(ways[4500][1].getsockname()[1], flush=True)
    while True:
        try:
            ready, _, _ = select.select([end for way in ways.values() for end in way], [], [], 0.05)
        except InterruptedError:
            ready = []
        if isMoving:
            isMoving = False
            renew()
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
