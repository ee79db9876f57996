// SPDX-License-Identifier: Apache-2.0

/// `show track`: the tracked objects; failover fills it.
public struct TrackView: Codable, Hashable, Sendable {
    /// The objects by number.
    public var objects: [Object] = []

    /// An empty view.
    public init() {}

    /// One tracked object.
    public struct Object: Codable, Hashable, Sendable {
        /// Its number.
        public var id = 0
        /// What is watched: `interface line-protocol`, `ip route reachability`, `list boolean and`.
        public var kind = "interface line-protocol"
        /// Of which one: the interface's name, the network; empty for a list.
        public var target = ""
        /// Up or Down, as its clients see it.
        public var state = "Down"
        /// Why it is what it is when there is more to say, such as `interface does not exist`.
        @Nullable public var detail: String? = nil
        /// How often the state changed.
        public var changes = 0
        /// How long ago it last changed, null if never.
        @Nullable public var lastChangeMilliseconds: Int? = nil
        /// `delay up`.
        public var delayUpMilliseconds = 0
        /// `delay down`.
        public var delayDownMilliseconds = 0
        /// What remains of a delay that is running, null when none is.
        @Nullable public var delayRemainingMilliseconds: Int? = nil
        /// The groups that track it.
        public var trackedBy: [Client] = []
        /// The lists that it is in.
        public var lists: [Int] = []
        /// The interface by which a tracked route leads on.
        @Nullable public var firstHop: String? = nil
        /// A list's members; null for other objects.
        @Nullable public var members: [Member]? = nil
        /// From where on a threshold list is up.
        @Nullable public var thresholdUp: Int? = nil
        /// From where on it is down.
        @Nullable public var thresholdDown: Int? = nil
        /// A script's runs; null for other objects and before anything is known.
        @Nullable public var runs: Runs? = nil
        /// The `ip sla` operation; null for other objects and for one that does not run.
        @Nullable public var echo: Echo? = nil

        /// An object with default values.
        public init() {}
    }

    /// How a script's runs ended.
    public struct Runs: Codable, Hashable, Sendable {
        /// With status 0.
        public var successes = 0
        /// With another status.
        public var failures = 0
        /// By a signal.
        public var signals = 0
        /// Killed at the timeout.
        public var timeouts = 0
        /// Not run at all.
        public var refusals = 0
        /// How the last one ended, in words.
        public var last = ""
        /// How long the last one took, null where it did not run.
        @Nullable public var lastMilliseconds: Int? = nil

        /// No run.
        public init() {}
    }

    /// An `ip sla` operation.
    public struct Echo: Codable, Hashable, Sendable {
        /// IOS's return code: OK, over threshold, Timeout, Unknown.
        public var returnCode = "Unknown"
        /// The last answer's round trip, null before the first one.
        @Nullable public var roundTripMicroseconds: Int? = nil
        /// Echoes sent.
        public var sent = 0
        /// Echoes answered in time.
        public var answered = 0
        /// Echoes that were not.
        public var lost = 0

        /// An operation that has not begun.
        public init() {}
    }

    /// A member of a list.
    public struct Member: Codable, Hashable, Sendable {
        /// The object's number.
        public var id: Int
        /// Up, Down, or Undefined, which counts as Up.
        public var state: String
        /// Counts as up while the object is down.
        public var negated = false
        /// Its weight; null where weights do not count.
        @Nullable public var weight: Int? = nil

        /// Makes a member.
        public init(id: Int, state: String) {
            self.id = id
            self.state = state
        }
    }

    /// A group that tracks an object.
    public struct Client: Codable, Hashable, Sendable {
        /// The group's interface.
        public var interface: String
        /// The group's number.
        public var group: Int

        /// Makes a client.
        public init(interface: String, group: Int) {
            self.interface = interface
            self.group = group
        }
    }
}
