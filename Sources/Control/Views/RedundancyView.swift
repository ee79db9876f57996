// SPDX-License-Identifier: Apache-2.0

/// `show redundancy`: this node and its peer; replication fills it.
public struct RedundancyView: Codable, Hashable, Sendable {
    /// DISABLED, INITIALIZATION, NEGOTIATION, STANDBY COLD, STANDBY COLD-BULK, STANDBY HOT, ACTIVE-DRAIN, ACTIVE-FAST
    /// or ACTIVE.
    public var state = "DISABLED"
    /// The peer's state in the same words, null without a peer.
    @Nullable public var peerState: String? = nil
    /// Up or Down: whether a session with the peer stands.
    public var communications = "Down"
    /// The group name of `scheme standby`, null without a scheme.
    @Nullable public var scheme: String? = nil
    /// The state of the scheme's group on this node, null when unknown.
    @Nullable public var groupState: String? = nil
    /// Whether the scheme's crypto map is `stateful`.
    public var stateful = false
    /// The counter raised at each takeover.
    public var term = 0
    /// How often the role changed hands since the process started.
    public var switchovers = 0
    /// Records sent that the peer has not acknowledged.
    public var unacknowledgedRecords = 0
    /// The age of the oldest of them, null when there is none.
    @Nullable public var oldestUnacknowledgedMilliseconds: Int? = nil
    /// How the association is secured: `none`, `TLS 1.3`, or `TLS 1.3, down` while no session stands.
    public var security = "none"
    /// The virtual addresses of the scheme.
    public var virtualAddresses: [String] = []
    /// What keeps the standby (this node or its peer) from being HOT, in sentences.
    public var missingForHot: [String] = []
    /// Routers that are heard as Active in one of our groups beside this node.
    public var foreignActives: [ForeignActive] = []
    /// What differs between the nodes though it should not, and what the machine lacks, in sentences.
    public var warnings: [String] = []
    /// IKE SAs that this node holds, live or passive.
    public var ikeSAs = 0
    /// Pairs of ESP SAs that this node holds.
    public var childSAs = 0
    /// The IKE daemon, null before replication has looked for it.
    @Nullable public var ikeDaemon: IKEDaemon? = nil
    /// State changes, the oldest first.
    public var history: [Change] = []

    /// A view of a node without redundancy.
    public init() {}

    /// What is known of the IKE daemon.
    public struct IKEDaemon: Codable, Hashable, Sendable {
        /// `strongswan` or `none`.
        public var kind = "strongswan"
        /// Whether it answers.
        public var reachable = false
        /// Its version as it says it, null when unknown.
        @Nullable public var version: String? = nil
        /// Whether its ha plugin was heard.
        public var haPlugin = false
        /// Names of its loaded connections.
        public var connections: [String] = []

        /// An unreachable daemon.
        public init() {}
    }

    /// A router that is Active beside this node.
    public struct ForeignActive: Codable, Hashable, Sendable {
        /// The kernel's name of the interface on which it is heard.
        public var interface: String
        /// The group.
        public var group: Int
        /// Its address.
        public var address: String

        /// Makes an entry.
        public init(interface: String, group: Int, address: String) {
            self.interface = interface
            self.group = group
            self.address = address
        }
    }

    /// One change of state.
    public struct Change: Codable, Hashable, Sendable {
        /// RFC 3339 time.
        public var time: String
        /// The state before.
        public var from: String
        /// The state after.
        public var to: String
        /// Why.
        public var reason: String

        /// Makes a change.
        public init(time: String, from: String, to: String, reason: String) {
            self.time = time
            self.from = from
            self.to = to
            self.reason = reason
        }
    }
}
