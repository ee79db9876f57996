// SPDX-License-Identifier: Apache-2.0

public import ByteCodec
public import Primitives

/// A policy rule (RTM_NEWRULE, RTM_DELRULE).
public struct RuleInfo: Hashable, Sendable {
    /// FRA_SRC with its length; nil for any source.
    public var source: IPPrefix?
    /// FRA_PRIORITY: rules are tried in rising order.
    public var preference: UInt32
    /// FR_ACT_…: 1 goes to a table, 8 is prohibit.
    public var action: UInt8
    /// FRA_PROTOCOL: who put it there.
    public var tag: UInt8?

    /// FRA_TABLE: where the rule leads; nil where it leads nowhere.
    public var table: UInt32?
    /// FRA_IIFNAME: by which interface a packet must have come, `lo` for what this node sends itself; nil by any.
    public var inputInterface: String?

    /// FR_ACT_TO_TBL.
    public static let lookUp: UInt8 = 1
    /// FR_ACT_PROHIBIT.
    public static let prohibit: UInt8 = 8

    /// What packets that this node sends itself have come by, those of a tunnel for others included.
    public static let itself = "lo"

    /// Tells whether this is a fence of havpnd's.
    public var isOwnFence: Bool { tag == OwnTag.routeProtocol && action == Self.prohibit }

    /// Tells whether this is the part of an IPv6 fence of havpnd's that always stands.
    public var isOwnStanding: Bool { tag == OwnTag.routeProtocol && action == Self.lookUp }

    /// Reads RTM_NEWRULE or RTM_DELRULE; nil for another family than IPv4 and IPv6.
    public init?(parsing message: NetlinkMessage) throws(DecodeError) {
        var reader = ByteReader(message.payload)
        guard let family = IPAddress.Family(number: try reader.read()) else { return nil }
        try reader.skip(1)
        let sourceLength: UInt8 = try reader.read()
        guard sourceLength <= family.bitCount else {
            throw .invalid(field: "rule source length", value: UInt64(sourceLength))
        }
        try reader.skip(4)
        action = try reader.read()
        try reader.skip(4)
        preference = 0
        var attributes = AttributeReader(reader.readRemaining())
        while let attribute = try attributes.next() {
            switch attribute.type {
            case RuleAttribute.source:
                source = IPPrefix(address: try attribute.address(family), length: Int(sourceLength))
            case RuleAttribute.preference: preference = try attribute.host()
            case RuleAttribute.tag: tag = try attribute.host()
            case RuleAttribute.table: table = try attribute.host()
            case RuleAttribute.inputInterface: inputInterface = attribute.text
            default: break
            }
        }
    }
}

/// Requests about policy rules; those that havpnd makes are its fences.
public enum RuleRequest {
    /// Dumps every rule of a family.
    public static func dump(_ family: IPAddress.Family = .ipv4) -> NetlinkRequest {
        NetlinkRequest(
            type: RouteMessage.getRule, flags: NetlinkFlags.dump, fixed: header(family, sourceLength: 0, action: 0))
    }

    /// Raises the fence `from ADDRESS iif lo prohibit`; the kernel answers EEXIST if it stands already.
    ///
    /// Without `iif lo` the fence would also stop what the Active sends to or through this node (measured: in a VRF, where
    /// the table `local` is not the first, and on a way that leads the Active's ESP by here).
    public static func addFence(address: IPAddress, preference: UInt32) -> NetlinkRequest {
        request(
            RouteMessage.newRule, flags: NetlinkFlags.create | NetlinkFlags.exclusive, address: address,
            action: RuleInfo.prohibit, preference: preference)
    }

    /// Lowers the fence, the oldest one of that preference; the kernel answers ENOENT if none stands.
    public static func deleteFence(address: IPAddress, preference: UInt32) -> NetlinkRequest {
        request(
            RouteMessage.deleteRule, flags: 0, address: address, action: RuleInfo.prohibit, preference: preference)
    }

    static func request(
        _ type: UInt16, flags: UInt16, address: IPAddress, action: UInt8, preference: UInt32
    ) -> NetlinkRequest {
        var request = NetlinkRequest(
            type: type, flags: flags | NetlinkFlags.acknowledge,
            fixed: header(address.family, sourceLength: UInt8(address.bitCount), action: action))
        request.append(RuleAttribute.source, bytes: address.octets)
        request.append(RuleAttribute.preference, host: preference)
        request.append(RuleAttribute.tag, host: OwnTag.routeProtocol)
        if type == RouteMessage.newRule { request.append(RuleAttribute.inputInterface, string: RuleInfo.itself) }
        return request
    }

    /// `struct fib_rule_hdr`, 12 bytes.
    private static func header(_ family: IPAddress.Family, sourceLength: UInt8, action: UInt8) -> [UInt8] {
        var writer = ByteWriter(capacity: 12)
        writer.write(family.number)
        writer.pad(1)
        writer.write(sourceLength)
        writer.pad(4)
        writer.write(action)
        writer.pad(4)
        return writer.bytes
    }
}

/// `FRA_…` of `linux/fib_rules.h`.
public enum RuleAttribute {
    /// FRA_SRC.
    public static let source: UInt16 = 2
    /// FRA_IIFNAME.
    public static let inputInterface: UInt16 = 3
    /// FRA_PRIORITY.
    public static let preference: UInt16 = 6
    /// FRA_TABLE.
    public static let table: UInt16 = 15
    /// FRA_PROTOCOL.
    public static let tag: UInt16 = 21
}
