#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The README's installation, followed to the letter on two machines: `/usr/bin/python3 Tests/Lab/newcomer.py`.

Three User-Mode Linux machines with switches between them: two gateways under systemd, and the branch with the inside
router. Every `sh` block of the README's section is typed on both gateways, in its order; then a cable's worth of faults.
Run on the host as root, after a release build. Logs go to $LAB_OUT.
"""

import concurrent.futures
import os
import re
import signal
import sys
import tempfile
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from havpnlab.ike import Charon  # noqa: E402
from havpnlab.machine import ROOT, Machine, Switch  # noqa: E402
from havpnlab.system import Failure, expect, read_text  # noqa: E402

SECTION = "## Install on two real nodes"
NUMBERS = {"r3": 3, "r4": 4}


def readme_steps():
    """The command blocks of the README's installation, each a list of lines, in order."""
    section = read_text(f"{ROOT}/README.md").partition(SECTION)[2].partition("\n## ")[0]
    blocks = re.findall(r"^ *```sh\n(.*?)^ *```", section, re.MULTILINE | re.DOTALL)
    return [[line.strip() for line in block.splitlines() if line.strip()] for block in blocks]


def write(machine, path, text):
    """Puts a file onto a machine as an editor would."""
    machine.type(f"mkdir -p {os.path.dirname(path)} && cat >{path} <<'END-OF-FILE'\n{text}\nEND-OF-FILE")


def until(question, seconds, sentence):
    """Asks about once a second until the answer is true; returns the seconds that it took."""
    start = time.monotonic()
    while not question():
        if time.monotonic() - start > seconds:
            raise Failure(f"{sentence} within {seconds} s")
        time.sleep(0.5)
    return time.monotonic() - start


