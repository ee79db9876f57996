# SPDX-License-Identifier: Apache-2.0
"""Programs that hear of changes: in order, bounded, and never in the way."""

import os
import time

from havpnlab import system
from havpnlab.havpn import Gateway, Settings
from havpnlab.runner import scenario
from havpnlab.system import expect, read_text, run, wait_until


def _program(path, text):
    with open(path, "w") as file:
        file.write(text)
    os.chmod(path, 0o755)
    return path


@scenario("programs hear of each change in order; one that hangs is killed and holds nothing up")
def told(world):
    directory = f"{system.RUN}/r3"
    os.makedirs(directory, exist_ok=True)
    heard, alone = f"{directory}/heard.txt", f"{directory}/alone.txt"
    hears = _program(f"{directory}/hears", f"#!/bin/sh\nsleep 0.2\nid -un >>{alone}\n"
                     f'echo "$HAVPN_INTERFACE $HAVPN_GROUP $HAVPN_NAME $HAVPN_FROM $HAVPN_TO" >>{heard}\n')
    hangs = _program(f"{directory}/hangs", "#!/bin/sh\nsleep 1000 & sleep 1000\n")
    extra = f"notify {hears}\n user root\nnotify {hangs}\n timeout 1\n group VPN\nnotify {directory}/absent\n"
    gateway = world.gateways["r3"] = Gateway(
        "r3", Settings(stateful=False, ike_daemon=False, timers="msec 250 msec 800", extra=extra)).start()
    began = time.monotonic()
    gateway.wait_for_state("Active", 10)
    took = time.monotonic() - began
    expect(took < 4, f"r3 was Active only after {took:.1f} s")
    wait_until(lambda: len(read_text(heard).splitlines()) == 4, 5, f"the program heard {read_text(heard)!r}")
    expect([line.split()[3:] for line in read_text(heard).splitlines()]
           == [["Initial", "Listen"], ["Listen", "Speak"], ["Speak", "Standby"], ["Standby", "Active"]],
           f"the program heard {read_text(heard)!r}")
    expect(read_text(heard).startswith("eth1 10 VPN "), f"the program heard {read_text(heard)!r}")
    expect(set(read_text(alone).split()) == {"root"}, f"the program ran as {read_text(alone).split()}")
    wait_until(lambda: gateway.counters().get("notify.timedOut", 0) >= 4, 10, f"r3 counts {gateway.counters()}")
    expect(gateway.counters()["notify.refused"] == 4, f"r3 counts {gateway.counters()}")
    sleepers = run("ip", "netns", "pids", "r3").split()
    expect(not [pid for pid in sleepers if "sleep" in system.read_process(f"/proc/{pid}/comm")],
           "what the hanging program has started lives on")
    expect(gateway.counters().get("hello.stalled", 0) == 0, "the group stalled")
    # The daemon's own release is told before it ends.
    gateway.stop()
    expect(read_text(heard).splitlines()[-1] == "eth1 10 VPN Active Initial", f"in the end it heard {read_text(heard)!r}")
    return f"Active after {took:.1f} s"
