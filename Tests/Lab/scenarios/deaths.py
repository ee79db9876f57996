# SPDX-License-Identifier: Apache-2.0
"""Processes die, hang, or lose their machine, one at a time and all at once, with and without a ready peer."""

import os
import signal
import time

from havpnlab import system, topology, traffic
from havpnlab.havpn import Settings
from havpnlab.runner import scenario
from havpnlab.system import expect, wait_until

ROLES = ("front", "replication", "failover", "supervisor")


def _service_restarts(gateway, orphans):
    """What systemd does when the supervisor died: gives the rest a second, kills what is left, starts anew."""
    deadline = time.monotonic() + 1
    while time.monotonic() < deadline and any(_runs(pid) for pid in orphans):
        time.sleep(0.05)
    for pid in orphans:
        if _runs(pid):
            os.kill(pid, signal.SIGKILL)
    time.sleep(0.1)
    gateway.process.wait()
    gateway.launch()


def _runs(pid):
    return system.read_process(f"/proc/{pid}/stat").rpartition(")")[2][:2].strip() not in ("", "Z")


def _promises(watch, at, new=None):
    watch.expect_no_sequence_errors()
    watch.expect_no_repeated_pair()
    watch.expect_same_spis()
    if new:
        watch.expect_one_sender("r3" if new == "r4" else "r4", new, at - 1)


def _all_processes(gateway, seconds=20):
    wait_until(lambda: set(gateway.processes()) >= {*ROLES}, seconds,
               f"{gateway.router} never had all four processes again: {sorted(gateway.processes())}", pause=0.2)


def _die_with_peer(world, role):
    world.begin()
    world.bring_tunnel_up()
    r3, r4 = world.gateways["r3"], world.gateways["r4"]
    watch = world.watch()
    time.sleep(1)
    orphans = [pid for name, pid in r3.processes().items() if name != "supervisor"]
    if role == "all":
        at = r3.signal_all(signal.SIGKILL)
    else:
        at = r3.kill(role)
    if role in ("all", "supervisor"):
        _service_restarts(r3, orphans)
    moves = role in ("all", "supervisor", "failover")
    watch.wait_for_ping(20, at + 1)
    _all_processes(r3)
    if moves:
        # With preempt r3 may have taken the role again already, which is allowed once it is HOT.
        wait_until(lambda: sorted([r3.state() or "", r4.state() or ""]) == ["Active", "Standby"], 60,
                   f"the two did not settle: {r3.state()} and {r4.state()}", pause=0.5)
    else:
        expect(r3.state() == "Active", f"r3 is {r3.state()}, though only its {role} process died")
        world.wait_for_hot(seconds=60)
    time.sleep(2)
    watch.finish()
    # r4 may have been Active so briefly that no question met it; the monitor of its addresses misses nothing.
    taken = any(topology.VIRTUAL_ADDRESS in line and "Deleted" not in line for _, line in watch.address_changes[1])
    expect(taken == moves, f"r4 {'took' if taken else 'did not take'} the role after the death of {role}")
    _promises(watch, at, None)
    return f"outage {watch.outage(at) * 1000:.0f} ms"


def _die_alone(world, role):
    world.begin(Settings(timers="1 3"), routers=("r3",))
    world.bring_tunnel_up(standby=None)
    r3 = world.gateways["r3"]
    watch = world.watch()
    time.sleep(1)
    orphans = [pid for name, pid in r3.processes().items() if name != "supervisor"]
    if role == "all":
        at = r3.signal_all(signal.SIGKILL)
    else:
        at = r3.kill(role)
    if role in ("all", "supervisor"):
        _service_restarts(r3, orphans)
    _all_processes(r3)
    r3.wait_for_state("Active", 30)
    watch.wait_for_ping(20, at + 1)
    time.sleep(2)
    watch.finish()
    _promises(watch, at)
    gone = [line for _, line in watch.address_changes[0] if "Deleted" in line and "10.1.0.100" in line]
    if role in ("front", "replication", "failover"):
        expect(not gone, f"the virtual address was missing for a moment after the {role} process died")
        expect(watch.lost(at) <= 20, f"{watch.lost(at)} pings of {len(watch.echoes)} were lost")
    return f"outage {watch.outage(at) * 1000:.0f} ms"


def _register(role, sentence, alone_sentence):
    scenario(sentence)(lambda world: _die_with_peer(world, role))
    scenario(alone_sentence)(lambda world: _die_alone(world, role))


for _role in ROLES:
    _register(
        _role, f"kill -9 of the {_role} process on the active with a HOT peer: no SA is lost",
        f"kill -9 of the {_role} process on a lone node: no SA is lost")
_register(
    "all", "kill -9 of all processes on the active with a HOT peer: the same SAs go on at r4",
    "kill -9 of all processes on a lone node: the same SAs go on after the restart")


@scenario("SIGSTOP of all processes on the active for 15 s: one sender at any time, and one Active after it")
def stopped_for_a_while(world):
    world.begin()
    world.bring_tunnel_up()
    r3, r4 = world.gateways["r3"], world.gateways["r4"]
    watch = world.watch()
    time.sleep(1)
    at = r3.signal_all(signal.SIGSTOP)
    r4.wait_for_state("Active", 14)
    watch.wait_for_ping(10, at + 4)
    expect(not r3.holds_address(), "the address of the stopped node outlived its lease")
    time.sleep(max(0.0, at + 15 - time.monotonic()))
    woken = r3.signal_all(signal.SIGCONT)
    wait_until(lambda: sorted([r3.state() or "", r4.state() or ""]) == ["Active", "Standby"], 60,
               f"the two did not settle: {r3.state()} and {r4.state()}", pause=0.5)
    time.sleep(2)
    watch.finish()
    _promises(watch, at)
    watch_until = [packet for packet in watch.esp_of("r3", at + 4, woken)]
    expect(not watch_until, f"the stopped r3 sent {len(watch_until)} ESP packets after its lease")
    return f"outage {watch.outage(at) * 1000:.0f} ms"


@scenario("r3 is rebooted with plain preempt: 0 sequence errors, the SPIs unchanged, and the role comes back")
def rebooted(world):
    world.begin()
    world.bring_tunnel_up()
    watch = world.watch()
    time.sleep(1)
    at = world.reboot("r3")
    watch.wait_for_ping(30, at + 5)
    world.gateways["r3"].wait_for_state("Active", 90)
    world.wait_for_routing()
    watch.wait_for_ping(30, time.monotonic())
    time.sleep(2)
    watch.finish()
    _promises(watch, at)
    expect(traffic.live_spis("r3") == watch.spis_before, "r3 does not hold the SAs that lived before its reboot")
    return f"outage {watch.outage(at) * 1000:.0f} ms"
