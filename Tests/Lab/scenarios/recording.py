# SPDX-License-Identifier: Apache-2.0
"""`havpnd --record`: what the machines of a real pair did, run again through the machines of this build."""

import collections
import json
import os
import shutil
import time

from havpnlab import system, topology
from havpnlab.havpn import Settings, programs
from havpnlab.runner import scenario
from havpnlab.system import expect, read_text, run, wait_until
from havpnlab.world import GATEWAYS
from scenarios.secured import tunnel_secrets

_KEY = "hello key of the recording"
_MD5 = f'interface eth1\n standby 10 authentication md5 key-string "{_KEY}"\n'


@scenario("recorded: each node's recording of a failover and the way back replays line by line, and holds no key")
def recorded(world):
    world.arguments = {router: ["--record", f"{system.RUN}/{router}/recording.jsonl"] for router in GATEWAYS}
    try:
        world.begin(Settings(timers="msec 250 msec 800", extra=_MD5), verbose=True)
        world.bring_tunnel_up()
        secrets = tunnel_secrets(world) | {"hello key": _KEY.encode()}
        topology.pull_cable("r3", "eth0")
        world.gateways["r4"].wait_for_state("Active", 10)
        time.sleep(1)
        topology.plug_cable("r3", "eth0")
        wait_until(lambda: world.gateways["r3"].state() == "Active", 40, "r3 did not take its role back", pause=0.2)
        secrets |= tunnel_secrets(world)
        counters = {router: world.gateways[router].counters() for router in GATEWAYS}
        for gateway in world.gateways.values():
            gateway.stop()
    finally:
        world.arguments = {}
    measures = []
    for router in GATEWAYS:
        path = f"{system.RUN}/{router}/recording.jsonl"
        shutil.copyfile(path, os.path.join(os.environ.get("LAB_OUT", "/tmp"), f"recording-{router}.jsonl"))
        lost = {name: count for name, count in counters[router].items() if name.startswith("recording.")}
        expect(not lost, f"{router} lost steps: {lost}")
        expect(os.stat(path).st_mode & 0o777 == 0o600, f"{path} is open to others")
        text = read_text(path)
        told = sorted(name for name, secret in secrets.items() if any(trace in text for trace in _traces(secret)))
        expect(not told, f"{router}'s recording tells {told}")
        machines = collections.Counter(json.loads(line)["machine"] for line in text.splitlines())
        expect(set(machines) == {"group eth1 10", "session", "redundancy"}, f"{router} recorded {dict(machines)}")
        with open(path) as file:
            replayed = run(f"{programs()}/havpn-simulate", "--replay", text=file.read(), timeout=60)
        expect(f"{sum(machines.values())} lines, {sum(machines.values())} the same" in replayed, replayed[-1000:])
        # A recording of which one action is another one does not replay.
        changed = text.replace('"to":"Active"', '"to":"Listen"', 1)
        expect(changed != text, f"{router} never became Active")
        refused = run(f"{programs()}/havpn-simulate", "--replay", text=changed, timeout=60, check=False)
        expect("recorded" in refused and "the same" in refused, f"a changed recording replays: {refused[-500:]}")
        measures.append(f"{router} {sum(machines.values())} lines in {len(text) // 1024} KiB")
    return ", ".join(measures)


def _traces(secret):
    """Ways in which bytes may stand in JSON."""
    return (secret.hex(), secret.decode("latin-1"), ",".join(str(octet) for octet in secret))