class Walk:
    """The two gateways, the branch, and what is done to them."""

    def __init__(self, directory, output):
        self.output = output
        self.switches = {name: Switch(f"{directory}/{name}.ctl") for name in ("in", "out", "sync")}
        plugs = {"eth0": self.switches["in"], "eth1": self.switches["out"], "eth2": self.switches["sync"]}
        self.gateways = {name: Machine(name, plugs) for name in NUMBERS}
        self.branch = Machine("branch", {"eth0": plugs["eth0"], "eth1": plugs["eth1"]}, systemd=False)

    def on_both(self, work):
        """Does the same on both gateways at once, as an operator with two windows does."""
        with concurrent.futures.ThreadPoolExecutor() as pool:
            return list(pool.map(work, self.gateways.values()))

    def machines_booted(self):
        """The three machines boot: addresses, forwarding, FRR and strongSwan's connection are what a gateway has."""
        machines = [*self.gateways.values(), self.branch]
        with concurrent.futures.ThreadPoolExecutor() as pool:
            list(pool.map(lambda machine: machine.boot(f"{self.output}/{machine.name}"), machines))
        self.on_both(self._prepare)
        for line in (
                "ip netns add r5; ip netns add r6; ip netns add r2",
                "ip link set eth1 netns r5; ip link set eth0 netns r2",
                "ip link add eth0 netns r5 type veth peer name eth0 netns r6",
                "for n in r2 r5 r6; do ip -n $n link set lo up; ip -n $n link set eth0 up; done",
                "ip -n r5 link set eth1 up; ip netns exec r5 sysctl -q -w net.ipv4.ip_forward=1",
                "ip -n r5 address add 10.1.0.5/24 dev eth1; ip -n r5 address add 10.0.0.5/24 dev eth0",
                "ip -n r6 address add 10.0.0.6/24 dev eth0; ip -n r6 route add default via 10.0.0.5",
                "ip -n r5 route add 10.2.0.0/24 via 10.1.0.100; ip -n r2 address add 10.2.0.2/24 dev eth0",
                "mkdir -p /run/lab/r5 /run/lab/r2"):
            self.branch.type(line)
        python = "cd Tests/Lab && /usr/bin/python3 -B -c"
        self.branch.type(f"({python} 'from havpnlab.routing import Routing; Routing(\"r2\").start()')", seconds=60)
        self.branch.type(f"({python} 'from havpnlab.ike import Charon; Charon(\"r5\").start()')", seconds=60)

    def _prepare(self, machine):
        number = NUMBERS[machine.name]
        for interface, network in (("eth0", "10.2.0"), ("eth1", "10.1.0"), ("eth2", "192.168.9")):
            machine.type(f"ip address add {network}.{number}/24 dev {interface} && ip link set {interface} up")
        machine.type("sysctl -q -w net.ipv4.ip_forward=1")
        machine.type("printf 'ospfd=yes\\nbfdd=yes\\n' >>/etc/frr/daemons")
        write(machine, "/etc/frr/frr.conf", f"""interface eth0
 ip ospf network point-to-multipoint
 ip ospf hello-interval 1
 ip ospf dead-interval 4
 ip ospf bfd
!
router ospf
 ospf router-id 10.2.0.{number}
 network 10.2.0.0/24 area 0
 redistribute kernel""")
        machine.type("systemctl start frr.service", seconds=90)
        write(machine, "/etc/swanctl/conf.d/branch.conf", Charon("r3").connection_configuration())

    def readme_followed(self):
        """Every command of the README's installation succeeds on both nodes."""
        steps = readme_steps()
        expect(len(steps) >= 4, f"the README has only {len(steps)} blocks of commands")
        for block in steps:
            for line in block:
                if "havpnctl check" in line:
                    # The step before says to start from the examples; here names and addresses are theirs.
                    keys = {machine.name: machine.type("havpnctl fingerprint /etc/havpn/identity.pem").split()[-1]
                            for machine in self.gateways.values()}
                    self.on_both(lambda machine: machine.type(
                        f"sed 's/sha256:0*$/{keys['r4' if machine.name == 'r3' else 'r3']}/' "
                        f"/usr/share/doc/havpn/examples/{machine.name}.conf >/etc/havpn/havpnd.conf"))
                self.on_both(lambda machine: print(
                    f"{machine.name}# {line}\n{machine.type(line, seconds=120)}", flush=True))

    def hot(self):
        """One node is Active, the other STANDBY HOT, in the time that the README names."""
        took = until(lambda: self.is_hot("r4"), 90, "r4 was not STANDBY HOT")
        print(f"r4 was STANDBY HOT {took:.0f} s after the last command")
        self.on_both(lambda machine: print(machine.type("havpnctl show standby brief"), flush=True))

    def ping(self, count=3):
        """Whether r6 reaches r2 through the tunnel."""
        text = self.branch.type(f"ip netns exec r6 ping -n -i 0.2 -c {count} -W 1 10.2.0.2 | tail -n 2", check=False)
        return " 0% packet loss" in text

    def tunnel_up(self):
        """The branch brings its tunnel up and reaches the inside."""
        until(self.ping, 60, "r6 did not reach r2")
        until(lambda: "UP-STANDBY" in self.gateways["r4"].type("havpnctl show crypto session", check=False), 20,
              "r4 showed no UP-STANDBY")
        self.on_both(lambda machine: print(machine.type("havpnctl show crypto session"), flush=True))

    def switched_over(self):
        """`havpnctl switchover` hands the role over without a new tunnel."""
        before = self.spis()
        print(self.gateways["r3"].type("havpnctl switchover"), flush=True)
        expect(self.is_active("r4"), "r4 is not Active")
        until(self.ping, 10, "r6 did not reach r2 again")
        expect(self.spis() == before, "the tunnel was negotiated anew")

    def power_cut(self):
        """The new Active loses its power; the other goes on with the same tunnel."""
        # With preempt the better node takes the role back as soon as it is HOT, unless it has it already.
        until(lambda: self.is_hot("r3") or self.is_hot("r4"), 60, "no node was STANDBY HOT")
        before = self.spis()
        survivor = "r3" if self.is_hot("r3") else "r4"
        victim = "r3" if survivor == "r4" else "r4"
        self.gateways[victim].cut_power()
        until(lambda: self.is_active(survivor), 30, f"{survivor} did not take the role")
        took = until(self.ping, 20, "r6 did not reach r2 after the power cut")
        expect(self.spis() == before, "the tunnel was negotiated anew")
        print(f"{victim} lost its power; {survivor} goes on; r6 reached r2 {took:.1f} s after the change of role")

    def is_active(self, name):
        text = self.gateways[name].type("havpnctl show standby brief", check=False)
        return re.search(r"\bActive +local", text) is not None

    def is_hot(self, name):
        """Whether the node says of itself that it could take over now."""
        text = self.gateways[name].type("havpnctl show redundancy", check=False)
        return re.search(r"my state = \d+ +-STANDBY HOT", text) is not None

    def spis(self):
        """The SPIs of the branch's tunnel."""
        return sorted(re.findall(r"spi (0x[0-9a-f]+)", self.branch.type("ip -n r5 xfrm state")))

    def destroy(self):
        """Ends everything; the journals of the gateways are kept."""
        for machine in (*self.gateways.values(), self.branch):
            if machine.process:
                try:
                    log = machine.type("journalctl --no-pager -b 2>/dev/null | tail -n 2000", seconds=60, check=False)
                    with open(f"{self.output}/{machine.name}-journal.txt", "w") as file:
                        file.write(log)
                except Failure:
                    pass
            machine.cut_power()
        for switch in self.switches.values():
            switch.stop()


def main():
    output = os.environ.get("LAB_OUT") or tempfile.mkdtemp(prefix="havpn-newcomer.")
    passed, failed = 0, 0
    # So that an interrupted walk still ends its machines and switches.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory() as directory:
        walk = Walk(directory, output)
        try:
            for step in (walk.machines_booted, walk.readme_followed, walk.hot, walk.tunnel_up, walk.switched_over,
                         walk.power_cut):
                started = time.monotonic()
                sentence = step.__doc__.strip().rstrip(".")
                try:
                    step()
                except (Failure, OSError) as error:
                    print(f"FAIL {time.monotonic() - started:6.1f} s  {sentence}\n        {error}", flush=True)
                    failed += 1
                    break
                print(f"ok   {time.monotonic() - started:6.1f} s  {sentence}", flush=True)
                passed += 1
        finally:
            walk.destroy()
    print(f"{passed} passed, {failed} failed; journals in {output}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
