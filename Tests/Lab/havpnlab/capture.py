# SPDX-License-Identifier: Apache-2.0
"""Packet capture by tcpdump, and a small reader of what it wrote."""

import collections
import dataclasses
import ipaddress
import os
import re
import struct
import time

from . import system
from .system import run, spawn, wait_until

_MAGIC = {0xA1B2C3D4: 1_000_000, 0xA1B23C4D: 1_000_000_000}
_ETHERNET, _COOKED = 1, 276


@dataclasses.dataclass
class Packet:
    """One captured packet; `at` is on the monotonic clock in seconds, `port` the switch's port it came in by."""
    at: float
    port: str | None
    hardware_source: str
    kind: str
    source: str
    destination: str
    spi: int = 0
    sequence: int = 0
    detail: int = 0


class Capture:
    """Everything that enters one interface, or every port of a switch, until it is stopped."""

    def __init__(self, namespace, interface="any", *, expression="esp or arp or icmp or icmp6 or udp", whole=False):
        self.namespace, self.interface = namespace, interface
        self.path = f"{system.RUN}/{namespace}-{interface}-{time.monotonic_ns()}.pcap"
        self.ports = {}
        for line in run("ip", "-n", namespace, "-o", "link", "show").splitlines():
            index, name = line.split(":")[:2]
            self.ports[int(index)] = name.strip().split("@")[0]
        # tcpdump divides its buffer (the second number, KiB) into places as long as the longest packet it may keep.
        length, buffer = ("16384", "65536") if whole else ("144", "4096")
        self.process = spawn(
            ["tcpdump", "-i", interface, "-Q", "in", "-n", "-U", "-s", length, "-B", buffer, "-Z", "root",
             "--immediate-mode", "--time-stamp-precision=nano", "-w", self.path, expression],
            log=self.path + ".log", namespace=namespace)
        wait_until(lambda: os.path.exists(self.path) and os.path.getsize(self.path) >= 24, 10,
                   f"tcpdump in {namespace} did not start")

    def stop(self):
        """Ends the capture and returns its packets in order of time."""
        time.sleep(0.1)
        system.end(self.process, signal_number=2)
        return self.packets()

    def lost(self):
        """How many packets tcpdump did not get; known when it has stopped."""
        found = re.search(r"^(\d+) packets dropped by kernel", system.read_text(self.path + ".log"), re.MULTILINE)
        return int(found.group(1)) if found else 0

    def packets(self):
        # What a switch delivers to itself would be counted twice.
        packets = (packet for packet in read_packets(self.path, self.ports) if packet.port != "br0")
        return sorted(packets, key=lambda packet: packet.at)


def read_packets(path, ports=None):
    """Reads a pcap file of Ethernet or cooked packets; what is neither ARP nor IP is left out."""
    # No time service runs in the lab, so one difference holds between the two clocks.
    offset = time.time() - time.monotonic()
    with open(path, "rb") as file:
        data = file.read()
    magic, link = struct.unpack_from("=I", data)[0], struct.unpack_from("=I", data, 20)[0]
    divisor = _MAGIC[magic]
    position = 24
    while position + 16 <= len(data):
        seconds, fraction, length = struct.unpack_from("=III", data, position)
        position += 16
        frame = data[position:position + length]
        position += length
        if len(frame) < length:
            break
        packet = _decode(seconds + fraction / divisor - offset, frame, link, ports or {})
        if packet:
            yield packet


def udp_payloads(path):
    """(monotonic seconds, payload) of each packet of a capture of UDP over IPv4 on one interface, taken whole."""
    offset = time.time() - time.monotonic()
    with open(path, "rb") as file:
        data = file.read()
    position = 24
    while position + 16 <= len(data):
        seconds, fraction, length = struct.unpack_from("=III", data, position)
        body = data[position + 16 + 14:position + 16 + length]
        position += 16 + length
        yield seconds + fraction / 1e9 - offset, body[(body[0] & 15) * 4 + 8:]


def _decode(at, frame, link, ports):
    port = None
    if link == _COOKED:
        if len(frame) < 20:
            return None
        kind, index, address, body = (
            struct.unpack_from("!H", frame)[0], struct.unpack_from("!I", frame, 4)[0], frame[12:18], frame[20:])
        port = ports.get(index)
    elif link == _ETHERNET:
        if len(frame) < 14:
            return None
        kind, address, body = struct.unpack_from("!H", frame, 12)[0], frame[6:12], frame[14:]
    else:
        return None
    source = address.hex(":")
    if kind == 0x0806 and len(body) >= 28:
        return Packet(at, port, source, "arp", _address(body[14:18]), _address(body[24:28]),
                      detail=struct.unpack_from("!H", body, 6)[0])
    if kind == 0x0800 and len(body) >= 20:
        header, protocol = (body[0] & 15) * 4, body[9]
        addresses, payload = (_address(body[12:16]), _address(body[16:20])), body[header:]
    elif kind == 0x86DD and len(body) >= 40:
        protocol, payload = body[6], body[40:]
        addresses = tuple(str(ipaddress.IPv6Address(body[at:at + 16])) for at in (8, 24))
    else:
        return None
    if protocol == 50 and len(payload) >= 8:
        spi, sequence = struct.unpack_from("!II", payload)
        return Packet(at, port, source, "esp", *addresses, spi=spi, sequence=sequence)
    if protocol == 58 and len(payload) >= 24:
        target = str(ipaddress.IPv6Address(payload[8:24])) if payload[0] in (135, 136) else None
        return Packet(at, port, source, "icmp6", addresses[0], target or addresses[1], detail=payload[0])
    if protocol == 1 and len(payload) >= 8:
        return Packet(at, port, source, "icmp", *addresses, detail=payload[0],
                      sequence=struct.unpack_from("!H", payload, 6)[0])
    if protocol == 17 and len(payload) >= 8:
        return Packet(at, port, source, "udp", *addresses, detail=struct.unpack_from("!H", payload, 2)[0])
    return None


def _address(octets):
    return ".".join(str(octet) for octet in octets)


def esp_from(packets, port):
    """The ESP packets that a gateway put on the wire by itself."""
    return [packet for packet in packets if packet.kind == "esp" and packet.port == port]


def repeated_pairs(packets):
    """(SPI, sequence) pairs that were seen more than once."""
    counts = collections.Counter(
        (packet.spi, packet.sequence) for packet in packets if packet.kind == "esp" and packet.sequence)
    return sorted(pair for pair, count in counts.items() if count > 1)


def late_packets(packets, old, new, after):
    """ESP of the old sender after the first of the new one, both later than `after`."""
    first = next((packet.at for packet in esp_from(packets, new) if packet.at >= after), None)
    if first is None:
        return []
    return [packet for packet in esp_from(packets, old) if packet.at > first]


def first_esp_after(packets, port, after):
    """Seconds from `after` to the first ESP packet of a gateway, or None."""
    return next((packet.at - after for packet in esp_from(packets, port) if packet.at >= after), None)
