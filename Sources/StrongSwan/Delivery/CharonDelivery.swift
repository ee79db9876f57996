// SPDX-License-Identifier: Apache-2.0

import DequeModule
public import Primitives

/// Brings records and role commands to the local charon: exactly once, in order, never faster than it reads.
///
/// The ha plugin's socket is UDP without acknowledgements; what tells us is its receive queue and drop counter.
///
///                  version known                     plan made (or cancelled by a takeover)
///     ┌─────────┐ ───────────────► ┌──────────┐ ─────────────────────────────► ┌─────────┐
///     │ unknown │                  │ planning │                                │ flowing │
///     └─────────┘                  └──────────┘ ◄───────────────────────────── └─────────┘
///                    version known │        ▲    dropped, restarted, over limit, wanted │
///     ┌──────┐    or socket seen  │        │                                           │
///     │ lost │ ────────────────────┴────────┘                                           │
///     └──────┘ ◄────────────────────────────────────── charon lost ─────────────────────┘
///
/// Planning: wait until charon's queue is empty and its last message worked off, have its SAs listed and compared with
/// the journal, deliver the difference. SAs that come and go meanwhile are in the journal, hence in the plan; what else
/// is said of standing ones meanwhile is delivered before it.
/// Roles: SEGMENT_DROP makes charon active, SEGMENT_TAKE passive; STATUS each second keeps it there
/// (reference ipsec-ha §1.7), and says nothing between a decided and a delivered takeover.
public struct CharonDelivery: Sendable {
    enum Phase: Sendable, Equatable {
        case unknown
        case planning(reason: PlanReason, stage: PlanStage)
        case flowing
        case lost
    }

    enum PlanStage: Sendable, Equatable {
        case draining
        case settling(until: Instant)
        case waiting(until: Instant)
    }

    enum Item: Sendable {
        case message(HAMessage)
        case record(CharonRecord)
        case role(isActive: Bool)
        /// The end of a plan.
        case mark(sequence: UInt64)
    }

    var phase = Phase.unknown
    var version: HAVersion?
    var queue = Deque<Item>()
    /// Records that waited when planning began, or arrived since; those that add or end SAs are part of the plan unless
    /// it is cancelled.
    var held = Deque<CharonRecord>()
    var wantsPlan = false
    var isObserving = false
    /// When to look at the queue again.
    var observationDue: Instant?
    var observationPause = Timers.observation
    var lastDropCount: UInt64?
    var sentSequence: UInt64?
    var sentRole: Bool?
    var wantedRole: Bool?
    var toldRole: Bool?
    /// charon died while it was active.
    var hasLostActive = false
    /// Until when a charon that was started anew is waited for, to be filled.
    var fillDeadline: Instant?
    var statusDue: Instant?
    /// When a charon that had to be repaired is compared again, for it may lack the configuration still.
    var verificationDue: Instant?
    var verificationPause = Timers.verification
    var suspicion = CrashSuspicion()

    /// Starts with nothing known of charon; the first plan is asked for when its version is.
    public init() {}

    /// The time at which `deadlineReached` is due.
    public var nextDeadline: Instant? {
        let planDue: Instant? =
            switch phase {
            case .planning(_, .settling(let until)), .planning(_, .waiting(let until)): until
            default: nil
            }
        return .earliest(.earliest(observationDue, statusDue), .earliest(verificationDue, planDue))
    }

    /// charon's socket is not there.
    public var isLost: Bool { phase == .lost }

    /// Whether `requestPlan` waits for its answer.
    public var isAwaitingPlan: Bool {
        if case .planning(_, .waiting) = phase { return true }
        return false
    }

    /// The number of items not sent yet.
    public var backlogCount: Int { queue.count + held.count }

    /// Takes one event and appends what is to be done.
    public mutating func handle(_ event: Event, at now: Instant, actions: inout [Action]) {
        switch (phase, event) {
        case (.flowing, .recordArrived(let record)): enqueue(record, now, &actions)
        case (.planning, .recordArrived(let record)): hold(record)
        case (.unknown, .recordArrived), (.lost, .recordArrived): break
        case (_, .roleDecided(let isActive)): decide(isActive, now, &actions)
        // Its socket is there: it came back, or was never gone.
        case (.lost, .queueObserved) where version != nil:
            isObserving = false
            restart(now, &actions)
        case (_, .queueObserved(let byteCount, let dropCount)):
            observe(byteCount: byteCount, dropCount: dropCount, now, &actions)
        case (.lost, .charonLost):
            isObserving = false
            observationDue = now + Timers.search
        case (_, .charonLost): lose(now, &actions)
        case (.unknown, .versionLearned(let version)):
            self.version = version
            plan(.started, now, &actions)
        case (.lost, .versionLearned(let version)):
            self.version = version
            restart(now, &actions)
        case (_, .versionLearned(let version)): self.version = version
        case (.unknown, .charonRestarted): break
        case (_, .charonRestarted): restart(now, &actions)
        // The active charon is the source of the journal, not its copy.
        case (.flowing, .planWanted) where wantedRole != true:
            wantsPlan = true
            pump(now, &actions)
        case (_, .planWanted): break
        case (.flowing, .copyReplaced) where wantedRole != true: plan(.copied, now, &actions)
        case (.planning(.requested, let stage), .copyReplaced): phase = .planning(reason: .copied, stage: stage)
        case (_, .copyReplaced): break
        case (.planning(_, .waiting), .planMade(let plan)): adopt(plan, now, &actions)
        case (_, .planMade): break
        case (_, .deadlineReached): reachDeadline(now, &actions)
        }
    }

