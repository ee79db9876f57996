# SPDX-License-Identifier: Apache-2.0
"""What operators do: stop, reload, switch over; and what a stranger on the node tries."""

import re
import signal
import subprocess
import sys
import time

from havpnlab import system
from havpnlab.havpn import Settings, programs
from havpnlab.runner import scenario
from havpnlab.system import expect, wait_until

_THIEF = """
import errno, socket, sys, time
stolen, refused = 0, 0
while not sys.stdin.closed:
    thief = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        thief.bind(("127.0.0.2", 4510))
        stolen += 1
        print("stolen", time.monotonic(), flush=True)
    except OSError as error:
        refused += error.errno == errno.EADDRINUSE
    thief.close()
    if refused % 100 == 0:
        print("refused", refused, flush=True)
    time.sleep(0.002)
"""


@scenario("an orderly stop of the active hands over: the same SAs go on at r4, and no DELETE leaves")
def orderly_stop(world):
    world.begin()
    world.bring_tunnel_up()
    watch = world.watch()
    time.sleep(1)
    at = time.monotonic()
    status = world.gateways["r3"].stop()
    expect(status == 0, f"havpnd ended with {status}")
    world.gateways["r4"].wait_for_state("Active", 10)
    watch.wait_for_ping(20, at + 0.5)
    time.sleep(2)
    expect(not world.gateways["r3"].holds_address(), "r3 still holds the virtual address")
    expect(world.gateways["r3"].fence_is_up(), "r3's fence is gone though charon still runs")
    watch.finish()
    watch.expect_no_sequence_errors()
    watch.expect_no_repeated_pair()
    watch.expect_same_spis()
    watch.expect_one_sender("r3", "r4", at)
    return f"outage {watch.outage(at) * 1000:.0f} ms"


@scenario("a reload changes the priority and disturbs nothing; a faulty file is refused and disturbs nothing")
def reload(world):
    world.begin()
    world.bring_tunnel_up()
    r3 = world.gateways["r3"]
    watch = world.watch()
    time.sleep(1)
    at = time.monotonic()
    processes = r3.processes()
    r3.settings.priorities["r3"] = 110
    r3.write_configuration()
    r3.process.send_signal(signal.SIGHUP)
    wait_until(lambda: r3.show("standby")["groups"][0]["configuredPriority"] == 110, 10,
               "the new priority is not in force")
    r3.settings.priorities["r3"] = 112
    r3.write_configuration()
    r3.control("reload")
    wait_until(lambda: r3.show("standby")["groups"][0]["configuredPriority"] == 112, 10,
               "`havpnctl reload` did not bring the new priority")
    with open(r3.configuration, "a") as file:
        file.write("interface eth1\n standby 10 priority 900\n")
    r3.process.send_signal(signal.SIGHUP)
    time.sleep(1)
    expect(r3.show("standby")["groups"][0]["configuredPriority"] == 112, "a faulty file replaced a running one")
    after = r3.processes()
    for role in ("supervisor", "failover", "replication"):
        expect(processes.get(role) == after.get(role), f"the {role} process did not outlive a reload")
    expect(r3.state() == "Active", f"r3 is {r3.state()} after a reload")
    world.wait_for_hot()
    watch.finish()
    watch.expect_no_sequence_errors()
    watch.expect_same_spis()
    expect(watch.lost(at) == 0, f"{watch.lost(at)} pings were lost during reloads")


@scenario("switchover at 100 packets a second: every emitted ESP packet is accepted exactly once")
def switchover(world):
    world.begin(Settings(timers="1 3", preempt=False))
    world.bring_tunnel_up()
    watch = world.watch()
    time.sleep(2)
    at = time.monotonic()
    answer = world.gateways["r3"].control("switchover", timeout=20)
    expect(world.gateways["r4"].state() == "Active", f"r4 is {world.gateways['r4'].state()} after: {answer.strip()}")
    watch.wait_for_ping(20, at + 0.5)
    time.sleep(3)
    world.wait_for_hot(standby="r3", active="r4")
    watch.finish()
    watch.expect_all_accepted()
    watch.expect_no_repeated_pair()
    watch.expect_same_spis()
    watch.expect_one_sender("r3", "r4", at)
    said = re.search(r"(\d+) ?ms", answer)
    return f"{said.group(0) if said else answer.strip()}; {watch.lost(at)} plain pings lost"


