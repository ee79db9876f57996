// SPDX-License-Identifier: Apache-2.0

import ByteCodec
public import Primitives

extension GroupMachine {
    /// When `handle(.deadlineReached)` must be called at the latest; nil while nothing is waited for.
    public var nextDeadline: Instant? {
        var next: Instant?
        func consider(_ deadline: Instant?) {
            guard let deadline else { return }
            next = next.map { min($0, deadline) } ?? deadline
        }
        consider(resigns.first)
        consider(lowerMACAt)
        consider(switchoverAskedAt.map { $0 + GroupTiming.switchoverWait })
        if case .listening(let until) = catchUp { consider(until) }
        guard phase != .draining, !isCatchingUp else { return next }
        consider(phaseDeadline)
        consider(segmentDeadline)
        consider(isolationDeadline)
        consider(leaseDeadline)
        consider(announcements.first)
        consider(helloDeadline)
        consider(fenceHeldUntil)
        consider(startDeadline)
        if isPreemptionOpen {
            consider(preemptWait?.until)
            consider(preemptWait?.syncUntil)
        }
        if watchesActive { consider(activeDeadline) }
        consider(givingDeadline)
        consider(proofDeadline)
        consider(idleDeadline)
        if watchesStandby { consider(standbyDeadline) }
        if settings.isFollower { consider(silenceDeadline) }
        return next
    }

    private var phaseDeadline: Instant? {
        switch phase {
        case .settled, .draining: nil
        case .awaitingReady(_, let until), .prepared(let until), .questioning(_, _, let until),
            .reuniting(_, let until), .requesting(let until):
            until
        }
    }

    /// Event c counts in Listen and Standby; a hand-over or question under way goes first.
    private var watchesActive: Bool {
        guard !settings.isFollower, state == .listen || state == .standby else { return false }
        switch phase {
        case .prepared, .questioning: return false
        case .settled, .awaitingReady, .reuniting, .requesting, .draining: return true
        }
    }

    /// When the Active, whose hello is late, is asked for a sign of life, and a peer that left our greeting unanswered for
    /// an answer.
    ///
    /// A LAN that loses hellos must not make it look dead before it is: the fence of its successor is lowered a lease
    /// behind its last sign, and it may have renewed its lease until it fell silent on the association as well. A greeting
    /// dies with the process that has read it, and until the peer has answered none of its orders counts.
    private var proofDeadline: Instant? {
        guard state == .listen || state == .speak || state == .standby, phase == .settled, redundancy.isStateful,
            redundancy.isAssociationUp, let seenAt = awaitsGreeting ? greetedAt : peerSeenAt
        else { return nil }
        let late = seenAt + GroupTiming.signOfLife(hello)
        return lastProofAskedAt.map { max(late, $0 + GroupTiming.signOfLife(hello)) } ?? late
    }

    /// When our peer was last heard as Active; by its word where the LAN has carried nothing of it.
    private var peerSeenAt: Instant? {
        guard let seen = activeSeen else { return isPeerActive ? peerActiveAt : nil }
        return isPeer(seen.address) ? seen.at : nil
    }

    private var givingDeadline: Instant? { isFitForRole || !isHandoverPossible ? nil : giveAgainAt }

    /// A group that waits for nothing comes all the same while the peer can give it orders: only a deadline that is late
    /// tells that this process slept, and so did the orders that it finds.
    private var idleDeadline: Instant? {
        guard state == .initial || state == .learn, !isStopping, redundancy.isStateful, redundancy.isAssociationUp
        else { return nil }
        return handledAt.map { $0 + hello }
    }

    mutating func askForProof(at now: Instant, actions: inout [GroupAction]) {
        lastProofAskedAt = now
        let nonce = nextNonce()
        proofNonce = nonce
        actions.append(.sendRole(.question(nonce: nonce), term: term))
    }

    /// Event d counts in Listen and Speak; an Active only forgets the Standby it knew.
    private var watchesStandby: Bool {
        !settings.isFollower && !isPrepared && (state == .listen || state == .speak || state == .active)
    }

    func isDue(_ deadline: Instant?, at now: Instant) -> Bool { deadline.map { $0 <= now } ?? false }

