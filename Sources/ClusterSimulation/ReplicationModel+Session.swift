// SPDX-License-Identifier: Apache-2.0

import ByteCodec
import FirstHop
import Primitives
import Replication
import SecurityAssociations
import StrongSwan

/// Mirrors Daemon/ReplicationProcess/ReplicationSession.swift and the counters of KernelTables.swift.
extension ReplicationModel {
    var isReplicating: Bool { simulation.settings.isStateful }

    /// Hands an event to the session and carries out what it asks for, in order.
    func drive(_ event: SessionMachine.Event) {
        session.handle(event, at: now, actions: &sessionActions)
        guard !isDrainingActions else { return }
        isDrainingActions = true
        while !sessionActions.isEmpty, isAlive {
            let batch = sessionActions
            sessionActions = []
            for action in batch where isAlive && !diesBeforeAction() { perform(action) }
        }
        isDrainingActions = false
        simulation.checker.queuesChanged(of: self)
    }

    private func perform(_ action: SessionMachine.Action) {
        switch action {
        case .closeAssociation: closeAssociation()
        case .noteEstablished: noteEstablished()
        case .noteEnded(let reason):
            heldAtLoss = Set(kernel.outbound.map(\.spi))
            keeper.forgetPeer()
            counters.forgetPeer()
            simulation.note("\(node.name): the session is down: \(reason)")
        case .noteFlow(let flow):
            keeper.forgetPeer()
            isVerified = false
            undeliveredSince = nil
            counters.forgetPeer()
            simulation.note("\(node.name): flow \(flow)")
            if flow == .sending || flow == .lending { reportCounters() }
        case .makeSnapshot:
            let records = isReplicating ? keeper.journal.snapshot().map(\.message.bytes) : []
            drive(.snapshotMade(records, digest: keeper.journal.digest))
        case .beginSnapshot:
            isVerified = false
            keeper.beginCopy()
        case .applyRecord(let bytes, let sequence): apply(bytes, sequence)
        case .endSnapshot(let digest, let sequence): endSnapshot(digest, sequence)
        case .checkMark(let digest, _): if !keeper.check(digest: digest) { noteWrongCopy() }
        case .installCounters(let number, let isLast, let list): install(number, isLast, list)
        case .noteCountersInstalled(let number): counters.confirm(report: number)
        case .deliverRole(let message, _, let term):
            simulation.note("\(node.name): hears \(message), term \(term)")
            tellFailover(message, term: term)
        case .noteActiveTerm(let term):
            tellFailover(.answer(nonce: RoleMessage.briefing, isActive: true), term: term)
        case .noteOutrankedTerm(let term):
            simulation.note("\(node.name): stays, for VPN peers were heard later here")
            tellFailover(.answer(nonce: RoleMessage.briefing, isActive: false), term: term)
        case .noteOverlap: noteOverlap()
        case .noteStrays(let names): noteStrays(names)
        case .noteSilence: settle()
        case .notePeer, .noteOverdue: break
        case .count(let name): simulation.checker.counted(name.description, on: node)
        case .log(let line): simulation.note("\(node.name): \(line)")
        }
    }

    private func noteEstablished() {
        wasSessionUp = true
        simulation.note("\(node.name): the session is up")
        if role?.isActive == true { checkAuthority() }
    }

    private func apply(_ bytes: SecretBytes, _ sequence: UInt64) {
        guard isReplicating else { return drive(.recordsDelivered(through: sequence)) }
        switch keeper.apply(bytes, wire: sequence) {
        case .held, .ignored: break
        case .deliver(let record):
            warnOfUndelivered()
            charon.deliver(record)
        case .compare: charon.wantComparison()
        }
        if let delivered = deliveredSequence, delivered >= keeper.journal.lastSequence {
            acknowledge(through: delivered)
        }
    }

    /// Mirrors ReplicationSession.swift.
    private func warnOfUndelivered() {
        if hasUndelivered, redundancy.status?.hasUndelivered == false { settle() }
    }

    private func endSnapshot(_ digest: UInt64, _ sequence: UInt64) {
        guard keeper.endCopy(digest: digest, wire: sequence) else { return noteWrongCopy() }
        simulation.note("\(node.name): has a copy of \(keeper.journal.recordCount) records")
        guard isReplicating else { return acknowledge(through: .max) }
        if role?.isActive == true {
            keeper.settle()
            authorityDeadline = nil
            isCoverageKnown = false
            noteInheritance(isActive: true)
            acknowledge(through: .max)
        } else {
            failedVerifications = 0
            reportStrays(among: ownChildren)
            ownChildren = [:]
            counters.noteCopy(of: Set(keeper.journal.expected.childSAs.keys.map(\.outbound)))
            charon.noteCopy()
        }
    }

    private func noteWrongCopy() {
        isVerified = false
        drive(.copyFoundWrong)
    }

    func acknowledge(through local: UInt64) {
        if let wire = keeper.acknowledge(through: local) { drive(.recordsDelivered(through: wire)) }
    }

    // MARK: Counters

    private func install(_ number: UInt64, _ isLast: Bool, _ list: [Frame.Counter]) {
        guard counters.take(report: number, isLast: isLast, list, at: now) else { return }
        refreshSAs()
        advanceCounters()
        if role?.isActive != true, counters.isInstalled { drive(.countersInstalled(number: number)) }
    }

