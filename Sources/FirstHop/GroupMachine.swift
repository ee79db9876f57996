// SPDX-License-Identifier: Apache-2.0

import ByteCodec
public import Primitives

/// One HSRP group on one node: RFC 2281's state table, and the product's own order of giving and taking the role.
///
///         enabled                   Active or Standby silent          Standby silent
///     Initial ──► Listen (Learn) ─────────────────────► Speak ──────────────────────► Standby
///                   ▲   ▲  a better one speaks            │                             │
///                   │   └─────────────────────────────────┴─────────────────────────────┤
///                   │                                                                   │ Active silent, Resign,
///                   │ (preempt: Coup, or the role asked for and given)                  │ role given
///                   └──────────────────────────────────────────────────────► Active ◄───┘
///     Active ──► Speak: better Active, Coup, role given away      any ──► Initial: disabled, unfit, stopping
///
/// Within a state `Phase` says which hand-over or question is under way. Deadlines are absolute, so a Standby whose
/// Active fell silent while it still was in Speak takes over at once; at equal deadlines the Standby's comes first.
/// Toward routers that are not our peer the table applies unchanged, with strict preemption (equal priority never
/// relieves an Active) and one deviation, which IOS shares: an Active that yields to a Coup sends no Resign, since the
/// sender is Active already and a Resign would raise the Standby as a second one.
///
/// Call `handle` for everything that happens and whenever `nextDeadline` has come; perform the actions in order.
public struct GroupMachine: Sendable {
    /// What configuration and interface say.
    public internal(set) var settings: GroupSettings
    /// The state, as hellos tell it.
    public internal(set) var state: HSRPState = .initial
    /// The effective priority.
    public internal(set) var priority: UInt8
    /// The virtual address, configured or learned.
    public internal(set) var virtualAddress: IPAddress?
    /// The hello interval in force.
    public internal(set) var hello: Interval
    /// The hold time in force.
    public internal(set) var hold: Interval
    /// The Active as heard; nil while unknown or local.
    public internal(set) var activeRouter: KnownRouter?
    /// The Standby as heard; nil while unknown or local.
    public internal(set) var standbyRouter: KnownRouter?
    /// The term of this node's own last takeover.
    public internal(set) var roleTerm: UInt64 = 0
    /// The highest term heard of or used.
    public internal(set) var highestTerm: UInt64 = 0
    /// How often the state has changed.
    public internal(set) var stateChangeCount = 0
    /// When the state changed last; nil before the first change.
    public internal(set) var lastStateChangeAt: Instant?
    /// Whether routing from the virtual address is prohibited.
    public internal(set) var isFenceUp = true
    /// Whether the virtual address and MAC are up here, role or not.
    public internal(set) var holdsAddress = false
    /// Replication's view of the pair.
    public internal(set) var redundancy: RedundancyStatus
    /// Why this node waits or declines, for screens; nil when there is nothing to tell.
    public internal(set) var remark: String?
    /// When the next hello is due.
    public internal(set) var helloDeadline: Instant?
    /// When the Active counts as silent.
    public internal(set) var activeDeadline: Instant?
    /// When the Standby counts as silent.
    public internal(set) var standbyDeadline: Instant?
    /// The state of the group that this one follows.
    public internal(set) var leaderState: HSRPState = .initial
    /// Whether all groups that follow this one could be Active.
    public internal(set) var areFollowersReady = true
    /// Another router that was heard as Active while this node was; kept until it has been silent for a hold time.
    public internal(set) var otherActive: KnownRouter?
    /// When the interface's start delay is over; nil while none runs.
    public internal(set) var startDeadline: Instant?

