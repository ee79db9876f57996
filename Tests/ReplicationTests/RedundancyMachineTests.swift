// SPDX-License-Identifier: Apache-2.0

import FirstHop
import Primitives
import Replication
import Testing

@Suite struct RedundancyMachineTests {
    func at(_ seconds: Int) -> Instant { Instant(nanoseconds: UInt64(seconds) * 1_000_000_000) }

    @Test("a standby climbs from DISABLED to HOT and says at each step what is missing")
    func climb() {
        var machine = RedundancyMachine()
        var facts = RedundancyFacts()
        var actions: [RedundancyMachine.Action] = []
        func step(_ change: (inout RedundancyFacts) -> Void, _ state: RedundancyState, _ missing: String?) {
            change(&facts)
            machine.handle(.factsChanged(facts), at: at(1), actions: &actions)
            #expect(machine.state == state)
            #expect(machine.missing.last == missing)
        }
        step({ _ in }, .disabled, "no scheme or association is configured")
        step(
            {
                $0.isConfigured = true; $0.isStateful = true
            }, .initialization, "the role of the scheme's group is not known yet")
        step({ $0.isActive = false }, .negotiation, "no session with the peer")
        step({ $0.associationFault = "the kernel has no SCTP" }, .negotiation, "the kernel has no SCTP")
        step(
            {
                $0.associationFault = nil; $0.isSessionUp = true; $0.wasSessionUp = true
            }, .standbyCold, "the peer is not Active")
        step({ $0.isPeerActive = true }, .standbyCold, "the Active has not sent its records")
        step({ $0.isSnapshotBegun = true }, .standbyColdBulk, "outbound sequence numbers are not installed")
        step(
            {
                $0.isJournalEqual = true; $0.isDelivered = true; $0.isVerified = true
            }, .standbyColdBulk, "outbound sequence numbers are not installed")
        step({ $0.areCountersInstalled = true }, .standbyHot, nil)
        #expect(machine.status?.isLocalHot == true)
        #expect(
            actions.contains(
                .log("%RF-5-RF_STATE: my state STANDBY COLD-BULK -> STANDBY HOT (everything is replicated)")))
        step({ $0.daemonFault = "VICI does not answer" }, .standbyCold, "VICI does not answer")
        #expect(machine.status?.isIKEDaemonFit == false)
        step(
            {
                $0.daemonFault = nil; $0.isSessionUp = false
            }, .standbyCold, "no session with the peer")
        #expect(
            machine.history.map(\.to) == [
                .initialization, .negotiation, .standbyCold, .standbyColdBulk, .standbyHot, .standbyCold,
            ])
    }

    @Test("the role counts as taken only when numbers that had grown old are raised")
    func staleNumbers() {
        var machine = RedundancyMachine()
        var facts = RedundancyFacts()
        var actions: [RedundancyMachine.Action] = []
        (facts.isConfigured, facts.isStateful, facts.isActive, facts.areNumbersStale) = (true, true, false, true)
        machine.handle(.factsChanged(facts), at: at(1), actions: &actions)
        #expect(machine.status?.areNumbersStale == true)
        facts.isActive = true
        machine.handle(.factsChanged(facts), at: at(2), actions: &actions)
        #expect(machine.state == .activeFast)
        #expect(machine.status?.isRoleTaken == false)
        facts.areNumbersStale = false
        machine.handle(.factsChanged(facts), at: at(3), actions: &actions)
        #expect(machine.state == .active)
        #expect(machine.status?.isRoleTaken == true)
    }

    @Test("taking and giving the role pass through FAST and DRAIN and are counted")
    func roles() {
        var machine = RedundancyMachine()
        var facts = RedundancyFacts()
        facts.isConfigured = true
        facts.isActive = false
        var actions: [RedundancyMachine.Action] = []
        var states: [RedundancyState] = []
        for change: (inout RedundancyFacts) -> Void in [
            { _ in },
            {
                $0.isActive = true; $0.isTakeoverComplete = false
            }, { $0.isTakeoverComplete = true },
            { $0.isDraining = true },
            {
                $0.isActive = false; $0.isDraining = false
            },
        ] {
            change(&facts)
            machine.handle(.factsChanged(facts), at: at(1), actions: &actions)
            states.append(machine.state)
        }
        #expect(states == [.negotiation, .activeFast, .active, .activeDrain, .negotiation])
        #expect(machine.switchoverCount == 2)
    }

    @Test("failover hears of changes only, and a silent peer is no association")
    func status() {
        var machine = RedundancyMachine()
        var facts = RedundancyFacts()
        facts.isConfigured = true
        facts.isActive = true
        facts.isSessionUp = true
        facts.isPeerHot = true
        var actions: [RedundancyMachine.Action] = []
        machine.handle(.factsChanged(facts), at: at(1), actions: &actions)
        machine.handle(.factsChanged(facts), at: at(2), actions: &actions)
        facts.isPeerSilent = true
        facts.isPeerHot = false
        machine.handle(.factsChanged(facts), at: at(3), actions: &actions)
        let published = actions.compactMap { action -> RedundancyStatus? in
            if case .publish(let status) = action { status } else { nil }
        }
        #expect(published.count == 2)
        #expect(published.map(\.isAssociationUp) == [true, false])
        #expect(published.map(\.isPeerHot) == [true, false])
        #expect(published.map(\.mayPeerKernelLive) == [false, true])
        #expect(published.map(\.isRoleTaken) == [true, true])
    }

    @Test("a stateless pair is HOT with a session and an Active peer")
    func stateless() {
        var facts = RedundancyFacts()
        facts.isConfigured = true
        facts.isActive = false
        facts.isSessionUp = true
        facts.isPeerActive = true
        #expect(facts.evaluation.state == .standbyHot)
    }

    @Test("the history keeps its limit")
    func history() {
        var machine = RedundancyMachine()
        var facts = RedundancyFacts()
        facts.isConfigured = true
        var actions: [RedundancyMachine.Action] = []
        for index in 0..<200 {
            facts.isActive = index % 2 == 0
            machine.handle(.factsChanged(facts), at: at(index), actions: &actions)
        }
        #expect(machine.history.count == ReplicationLimits.historyEntries)
    }
}
