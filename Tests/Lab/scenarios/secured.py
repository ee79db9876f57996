# SPDX-License-Identifier: Apache-2.0
"""The association between known keys: who gets in, who does not, and what a listener on the wire learns."""

import glob
import os
import re
import time

from havpnlab import manual, system
from havpnlab.capture import Capture
from havpnlab.havpn import Settings, keygen
from havpnlab.runner import scenario
from havpnlab.system import batch, expect, read_text, run, wait_until
from havpnlab.world import GATEWAYS

PSK = b"only the lab knows it"


@scenario("secured: each node shows the other's key, and the pair fails over")
def shown(world):
    world.begin()
    world.bring_tunnel_up()
    views = {name: gateway.show("ipc", "association")["association"] for name, gateway in world.gateways.items()}
    expect(all(view["secured"] for view in views.values()), f"the association is not secured: {views}")
    expect(views["r3"]["identity"] == views["r4"]["peerIdentity"] == keygen("r3"), "r3 is not known by its own key")
    expect(views["r4"]["identity"] == views["r3"]["peerIdentity"] == keygen("r4"), "r4 is not known by its own key")
    watch = world.watch()
    time.sleep(1)
    at = time.monotonic()
    world.gateways["r3"].control("switchover", timeout=20)
    world.gateways["r4"].wait_for_state("Active", 10)
    watch.wait_for_ping(20, at + 0.5)
    watch.finish()
    watch.expect_same_spis()
    watch.expect_no_sequence_errors()
    times = [line for line in world.gateways["r3"].log_lines() if "TLS" in line]
    return times[-1].split(": ", 1)[-1][:60] if times else ""


@scenario("secured: an unknown key gets nothing, is named and counted; one line and a reload let it in, and out again")
def stranger(world):
    world.begin(Settings(timers="1 3", keys={"r4": "stranger"}))
    r3, r4 = world.gateways["r3"], world.gateways["r4"]
    fingerprint = keygen("stranger")
    wait_until(lambda: r3.counters().get("tls.unknownPeer", 0) >= 3, 20, f"r3 refused nobody: {r3.counters()}")
    time.sleep(3)
    lines = [line for line in r3.log_lines() if "%TLS-4-REFUSED" in line and fingerprint in line]
    expect(len(lines) == 1, f"the stranger's key stands in {len(lines)} lines of r3's log")
    advice = [line for line in r4.log_lines() if "%TLS-4-REFUSED" in line and f"`security peer {fingerprint}`" in line]
    expect(len(advice) == 1, f"r4's log says {len(advice)} times what r3's configuration needs")
    expect(r4.redundancy()[1] is None, f"r4 knows of its peer: {r4.redundancy()}")
    expect(not any(name.startswith("session.") for name in r4.counters()), f"r4 has heard frames: {r4.counters()}")
    expect(fingerprint in (r3.show("ipc", "association")["association"]["detail"] or ""),
           "`show ipc association` does not name the stranger")

    r3.settings.known["r3"] = ["r4", "stranger"]
    reload(r3)
    world.bring_tunnel_up()
    r3.settings.known["r3"] = ["stranger"]
    reload(r3)
    time.sleep(2)
    expect(r3.show("ipc", "association")["association"]["established"] == 1, "a key that nobody used ended a session")

    # The key that r4 uses goes: the session ends, and no new one comes until r4 shows the other one.
    r3.settings.known["r3"] = ["r4"]
    at = time.monotonic()
    reload(r3)
    wait_until(lambda: not r3.show("ipc", "association")["association"]["secured"], 5, "the session did not end")
    ended = time.monotonic() - at
    r4.settings.keys["r4"] = "r4"
    reload(r4)
    world.wait_for_hot()
    return f"{len(lines)} line; a removed key's session ended after {ended * 1000:.0f} ms"


@scenario("secured: a key file that is missing or open to others is named, and found when it is right")
def missing(world):
    settings = Settings(timers="1 3", keys={"r3": "late"})
    path = settings.key_path("r3")
    if os.path.exists(path):
        os.unlink(path)
    world.begin(settings, routers=("r3",))
    r3 = world.gateways["r3"]
    expect("does not exist" in r3.control("show", "redundancy"), "`show redundancy` does not name the missing file")
    fingerprint = keygen("late")
    os.chmod(path, 0o644)
    wait_until(lambda: "others may open it (mode 0644)" in r3.control("show", "redundancy"), 5,
               "`show redundancy` does not name the file's mode")
    os.chmod(path, 0o600)
    at = time.monotonic()
    wait_until(lambda: r3.show("ipc", "association")["association"]["identity"] == fingerprint, 5,
               "the right file was not found")
    found = time.monotonic() - at
    expect(sum("%TLS-3-IDENTITY" in line for line in r3.log_lines()) == 2, "the log does not have one line for each")
    expect(r3.state() == "Active", "r3 is not Active without a peer")
    return f"found after {found:.1f} s"


@scenario("secured: a node without TLS and one with it say what they miss in each other")
def mixed(world):
    world.begin(Settings(timers="1 3", unsecured=("r4",)))
    r3, r4 = world.gateways["r3"], world.gateways["r4"]
    wait_until(lambda: r3.counters().get("tls.malformed", 0) or r3.counters().get("tls.timeout", 0), 20,
               f"r3 did not notice: {r3.counters()}")
    wait_until(lambda: any("security none" in line for line in r4.log_lines() + r3.log_lines()), 10,
               "no log names the statement")
    expect(r3.redundancy()[1] is None and r4.redundancy()[1] is None, "a session came up")


