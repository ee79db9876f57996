// SPDX-License-Identifier: Apache-2.0

public import ByteCodec
public import Primitives

/// An IPv4 route (RTM_NEWROUTE, RTM_DELROUTE); multipath next hops are not taken apart.
public struct RouteInfo: Hashable, Sendable {
    /// Where it leads; length 0 is the default route.
    public var destination: IPv4Prefix
    /// RTA_GATEWAY; nil for a connected route.
    public var gateway: IPv4Address?
    /// RTA_OIF.
    public var interfaceIndex: UInt32?
    /// RTA_PREFSRC.
    public var preferredSource: IPv4Address?
    /// RTA_TABLE; 254 is main.
    public var table: UInt32
    /// RTA_PRIORITY.
    public var metric: UInt32
    /// RTPROT_…: who put it there.
    public var tag: UInt8
    /// RTN_…: 1 is unicast.
    public var kind: UInt8

    /// Tells whether havpnd put the route there.
    public var isOwn: Bool { tag == OwnTag.routeProtocol }

    /// Reads RTM_NEWROUTE or RTM_DELROUTE; nil for another family than IPv4.
    public init?(parsing message: NetlinkMessage) throws(DecodeError) {
        var reader = ByteReader(message.payload)
        guard try reader.read(UInt8.self) == AddressFamily.ipv4 else { return nil }
        let length: UInt8 = try reader.read()
        guard length <= 32 else { throw .invalid(field: "route length", value: UInt64(length)) }
        try reader.skip(2)
        table = UInt32(try reader.read(UInt8.self))
        tag = try reader.read()
        try reader.skip(1)
        kind = try reader.read()
        try reader.skip(4)
        destination = IPv4Prefix(address: .any, length: Int(length))
        metric = 0
        var attributes = AttributeReader(reader.readRemaining())
        while let attribute = try attributes.next() {
            switch attribute.type {
            case RouteAttribute.destination:
                destination = IPv4Prefix(address: try attribute.ipv4(), length: Int(length))
            case RouteAttribute.gateway: gateway = try attribute.ipv4()
            case RouteAttribute.interface: interfaceIndex = try attribute.host()
            case RouteAttribute.preferredSource: preferredSource = try attribute.ipv4()
            case RouteAttribute.table: table = try attribute.host()
            case RouteAttribute.metric: metric = try attribute.host()
            default: break
            }
        }
    }
}

/// Requests about IPv4 routes.
public enum RouteRequest {
    /// The main table, RT_TABLE_MAIN.
    public static let mainTable: UInt32 = 254

    /// Dumps the IPv4 routes of every table; with `tag` the kernel filters (needs strict checking on the socket).
    public static func dump(tag: UInt8 = 0) -> NetlinkRequest {
        NetlinkRequest(type: RouteMessage.getRoute, flags: NetlinkFlags.dump, fixed: header(length: 0, tag: tag))
    }

    /// Asks which route a packet to `destination` takes; the answer is one RTM_NEWROUTE.
    public static func lookUp(_ destination: IPv4Address, source: IPv4Address? = nil) -> NetlinkRequest {
        var request = NetlinkRequest(
            type: RouteMessage.getRoute, fixed: header(length: 32, sourceLength: source == nil ? 0 : 32))
        request.append(RouteAttribute.destination, bytes: destination.octets)
        if let source { request.append(RouteAttribute.source, bytes: source.octets) }
        return request
    }

    /// Adds or replaces a unicast route in the main table, tagged ours.
    ///
    /// The kernel takes a route with a preferred source only while that address is local, and removes it with the
    /// address.
    public static func replace(
        destination: IPv4Prefix, gateway: IPv4Address?, interfaceIndex: UInt32, metric: UInt32 = 0,
        preferredSource: IPv4Address? = nil
    ) -> NetlinkRequest {
        var request = request(
            RouteMessage.newRoute, flags: NetlinkFlags.create | NetlinkFlags.replace, destination: destination,
            gateway: gateway, interfaceIndex: interfaceIndex, metric: metric)
        if let preferredSource { request.append(RouteAttribute.preferredSource, bytes: preferredSource.octets) }
        return request
    }

    /// Adds a unicast route in the main table, tagged ours; the kernel answers EEXIST if one stands there.
    public static func add(
        destination: IPv4Prefix, gateway: IPv4Address?, interfaceIndex: UInt32, metric: UInt32 = 0
    ) -> NetlinkRequest {
        request(
            RouteMessage.newRoute, flags: NetlinkFlags.create | NetlinkFlags.exclusive, destination: destination,
            gateway: gateway, interfaceIndex: interfaceIndex, metric: metric)
    }

    /// Deletes our route to `destination` from the main table; the kernel answers ESRCH if there is none.
    public static func delete(destination: IPv4Prefix, metric: UInt32 = 0) -> NetlinkRequest {
        request(
            RouteMessage.deleteRoute, flags: 0, destination: destination, gateway: nil, interfaceIndex: nil,
            metric: metric)
    }

    private static func request(
        _ type: UInt16, flags: UInt16, destination: IPv4Prefix, gateway: IPv4Address?, interfaceIndex: UInt32?,
        metric: UInt32
    ) -> NetlinkRequest {
        let isLinkScope = gateway == nil && type == RouteMessage.newRoute
        var request = NetlinkRequest(
            type: type, flags: flags | NetlinkFlags.acknowledge,
            fixed: header(
                length: UInt8(destination.length), tag: OwnTag.routeProtocol, table: UInt8(mainTable),
                scope: type == RouteMessage.deleteRoute ? nowhere : isLinkScope ? linkScope : 0, kind: unicast))
        let network = IPv4Address(destination.address.value & destination.mask)
        request.append(RouteAttribute.destination, bytes: network.octets)
        if let gateway { request.append(RouteAttribute.gateway, bytes: gateway.octets) }
        if let interfaceIndex { request.append(RouteAttribute.interface, host: interfaceIndex) }
        if metric != 0 { request.append(RouteAttribute.metric, host: metric) }
        return request
    }

    /// RT_SCOPE_NOWHERE: matches every scope in a deletion.
    private static let nowhere: UInt8 = 255
    /// RT_SCOPE_LINK.
    private static let linkScope: UInt8 = 253
    /// RTN_UNICAST.
    private static let unicast: UInt8 = 1

    /// `struct rtmsg`, 12 bytes.
    private static func header(
        length: UInt8, sourceLength: UInt8 = 0, tag: UInt8 = 0, table: UInt8 = 0, scope: UInt8 = 0, kind: UInt8 = 0
    ) -> [UInt8] {
        [AddressFamily.ipv4, length, sourceLength, 0, table, tag, scope, kind, 0, 0, 0, 0]
    }
}

/// `RTA_…` of `linux/rtnetlink.h`.
public enum RouteAttribute {
    /// RTA_DST.
    public static let destination: UInt16 = 1
    /// RTA_SRC.
    public static let source: UInt16 = 2
    /// RTA_OIF.
    public static let interface: UInt16 = 4
    /// RTA_GATEWAY.
    public static let gateway: UInt16 = 5
    /// RTA_PRIORITY.
    public static let metric: UInt16 = 6
    /// RTA_PREFSRC.
    public static let preferredSource: UInt16 = 7
    /// RTA_MULTIPATH.
    public static let multipath: UInt16 = 9
    /// RTA_TABLE.
    public static let table: UInt16 = 15
}
