# SPDX-License-Identifier: Apache-2.0
"""Traffic through the tunnel and what became of it."""

import dataclasses
import os
import sys
import time

from . import system
from .system import inside, run, spawn, wait_until
from .topology import hardware_address


@dataclasses.dataclass
class Echo:
    """One echo request; times are monotonic seconds, `answered` is None for a lost one."""
    sequence: int
    sent: float
    answered: float | None


class Pinger:
    """Echo requests from r6 to r2 in the background."""

    _identifiers = iter(range(0x1000, 0xFFFF))

    def __init__(self, *, interval_milliseconds=10, style="steady", source="r6", target="10.2.0.2"):
        self.identifier = next(Pinger._identifiers)
        self.log = f"{system.RUN}/ping-{self.identifier}.log"
        self.interval_milliseconds, self.style = interval_milliseconds, style
        self.process = spawn(
            [sys.executable, os.path.join(os.path.dirname(__file__), "pinger.py"), target, style,
             interval_milliseconds, self.log, self.identifier], log=self.log + ".err", namespace=source)

    def stop(self):
        """Stops sending, waits for late answers and returns the echoes in order."""
        system.end(self.process)
        return self.echoes()

    def echoes(self):
        """The echoes so far."""
        sent, answered = {}, {}
        for line in system.read_text(self.log).splitlines():
            words = line.split()
            if len(words) == 3 and words[0] in "SR":
                (sent if words[0] == "S" else answered).setdefault(int(words[1]), float(words[2]))
        return [Echo(number, at, answered.get(number)) for number, at in sorted(sent.items())]

    def wait_for_answer(self, seconds=20, after=None):
        """Waits until an echo sent after the monotonic time `after` was answered."""
        start = time.monotonic() if after is None else after
        wait_until(lambda: any(echo.answered and echo.sent >= start for echo in self.echoes()[-500:]), seconds,
                   "no ping from r6 to r2 was answered")


def lost(echoes, start=None, stop=None):
    """How many of the echoes sent between two times were never answered."""
    return sum(1 for echo in echoes if echo.answered is None
               and (start is None or echo.sent >= start) and (stop is None or echo.sent < stop))


def longest_outage(echoes, start, stop):
    """(seconds, from, to): the longest time without an answered request among those sent in a span of time.

    Counted from the first request that was lost to the first one after it that was answered.
    """
    best, began = (0.0, start, start), None
    for echo in echoes:
        if echo.sent < start or echo.sent >= stop:
            continue
        if echo.answered is None:
            began = echo.sent if began is None else began
        elif began is not None:
            if echo.sent - began > best[0]:
                best = (echo.sent - began, began, echo.sent)
            began = None
    if began is not None and stop - began > best[0]:
        best = (stop - began, began, stop)
    return best


def bitmap(echoes, width=70):
    """The echoes as the seed prints them: `!` answered, `.` lost."""
    marks = "".join("!" if echo.answered is not None else "." for echo in echoes)
    return "\n".join(marks[index:index + width] for index in range(0, len(marks), width))


class Injector:
    """UDP packets for the branch, put on the wire from r2's port to a gateway's, whatever r2's routes say."""

    def __init__(self, gateway, *, interval_milliseconds=2):
        log = f"{system.RUN}/injector.log"
        open(log, "w").close()
        self.process = spawn(
            [sys.executable, os.path.join(os.path.dirname(__file__), "injector.py"), "eth0",
             hardware_address(gateway, "eth0"), hardware_address("r2", "eth0"), interval_milliseconds],
            log=log, namespace="r2")
        wait_until(lambda: "sending" in system.read_text(log), 10, "the injector does not send")

    def stop(self):
        system.end(self.process)


def sequence_errors(router="r5"):
    """XfrmInStateSeqError: packets that a peer refused because their sequence number was old or seen."""
    return xfrm_statistics(router)["XfrmInStateSeqError"]


def xfrm_statistics(router):
    """All counters of /proc/net/xfrm_stat in a namespace."""
    with inside(router):
        text = system.read_text("/proc/thread-self/net/xfrm_stat")
    return {name: int(value) for name, value in (line.split() for line in text.splitlines())}


def security_associations(router):
    """{SPI: (source, destination, outbound sequence)} as the kernel of a router holds them."""
    found, current = {}, None
    for line in run("ip", "-n", router, "-s", "xfrm", "state").splitlines():
        words = line.split()
        if line.startswith("src "):
            current = (words[1], words[3])
        elif words[:2] == ["proto", "esp"] and current:
            spi = words[3].split("(")[0]
            found[spi] = (*current, 0)
            last = spi
        elif "oseq" in words and current and found:
            value = words[words.index("oseq") + 1].rstrip(",")
            found[last] = (*found[last][:2], int(value, 16))
    return found


def live_spis(router):
    """The SPIs of a router's ESP SAs that carry keys (larval ones have SPI 0)."""
    return {spi for spi in security_associations(router) if int(spi, 16) != 0}
