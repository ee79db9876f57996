# SPDX-License-Identifier: Apache-2.0
"""FRR's zebra, ospfd and bfdd in a namespace."""

import json
import os
import shutil
import time

from . import system
from .system import run, spawn, wait_until

_BINARIES = "/usr/lib/frr"

_CONFIGURATION = """hostname {router}
log file {directory}/frr.log informational
bfd
 profile quick
  detect-multiplier 3
  receive-interval 100
  transmit-interval 100
 !
!
interface eth0
 ip ospf network point-to-multipoint
 ip ospf hello-interval 1
 ip ospf dead-interval 4
 ip ospf retransmit-interval 2
 ip ospf bfd
 ip ospf bfd profile quick
!
router ospf
 ospf router-id 10.2.0.{number}
 network 10.2.0.0/24 area 0
 timers throttle spf 10 50 500
 timers throttle lsa all 100
 timers lsa min-arrival 50
{redistribute}!
"""


class Routing:
    """OSPF on one router of the inside network, with BFD."""

    def __init__(self, router):
        self.router = router
        self.directory = f"{system.RUN}/{router}/frr"
        self.processes = []

    def start(self):
        shutil.rmtree(self.directory, ignore_errors=True)
        os.makedirs(self.directory)
        path = f"{self.directory}/frr.conf"
        with open(path, "w") as file:
            file.write(_CONFIGURATION.format(
                router=self.router, directory=self.directory, number=self.router[1:],
                redistribute="" if self.router == "r2" else " redistribute kernel\n"))
        run("chown", "-R", "frr:frr", self.directory)
        common = ["-u", "frr", "-g", "frr", "-f", path, "-z", f"{self.directory}/zserv.api",
                  "--vty_socket", self.directory]
        for name, extra in (("zebra", []), ("bfdd", ["--bfdctl", f"{self.directory}/bfdd.sock"]), ("ospfd", [])):
            self.processes.append(spawn(
                [f"{_BINARIES}/{name}", *common, "-i", f"{self.directory}/{name}.pid", *extra],
                log=f"{self.directory}/{name}.log", namespace=self.router))
            wait_until(lambda: os.path.exists(f"{self.directory}/{name}.vty"), 10,
                       f"{name} on {self.router} did not start")
        return self

    def stop(self):
        for process in reversed(self.processes):
            system.end(process)
        self.processes = []

    def show(self, *words):
        """One vtysh command."""
        return run("vtysh", "--vty_socket", self.directory, "-c", " ".join(words), check=False)

    def full_neighbours(self):
        """The router ids to which the adjacency is full."""
        try:
            neighbours = json.loads(self.show("show ip ospf neighbor json"))["neighbors"]
        except (ValueError, KeyError):
            return set()
        return {name for name, entries in neighbours.items()
                if any(entry.get("nbrState", entry.get("state", "")).startswith("Full") for entry in entries)}


def wait_for_route(seconds, gateway=None, network="10.0.0.6"):
    """Waits until r2's kernel has OSPF's route to the branch (by `gateway`) and returns its line."""
    def route():
        for line in run("ip", "-n", "r2", "-o", "route", "show", f"{network}/32").splitlines():
            if "proto ospf" in line and "nexthop" not in line and (gateway is None or f"via {gateway} " in line):
                return line.strip()
        return None
    started = time.monotonic()
    line = wait_until(route, seconds, f"r2 learned no route to {network} by {gateway or 'any router'}")
    return line, time.monotonic() - started
