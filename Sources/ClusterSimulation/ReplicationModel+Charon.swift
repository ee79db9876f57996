// SPDX-License-Identifier: Apache-2.0

import Primitives
import Replication
import SecurityAssociations
import StrongSwan

/// Mirrors Daemon/ReplicationProcess/ReplicationCharon.swift.
extension ReplicationModel {
    // MARK: Roles

    func change(to fresh: Role, isFenced: Bool = false) {
        if fresh.isActive, role?.isActive == false, hasUndelivered { receiveWaiting() }
        let former = role
        guard fresh != former else { return }
        role = fresh
        guard fresh.isActive != former?.isActive else { return }
        drainingUntil = nil
        hasLostSAs = false
        lossDeadline = nil
        // Who takes the role without having compared may hold SAs that no journal names.
        isCoverageKnown = isVerified || !isReplicating
        noteInheritance(isActive: fresh.isActive)
        isVerified = false
        let isBehind = redundancy.state != .standbyHot && query(&counters) { $0.isBehind }
        if fresh.isActive || former != nil {
            keeper.forgetPeer()
            counters.forgetPeer()
        }
        counters.forgetRole()
        isCharonSource = fresh.isActive && (former == nil || !isReplicating)
        lossSuspicion = isCharonSource ? .notSeen : nil
        isRaising = false
        lateUntil = nil
        overdueRekeys.forget()
        lastInboundState = nil
        if fresh.isActive, former != nil {
            raiseStaleNumbers(isBehind: isBehind)
            awaitLateSAs()
        }
        if fresh.isActive, former == nil, isFenced { raiseUnknownNumbers() }
        if fresh.isActive { becomeActive() } else { becomeStandby(wasActive: former?.isActive) }
    }

    /// Mirrors KernelTables.swift: events of the kernel that wait are taken at once.
    func receiveWaiting() {
        for sa in kernel.outboundSAs() where counters.sa(sa.identity) == nil { noteAdded(sa.identity.spi) }
    }

    var hasUndelivered: Bool { !keeper.undelivered.isEmpty || charon.hasForeignQueue }

    private func becomeActive() {
        sharing = SharingMark(through: keeper.journal.lastSequence)
        guard isReplicating else {
            isTakeoverComplete = true
            return
        }
        isTakeoverComplete = charon.fault != nil
        charon.decide(isActive: true)
        if !keeper.isAuthoritative { authorityDeadline = now + Self.authorityWait }
    }

    private func becomeStandby(wasActive: Bool?) {
        // What was made here and no peer has is looked for in the records of the next Active.
        ownChildren = wasActive == true ? keeper.children(behind: sharing.through) : [:]
        keeper.dropWaiting()
        authorityDeadline = nil
        isResyncAsked = false
        isTakeoverComplete = true
        refreshSAs()
        if wasActive != false { counters.noteSuccessor(at: now) }
        advanceCounters()
        if isReplicating { charon.decide(isActive: false) }
    }

    func noteInheritance(isActive: Bool) {
        inheritedSPIs = isActive ? keeper.undelivered : []
        guard isActive, !(isVerified && keeper.isAcknowledged) else { return }
        inheritedSPIs.formUnion(keeper.journal.expected.childSAs.keys.map(\.outbound))
    }

    // MARK: What charon says

    func record(_ message: HAMessage) {
        guard isReplicating, role?.isActive != false else { return }
        let (record, _) = keeper.record(message)
        guard let record else { return }
        drive(.recordMade(record.message.bytes))
        settle()
    }

    func noteDelivered(_ sequence: UInt64) {
        deliveredSequence = sequence
        acknowledge(through: sequence)
        if !isVerified, failedVerifications < 2, keeper.isAcknowledged, keeper.isEqual { charon.wantComparison() }
        settle()
    }

    func noteRoleTold(_ isActive: Bool) {
        if isActive == role?.isActive {
            isTakeoverComplete = true
            if isActive, !isCharonSource { lossSuspicion = .seen }
            isCharonSource = isActive
            if isActive, hasUndelivered {
                receiveWaiting()
                keeper.noteNothingUndelivered()
                charon.noteQueueRead()
            }
        }
        settle()
    }

    var permission: CharonDriverModel.PlanPermission {
        guard isReplicating, let role else { return .later }
        if role.isActive { return isCharonSource || !keeper.isAuthoritative ? .nothing : comparison }
        return keeper.isEqual ? comparison : .later
    }

    private var comparison: CharonDriverModel.PlanPermission { .compare(keeper.journal, copied: keeper.copied) }

    func noteCompared(_ plan: ReconciliationPlan, _ listing: [ListedIKE]) {
        keeper.noteCompared(plan)
        if role?.isActive == false { reportStrays(among: listing.servedChildren) }
        refreshSAs()
        advanceCounters()
        let missing = kernel.missingSAs(of: listing)
        if plan.isEmpty, missing == 0 {
            keeper.noteVerified()
            isVerified = true
            failedVerifications = 0
        } else {
            failedVerifications += 1
            if failedVerifications > 2 || redundancy.state != .standbyHot { isVerified = false }
        }
        settle()
    }

