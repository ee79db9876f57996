// SPDX-License-Identifier: Apache-2.0

import Configuration
import Control
import FirstHop
import LinuxIO
import Primitives
import Replication
import SecurityAssociations
import StrongSwan

extension ReplicationProcess {
    /// Ends each event: states are evaluated anew, who must know is told, and the next deadline is armed.
    func settle() {
        guard isConfigured else { return }
        guard !isSettling else {
            needsSettling = true
            return
        }
        isSettling = true
        // Each round can only follow from the one before; a few suffice.
        for _ in 0..<8 {
            needsSettling = false
            let now = reactor.now
            for action in stepRedundancy(facts(at: now), at: now) { perform(action) }
            drive(.localChanged(localHello, state: redundancy.state))
            pump()
            replicator?.resumeCopy()
            if !needsSettling { break }
        }
        isSettling = false
        armMachineTimer()
    }

    /// Settles when more of the same has had time to come: the next word of a hand-over, which neither evaluation nor log
    /// may delay, or the other SAs that a daemon installs.
    func settleSoon() {
        guard !isSettlingSoon else { return }
        isSettlingSoon = true
        reactor.schedule(at: reactor.now + .milliseconds(5)) { [unowned self] in
            isSettlingSoon = false
            settle()
        }
    }

    private func perform(_ action: RedundancyMachine.Action) {
        switch action {
        case .noteState(let from, let to, let reason):
            needsSettling = true
            historyTimes.append(WallClock.now().text)
            if historyTimes.count > ReplicationLimits.historyEntries { historyTimes.removeFirst() }
            let line = "%RF-5-RF_STATE: my state \(from) -> \(to) (\(reason))"
            var event = EventView("redundancy-state", line: line)
            event.from = from.description
            event.to = to.description
            event.reason = reason
            event.term = role.map { Int(clamping: $0.term) }
            publish(event)
        case .publish(let status): failover?.send(.redundancyChanged(status))
        case .log(let line):
            // The event of the change, which `noteState` makes, carries the same line.
            if !StandardError.write(line: line) { count("log.dropped") }
        }
    }

    private func facts(at now: Instant) -> RedundancyFacts {
        var facts = RedundancyFacts()
        facts.isConfigured = model.scheme != nil && model.association != nil && scheme != nil
        facts.isStateful = isReplicating
        facts.isActive = role?.isActive
        facts.isDraining = drainingUntil.map { now < $0 } ?? false
        facts.isTakeoverComplete = isTakeoverComplete
        facts.isSessionUp = session.phase == .established
        facts.associationFault = facts.isSessionUp ? nil : association?.fault
        facts.wasSessionUp = wasSessionUp
        facts.isPeerSilent = session.isPeerSilent
        facts.isPeerActive = session.peer?.isActive ?? false
        // Remembered beyond the session: what a dead process's kernel holds is what it held.
        if let peer = session.peer { isPeerPopulated = peer.journal.count > 0 }
        // A process that was started anew has not heard the peer yet, but sees the pair's SAs in its own kernel.
        let holdsCopies = role?.isActive == false && (kernel?.counters.count ?? 0) > 0
        facts.isPeerPopulated = isPeerPopulated || holdsCopies
        facts.mayPeerKernelLive = !facts.isSessionUp && association?.mayPeerKernelLive ?? false
        if isReplicating { facts.daemonFault = hasLostSAs ? "the IKE daemon lost its SAs" : charon?.fault }
        // An IKE daemon that is not there has nothing that the journal lacks.
        facts.isPeerHot = session.isPeerHot && (isCoverageKnown || hasLostSAs || charon?.isGone == true)
        if let replicator { return facts.completed(by: replicator, isDelivered: isDelivered(at: now)) }
        facts.areNumbersStale =
            numbers.isRaising || areSAsLate
            || (role?.isActive == false && kernel?.counters.needsRaising(at: now) ?? false)
        facts.isSnapshotBegun = keeper.hasCopyBegun
        facts.isJournalEqual = keeper.isEqual
        facts.isDelivered = isDelivered(at: now)
        facts.hasUndelivered = hasUndelivered
        facts.isVerified = isVerified
        facts.areCountersInstalled = kernel?.counters.isInstalled ?? false
        return facts
    }

    /// Everything is delivered; a HOT standby may be late by the time after which the Active stops to trust it.
    private func isDelivered(at now: Instant) -> Bool {
        guard !(replicator?.machine.isIdle ?? keeper.isAcknowledged) else {
            undeliveredSince = nil
            return true
        }
        let since = undeliveredSince ?? now
        undeliveredSince = since
        return redundancy.state == .standbyHot && now.since(since) < ReplicationLimits.acknowledgementTimeout
    }

    /// What the peer is told of this node.
    private var localHello: SessionHello {
        var hello = SessionHello(
            bootID: bootID, nodeName: model.hostname, term: role?.term ?? 0, scheme: model.scheme ?? "")
        hello.interfaces = scheme?.helloInterfaces ?? []
        hello.agreedItems = agreedItems
        hello.isActive = role?.isActive ?? false
        hello.capabilities = replicator == nil ? 0 : SessionHello.kernelRecords
        if reportedJournal.isAuthoritative != isAuthoritative || (reportedJournal.count == 0) != (recordCount == 0) {
            reportedJournal = journalState
        }
        hello.journal = reportedJournal
        return hello
    }