    var phase: Phase = .settled
    var isInterfaceUp = false
    var hasObservedInterface = false
    /// When the interface came up; nil while it is down.
    var interfaceUpAt: Instant?
    var start: Start
    var gate = Gate.closed
    var isFit = true
    var isStopping = false
    var hasHeardAnybody = false
    var hasYieldedToOperator = false
    var hasLoggedLostHellos = false
    var hasSeenOtherActive = false
    /// Woken late in a state other than Active: what was received meanwhile comes before any deadline.
    var catchUp = CatchUp.awake
    /// When anything happened last.
    var handledAt: Instant?
    var lastHelloSentAt: Instant?
    /// When the Active last proved that it lives: a hello, or an answer over the association.
    var activeSeen: (address: IPAddress, at: Instant)?
    /// Our peer was heard since its machine last counted as gone, or was never known.
    var isPeerHeardSinceGone = false
    /// When the peer was last known to be Active by the association.
    var peerActiveAt: Instant?
    var isPeerActive = false
    /// When the association ended last; nil before that.
    var associationLostAt: Instant?
    /// When the peer was told last that this node is not Active: it may take the role on that.
    var grantedAt: Instant?
    /// Our own replication said so to this process, which had forgotten it.
    var isBriefedOfActive = false
    /// Since when other routers are listened to; nil in Initial.
    var listeningSince: Instant?
    var fenceHeldUntil: Instant?
    /// When the lease of the Active before this one is over, as this role began; nil where it let go by itself.
    var oldLeaseEndsAt: Instant?
    /// Until when the Active before this one, if its machine stands still, may go on without noticing that it slept too long.
    var mayWakeUntil: Instant?
    /// Behind the fence of this Active something waits for replication, whatever a new process of it says of itself.
    var isReplicationOwed = false
    /// This node's replication process hangs: neither what it said last nor the peer's silence by way of it counts.
    var isReplicationSilent = false
    var staleHellosUntil: Instant?
    var leaseDeadline: Instant?
    var leaseRenewedAt: Instant?
    /// Another Active may have taught the segment its own MAC: once it is gone this one announces itself again.
    var owesAnnouncement = false
    /// When any hello was heard last.
    var lastHeardAt: Instant?
    var segment = SegmentWatch()
    /// Whether this Active hears anybody.
    var reach = Reach.heard
    /// When this Active woke, while it does not know who is Active since, and what it asked the peer then.
    var wokeAt: Instant?
    var wakeNonce: UInt64?
    /// Whether the group that this one follows is cut off.
    var isLeaderCutOff = false
    var announcements: [Instant] = []
    var lowerMACAt: Instant?
    var resigns: [Instant] = []
    /// Runs while a lower-priority Active stands in our place.
    var preemptWait: PreemptWait?
    /// `preempt delay reload` counts.
    var isFirstPreemption: Bool
    var requestAllowedAt: Instant?
    var switchoverAskedAt: Instant?
    /// When the peer, Active as well, was told to yield, and was heard as Active again.
    var unheededCoups: [Instant] = []
    /// When an unfit Active offers the role once more.
    var giveAgainAt: Instant?
    var peerTerm: UInt64 = 0
    var greetingNonce: UInt64?
    var greetedAt: Instant?
    /// The greeting is not answered: what comes may have been said long before.
    var awaitsGreeting = false
    /// The peer has put a better claim in this session, and was told that it is free to follow.
    var isGreetingOutbid = false
    /// The last question for a sign of life, and when it was asked.
    var proofNonce: UInt64?
    var lastProofAskedAt: Instant?
    /// Questions that came while what was received in a stall is read: greetings of the peer, and its last question.
    var unansweredNonces: [UInt64] = []
    /// What the peer greeted with in this session; its first byte is the peer's priority, as ours is in ours.
    var peerGreeting: UInt64?
    var failedSends = 0
    var hasSaidStopped = false
    /// Keys that were in force before the present ones, believed until then.
    var formerKeys: (keys: [HSRPKey], until: Instant)?
    /// When another Active was last reported.
    var otherActiveReportedAt: Instant?
    /// When another virtual address was last warned of.
    var otherAddressWarnedAt: Instant?
    /// When each kind of refused message was last warned of.
    var warnedAt: [HelloRefusal: Instant] = [:]
    var random: SplitMix64
    /// Names this life of the group in the proofs of its messages.
    let life: UInt64
    var proofCount: UInt64 = 0
    var replayGuard = ReplayGuard()

