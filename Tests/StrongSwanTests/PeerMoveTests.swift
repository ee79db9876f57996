// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import StrongSwan

@Suite struct PeerMoveTests {
    private let nat = IKEEndpoint(port: 40_500, octets: [10, 1, 0, 9])
    private let child = ChildSPIPair(inbound: 0x11, outbound: 0x12)

    private func journal(rekeyed: Bool = false) throws -> CharonJournal {
        var journal = CharonJournal()
        try journal.tell(.ikeAdd(pair(1)), .ikeUpdate(pair(1)), .childAdd(pair(1), inbound: 0x11, outbound: 0x12))
        if rekeyed {
            try journal.tell(
                .ikeAdd(pair(2), replacing: pair(1)), HAFixture(.ikeDelete).identity(pair(1)), .ikeUpdate(pair(2)),
                .childAdd(pair(2), inbound: 0x21, outbound: 0x22))
        }
        return journal
    }

    private func move(_ spis: IKESPIPair) -> HAMessage {
        .peerMoved(IKEIdentity(version: 2, spis: spis, isInitiator: false), to: nat, version: .three)
    }

    @Test("an active node finds a peer that moved in charon's listing, once")
    func found() throws {
        var journal = try journal()
        let listing = [listed(pair(1), state: "ESTABLISHED", children: [child], remote: nat)]
        func missed(_ listing: [ListedIKE], settled: UInt64) -> [HAMessage] {
            ReconciliationPlan.missedMoves(
                journal: journal, listing: listing, settledSequence: settled, version: .three)
        }
        #expect(missed([listed(pair(1), state: "ESTABLISHED")], settled: 3) == [])
        #expect(missed([listed(pair(1), state: "PASSIVE", remote: nat)], settled: 3) == [])
        // The SA came behind the question.
        #expect(missed(listing, settled: 0) == [])
        #expect(missed(listing, settled: 3) == [move(pair(1))])
        #expect(journal.append(move(pair(1))) == .recorded(sequence: 4))
        #expect(missed(listing, settled: 4) == [])
        #expect(journal.append(move(pair(1))) == .ignored(reason: .duplicate))
        #expect(journal.append(move(pair(7))) == .ignored(reason: .unknownSA))
    }

    @Test("an SA that was replaced stays where it was, and says nothing of its successor")
    func replaced() throws {
        var journal = try journal(rekeyed: true)
        _ = journal.append(move(pair(2)))
        let listing = [
            listed(pair(1), state: "ESTABLISHED"), listed(pair(2), state: "ESTABLISHED", remote: nat),
        ]
        let missed = ReconciliationPlan.missedMoves(
            journal: journal, listing: listing, settledSequence: journal.lastSequence, version: .three)
        #expect(missed == [])
    }

    @Test(
        "a charon fed with the journal has every child at the new end, those of a replaced SA too",
        arguments: [false, true])
    func installed(rekeyed: Bool) throws {
        var journal = try journal(rekeyed: rekeyed)
        let before = journal
        _ = journal.append(move(pair(rekeyed ? 2 : 1)))
        #expect(journal.recordCount == before.recordCount && journal.digest != before.digest)
        // A journal that hears of it by a copy is the same.
        var copy = CharonJournal()
        for record in journal.snapshot() { _ = copy.append(record.message) }
        #expect(copy.digest == journal.digest)

        var charon = ModelCharon()
        for record in journal.snapshot() { charon.process(record.message) }
        #expect(charon.faults == [])
        #expect(charon.live == journal.expected)
        let children = charon.ikes.values.flatMap(\.children.values)
        #expect(children.count == (rekeyed ? 2 : 1) && children.allSatisfy { $0.remote == nat })
    }

    @Test("a standby brings it about by installing the SA anew, and is done then", arguments: [false, true])
    func broughtAbout(rekeyed: Bool) throws {
        var journal = try journal(rekeyed: rekeyed)
        var charon = ModelCharon()
        for record in journal.snapshot() { charon.process(record.message) }
        let message = move(pair(rekeyed ? 2 : 1))
        _ = journal.append(message)
        let plan = ReconciliationPlan(journal: journal, listing: charon.listing, version: .three)
        #expect(plan.deletions.map(\.kind) == [.ikeDelete])
        for message in plan.deletions { charon.process(message) }
        for record in plan.records { charon.process(record.message) }
        #expect(charon.faults == [])
        #expect(charon.ikes.values.flatMap(\.children.values).allSatisfy { $0.remote == nat })
        #expect(ReconciliationPlan(journal: journal, listing: charon.listing, version: .three).isEmpty)
    }

    @Test("a standby's keeper asks for a comparison, which acknowledges the record")
    func kept() throws {
        var keeper = JournalKeeper()
        keeper.settle()
        let fixtures: [HAFixture] = [.ikeAdd(pair(1)), .ikeUpdate(pair(1))]
        for (wire, fixture) in fixtures.enumerated() {
            _ = keeper.apply(try fixture.message().bytes, wire: UInt64(wire + 1))
        }
        _ = keeper.acknowledge(through: keeper.journal.lastSequence)
        #expect(keeper.apply(move(pair(1)).bytes, wire: 9) == .compare)
        #expect(!keeper.isAcknowledged)
        let plan = ReconciliationPlan(journal: keeper.journal, listing: [], version: .three)
        #expect(keeper.acknowledge(through: plan.throughSequence) == 9)
    }

    @Test("an IKEv1 SA made behind the move adopts the children of the one that moved")
    func adopted() throws {
        var journal = CharonJournal()
        try journal.tell(
            .ikeAdd(pair(1), ike: 1), .ikeUpdate(pair(1), ike: 1),
            .childAdd(pair(1), inbound: 0x11, outbound: 0x12, ike: 1))
        let identity = IKEIdentity(version: 1, spis: pair(1), isInitiator: false)
        let end = IKEEndpoint(port: 500, octets: [10, 1, 0, 7])
        _ = journal.append(.peerMoved(identity, to: end, version: .three))
        let update = HAFixture(.ikeUpdate).identity(pair(2), ike: 1)
            .adding(3, [1, 4, 10, 1, 0, 100]).adding(4, [1, 4, 10, 1, 0, 5])
            .host(6, [10, 1, 0, 100]).host(7, [10, 1, 0, 7]).name("branch")
        try journal.tell(.ikeAdd(pair(2), ike: 1), update)
        #expect(journal.expected.childSAs[child] == pair(2))
    }
}
