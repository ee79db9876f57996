// SPDX-License-Identifier: Apache-2.0

public import ByteCodec
public import Primitives

/// A network interface as the kernel reports it (RTM_NEWLINK, RTM_DELLINK).
public struct LinkInfo: Hashable, Sendable {
    /// The interface index.
    public var index: UInt32
    /// The interface's name.
    public var name: String
    /// IFF_UP: administratively up.
    public var isUp: Bool
    /// IFF_LOWER_UP: the driver reports carrier.
    public var hasCarrier: Bool
    /// IFLA_OPERSTATE is UP, or UNKNOWN (drivers that do not say) with carrier.
    public var isOperational: Bool
    /// The Ethernet address, nil for links without one.
    public var mac: MACAddress?
    /// IFLA_LINK: the parent of a macvlan or VLAN; nil without one.
    public var parentIndex: UInt32?
    /// IFLA_MASTER: the bridge, bond or VRF that the link belongs to.
    public var masterIndex: UInt32?
    /// IFLA_INFO_KIND, such as `macvlan`; nil for physical devices.
    public var kind: String?
    /// IFLA_MTU in bytes.
    public var mtu: UInt32
    /// Packets received since the link was made (IFLA_STATS64); nil if not reported.
    public var receivedPackets: UInt64?
    /// IPv4 settings of the link (IFLA_AF_SPEC, IFLA_INET_CONF) by IPV4_DEVCONF number, empty if not reported.
    public var inetSettings: [UInt32] = []
    /// net.ipv6.conf.IF.forwarding (the first number of IFLA_INET6_CONF); nil without IPv6.
    public var forwardsIPv6: Bool?

    /// "line protocol up": administratively up, carrier, operational.
    public var isLineProtocolUp: Bool { isUp && hasCarrier && isOperational }

    /// One IPv4 setting, nil if the kernel did not report it.
    public func setting(_ setting: InterfaceSetting) -> UInt32? {
        let position = Int(setting.rawValue) - 1
        return inetSettings.indices.contains(position) ? inetSettings[position] : nil
    }

    /// Reads RTM_NEWLINK or RTM_DELLINK.
    public init(parsing message: NetlinkMessage) throws(DecodeError) {
        var reader = ByteReader(message.payload)
        try reader.skip(4)
        index = try reader.readHost()
        let flags: UInt32 = try reader.readHost()
        try reader.skip(4)
        isUp = flags & 0x1 != 0
        hasCarrier = flags & 0x10000 != 0
        name = ""
        mtu = 0
        var operationalState: UInt8 = 0
        var attributes = AttributeReader(reader.readRemaining())
        isOperational = false
        while let attribute = try attributes.next() {
            switch attribute.type {
            case LinkAttribute.name: name = attribute.text
            case LinkAttribute.address: mac = MACAddress(octets: attribute.value)
            case LinkAttribute.mtu: mtu = try attribute.host()
            case LinkAttribute.statistics: receivedPackets = try attribute.host()
            case LinkAttribute.link: parentIndex = try attribute.host()
            case LinkAttribute.master: masterIndex = try attribute.host()
            case LinkAttribute.operationalState: operationalState = try attribute.host()
            case LinkAttribute.info: kind = try attribute.nested.first(LinkAttribute.infoKind)?.text
            case LinkAttribute.familySpecific:
                inetSettings = try Self.inetSettings(attribute)
                forwardsIPv6 = try Self.forwardsIPv6(attribute)
            default: break
            }
        }
        let unknown: UInt8 = 0
        let up: UInt8 = 6
        isOperational = operationalState == up || operationalState == unknown && hasCarrier
    }

    private static func inetSettings(_ attribute: NetlinkAttribute) throws(DecodeError) -> [UInt32] {
        guard let inet = try attribute.nested.first(UInt16(AddressFamily.ipv4)),
            let configuration = try inet.nested.first(LinkAttribute.inetConfiguration)
        else { return [] }
        var reader = configuration.reader
        var settings: [UInt32] = []
        while reader.remaining >= 4 { settings.append(try reader.readHost()) }
        return settings
    }
}

