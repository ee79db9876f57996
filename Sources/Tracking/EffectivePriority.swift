// SPDX-License-Identifier: Apache-2.0

/// What a group's tracked objects make of its configured priority, always computed from scratch.
public struct EffectivePriority: Hashable, Sendable {
    /// One tracking statement of the group with its object's present state.
    public struct Track: Hashable, Sendable {
        /// The object's state; an object that is not defined counts as Up.
        public var state: TrackedObject.State
        /// What it takes off the priority while Down; nil makes the node unfit instead (`shutdown`).
        public var decrement: Int?

        /// Makes a tracking statement.
        public init(state: TrackedObject.State?, decrement: Int?) {
            self.state = state ?? .up
            self.decrement = decrement
        }
    }

    /// Configured priority less all decrements of objects that are Down, never below 0.
    public let priority: UInt8
    /// False while an object with `shutdown` is Down.
    public let isFit: Bool

    /// Computes both; `configured` must be 0 to 255 and decrements must not be negative.
    public init(configured: Int, tracks: [Track]) {
        precondition((0...255).contains(configured))
        let down = tracks.filter { $0.state == .down }
        let loss = down.reduce(0) { sum, track in
            let decrement = track.decrement ?? 0
            precondition(decrement >= 0)
            return min(sum + min(decrement, 255), 255)
        }
        priority = UInt8(max(configured - loss, 0))
        isFit = down.allSatisfy { $0.decrement != nil }
    }
}