@scenario("secured: no secret of a tunnel is on the wire, in a log or on a screen; with `security none` all are", long=True)
def listener(world):
    measures = []
    for unsecured in ((), ("r3", "r4")):
        captures = listen()
        world.begin(Settings(timers="1 3", unsecured=unsecured), version=1, verbose=True)
        world.bring_tunnel_up()
        secrets = tunnel_secrets(world)
        # Whatever is replicated later, too: a rekey.
        world.charons["r5"].rekey_child()
        time.sleep(3)
        secrets |= tunnel_secrets(world)
        expect(len(secrets) >= 6, f"only {len(secrets)} secrets are known to look for")
        found, byte_count = search(world, captures, secrets)
        if unsecured:
            # charon's records hold what keys are made of; ESP keys themselves never travel.
            expect("psk" in found and any(name.startswith("shared") for name in found),
                   f"the search finds only {found} in clear text: it proves nothing")
        else:
            expect(not found, f"on the wire in clear: {found}")
        measures.append(f"{len(found)} of {len(secrets)} secrets in {byte_count // 1024} KiB")
        world.reset()
    return f"with TLS {measures[0]}, without {measures[1]}"


@scenario("secured: no key of a kernel SA is on the wire, in a log or on a screen; with `security none` they are",
          long=True)
def kernel_listener(world):
    measures = []
    for unsecured in ((), ("r3", "r4")):
        captures = listen()
        settings = Settings(timers="1 3", ike_daemon=False, unsecured=unsecured)
        for router in GATEWAYS:
            world.gateways[router] = world.gateway(router, settings).start()
        world.gateways["r3"].wait_for_state("Active", 60)
        lines, secrets = [], {}
        for number in range(40):
            key = os.urandom(20)
            secrets[f"ESP {number}"] = key
            lines += manual.pair(0x1000 + 2 * number, 0x1001 + 2 * number, reqid=1 + number,
                                 algorithm=f"aead rfc4106(gcm(aes)) 0x{key.hex()} 128")
        batch("r3", lines)
        manual.wait_for_count("r4", len(lines), 20)
        # A copy tells everything a second time.
        world.gateways["r4"].kill("replication")
        wait_until(lambda: world.gateways["r3"].redundancy() == ("ACTIVE", "STANDBY HOT"), 30, "r4 is not HOT", pause=0.3)
        found, byte_count = search(world, captures, secrets)
        if unsecured:
            # A key that two packets share is not found as it stands.
            expect(len(found) > len(secrets) // 2, f"the search finds only {len(found)} keys in clear text: it proves nothing")
        else:
            expect(not found, f"on the wire in clear: {found}")
        measures.append(f"{len(found)} of {len(secrets)} keys in {byte_count // 1024} KiB")
        world.reset()
    return f"with TLS {measures[0]}, without {measures[1]}"


def listen():
    """Captures of the association on both of its wires."""
    return [Capture(switch, expression="ip proto 132", whole=True) for switch in ("sw-out", "sw-sync")]


def search(world, captures, secrets):
    """(names of the secrets on the wire, bytes searched); fails if a log or screen shows one."""
    screens = [gateway.control(*words) for gateway in world.gateways.values() for words in SCREENS]
    wire = b""
    for capture in captures:
        capture.stop()
        with open(capture.path, "rb") as file:
            wire += file.read()
    expect(len(wire) > 20_000, f"only {len(wire)} bytes of the association were seen")
    told = "\n".join(screens + [read_text(gateway.log) for gateway in world.gateways.values()]).lower()
    packed = told.replace(" ", "")
    spilled = sorted(name for name, secret in secrets.items()
                     if secret.hex() in packed or secret.decode("latin-1").lower() in told)
    expect(not spilled, f"in logs or on screens: {spilled}")
    key = "".join(read_text(path) for path in glob.glob(f"{system.RUN}/keys/*.pem"))
    for line in key.splitlines():
        expect(len(line) < 40 or line.lower() not in told, "a line of a key file stands in a log or on a screen")
    return sorted(name for name, secret in secrets.items() if secret in wire), len(wire)


SCREENS = (
    ("show", "redundancy"), ("show", "ipc", "association"), ("show", "crypto", "isakmp", "sa"),
    ("show", "crypto", "ipsec", "sa"), ("show", "crypto", "session", "detail"), ("show", "counters"),
    ("show", "logging"), ("show", "running-config"), ("show", "running-config", "secrets"), ("metrics",),
)


def tunnel_secrets(world):
    """{name: bytes} of what must stay secret: ESP keys of every kernel, and what charon logs at its loudest."""
    secrets = {"psk": PSK}
    for router in ("r3", "r4", "r5"):
        for line in run("ip", "-n", router, "xfrm", "state").splitlines():
            key = re.search(r"(?:enc|auth|auth-trunc|aead) \S+ 0x([0-9a-f]{32,})", line)
            if key:
                secrets[f"ESP {key.group(1)[:8]}"] = bytes.fromhex(key.group(1))
    text = read_text(world.charons["r3"].log)
    for match in re.finditer(r"(shared Diffie Hellman secret|SKEYID_d|SKEYID_e) => (\d+) bytes[^\n]*\n((?:.*: (?:[0-9A-F]{2} )+.*\n)+)",
                             text):
        octets = "".join("".join(re.findall(r"\b[0-9A-F]{2}\b", re.search(r"\d+: ((?:[0-9A-F]{2} ){1,16})", line).group(1)))
                         for line in match.group(3).splitlines())
        secret = bytes.fromhex(octets)[:int(match.group(2))]
        secrets[f"{match.group(1).split()[0]} {secret[:4].hex()}"] = secret
    return secrets


def reload(gateway):
    gateway.write_configuration()
    gateway.control("reload")
