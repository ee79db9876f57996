# SPDX-License-Identifier: Apache-2.0
"""HSRP's two versions and its authentication, as independent programs read them from the wire."""

import hashlib
import struct
import time

from havpnlab import capture, system, topology
from havpnlab.havpn import Settings
from havpnlab.runner import scenario
from havpnlab.system import expect, run, wait_until

_KEY = "hello key"
_MD5 = f'interface eth1\n standby 10 authentication md5 key-string "{_KEY}"\n'
_VERSION_2 = "interface eth1\n standby version 2\n"
_FAST = "msec 250 msec 800"


def _settings(extra, timers="1 3"):
    return Settings(stateful=False, ike_daemon=False, timers=timers, extra=extra)


def _start_pair(world, first, second=None):
    """The two gateways alone, each with its settings; no IKE daemon runs."""
    for router, settings in (("r3", first), ("r4", second or first)):
        world.gateways[router] = world.gateway(router, settings).start()
    return world.gateways["r3"], world.gateways["r4"]


def _hellos(seconds=3):
    """What passes at the outside switch, one dictionary of tshark's fields for each message."""
    seen = capture.Capture("sw-out", expression="udp port 1985", whole=True)
    time.sleep(seconds)
    seen.stop()
    names = ["ip.src", "ip.dst", "ip.ttl", "udp.srcport", "udp.dstport", "udp.checksum.status", "udp.payload"]
    names += [f"hsrp.{name}" for name in (
        "version", "opcode", "state", "hellotime", "holdtime", "priority", "group", "reserved", "auth_data", "virt_ip",
        "unknown_tlv")]
    names += [f"hsrp2.{name}" for name in (
        "group_state_tlv", "version", "opcode", "state", "ipversion", "group", "identifier", "priority", "hellotime",
        "holdtime", "virt_ip", "text_auth_tlv", "auth_data", "md5_auth_tlv", "md5_algorithm", "md5_padding", "md5_flags",
        "md5_key_id", "md5_auth_data")] + ["hsrp.md5_ip_address"]
    words = [word for name in names for word in ("-e", name)]
    # The switch's own view of a packet that leaves it again would show it twice.
    text = run("tshark", "-r", seen.path, "-o", "udp.check_checksum:TRUE", "-T", "fields", "-E", "separator=|",
               *words, timeout=60)
    packets = [dict(zip(names, line.split("|"))) for line in text.splitlines() if "|" in line]
    expect(packets, "no hello was seen")
    return packets


def _expect_fields(packets, expected):
    for name, value in expected.items():
        found = {packet[name] for packet in packets}
        expect(found == {value}, f"{name} is {sorted(found)} by tshark, {value!r} by the configuration")


def _digest(key, payload):
    """RFC 1828's form of MD5 over the payload with its last 16 bytes zeroed, by another implementation."""
    block = key + b"\x80" + bytes(55 - len(key)) + struct.pack("<Q", 8 * len(key))
    return hashlib.md5(block + payload[:-16] + bytes(16) + key).digest()


def _expect_digests(packets, byte_count):
    for packet in packets:
        payload = bytes.fromhex(packet["udp.payload"].replace(":", ""))
        expect(len(payload) == byte_count, f"a signed message has {len(payload)} bytes instead of {byte_count}")
        expect(payload[-16:] == _digest(_KEY.encode(), payload), f"the digest of {payload.hex()} is another one")
        expect(bytes.fromhex(packet["hsrp2.md5_auth_data"].replace(":", "")) == payload[-16:],
               "tshark reads another digest")
        expect(packet["hsrp.md5_ip_address"] == packet["ip.src"], "the digest names another sender")
    _expect_fields(packets, {
        "hsrp2.md5_auth_tlv": "4", "hsrp2.md5_algorithm": "1", "hsrp2.md5_padding": "0x00", "hsrp2.md5_flags": "0",
        "hsrp2.md5_key_id": "0", "hsrp2.text_auth_tlv": "", "hsrp2.auth_data": ""})


@scenario("tshark reads the hellos of both versions, in clear text and with MD5, as they are configured; "
          "hashlib makes the same digests", long=True)
