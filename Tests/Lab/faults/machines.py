#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The host's part of `scripts/faults --machines`: the lab in one machine, one gateway in another, cables between them.

Reads what the lab prints, and does with the gateway's machine what the lines that begin with `@machine ` say:

    boot                its power comes back
    cut                 its power is cut: all that it is is killed at once
    pause SECONDS       it stands still as a virtual machine does that its host does not run; its clock goes on
"""

import os
import signal
import subprocess
import sys
import tempfile
import threading

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from havpnlab.distant import MACHINE, ORDER  # noqa: E402
from havpnlab.machine import ROOT, Switch  # noqa: E402

INTERFACES = ("eth0", "eth1", "eth2", "eth3")


class Host:
    """The two machines and the cables between them."""

    def __init__(self, directory, output):
        self.output, self.node, self.wake = output, None, None
        self.switches = {interface: Switch(f"{directory}/{interface}.ctl") for interface in INTERFACES}

    def run_lab(self, arguments):
        """Runs the faults in the lab's machine to their end and returns its exit status."""
        lab = self._boot(["/usr/bin/python3", "Tests/Lab/faults/run.py", *arguments], "lab", "2G")
        try:
            for line in lab.stdout:
                if line.startswith(ORDER):
                    self._obey(line[len(ORDER):].split())
                else:
                    print(line, end="", flush=True)
            return lab.wait()
        finally:
            if lab.poll() is None:
                os.killpg(lab.pid, signal.SIGTERM)
                lab.wait()

    def destroy(self):
        self._cut()
        for switch in self.switches.values():
            switch.stop()

    def _obey(self, words):
        verb, *rest = words
        if verb == "cut":
            self._cut()
        elif verb == "boot":
            self._cut()
            self.node = self._boot(["/usr/bin/python3", "Tests/Lab/havpnlab/distant.py", MACHINE], MACHINE, "1G")
        elif verb == "pause" and self.node:
            os.kill(self._kernel(), signal.SIGSTOP)
            self.wake = threading.Timer(float(rest[0]), os.kill, (self._kernel(), signal.SIGCONT))
            self.wake.start()

    def _cut(self):
        if not self.node:
            return
        if self.wake:
            self.wake.cancel()
            self.wake.join()
        kernel = self._kernel()
        if kernel:
            # It leads a process group of its own, in which everything is that it runs.
            os.killpg(kernel, signal.SIGKILL)
        self.node.wait()
        self.node = None

    def _kernel(self):
        """The process that is the machine's kernel, the child of its `scripts/lab`; None where it has ended."""
        for pid in subprocess.run(["pgrep", "-P", str(self.node.pid), "-f", "linux.uml"], capture_output=True,
                                  text=True).stdout.split():
            return int(pid)
        return None

    def _boot(self, command, name, memory):
        words = [f"{ROOT}/scripts/lab", "run", "--memory", memory]
        for interface, switch in self.switches.items():
            words += ["--plug", f"{interface}={switch.path}"]
        output = f"{self.output}/{name}"
        os.makedirs(output, exist_ok=True)
        return subprocess.Popen(
            [*words, "--", *command], cwd=ROOT, stdin=subprocess.DEVNULL, text=True, start_new_session=True,
            stdout=subprocess.PIPE if name != MACHINE else open(f"{output}/console.log", "a"), stderr=subprocess.STDOUT,
            env={**os.environ, "LAB_OUT": output, "LAB_BOOT_TIMEOUT_SECONDS": "120"})


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory() as directory:
        host = Host(directory, os.environ["LAB_OUT"])
        try:
            return host.run_lab(sys.argv[1:])
        finally:
            host.destroy()


if __name__ == "__main__":
    sys.exit(main())
