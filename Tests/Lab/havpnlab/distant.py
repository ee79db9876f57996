# SPDX-License-Identifier: Apache-2.0
"""A gateway that is a machine of its own, and the world around it.

    python3 distant.py r4      on that machine: becomes the router and answers calls on `eth3` until its power is cut

The lab reaches it over a cable that carries nothing else. Power, pause and boot are asked of `faults/machines.py`, which
runs on the host and reads what the lab prints.
"""

import os
import pickle
import socket
import sys
import time

if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from havpnlab import system, topology, traffic  # noqa: E402
from havpnlab.havpn import Gateway, key_path, keygen  # noqa: E402
from havpnlab.ike import Charon  # noqa: E402
from havpnlab.system import Failure, run, wait_until  # noqa: E402
from havpnlab.world import GATEWAYS, World  # noqa: E402

MACHINE = "r4"
#: begins a line that is an order to the host
ORDER = "@machine "
_CABLE, _LAB_ADDRESS, _MACHINE_ADDRESS, _PORT = "eth3", "10.99.0.1", "10.99.0.2", 4000
_BOOT_SECONDS = 90


class Node:
    """What the machine does when it is called: the functions of one gateway and its charon."""

    def __init__(self, router):
        self.router, self.gateway, self.charon = router, None, None

    def boot(self, settings, keys):
        """What the units of a real node start: havpnd before charon."""
        for name, text in keys.items():
            os.makedirs(os.path.dirname(key_path(name)), exist_ok=True)
            with open(key_path(name), "w", opener=_for_its_owner) as file:
                file.write(text)
        self.gateway = Gateway(self.router, settings).start()
        self.charon = Charon(self.router, replicated=True).start()

    def live_spis(self):
        return traffic.live_spis(self.router)

    def step_clock(self, seconds):
        """Moves the time of day of this machine alone."""
        time.clock_settime(time.CLOCK_REALTIME, time.clock_gettime(time.CLOCK_REALTIME) + seconds)

    def crash(self):
        """The kernel panics in the middle of whatever it does; no answer comes."""
        with open("/proc/sysrq-trigger", "w") as file:
            file.write("c")

    def logs(self):
        """{name: text} of what the daemons wrote."""
        return {name: system.read_text(f"{system.RUN}/{self.router}/{name}") for name in ("havpnd.log", "charon.log")}


def _for_its_owner(path, flags):
    return os.open(path, flags, 0o600)


def serve(node):
    """Answers calls, one at a time."""
    listener = socket.create_server((_MACHINE_ADDRESS, _PORT))
    while True:
        wire, _ = listener.accept()
        with wire, wire.makefile("rwb") as stream:
            try:
                path, arguments = pickle.load(stream)
                function = node
                for name in path.split("."):
                    function = getattr(function, name)
                try:
                    outcome = function(*arguments)
                except Exception as error:
                    outcome = Failure(f"{node.router}: {error}")
                pickle.dump(outcome, stream)
                stream.flush()
            except (OSError, EOFError):
                pass


def call(path, *arguments, seconds=60):
    """Calls a function of the machine's `Node`; fails where the machine does not answer."""
    try:
        with socket.create_connection((_MACHINE_ADDRESS, _PORT), timeout=2) as wire:
            wire.settimeout(seconds)
            with wire.makefile("rwb") as stream:
                pickle.dump((path, arguments), stream)
                stream.flush()
                outcome = pickle.load(stream)
    except (OSError, EOFError) as error:
        raise Failure(f"the machine {MACHINE} does not answer: {error}")
    if isinstance(outcome, Failure):
        raise outcome
    return outcome


class DistantGateway:
    """The machine's `Gateway`, as far as the checks of the faults ask it."""

    def __init__(self, settings):
        self.settings = settings

    def state(self):
        return _unless_dead(None, "gateway.state")

    def redundancy(self):
        return _unless_dead((None, None), "gateway.redundancy")

    def session(self):
        return _unless_dead({}, "gateway.session")

    def try_show(self, *words):
        return _unless_dead(None, "gateway.try_show", *words)

    def holds_address(self):
        return call("gateway.holds_address")

    def control(self, *words):
        return call("gateway.control", *words)

    def wait_for_state(self, state, seconds=30):
        wait_until(lambda: self.state() == state, seconds, f"{MACHINE} did not become {state}", pause=0.2)

    def wait_for_session(self, status, seconds=20):
        wait_until(lambda: self.session().get("status") == status, seconds, f"{MACHINE} shows no session {status}", pause=0.2)


def _unless_dead(answer, path, *arguments):
    try:
        return call(path, *arguments, seconds=10)
    except Failure:
        return answer


class SplitWorld(World):
    """The lab with one gateway in a machine of its own."""

    here = tuple(router for router in GATEWAYS if router != MACHINE)

    def build(self):
        run("ip", "address", "add", f"{_LAB_ADDRESS}/24", "dev", _CABLE)
        run("ip", "link", "set", _CABLE, "up")
        topology.build(machines=(MACHINE,))
        return self

    def begin(self, settings):
        """Boots the machine anew, then both gateways and the branch; returns when the lab's own is Active."""
        self.cut_power()
        for router in self.here:
            self.charons[router] = Charon(router, replicated=True)
            self.gateways[router] = self.gateway(router, settings).start()
            self.charons[router].start()
            self.gateways[router].wait_for_state("Active", 60)
        self.gateways[MACHINE] = DistantGateway(settings)
        self.boot()
        self.charons["r5"] = Charon("r5").start()
        self.gateways[MACHINE].wait_for_state("Standby", 60)
        return self

    def boot(self):
        """Power comes back: the machine boots, and its services start."""
        order("boot")
        wait_until(lambda: _unless_dead(None, "live_spis") is not None, _BOOT_SECONDS, f"{MACHINE} did not boot", pause=0.2)
        self.start_services()

    def start_services(self):
        """What a node finds on its disk, and havpnd and charon."""
        for name in GATEWAYS:
            keygen(name)
        call("boot", self.gateways[MACHINE].settings, {name: system.read_text(key_path(name)) for name in GATEWAYS})

    def cut_power(self):
        """Ends the machine at once, as a pulled plug does."""
        order("cut")

    def live_spis(self, router):
        return call("live_spis") if router == MACHINE else super().live_spis(router)

    def reset(self):
        self.gateways.pop(MACHINE, None)
        super().reset()

    def keep_logs(self, name):
        target = super().keep_logs(name)
        for file_name, text in (_unless_dead({}, "logs")).items():
            with open(f"{target}/{MACHINE}-{file_name}", "w") as file:
                file.write(text)
        return target


def order(words):
    """Asks the host for something that only it can do with the machine; returns at once."""
    print(f"{ORDER}{words}", flush=True)


def main():
    router = sys.argv[1]
    # The same at every boot, and heard at once: neither the lab nor the switch must first forget the machine before it.
    run("ip", "link", "set", _CABLE, "address", topology.hardware_address(router, _CABLE))
    run("ip", "address", "add", f"{_MACHINE_ADDRESS}/24", "dev", _CABLE)
    run("ip", "link", "set", _CABLE, "up")
    run("ping", "-c", "1", "-W", "1", _LAB_ADDRESS, check=False)
    topology.become_router(router)
    serve(Node(router))


if __name__ == "__main__":
    main()
