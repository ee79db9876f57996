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
        /// What is watched: `interface line-protocol`.
        public var kind = "interface line-protocol"
        /// The interface's name.
        public var target = ""
        /// Up or Down, as its clients see it.
        public var state = "Down"
        /// Why it is down when there is more to say, such as `interface does not exist`.
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

        /// An object with default values.
        public init() {}
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