extension LinkInfo {
    fileprivate static func forwardsIPv6(_ attribute: NetlinkAttribute) throws(DecodeError) -> Bool? {
        guard let inet6 = try attribute.nested.first(UInt16(AddressFamily.ipv6)),
            let configuration = try inet6.nested.first(LinkAttribute.inet6Configuration)
        else { return nil }
        return try configuration.host(UInt32.self) != 0
    }
}

/// Per-interface IPv4 settings that netlink can set (`IPV4_DEVCONF_…` of `linux/ip.h`).
///
/// Netlink sets them for one interface; `conf.all` can only be read (RTM_GETNETCONF, and there only some).
public enum InterfaceSetting: UInt16, Sendable, CaseIterable {
    /// net.ipv4.conf.IF.forwarding.
    case forwarding = 1
    /// net.ipv4.conf.IF.accept_redirects.
    case acceptRedirects = 4
    /// net.ipv4.conf.IF.send_redirects.
    case sendRedirects = 6
    /// net.ipv4.conf.IF.rp_filter.
    case reversePathFilter = 8
    /// net.ipv4.conf.IF.arp_filter.
    case arpFilter = 13
    /// net.ipv4.conf.IF.arp_announce.
    case arpAnnounce = 18
    /// net.ipv4.conf.IF.arp_ignore.
    case arpIgnore = 19
    /// net.ipv4.conf.IF.promote_secondaries.
    case promoteSecondaries = 20
    /// net.ipv4.conf.IF.accept_local.
    case acceptLocal = 23
}

/// Requests about network interfaces.
public enum LinkRequest {
    /// Dumps every link, IPv4 settings included.
    public static func dump() -> NetlinkRequest {
        NetlinkRequest(type: RouteMessage.getLink, flags: NetlinkFlags.dump, fixed: header(index: 0))
    }

    /// Asks for one link by name; the answer is one RTM_NEWLINK.
    public static func get(name: String) -> NetlinkRequest {
        var request = NetlinkRequest(type: RouteMessage.getLink, fixed: header(index: 0))
        request.append(LinkAttribute.name, string: name)
        return request
    }

    /// Asks for one link by index; the answer is one RTM_NEWLINK.
    public static func get(index: UInt32) -> NetlinkRequest {
        NetlinkRequest(type: RouteMessage.getLink, fixed: header(index: index))
    }

    /// Creates a bridge-mode macvlan, administratively down, without IPv6 address generation.
    ///
    /// - Parameters:
    ///   - name: at most 15 bytes, without a dot.
    ///   - parentIndex: the interface that it stands on.
    ///   - mac: the virtual MAC.
    public static func createMacvlan(name: String, parentIndex: UInt32, mac: MACAddress) -> NetlinkRequest {
        var request = NetlinkRequest(
            type: RouteMessage.newLink, flags: NetlinkFlags.create | NetlinkFlags.exclusive | NetlinkFlags.acknowledge,
            fixed: header(index: 0))
        request.append(LinkAttribute.name, string: name)
        request.append(LinkAttribute.link, host: parentIndex)
        request.append(LinkAttribute.address, bytes: mac.octets)
        request.nest(LinkAttribute.info) { info in
            info.append(LinkAttribute.infoKind, string: "macvlan")
            info.nest(LinkAttribute.infoData) { data in
                data.append(LinkAttribute.macvlanMode, host: UInt32(4))
            }
        }
        return request
    }

    /// Stops IPv6 from generating link-local addresses on a link (IN6_ADDR_GEN_MODE_NONE).
    ///
    /// Refused with EAFNOSUPPORT where the kernel has no IPv6, which is as good.
    public static func disableAddressGeneration(index: UInt32) -> NetlinkRequest {
        var request = set(index: index)
        request.nest(LinkAttribute.familySpecific) { families in
            families.nest(UInt16(AddressFamily.ipv6)) { inet6 in
                inet6.append(LinkAttribute.addressGenerationMode, host: UInt8(1))
            }
        }
        return request
    }

