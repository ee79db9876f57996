// SPDX-License-Identifier: Apache-2.0

public import Primitives

/// The protocol's version, one for all groups of an interface (reference first-hop §1.1).
public enum HSRPVersion: UInt8, Sendable, CaseIterable, Codable {
    /// RFC 2281: groups to 255, timers of whole seconds.
    case one = 1
    /// Groups to 4095, timers in milliseconds, and the sender's own MAC in every message.
    case two = 2

    /// UDP source and destination port.
    public static let port: UInt16 = 1985

    /// The group address that messages go to: all routers on this subnet, or the version's own.
    public var destination: IPv4Address {
        switch self {
        case .one: IPv4Address(224, 0, 0, 2)
        case .two: IPv4Address(224, 0, 0, 102)
        }
    }

    /// The Ethernet address of `destination`.
    public var destinationMAC: MACAddress {
        MACAddress(0x0100_5e00_0000 | UInt64(destination.value & 0x7f_ffff))
    }

    /// The numbers that groups may have.
    public var groupNumbers: ClosedRange<Int> {
        switch self {
        case .one: 0...255
        case .two: 0...4095
        }
    }

    /// The MAC that goes with the virtual address of a group; `group` must be one of `groupNumbers`.
    public func virtualMAC(group: UInt16) -> MACAddress {
        precondition(groupNumbers.contains(Int(group)))
        return switch self {
        case .one: .hsrpVersion1(group: UInt8(group))
        case .two: .hsrpVersion2(group: group)
        }
    }

    /// The version whose messages go to an address, nil for any other address.
    public init?(destination: IPv4Address) {
        guard let version = Self.allCases.first(where: { $0.destination == destination }) else { return nil }
        self = version
    }
}
