#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The same cable broken without and with `stateful`; `scripts/demo` runs it in the lab.

Writes report.md, outage.svg and logs to $LAB_OUT. Ends with 0 only if the stateful run met its promises.
"""

import os
import sys
import time
import traceback

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from havpnlab import picture, takeover, traffic  # noqa: E402
from havpnlab.havpn import Settings  # noqa: E402
from havpnlab.system import Failure, expect  # noqa: E402
from havpnlab.world import World  # noqa: E402

OUT = os.environ.get("LAB_OUT", "/tmp")
SEED = {"stateless, away": 39, "stateless, back": 41, "stateful, away": 26}
_report = []


def say(text=""):
    """Prints to the terminal and to the report."""
    print(text, flush=True)
    _report.append(text)


def block(title, text):
    """A screen: what was typed, then what came back."""
    print(f"\n{title}\n{text.rstrip()}", flush=True)
    _report.extend(["", "```", title, text.rstrip(), "```"])


def screens(world, heading, stateful):
    """The screens of both gateways, and r2's route."""
    say(f"\n### {heading}")
    commands = ["show standby", "show crypto isakmp sa", "show crypto session detail"]
    if stateful:
        commands.append("show redundancy states")
    for router in ("r3", "r4"):
        for command in commands:
            block(f"{router}# {command}", world.gateways[router].control(*command.split(), check=False))
    block("r2# show ip route", "\n".join(
        line for line in world.routing["r2"].show("show ip route").splitlines() if "10." in line))


def tell(leg, width=70):
    """The ping of IOS's kind and the measures."""
    say(f"\n`r6# ping 10.2.0.2` while the role went from {leg.old} to {leg.new}:")
    block("Type escape sequence to abort.", traffic.bitmap(leg.seed_echoes, width))
    answered = sum(echo.answered is not None for echo in leg.seed_echoes)
    say(f"Success rate is {100 * answered // max(len(leg.seed_echoes), 1)} percent "
        f"({answered}/{len(leg.seed_echoes)}); outage {leg.outage:.0f} ms; "
        f"first ESP of {leg.new} {show(leg.first_esp)}; sequence errors at r5: {leg.sequence_errors}")


def show(milliseconds):
    return "never" if milliseconds is None else f"{milliseconds:.0f} ms"


def experiment(world, stateful):
    """One run there and back; returns its two legs."""
    name = "stateful" if stateful else "stateless"
    say(f"\n## The {name} run")
    world.begin(Settings(stateful=stateful, delay_up_seconds=20))
    world.bring_tunnel_up()
    screens(world, "Before: r3 is Active", stateful)
    if stateful:
        expect(world.gateways["r4"].session().get("status") == "UP-STANDBY", "r4 does not show UP-STANDBY before")
        screen = world.gateways["r4"].show("crypto", "isakmp", "sa")["isakmpSAs"]
        expect(screen and screen[0]["status"] == "STDBY", "r4's IKE SA is not STDBY before")
    print("\nr3 loses its inside link …", flush=True)
    leg = takeover.away(world)
    if stateful:
        takeover.keep_promises(leg, first_esp_milliseconds=50)
        leg.check(lambda: world.gateways["r4"].wait_for_session("UP-ACTIVE"))
    tell(leg)
    screens(world, "After: r4 is Active", stateful)
    if stateful:
        leg.check(lambda: takeover.rekey(world, "r4"))
    print("\nthe link comes back …", flush=True)
    returned = takeover.back(world)
    if stateful:
        takeover.keep_promises(returned)
    tell(returned)
    screens(world, "At the end: r3 is Active again", stateful)
    if stateful:
        returned.check(lambda: takeover.rekey(world, "r3"))
    world.keep_logs(f"logs-{name}")
    world.reset()
    return [(f"{name}, away", leg), (f"{name}, back", returned)]


def table(runs):
    say("\n## The comparison\n")
    say("| | lost, Cisco IOS | lost, havpn | outage | first ESP of the new node | sequence errors at r5 "
        "| lost of 100/s |")
    say("|---|---:|---:|---:|---:|---:|---:|")
    for title, leg in runs:
        say(f"| {title} | {SEED.get(title, '–')} | {leg.lost_as_seed} | {leg.outage:.0f} ms | {show(leg.first_esp)} "
            f"| {leg.sequence_errors} | {leg.lost_steady} |")
    say("\nThe `ping` of IOS waits 2 s for each lost answer and so does ours in the first two columns; the outage is "
        "measured by a second ping every 10 ms. Without `stateful` the tunnel returns when r5's dead peer detection "
        "(10 s and six tries of 2 s, as `crypto isakmp keepalive 10 periodic`) has given up and built it anew.")


def main():
    started = time.monotonic()
    say("# r3 fails, r4 goes on")
    world = World().build()
    runs, broken = [], []
    for stateful in (False, True):
        try:
            runs += experiment(world, stateful)
        except Exception as failure:
            name = "stateful" if stateful else "stateless"
            broken.append(f"the {name} run could not be finished: {failure}")
            if not isinstance(failure, Failure):
                traceback.print_exc(file=sys.stdout)
            world.keep_logs(f"logs-{name}")
            world.reset()
    if runs:
        table(runs)
        with open(f"{OUT}/outage.svg", "w") as file:
            file.write(picture.draw(runs, SEED))
        say("\n![every ping](outage.svg)")
    broken += [f"{title}: {sentence}" for title, leg in runs for sentence in leg.failures]
    say("\n## Promises of the stateful run\n")
    for sentence in broken:
        say(f"- broken: {sentence}")
    if not broken:
        say("All kept: the same SPIs on both nodes, no sequence error, no pair of SPI and sequence number twice, one "
            "sender at any time, first ESP within 50 ms, whole again within 2 s, rekeys by both ends, there and back.")
    say(f"\nThe demonstration took {time.monotonic() - started:.0f} s.")
    with open(f"{OUT}/report.md", "w") as file:
        file.write("\n".join(_report) + "\n")
    world.destroy()
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
