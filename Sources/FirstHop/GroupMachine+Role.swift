// SPDX-License-Identifier: Apache-2.0

import ByteCodec
public import Primitives

extension GroupMachine {
    // MARK: Taking

    /// Becomes Active: fence down (or held until the old Active's kernel must have let go), MAC, address, announcement.
    ///
    /// Each takeover has a term of its own; a role that is resumed goes on in the term that it has.
    mutating func becomeActive(
        reason: String, isPeerSettled: Bool = false, isResumed: Bool = false, at now: Instant,
        actions: inout [GroupAction]
    ) {
        guard virtualAddress != nil else { return }
        let old = state
        let heardAt = activeSeen.map { isPeer($0.address) ? $0.at : nil } ?? peerActiveAt
        mayWakeUntil = heardAt.map { $0 + hold }
        oldLeaseEndsAt = isPeerSettled ? nil : oldLeaseEnd(at: now)
        fenceHeldUntil = isPeerSettled ? nil : heldFenceDeadline(at: now)
        isReplicationOwed = !isResumed && awaitsReplication
        let opens = fenceHeldUntil == nil && (isResumed || !awaitsReplication)
        raiseAddress(behindFence: !opens, at: now, actions: &actions)
        // Last: should this process be stopped in between, the address and its lease end by themselves.
        if opens { lowerFence(actions: &actions) }
        if !isResumed || highestTerm == 0 { highestTerm += 1 }
        roleTerm = highestTerm
        enterActive(from: old, reason: reason, at: now, actions: &actions)
    }

    private mutating func enterActive(
        from old: HSRPState, reason: String, at now: Instant, actions: inout [GroupAction]
    ) {
        state = .active
        phase = .settled
        resigns = []
        activeRouter = nil
        activeDeadline = nil
        activeSeen = nil
        isFirstPreemption = false
        remark = nil
        hasYieldedToOperator = false
        hasLoggedLostHellos = false
        (otherActive, owesAnnouncement) = (nil, false)
        (reach, wokeAt, wakeNonce) = (.heard, nil, nil)
        (segment.isActiveDoubted, segment.isOwnDoubted, segment.nextProbeAt) = (false, false, nil)
        stateChangeCount += 1
        lastStateChangeAt = now
        announceAgain(at: now, actions: &actions)
        sendHello(at: now, actions: &actions)
        if fenceHeldUntil == nil { actions.append(.publishRole(isActive: true, term: roleTerm)) }
        proclaim(actions: &actions)
        actions.append(.stateChanged(from: old, to: .active, reason: reason))
        // The answer comes by way of this node's own replication: whether that works is known then, too.
        if fenceHeldUntil != nil { askForProof(at: now, actions: &actions) }
        if isFenceUp {
            let reason = fenceHeldUntil == nil ? "replication has taken the role" : "the old Active's lease is over"
            actions.append(.log(.notice, "the fence stays up until \(reason)"))
        }
    }

    /// Whether replication must take the role before the fence goes down.
    ///
    /// What this kernel has stands a margin ahead. An SA that an IKE daemon still has in its queue comes with number 0
    /// when it comes, and replication must watch for it before anything is sent. Where the Active has not been heard of
    /// for long, it may have passed the margin: replication raises the numbers first.
    var awaitsReplication: Bool {
        redundancy.isStateful && !isRoleWatched
            && (isReplicationOwed || redundancy.hasUndelivered || redundancy.areNumbersStale)
    }

    /// Whether replication holds this node for Active, and is awake.
    private var isRoleWatched: Bool { redundancy.isRoleTaken && !isReplicationSilent }

    /// Replication's word on the role it holds; where its process died or hangs while SAs were on their way to the IKE daemon,
    /// the fence goes up: nobody watches for them any more.
    mutating func settleReplicationDebt(wasRoleTaken: Bool, actions: inout [GroupAction]) {
        if state != .active || isRoleWatched { isReplicationOwed = false }
        // A new process of replication would not know of it.
        if state == .active, isFenceUp, awaitsReplication { isReplicationOwed = true }
        guard state == .active, awaitsReplication, wasRoleTaken, !isFenceUp else { return }
        isReplicationOwed = true
        raiseFence(actions: &actions)
        actions.append(.count("fence.replicationLost"))
        let fault = isReplicationSilent ? "does not answer" : "is gone"
        actions.append(
            .log(.warning, "the fence goes up: SAs are on their way to the IKE daemon, and replication \(fault)"))
    }

