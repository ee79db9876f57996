// SPDX-License-Identifier: Apache-2.0

import ByteCodec
import Primitives

extension GroupMachine {
    /// Replication's view changed: a HOT standby may now claim the role, an unfit Active may now give it.
    mutating func changeRedundancy(_ status: RedundancyStatus, at now: Instant, actions: inout [GroupAction]) {
        let (wasUp, wasGone) = (redundancy.isAssociationUp, redundancy.isPeerMachineGone)
        let wasRoleTaken = redundancy.isRoleTaken
        redundancy = status
        // A process that hung tells of an end that may be long past: who was heard meanwhile lives.
        if !wasGone, status.isPeerMachineGone, !isReplicationSilent { isPeerHeardSinceGone = false }
        if wasUp, !status.isAssociationUp {
            associationLostAt = now
            // It may have lived, and renewed its lease, until now.
            if isPeerActive { peerActiveAt = now }
            isPeerActive = false
            awaitsGreeting = false
        }
        if status.isAssociationUp, !wasUp {
            // A new session counts its terms anew; the question tells the peer ours and brings its own.
            peerTerm = 0
            peerGreeting = nil
            let nonce = nextNonce(isGreeting: true)
            (greetingNonce, greetedAt) = (nonce, now)
            (awaitsGreeting, isGreetingOutbid, proofNonce) = (true, false, nil)
            actions.append(.sendRole(.question(nonce: nonce), term: term))
            proclaim(actions: &actions)
            reunite(at: now, actions: &actions)
            holdFenceForGreeting(at: now)
        }
        adjustHeldFence(at: now, actions: &actions)
        settleReplicationDebt(wasRoleTaken: wasRoleTaken, actions: &actions)
        openFence(reason: "replication has taken the role", actions: &actions)
        // Behind the fence: it asks the kernel and the segment.
        if wasUp { checkReach(at: now, actions: &actions) }
        giveWhenUnfit(at: now, actions: &actions)
        considerPreempting(at: now, actions: &actions)
    }

    /// A role message; an order of a lower term than one heard in this session is an old one.
    ///
    /// A failover process that was started anew has forgotten the terms, and may ask and answer all the same.
    mutating func receive(_ message: RoleMessage, term: UInt64, at now: Instant, actions: inout [GroupAction]) {
        highestTerm = max(highestTerm, term)
        if case .answer(RoleMessage.briefing, let isActive) = message {
            isBriefedOfActive = isActive
            hearTerm(term, isPeerActive: isActive, at: now, actions: &actions)
            return
        }
        guard term >= peerTerm || !message.isOrder else {
            actions.append(.count("role.stale"))
            return
        }
        peerTerm = max(peerTerm, term)
        switch message {
        case .ready: receiveReady(at: now, actions: &actions)
        case _ where message.isOrder && !areOrdersFresh:
            // Said while this process, or the peer's word on its way, slept: the peer has gone on since, and says so
            // when it is asked.
            actions.append(.count("role.late"))
        case .prepareTakeover: answerPrepare(at: now, actions: &actions)
        case .fenced:
            if isPrepared { completePreparedTakeover(reason: "given by the peer", at: now, actions: &actions) }
        case .released, .takeOver:
            receiveReleased(at: now, actions: &actions)
            hearTerm(term, isPeerActive: false, at: now, actions: &actions)
        case .requestRole(let claim): answerRequest(claim, at: now, actions: &actions)
        case .declined(let reason): receiveDeclined(reason, at: now, actions: &actions)
        case .question(let nonce):
            answer(nonce, showsEvidence: false, at: now, actions: &actions)
        case .evidenceQuestion(let nonce):
            answer(nonce, showsEvidence: true, at: now, actions: &actions)
        case .evidence(let nonce, let evidence):
            (isPeerActive, peerActiveAt) = (true, now)
            receiveEvidence(nonce, evidence, term: term, at: now, actions: &actions)
        case .segmentRequest(let claim): answerSegmentRequest(claim, at: now, actions: &actions)
        case .answer(let nonce, let isActive):
            receiveAnswer(nonce, isActive: isActive, term: term, at: now, actions: &actions)
        }
    }

    private mutating func answerPrepare(at now: Instant, actions: inout [GroupAction]) {
        let refusal: RoleMessage.DeclineReason? =
            switch state {
            case .active: .busy
            case .initial, .learn: .unfit
            case .listen, .speak, .standby:
                if !isFitForRole {
                    .unfit
                } else if redundancy.isStateful, !redundancy.isLocalHot {
                    .peerNotHot
                } else {
                    nil
                }
            }
        if let refusal {
            actions.append(.sendRole(.declined(reason: refusal), term: term))
        } else {
            prepareTakeover(at: now, actions: &actions)
        }
    }

