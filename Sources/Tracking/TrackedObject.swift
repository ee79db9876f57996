// SPDX-License-Identifier: Apache-2.0

public import Primitives

/// One tracked object: a raw state, and the state that clients see after the configured delay.
///
///     Up ──(raw down for `downDelay`)──► Down ──(raw up for `upDelay`)──► Up
///
/// A blip shorter than its delay is cancelled and no client ever hears of it. The first known state has no delay.
public struct TrackedObject: Sendable {
    /// What clients see.
    public enum State: Sendable {
        /// The object works, or nothing is known yet.
        case up
        /// The object does not work.
        case down

        /// `Up` or `Down`, as screens and log lines print it.
        public var name: String { self == .up ? "Up" : "Down" }
    }

    /// What happened.
    public enum Event: Hashable, Sendable {
        /// The raw state was read; not firm while parts of it are still to be learned, and then without delay.
        case observed(Observation, isFirm: Bool = true)
        /// The delays were configured anew.
        case delaysChanged(down: Interval, up: Interval)
        /// A deadline may have passed; calling too early is harmless.
        case deadlineReached
    }

    /// What clients must hear.
    public enum Action: Hashable, Sendable {
        /// The state that clients see changed.
        case stateChanged(from: State, to: State)
    }

    /// The state that clients see.
    public private(set) var state: State
    /// What was observed last; nil before anything is known.
    public private(set) var observation: Observation?
    /// How often that state has changed.
    public private(set) var changeCount = 0
    /// When it changed last; nil before the first change.
    public private(set) var lastChangeAt: Instant?
    /// When a pending change will be told; nil while none is pending.
    public private(set) var nextDeadline: Instant?

    private var downDelay: Interval
    private var upDelay: Interval
    /// Whether all that makes its state is known; from then on delays hold changes back.
    public private(set) var hasSettled = false

    /// Starts unobserved; until then it counts as `defaultState`.
    public init(downDelay: Interval, upDelay: Interval, defaultState: State = .up) {
        state = defaultState
        self.downDelay = downDelay
        self.upDelay = upDelay
    }

    /// Steps the object; `now` must never go back.
    public mutating func handle(_ event: Event, at now: Instant, actions: inout [Action]) {
        switch event {
        case .observed(let new, let isFirm): observe(new, isFirm: isFirm, at: now, actions: &actions)
        case .delaysChanged(let down, let up):
            downDelay = down
            upDelay = up
        case .deadlineReached:
            guard let deadline = nextDeadline, deadline <= now else { return }
            change(at: now, actions: &actions)
        }
    }

    private mutating func observe(_ new: Observation, isFirm: Bool, at now: Instant, actions: inout [Action]) {
        let isFirst = !hasSettled
        hasSettled = hasSettled || isFirm
        observation = new
        let raw: State = new.isUp ? .up : .down
        guard raw != state else {
            nextDeadline = nil
            return
        }
        let delay = raw == .down ? downDelay : upDelay
        if isFirst || delay == .zero {
            change(at: now, actions: &actions)
        } else if nextDeadline == nil {
            nextDeadline = now + delay
        }
    }

    private mutating func change(at now: Instant, actions: inout [Action]) {
        let old = state
        state = old == .up ? .down : .up
        changeCount += 1
        lastChangeAt = now
        nextDeadline = nil
        actions.append(.stateChanged(from: old, to: state))
    }
}
