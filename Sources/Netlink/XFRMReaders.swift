// SPDX-License-Identifier: Apache-2.0

internal import ByteCodec
internal import Primitives
internal import SecurityAssociations

extension ByteReader {
    /// Reads `xfrm_address_t`: 16 bytes, of which IPv4 uses the first four.
    mutating func readXFRMAddress() throws(DecodeError) -> IPv4Address {
        let address = try readIPv4()
        try skip(12)
        return address
    }

    /// Reads `struct xfrm_selector`; nil when it is for IPv6.
    ///
    /// AF_UNSPEC is the empty selector of tunnel SAs.
    mutating func readSelector() throws(DecodeError) -> KernelSelector? {
        let destination = try readXFRMAddress()
        let source = try readXFRMAddress()
        let destinationPort: UInt16 = try read()
        try skip(2)
        let sourcePort: UInt16 = try read()
        try skip(2)
        let family: UInt16 = try readHost()
        let destinationLength: UInt8 = try read()
        let sourceLength: UInt8 = try read()
        let protocolNumber: UInt8 = try read()
        try skip(11)
        guard family != UInt16(AddressFamily.ipv6) else { return nil }
        guard destinationLength <= 32, sourceLength <= 32 else {
            throw .invalid(field: "selector length", value: UInt64(max(destinationLength, sourceLength)))
        }
        return KernelSelector(
            source: IPv4Prefix(address: source, length: Int(sourceLength)),
            destination: IPv4Prefix(address: destination, length: Int(destinationLength)),
            protocolNumber: protocolNumber, sourcePort: sourcePort, destinationPort: destinationPort)
    }

    /// Reads `struct xfrm_id`.
    mutating func readXFRMIdentity() throws(DecodeError) -> SAIdentity {
        let destination = try readXFRMAddress()
        let spi: UInt32 = try read()
        let protocolNumber: UInt8 = try read()
        try skip(3)
        return SAIdentity(destination: destination, spi: spi, protocolNumber: protocolNumber)
    }

    /// Reads `struct xfrm_usersa_id`; nil when it is for IPv6.
    mutating func readShortIdentity() throws(DecodeError) -> SAIdentity? {
        let destination = try readXFRMAddress()
        let spi: UInt32 = try read()
        let family: UInt16 = try readHost()
        let protocolNumber: UInt8 = try read()
        try skip(1)
        guard family == UInt16(AddressFamily.ipv4) else { return nil }
        return SAIdentity(destination: destination, spi: spi, protocolNumber: protocolNumber)
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