@scenario("switchover is refused, with the reason, while no standby is HOT")
def switchover_refused(world):
    world.begin(routers=("r3",))
    world.bring_tunnel_up(standby=None)
    answer = subprocess.run(
        ["nsenter", "--net=/run/netns/r3", f"{programs()}/havpnctl", "--json", "--socket",
         f"{world.gateways['r3'].runtime}/control.sock", "switchover"],
        capture_output=True, text=True, timeout=20)
    expect(answer.returncode == 1, f"exit status {answer.returncode}, not 1")
    expect("standby-not-hot" in answer.stdout + answer.stderr, f"it says {answer.stdout + answer.stderr}")
    expect(world.gateways["r3"].state() == "Active", "r3 gave up its role")


@scenario("as user nobody, 127.0.0.2:4510 cannot be bound while replication is killed in a loop")
def relay_address_held(world):
    world.begin()
    world.bring_tunnel_up()
    r3 = world.gateways["r3"]
    thief = _start_thief()
    for _ in range(8):
        wait_until(lambda: "replication" in r3.processes(), 20, "replication did not come back")
        r3.kill("replication")
        time.sleep(0.4)
    stolen, refused = _end_thief(thief)
    expect(stolen == 0, f"a stranger bound the ha plugin's peer address {stolen} times")
    expect(refused >= 100, "the stranger hardly tried")
    return f"refused over {refused} times"


@scenario("as user nobody, 127.0.0.2:4510 cannot be bound while the whole service is killed in a loop")
def relay_address_held_by_socket_unit(world):
    world.begin()
    world.bring_tunnel_up()
    r3 = world.gateways["r3"]
    r3.stop()
    r3.hold_relay_socket()
    r3.launch()
    wait_until(r3.answers, 20, "havpnd did not come back with an inherited socket")
    thief = _start_thief()
    for _ in range(5):
        wait_until(lambda: len(r3.processes()) == 4, 20, f"not all processes came back: {sorted(r3.processes())}")
        r3.signal_all(signal.SIGKILL)
        r3.process.wait()
        time.sleep(0.3)
        r3.launch()
    wait_until(r3.answers, 20, "havpnd did not come back")
    stolen, refused = _end_thief(thief)
    expect(stolen == 0, f"a stranger bound the ha plugin's peer address {stolen} times")
    expect(refused >= 100, "the stranger hardly tried")
    # r3 has preempt: it takes the role again when it is HOT, and only then does the pair stand still.
    world.wait_for_hot("r4", "r3", seconds=60)
    r3.relay_socket.close()
    return f"refused over {refused} times"


@scenario("a second havpnd in the same namespace refuses to start")
def second_daemon(world):
    world.begin(routers=("r3",))
    r3 = world.gateways["r3"]
    second = subprocess.run(
        ["ip", "netns", "exec", "r3", f"{programs()}/havpnd", "--config", r3.configuration,
         "--runtime-directory", f"{r3.runtime}-2"], capture_output=True, text=True, timeout=20)
    expect(second.returncode != 0, "the second havpnd started")
    expect(r3.state() == "Active", f"r3 is {r3.state()} after a second daemon tried")
    return second.stderr.strip().splitlines()[-1][:100] if second.stderr.strip() else ""


def _start_thief():
    log = f"{system.RUN}/thief.log"
    command = ["ip", "netns", "exec", "r3", "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
               sys.executable, "-c", _THIEF]
    with open(log, "w") as output:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=output, stderr=output)
    return process, log


def _end_thief(thief):
    process, log = thief
    process.kill()
    process.wait()
    text = system.read_text(log)
    refused = [int(line.split()[1]) for line in text.splitlines() if line.startswith("refused")]
    return sum(line.startswith("stolen") for line in text.splitlines()), max(refused, default=0)
