// SPDX-License-Identifier: Apache-2.0

import ByteCodec
import Primitives

/// A node that slept: its process, or the whole machine.
///
///     not Active, late ── drain ──► reading ── drained ──► awake
///                                             drained, and it was late by more than a hello ──► listening ──► awake
///     Active, silent for its hold time ── fence up, drain ──► draining ── another Active ──► the role is given up
///                                             stateless ──► fence down; cut off (Reach) ──► as before
///                                             stateful ──► returning (Reach): fence up, until the peer has had its say
///
/// What a process missed waits in its sockets. What a machine missed waits outside it and comes behind its first steps, or
/// is lost.
enum CatchUp: Hashable, Sendable {
    case awake
    case reading(late: Interval)
    case listening(until: Instant)
}

extension GroupMachine {
    /// Whether no deadline counts, and nothing that was said before, because this node was late and learns what it missed.
    var isCatchingUp: Bool { catchUp != .awake }

    /// An Active that slept longer than its hold time, or than its lease, must assume that another one is Active; any
    /// other that is late must not call the Active silent before it has read what the Active said.
    mutating func noticeStall(_ event: GroupEvent, at now: Instant, actions: inout [GroupAction]) {
        // What was missed is the leader's to find out.
        guard !settings.isFollower else { return }
        if endsListening(at: now) { return }
        if state != .active, !isCatchingUp, event != .drained, let due = nextDeadline,
            now.since(due) > GroupTiming.lateness
        {
            catchUp = .reading(late: now.since(due))
            actions.append(.count("deadline.late"))
            actions.append(.drainReceived)
            return
        }
        guard state == .active, phase != .draining, event != .stopRequested, let sent = lastHelloSentAt,
            now.since(sent) > hold || isLeaseOver(at: now)
        else { return }
        if case .awaitingReady(let release, _) = phase {
            completeRelease(release, at: now, actions: &actions)
            return
        }
        actions.append(.count("hello.stalled"))
        actions.append(.log(.warning, "stalled for \(now.since(sent).milliseconds) ms as Active"))
        raiseFence(actions: &actions)
        phase = .draining
        hasSeenOtherActive = false
        actions.append(.drainReceived)
    }

    /// Whether the kernel has taken the address away: a successor that heard nothing waited for no more than that.
    private func isLeaseOver(at now: Instant) -> Bool {
        guard holdsAddress, let leaseRenewedAt else { return false }
        return now.since(leaseRenewedAt) > .seconds(settings.leaseSeconds)
    }

    mutating func finishDraining(at now: Instant, actions: inout [GroupAction]) {
        // Hellos have waited; but an Active that only the association shows could not be asked, and may have lived on.
        if isCatchingUp, isPeerActive, let at = peerActiveAt, at >= activeSeen?.at ?? at { peerActiveAt = now }
        if case .reading(let late) = catchUp { listenAwake(late: late, at: now) }
        if phase == .draining { resumeOrStepDown(at: now, actions: &actions) }
        for nonce in unansweredNonces { sendAnswer(nonce, at: now, actions: &actions) }
        unansweredNonces = []
    }

    private mutating func resumeOrStepDown(at now: Instant, actions: inout [GroupAction]) {
        phase = .settled
        guard state == .active else { return }
        if hasSeenOtherActive {
            stepDown(reason: "another Active was heard during a stall", at: now, actions: &actions)
            return
        }
        // Of an older term, or this node would have yielded: it fences when it hears ours.
        if isPeerActive { fenceHeldUntil = heldFenceDeadline(at: now) ?? fenceHeldUntil }
        // A machine that was gone before this sleep may have come back in it; who is cut off hears no more than before.
        if redundancy.isStateful, !hearsNobody { listenBehindSleep(at: now, actions: &actions) }
        if fenceHeldUntil == nil {
            openFence(reason: "no other Active was heard during a stall", actions: &actions)
            // The fence may have been held until this stall, and the role not been told yet.
            actions.append(.publishRole(isActive: true, term: roleTerm))
        }
        renewLease(at: now, actions: &actions)
        if !isCutOff { announce(actions: &actions) }
        sendHello(at: now, actions: &actions)
        proclaim(actions: &actions)
    }

    /// Who was late by more than a hello calls nobody silent before it could have heard one.
    private mutating func listenAwake(late: Interval, at now: Instant) {
        catchUp = .awake
        guard late > hello, state == .listen || state == .speak || state == .standby else { return }
        catchUp = .listening(until: now + GroupTiming.wakeListening)
        let until = now + GroupTiming.signOfLife(hello)
        if case .questioning(.activeSilent, _, _) = phase { phase = .settled }
        activeDeadline = activeDeadline.map { max($0, until) }
        standbyDeadline = standbyDeadline.map { max($0, until) }
    }

    /// Whether the listening is over with this event, which was not late: what is overdue had to wait for it.
    private mutating func endsListening(at now: Instant) -> Bool {
        guard case .listening(let until) = catchUp, now >= until else { return false }
        catchUp = .awake
        return now.since(until) <= GroupTiming.lateness
    }

    /// This Active slept, and the peer that was there before may have the role.
    ///
    /// Where the whole machine stood still, what waited outside it comes behind its first steps, and the peer's word by a new
    /// session; and a machine that says nothing on any wire counts as gone before its lease is over.
    mutating func listenBehindSleep(at now: Instant, actions: inout [GroupAction]) {
        let until = now + max(GroupTiming.reunionWait, GroupTiming.signOfLife(hello))
        (reach, wokeAt) = (.returning(until: until), now)
        // A takeover that slept with its fence has not told replication of its role yet; for any other one nothing changes.
        fenceHeldUntil = fenceHeldUntil.map { max($0, until) }
        announcements = []
        askForProof(at: now, actions: &actions)
        wakeNonce = proofNonce
    }

    private var hearsNobody: Bool {
        if case .cutOff = reach { return true }
        return false
    }

    /// Whether what comes unasked may have waited while this Active slept, and be older than the peer's takeover.
    var isSessionOlderThanWake: Bool {
        guard let wokeAt else { return false }
        return greetedAt.map { $0 < wokeAt } ?? true
    }

    /// A peer that did not hear this node behind its sleep would have taken the role by now.
    mutating func noteInactivePeer(at now: Instant, actions: inout [GroupAction]) {
        guard state == .active, let wokeAt, now.since(wokeAt) >= hold else { return }
        endWaiting(reason: "the peer is not Active", at: now, actions: &actions)
    }

    /// Gives the role up to a peer that is heard as Active behind this node's sleep, as if its hello had waited.
    mutating func yieldsAwake(to address: IPAddress, at now: Instant, actions: inout [GroupAction]) -> Bool {
        guard wokeAt != nil, phase != .draining, isPeer(address) else { return false }
        stepDown(reason: "another Active was heard behind a stall", at: now, actions: &actions)
        return true
    }
}