    private mutating func receiveReady(at now: Instant, actions: inout [GroupAction]) {
        guard case .awaitingReady(let release, _) = phase else {
            actions.append(.count("role.unexpected"))
            return
        }
        completeRelease(release, at: now, actions: &actions)
    }

    private mutating func receiveReleased(at now: Instant, actions: inout [GroupAction]) {
        if let active = activeRouter, !isPeer(active.address) {
            actions.append(.count("role.unexpected"))
            return
        }
        forgetPeerActive()
        switch state {
        case .active:
            staleHellosUntil = now + GroupTiming.staleHelloWindow
            switch phase {
            case .questioning, .reuniting: phase = .settled
            case .settled, .awaitingReady, .prepared, .requesting, .draining: break
            }
            lowerHeldFence(reason: "the old Active has released", at: now, actions: &actions)
            announceSurvivor(at: now, actions: &actions)
        case .standby:
            completePreparedTakeover(reason: "released by the peer", at: now, actions: &actions)
        case .listen, .speak:
            // No Standby lives that would follow; whoever holds everything does.
            if isPrepared || (standbyRouter == nil && redundancy.isLocalHot && isFitForRole) {
                completePreparedTakeover(reason: "released by the peer", at: now, actions: &actions)
            } else {
                activeRouter = nil
                activeSeen = nil
                apply(.activeResigned, reason: "released by the peer", at: now, actions: &actions)
            }
        case .initial, .learn:
            actions.append(.count("role.unexpected"))
        }
    }

    /// Its Resign, or its word, follows its fence: no lease of it has to be waited for.
    mutating func forgetPeerActive() {
        isPeerActive = false
        peerActiveAt = nil
    }

    private mutating func answerRequest(_ claim: UInt8, at now: Instant, actions: inout [GroupAction]) {
        if case .awaitingReady = phase { return }
        let refusal: RoleMessage.DeclineReason? =
            if state != .active {
                .notActive
            } else if phase != .settled || isFenceUp {
                .busy
            } else if !isHandoverPossible {
                .peerNotHot
            } else if claim <= priority, isFitForRole {
                .betterPriority
            } else {
                nil
            }
        if let refusal {
            actions.append(.sendRole(.declined(reason: refusal), term: term))
        } else {
            let release = Release(target: .speak, reason: "asked for by the peer, priority \(claim)", isOptional: true)
            beginRelease(release, at: now, actions: &actions)
        }
    }

    private mutating func receiveDeclined(
        _ reason: RoleMessage.DeclineReason, at now: Instant, actions: inout [GroupAction]
    ) {
        switch phase {
        case .requesting:
            phase = .settled
            remark = "the Active keeps the role: \(reason)"
            actions.append(.count("role.declined"))
        case .awaitingReady(let release, _) where release.isOptional:
            actions.append(.count("role.declined"))
            keepRole("peer-declined", "the peer declines the role: \(reason)", at: now, actions: &actions)
        case .awaitingReady(let release, _):
            completeRelease(release, at: now, actions: &actions)
        case .settled, .prepared, .questioning, .reuniting, .draining:
            actions.append(.count("role.unexpected"))
        }
    }

    /// Gives up a release that need not be.
    mutating func keepRole(
        _ code: StaticName, _ reason: String, at now: Instant, actions: inout [GroupAction]
    ) {
        phase = .settled
        if remark != reason { actions.append(.log(.notice, reason)) }
        remark = reason
        if switchoverAskedAt != nil {
            switchoverAskedAt = nil
            actions.append(.switchoverRefused(code: code, message: reason))
        }
        sendHello(at: now, actions: &actions)
    }

    // MARK: Questions

    /// Whether an order that comes now was said a moment ago.
    ///
    /// Words wait in an association whose path is cut, and behind a process that hangs; what the peer has said behind
    /// our greeting is known by its answer to that.
    private var areOrdersFresh: Bool { redundancy.isAssociationUp && !awaitsGreeting && !isCatchingUp }

    /// Says whether this node is Active; one that has just woken says so when it knows.
    private mutating func answer(
        _ nonce: UInt64, showsEvidence: Bool, at now: Instant, actions: inout [GroupAction]
    ) {
        // A question from before the session may have waited in a process that hung, and comes first.
        // An older build does not mark its greeting.
        if Self.isGreeting(nonce) || peerGreeting == nil { peerGreeting = nonce }
        yieldClaim(to: nonce, at: now)
        if state != .active, let greetingNonce, greetingNonce <= nonce { isGreetingOutbid = true }
        guard phase != .draining else {
            // The greeting, for until that is answered the peer takes every word for an old one, and the last question.
            unansweredNonces = unansweredNonces.filter(Self.isGreeting).suffix(1) + [nonce]
            return
        }
        if showsEvidence, state == .active { return answerForEvidence(nonce, at: now, actions: &actions) }
        sendAnswer(nonce, at: now, actions: &actions)
    }

