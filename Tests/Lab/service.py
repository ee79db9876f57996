#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The installed service under a real systemd: `scripts/lab run --systemd -- /usr/bin/python3 Tests/Lab/service.py`.

Installs havpn with scripts/install into the throw-away system, starts the units and treats them as time and operators do.
"""

import os
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from havpnlab.system import Failure, expect, run, wait_until  # noqa: E402

ROOT = os.path.normpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))
CONFIGURATION = """hostname R3
interface eth1
 standby 10 ip 10.1.0.100
 standby 10 timers 1 3
 standby 10 name VPN
 crypto map MAPA redundancy VPN
crypto map MAPA 10 ipsec-isakmp
 set peer 10.1.0.5
"""


def unit(name):
    """One property of the service."""
    return run("systemctl", "show", "--value", "-p", name, "havpnd.service").strip()


def state():
    text = run("havpnctl", "--json", "show", "standby", check=False)
    return "Active" if '"Active"' in text else text[:80]


def installed_and_started():
    """The installed units start, say READY and become Active."""
    for number, address in ((0, "10.2.0.3/24"), (1, "10.1.0.3/24")):
        run("ip", "link", "add", f"eth{number}", "type", "veth", "peer", "name", f"far{number}")
        run("ip", "address", "add", address, "dev", f"eth{number}")
        run("ip", "link", "set", f"eth{number}", "up")
        run("ip", "link", "set", f"far{number}", "up")
    run(f"{ROOT}/scripts/install", timeout=120)
    os.makedirs("/etc/havpn", exist_ok=True)
    with open("/etc/havpn/havpnd.conf", "w") as file:
        file.write(CONFIGURATION)
    run("systemctl", "daemon-reload")
    run("systemctl", "start", "havpnd-ha.socket", "havpnd.service", timeout=60)
    expect(unit("ActiveState") == "active", f"the service is {unit('ActiveState')}")
    wait_until(lambda: state() == "Active", 30, "the node did not become Active")


def not_root():
    """The processes that parse what others send do not run as root."""
    users = {}
    for line in run("ps", "-eo", "user:32,args").splitlines():
        user, _, arguments = line.partition(" ")
        for role in ("front", "failover", "replication"):
            if f"havpnd: {role}" in arguments:
                users[role] = user
    expect(len(users) == 3 and "root" not in users.values(), f"the users are {users}")


def reloaded():
    """`systemctl reload` keeps the main process."""
    before = unit("MainPID")
    run("systemctl", "reload", "havpnd.service", timeout=30)
    expect(unit("MainPID") == before and state() == "Active", "a reload disturbed the service")


def killed():
    """kill -9 of the main process: systemd starts it again, Active with the address."""
    before = unit("MainPID")
    os.kill(int(before), 9)
    wait_until(lambda: unit("MainPID") not in (before, "0") and state() == "Active", 30,
               "the service did not come back after kill -9")


def hung():
    """A main process that hangs is found by the watchdog and replaced."""
    before = unit("MainPID")
    os.kill(int(before), 19)
    wait_until(lambda: unit("MainPID") not in (before, "0") and state() == "Active", 45,
               "the watchdog did not replace a hung process", pause=0.5)


def faulty_reload():
    """A faulty file never replaces a running configuration."""
    with open("/etc/havpn/havpnd.conf", "a") as file:
        file.write("interface eth1\n standby 10 priority 900\n")
    run("systemctl", "reload", "havpnd.service", check=False, timeout=30)
    time.sleep(1)
    expect(unit("ActiveState") == "active" and state() == "Active", "a faulty file disturbed the service")
    with open("/etc/havpn/havpnd.conf", "w") as file:
        file.write(CONFIGURATION)


def stopped():
    """`systemctl stop` leaves no address behind, and the relay's socket stands until its unit is stopped."""
    run("systemctl", "stop", "havpnd.service", timeout=30)
    expect(unit("Result") == "success", f"the service ended with {unit('Result')}")
    expect("10.1.0.100/" not in run("ip", "-o", "address", "show"), "the virtual address was left behind")
    # Connected to charon's end since the daemon took it, so it is not among the listening ones.
    expect("127.0.0.2:4510" in run("ss", "-anu"), "the relay's socket is gone")


def main():
    passed, failed = 0, 0
    for step in (installed_and_started, not_root, reloaded, faulty_reload, killed, hung, stopped):
        started = time.monotonic()
        sentence = step.__doc__.strip().rstrip(".")
        try:
            step()
            print(f"ok   {time.monotonic() - started:6.1f} s  {sentence}", flush=True)
            passed += 1
        except (Failure, subprocess.TimeoutExpired, OSError, ValueError) as error:
            print(f"FAIL {time.monotonic() - started:6.1f} s  {sentence}\n        {error}", flush=True)
            failed += 1
    if failed:
        with open(os.path.join(os.environ.get("LAB_OUT", "/tmp"), "journal.txt"), "w") as file:
            file.write(run("journalctl", "--no-pager", "-u", "havpnd.service", "-u", "havpnd-ha.socket", check=False))
    print(f"{passed} passed, {failed} failed", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
