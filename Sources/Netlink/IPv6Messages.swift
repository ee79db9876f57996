// SPDX-License-Identifier: Apache-2.0

public import ByteCodec
public import Primitives

/// An IPv6 address on an interface (RTM_NEWADDR).
public struct IPv6AddressInfo: Hashable, Sendable {
    /// The interface it is on.
    public var interfaceIndex: UInt32
    /// The address.
    public var address: IPv6Address
    /// IFA_F_TENTATIVE: whether anybody else has it is still being asked.
    public var isTentative: Bool
    /// IFA_F_DADFAILED: somebody else has it.
    public var isDuplicate: Bool
    /// IFA_PROTO: who put it there; nil on kernels before 5.18 and for untagged ones.
    public var tag: UInt8?

    /// Tells whether havpnd put the address there.
    public var isOwn: Bool { tag == OwnTag.routeProtocol }

    /// Reads RTM_NEWADDR; nil for another family than IPv6.
    public init?(parsing message: NetlinkMessage) throws(DecodeError) {
        var reader = ByteReader(message.payload)
        guard try reader.read(UInt8.self) == AddressFamily.ipv6 else { return nil }
        try reader.skip(1)
        var flags = UInt32(try reader.read(UInt8.self))
        try reader.skip(1)
        interfaceIndex = try reader.readHost()
        var found: IPv6Address?
        var attributes = AttributeReader(reader.readRemaining())
        while let attribute = try attributes.next() {
            switch attribute.type {
            case AddressAttribute.local: found = IPv6Address(octets: attribute.value)
            case AddressAttribute.address: found = found ?? IPv6Address(octets: attribute.value)
            case AddressAttribute.flags: flags = try attribute.host()
            case AddressAttribute.tag: tag = try attribute.host()
            default: break
            }
        }
        guard let found else { throw .invalid(field: "address without IFA_ADDRESS", value: 0) }
        address = found
        let duplicate: UInt32 = 0x08
        let tentative: UInt32 = 0x40
        isDuplicate = flags & duplicate != 0
        isTentative = flags & tentative != 0
    }

    /// Dumps the IPv6 addresses, those of one interface where the socket has strict checking.
    public static func dump(interfaceIndex: UInt32) -> NetlinkRequest {
        var header = ByteWriter(capacity: 8)
        header.write(bytes: [AddressFamily.ipv6, 0, 0, 0])
        header.writeHost(interfaceIndex)
        return NetlinkRequest(type: RouteMessage.getAddress, flags: NetlinkFlags.dump, fixed: header.bytes)
    }
}
