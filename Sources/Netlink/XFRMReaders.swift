// SPDX-License-Identifier: Apache-2.0

internal import ByteCodec
internal import Primitives
internal import SecurityAssociations

extension ByteReader {
    /// Reads `struct xfrm_selector`.
    ///
    /// AF_UNSPEC is the empty selector of tunnel SAs, which is taken for one of IPv4.
    mutating func readSelector() throws(DecodeError) -> KernelSelector {
        let destination = try readBytes(16)
        let source = try readBytes(16)
        let destinationPort: UInt16 = try read()
        try skip(2)
        let sourcePort: UInt16 = try read()
        try skip(2)
        let number: UInt16 = try readHost()
        let family = UInt8(exactly: number).flatMap(IPAddress.Family.init(number:)) ?? .ipv4
        let destinationLength = Int(try read(UInt8.self))
        let sourceLength = Int(try read(UInt8.self))
        let protocolNumber: UInt8 = try read()
        try skip(11)
        guard destinationLength <= family.bitCount, sourceLength <= family.bitCount else {
            throw .invalid(field: "selector length", value: UInt64(max(destinationLength, sourceLength)))
        }
        return KernelSelector(
            source: IPPrefix(address: IPAddress(xfrm: source, family), length: sourceLength),
            destination: IPPrefix(address: IPAddress(xfrm: destination, family), length: destinationLength),
            protocolNumber: protocolNumber, sourcePort: sourcePort, destinationPort: destinationPort)
    }

    /// Reads `struct xfrm_usersa_id`.
    mutating func readShortIdentity() throws(DecodeError) -> SAIdentity {
        let destination = try readBytes(16)
        let spi: UInt32 = try read()
        let family = try readFamily()
        let protocolNumber: UInt8 = try read()
        try skip(1)
        return SAIdentity(
            destination: IPAddress(xfrm: destination, family), spi: spi, protocolNumber: protocolNumber)
    }

    /// Reads `struct xfrm_lifetime_cfg`; the two limits since first use are skipped.
    mutating func readLimits() throws(DecodeError) -> KernelSA.Limits {
        var limits = KernelSA.Limits()
        limits.softBytes = try readHost()
        limits.hardBytes = try readHost()
        limits.softPackets = try readHost()
        limits.hardPackets = try readHost()
        limits.softAddSeconds = try readHost()
        limits.hardAddSeconds = try readHost()
        try skip(16)
        return limits
    }

    /// Reads `struct xfrm_lifetime_cur`.
    mutating func readUsage() throws(DecodeError) -> KernelSA.Usage {
        var usage = KernelSA.Usage()
        usage.bytes = try readHost()
        usage.packets = try readHost()
        usage.addedAtSeconds = try readHost()
        usage.usedAtSeconds = try readHost()
        return usage
    }

    /// Reads `struct xfrm_replay_state`.
    mutating func readReplay() throws(DecodeError) -> KernelReplay {
        let outbound: UInt32 = try readHost()
        let inbound: UInt32 = try readHost()
        let bitmap: UInt32 = try readHost()
        return KernelReplay(outbound: UInt64(outbound), inbound: UInt64(inbound), bitmap: [bitmap])
    }

    /// Reads `struct xfrm_replay_state_esn`.
    mutating func readExtendedReplay() throws(DecodeError) -> KernelReplay {
        let words: UInt32 = try readHost()
        guard words <= UInt32(KernelReplay.Limits.bitmapWords) else {
            throw .overLimit(field: "replay bitmap", value: UInt64(words))
        }
        let outboundLow: UInt32 = try readHost()
        let inboundLow: UInt32 = try readHost()
        let outboundHigh: UInt32 = try readHost()
        let inboundHigh: UInt32 = try readHost()
        let window: UInt32 = try readHost()
        var bitmap: [UInt32] = []
        bitmap.reserveCapacity(Int(words))
        for _ in 0..<words { bitmap.append(try readHost()) }
        return KernelReplay(
            outbound: UInt64(outboundHigh) << 32 | UInt64(outboundLow),
            inbound: UInt64(inboundHigh) << 32 | UInt64(inboundLow), windowPackets: window, bitmap: bitmap,
            usesExtendedStructure: true)
    }
}

extension NetlinkAttribute {
    /// Reads XFRMA_MARK.
    func mark() throws(DecodeError) -> KernelSA.Mark {
        var reader = reader
        return KernelSA.Mark(value: try reader.readHost(), mask: try reader.readHost())
    }
}
