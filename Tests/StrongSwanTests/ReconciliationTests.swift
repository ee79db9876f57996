// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import StrongSwan

@Suite struct ReconciliationTests {
    private let child = ChildSPIPair(inbound: 0x11, outbound: 0x12)

    private func journal(rekeyed: Bool = false) throws -> CharonJournal {
        var journal = CharonJournal()
        try journal.tell(.ikeAdd(pair(1)), .ikeUpdate(pair(1)), .childAdd(pair(1), inbound: 0x11, outbound: 0x12))
        if rekeyed {
            try journal.tell(
                .ikeAdd(pair(2), replacing: pair(1)), HAFixture(.ikeDelete).identity(pair(1)), .ikeUpdate(pair(2)))
        }
        return journal
    }

    @Test("a charon that holds what it should needs nothing")
    func equal() throws {
        let plan = ReconciliationPlan(
            journal: try journal(), listing: [listed(pair(1), children: [child])], version: .three)
        #expect(plan.isEmpty)
        #expect(plan.throughSequence == 3)
    }

    @Test("a child that somebody took from the kernel is deleted and installed anew, the rest of its SA stays")
    func takenFromKernel() throws {
        let listing = [listed(pair(1), children: [child])]
        let plan = ReconciliationPlan(
            journal: try journal(), listing: listing, lackingInKernel: [child], version: .three)
        #expect(plan.deletions.map(\.kind) == [.childDelete])
        #expect(plan.deletions.first?.identity?.spis == pair(1))
        #expect(plan.records.map(\.message.kind) == [.childAdd])
        #expect(plan.installedChildren == [child])
        // Of what charon does not hold nothing has to be deleted.
        let gone = ReconciliationPlan(
            journal: try journal(), listing: [listed(pair(1))], lackingInKernel: [child], version: .three)
        #expect(gone.deletions.isEmpty && gone.installedChildren == [child])
    }

    @Test("SAs without a record are named; of IKEv1 neither handed-on children nor replaced SAs count")
    func uncovered() throws {
        var keeper = JournalKeeper()
        keeper.settle()
        let stranger = ChildSPIPair(inbound: 0x21, outbound: 0x22)
        for (version, state, isNamed) in [
            (UInt8(2), "ESTABLISHED", true), (1, "ESTABLISHED", true), (1, "REKEYING", false), (2, "CONNECTING", false),
        ] {
            let listing = [listed(pair(9), version: version, state: state, children: [stranger])]
            #expect(keeper.uncovered(in: listing).isEmpty == !isNamed)
        }
        _ = keeper.record(try HAFixture.ikeAdd(pair(9)).message())
        // Its process died between the two.
        for (version, state) in [(UInt8(1), "ESTABLISHED"), (2, "ESTABLISHED"), (2, "CONNECTING"), (2, "REKEYING")] {
            let half = [listed(pair(9), version: version, state: state, children: [])]
            #expect(keeper.uncovered(in: half).isEmpty == !(version == 2 && state == "ESTABLISHED"))
        }
        _ = keeper.record(try HAFixture.ikeUpdate(pair(9)).message())
        for version in [UInt8(1), 2] {
            let listing = [listed(pair(9), version: version, state: "ESTABLISHED", children: [stranger])]
            #expect(keeper.uncovered(in: listing).isEmpty == (version == 1))
        }
        // No resynchronisation brings a record of a child that has been replaced.
        for (state, isNamed) in [("INSTALLED", true), ("REKEYING", true), ("REKEYED", false), ("DELETED", false)] {
            var ike = listed(pair(9), version: 2, state: "ESTABLISHED", children: [stranger])
            ike.children[0].state = state
            #expect(keeper.uncovered(in: [ike]).isEmpty == !isNamed)
        }
    }

    /// A standby's keeper that was sent an IKE SA with one child, under the numbers 1 to 3.
    private func keeperOfOneChild() throws -> JournalKeeper {
        var keeper = JournalKeeper()
        keeper.settle()
        let fixtures: [HAFixture] = [
            .ikeAdd(pair(1)), .ikeUpdate(pair(1)), .childAdd(pair(1), inbound: 0x11, outbound: 0x12),
        ]
        for (wire, fixture) in fixtures.enumerated() {
            _ = keeper.apply(try fixture.message().bytes, wire: UInt64(wire + 1))
        }
        return keeper
    }