    mutating func noteReplicationSilence(_ isSilent: Bool, at now: Instant, actions: inout [GroupAction]) {
        isReplicationSilent = isSilent
        // Until now the peer may have said in vain that it lives.
        if fenceHeldUntil != nil { fenceHeldUntil = fenceDeadline(behind: now) }
        settleReplicationDebt(wasRoleTaken: redundancy.isRoleTaken, actions: &actions)
        openFence(reason: "replication answers again", actions: &actions)
    }

    /// Tells the peer role and term unasked: its own next takeover is a later one then.
    func proclaim(actions: inout [GroupAction]) {
        guard redundancy.isAssociationUp, phase != .draining else { return }
        actions.append(
            .sendRole(.answer(nonce: RoleMessage.proclamation, isActive: state == .active), term: term))
    }

    /// One sender: with live SAs on a peer whose kernel may run, the fence waits for that kernel's lease.
    func heldFenceDeadline(at now: Instant) -> Instant? {
        let until = oldLeaseEnd(at: now)
        guard let until, isPeerMachineGone else { return until }
        return mayWakeUntil.flatMap { $0 > now ? min($0, until) : nil }
    }

    private func oldLeaseEnd(at now: Instant) -> Instant? {
        guard redundancy.isStateful, redundancy.isPeerPopulated else { return nil }
        // The peer may have been asked in vain, and have lived until now: where this node's own replication hangs, its
        // words do not come through.
        if isReplicationSilent { return fenceDeadline(behind: now) }
        let heardAt = activeSeen.flatMap { isPeer($0.address) ? $0.at : nil }
        // An Active that was never heard here may have died just before this node began to listen, and a peer that has
        // learned that this node is not Active may have taken the role. One that could say nothing until this session came,
        // and has not answered since, may have lived until then.
        let unansweredAt = awaitsGreeting ? greetedAt : nil
        guard let at = [heardAt, peerActiveAt, listeningSince, grantedAt, unansweredAt].compactMap(\.self).max() else {
            return nil
        }
        let until = fenceDeadline(behind: isLANOnlyWitness(at) ? at + hold : at)
        return until > now ? until : nil
    }

    /// Whether a peer whose last sign is of that time could not be asked since: it may have lived on, unheard, for as
    /// long as its hellos may be late.
    private func isLANOnlyWitness(_ at: Instant) -> Bool {
        !redundancy.isAssociationUp && associationLostAt.map { $0 < at } ?? true
    }

    /// Whether every path to the peer is dead: nothing is left of it that could send.
    ///
    /// Who is heard on the segment behind the end of the association lives, and only the wire between the two is cut.
    public var isPeerMachineGone: Bool { redundancy.isPeerMachineGone && !isPeerHeardSinceGone }

    /// Every path to the peer is dead, and its lease is not waited for; or it is there again, and its lease counts.
    mutating func adjustHeldFence(at now: Instant, actions: inout [GroupAction]) {
        guard let held = fenceHeldUntil else { return }
        if !isPeerMachineGone {
            fenceHeldUntil = max(held, oldLeaseEndsAt ?? held)
        } else if let mayWakeUntil, mayWakeUntil > now {
            fenceHeldUntil = min(held, mayWakeUntil)
        } else {
            lowerHeldFence(reason: "the peer's machine is gone", at: now, actions: &actions)
        }
    }

    /// When the kernel of an Active whose last sign of life came at `at` has let go of its address.
    func fenceDeadline(behind at: Instant) -> Instant {
        at + GroupTiming.signOfLife(hello) + .seconds(settings.leaseSeconds) + GroupTiming.leaseGrace
    }

    mutating func lowerHeldFence(reason: String, at now: Instant, actions: inout [GroupAction]) {
        guard fenceHeldUntil != nil else { return }
        fenceHeldUntil = nil
        guard state == .active, phase != .draining else { return }
        openFence(reason: reason, actions: &actions)
        actions.append(.publishRole(isActive: true, term: roleTerm))
    }

    /// Lowers the fence of an Active if nothing is to be waited for any more.
    mutating func openFence(reason: String, actions: inout [GroupAction]) {
        guard state == .active, isFenceUp, phase != .draining, fenceHeldUntil == nil, !awaitsReplication, !isCutOff
        else { return }
        lowerFence(actions: &actions)
        actions.append(.log(.notice, "fence lowered: \(reason)"))
    }

    /// Every address that the group's Active holds, the one in its messages first.
    public var virtualAddresses: [IPAddress] { virtualAddress.map { [$0] + settings.furtherAddresses } ?? [] }

    /// Addresses beside the one in the messages came or went: what is held follows, and the role stays where it is.
    func changeAddresses(from old: [IPAddress], actions: inout [GroupAction]) {
        guard holdsAddress, old != settings.furtherAddresses else { return }
        let new = settings.furtherAddresses
        for address in old where !new.contains(address) { actions.append(.deleteAddress(address)) }
        for address in new where !old.contains(address) {
            actions.append(.addAddress(address, leaseSeconds: settings.leaseSeconds))
            actions.append(.announce(address))
        }
    }