    private var recordCount: Int { replicator?.count ?? keeper.journal.recordCount }

    private var isAuthoritative: Bool {
        guard let replicator else { return keeper.isAuthoritative }
        // A kernel is what it is: the Active's is true as soon as it was read, a standby's never is.
        return role?.isActive == true && replicator.isComplete
    }

    /// What this node holds, for the peer.
    private var journalState: JournalState {
        guard let replicator else { return keeper.state }
        return JournalState(
            count: UInt32(clamping: replicator.count), digest: replicator.machine.table.digest,
            isAuthoritative: isAuthoritative)
    }

    /// Makes the items that must agree anew, after a change of configuration or of charon's connections.
    func refreshAgreedItems() { agreedItems = (scheme?.agreedItems ?? []) + connectionItems }

    /// charon's connections, children and selectors, once they are known.
    private var connectionItems: [SessionHello.AgreedItem] {
        guard isReplicating else { return [] }
        return (charon?.connections ?? []).sorted { $0.name < $1.name }.map { connection in
            let children = connection.children.sorted { $0.name < $1.name }.map { child in
                let local = child.localSelectors.joined(separator: ",")
                return "\(child.name) \(local) === \(child.remoteSelectors.joined(separator: ","))"
            }
            return .init(
                name: SessionHello.connectionPrefix + connection.name,
                value: ([connection.version] + children).joined(separator: "; "))
        }
    }

    // MARK: Time

    private func armMachineTimer() {
        let deadline = Instant.earliest(session.nextDeadline, drainingUntil)
        guard deadline != machineDeadline else { return }
        if let machineTimer { reactor.cancel(machineTimer) }
        machineDeadline = deadline
        machineTimer = deadline.map { at in
            reactor.schedule(at: at) { [unowned self] in
                machineTimer = nil
                machineDeadline = nil
                if let until = drainingUntil, reactor.now >= until { drainingUntil = nil }
                drive(.deadlinePassed)
                settle()
            }
        }
    }

    /// Runs `tick` each second for as long as the process lives.
    func scheduleTick() {
        let period = Interval.milliseconds(Scheme.reportMilliseconds)
        reactor.schedule(at: reactor.now + period) { [unowned self] in
            tick()
            scheduleTick()
        }
    }

    private func tick() {
        tickCount += 1
        let isComparisonDue = tickCount % Self.comparisonSeconds == 0
        if kernel?.fault != nil { kernel?.open() }
        if isComparisonDue { tellNeighbour() }
        reportedJournal = journalState
        charon?.tick()
        replicator?.tick(at: reactor.now)
        switch role?.isActive {
        case true?:
            checkAuthority(at: reactor.now)
            reportCounters()
            kernel?.raiseOwed(at: reactor.now)
            watchNumbers()
            watchTraffic()
            sharing.look(at: keeper.journal.lastSequence, isPeerHot: redundancy.status?.isPeerHot == true)
            if isReplicating { drive(.digestTaken(replicator?.machine.table.digest ?? keeper.journal.digest)) }
            if isComparisonDue || !isCoverageKnown { compareActive() }
            if tickCount % routeCheckSeconds == 0 { scheduleRoutes(afterMilliseconds: 0) }
        case false? where replicator != nil:
            if isNobodyActive { replicator?.handle(.idleSeen) }
            reconcileBypass(isComparisonDue)
        case false?:
            reconcileBypass(isComparisonDue)
            kernel?.refreshSAs()
            if isNobodyActive { kernel?.counters.noteIdle(at: reactor.now) }
            kernel?.advanceCounters(at: reactor.now)
            if keeper.isEqual, isComparisonDue || !isVerified { charon?.wantComparison() }
        case nil: break
        }
        settle()
        attend()
    }

    /// Failover probes the segment toward the VPN peers when hellos are lost.
    private func tellNeighbour() {
        guard let neighbour = kernel?.neighbour(), neighbour != toldNeighbour, let gateway = neighbour.gateway.ipv4
        else { return }
        toldNeighbour = neighbour
        failover?.send(.neighbour(gateway, interfaceIndex: neighbour.interfaceIndex))
    }

    /// Neither node is Active, and so neither sends.
    private var isNobodyActive: Bool { session.phase == .established && session.peerReport?.isActive == false }

    /// How often standing routes are compared with the wanted ones, in seconds: the more there are, the less often.
    private var routeCheckSeconds: Int { Self.comparisonSeconds * (1 + (kernel?.tunnels.count ?? 0) / 1000) }

    /// A standby looks at its own addresses every few seconds, and at once when a tunnel's network is new.
    private func reconcileBypass(_ isDue: Bool) {
        guard let kernel, isDue || kernel.bypass.isChanged else { return }
        kernel.reconcileBypass(isActive: false)
    }

    /// Brings the reverse routes to the policies after a pause in which more changes may come.
    func scheduleRoutes(afterMilliseconds pause: Int) {
        guard routesTimer == nil else { return }
        routesTimer = reactor.schedule(at: reactor.now + .milliseconds(pause)) { [unowned self] in
            routesTimer = nil
            // Until the role is known, the routes of a former life stay as they are.
            guard let role else { return }
            kernel?.reconcileReverseRoutes(isActive: role.isActive)
        }
    }
}
