# SPDX-License-Identifier: Apache-2.0
"""havpnd on a gateway, its configuration, and havpnctl."""

import dataclasses
import json
import os
import re
import shutil
import signal
import socket
import time

from . import system
from .system import Failure, expect, inside, run, spawn, wait_until
from .topology import VIRTUAL_ADDRESS

VIRTUAL_MAC = "00:00:0c:07:ac:0a"
GROUP = "VPN"


def programs():
    """The directory of the built programs: HAVPN_PROGRAMS, or the release build beside this file."""
    here = os.path.dirname(os.path.abspath(__file__))
    return os.environ.get("HAVPN_PROGRAMS") or os.path.normpath(os.path.join(here, "../../../.build/release"))


def key_path(name):
    """Where the identity of this name lies; scenarios share them."""
    return f"{system.RUN}/keys/{name}.pem"


def keygen(name):
    """Makes the identity unless it is there, and returns its fingerprint."""
    path = key_path(name)
    if os.path.exists(path):
        return run(f"{programs()}/havpnctl", "fingerprint", path).strip()
    os.makedirs(os.path.dirname(path), exist_ok=True)
    return run(f"{programs()}/havpnctl", "keygen", "--out", path).strip()


@dataclasses.dataclass
class Settings:
    """What scenarios vary in the two nodes' configurations."""
    stateful: bool = True
    timers: str | None = None
    preempt: bool = True
    delay_up_seconds: int | None = None
    priorities: dict = dataclasses.field(default_factory=lambda: {"r3": 105, "r4": 100})
    association_on_sync_link_alone: bool = False
    ike_daemon: bool = True
    reverse_route: bool = True
    #: the tunnel's ends; with those of IPv6 an inside group follows, and routes behind the tunnel are not injected
    virtual_address: str = VIRTUAL_ADDRESS
    peer_address: str = "10.1.0.5"
    extra: str = ""
    #: the name of a node's own key, where it is not the node's
    keys: dict = dataclasses.field(default_factory=dict)
    #: the names of the keys that a node knows, where it is not the other node's alone
    known: dict = dataclasses.field(default_factory=dict)
    #: nodes with `security none`
    unsecured: tuple = ()

    def key_path(self, router):
        """The file of a node's own key."""
        return key_path(self.keys.get(router, router))

    def security(self, router):
        """The `security` statements of a node."""
        if router in self.unsecured:
            return [" security none"]
        known = self.known.get(router, ["r4" if router == "r3" else "r3"])
        return [f" security identity {self.key_path(router)}"] + [f" security peer {keygen(name)}" for name in known]

    def text(self, router):
        """The configuration file of a node."""
        number = router[1:]
        other = "4" if number == "3" else "3"
        first = 1 if number == "3" else 3
        lines = [f"hostname R{number}", f"track {first} interface eth0 line-protocol"]
        if self.delay_up_seconds and router == "r3":
            lines.append(f" delay up {self.delay_up_seconds}")
        lines += [f"track {first + 1} interface eth1 line-protocol", "interface eth1"]
        if ":" in self.virtual_address:
            lines += [" standby version 2", f" standby 10 ipv6 {self.virtual_address}/64"]
        else:
            lines.append(f" standby 10 ip {self.virtual_address}")
        if self.priorities[router] != 100:
            lines.append(f" standby 10 priority {self.priorities[router]}")
        if self.preempt:
            lines.append(" standby 10 preempt")
        if self.timers:
            lines.append(f" standby 10 timers {self.timers}")
        lines += [f" standby 10 name {GROUP}", f" standby 10 track {first} decrement 10",
                  f" standby 10 track {first + 1} decrement 10",
                  f" crypto map MAPA redundancy {GROUP}" + (" stateful" if self.stateful else "")]
        if self.stateful:
            networks = ["192.168.9"] if self.association_on_sync_link_alone else ["10.1.0", "192.168.9"]
            lines += ["ipc zone default", " association 1", "  no shutdown", "  protocol sctp", "   local-port 5000",
                      "    local-ip " + " ".join(f"{network}.{number}" for network in networks),
                      "   remote-port 5000",
                      "    remote-ip " + " ".join(f"{network}.{other}" for network in networks),
                      "redundancy inter-device", f" scheme standby {GROUP}", *self.security(router)]
        lines += ["crypto map MAPA 10 ipsec-isakmp", f" set peer {self.peer_address}"]
        if self.reverse_route:
            lines.append(" reverse-route")
        if self.ike_daemon:
            lines += ["ike-daemon strongswan", f" vici {system.RUN}/{router}/run/charon.vici",
                      " ha-plugin local 127.0.0.1 remote 127.0.0.2"]
        else:
            lines.append("ike-daemon none")
        if self.extra:
            lines.append(self.extra)
        return "\n".join(lines) + "\n"