    @Test("a child on its way is remembered until the kernel has it or a comparison found everything, deleted or not")
    func undelivered() throws {
        var keeper = try keeperOfOneChild()
        let deletion = HAMessage.childDelete(
            IKEIdentity(version: 2, spis: pair(1), isInitiator: false), inboundSPI: 0x11, version: .three)
        _ = keeper.apply(deletion.bytes, wire: 4)
        #expect(keeper.journal.expected.childSAs.isEmpty)
        #expect(keeper.undelivered == [0x12])
        keeper.forgetPeer()
        #expect(keeper.undelivered == [0x12])
        var active = keeper
        active.noteNothingUndelivered()
        #expect(active.undelivered.isEmpty)
        _ = keeper.apply(try HAFixture.ikeAdd(pair(2)).message().bytes, wire: 5)
        keeper.noteVerified()
        #expect(keeper.undelivered == [0x12])
        // charon has read it, which is not yet to install it.
        _ = keeper.acknowledge(through: keeper.journal.lastSequence)
        #expect(keeper.undelivered == [0x12])
        var seen = keeper
        seen.noteInKernel(0x12)
        #expect(seen.undelivered.isEmpty)
        keeper.noteVerified()
        #expect(keeper.undelivered.isEmpty)
    }

    @Test("a child that a comparison installs anew is on its way again, whatever the kernel had of it")
    func reinstalled() throws {
        var keeper = try keeperOfOneChild()
        keeper.noteInKernel(0x12)
        keeper.noteCompared(ReconciliationPlan(journal: keeper.journal, listing: [], version: .three))
        #expect(keeper.undelivered == [0x12])
    }

    @Test("children that another journal lacks are strays of the IKE SAs that it has")
    func strays() throws {
        func keeper(_ fixtures: [HAFixture]) throws -> JournalKeeper {
            var keeper = JournalKeeper()
            keeper.settle()
            for fixture in fixtures { _ = keeper.record(try fixture.message()) }
            return keeper
        }
        let known: [HAFixture] = [
            .ikeAdd(pair(1)), .ikeUpdate(pair(1)), .childAdd(pair(1), inbound: 0x11, outbound: 0x12),
        ]
        let own = try keeper(
            known + [
                .childAdd(pair(1), inbound: 0x13, outbound: 0x14), .ikeAdd(pair(2)), .ikeUpdate(pair(2)),
                .childAdd(pair(2), inbound: 0x21, outbound: 0x22),
            ])
        let child = ChildSPIPair(inbound: 0x13, outbound: 0x14)
        let other = ChildSPIPair(inbound: 0x21, outbound: 0x22)
        #expect(own.children(behind: 3) == [child: pair(1), other: pair(2)])
        #expect(own.children(behind: own.journal.lastSequence).isEmpty)
        #expect(try keeper(known).strays(among: own.children(behind: 0)) == [pair(1)])
        #expect(own.strays(among: own.children(behind: 0)).isEmpty)
        var ike = listed(pair(1), state: "ESTABLISHED", children: [child])
        #expect([ike].servedChildren == [child: pair(1)])
        ike.state = "PASSIVE"
        #expect([ike].servedChildren.isEmpty)
    }

    @Test("what a HOT peer has is known a few looks later, and no more while it is not HOT")
    func sharing() {
        var mark = SharingMark(through: 10)
        for sequence in UInt64(11)...16 { mark.look(at: sequence, isPeerHot: true) }
        #expect(mark.through == 12)
        mark.look(at: 17, isPeerHot: false)
        for sequence in UInt64(18)...21 { mark.look(at: sequence, isPeerHot: true) }
        #expect(mark.through == 12)
        mark.look(at: 22, isPeerHot: true)
        #expect(mark.through == 18)
    }

    @Test("an empty charon gets everything, in order")
    func empty() throws {
        let plan = ReconciliationPlan(journal: try journal(rekeyed: true), listing: [], version: .three)
        #expect(plan.records.map(\.sequence) == [1, 2, 3, 4, 5, 6])
        #expect(plan.deletions.isEmpty)
        #expect(plan.installedChildren == [child])
    }

