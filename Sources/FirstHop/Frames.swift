// SPDX-License-Identifier: Apache-2.0

import ByteCodec
public import Primitives

/// Whole Ethernet frames for a packet socket, where the source must be the virtual MAC.
public enum Frames {
    private static let etherTypeIPv4: UInt16 = 0x0800
    /// The EtherType of ARP.
    public static let etherTypeARP: UInt16 = 0x0806
    private static let internetworkControl: UInt8 = 0xc0
    private static let protocolUDP: UInt8 = 17

    /// An HSRP message from `address` to its version's group with TTL 1 (RFC 2281 §5; the precedence is IOS's).
    public static func hsrp(_ message: HSRPMessage, from address: IPv4Address, sourceMAC: MACAddress) -> [UInt8] {
        let payload = message.bytes
        let destination = message.version.destination
        var frame = ByteWriter(capacity: 128)
        frame.write(bytes: message.version.destinationMAC.octets)
        frame.write(bytes: sourceMAC.octets)
        frame.write(etherTypeIPv4)
        frame.write(bytes: ipv4Header(payloadByteCount: 8 + payload.count, from: address, to: destination))
        var segment = ByteWriter(capacity: 80)
        segment.write(HSRPVersion.port)
        segment.write(HSRPVersion.port)
        segment.write(UInt16(8 + payload.count))
        segment.write(UInt16(0))
        segment.write(bytes: payload)
        var pseudo = ByteWriter(capacity: 92)
        pseudo.write(address)
        pseudo.write(destination)
        pseudo.write(UInt16(protocolUDP))
        pseudo.write(UInt16(segment.count))
        pseudo.write(bytes: segment.bytes)
        let checksum = internetChecksum(pseudo.bytes)
        // A computed zero is sent as all ones: zero means "none" (RFC 768).
        let sent = checksum == 0 ? 0xffff : checksum
        segment.overwrite(at: 6, with: sent)
        frame.write(bytes: segment.bytes)
        return frame.bytes
    }

    private static func ipv4Header(
        payloadByteCount: Int, from address: IPv4Address, to destination: IPv4Address
    ) -> [UInt8] {
        var header = ByteWriter(capacity: 20)
        header.write(UInt8(0x45))
        header.write(internetworkControl)
        header.write(UInt16(20 + payloadByteCount))
        header.write(UInt32(0))
        header.write(UInt8(1))
        header.write(protocolUDP)
        header.write(UInt16(0))
        header.write(address)
        header.write(destination)
        let checksum = internetChecksum(header.bytes)
        header.overwrite(at: 10, with: checksum)
        return header.bytes
    }

    /// Which of the two forms a gratuitous ARP takes; different neighbours believe different ones.
    public enum ARPForm: UInt16, Sendable, CaseIterable {
        /// An ARP request for the sender's own address.
        case request = 1
        /// An unasked ARP reply, RFC 2281's form.
        case reply = 2
    }

    /// A gratuitous ARP frame that binds `address` to `mac`, sent from `mac` to everybody.
    public static func gratuitousARP(_ form: ARPForm, address: IPv4Address, mac: MACAddress) -> [UInt8] {
        arp(
            form, sender: (mac, address), target: (form == .request ? MACAddress(0) : MACAddress.broadcast, address))
    }

    /// An ARP request for a neighbour's MAC, sent to everybody.
    public static func arpRequest(for neighbour: IPv4Address, from address: IPv4Address, mac: MACAddress) -> [UInt8] {
        arp(.request, sender: (mac, address), target: (MACAddress(0), neighbour))
    }

    private static func arp(
        _ form: ARPForm, sender: (mac: MACAddress, address: IPv4Address),
        target: (mac: MACAddress, address: IPv4Address)
    ) -> [UInt8] {
        var frame = ByteWriter(capacity: 42)
        frame.write(bytes: MACAddress.broadcast.octets)
        frame.write(bytes: sender.mac.octets)
        frame.write(etherTypeARP)
        frame.write(UInt16(1))
        frame.write(etherTypeIPv4)
        frame.write(UInt8(6))
        frame.write(UInt8(4))
        frame.write(form.rawValue)
        frame.write(bytes: sender.mac.octets)
        frame.write(sender.address)
        frame.write(bytes: target.mac.octets)
        frame.write(target.address)
        return frame.bytes
    }

    /// Whether a frame is an ARP reply in which the neighbour tells its MAC.
    public static func isARPReply(_ frame: [UInt8], from neighbour: IPv4Address) -> Bool {
        var reader = ByteReader(frame)
        guard (try? reader.skip(12)) != nil, (try? reader.read(UInt16.self)) == etherTypeARP,
            (try? reader.read(UInt16.self)) == 1, (try? reader.read(UInt16.self)) == etherTypeIPv4,
            (try? reader.read(UInt16.self)) == 6 << 8 | 4, (try? reader.read(UInt16.self)) == ARPForm.reply.rawValue,
            (try? reader.skip(6)) != nil, let sender = try? reader.readIPv4()
        else { return false }
        return sender == neighbour
    }
}