class Gateway:
    """One havpnd and the means to ask, signal and kill its processes."""

    def __init__(self, router, settings, directory_of_programs=None, arguments=()):
        self.router, self.settings, self.arguments = router, settings, list(arguments)
        self.programs = directory_of_programs or programs()
        self.directory = f"{system.RUN}/{router}"
        self.configuration = f"{self.directory}/havpnd.conf"
        self.runtime = f"{self.directory}/havpnd"
        self.log = f"{self.directory}/havpnd.log"
        self.process = None
        self.relay_socket = None

    def hold_relay_socket(self):
        """Binds the ha plugin's peer address as havpnd-ha.socket does; later launches inherit it."""
        with inside(self.router):
            self.relay_socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.relay_socket.bind(("127.0.0.2", 4510))

    def start(self):
        """Starts the daemon and waits until its control socket answers."""
        os.makedirs(self.directory, exist_ok=True)
        shutil.rmtree(self.runtime, ignore_errors=True)
        os.makedirs(self.runtime)
        self.write_configuration()
        if self.settings.keys.get(self.router) != "late":
            keygen(self.settings.keys.get(self.router, self.router))
        self.launch()
        wait_until(lambda: self.process.poll() is not None or self.answers(), 15,
                   f"havpnd on {self.router} opened no control socket")
        if self.process.poll() is not None:
            raise Failure(f"havpnd on {self.router} ended with {self.process.returncode}: {self.last_words()}")
        return self

    def launch(self):
        """Starts the daemon and does not wait."""
        self.process = spawn(
            [f"{self.programs}/havpnd", "--config", self.configuration, "--runtime-directory", self.runtime,
             *self.arguments],
            log=self.log, namespace=self.router, environment={"SWIFT_BACKTRACE": "enable=no"},
            listen=self.relay_socket)

    def write_configuration(self):
        with open(self.configuration, "w") as file:
            file.write(self.settings.text(self.router))

    def last_words(self):
        return " | ".join(system.read_text(self.log).splitlines()[-3:])

    def log_lines(self):
        return system.read_text(self.log).splitlines()

    def answers(self):
        return os.path.exists(f"{self.runtime}/control.sock") and self.try_show("version") is not None

    def control(self, *words, check=True, timeout=15):
        """Runs havpnctl and returns its text."""
        return run(f"{self.programs}/havpnctl", "--socket", f"{self.runtime}/control.sock", *words,
                   namespace=self.router, check=check, timeout=timeout)

    def show(self, *words):
        """`havpnctl --json show …` as an object."""
        text = self.control("--json", "show", *words)
        try:
            return json.loads(text)
        except ValueError:
            raise Failure(f"`show {' '.join(words)}` on {self.router} is not JSON: {text[:200]!r}")

    def try_show(self, *words):
        """The same, or None where the daemon does not answer."""
        try:
            return json.loads(self.control("--json", "show", *words, check=False))
        except (ValueError, OSError):
            return None

    # Answers of the screens that scenarios wait for.

    def state(self):
        """The group's state, such as `Active`, or None where the daemon does not answer."""
        groups = (self.try_show("standby") or {}).get("groups") or [{}]
        return groups[0].get("state")

    def redundancy(self):
        """(own state, peer's state)."""
        view = self.try_show("redundancy") or {}
        return view.get("state"), view.get("peerState")

    def session(self):
        """The first crypto session, or an empty object."""
        sessions = (self.try_show("crypto", "session") or {}).get("sessions") or [{}]
        return sessions[0]

    def counters(self):
        return (self.try_show("counters") or {}).get("counters") or {}

    def wait_for_state(self, state, seconds=30):
        wait_until(lambda: self.state() == state, seconds, f"{self.router} did not become {state}", pause=0.2)

    def wait_for_session(self, status, seconds=20):
        return wait_until(lambda: self.session().get("status") == status and self.session(), seconds,
                          f"{self.router} shows no session {status}", pause=0.2)

    # Signals and deaths.

    def processes(self):
        """{role: process id}, roles `supervisor`, `front`, `failover`, `replication`."""
        if not self.process or self.process.poll() is not None:
            return {}
        found = {"supervisor": self.process.pid}
        for pid in system.children(self.process.pid):
            line = system.read_process(f"/proc/{pid}/cmdline").replace("\0", " ")
            role = re.match(r"havpnd: (\w+)", line)
            if role:
                found[role.group(1)] = pid
        return found

    def kill(self, role, signal_number=signal.SIGKILL):
        """Signals one process and returns the monotonic time just before."""
        found = self.processes()
        expect(role in found, f"{self.router} has no process of the role {role}: {sorted(found)}")
        before = time.monotonic()
        os.kill(found[role], signal_number)
        return before

    def signal_all(self, signal_number):
        """Signals all four processes at once and returns the monotonic time just before."""
        found = list(self.processes().values())
        before = time.monotonic()
        for pid in found:
            try:
                os.kill(pid, signal_number)
            except ProcessLookupError:
                pass
        return before

    def stop(self, seconds=10):
        """Orderly stop; returns the exit status."""
        if not self.process:
            return None
        self.signal_all(signal.SIGCONT)
        status = system.end(self.process, seconds)
        for pid in system.children(self.process.pid):
            os.kill(pid, signal.SIGKILL)
        self.process = None
        return status

    # What stands in the kernel, whoever put it there.

    def holds_address(self):
        """Whether the virtual address stands on a link of this node that is up."""
        for line in run("ip", "-n", self.router, "-o", "address", "show", "up").splitlines():
            if f" {self.settings.virtual_address}/" in line:
                return True
        return False

    def fence_is_up(self):
        """Whether the rule that forbids sending from the virtual address stands."""
        family = "-6" if ":" in self.settings.virtual_address else "-4"
        return any(f"from {self.settings.virtual_address}" in line and "prohibit" in line
                   for line in run("ip", "-n", self.router, family, "rule", "show").splitlines())
