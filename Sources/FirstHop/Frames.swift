// SPDX-License-Identifier: Apache-2.0

import ByteCodec
public import Primitives

/// Whole Ethernet frames for a packet socket, where the source must be the virtual MAC.
public enum Frames {
    private static let etherTypeIPv4: UInt16 = 0x0800
    /// The EtherType of ARP.
    public static let etherTypeARP: UInt16 = 0x0806
    private static let etherTypeIPv6: UInt16 = 0x86dd
    private static let internetworkControl: UInt8 = 0xc0
    private static let protocolUDP: UInt8 = 17
    private static let protocolICMPv6: UInt8 = 58

    /// An HSRP message from `address` to its version's group; IPv4 with TTL 1 (RFC 2281 §5), IPv6 with hop limit 255.
    ///
    /// The precedence is IOS's.
    public static func hsrp(_ message: HSRPMessage, from address: IPAddress, sourceMAC: MACAddress) -> [UInt8] {
        let payload = message.bytes
        let port = HSRPVersion.port(address.family)
        var segment = ByteWriter(capacity: 80)
        segment.write(port)
        segment.write(port)
        segment.write(UInt16(8 + payload.count))
        segment.write(UInt16(0))
        segment.write(bytes: payload)
        return frame(
            segment.bytes, checksumAt: 6, protocolUDP, from: address,
            to: message.version.destination(address.family), sourceMAC: sourceMAC)
    }

    /// A frame around an upper layer's packet, whose checksum over itself and a pseudo header is filled in.
    private static func frame(
        _ payload: [UInt8], checksumAt position: Int, _ protocolNumber: UInt8, from source: IPAddress,
        to destination: IPAddress, sourceMAC: MACAddress
    ) -> [UInt8] {
        var pseudo = ByteWriter(capacity: 128)
        pseudo.write(bytes: source.octets)
        pseudo.write(bytes: destination.octets)
        // IPv6 writes both in 32 bits (RFC 8200 §8.1), which sums up to the same.
        pseudo.write(UInt16(protocolNumber))
        pseudo.write(UInt16(payload.count))
        pseudo.write(bytes: payload)
        let checksum = internetChecksum(pseudo.bytes)
        // A computed zero is sent as all ones: zero means "none" (RFC 768).
        let sent = checksum == 0 ? 0xffff : checksum
        var body = ByteWriter(capacity: payload.count)
        body.write(bytes: payload)
        body.overwrite(at: position, with: sent)
        var frame = ByteWriter(capacity: 160)
        frame.write(bytes: destination.multicastMAC.octets)
        frame.write(bytes: sourceMAC.octets)
        switch (source, destination) {
        case (.ipv4(let source), .ipv4(let destination)):
            frame.write(etherTypeIPv4)
            frame.write(bytes: ipv4Header(payloadByteCount: payload.count, from: source, to: destination))
        default:
            frame.write(etherTypeIPv6)
            frame.write(UInt32(0x6000_0000) | UInt32(internetworkControl) << 20)
            frame.write(UInt16(payload.count))
            frame.write(protocolNumber)
            frame.write(UInt8(255))
            frame.write(bytes: source.octets)
            frame.write(bytes: destination.octets)
        }
        frame.write(bytes: body.bytes)
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

    /// What binds `address` to `mac` at everybody on the segment: both forms of gratuitous ARP, or a Neighbour
    /// Advertisement.
    public static func announcements(of address: IPAddress, mac: MACAddress) -> [[UInt8]] {
        switch address {
        case .ipv4(let address): ARPForm.allCases.map { gratuitousARP($0, address: address, mac: mac) }
        case .ipv6(let address): [neighbourAdvertisement(address, mac: mac)]
        }
    }

    /// Which of the two forms a gratuitous ARP takes; different neighbours believe different ones.
    enum ARPForm: UInt16, Sendable, CaseIterable {
        /// An ARP request for the sender's own address.
        case request = 1
        /// An unasked ARP reply, RFC 2281's form.
        case reply = 2
    }

    /// A gratuitous ARP frame that binds `address` to `mac`, sent from `mac` to everybody.
    static func gratuitousARP(_ form: ARPForm, address: IPv4Address, mac: MACAddress) -> [UInt8] {
        arp(
            form, sender: (mac, address), target: (form == .request ? MACAddress(0) : MACAddress.broadcast, address))
    }

    /// An ARP request for a neighbour's MAC, sent to everybody.
    public static func arpRequest(for neighbour: IPv4Address, from address: IPv4Address, mac: MACAddress) -> [UInt8] {
        arp(.request, sender: (mac, address), target: (MACAddress(0), neighbour))
    }

    /// An ARP probe (RFC 5227): who has that address, asked by somebody without one, which everybody answers who has it.
    public static func arpProbe(for address: IPv4Address, mac: MACAddress) -> [UInt8] {
        arp(.request, sender: (mac, .any), target: (MACAddress(0), address))
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

    /// An unasked Neighbour Advertisement to all nodes: a router's, overriding what they have (RFC 4861 §4.4, §7.2.6).
    static func neighbourAdvertisement(_ address: IPv6Address, mac: MACAddress) -> [UInt8] {
        let advertisement: UInt8 = 136
        let isRouter: UInt32 = 0x8000_0000
        let overrides: UInt32 = 0x2000_0000
        let targetLinkLayerAddress: UInt8 = 2
        var packet = ByteWriter(capacity: 32)
        packet.write(bytes: [advertisement, 0, 0, 0])
        packet.write(isRouter | overrides)
        packet.write(address)
        packet.write(bytes: [targetLinkLayerAddress, 1])
        packet.write(bytes: mac.octets)
        let allNodes = IPAddress(high: 0xff02 << 48, low: 1)
        return frame(
            packet.bytes, checksumAt: 2, protocolICMPv6, from: IPAddress(address), to: allNodes, sourceMAC: mac)
    }
}
