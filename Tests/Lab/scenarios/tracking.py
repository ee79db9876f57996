# SPDX-License-Identifier: Apache-2.0
"""Tracked objects: routes, scripts, processes, files and echoes decide who is Active."""

import dataclasses
import os
import shutil
import subprocess
import time

from havpnlab import system
from havpnlab.havpn import Gateway, Settings
from havpnlab.runner import scenario
from havpnlab.system import batch, expect, run, wait_until
from havpnlab.world import GATEWAYS

DIRECTORY = f"{system.RUN}/r3"
NETWORK = "10.99.0.0/16"


@dataclasses.dataclass
class Tracking(Settings):
    """A pair without IKE and without replication; r3 alone has more objects, which cost it the role."""
    stateful: bool = False
    ike_daemon: bool = False
    timers: str | None = "1 3"
    objects: str = ""
    decrement: int | None = 11

    def text(self, router):
        text = super().text(router)
        if router == "r3":
            text += self.objects + "\n"
            if self.decrement:
                text += f"interface eth1\n standby 10 track {self.decrement} decrement 10\n"
        return text


def _begin(world, objects, **options):
    settings = Tracking(objects=objects, **options)
    for router in GATEWAYS:
        world.gateways[router] = Gateway(router, settings).start()
    world.gateways["r3"].wait_for_state("Active", 30)
    world.gateways["r4"].wait_for_state("Standby", 30)
    return world.gateways["r3"], world.gateways["r4"]


def _track(gateway, number):
    """One object of `show track`."""
    objects = (gateway.try_show("track") or {}).get("objects") or []
    return next((item for item in objects if item["id"] == number), {})


def _expect_takeover(world, lose, number, reason):
    """Runs `lose`, and waits until r4 is Active because an object of r3 is Down; returns the seconds."""
    r3, r4 = world.gateways["r3"], world.gateways["r4"]
    before = time.monotonic()
    lose()
    try:
        wait_until(r4.holds_address, 10, "r4 did not take the address", pause=0.005)
    except system.Failure as failure:
        raise system.Failure(f"{failure}: {_track(r3, number)}")
    took = time.monotonic() - before
    wait_until(lambda: r4.state() == "Active", 5, "r4 has the address and is not Active")
    seen = _track(r3, number)
    expect(seen.get("state") == "Down" and reason in (seen.get("detail") or ""), f"object {number} shows {seen}")
    wait_until(lambda: r3.state() in ("Speak", "Standby"), 5, f"r3 is {r3.state()}")
    return took


def _expect_return(world, mend):
    r3 = world.gateways["r3"]
    mend()
    wait_until(lambda: r3.state() == "Active", 15, f"r3 did not come back: {r3.control('show', 'track')}")


def _script(name, lines):
    """Writes a script that anybody may run and only root may change."""
    os.makedirs(DIRECTORY, exist_ok=True)
    path = f"{DIRECTORY}/{name}"
    with open(path, "w") as file:
        file.write("#!/bin/sh\n" + lines + "\n")
    os.chmod(path, 0o755)
    return path


def _running(word):
    """Process ids whose command line holds `word`."""
    found = subprocess.run(["pgrep", "-f", word], capture_output=True, text=True).stdout.split()
    return [int(pid) for pid in found]


@scenario("track: a route that is withdrawn moves the role, and its return brings it back")
def route(world):
    # On r3 alone: OSPF would bring it back from r4 at once.
    batch("r3", [f"route replace {NETWORK} via 10.2.0.2"])
    try:
        _begin(world, f"track 10 ip route {NETWORK} reachability\ntrack 12 interface eth0 ip routing\n"
                      "track 11 list boolean and\n object 10\n object 12")
        r3 = world.gateways["r3"]
        expect(_track(r3, 10).get("firstHop") == "eth0", f"the route shows {_track(r3, 10)}")
        # A routing daemon that loads its table: nobody may notice.
        batch("r3", [f"route add 11.{n >> 8}.{n & 255}.0/24 via 10.2.0.2 table 99" for n in range(2000)])
        expect(_track(r3, 10).get("changes") == 0, f"a full table changed {_track(r3, 10)}")
        expect(r3.state() == "Active", f"r3 is {r3.state()} after a full table")
        took = _expect_takeover(world, lambda: batch("r3", [f"route delete {NETWORK}"]), 10, "no route")
        expect("object 10 Down" in _track(r3, 11)["detail"], f"the list shows {_track(r3, 11)}")
        _expect_return(world, lambda: batch("r3", [f"route add {NETWORK} via 10.2.0.2"]))
        # The same for a network without forwarding.
        took_more = _expect_takeover(
            world, lambda: run("sysctl", "-q", "-w", "net.ipv4.conf.eth0.forwarding=0", namespace="r3"), 12,
            "routing disabled")
        return f"{took * 1000:.0f} ms after the route, {took_more * 1000:.0f} ms after forwarding"
    finally:
        run("sysctl", "-q", "-w", "net.ipv4.conf.eth0.forwarding=1", namespace="r3")
        run("ip", "-n", "r3", "route", "delete", NETWORK, check=False)
        run("ip", "-n", "r3", "route", "flush", "table", "99", check=False)