    func announce(actions: inout [GroupAction]) {
        actions.append(contentsOf: virtualAddresses.map { .announce($0) })
    }

    private mutating func raiseAddress(behindFence: Bool, at now: Instant, actions: inout [GroupAction]) {
        guard !holdsAddress else { return }
        // Who took the fence away while this process slept is not known yet: no address comes before it.
        if behindFence { actions.append(.raiseFence) }
        holdsAddress = true
        lowerMACAt = nil
        actions.append(.raiseMAC)
        actions.append(contentsOf: virtualAddresses.map { .addAddress($0, leaseSeconds: settings.leaseSeconds) })
        scheduleLease(at: now)
    }

    private mutating func scheduleLease(at now: Instant) {
        leaseDeadline = now + Interval.seconds(settings.leaseSeconds) / 3
        leaseRenewedAt = now
    }

    mutating func renewLease(at now: Instant, actions: inout [GroupAction]) {
        guard holdsAddress else {
            leaseDeadline = nil
            return
        }
        // A renewal brings back an address that another program has deleted, perhaps together with the fence.
        if isFenceUp { raiseFence(actions: &actions) }
        actions.append(contentsOf: virtualAddresses.map { .renewLease($0, leaseSeconds: settings.leaseSeconds) })
        scheduleLease(at: now)
    }

    mutating func announceAgain(at now: Instant, actions: inout [GroupAction]) {
        guard virtualAddress != nil, settings.announcementCount > 0 else { return }
        owesAnnouncement = false
        announce(actions: &actions)
        announcements = (1..<settings.announcementCount).map { now + settings.announcementInterval * $0 }
    }

    /// Another Active was heard and is gone: neighbours and switches may have learned its MAC.
    ///
    /// While announcements still stand out there is no other: what is forged must not make a flood.
    mutating func announceSurvivor(at now: Instant, actions: inout [GroupAction]) {
        guard state == .active, owesAnnouncement, phase != .draining, announcements.isEmpty else { return }
        announceAgain(at: now, actions: &actions)
    }

    /// Planned order, receiving side: everything stands but the fence, so that the node receives and emits nothing.
    mutating func prepareTakeover(at now: Instant, actions: inout [GroupAction]) {
        guard virtualAddress != nil else { return }
        raiseAddress(behindFence: true, at: now, actions: &actions)
        announce(actions: &actions)
        actions.append(.sendRole(.ready, term: term))
        phase = .prepared(until: now + GroupTiming.preparedWait)
    }

    mutating func completePreparedTakeover(reason: String, at now: Instant, actions: inout [GroupAction]) {
        staleHellosUntil = now + GroupTiming.staleHelloWindow
        becomeActive(reason: reason, isPeerSettled: true, at: now, actions: &actions)
    }

    mutating func undoPreparation(actions: inout [GroupAction]) {
        guard state != .active, holdsAddress else { return }
        dropAddress(actions: &actions)
        actions.append(.lowerMAC)
    }

    /// After a crash without a ready peer: the role that the kernel still carries out becomes ours again.
    ///
    /// Behind a fence the process before had no role yet, or waited for the lease of another Active, until a time that
    /// nobody knows any more; and a peer that is Active has taken the role since.
    mutating func resume(isFenced: Bool, at now: Instant, actions: inout [GroupAction]) {
        guard state != .active, !settings.isFollower else { return }
        guard !isFenced, !isBriefedOfActive else {
            let reason = isFenced ? "its fence was up" : "the peer is Active"
            actions.append(.log(.notice, "not resumed after a restart: \(reason)"))
            return
        }
        // What the kernel holds was ours before: no delay of a start.
        startDeadline = nil
        guard canRun else { return }
        reconsiderRunning(reason: "resumed after a restart", at: now, actions: &actions)
        becomeActive(
            reason: "resumed after a restart", isPeerSettled: true, isResumed: true, at: now, actions: &actions)
    }

    // MARK: Giving

    /// Whether the planned order can be followed.
    var isHandoverPossible: Bool {
        state == .active && phase == .settled && !isFenceUp && isPeerReady
    }

    /// Whether the peer holds everything and can be spoken to.
    var isPeerReady: Bool { redundancy.isAssociationUp && redundancy.isPeerHot }