    @Test("a missing child of the current SA is delivered alone")
    func missingChild() throws {
        let plan = ReconciliationPlan(journal: try journal(), listing: [listed(pair(1))], version: .three)
        #expect(plan.records.map(\.sequence) == [3])
        #expect(plan.deletions.isEmpty)
    }

    @Test("a missing child whose keys come from a replaced SA takes its whole family along")
    func missingOldChild() throws {
        let plan = ReconciliationPlan(journal: try journal(rekeyed: true), listing: [listed(pair(2))], version: .three)
        #expect(plan.deletions.map(\.kind) == [.ikeDelete])
        #expect(plan.deletions.first?.identity?.spis == pair(2))
        #expect(plan.records.count == 6)
    }

    @Test("an SA left half open by a lost update is made anew")
    func lostUpdate() throws {
        let listing = [listed(pair(1), state: "CONNECTING")]
        let plan = ReconciliationPlan(journal: try journal(), listing: listing, version: .three)
        #expect(plan.strangers.isEmpty)
        #expect(plan.deletions.map(\.kind) == [.ikeDelete])
        #expect(plan.records.count == 3)
    }

    @Test("what the journal lacks is deleted, and half-open strangers are terminated")
    func extras() throws {
        let stray = ChildSPIPair(inbound: 0x99, outbound: 0x98)
        let listing = [
            listed(pair(1), number: 1, children: [child, stray]), listed(pair(7), number: 2),
            listed(IKESPIPair(initiator: 8, responder: 0), number: 3, state: "CONNECTING"),
        ]
        let plan = ReconciliationPlan(journal: try journal(), listing: listing, version: .three)
        #expect(plan.strangers == [3])
        #expect(plan.deletions.map(\.kind) == [.ikeDelete, .childDelete])
        #expect(plan.deletions.first?.identity?.spis == pair(7))
        #expect(plan.deletions.last?.inboundSPI == 0x99)
        #expect(plan.records.isEmpty)
    }

    @Test("an SA that charon holds twice is deleted twice and comes back once")
    func doubled() throws {
        let listing = [listed(pair(1), number: 1, children: [child]), listed(pair(1), number: 2)]
        let plan = ReconciliationPlan(journal: try journal(), listing: listing, version: .three)
        #expect(plan.deletions.map(\.kind) == [.ikeDelete, .ikeDelete])
        #expect(plan.records.count == 3)
    }

    @Test("after lost datagrams, message ids of standing SAs are said again")
    func refresh() throws {
        var journal = try journal()
        try journal.tell(.messageID(pair(1), 5), .messageID(pair(1), 6, initiator: true))
        let listing = [listed(pair(1), children: [child])]
        let plan = ReconciliationPlan(journal: journal, listing: listing, refresh: .all, version: .three)
        #expect(plan.records.map(\.message.kind) == [.ikeUpdate, .ikeMessageIDResponder, .ikeMessageIDInitiator])
        #expect(plan.installedChildren.isEmpty)
    }

    @Test("on the active node the journal learns of deletions that charon did not tell")
    func missedDeletions() throws {
        var journal = try journal(rekeyed: true)
        try journal.tell(.ikeAdd(pair(5)), .ikeUpdate(pair(5)))
        let listing = [listed(pair(2), state: "ESTABLISHED")]
        let missed = ReconciliationPlan.missedDeletions(
            journal: journal, listing: listing, settledSequence: journal.lastSequence, version: .three)
        #expect(Set(missed.map(\.kind)) == [.ikeDelete, .childDelete])
        for message in missed { _ = journal.append(message) }
        #expect(journal.expected.childSAs.isEmpty)
        #expect(journal.expected.ikeSAs.keys.map { $0 } == [pair(2)])
        // What came after the listing was asked for is left alone.
        try journal.tell(.childAdd(pair(2), inbound: 0x31, outbound: 0x32))
        let later = ReconciliationPlan.missedDeletions(
            journal: journal, listing: listing, settledSequence: journal.lastSequence - 1, version: .three)
        #expect(later == [])
    }
}
