// SPDX-License-Identifier: Apache-2.0

public import Primitives

/// Whether the replication process of this node works off what failover tells it.
///
/// A process that hangs says nothing, and neither do the words of the peer that it would hand on: without its answer to
/// `ask` nothing is known of either. It is asked with each question to the peer, and again and again while SAs may reach
/// the kernel of an Active for which replication has to watch.
public struct ReplicationWatch: Sendable {
    /// What happened.
    public enum Event: Hashable, Sendable {
        /// The peer was asked something, by way of replication.
        case questionSent
        /// Replication must be awake, or no longer.
        case vigilanceChanged(isNeeded: Bool)
        /// Replication has worked off everything up to the question of this number.
        case answered(number: UInt32)
        /// There is no replication process, or a new one.
        case processChanged
        /// `nextDeadline` passed; calling too early is harmless.
        case deadlineReached
    }

    /// What to do.
    public enum Action: Hashable, Sendable {
        /// Have replication answer with this number, when it has worked off what came before.
        case ask(number: UInt32)
        /// Tell the group that replication hangs, or that it works again.
        case noteSilence(isSilent: Bool)
    }

    /// How long replication may take to answer, and how soon it is asked again while it must be awake.
    public static let wait = Interval.milliseconds(100)

    private var number: UInt32 = 0
    /// When the oldest question without an answer was asked, and its number.
    private var asked: (number: UInt32, at: Instant)?
    private var askAgainAt: Instant?
    private var isNeeded = false
    private var isSilent = false

    /// Starts with nothing asked.
    public init() {}

    /// The time at which `deadlineReached` is due.
    public var nextDeadline: Instant? {
        .earliest(isSilent ? nil : asked.map { $0.at + Self.wait }, askAgainAt)
    }

    /// Takes one event and appends what is to be done.
    public mutating func handle(_ event: Event, at now: Instant, actions: inout [Action]) {
        switch event {
        case .questionSent: ask(at: now, actions: &actions)
        case .vigilanceChanged(let isNeeded):
            guard isNeeded != self.isNeeded else { return }
            self.isNeeded = isNeeded
            askAgainAt = nil
            if isNeeded { ask(at: now, actions: &actions) }
        case .answered(let number):
            guard let asked, number >= asked.number else { return }
            self.asked = nil
            // What has come behind a question that waited is still to be worked off.
            if isSilent, now.since(asked.at) > Self.wait { return ask(at: now, actions: &actions) }
            note(isSilent: false, actions: &actions)
        case .processChanged:
            (asked, askAgainAt, isNeeded) = (nil, nil, false)
            note(isSilent: false, actions: &actions)
        case .deadlineReached: reachDeadlines(at: now, actions: &actions)
        }
    }

    private mutating func reachDeadlines(at now: Instant, actions: inout [Action]) {
        if !isSilent, let due = asked.map({ $0.at + Self.wait }), due <= now {
            if now.since(due) > GroupTiming.lateness {
                // It was this process that slept, and the answer may wait.
                asked = nil
                ask(at: now, actions: &actions)
            } else {
                note(isSilent: true, actions: &actions)
            }
        }
        if let due = askAgainAt, due <= now { ask(at: now, actions: &actions) }
    }

    /// One question at a time is open: the answer to it is what is waited for.
    private mutating func ask(at now: Instant, actions: inout [Action]) {
        askAgainAt = isNeeded ? now + Self.wait : nil
        guard asked == nil else { return }
        number &+= 1
        asked = (number, now)
        actions.append(.ask(number: number))
    }

    private mutating func note(isSilent: Bool, actions: inout [Action]) {
        guard isSilent != self.isSilent else { return }
        self.isSilent = isSilent
        actions.append(.noteSilence(isSilent: isSilent))
    }
}
