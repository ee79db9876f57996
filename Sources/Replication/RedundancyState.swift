// SPDX-License-Identifier: Apache-2.0

/// The states of a redundancy pair; the raw value is the number that IOS prints (reference ipsec-ha §5.3).
public enum RedundancyState: UInt8, Hashable, Sendable, CaseIterable, Codable, CustomStringConvertible {
    /// No scheme or no association is configured.
    case disabled = 1
    /// The role is not known yet.
    case initialization = 2
    /// Looking for the peer for the first time.
    case negotiation = 3
    /// Standby without the Active's records.
    case standbyCold = 4
    /// Standby taking over the Active's records.
    case standbyColdBulk = 7
    /// Standby with everything that the Active has.
    case standbyHot = 8
    /// Active, taking the role: background work is under way.
    case activeFast = 9
    /// Active, giving the role away in order.
    case activeDrain = 10
    /// Active.
    case active = 13

    /// Whether the node holds the role.
    public var isActive: Bool { self == .active || self == .activeFast || self == .activeDrain }

    /// The name on the screens.
    public var description: String {
        switch self {
        case .disabled: "DISABLED"
        case .initialization: "INITIALIZATION"
        case .negotiation: "NEGOTIATION"
        case .standbyCold: "STANDBY COLD"
        case .standbyColdBulk: "STANDBY COLD-BULK"
        case .standbyHot: "STANDBY HOT"
        case .activeFast: "ACTIVE-FAST"
        case .activeDrain: "ACTIVE-DRAIN"
        case .active: "ACTIVE"
        }
    }
}
