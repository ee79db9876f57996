# SPDX-License-Identifier: Apache-2.0
"""Faults of a whole machine: what each does to the gateway that is one, and how long the branch may be cut off by it."""

import time

from catalogue import Fault
from havpnlab.distant import MACHINE, call, order
from havpnlab.system import Failure, wait_until

MACHINE_FAULTS = {}

# What waited in a machine that stood still leaves as it wakes, before any process runs: VPN peers refuse so many packets.
STRAY_PACKETS = 3


def fault(name, outage_seconds, *, role, rekeys=False, standstills=0):
    """Registers a function of one Scene, in which the machine has that role and stands still so many times."""
    def register(function):
        MACHINE_FAULTS[name] = Fault(name, function, outage_seconds, rekeys, STRAY_PACKETS * standstills, role)
        return function
    return register


def _stand_still(seconds):
    order(f"pause {seconds:.3f}")
    time.sleep(seconds)


def _wait_for_death():
    def is_dead():
        try:
            call("live_spis", seconds=2)
        except Failure:
            return True
    wait_until(is_dead, 10, f"{MACHINE} is still there")


@fault("power of the active cut", 3, role="active")
def _(scene):
    scene.world.cut_power()
    scene.later(scene.world.boot)
    time.sleep(scene.random.uniform(0.5, 6))


@fault("power of the standby cut", 0.5, role="standby")
def _(scene):
    scene.world.cut_power()
    scene.later(scene.world.boot)
    time.sleep(scene.random.uniform(0.5, 6))


@fault("power of the standby cut, r5 rekeys meanwhile", 0.5, role="standby", rekeys=True)
def _(scene):
    scene.world.cut_power()
    scene.later(scene.world.boot)
    time.sleep(2)
    scene.world.charons["r5"].rekey_child()
    time.sleep(1)


@fault("power of both cut", None, role="active", rekeys=True)
def _(scene):
    # The tunnels end with the kernels that held them; r5 finds out by DPD and builds them anew.
    scene.world.cut_power()
    scene.world.reboot(scene.standby, seconds_dark=2)
    scene.world.boot()


@fault("kernel of the active panics", 3, role="active")
def _(scene):
    try:
        call("crash", seconds=0.5)
    except Failure:
        pass
    _wait_for_death()
    scene.later(scene.world.boot)
    time.sleep(scene.random.uniform(0.5, 3))


# A kernel that wakes as the Active forwards until its daemon has run: what both may have used is rekeyed when they meet.
@fault("the active stands still", 4, role="active", rekeys=True, standstills=1)
def _(scene):
    _stand_still(scene.random.uniform(0.2, 8))


@fault("the active stands still, r5 rekeys meanwhile", 4, role="active", rekeys=True, standstills=1)
def _(scene):
    order("pause 8")
    time.sleep(5)
    scene.world.charons["r5"].rekey_child()
    time.sleep(3)


@fault("the active stands still again and again", None, role="active", rekeys=True, standstills=6)
def _(scene):
    for _ in range(6):
        _stand_still(scene.random.uniform(0.05, 1.5))
        time.sleep(scene.random.uniform(0.05, 1.5))


@fault("the standby stands still", 0.5, role="standby")
def _(scene):
    _stand_still(scene.random.uniform(0.2, 8))


@fault("the active stands still, and loses its power then", 4, role="active", rekeys=True, standstills=1)
def _(scene):
    _stand_still(scene.random.uniform(0.2, 3))
    scene.world.cut_power()
    scene.later(scene.world.boot)
    time.sleep(scene.random.uniform(0.5, 3))


def _step_clock(role, name, seconds):
    @fault(f"clock of the {role} {name}", 0.5, role=role)
    def _(scene):
        call("step_clock", seconds)
        scene.later(call, "step_clock", -seconds)
        time.sleep(scene.random.uniform(1, 3))


for _role in ("active", "standby"):
    _step_clock(_role, "an hour ahead, and back", 3600)
    _step_clock(_role, "an hour behind, and ahead again", -3600)
