# SPDX-License-Identifier: Apache-2.0
"""SAs with keys typed by hand between the virtual address and r5, as `ike-daemon none` replicates them."""

import re

from . import system
from .system import batch, expect, run, wait_until
from .topology import VIRTUAL_ADDRESS

PEER = "10.1.0.5"
#: Test keys: known to everybody, used nowhere.
GCM = "aead rfc4106(gcm(aes)) 0x" + "".join(f"{value:02x}" for value in range(1, 21)) + " 128"
CBC = ("auth-trunc hmac(sha256) 0x" + "".join(f"{value:02x}" for value in range(0x21, 0x41)) + " 128"
       " enc cbc(aes) 0x" + "".join(f"{value:02x}" for value in range(0x41, 0x51)))


def pair(inbound, outbound, *, algorithm=GCM, reqid=1, more="", window="replay-window 32"):
    """The two lines for `ip` that make a pair of SAs on the side of the virtual address."""
    tail = f"reqid {reqid} mode tunnel {algorithm}"
    return [
        f"xfrm state add src {PEER} dst {VIRTUAL_ADDRESS} proto esp spi {inbound:#x} {tail} {window} {more}",
        f"xfrm state add src {VIRTUAL_ADDRESS} dst {PEER} proto esp spi {outbound:#x} {tail} {window} {more}",
    ]


def policies(*, near="10.2.0.0/24", far="10.0.0.6/32", here=VIRTUAL_ADDRESS, there=PEER, reqid=1, more=""):
    """The lines for `ip` that send what lies between two networks through a tunnel."""
    out = f"tmpl src {here} dst {there} proto esp reqid {reqid} mode tunnel"
    back = f"tmpl src {there} dst {here} proto esp reqid {reqid} mode tunnel"
    return [f"xfrm policy add src {near} dst {far} dir out priority 1000 {more} {out}",
            f"xfrm policy add src {far} dst {near} dir fwd priority 1000 {more} {back}",
            f"xfrm policy add src {far} dst {near} dir in priority 1000 {more} {back}"]


def tunnel(active, *, inbound=0x1001, outbound=0x2001, **options):
    """A whole tunnel: on the active gateway and, mirrored, at r5."""
    batch(active, pair(inbound, outbound, **options) + policies())
    batch("r5", pair(inbound, outbound, **options)
          + policies(near="10.0.0.6/32", far="10.2.0.0/24", here=PEER, there=VIRTUAL_ADDRESS))


def bulk(count, *, first=0x100000):
    """Lines for `count` SAs, half of them inbound."""
    lines = []
    for number in range(count // 2):
        lines += pair(first + 2 * number, first + 2 * number + 1, reqid=10 + number)
    return lines


def states(router):
    """{(SPI, destination): text of the SA without what moves with time and traffic} with `ip -s xfrm state`."""
    found = {}
    for text in re.split(r"^(?=src )", run("ip", "-n", router, "-s", "xfrm", "state", timeout=120), flags=re.MULTILINE):
        spi = re.search(r"spi (0x[0-9a-f]+)", text)
        if spi and int(spi.group(1), 16):
            destination = text.split()[3]
            found[int(spi.group(1), 16), destination] = text
    return found


def lasting(text):
    """What two nodes' listings of an SA must share: everything but counters and times."""
    lines = []
    for line in text.splitlines():
        if any(word in line for word in ("lifetime current", "bytes)", "add 20", "add 19", "stats:", "replay-window 0 replay",
                                         "anti-replay", "lastused", "failed")):
            continue
        lines.append(re.sub(r"seq 0x[0-9a-f]+\(\d+\)|seq 0x[0-9a-f]+", "seq", line.strip()))
    return lines


def numbers(text):
    """(outbound, inbound) sequence numbers of an SA, 64 bits with ESN."""
    def number(name):
        found = re.search(rf"(?<![a-z_-]){name} (0x[0-9a-f]+)", text)
        return int(found.group(1), 16) if found else 0
    low = number("oseq"), number("seq")
    return number("oseq-hi") << 32 | low[0], number("seq_hi") << 32 | low[1]


def count(router):
    """How many SAs a router's kernel holds."""
    text = run("ip", "-n", router, "-s", "xfrm", "state", "count")
    return int(re.search(r"SAD count (\d+)", text).group(1))


def wait_for_count(router, wanted, seconds):
    """Waits until a router's kernel holds so many SAs."""
    wait_until(lambda: count(router) == wanted, seconds,
               f"{router} holds {count(router)} SAs, not {wanted}", pause=0.02)


def expect_same(active, standby):
    """Both kernels hold the same SAs and policies; the standby's outbound numbers stand ahead."""
    ours, theirs = states(active), states(standby)
    expect(set(ours) == set(theirs), f"SAs differ: {sorted(set(ours) ^ set(theirs))}")
    for key, text in ours.items():
        expect(lasting(text) == lasting(theirs[key]),
               f"SA {key} differs:\n{text}\n{theirs[key]}".replace("0x0102030405", "0x…"))
        if text.startswith(f"src {VIRTUAL_ADDRESS} "):
            sent, ahead = numbers(text)[0], numbers(theirs[key])[0]
            expect(ahead >= sent + 99_000, f"{standby} stands at {ahead} for SA {key}, {active} at {sent}")
    # What demands no tunnel is a node's own, such as the standby's bypass.
    rules = [sorted(re.sub(r"index \d+ ?|\s+", " ", text).strip() for text in
                    re.split(r"^(?=src )", run("ip", "-n", router, "xfrm", "policy"), flags=re.MULTILINE)
                    if "tmpl" in text)
             for router in (active, standby)]
    expect(rules[0] == rules[1], f"policies differ: {rules[0]}\n{rules[1]}")
