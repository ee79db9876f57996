// SPDX-License-Identifier: Apache-2.0

import FirstHop
import Primitives
import Replication
import SecurityAssociations
import StrongSwan

/// Mirrors Daemon/ReplicationProcess/ReplicationSettle.swift.
extension ReplicationModel {
    /// Ends each event: states are evaluated anew, who must know is told, and the next deadline is armed.
    func settle() {
        guard isAlive, isListening else { return }
        guard !isSettling else {
            needsSettling = true
            return
        }
        isSettling = true
        for _ in 0..<8 {
            needsSettling = false
            judge(facts())
            tellSession()
            pump()
            if !needsSettling || !isAlive { break }
        }
        isSettling = false
        let sessionDeadline = query(&session) { $0.nextDeadline }
        arm(.earliest(.earliest(sessionDeadline, drainingUntil), charon.nextDeadline))
    }

    /// The same facts say the same.
    private func judge(_ facts: RedundancyFacts) {
        guard facts != judgedFacts else { return }
        judgedFacts = facts
        var actions: [RedundancyMachine.Action] = []
        redundancy.handle(.factsChanged(facts), at: now, actions: &actions)
        for action in actions { perform(action) }
    }

    /// Tells the session of this node what has changed since it was told last.
    private func tellSession() {
        if reportedJournal.isAuthoritative != keeper.isAuthoritative
            || (reportedJournal.count == 0) != (keeper.journal.recordCount == 0)
        {
            reportedJournal = keeper.state
        }
        let news = News(role: role, journal: reportedJournal, state: redundancy.state)
        guard news != toldNews else { return }
        toldNews = news
        var hello = SessionHello(bootID: bootID, nodeName: node.name, term: role?.term ?? 0, scheme: "VPN")
        hello.isActive = role?.isActive ?? false
        hello.journal = reportedJournal
        drive(.localChanged(hello, state: redundancy.state))
    }

    func settleSoon() {
        guard !isSettlingSoon else { return }
        isSettlingSoon = true
        after(5 * millisecond) { [self] in
            isSettlingSoon = false
            settle()
        }
    }

    private func perform(_ action: RedundancyMachine.Action) {
        switch action {
        case .noteState(let from, let to, let reason):
            needsSettling = true
            simulation.note("\(node.name): \(from) -> \(to) (\(reason))")
        case .publish(let status):
            if status.isLocalHot { simulation.checker.claimsHot(node) }
            tellFailover(status)
        case .log: break
        }
    }

    private func facts() -> RedundancyFacts {
        var facts = RedundancyFacts()
        facts.isConfigured = true
        facts.isStateful = isReplicating
        facts.isActive = role?.isActive
        facts.isDraining = drainingUntil.map { now < $0 } ?? false
        facts.isTakeoverComplete = isTakeoverComplete
        facts.isSessionUp = session.phase == .established
        facts.wasSessionUp = wasSessionUp
        facts.isPeerSilent = session.isPeerSilent
        facts.isPeerActive = session.peer?.isActive ?? false
        if let peer = session.peer { isPeerPopulated = peer.journal.count > 0 }
        facts.isPeerPopulated = isPeerPopulated || (role?.isActive == false && query(&counters) { $0.count } > 0)
        facts.mayPeerKernelLive = !facts.isSessionUp && mayPeerKernelLive
        if isReplicating { facts.daemonFault = hasLostSAs ? "the IKE daemon lost its SAs" : charon.fault }
        facts.isPeerHot = (isCoverageKnown || hasLostSAs || charon.isGone) && query(&session) { $0.isPeerHot }
        facts.isSnapshotBegun = keeper.hasCopyBegun
        facts.isJournalEqual = keeper.isEqual
        facts.isDelivered = isDelivered()
        facts.hasUndelivered = hasUndelivered
        facts.isVerified = isVerified
        facts.areNumbersStale =
            isRaising || areSAsLate || (role?.isActive == false && query(&counters) { $0.needsRaising(at: now) })
        facts.areCountersInstalled = query(&counters) { $0.isInstalled }
        return facts
    }

    private func isDelivered() -> Bool {
        guard !query(&keeper, { $0.isAcknowledged }) else {
            undeliveredSince = nil
            return true
        }
        let since = undeliveredSince ?? now
        undeliveredSince = since
        return redundancy.state == .standbyHot && now.since(since) < ReplicationLimits.acknowledgementTimeout
    }

    func tick() {
        tickCount += 1
        let isComparisonDue = tickCount % 5 == 0
        reportedJournal = keeper.state
        charon.tick()
        switch role?.isActive {
        case true?:
            checkAuthority()
            reportCounters()
            raiseOwed()
            watchNumbers()
            watchTraffic()
            sharing.look(at: keeper.journal.lastSequence, isPeerHot: redundancy.status?.isPeerHot == true)
            if isReplicating { drive(.digestTaken(keeper.journal.digest)) }
            if isComparisonDue || !isCoverageKnown { compareActive() }
        case false?:
            refreshSAs()
            if session.phase == .established, session.peerReport?.isActive == false { counters.noteIdle(at: now) }
            advanceCounters()
            if keeper.isEqual, isComparisonDue || !isVerified { charon.wantComparison() }
        case nil: break
        }
        settle()
        if redundancy.state == .standbyHot { simulation.checker.claimsHot(node) }
    }
}
