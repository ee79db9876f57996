// SPDX-License-Identifier: Apache-2.0

/// `show standby`: the HSRP groups of this node; failover fills it.
public struct StandbyView: Codable, Hashable, Sendable {
    /// The groups by interface and number.
    public var groups: [Group] = []

    /// An empty view.
    public init() {}

    /// One group on one interface.
    public struct Group: Codable, Hashable, Sendable {
        /// The kernel's name of the interface.
        public var interface = ""
        /// The group's number.
        public var group = 0
        /// The protocol version, 1.
        public var version = 1
        /// `standby G name`, null when it was given none.
        @Nullable public var name: String? = nil
        /// Initial, Learn, Listen, Speak, Standby or Active.
        public var state = "Initial"
        /// The virtual address, null until configured or learnt; of an IPv6 group the link-local one.
        @Nullable public var virtualAddress: String? = nil
        /// The secondary virtual addresses of an IPv4 group.
        public var secondaryVirtualAddresses: [String] = []
        /// The global virtual addresses of an IPv6 group with their lengths.
        public var globalVirtualAddresses: [String] = []
        /// The MAC that goes with the virtual address, in colon notation.
        @Nullable public var virtualMAC: String? = nil
        /// `standby use-bia`: the interface's own MAC is used.
        public var usesBurnedInAddress = false
        /// The priority after tracking.
        public var priority = 100
        /// The priority as configured.
        public var configuredPriority = 100
        /// Whether the node takes the role from a lower-priority Active.
        public var preempt = false
        /// `preempt delay minimum`.
        public var preemptMinimumDelayMilliseconds = 0
        /// `preempt delay reload`, null without.
        @Nullable public var preemptReloadDelayMilliseconds: Int? = nil
        /// `preempt delay sync`, null without.
        @Nullable public var preemptSyncDelayMilliseconds: Int? = nil
        /// How long preemption is still delayed, null when no delay runs.
        @Nullable public var preemptDelayRemainingMilliseconds: Int? = nil
        /// How long the group still stays in Initial (`standby delay`), null when no delay runs.
        @Nullable public var startDelayRemainingMilliseconds: Int? = nil
        /// The hello interval in use.
        public var helloMilliseconds = 3000
        /// The hold time in use.
        public var holdMilliseconds = 10000
        /// How often the state changed since the process started.
        public var stateChanges = 0
        /// How long ago it last changed, null if never.
        @Nullable public var lastStateChangeMilliseconds: Int? = nil
        /// When the next hello is due, null when none will be sent.
        @Nullable public var helloDueMilliseconds: Int? = nil
        /// The Active router, null when unknown.
        @Nullable public var activeRouter: Router? = nil
        /// The Standby router, null when unknown.
        @Nullable public var standbyRouter: Router? = nil
        /// Another router that is heard as Active beside this node, null when there is none.
        @Nullable public var otherActive: Router? = nil
        /// The tracked objects that bear on the group.
        public var trackedObjects: [Track] = []
        /// How messages are authenticated, as IOS words it, never with what; null for the default.
        @Nullable public var authentication: String? = nil
        /// `standby G follow NAME`, null for a group with an election of its own.
        @Nullable public var follows: String? = nil
        /// The groups that follow this one.
        public var followers: [Follower] = []
        /// Why the node declines the role (not HOT, unfit, interface down), null when it would take it.
        @Nullable public var declines: String? = nil
        /// The fence of the virtual address: `raised`, `lowered`, null when none is kept.
        @Nullable public var fence: String? = nil
        /// The term of the last takeover that this node knows of.
        @Nullable public var term: Int? = nil

        /// A group with default values.
        public init() {}
    }

    /// A router as the group knows it.
    public struct Router: Codable, Hashable, Sendable {
        /// Its address on the segment.
        public var address: String
        /// Whether it is this node.
        public var local: Bool
        /// The priority it last announced.
        @Nullable public var priority: Int? = nil
        /// When it counts as gone if nothing more is heard, null for this node.
        @Nullable public var expiresMilliseconds: Int? = nil

        /// Makes a router.
        public init(address: String, local: Bool, priority: Int?, expiresMilliseconds: Int? = nil) {
            self.address = address
            self.local = local
            self.priority = priority
            self.expiresMilliseconds = expiresMilliseconds
        }
    }

    /// A group that has the state of another one.
    public struct Follower: Codable, Hashable, Sendable {
        /// The kernel's name of its interface.
        public var interface: String
        /// Its number.
        public var group: Int
        /// Its state, the leader's or Initial.
        public var state: String
        /// Its virtual address, null where none is configured.
        @Nullable public var virtualAddress: String? = nil
        /// Its virtual MAC in colon notation, null while its interface does not exist.
        @Nullable public var virtualMAC: String? = nil

        /// Makes a follower.
        public init(interface: String, group: Int, state: String, virtualAddress: String?, virtualMAC: String?) {
            self.interface = interface
            self.group = group
            self.state = state
            self.virtualAddress = virtualAddress
            self.virtualMAC = virtualMAC
        }
    }

    /// What a tracked object does to a group.
    public struct Track: Codable, Hashable, Sendable {
        /// The object's number.
        public var id: Int
        /// Up, Down, or Undefined (which counts as Up).
        public var state: String
        /// What it takes off the priority while down; null for `shutdown`.
        @Nullable public var decrement: Int? = nil
        /// `shutdown`: the node is unfit while the object is down.
        public var shutdown: Bool

        /// Makes a tracking line; a nil decrement means `shutdown`.
        public init(id: Int, state: String, decrement: Int?) {
            self.id = id
            self.state = state
            self.decrement = decrement
            shutdown = decrement == nil
        }
    }
}