    /// A hand-over or question under way.
    enum Phase: Hashable, Sendable {
        /// Nothing.
        case settled
        /// Active: the peer was asked to prepare.
        case awaitingReady(Release, until: Instant)
        /// Not Active: address and MAC are up behind the fence.
        case prepared(until: Instant)
        /// A hint from the LAN waits for the peer's answer.
        case questioning(Hint, nonce: UInt64, until: Instant)
        /// Active: the peer is heard as Active on a LAN that has healed, the association is not back yet.
        case reuniting(Hint, until: Instant)
        /// The Active was asked for the role.
        case requesting(until: Instant)
        /// Active, woken late: what was received meanwhile comes first.
        case draining
    }

    /// How a release ends.
    struct Release: Hashable, Sendable {
        var target: HSRPState
        var reason: String
        /// Dropped when the peer declines.
        var isOptional: Bool
    }

    /// What was heard on the LAN and may be forged.
    enum Hint: Hashable, Sendable {
        case activeSilent
        case activeResigned
        case otherActive(isBetter: Bool)
        case coup
    }

    /// Starts in Initial, interface down; `seed` feeds jitter and nonces.
    ///
    /// A group that was added to a running daemon (`startsWithDaemon` false) has no delays of a start, and none at all on
    /// an interface that is up already.
    public init(
        settings: GroupSettings, priority: UInt8, redundancy: RedundancyStatus, seed: UInt64,
        startsWithDaemon: Bool = true
    ) {
        self.settings = settings
        self.priority = priority
        self.redundancy = redundancy
        virtualAddress = settings.virtualAddress
        hello = settings.hello
        hold = settings.hold
        random = SplitMix64(seed: seed)
        life = SplitMix64(seed: ~seed).first
        start = startsWithDaemon ? .first : .immediate
        isFirstPreemption = startsWithDaemon
    }

    /// Steps the machine; `now` must never go back.
    public mutating func handle(_ event: GroupEvent, at now: Instant, actions: inout [GroupAction]) {
        noticeStall(event, at: now, actions: &actions)
        switch event {
        case .interfaceChanged(let isUp):
            observeInterface(isUp: isUp, at: now)
            reconsiderRunning(reason: isUp ? "interface up" : "interface down", at: now, actions: &actions)
        case .fitnessChanged(let isFit):
            self.isFit = isFit
            reconsiderRunning(reason: isFit ? "fit again" : "tracked object down", at: now, actions: &actions)
        case .leaderChanged(let state):
            leaderState = state
            reconsiderRunning(reason: "as the group that it follows", at: now, actions: &actions)
        case .followersChanged(let areReady):
            areFollowersReady = areReady
            let reason = areReady ? "its followers are ready" : "a group that follows it is down"
            reconsiderRunning(reason: reason, at: now, actions: &actions)
        case .messageReceived(let message, let source):
            receive(message, from: source, at: now, actions: &actions)
        case .priorityChanged(let value):
            changePriority(value, at: now, actions: &actions)
        case .redundancyChanged(let status):
            changeRedundancy(status, at: now, actions: &actions)
        case .roleMessageReceived(let message, let term):
            receive(message, term: term, at: now, actions: &actions)
        case .switchoverRequested(let force):
            requestSwitchover(force: force, at: now, actions: &actions)
        case .stopRequested:
            isStopping = true
            reconsiderRunning(reason: "shutdown", at: now, actions: &actions)
        case .resumed(let isFenced):
            resume(isFenced: isFenced, at: now, actions: &actions)
        case .settingsChanged(let new):
            changeSettings(new, at: now, actions: &actions)
        case .sendFailed:
            noteFailedSend(at: now, actions: &actions)
        case .sendSucceeded:
            failedSends = 0
        case .drained:
            finishDraining(at: now, actions: &actions)
        case .probeFinished(let result):
            finishProbe(result, at: now, actions: &actions)
        case .leaderIsolationChanged(let isCutOff):
            followIsolation(isCutOff: isCutOff, at: now, actions: &actions)
        case .receptionProven:
            openGate(at: now)
        case .nothingReceived:
            loseReach(at: now, actions: &actions)
        case .replicationSilenceChanged(let isSilent):
            noteReplicationSilence(isSilent, at: now, actions: &actions)
        case .deadlineReached:
            break
        }
        reachDeadlines(at: now, actions: &actions)
        updatePreemptWait(at: now)
        handledAt = now
        if isStopping, state == .initial, resigns.isEmpty, lowerMACAt == nil, !hasSaidStopped {
            hasSaidStopped = true
            actions.append(.stopped)
        }
    }

