// SPDX-License-Identifier: Apache-2.0

public import ByteCodec
public import Primitives

/// Questions about single routes, which cost the kernel the same whatever the size of its tables.
public enum RouteLookup {
    /// Asks which entry of the tables a packet to `destination` would take (RTM_F_FIB_MATCH).
    ///
    /// The answer is one RTM_NEWROUTE with the entry's own prefix length. The kernel refuses with ENETUNREACH where no
    /// entry fits, and with EHOSTUNREACH, EACCES or EINVAL where one says unreachable, prohibit or blackhole.
    public static func match(_ destination: IPAddress) -> NetlinkRequest {
        let matchFlag: UInt32 = 0x2000
        var header = ByteWriter(capacity: 12)
        header.write(bytes: [destination.family.number, UInt8(destination.bitCount), 0, 0, 0, 0, 0, 0])
        header.writeHost(matchFlag)
        var request = NetlinkRequest(type: RouteMessage.getRoute, fixed: header.bytes)
        request.append(RouteAttribute.destination, bytes: destination.octets)
        return request
    }
}

/// The entry that a route lookup found.
public struct RouteMatch: Hashable, Sendable {
    /// The entry's prefix length.
    public var prefixLength: Int
    /// RTPROT_…: who put it there.
    public var tag: UInt8
    /// RTA_OIF, or the first usable leg's; nil without an interface.
    public var interfaceIndex: UInt32?
    /// Whether a packet would leave or be delivered: the kind is unicast or local and a next hop is alive.
    public var isUsable: Bool

    /// Reads RTM_NEWROUTE of either family.
    public init(parsing message: NetlinkMessage) throws(DecodeError) {
        var reader = ByteReader(message.payload)
        try reader.skip(1)
        prefixLength = Int(try reader.read(UInt8.self))
        try reader.skip(3)
        tag = try reader.read()
        try reader.skip(1)
        let kind: UInt8 = try reader.read()
        let flags: UInt32 = try reader.readHost()
        var legs: [(isAlive: Bool, interface: UInt32)] = []
        var attributes = AttributeReader(reader.readRemaining())
        while let attribute = try attributes.next() {
            switch attribute.type {
            case RouteAttribute.interface: interfaceIndex = try attribute.host()
            case RouteAttribute.multipath: legs = try Self.legs(attribute.reader)
            default: break
            }
        }
        let unicast: UInt8 = 1
        let local: UInt8 = 2
        var isAlive = flags & Self.deadFlags == 0
        if let leg = legs.first(where: \.isAlive) ?? legs.first {
            isAlive = leg.isAlive
            interfaceIndex = leg.interface
        }
        isUsable = (kind == unicast || kind == local) && isAlive
    }

    /// RTNH_F_DEAD and RTNH_F_LINKDOWN.
    private static let deadFlags: UInt32 = 0x11

    /// `struct rtnexthop`: length, flags, hops, interface, attributes.
    private static func legs(
        _ reader: ByteReader
    ) throws(DecodeError) -> [(isAlive: Bool, interface: UInt32)] {
        var reader = reader
        var legs: [(isAlive: Bool, interface: UInt32)] = []
        while reader.remaining >= 8 {
            let length = Int(try reader.readHost(UInt16.self))
            guard length >= 8 else { throw .invalid(field: "next hop length", value: UInt64(length)) }
            let flags: UInt8 = try reader.read()
            try reader.skip(1)
            legs.append((UInt32(flags) & deadFlags == 0, try reader.readHost()))
            try reader.skip(min(netlinkAligned(length) - 8, reader.remaining))
        }
        return legs
    }
}