    private mutating func enqueue(_ record: CharonRecord, _ now: Instant, _ actions: inout [Action]) {
        guard queue.count < Limits.deliveryQueueCount else {
            actions.append(.count(.overLimit))
            return plan(.overLimit, now, &actions)
        }
        queue.append(.record(record))
        pump(now, &actions)
    }

    private mutating func hold(_ record: CharonRecord) {
        if held.count < Limits.deliveryQueueCount { return held.append(record) }
        guard case .planning(_, let stage) = phase else { return }
        // What is not kept must be refreshed.
        phase = .planning(reason: .overLimit, stage: stage)
    }

    private mutating func decide(_ isActive: Bool, _ now: Instant, _ actions: inout [Action]) {
        guard isActive != wantedRole else { return }
        wantedRole = isActive
        if !isActive { hasLostActive = false }
        statusDue = nil
        switch phase {
        case .flowing:
            queue.append(.role(isActive: isActive))
            pump(now, &actions)
        case .planning(.requested, _) where held.count < Limits.deliveryQueueCount:
            // Nothing is known to be wrong: the takeover does not wait for a routine comparison.
            cancelPlan(now, &actions)
        case .planning, .unknown, .lost: break
        }
    }

    private mutating func adopt(_ plan: ReconciliationPlan, _ now: Instant, _ actions: inout [Action]) {
        // The plan lists SAs; what became of those that stand is behind these records, and older than the plan's own.
        if case .planning(let reason, _) = phase, !reason.isBehindLoss {
            queue.append(contentsOf: held.lazy.filter { $0.message.refreshes }.map { .record($0) })
        }
        held.removeAll()
        phase = .flowing
        // SAs that reach an active charon would stay passive: only a change of the segment moves them.
        if wantedRole == true, toldRole != nil, !plan.records.isEmpty {
            queue.append(.role(isActive: false))
            toldRole = nil
        }
        queue.append(contentsOf: plan.deletions.map { .message($0) })
        queue.append(contentsOf: plan.records.map { .record($0) })
        queue.append(.mark(sequence: plan.throughSequence))
        if let wantedRole, wantedRole != toldRole { queue.append(.role(isActive: wantedRole)) }
        verificationDue = plan.isEmpty ? nil : now + verificationPause
        verificationPause = plan.isEmpty ? Timers.verification : min(verificationPause * 2, Timers.verificationLimit)
        pump(now, &actions)
    }

    private mutating func restart(_ now: Instant, _ actions: inout [Action]) {
        let wasActive = toldRole == true || hasLostActive
        if wasActive { actions.append(.reportActiveLoss) }
        (toldRole, statusDue, lastDropCount, observationDue, hasLostActive) = (nil, nil, nil, nil, false)
        verificationPause = Timers.verification
        guard wasActive, wantedRole == true else {
            fillDeadline = now + Timers.filling
            return plan(.restarted, now, &actions)
        }
        queue.removeAll()
        held.removeAll()
        phase = .flowing
        queue.append(.role(isActive: true))
        pump(now, &actions)
    }

    private mutating func lose(_ now: Instant, _ actions: inout [Action]) {
        suspicion.noteLoss(at: now)
        if toldRole == true {
            hasLostActive = true
            actions.append(.reportActiveLoss)
        }
        phase = .lost
        queue.removeAll()
        held.removeAll()
        (sentSequence, sentRole, toldRole, statusDue, lastDropCount) = (nil, nil, nil, nil, nil)
        observationDue = now + Timers.search
        (isObserving, wantsPlan, verificationDue) = (false, false, nil)
    }

    private mutating func reachDeadline(_ now: Instant, _ actions: inout [Action]) {
        if let due = statusDue, due <= now { sendStatus(now, &actions) }
        if let due = observationDue, due <= now { look(&actions) }
        if let due = verificationDue, due <= now {
            verificationDue = nil
            handle(.planWanted, at: now, actions: &actions)
        }
        switch phase {
        case .planning(let reason, .settling(let until)) where until <= now:
            phase = .planning(reason: reason, stage: .waiting(until: now + Timers.planWait))
            actions.append(.requestPlan(reason: reason))
        case .planning(let reason, .waiting(let until)) where until <= now:
            // A charon that does not answer VICI: a takeover goes on without, but one that has just started is left to
            // load its connections and is filled. Everything else asks again.
            let isFilling = reason == .restarted && fillDeadline.map { now < $0 } ?? false
            if wantedRole == true, toldRole != true, !isFilling {
                cancelPlan(now, &actions)
            } else {
                phase = .planning(reason: reason, stage: .waiting(until: now + Timers.planWait))
                actions.append(.requestPlan(reason: reason))
            }
        default: break
        }
    }
}
