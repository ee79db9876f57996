// SPDX-License-Identifier: Apache-2.0

import Primitives

extension CharonDelivery {
    /// What happened.
    public enum Event: Sendable {
        /// A record from the peer was appended to the journal.
        case recordArrived(CharonRecord)
        /// The node's role is to be told to charon, behind all records that arrived before.
        case roleDecided(isActive: Bool)
        /// charon's receive queue was looked at; `dropCount` is the kernel's drop counter of that socket.
        case queueObserved(byteCount: Int, dropCount: UInt64)
        /// charon's socket does not exist, a send was refused, or its VICI stream ended.
        case charonLost
        /// charon's wire version became known by a message or by its release (VICI).
        case versionLearned(HAVersion)
        /// charon lost its SAs (RESYNC heard, or VICI connected to another process than before).
        case charonRestarted
        /// charon's SAs are to be compared with the journal when all is delivered.
        case planWanted
        /// The journal was replaced by a copy: charon holds something else until it was compared.
        case copyReplaced
        /// The plan asked for by `requestPlan` is ready, made from the journal as it is at this moment.
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
        ///
        /// Before `planMade`, delete from the kernel both SAs of every one of the plan's `installedChildren` that is
        /// there: what a killed charon left is not overwritten by its successor, which fails and deletes one of the two
        /// (measured: the third replay is the first that succeeds). Asked again when no answer came within a second.
        case requestPlan(reason: PlanReason)
        /// Everything up to this record was read by charon.
        case acknowledge(sequence: UInt64)
        /// charon has read the role command, and so every record before it.
        case reportRole(isActive: Bool)
        /// The charon that held the live SAs lost them; what starts anew is told to be active, with nothing replayed.
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
        /// The journal was replaced by a copy; a takeover waits for the comparison too.
        case copied
        /// The owner asked.
        case requested

        /// Tells whether charon may have missed anything, so that the plan says everything again.
        var isBehindLoss: Bool {
            switch self {
            case .started, .restarted, .dropped, .overLimit: true
            case .copied, .requested: false
            }
        }
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

    enum Timers {
        /// How often STATUS is sent.
        static let status = Interval.seconds(1)
        /// How soon a queue that was not empty is looked at again; doubled each time up to the limit.
        static let observation = Interval.milliseconds(1)
        /// The longest pause between two looks at a queue that is not empty.
        static let observationLimit = Interval.milliseconds(16)
        /// How often a lost charon's socket is looked for.
        static let search = Interval.seconds(1)
        /// How long charon may work on the last message it read.
        static let settling = Interval.milliseconds(20)
        /// How long a charon that was started anew may take to load connections and answer, before it gets a role unfilled.
        static let filling = Interval.seconds(5)
        /// How long a plan may take before it is asked for again.
        static let planWait = Interval.seconds(1)
        /// How soon a repaired charon is compared again; doubled each time up to the limit.
        static let verification = Interval.seconds(1)
        /// The longest pause between two comparisons of a charon that cannot be repaired.
        static let verificationLimit = Interval.seconds(10)
        /// The pause behind a record that may have crashed charon before.
        static let suspect = Interval.milliseconds(5)
    }
}
