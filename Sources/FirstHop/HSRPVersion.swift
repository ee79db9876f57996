// SPDX-License-Identifier: Apache-2.0

public import Primitives

/// The protocol's version, one for all groups of an interface (reference first-hop §1.1).
public enum HSRPVersion: UInt8, Sendable, CaseIterable, Codable {
    /// RFC 2281: groups to 255, timers of whole seconds, IPv4.
    case one = 1
    /// Groups to 4095, timers in milliseconds, the sender's own MAC in every message, and IPv6.
    case two = 2

    /// UDP source and destination port.
    public static func port(_ family: IPAddress.Family) -> UInt16 { family == .ipv4 ? 1985 : 2029 }

    /// The group address that messages go to: all routers on this subnet, or the version's own.
    public func destination(_ family: IPAddress.Family) -> IPAddress {
        switch (self, family) {
        case (.one, .ipv4): IPAddress(224, 0, 0, 2)
        case (.two, .ipv4): IPAddress(224, 0, 0, 102)
        case (_, .ipv6): IPAddress(high: 0xff02 << 48, low: 0x66)
        }
    }

    /// All group addresses of a family, whatever the version.
    public static func destinations(_ family: IPAddress.Family) -> Set<IPAddress> {
        Set(allCases.map { $0.destination(family) })
    }

    /// The numbers that groups may have.
    public var groupNumbers: ClosedRange<Int> {
        switch self {
        case .one: 0...255
        case .two: 0...4095
        }
    }

    /// The MAC that goes with the virtual address of a group; `group` must be one of `groupNumbers`.
    public func virtualMAC(group: UInt16, _ family: IPAddress.Family) -> MACAddress {
        precondition(groupNumbers.contains(Int(group)))
        return switch (self, family) {
        case (.one, .ipv4): .hsrpVersion1(group: UInt8(group))
        case (.two, .ipv4): .hsrpVersion2(group: group)
        case (_, .ipv6): .hsrpIPv6(group: group)
        }
    }

    /// The version whose messages go to an address, nil for any other address; those of IPv6 are of version 2.
    public init?(destination: IPAddress) {
        let family = destination.family
        guard let version = Self.allCases.last(where: { $0.destination(family) == destination }) else { return nil }
        self = version
    }
}

extension IPAddress {
    /// The Ethernet address of a multicast group (RFC 1112 §6.4, RFC 2464 §7).
    var multicastMAC: MACAddress {
        switch self {
        case .ipv4(let address): MACAddress(0x0100_5e00_0000 | UInt64(address.value & 0x7f_ffff))
        case .ipv6(let address): MACAddress(0x3333_0000_0000 | address.low & 0xffff_ffff)
        }
    }
}