    func reportCounters() {
        guard isReplicating else { return }
        guard session.flow == .sending || session.flow == .lending else { return }
        refreshSAs()
        drive(.countersTaken(counters.report(number: session.lastCounterReport + 1)))
    }

    /// Mirrors ReplicationSession.swift.
    private func reportCountersSoon() {
        guard !isReportingSoon else { return }
        isReportingSoon = true
        after(20 * millisecond) { [unowned self] in
            isReportingSoon = false
            reportCounters()
            settle()
        }
    }

    /// Mirrors ReplicationNumbers.swift.
    func raiseStaleNumbers(isBehind: Bool) {
        guard isBehind || counters.areStale(at: now) else { return }
        simulation.note("\(node.name): numbers are old, and are raised first")
        refreshSAs()
        counters.beginStaleTakeover(at: now)
        isRaising = true
        continueRaising()
    }

    private func continueRaising() {
        guard isRaising else { return }
        if write(counters.writes(at: now)) {
            isRaising = false
            return settleSoon()
        }
        after(10 * millisecond) { [unowned self] in continueRaising() }
    }

    /// Mirrors ReplicationNumbers.swift.
    func raiseUnknownNumbers() {
        simulation.note("\(node.name): started behind the takeover, all numbers are raised first")
        isRaising = true
        raiseBehindQueue(looks: 0)
    }

    private func raiseBehindQueue(looks: Int) {
        guard isRaising else { return }
        guard looks < 2 else {
            refreshSAs()
            counters.beginUnknownTakeover(at: now)
            return continueRaising()
        }
        let isEmpty = !charon.hasUnread
        after(20 * millisecond) { [unowned self] in raiseBehindQueue(looks: isEmpty ? looks + 1 : 0) }
    }

    /// Mirrors ReplicationNumbers.swift `awaitLateSAs`.
    func awaitLateSAs() {
        guard !keeper.undelivered.isEmpty, charon.fault == nil else { return }
        lateUntil = now + ReplicationLimits.lateSAWait
        after(ReplicationLimits.lateSAWait.nanoseconds) { [unowned self] in settle() }
    }

    var areSAsLate: Bool { lateUntil.map { now < $0 } ?? false && !keeper.undelivered.isEmpty }

    /// Mirrors ReplicationNumbers.swift `noteOverlap`.
    private func noteOverlap() {
        charon.list { [unowned self] listing in
            guard role?.isActive == true, let listing else { return }
            overdueRekeys.noteShared(in: listing, held: heldAtLoss)
            for child in overdueRekeys.next(in: listing) { node.charon.rekey(inbound: child) }
        }
    }

    /// Mirrors ReplicationNumbers.swift `watchTraffic`.
    func watchTraffic() {
        let state = kernel.inboundState
        defer { lastInboundState = state }
        if let last = lastInboundState, state > last { drive(.peerTrafficSeen) }
    }

    /// Mirrors ReplicationNumbers.swift `watchNumbers`.
    func watchNumbers() {
        guard isReplicating else { return }
        if session.flow != .sending { refreshSAs() }
        counters.judgeExhaustion()
        for identity in counters.exhausted { node.charon.rekey(outbound: identity.spi) }
    }

    /// Reads this node's outbound SAs; mirrors KernelTables.swift `refreshSAs`.
    func refreshSAs() { counters.observe(kernel.outboundSAs()) }

    /// Mirrors KernelTables.swift `advanceCounters`.
    @discardableResult
    func advanceCounters(only identity: SAIdentity? = nil) -> Bool {
        let isInherited = identity.map { inheritedSPIs.contains($0.spi) || charon.hasForeignQueue } ?? false
        guard role?.isActive == false || isInherited else { return false }
        let isDone = write(counters.writes(at: now, only: identity))
        if !isDone, role?.isActive == true { owesInherited = true }
        return isDone
    }

    /// Mirrors KernelTables.swift `raiseOwed`.
    func raiseOwed() {
        guard owesInherited else { return }
        owesInherited = !write(
            counters.writes(at: now).filter { inheritedSPIs.contains($0.identity.spi) || charon.hasForeignQueue })
        if !owesInherited { reportCountersSoon() }
    }

    /// Whether all of them were taken; what is gone sends nothing.
    private func write(_ writes: [OutboundCounters.Write]) -> Bool {
        var isDone = true
        for write in writes {
            if kernel.setOutbound(write.identity.spi, to: write.replay.outbound) {
                counters.noteWritten(write)
            } else if kernel.hasOutbound(write.identity.spi) {
                isDone = false
            } else {
                counters.forget(write.identity)
            }
        }
        return isDone
    }

    /// An SA appeared in the kernel; mirrors KernelTables.swift `takeXFRM`.
    func noteAdded(_ spi: UInt32) {
        if let sa = kernel.outboundSA(spi) {
            counters.observe(sa)
            if advanceCounters(only: sa.identity), role?.isActive == true { reportCountersSoon() }
            keeper.noteInKernel(spi)
        }
        settle()
    }

    func noteDeleted(_ identity: SAIdentity) {
        counters.forget(identity)
        settle()
    }
}
