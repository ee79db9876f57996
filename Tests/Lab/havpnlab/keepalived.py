# SPDX-License-Identifier: Apache-2.0
"""keepalived on a gateway in havpnd's place, for comparison: the same address, virtual MAC and tracked link."""

import os
import signal
import time

from . import system
from .system import run, spawn, wait_until
from .topology import VIRTUAL_ADDRESS


class Keepalived:
    """One keepalived with one instance; VRRP version 3, for its adverts below a second."""

    def __init__(self, router, advert_seconds):
        self.router, self.advert_seconds = router, advert_seconds
        self.directory = f"{system.RUN}/{router}"
        self.process = None

    def start(self):
        """Starts the daemon; it becomes Master by itself if it hears nobody."""
        os.makedirs(self.directory, exist_ok=True)
        with open(f"{self.directory}/keepalived.conf", "w") as file:
            file.write(self._configuration())
        for name in ("keepalived.pid", "vrrp.pid"):
            # Its number may be somebody else's by now.
            if os.path.exists(f"{self.directory}/{name}"):
                os.unlink(f"{self.directory}/{name}")
        self.process = spawn(
            ["keepalived", "--dont-fork", "--log-console", "--vrrp", "--use-file", f"{self.directory}/keepalived.conf",
             "--pid", f"{self.directory}/keepalived.pid", "--vrrp_pid", f"{self.directory}/vrrp.pid"],
            log=f"{self.directory}/keepalived.log", namespace=self.router)
        return self

    def _configuration(self):
        return f"""global_defs {{
    router_id {self.router}
    vrrp_version 3
}}
vrrp_instance VPN {{
    state BACKUP
    interface eth1
    use_vmac
    virtual_router_id 10
    priority 100
    advert_int {self.advert_seconds}
    nopreempt
    track_interface {{
        eth0
    }}
    virtual_ipaddress {{
        {VIRTUAL_ADDRESS}/32
    }}
}}
"""

    def processes(self):
        """The parent and the VRRP child, in this order."""
        if not self.process or self.process.poll() is not None:
            return []
        return [pid for pid in (self.process.pid, *system.children(self.process.pid))]

    def kill_child(self):
        os.kill(self.processes()[-1], signal.SIGKILL)

    def signal_all(self, signal_number):
        # The child first: one whose parent has died still says farewell.
        for pid in reversed(self.processes()):
            try:
                os.kill(pid, signal_number)
            except ProcessLookupError:
                pass

    def hand_over(self):
        """What operators do for maintenance: an orderly stop, which tells the peer."""
        self.process.send_signal(signal.SIGTERM)

    def holds_address(self):
        """Whether the virtual address stands on this node."""
        return f" {VIRTUAL_ADDRESS}/" in run("ip", "-n", self.router, "-o", "-4", "address", "show", "up")

    def stop(self):
        """Ends the daemon and removes what it left."""
        self.signal_all(signal.SIGCONT)
        if self.process:
            system.end(self.process, 5)
        self.process = None
        for line in run("ip", "-n", self.router, "-o", "link", "show", "type", "macvlan", check=False).splitlines():
            run("ip", "-n", self.router, "link", "delete", line.split(":")[1].strip().split("@")[0], check=False)


def begin(world, advert_seconds):
    """Two of them; returns {router: Keepalived} once r3 is Master."""
    pair = {router: Keepalived(router, advert_seconds) for router in ("r3", "r4")}
    pair["r3"].start()
    wait_until(pair["r3"].holds_address, 30, "keepalived on r3 did not become Master")
    pair["r4"].start()
    time.sleep(max(1.0, 4 * advert_seconds))
    return pair