def read_by_others(world):
    seen = {}
    for name, extra in (("1", ""), ("2", _VERSION_2), ("1 md5", _MD5), ("2 md5", _VERSION_2 + _MD5)):
        r3, r4 = _start_pair(world, _settings(extra, _FAST if name.startswith("2") else "1 3"))
        r3.wait_for_state("Active", 20)
        r4.wait_for_state("Standby", 20)
        packets = _hellos()
        version = int(name[0])
        seen[name] = len(packets)
        _expect_fields(packets, {
            "ip.ttl": "1", "udp.srcport": "1985", "udp.dstport": "1985",
            "ip.dst": "224.0.0.2" if version == 1 else "224.0.0.102"})
        expect({packet["ip.src"] for packet in packets} == {"10.1.0.3", "10.1.0.4"}, "one gateway is silent")
        # The kernel leaves the Standby's to a network card, which a switch of the lab is not.
        expect(all(packet["udp.checksum.status"] in ("1", "Good") for packet in packets
                   if packet["ip.src"] == "10.1.0.3"), "the Active's checksum is wrong")
        for number, state, priority in (("3", {1: "16", 2: "6"}, "105"), ("4", {1: "8", 2: "5"}, "100")):
            own = [packet for packet in packets if packet["ip.src"].endswith(number)]
            if version == 1:
                _expect_fields(own, {
                    "hsrp.version": "0", "hsrp.opcode": "0", "hsrp.state": state[1], "hsrp.hellotime": "1",
                    "hsrp.holdtime": "3", "hsrp.priority": priority, "hsrp.group": "10", "hsrp.reserved": "0",
                    "hsrp.unknown_tlv": "", "hsrp.auth_data": "" if "md5" in name else "cisco",
                    "hsrp.virt_ip": topology.VIRTUAL_ADDRESS})
            else:
                _expect_fields(own, {
                    "hsrp2.group_state_tlv": "1", "hsrp2.version": "2", "hsrp2.opcode": "0", "hsrp2.state": state[2], "hsrp2.ipversion": "4",
                    "hsrp2.group": "10", "hsrp2.identifier": topology.hardware_address("r" + number, "eth1"),
                    "hsrp2.priority": priority, "hsrp2.hellotime": "250", "hsrp2.holdtime": "800",
                    "hsrp2.virt_ip": topology.VIRTUAL_ADDRESS})
        if "md5" in name:
            _expect_digests(packets, 50 if version == 1 else 72)
        elif version == 2:
            _expect_fields(packets, {"hsrp2.text_auth_tlv": "3", "hsrp2.auth_data": "cisco", "hsrp2.md5_auth_tlv": ""})
        for gateway in (r3, r4):
            group = gateway.show("standby")["groups"][0]
            mac = "00:00:0c:07:ac:0a" if version == 1 else "00:00:0c:9f:f0:0a"
            expect((group["version"], group["virtualMAC"]) == (version, mac), f"`show standby` says {group}")
        world.reset()
    return ", ".join(f"version {name}: {count} messages" for name, count in seen.items())


@scenario("version 2 with MD5 and timers of 250 and 800 ms: r3 loses its outside link, the same SAs go on at r4")
def fast_takeover(world):
    world.begin(Settings(timers=_FAST, extra=_VERSION_2 + _MD5))
    world.bring_tunnel_up()
    watch = world.watch()
    time.sleep(1)
    at = topology.pull_cable("r3", "eth1")
    world.gateways["r4"].wait_for_state("Active", 20)
    watch.wait_for_ping(20, at + 0.5)
    time.sleep(2)
    watch.finish()
    watch.expect_no_sequence_errors()
    watch.expect_no_repeated_pair()
    watch.expect_same_spis()
    watch.expect_one_sender("r3", "r4", at - 1)
    expect("hello.badAuthentication" not in world.gateways["r4"].counters(), "r4 refused a signed hello of r3")
    return f"outage {watch.outage(at) * 1000:.0f} ms"


@scenario("with different keys neither node believes the other, which is counted and logged; the right key ends it")
def wrong_key(world):
    good, bad = _settings(_VERSION_2 + _MD5), _settings(_VERSION_2 + _MD5.replace(_KEY, "another key"))
    r3, r4 = _start_pair(world, good, bad)
    r3.wait_for_state("Active", 20)
    r4.wait_for_state("Active", 20)
    for gateway, other in ((r3, "10.1.0.4"), (r4, "10.1.0.3")):
        wait_until(lambda: gateway.counters().get("hello.badAuthentication", 0) > 3, 10,
                   f"{gateway.router} counts no bad authentication: {gateway.counters()}")
        lines = [line for line in gateway.log_lines() if "%HSRP-4-BADAUTH" in line]
        expect(len(lines) == 1 and f"Bad authentication from {other}, group 10, remote state" in lines[0],
               f"{gateway.router} logged {lines}")
        shown = gateway.control("show", "running-config") + gateway.control("show", "standby")
        expect("key-string <hidden>" in shown and "MD5, key-string" in shown, f"{gateway.router} shows {shown}")
        for key in (_KEY, "another key"):
            expect(key not in shown + system.read_text(gateway.log), f"{gateway.router} tells its key: {shown}")
    r4.settings = good
    r4.write_configuration()
    r4.control("reload")
    wait_until(lambda: sorted((r3.state(), r4.state())) == ["Active", "Standby"], 20,
               "with the same key the two nodes did not agree")
    return f"{r3.counters()['hello.badAuthentication']} messages refused at r3"


@scenario("a reload changes the version of a pair and back, and takes the key from a file that may come late", long=True)
def version_by_reload(world):
    r3, r4 = _start_pair(world, _settings(""))
    r3.wait_for_state("Active", 20)
    r4.wait_for_state("Standby", 20)
    file = f"interface eth1\n standby 10 authentication md5 key-file {system.RUN}/keys/hello.key\n"
    for extra, version in ((_VERSION_2, 2), ("", 1), (_VERSION_2 + file, 2)):
        for gateway in (r3, r4):
            gateway.settings = _settings(extra)
            gateway.write_configuration()
            gateway.control("reload")
        if "key-file" in extra:
            wait_until(lambda: {r3.state(), r4.state()} == {"Initial"}, 10, "a group runs without its key")
            system.run("mkdir", "-p", f"{system.RUN}/keys")
            with open(f"{system.RUN}/keys/hello.key", "w") as key:
                key.write(_KEY + "\n")
            system.run("chmod", "600", f"{system.RUN}/keys/hello.key")
        wait_until(lambda: sorted((str(r3.state()), str(r4.state()))) == ["Active", "Standby"], 30,
                   f"no pair with version {version}: {r3.state()} and {r4.state()}")
        expect(r3.show("standby")["groups"][0]["version"] == version, "the version is another one")
    _expect_digests(_hellos(), 72)
    return None