    // MARK: Whose journal is true

    func reportStrays(among held: [ChildSPIPair: IKESPIPair]) {
        let strays = held.isEmpty ? [] : keeper.strays(among: held)
        guard !strays.isEmpty else { return }
        simulation.note("\(node.name): the Active lacks children of \(strays.count) IKE SAs that were made here")
        drive(.straysFound(strays.map { Frame.IKEName(initiator: $0.initiator, responder: $0.responder) }))
    }

    func noteStrays(_ names: [Frame.IKEName]) {
        overdueRekeys.noteStrays(of: Set(names.map { IKESPIPair(initiator: $0.initiator, responder: $0.responder) }))
        charon.list { [self] listing in
            guard role?.isActive == true, let listing else { return }
            for child in overdueRekeys.next(in: listing) { node.charon.rekey(inbound: child) }
        }
    }

    func noteCharonLost() {
        isVerified = false
        if role?.isActive == true { keeper.noteNothingUndelivered() }
    }

    func noteActiveLoss() {
        guard isReplicating, role?.isActive == true, !keeper.journal.expected.ikeSAs.isEmpty else { return }
        lossSuspicion = .seen
        judgeActiveLoss()
    }

    private func judgeActiveLoss() {
        charon.list { [self] listing in
            guard role?.isActive == true, let listing else { return }
            judgeLoss(by: listing)
        }
    }

    private func judgeLoss(by listing: [ListedIKE]) {
        guard let suspicion = lossSuspicion else { return }
        lossSuspicion = nil
        guard suspicion.isConfirmed(by: listing, journal: keeper.journal) else { return }
        hasLostSAs = true
        lossDeadline = now + Self.lossWait
        simulation.note("\(node.name): the IKE daemon lost its SAs")
        settle()
    }

    func checkAuthority() {
        let isPeerHot = query(&session) { $0.isPeerHot }
        if let lossDeadline, now >= lossDeadline, !isPeerHot || now.since(lossDeadline) > Self.hotLossWait {
            self.lossDeadline = nil
            hasLostSAs = false
            simulation.note("\(node.name): the lost SAs are given up")
            simulation.tunnels.givenUp(by: node)
            compareActive()
        }
        guard isReplicating, !keeper.isAuthoritative, session.flow != .borrowing,
            let authorityDeadline, now >= authorityDeadline || (isPeerWithoutJournal && !isResyncAsked)
        else { return }
        charon.list { [self] listing in
            guard let listing, role?.isActive == true, !keeper.isAuthoritative else { return }
            let hasNothing = listing.allSatisfy { $0.state == "CONNECTING" } && keeper.journal.recordCount == 0
            if session.phase != .established, hasNothing { return }
            settleAuthority(hasUnknownSAs: !keeper.covers(listing))
        }
    }

    private var isPeerWithoutJournal: Bool {
        session.phase == .established && session.peer?.journal.isAuthoritative == false
    }

    private func settleAuthority(hasUnknownSAs: Bool) {
        if hasUnknownSAs, session.phase != .established { return }
        if hasUnknownSAs, !isResyncAsked {
            isResyncAsked = true
            authorityDeadline = now + Self.authorityWait
            charon.askForResync()
            return simulation.note("\(node.name): the IKE daemon is asked for all its records")
        }
        keeper.settle()
        authorityDeadline = nil
        isResyncAsked = false
        settle()
    }

    func compareActive() {
        guard isReplicating, keeper.isAuthoritative, isCharonSource, !hasLostSAs, let version = charon.version else {
            return
        }
        let settled = keeper.journal.lastSequence
        let sas = kernel.sas()
        charon.list { [self] listing in
            guard let listing, role?.isActive == true else { return }
            judgeLoss(by: listing)
            guard !hasLostSAs else { return }
            let missed = ReconciliationPlan.missedDeletions(
                journal: keeper.journal, listing: listing, settledSequence: settled, version: version)
            for message in missed { record(message) }
            let gateways: Set = [ClusterSettings.virtualAddress]
            kernel.remove(leftovers: leftovers.leftovers(among: sas, listing: listing, gateways: gateways))
            askForUncovered(listing)
            for child in overdueRekeys.next(in: listing) { node.charon.rekey(inbound: child) }
        }
    }

    private func askForUncovered(_ listing: [ListedIKE]) {
        let missing = keeper.uncovered(in: listing)
        let isLasting = !missing.isDisjoint(with: uncovered)
        uncovered = missing
        isCoverageKnown = isCoverageKnown || missing.isEmpty
        guard isLasting, session.phase == .established else { return }
        uncovered = []
        charon.askForResync()
        simulation.note("\(node.name): the IKE daemon has SAs whose records are missing")
    }
}