@scenario("track: a script that fails moves the role; a process that ends and a file that goes are seen", long=True)
def script(world):
    path = _script("probe", f"test -e {DIRECTORY}/healthy")
    open(f"{DIRECTORY}/healthy", "w").close()
    program = f"{DIRECTORY}/lab-daemon"
    shutil.copy("/bin/sleep", program)
    daemon = subprocess.Popen([program, "1000"])
    try:
        r3, _ = _begin(world, f"track 11 script {path}\n interval 1\n timeout 1\n"
                              f"track 12 process lab-daemon\ntrack 13 file {DIRECTORY}/healthy\n"
                              f"track 14 script {DIRECTORY}/absent\n interval 1\n timeout 1\n"
                              f"track 15 script {path}\n user havpn\n")
        for number in (11, 12, 13):
            expect(_track(r3, number).get("state") == "Up", f"object {number} shows {_track(r3, number)}")
        expect("does not exist" in (_track(r3, 14).get("detail") or ""), f"object 14 shows {_track(r3, 14)}")
        wait_until(lambda: "cannot run" in (_track(r3, 15).get("detail") or ""), 5,
                   f"a script runs as the daemon's own user: {_track(r3, 15)}")
        took = _expect_takeover(world, lambda: os.unlink(f"{DIRECTORY}/healthy"), 11, "exit status 1")
        daemon.kill()
        daemon.wait()
        for number, reason in ((12, "no such process"), (13, "no such file")):
            wait_until(lambda: (_track(r3, number).get("detail") or "") == reason, 5,
                       f"object {number} shows {_track(r3, number)}")
        failures = _track(r3, 11)["runs"]["failures"]
        expect(failures > 0, f"failures are not counted: {_track(r3, 11)}")
        # A new failover process hears what the supervisor knows.
        r3.kill("failover")
        wait_until(lambda: _track(r3, 11).get("state") == "Down", 10, "a restarted failover does not know the script")
        _expect_return(world, lambda: open(f"{DIRECTORY}/healthy", "w").close())
        return f"{took * 1000:.0f} ms, of which the script's interval is 1000 ms"
    finally:
        daemon.kill()


@scenario("track: a script that hangs is killed with all its children, and moves the role", long=True)
def hanging(world):
    path = _script("probe", f"test -e {DIRECTORY}/hang || exit 0\n(sleep 98761 & sleep 98761) &\nsleep 98761")
    r3, _ = _begin(world, f"track 11 script {path}\n interval 2\n timeout 1\n")
    took = _expect_takeover(world, lambda: open(f"{DIRECTORY}/hang", "w").close(), 11, "timed out")
    most = 0
    end = time.monotonic() + 5
    while time.monotonic() < end:
        most = max(most, len(_running("^sleep 98761")))
        time.sleep(0.05)
    expect(0 < most <= 3, f"{most} processes of the script at a time, not the 3 of one run")
    expect(_track(r3, 11)["runs"]["timeouts"] >= 2, f"timeouts are not counted: {_track(r3, 11)}")
    for pid in _running("^sleep 98761"):
        user = os.stat(f"/proc/{pid}").st_uid if os.path.exists(f"/proc/{pid}") else 65534
        expect(user == 65534, f"the script runs as user {user}, not as nobody")
    r3.stop()
    wait_until(lambda: not _running("98761"), 2, "the daemon left a script behind")
    return f"{took * 1000:.0f} ms, of which the script's interval and timeout are 3000 ms"


@scenario("track: an ip sla operation that loses its target moves the role, and its answer brings it back", long=True)
def echo(world):
    r3, _ = _begin(world, "ip sla 7\n icmp-echo 10.2.0.2 source-interface eth0\n  timeout 500\n  frequency 1\n"
                          "ip sla schedule 7 life forever start-time now\ntrack 11 ip sla 7 reachability\n")
    wait_until(lambda: (_track(r3, 11).get("echo") or {}).get("answered", 0) >= 2, 10,
               f"no echo was answered: {_track(r3, 11)}")
    seen = _track(r3, 11)
    expect(seen["echo"]["returnCode"] == "OK" and seen["echo"]["roundTripMicroseconds"] > 0, f"it shows {seen}")

    def ignore(value):
        run("sysctl", "-q", "-w", f"net.ipv4.icmp_echo_ignore_all={value}", namespace="r2")

    try:
        took = _expect_takeover(world, lambda: ignore(1), 11, "Timeout")
        expect(_track(r3, 11)["echo"]["lost"] > 0, f"losses are not counted: {_track(r3, 11)}")
        _expect_return(world, lambda: ignore(0))
    finally:
        ignore(0)
    return f"{took * 1000:.0f} ms with frequency 1 and timeout 500"
