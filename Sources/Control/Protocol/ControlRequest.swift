// SPDX-License-Identifier: Apache-2.0

/// What a client asks of the daemon; one JSON object in one frame.
///
/// Front passes queries on to the other processes in the same form (`query`).
public struct ControlRequest: Codable, Hashable, Sendable {
    /// What to do.
    public var command: Command
    /// `switchover --group NAME`; nil means the group of the scheme.
    public var group: String?
    /// `switchover --force`: even if the standby is not HOT.
    public var force: Bool?
    /// `switchover` without `--no-wait`: answer when the peer is Active.
    public var wait: Bool?
    /// `show running-config secrets`.
    public var secrets: Bool?

    /// Makes a request without arguments.
    public init(_ command: Command) { self.command = command }

    /// The commands of the socket, as they are typed.
    public enum Command: String, Codable, Sendable, CaseIterable {
        /// Answered with `StandbyView` by failover.
        case showStandby = "show standby"
        /// Answered with `TrackView` by failover.
        case showTrack = "show track"
        /// Answered with `RedundancyView` by replication.
        case showRedundancy = "show redundancy"
        /// Answered with `AssociationView` by replication.
        case showAssociation = "show ipc association"
        /// Answered with `ISAKMPView` by replication.
        case showISAKMP = "show crypto isakmp sa"
        /// Answered with `IPsecView` by replication.
        case showIPsec = "show crypto ipsec sa"
        /// Answered with `SessionView` by replication.
        case showSession = "show crypto session"
        /// Answered with `RunningConfigurationView` by front.
        case showRunningConfiguration = "show running-config"
        /// Answered with `VersionView` by front.
        case showVersion = "show version"
        /// Answered with `CountersView`, by every process for itself and by front for all.
        case showCounters = "show counters"
        /// Answered with `LoggingView` by front.
        case showLogging = "show logging"
        /// Followed by `EventView` frames until the client closes.
        case monitor = "monitor"
        /// Answered with `SwitchoverView` by failover, within `Limits.switchoverMilliseconds`.
        case switchover = "switchover"
        /// Answered with `ReloadView` by front.
        case reload = "reload"
        /// Answered with `MetricsView` by front.
        case metrics = "metrics"

        /// Whether the command changes something and so needs the right to.
        public var needsPrivilege: Bool { self == .switchover || self == .reload }
    }
}
