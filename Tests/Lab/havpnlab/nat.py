# SPDX-License-Identifier: Apache-2.0
"""A NAT before the branch, in user space: it stands for the virtual address and has a port of its own for each way out."""

import os
import signal
import sys

from . import system
from .system import batch, run, spawn, wait_until

#: where the branch finds the gateway, and the gateway the branch
ADDRESS = "10.1.0.6"
_NAME = "nat"


class Nat:
    """A host at the outside switch: what r5 sends to it, it sends on from a port of its own."""

    def __init__(self, gateway):
        run("ip", "netns", "add", _NAME)
        run("ip", "-n", "sw-out", "link", "add", _NAME, "type", "veth", "peer", "name", "eth1", "netns", _NAME)
        batch("sw-out", [f"link set {_NAME} master br0", f"link set {_NAME} up"])
        batch(_NAME, ["link set lo up", f"address add {ADDRESS}/24 dev eth1", "link set eth1 up"])
        self.log = f"{system.RUN}/nat.log"
        open(self.log, "w").close()
        self.process = spawn(
            [sys.executable, os.path.join(os.path.dirname(__file__), "natbox.py"), ADDRESS, gateway],
            log=self.log, namespace=_NAME)
        wait_until(lambda: self._lines() == 1, 10, "the NAT does not start")

    def _lines(self):
        return system.read_text(self.log).count("\n")

    def port(self):
        """The port from which IKE and ESP leave."""
        return int(system.read_text(self.log).split()[-1])

    def move(self):
        """Has the NAT forget its ports and take new ones; returns the one of 4500."""
        known = self._lines()
        self.process.send_signal(signal.SIGUSR1)
        wait_until(lambda: self._lines() > known, 5, "the NAT has no new ports", pause=0.01)
        return self.port()

    def stop(self):
        system.end(self.process)
        run("ip", "netns", "delete", _NAME, check=False)
