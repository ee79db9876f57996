// SPDX-License-Identifier: Apache-2.0

public import ByteCodec
public import Primitives

/// An IPv4 address on an interface (RTM_NEWADDR, RTM_DELADDR).
public struct AddressInfo: Hashable, Sendable {
    /// The interface it is on.
    public var interfaceIndex: UInt32
    /// The local address.
    public var address: IPv4Address
    /// The prefix length in bits.
    public var prefixLength: UInt8
    /// The lease in seconds, nil if it stays for ever (INFINITY_LIFE_TIME or none given).
    public var validSeconds: UInt32?
    /// IFA_PROTO: who put it there; nil on kernels before 5.18 and for untagged ones.
    public var tag: UInt8?
    /// IFA_F_SECONDARY.
    public var isSecondary: Bool

    /// Tells whether havpnd put the address there.
    public var isOwn: Bool { tag == OwnTag.routeProtocol }

    /// Reads RTM_NEWADDR or RTM_DELADDR; nil for another family than IPv4.
    public init?(parsing message: NetlinkMessage) throws(DecodeError) {
        var reader = ByteReader(message.payload)
        guard try reader.read(UInt8.self) == AddressFamily.ipv4 else { return nil }
        prefixLength = try reader.read()
        isSecondary = try reader.read(UInt8.self) & 1 != 0
        try reader.skip(1)
        interfaceIndex = try reader.readHost()
        var local: IPv4Address?
        var peer: IPv4Address?
        var attributes = AttributeReader(reader.readRemaining())
        while let attribute = try attributes.next() {
            switch attribute.type {
            case AddressAttribute.local: local = try attribute.ipv4()
            case AddressAttribute.address: peer = try attribute.ipv4()
            case AddressAttribute.tag: tag = try attribute.host()
            case AddressAttribute.lifetimes:
                var lifetimes = attribute.reader
                try lifetimes.skip(4)
                let valid: UInt32 = try lifetimes.readHost()
                validSeconds = valid == UInt32.max ? nil : valid
            default: break
            }
        }
        guard let address = local ?? peer else { throw .invalid(field: "address without IFA_LOCAL", value: 0) }
        self.address = address
    }
}

/// Requests about IPv4 addresses.
public enum AddressRequest {
    /// Dumps every IPv4 address.
    public static func dump() -> NetlinkRequest {
        NetlinkRequest(
            type: RouteMessage.getAddress, flags: NetlinkFlags.dump, fixed: header(prefixLength: 0, interfaceIndex: 0))
    }

    /// Adds an address, or renews the lease of one that is there, tagged ours.
    ///
    /// - Parameters:
    ///   - interfaceIndex: where it goes.
    ///   - address: the local address.
    ///   - prefixLength: 0 to 32 bits.
    ///   - validSeconds: the lease after which the kernel itself removes it; nil for ever. The preferred lifetime is
    ///     the same.
    ///   - addsPrefixRoute: false sets IFA_F_NOPREFIXROUTE.
    public static func replace(
        interfaceIndex: UInt32, address: IPv4Address, prefixLength: UInt8, validSeconds: UInt32?,
        addsPrefixRoute: Bool = true
    ) -> NetlinkRequest {
        var request = NetlinkRequest(
            type: RouteMessage.newAddress,
            flags: NetlinkFlags.create | NetlinkFlags.replace | NetlinkFlags.acknowledge,
            fixed: header(prefixLength: prefixLength, interfaceIndex: interfaceIndex))
        request.append(AddressAttribute.local, bytes: address.octets)
        request.append(AddressAttribute.address, bytes: address.octets)
        if !addsPrefixRoute { request.append(AddressAttribute.flags, host: UInt32(0x200)) }
        if let validSeconds {
            var lifetimes = ByteWriter(capacity: 16)
            lifetimes.writeHost(validSeconds)
            lifetimes.writeHost(validSeconds)
            lifetimes.pad(8)
            request.append(AddressAttribute.lifetimes, bytes: lifetimes.bytes)
        }
        request.append(AddressAttribute.tag, host: OwnTag.routeProtocol)
        return request
    }

    /// Deletes an address; the kernel answers EADDRNOTAVAIL if it is not there.
    public static func delete(interfaceIndex: UInt32, address: IPv4Address, prefixLength: UInt8) -> NetlinkRequest {
        var request = NetlinkRequest(
            type: RouteMessage.deleteAddress, flags: NetlinkFlags.acknowledge,
            fixed: header(prefixLength: prefixLength, interfaceIndex: interfaceIndex))
        request.append(AddressAttribute.local, bytes: address.octets)
        return request
    }

    /// `struct ifaddrmsg`, 8 bytes.
    private static func header(prefixLength: UInt8, interfaceIndex: UInt32) -> [UInt8] {
        var writer = ByteWriter(capacity: 8)
        writer.write(AddressFamily.ipv4)
        writer.write(prefixLength)
        writer.pad(2)
        writer.writeHost(interfaceIndex)
        return writer.bytes
    }
}

/// `IFA_…` of `linux/if_addr.h`.
public enum AddressAttribute {
    /// IFA_ADDRESS.
    public static let address: UInt16 = 1
    /// IFA_LOCAL.
    public static let local: UInt16 = 2
    /// IFA_CACHEINFO.
    public static let lifetimes: UInt16 = 6
    /// IFA_FLAGS.
    public static let flags: UInt16 = 8
    /// IFA_PROTO.
    public static let tag: UInt16 = 11
}
