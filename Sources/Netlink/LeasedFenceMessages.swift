// SPDX-License-Identifier: Apache-2.0

internal import ByteCodec
public import Primitives

/// A route that the kernel takes away by itself unless it is leased anew (RTA_EXPIRES).
public struct LeasedRoute: Hashable, Sendable {
    /// Where it leads; length 0 is the default route.
    public var destination: IPPrefix
    /// The next router; nil on a connected network.
    public var gateway: IPAddress?
    /// The interface by which it leaves.
    public var interfaceIndex: UInt32

    /// Makes a route.
    public init(destination: IPPrefix, gateway: IPAddress?, interfaceIndex: UInt32) {
        self.destination = IPPrefix(address: destination.network, length: destination.length)
        self.gateway = gateway
        self.interfaceIndex = interfaceIndex
    }
}

/// The parts of an IPv6 fence: a rule that always leads what comes from an address to a table of its own, and there
/// routes with a lease before a prohibition (DESIGN §4).
extension RuleRequest {
    /// Adds the rule `from ADDRESS iif lo lookup TABLE`; the kernel answers EEXIST if it stands already.
    public static func addStanding(address: IPAddress, table: UInt32, preference: UInt32) -> NetlinkRequest {
        standing(
            RouteMessage.newRule, flags: NetlinkFlags.create | NetlinkFlags.exclusive, address, table, preference)
    }

    /// Deletes the rule; the kernel answers ENOENT if it does not stand.
    public static func deleteStanding(address: IPAddress, table: UInt32, preference: UInt32) -> NetlinkRequest {
        standing(RouteMessage.deleteRule, flags: 0, address, table, preference)
    }

    private static func standing(
        _ type: UInt16, flags: UInt16, _ address: IPAddress, _ table: UInt32, _ preference: UInt32
    ) -> NetlinkRequest {
        var request = request(
            type, flags: flags, address: address, action: RuleInfo.lookUp, preference: preference)
        request.append(RuleAttribute.table, host: table)
        return request
    }
}

extension RouteRequest {
    /// Adds `prohibit default` behind every other route of a table; the kernel answers EEXIST if it stands already.
    public static func addProhibition(_ family: IPAddress.Family, table: UInt32) -> NetlinkRequest {
        let prohibit: UInt8 = 8
        var request = NetlinkRequest(
            type: RouteMessage.newRoute,
            flags: NetlinkFlags.create | NetlinkFlags.exclusive | NetlinkFlags.acknowledge,
            fixed: header(family, length: 0, tag: OwnTag.routeProtocol, kind: prohibit))
        request.append(RouteAttribute.table, host: table)
        request.append(RouteAttribute.metric, host: prohibitionMetric)
        return request
    }

    /// Adds a route for `seconds`, or leases the one that is there anew, which the kernel answers with EEXIST.
    ///
    /// Nothing is replaced, so packets under way keep the route that they have, and nobody is told.
    public static func lease(_ route: LeasedRoute, table: UInt32, seconds: UInt32) -> NetlinkRequest {
        var request = leased(RouteMessage.newRoute, flags: NetlinkFlags.create, route, table: table)
        request.append(RouteAttribute.expires, host: seconds)
        return request
    }

    /// Deletes a leased route; the kernel answers ESRCH if there is none.
    public static func endLease(_ route: LeasedRoute, table: UInt32) -> NetlinkRequest {
        leased(RouteMessage.deleteRoute, flags: 0, route, table: table)
    }

    /// Deletes the prohibition, with which a table without routes goes.
    public static func deleteProhibition(_ family: IPAddress.Family, table: UInt32) -> NetlinkRequest {
        var request = NetlinkRequest(
            type: RouteMessage.deleteRoute, flags: NetlinkFlags.acknowledge, fixed: header(family, length: 0))
        request.append(RouteAttribute.table, host: table)
        request.append(RouteAttribute.metric, host: prohibitionMetric)
        return request
    }

    /// Behind every metric that a route of a lease has.
    private static let prohibitionMetric: UInt32 = 0xffff_fffe

    private static func leased(
        _ type: UInt16, flags: UInt16, _ route: LeasedRoute, table: UInt32
    ) -> NetlinkRequest {
        let unicast: UInt8 = 1
        var request = NetlinkRequest(
            type: type, flags: flags | NetlinkFlags.acknowledge,
            fixed: header(
                route.destination.address.family, length: UInt8(route.destination.length), tag: OwnTag.routeProtocol,
                kind: unicast))
        request.append(RouteAttribute.table, host: table)
        if route.destination.length > 0 {
            request.append(RouteAttribute.destination, bytes: route.destination.network.octets)
        }
        if let gateway = route.gateway { request.append(RouteAttribute.gateway, bytes: gateway.octets) }
        request.append(RouteAttribute.interface, host: route.interfaceIndex)
        return request
    }
}