    /// An Active whose IKE daemon is gone, or has lost its SAs, gives the role to a peer that has them.
    ///
    /// One that cannot run at the moment declines, and is asked again.
    mutating func giveWhenUnfit(at now: Instant, actions: inout [GroupAction]) {
        guard !isFitForRole else { return }
        giveAgainAt = now + GroupTiming.givingPause
        guard isHandoverPossible else { return }
        let release = Release(target: .speak, reason: "the IKE daemon is not fit", isOptional: true)
        beginRelease(release, at: now, actions: &actions)
    }

    /// An Active whose priority fell below a HOT peer's gives the role instead of waiting to be relieved.
    mutating func considerGiving(at now: Instant, actions: inout [GroupAction]) -> Bool {
        guard settings.preempt, isHandoverPossible, let standby = standbyRouter, isPeer(standby.address),
            standby.priority > priority
        else { return false }
        let reason = "priority \(priority) fell below \(standby.priority) of \(standby.address)"
        beginRelease(Release(target: .speak, reason: reason, isOptional: true), at: now, actions: &actions)
        return true
    }

    /// Starts the planned order with a HOT peer; without one the release is complete at once.
    mutating func beginRelease(_ release: Release, at now: Instant, actions: inout [GroupAction]) {
        guard isHandoverPossible else {
            completeRelease(release, at: now, actions: &actions)
            return
        }
        actions.append(.sendRole(.prepareTakeover, term: term))
        let until = now + GroupTiming.readyWait
        phase = .awaitingReady(release, until: until)
        // The peer may own the virtual MAC from now on: no frame of ours may move it back.
        announcements = []
        helloDeadline = helloDeadline.map { max($0, until) }
    }

    /// Fence, `fenced`, address, Resign, `released`, and only then the world is told; the MAC goes down behind it all.
    mutating func completeRelease(_ release: Release, at now: Instant, actions: inout [GroupAction]) {
        surrender(sendsResign: true, at: now, actions: &actions)
        becomeFormerActive(
            target: canRun ? release.target : .initial, reason: release.reason, at: now, actions: &actions)
    }

    /// Yields to a router that is Active already: no Resign, which would raise the Standby as well.
    mutating func stepDown(reason: String, at now: Instant, actions: inout [GroupAction]) {
        surrender(sendsResign: false, at: now, actions: &actions)
        becomeFormerActive(target: .speak, reason: reason, at: now, actions: &actions)
    }

    mutating func surrender(sendsResign: Bool, at now: Instant, actions: inout [GroupAction]) {
        raiseFence(actions: &actions)
        fenceHeldUntil = nil
        if redundancy.isAssociationUp { actions.append(.sendRole(.fenced, term: term)) }
        dropAddress(actions: &actions)
        announcements = []
        if sendsResign {
            // From the interface's own MAC: the virtual one belongs to the successor from here on.
            actions.append(.send(message(.resign), fromVirtualMAC: false))
            resigns = GroupTiming.resignRepeats.map { now + $0 }
        }
        if redundancy.isAssociationUp { actions.append(.sendRole(.released, term: term)) }
        // Setting a macvlan down takes the kernel 8–16 ms (measured); nobody need wait for it.
        lowerMACAt = now + GroupTiming.virtualMACLinger
        actions.append(.publishRole(isActive: false, term: roleTerm))
    }

    mutating func becomeFormerActive(
        target: HSRPState, reason: String, at now: Instant, actions: inout [GroupAction]
    ) {
        startActiveTimer(nil, at: now)
        startStandbyTimer(nil, at: now)
        standbyRouter = nil
        // Whoever follows may die before it is heard, and its kernel lives for a lease.
        listeningSince = now
        reach = .heard
        move(to: target, reason: reason, at: now, actions: &actions)
    }

    /// Disabled while Active: a lost interface leaves at once, an orderly end or unfitness hands over.
    mutating func leaveActive(reason: String, at now: Instant, actions: inout [GroupAction]) {
        let release = Release(target: .initial, reason: reason, isOptional: false)
        switch phase {
        case .awaitingReady(_, let until) where isInterfaceUp:
            phase = .awaitingReady(release, until: until)
        case .settled where isInterfaceUp:
            beginRelease(release, at: now, actions: &actions)
        default:
            completeRelease(release, at: now, actions: &actions)
        }
    }

    private mutating func dropAddress(actions: inout [GroupAction]) {
        leaseDeadline = nil
        guard holdsAddress else { return }
        holdsAddress = false
        actions.append(contentsOf: virtualAddresses.map { .deleteAddress($0) })
    }

    mutating func raiseFence(actions: inout [GroupAction]) {
        isFenceUp = true
        actions.append(.raiseFence)
    }

    mutating func lowerFence(actions: inout [GroupAction]) {
        isFenceUp = false
        actions.append(.lowerFence)
    }
}
