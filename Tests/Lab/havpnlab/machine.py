# SPDX-License-Identifier: Apache-2.0
"""Whole machines, each a User-Mode Linux kernel under `scripts/lab`, with switches between them; driven from the host.

A machine runs one shell on its serial line, into which commands are typed as an operator would type them.
"""

import os
import select
import signal
import subprocess
import time

from .system import Failure, wait_until

ROOT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../.."))


class Switch:
    """An Ethernet switch for machines, at the path of its socket."""

    def __init__(self, path):
        self.path = path
        self.process = subprocess.Popen(["uml_switch", "-unix", path], stdin=subprocess.PIPE,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(lambda: os.path.exists(path), 10, f"no switch at {path}")

    def stop(self):
        self.process.kill()
        self.process.wait()


class Machine:
    """One machine: `type` runs a command line in its shell; `cut_power` ends it as a pulled plug does."""

    def __init__(self, name, plugs, *, systemd=True, memory="1G"):
        self.name, self.plugs, self.systemd, self.memory = name, plugs, systemd, memory
        self.process, self.asked, self.unread = None, 0, ""

    def boot(self, output):
        """Starts the machine; it answers once `type` returns. Files that must survive go to `output`."""
        os.makedirs(output, exist_ok=True)
        words = [f"{ROOT}/scripts/lab", "shell", "--memory", self.memory]
        words += ["--systemd"] if self.systemd else []
        for interface, switch in self.plugs.items():
            words += ["--plug", f"{interface}={switch.path}"]
        self.process = subprocess.Popen(
            words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
            env={**os.environ, "LAB_OUT": output, "TERM": "dumb", "LAB_BOOT_TIMEOUT_SECONDS": "120"})
        os.set_blocking(self.process.stdout.fileno(), False)
        # Nothing is read before the terminal is quiet: what was typed comes back until then.
        self._send("stty -echo; bind 'set enable-bracketed-paste off' 2>/dev/null; PS1=; PS2=; hostname " + self.name)
        self.type("true", seconds=120)
        return self

    def type(self, line, *, seconds=30, check=True):
        """Runs one command line and returns what it printed; fails if it did not succeed (unless `check` is false)."""
        self.asked += 1
        self._send(f"{line}\necho \"<<{self.asked} ended with $?>>\"")
        text = self._read_until(f"<<{self.asked} ended with ", seconds, line)
        status = self._read_until(">>", 5, line)
        if check and status != "0":
            raise Failure(f"`{line}` on {self.name} ended with {status}: {text.strip()}")
        return text.strip()

    def cut_power(self):
        """Kills the whole machine at once."""
        if self.process:
            os.killpg(self.process.pid, signal.SIGTERM)
            self.process.wait()
            self.process = None

    def _send(self, text):
        self.process.stdin.write(text.encode() + b"\n")
        self.process.stdin.flush()

    def _read_until(self, mark, seconds, line):
        deadline = time.monotonic() + seconds
        while mark not in self.unread:
            left = deadline - time.monotonic()
            if left <= 0 or self.process.poll() is not None:
                raise Failure(f"`{line}` on {self.name} did not end within {seconds} s: {self.unread[-500:]!r}")
            if select.select([self.process.stdout], [], [], left)[0]:
                self.unread += (self.process.stdout.read() or b"").decode(errors="replace").replace("\r", "")
        before, _, self.unread = self.unread.partition(mark)
        return before
