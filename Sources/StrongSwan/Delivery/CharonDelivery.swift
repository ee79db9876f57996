// SPDX-License-Identifier: Apache-2.0

public import Primitives

/// Brings records and role commands to the local charon: exactly once, in order, never faster than it reads.
public struct CharonDelivery: Sendable {
    /// What happened.
    public enum Event: Sendable {
        /// A record from the peer was appended to the journal.
        case recordArrived(CharonRecord)
        /// The node's role is to be told to charon, behind all records that arrived before.
        case roleDecided(isActive: Bool)
        /// charon's receive queue was looked at; `dropCount` is the kernel's drop counter of that socket.
        case queueObserved(byteCount: Int, dropCount: UInt64)
        /// charon's socket does not exist, or a send was refused.
        case charonLost
        /// charon's wire version became known by a message or by its release (VICI).
        case versionLearned(HAVersion)
        /// charon lost its SAs (RESYNC heard, or VICI connected to another process than before).
        case charonRestarted
        /// The plan asked for by `requestPlan` is ready.
        case planMade(ReconciliationPlan)
        /// `nextDeadline` has passed.
        case deadlineReached
    }

    /// What to do.
    public enum Action: Sendable, Equatable {
        /// Send this datagram to charon.
        case send(HAMessage)
        /// Look at charon's receive queue and report `queueObserved` or `charonLost`.
        case observeQueue
        /// List charon's SAs, compare with the journal, terminate the strangers and report `planMade`.
        case requestPlan(reason: PlanReason)
        /// Everything up to this record was read by charon.
        case acknowledge(sequence: UInt64)
        /// charon has read the role command, and so every record before it.
        case reportRole(isActive: Bool)
        /// The charon that held the live SAs lost them.
        case reportActiveLoss
        /// Add one to the counter of this name.
        case count(Counter)
    }

    /// Why charon's SAs must be compared with the journal.
    public enum PlanReason: Sendable, Equatable {
        /// Nothing is known of charon yet.
        case started
        /// charon started anew.
        case restarted
        /// The kernel dropped datagrams before charon read them.
        case dropped
        /// More waited than `Limits.deliveryQueueCount`.
        case overLimit
        /// The owner asked.
        case requested
    }

    /// Counters; raw values are their names.
    public enum Counter: String, Sendable, CaseIterable {
        /// A record was sent to charon.
        case sent = "delivery.sent"
        /// Datagrams were lost between us and charon.
        case dropped = "delivery.dropped"
        /// The queue was full and was replaced by a plan.
        case overLimit = "delivery.over-limit"
        /// A record was held back because charon died of it twice.
        case poisoned = "delivery.poisoned"
        /// A record cannot be expressed in the local charon's version.
        case untranslatable = "delivery.untranslatable"
    }

    /// Starts with nothing known of charon; the first plan is asked for when its version is.
    public init() {}

    /// The time at which `deadlineReached` is due.
    public var nextDeadline: Instant? { nil }

    /// Takes one event and appends what is to be done.
    public mutating func handle(_ event: Event, at now: Instant, actions: inout [Action]) {}
}
