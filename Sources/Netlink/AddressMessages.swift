// SPDX-License-Identifier: Apache-2.0

public import ByteCodec
public import Primitives

/// An address on an interface (RTM_NEWADDR, RTM_DELADDR).
public struct AddressInfo: Hashable, Sendable {
    /// The interface it is on.
    public var interfaceIndex: UInt32
    /// The local address.
    public var address: IPAddress
    /// The prefix length in bits.
    public var prefixLength: UInt8
    /// The lease in seconds, nil if it stays for ever (INFINITY_LIFE_TIME or none given).
    public var validSeconds: UInt32?
    /// IFA_PROTO: who put it there; nil on kernels before 5.18 and for untagged ones.
    public var tag: UInt8?
    private var flags: UInt32

    /// Tells whether havpnd put the address there.
    public var isOwn: Bool { tag == OwnTag.routeProtocol }
    /// IFA_F_SECONDARY of IPv4; the same bit calls an IPv6 address temporary.
    public var isSecondary: Bool { flags & 0x01 != 0 }
    /// IFA_F_DADFAILED: somebody else has the IPv6 address.
    public var isDuplicate: Bool { flags & 0x08 != 0 }
    /// IFA_F_TENTATIVE: whether anybody else has the IPv6 address is still being asked.
    public var isTentative: Bool { flags & 0x40 != 0 }

    /// Reads RTM_NEWADDR or RTM_DELADDR; nil for another family than IPv4 and IPv6.
    public init?(parsing message: NetlinkMessage) throws(DecodeError) {
        var reader = ByteReader(message.payload)
        guard let family = IPAddress.Family(number: try reader.read()) else { return nil }
        prefixLength = try reader.read()
        flags = UInt32(try reader.read(UInt8.self))
        try reader.skip(1)
        interfaceIndex = try reader.readHost()
        var local: IPAddress?
        var peer: IPAddress?
        var attributes = AttributeReader(reader.readRemaining())
        while let attribute = try attributes.next() {
            switch attribute.type {
            case AddressAttribute.local: local = try attribute.address(family)
            case AddressAttribute.address: peer = try attribute.address(family)
            case AddressAttribute.flags: flags = try attribute.host()
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

/// Requests about addresses.
public enum AddressRequest {
    /// Dumps every address of a family, those of one interface where the socket has strict checking.
    public static func dump(_ family: IPAddress.Family = .ipv4, interfaceIndex: UInt32 = 0) -> NetlinkRequest {
        NetlinkRequest(
            type: RouteMessage.getAddress, flags: NetlinkFlags.dump,
            fixed: header(family, prefixLength: 0, interfaceIndex: interfaceIndex))
    }

    /// Adds an address, or renews the lease of one that is there, tagged ours.
    ///
    /// An IPv6 address is there at once: nobody else is asked for it (IFA_F_NODAD). It is no source that the kernel
    /// chooses by itself (its preferred lifetime is 0), and alone (128 bits) it makes no route.
    ///
    /// - Parameters:
    ///   - interfaceIndex: where it goes.
    ///   - address: the local address.
    ///   - prefixLength: 0 to 32 or 128 bits.
    ///   - validSeconds: the lease after which the kernel itself removes it; nil for ever. The preferred lifetime of an
    ///     IPv4 address is the same.
    public static func replace(
        interfaceIndex: UInt32, address: IPAddress, prefixLength: UInt8, validSeconds: UInt32?
    ) -> NetlinkRequest {
        var request = NetlinkRequest(
            type: RouteMessage.newAddress,
            flags: NetlinkFlags.create | NetlinkFlags.replace | NetlinkFlags.acknowledge,
            fixed: header(address.family, prefixLength: prefixLength, interfaceIndex: interfaceIndex))
        request.append(AddressAttribute.local, bytes: address.octets)
        request.append(AddressAttribute.address, bytes: address.octets)
        let isChosen = address.family == .ipv4
        if !isChosen {
            let isAlone = Int(prefixLength) == address.bitCount
            request.append(AddressAttribute.flags, host: noDetection | (isAlone ? noPrefixRoute : 0))
        }
        if validSeconds != nil || !isChosen {
            let valid = validSeconds ?? .max
            var lifetimes = ByteWriter(capacity: 16)
            lifetimes.writeHost(isChosen ? valid : 0)
            lifetimes.writeHost(valid)
            lifetimes.pad(8)
            request.append(AddressAttribute.lifetimes, bytes: lifetimes.bytes)
        }
        request.append(AddressAttribute.tag, host: OwnTag.routeProtocol)
        return request
    }

    /// Deletes an address; the kernel answers EADDRNOTAVAIL if it is not there.
    public static func delete(interfaceIndex: UInt32, address: IPAddress, prefixLength: UInt8) -> NetlinkRequest {
        var request = NetlinkRequest(
            type: RouteMessage.deleteAddress, flags: NetlinkFlags.acknowledge,
            fixed: header(address.family, prefixLength: prefixLength, interfaceIndex: interfaceIndex))
        request.append(AddressAttribute.local, bytes: address.octets)
        return request
    }

    /// IFA_F_NODAD.
    private static let noDetection: UInt32 = 0x02
    /// IFA_F_NOPREFIXROUTE.
    private static let noPrefixRoute: UInt32 = 0x200

    /// `struct ifaddrmsg`, 8 bytes.
    private static func header(
        _ family: IPAddress.Family, prefixLength: UInt8, interfaceIndex: UInt32
    ) -> [UInt8] {
        var writer = ByteWriter(capacity: 8)
        writer.write(family.number)
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