    mutating func sendAnswer(_ nonce: UInt64, at now: Instant, actions: inout [GroupAction]) {
        if state != .active { grantedAt = now }
        actions.append(.sendRole(.answer(nonce: nonce, isActive: state == .active), term: term))
    }

    /// Two that call the Active silent at one time: both would hear that the other one is not Active, and both follow.
    ///
    /// A greeting is such a claim as well: who learns by it that its former Active is none follows.
    private mutating func yieldClaim(to nonce: UInt64, at now: Instant) {
        guard state != .active, case .questioning(let hint, let own, _) = phase, own < nonce,
            hint == .activeSilent || hint == .activeResigned
        else { return }
        isGreetingOutbid = true
        askOnceMore(at: now)
    }

    /// Withdraws a claim behind a better one of the peer, and puts it again as soon as that is answered.
    ///
    /// Words keep their order: the peer hears that it is free to follow before it hears the new question, and answers
    /// that with what it has done since.
    private mutating func askOnceMore(at now: Instant) {
        phase = .settled
        activeDeadline = now
    }

    /// An Active that does not send yet can wait for what the peer says in this session: it may be Active as well.
    private mutating func holdFenceForGreeting(at now: Instant) {
        guard state == .active, isFenceUp, fenceHeldUntil == nil else { return }
        fenceHeldUntil = now + GroupTiming.evidenceWait
    }

    /// A nonce that also decides between two who claim the role at one time: by priority, and then by chance.
    ///
    /// Its last bit tells a greeting, which both nodes put once in a session, from other questions; the two before that keep
    /// it apart from `RoleMessage.proclamation` and `RoleMessage.briefing`.
    mutating func nextNonce(isGreeting: Bool = false) -> UInt64 {
        UInt64(priority) << 56 | random.next() >> 8 & ~7 | (isGreeting ? 3 : 2)
    }

    private static func isGreeting(_ nonce: UInt64) -> Bool { nonce & 1 == 1 }

    /// Whether this Active of the peer's own term is the one that yields; nil until both have greeted.
    private var yieldsTie: Bool? {
        guard let greetingNonce, let peerGreeting else { return nil }
        return greetingNonce < peerGreeting
    }

    /// Asks the peer whether a hint is true.
    mutating func ask(_ hint: Hint, at now: Instant, actions: inout [GroupAction]) {
        let nonce = nextNonce()
        phase = .questioning(hint, nonce: nonce, until: now + GroupTiming.answerWait)
        actions.append(.sendRole(.question(nonce: nonce), term: term))
    }

    private mutating func receiveAnswer(
        _ nonce: UInt64, isActive: Bool, term: UInt64, at now: Instant, actions: inout [GroupAction]
    ) {
        isPeerActive = isActive
        peerActiveAt = isActive ? now : nil
        if !isActive { announceSurvivor(at: now, actions: &actions) }
        // Words keep their order: who answers a later question has read the greeting.
        if nonce == greetingNonce || nonce == proofNonce { awaitsGreeting = false }
        let tellsOfWake = nonce == wakeNonce
        if nonce == greetingNonce || nonce == RoleMessage.proclamation || tellsOfWake || !isActive {
            hearTerm(term, isPeerActive: isActive, at: now, actions: &actions)
        }
        if tellsOfWake, !isActive { endWaiting(reason: "the peer is not Active", at: now, actions: &actions) }
        if nonce == greetingNonce || nonce == RoleMessage.proclamation {
            if isActive, state != .active { finishSwitchover(at: now, actions: &actions) }
            // What comes before the answer to our greeting may have been said before it took the role again.
            if !isActive, !awaitsGreeting, !isSessionOlderThanWake {
                // Its fence is up by now, whatever its kernel did before.
                endWaiting(reason: "the peer is not Active", at: now, actions: &actions)
                followFormerActive(at: now, actions: &actions)
            }
            return settleUnasked(isActive: isActive, term: term, at: now, actions: &actions)
        }
        guard case .questioning(let hint, nonce, _) = phase else {
            if nonce == proofNonce { return }
            actions.append(.count("role.unexpected"))
            return
        }
        settle(hint, isActive: isActive, term: term, at: now, actions: &actions)
    }

