// SPDX-License-Identifier: Apache-2.0

/// The states of a group (RFC 2281 §5.1); each version has its own codes for them.
public enum HSRPState: Sendable, CaseIterable {
    /// Not running: disabled, interface down or unfit.
    case initial
    /// Running, but the virtual address is not known yet.
    case learn
    /// Hears others; neither Active nor Standby.
    case listen
    /// Sends hellos and takes part in the election.
    case speak
    /// Next in line.
    case standby
    /// Holds the virtual address.
    case active

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