    /// The term that goes out with role messages: the one this node holds the role in, else the highest known.
    public var term: UInt64 { state == .active ? roleTerm : highestTerm }

    /// Whether replication is to hold this node for Active: not while it waits for another one's lease.
    public var hasRole: Bool { state == .active && phase != .draining && fenceHeldUntil == nil }

    /// Whether the virtual MAC's interface should be up now: with the address, and a moment longer.
    public var keepsMACUp: Bool { holdsAddress || lowerMACAt != nil }

    /// Whether the group may run at all.
    var canRun: Bool { isReady && isFit && areFollowersReady && !isStopping }

    /// Whether the interface would carry the group.
    var isReady: Bool { isInterfaceUp && startDeadline == nil }

    /// Whether a follower leaves its leader free to run; a new one whose interface was not looked at yet does.
    public var isReadyToFollow: Bool { isReady || !hasObservedInterface }

    /// Whether this node may be given the role; with `stateful` that takes an IKE daemon.
    var isFitForRole: Bool { !redundancy.isStateful || redundancy.isIKEDaemonFit }

    /// Whether `address` is our own peer's, for which the association speaks too.
    func isPeer(_ address: IPAddress) -> Bool { settings.peerAddresses?.contains(address) ?? true }

    mutating func reconsiderRunning(reason: String, at now: Instant, actions: inout [GroupAction]) {
        if settings.isFollower {
            assumeLeaderState(reason: reason, at: now, actions: &actions)
        } else if canRun, state == .initial {
            apply(.enabled, reason: reason, at: now, actions: &actions)
        } else if !canRun, state != .initial {
            apply(.disabled, reason: reason, at: now, actions: &actions)
        }
    }

    mutating func changeSettings(_ new: GroupSettings, at now: Instant, actions: inout [GroupAction]) {
        precondition(
            new.group == settings.group && new.version == settings.version && new.isFollower == settings.isFollower
                && new.configuredVirtualMAC == settings.configuredVirtualMAC,
            "another group is another machine")
        if new.hello != settings.hello || new.hold != settings.hold {
            hello = new.hello
            hold = new.hold
            if helloDeadline != nil { scheduleHello(at: now) }
        }
        if new.authentication != settings.authentication, case .keys(_, let former) = settings.authentication {
            formerKeys = new.keyTimeout > .zero ? (former, now + new.keyTimeout) : nil
        }
        let old = settings
        settings = new
        changeAddresses(from: old.furtherAddresses, actions: &actions)
        changeDelays(from: old)
        considerPreempting(at: now, actions: &actions)
    }

    mutating func changePriority(_ value: UInt8, at now: Instant, actions: inout [GroupAction]) {
        guard value != priority else { return }
        let fell = value < priority
        priority = value
        hasYieldedToOperator = false
        switch state {
        case .active:
            if case .awaitingReady = phase { return }
            if fell, considerGiving(at: now, actions: &actions) { return }
            sendHello(at: now, actions: &actions)
        case .speak, .standby:
            sendHello(at: now, actions: &actions)
            considerPreempting(at: now, actions: &actions)
        case .listen:
            considerPreempting(at: now, actions: &actions)
        case .initial, .learn:
            break
        }
    }

    mutating func noteFailedSend(at now: Instant, actions: inout [GroupAction]) {
        failedSends += 1
        actions.append(.count("hello.sendFailed"))
        guard failedSends == GroupTiming.failedSendsBeforeHandover, state == .active else { return }
        actions.append(.log(.warning, "hellos cannot be sent"))
        if isHandoverPossible {
            beginRelease(
                Release(target: .speak, reason: "hellos cannot be sent", isOptional: true), at: now, actions: &actions)
        }
    }
}
