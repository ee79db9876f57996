// SPDX-License-Identifier: Apache-2.0

/// The states of a group, with their codes on the wire (RFC 2281 §5.1; version 1 codes them as bits).
public enum HSRPState: UInt8, Sendable, CaseIterable {
    /// Not running: disabled, interface down or unfit.
    case initial = 0
    /// Running, but the virtual address is not known yet.
    case learn = 1
    /// Hears others; neither Active nor Standby.
    case listen = 2
    /// Sends hellos and takes part in the election.
    case speak = 4
    /// Next in line.
    case standby = 8
    /// Holds the virtual address.
    case active = 16

    /// The name as screens and log lines print it.
    public var name: String {
        switch self {
        case .initial: "Initial"
        case .learn: "Learn"
        case .listen: "Listen"
        case .speak: "Speak"
        case .standby: "Standby"
        case .active: "Active"
        }
    }
}