    mutating func reachDeadlines(at now: Instant, actions: inout [GroupAction]) {
        repeatResigns(at: now, actions: &actions)
        if isDue(lowerMACAt, at: now) {
            lowerMACAt = nil
            actions.append(.lowerMAC)
        }
        if let asked = switchoverAskedAt, asked + GroupTiming.switchoverWait <= now {
            switchoverAskedAt = nil
            actions.append(.switchoverRefused(code: "switchover-timeout", message: "the peer has not become Active"))
        }
        guard phase != .draining, !isCatchingUp else { return }
        reachSegmentDeadlines(at: now, actions: &actions)
        if isDue(isolationDeadline, at: now) { reachIsolationDeadline(at: now, actions: &actions) }
        if isDue(phaseDeadline, at: now) { endPhase(at: now, actions: &actions) }
        if isDue(fenceHeldUntil, at: now) {
            if isReplicationSilent {
                fenceHeldUntil = fenceDeadline(behind: now)
            } else {
                lowerHeldFence(reason: "the old Active's lease is over", at: now, actions: &actions)
            }
        }
        if isDue(leaseDeadline, at: now) { renewLease(at: now, actions: &actions) }
        if let first = announcements.first, first <= now {
            announcements.removeFirst()
            announce(actions: &actions)
        }
        // Standby's deadline before Active's: Speak must become Standby before it can follow a silent Active.
        if watchesStandby, isDue(standbyDeadline, at: now) { reachStandbyDeadline(at: now, actions: &actions) }
        if isDue(givingDeadline, at: now) { giveWhenUnfit(at: now, actions: &actions) }
        if isDue(proofDeadline, at: now) { askForProof(at: now, actions: &actions) }
        if watchesActive, isDue(activeDeadline, at: now) { reachActiveDeadline(at: now, actions: &actions) }
        reachPreemptDeadlines(at: now, actions: &actions)
        if isDue(startDeadline, at: now) {
            startDeadline = nil
            reconsiderRunning(reason: "the interface start delay is over", at: now, actions: &actions)
        }
        if settings.isFollower { forgetSilentRouters(at: now) }
        if isDue(helloDeadline, at: now) { apply(.helloDue, reason: "", at: now, actions: &actions) }
    }

    private mutating func reachPreemptDeadlines(at now: Instant, actions: inout [GroupAction]) {
        guard isPreemptionOpen, let wait = preemptWait else { return }
        let isOver = isDue(wait.until, at: now)
        let isSyncOver = isDue(wait.syncUntil, at: now)
        guard isOver || isSyncOver else { return }
        if isOver { preemptWait?.until = nil }
        if isSyncOver {
            preemptWait?.syncUntil = nil
            preemptWait?.isSyncOver = true
        }
        considerPreempting(at: now, actions: &actions)
    }

    private mutating func repeatResigns(at now: Instant, actions: inout [GroupAction]) {
        guard isDue(resigns.first, at: now) else { return }
        resigns.removeFirst()
        guard state != .active else {
            resigns = []
            return
        }
        actions.append(.send(message(.resign, as: .active), fromVirtualMAC: false))
    }

    private mutating func reachStandbyDeadline(at now: Instant, actions: inout [GroupAction]) {
        if awaitsReception(at: now, actions: &actions) { return }
        standbyDeadline = nil
        standbyRouter = nil
        checkReach(at: now, actions: &actions)
        apply(.standbyExpired, reason: "no Standby heard", at: now, actions: &actions)
    }

    private mutating func reachActiveDeadline(at now: Instant, actions: inout [GroupAction]) {
        // With nobody heard yet the peer may be Active beyond a broken LAN: it is asked as well.
        if state == .standby, redundancy.isStateful, redundancy.isAssociationUp,
            activeSeen.map({ isPeer($0.address) }) ?? true
        {
            askForEvidence(at: now, actions: &actions)
            return
        }
        if awaitsReception(at: now, actions: &actions) { return }
        activeDeadline = nil
        activeRouter = nil
        apply(.activeExpired, reason: "the Active is silent", at: now, actions: &actions)
    }

    private mutating func endPhase(at now: Instant, actions: inout [GroupAction]) {
        switch phase {
        case .settled, .draining:
            break
        case .awaitingReady(let release, _):
            actions.append(.count("role.readyTimeout"))
            if release.isOptional, !isPeerReady {
                keepRole("peer-lost", "the peer that was to take the role is lost", at: now, actions: &actions)
                // It may have announced itself before.
                announceAgain(at: now, actions: &actions)
                return
            }
            completeRelease(release, at: now, actions: &actions)
        case .prepared:
            actions.append(.log(.warning, "prepared for the role, but it was not given: stepping back"))
            undoPreparation(actions: &actions)
            phase = .settled
        case .questioning(let hint, _, _):
            actions.append(.count("role.unanswered"))
            phase = .settled
            if case .otherActive = hint, isReplicationSilent, state == .active {
                stepDown(reason: "the peer is Active, and cannot be asked", at: now, actions: &actions)
                return
            }
            // An Active of an older term yields as soon as it hears ours; until then its word counts for nothing.
            if state == .active, peerTerm > 0, peerTerm < roleTerm { return }
            obey(hint, isConfirmed: false, at: now, actions: &actions)
        case .reuniting(let hint, _):
            actions.append(.count("role.reunionTimeout"))
            phase = .settled
            obey(hint, isConfirmed: false, at: now, actions: &actions)
        case .requesting:
            phase = .settled
            actions.append(.count("role.requestUnanswered"))
            // What was true when the role was asked for may have changed while nobody answered.
            guard redundancy.isLocalHot || !redundancy.isStateful else {
                remark = "preemption waits until this node is STANDBY HOT"
                return
            }
            // What it said on the LAN last is as old as its silence here: the hold time decides.
            guard let seen = activeSeen, now.since(seen.at) <= GroupTiming.signOfLife(hello) else { return }
            takeByCoup(reason: "the Active does not answer", at: now, actions: &actions)
        }
    }
}