    /// Said unasked, and yet what is asked: by a Standby that calls the Active silent, or by an Active that heard another.
    private mutating func settleUnasked(isActive: Bool, term: UInt64, at now: Instant, actions: inout [GroupAction]) {
        guard case .questioning(let hint, _, _) = phase else { return }
        switch (hint, isActive) {
        case (.activeSilent, true), (.activeResigned, true), (.otherActive, false), (.coup, false):
            settle(hint, isActive: isActive, term: term, at: now, actions: &actions)
        case (.activeSilent, false), (.activeResigned, false), (.otherActive, true), (.coup, true):
            break
        }
    }

    /// The peer has said whether what the LAN told is true.
    private mutating func settle(
        _ hint: Hint, isActive: Bool, term: UInt64, at now: Instant, actions: inout [GroupAction]
    ) {
        phase = .settled
        switch (hint, isActive) {
        case (.activeSilent, true):
            stayBehindActive(nil, at: now, actions: &actions)
        case (.activeResigned, true):
            actions.append(.count("resign.refuted"))
        case (.otherActive(let isBetter), true):
            settleTwoActives(isBetter: isBetter, peerTerm: term, at: now, actions: &actions)
        case (.otherActive, false):
            actions.append(.count("hello.refuted"))
        case (.coup, false):
            actions.append(.count("coup.refuted"))
        case (.activeSilent, false), (.activeResigned, false):
            guard !isCatchingUp else { return }
            obey(hint, isConfirmed: true, at: now, actions: &actions)
        case (.coup, true):
            settleTwoActives(isBetter: true, peerTerm: term, at: now, actions: &actions)
        }
    }

    /// An older role yields to an Active peer; where the peer is not Active, an Active that has forgotten its term takes
    /// a new one, so that its words count again.
    private mutating func hearTerm(
        _ term: UInt64, isPeerActive: Bool, at now: Instant, actions: inout [GroupAction]
    ) {
        guard state == .active, term >= roleTerm else { return }
        if term == roleTerm {
            guard isPeerActive, yieldsTie == true else { return }
            stepDown(reason: "the peer is Active as well, and the better one", at: now, actions: &actions)
            return
        }
        if isPeerActive {
            stepDown(reason: "the peer is Active, term \(term)", at: now, actions: &actions)
            return
        }
        highestTerm += 1
        roleTerm = highestTerm
        if fenceHeldUntil == nil { actions.append(.publishRole(isActive: true, term: roleTerm)) }
        proclaim(actions: &actions)
        announceSurvivor(at: now, actions: &actions)
    }

    /// The peer we hold for Active says at the start of a session that it is not: it was restarted, its fence is up.
    private mutating func followFormerActive(at now: Instant, actions: inout [GroupAction]) {
        guard state == .standby, !isCatchingUp, let seen = activeSeen, isPeer(seen.address) else { return }
        // Heard as Active behind our greeting, it may have taken the role after this word of it.
        let isOutdated = greetedAt.map { seen.at > $0 } ?? false
        guard !isGreetingOutbid, !isOutdated else { return askOnceMore(at: now) }
        staleHellosUntil = now + GroupTiming.staleHelloWindow
        becomeActive(reason: "the peer is no longer Active", isPeerSettled: true, at: now, actions: &actions)
    }

    /// The later term keeps the role; at equal terms the order of HSRP.
    private mutating func settleTwoActives(
        isBetter: Bool, peerTerm: UInt64, at now: Instant, actions: inout [GroupAction]
    ) {
        let yields = peerTerm == roleTerm ? isBetter : peerTerm > roleTerm
        if yields {
            stepDown(reason: "the peer is Active, term \(peerTerm)", at: now, actions: &actions)
        } else {
            actions.append(.log(.warning, "two Actives: this node keeps the role"))
            actions.append(.send(message(.coup), fromVirtualMAC: true))
            announceAgain(at: now, actions: &actions)
        }
    }

    /// Does what a hint asks for; `isConfirmed` means the peer itself says that it is not (or now is) Active.
    mutating func obey(_ hint: Hint, isConfirmed: Bool, at now: Instant, actions: inout [GroupAction]) {
        switch hint {
        case .activeSilent, .activeResigned:
            guard state == .standby else { return }
            if isConfirmed { staleHellosUntil = now + GroupTiming.staleHelloWindow }
            let reason = hint == .activeSilent ? "the Active is silent" : "the Active resigned"
            // A Resign follows the fence, so only silence leaves the old Active's kernel in doubt.
            let isSettled = isConfirmed || hint == .activeResigned
            becomeActive(reason: reason, isPeerSettled: isSettled, at: now, actions: &actions)
        case .otherActive(let isBetter):
            guard state == .active else { return }
            if isBetter {
                stepDown(reason: "a better Active is heard", at: now, actions: &actions)
            } else {
                coup(at: now, actions: &actions)
            }
        case .coup:
            guard state == .active else { return }
            stepDown(reason: "Coup of the peer", at: now, actions: &actions)
        }
    }
}