    /// Makes a link administratively up or down.
    public static func setUp(index: UInt32, _ isUp: Bool) -> NetlinkRequest {
        NetlinkRequest(
            type: RouteMessage.newLink, flags: NetlinkFlags.acknowledge,
            fixed: header(index: index, flags: isUp ? 1 : 0, change: 1))
    }

    /// Changes a link's Ethernet address.
    public static func setMAC(index: UInt32, _ mac: MACAddress) -> NetlinkRequest {
        var request = set(index: index)
        request.append(LinkAttribute.address, bytes: mac.octets)
        return request
    }

    /// Changes a link's MTU, in bytes.
    public static func setMTU(index: UInt32, _ mtu: UInt32) -> NetlinkRequest {
        var request = set(index: index)
        request.append(LinkAttribute.mtu, host: mtu)
        return request
    }

    /// Makes a link a part of a VRF, bridge or bond; nil frees it.
    public static func setMaster(index: UInt32, _ master: UInt32?) -> NetlinkRequest {
        var request = set(index: index)
        request.append(LinkAttribute.master, host: master ?? 0)
        return request
    }

    /// Changes IPv4 settings of one link.
    public static func configure(index: UInt32, _ settings: [InterfaceSetting: UInt32]) -> NetlinkRequest {
        var request = set(index: index)
        request.nest(LinkAttribute.familySpecific) { families in
            families.nest(UInt16(AddressFamily.ipv4)) { inet in
                inet.nest(LinkAttribute.inetConfiguration) { configuration in
                    for setting in InterfaceSetting.allCases {
                        if let value = settings[setting] { configuration.append(setting.rawValue, host: value) }
                    }
                }
            }
        }
        return request
    }

    /// Deletes a link.
    public static func delete(index: UInt32) -> NetlinkRequest {
        NetlinkRequest(type: RouteMessage.deleteLink, flags: NetlinkFlags.acknowledge, fixed: header(index: index))
    }

    private static func set(index: UInt32) -> NetlinkRequest {
        NetlinkRequest(type: RouteMessage.newLink, flags: NetlinkFlags.acknowledge, fixed: header(index: index))
    }

    /// `struct ifinfomsg`, 16 bytes.
    private static func header(index: UInt32, flags: UInt32 = 0, change: UInt32 = 0) -> [UInt8] {
        var writer = ByteWriter(capacity: 16)
        writer.pad(4)
        writer.writeHost(index)
        writer.writeHost(flags)
        writer.writeHost(change)
        return writer.bytes
    }
}

/// `IFLA_…` of `linux/if_link.h`.
public enum LinkAttribute {
    /// IFLA_ADDRESS.
    public static let address: UInt16 = 1
    /// IFLA_IFNAME.
    public static let name: UInt16 = 3
    /// IFLA_MTU.
    public static let mtu: UInt16 = 4
    /// IFLA_LINK.
    public static let link: UInt16 = 5
    /// IFLA_MASTER.
    public static let master: UInt16 = 10
    /// IFLA_OPERSTATE.
    public static let operationalState: UInt16 = 16
    /// IFLA_LINKINFO.
    public static let info: UInt16 = 18
    /// IFLA_STATS64, whose first number is of received packets.
    public static let statistics: UInt16 = 23
    /// IFLA_AF_SPEC.
    public static let familySpecific: UInt16 = 26
    /// IFLA_INFO_KIND, inside IFLA_LINKINFO.
    public static let infoKind: UInt16 = 1
    /// IFLA_INFO_DATA, inside IFLA_LINKINFO.
    public static let infoData: UInt16 = 2
    /// IFLA_MACVLAN_MODE, inside IFLA_INFO_DATA.
    public static let macvlanMode: UInt16 = 1
    /// IFLA_INET_CONF, inside the AF_INET part of IFLA_AF_SPEC.
    public static let inetConfiguration: UInt16 = 1
    /// IFLA_INET6_CONF, inside the AF_INET6 part of IFLA_AF_SPEC.
    public static let inet6Configuration: UInt16 = 2
    /// IFLA_INET6_ADDR_GEN_MODE, inside the AF_INET6 part of IFLA_AF_SPEC.
    public static let addressGenerationMode: UInt16 = 8
}
