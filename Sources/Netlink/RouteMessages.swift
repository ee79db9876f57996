// SPDX-License-Identifier: Apache-2.0

public import ByteCodec
public import Primitives

/// A route (RTM_NEWROUTE, RTM_DELROUTE); multipath next hops are not taken apart.
public struct RouteInfo: Hashable, Sendable {
    /// Where it leads; length 0 is the default route.
    public var destination: IPPrefix
    /// RTA_GATEWAY; nil for a connected route.
    public var gateway: IPAddress?
    /// RTA_OIF.
    public var interfaceIndex: UInt32?
    /// RTA_PREFSRC.
    public var preferredSource: IPAddress?
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

    /// Reads RTM_NEWROUTE or RTM_DELROUTE; nil for another family than IPv4 and IPv6.
    public init?(parsing message: NetlinkMessage) throws(DecodeError) {
        var reader = ByteReader(message.payload)
        guard let family = IPAddress.Family(number: try reader.read()) else { return nil }
        let length: UInt8 = try reader.read()
        guard length <= family.bitCount else { throw .invalid(field: "route length", value: UInt64(length)) }
        try reader.skip(2)
        table = UInt32(try reader.read(UInt8.self))
        tag = try reader.read()
        try reader.skip(1)
        kind = try reader.read()
        try reader.skip(4)
        destination = IPPrefix(address: .any(family), length: Int(length))
        metric = 0
        var attributes = AttributeReader(reader.readRemaining())
        while let attribute = try attributes.next() {
            switch attribute.type {
            case RouteAttribute.destination:
                destination = IPPrefix(address: try attribute.address(family), length: Int(length))
            case RouteAttribute.gateway: gateway = try attribute.address(family)
            case RouteAttribute.interface: interfaceIndex = try attribute.host()
            case RouteAttribute.preferredSource: preferredSource = try attribute.address(family)
            case RouteAttribute.table: table = try attribute.host()
            case RouteAttribute.metric: metric = try attribute.host()
            default: break
            }
        }
    }
}

/// Requests about routes.
public enum RouteRequest {
    /// The main table, RT_TABLE_MAIN.
    public static let mainTable: UInt32 = 254

    /// Dumps a family's routes of every table; with `tag` the kernel filters (needs strict checking on the socket).
    public static func dump(_ family: IPAddress.Family = .ipv4, tag: UInt8 = 0) -> NetlinkRequest {
        NetlinkRequest(
            type: RouteMessage.getRoute, flags: NetlinkFlags.dump, fixed: header(family, length: 0, tag: tag))
    }

    /// Asks which route a packet to `destination` takes; the answer is one RTM_NEWROUTE.
    public static func lookUp(_ destination: IPAddress, source: IPAddress? = nil) -> NetlinkRequest {
        let length = UInt8(destination.bitCount)
        var request = NetlinkRequest(
            type: RouteMessage.getRoute,
            fixed: header(destination.family, length: length, sourceLength: source == nil ? 0 : length))
        request.append(RouteAttribute.destination, bytes: destination.octets)
        if let source { request.append(RouteAttribute.source, bytes: source.octets) }
        return request
    }

    /// Adds or replaces a unicast route in the main table, tagged ours.
    ///
    /// The kernel takes a route with a preferred source only while that address is local, and removes it with the
    /// address.
    public static func replace(
        destination: IPPrefix, gateway: IPAddress?, interfaceIndex: UInt32, metric: UInt32 = 0,
        preferredSource: IPAddress? = nil
    ) -> NetlinkRequest {
        var request = request(
            RouteMessage.newRoute, flags: NetlinkFlags.create | NetlinkFlags.replace, destination: destination,
            gateway: gateway, interfaceIndex: interfaceIndex, metric: metric)
        if let preferredSource { request.append(RouteAttribute.preferredSource, bytes: preferredSource.octets) }
        return request
    }

    /// Adds a unicast route in the main table, tagged ours; the kernel answers EEXIST if one stands there.
    public static func add(
        destination: IPPrefix, gateway: IPAddress?, interfaceIndex: UInt32, metric: UInt32 = 0
    ) -> NetlinkRequest {
        request(
            RouteMessage.newRoute, flags: NetlinkFlags.create | NetlinkFlags.exclusive, destination: destination,
            gateway: gateway, interfaceIndex: interfaceIndex, metric: metric)
    }

    /// Deletes our route to `destination` from the main table; the kernel answers ESRCH if there is none.
    public static func delete(destination: IPPrefix, metric: UInt32 = 0) -> NetlinkRequest {
        request(
            RouteMessage.deleteRoute, flags: 0, destination: destination, gateway: nil, interfaceIndex: nil,
            metric: metric)
    }

    private static func request(
        _ type: UInt16, flags: UInt16, destination: IPPrefix, gateway: IPAddress?, interfaceIndex: UInt32?,
        metric: UInt32
    ) -> NetlinkRequest {
        let isLinkScope = gateway == nil && type == RouteMessage.newRoute
        var request = NetlinkRequest(
            type: type, flags: flags | NetlinkFlags.acknowledge,
            fixed: header(
                destination.address.family, length: UInt8(destination.length), tag: OwnTag.routeProtocol,
                table: UInt8(mainTable),
                scope: type == RouteMessage.deleteRoute ? nowhere : isLinkScope ? linkScope : 0, kind: unicast))
        request.append(RouteAttribute.destination, bytes: destination.network.octets)
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
    static func header(
        _ family: IPAddress.Family, length: UInt8, sourceLength: UInt8 = 0, tag: UInt8 = 0, table: UInt8 = 0,
        scope: UInt8 = 0, kind: UInt8 = 0
    ) -> [UInt8] {
        [family.number, length, sourceLength, 0, table, tag, scope, kind, 0, 0, 0, 0]
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
    /// RTA_EXPIRES: seconds; IPv6 alone knows it.
    public static let expires: UInt16 = 23
}
