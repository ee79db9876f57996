// SPDX-License-Identifier: Apache-2.0

import Primitives
import StrongSwan
import Testing

/// What becomes of a standing IKE SA, above all its message ids, reaches charon whatever comparison is under way: with
/// an old one it ignores what the VPN peer says behind a takeover.
@Suite struct StateRefreshTests {
    private static func bench() throws -> DeliveryBench {
        var bench = DeliveryBench()
        bench.start()
        try bench.arrive(.ikeAdd(pair(1)))
        try bench.arrive(.ikeUpdate(pair(1)))
        bench.pass(milliseconds: 50)
        bench.read = []
        return bench
    }

    @Test("said while a comparison is made", arguments: [CharonDelivery.Event.planWanted, .copyReplaced])
    func duringComparison(start: CharonDelivery.Event) throws {
        var bench = try Self.bench()
        bench.handle(start)
        bench.pass(milliseconds: 25)
        #expect(bench.delivery.isAwaitingPlan)
        try bench.arrive(.messageID(pair(1), 5))
        bench.answerPlan(listing: [listed(pair(1))])
        bench.pass(milliseconds: 50)
        #expect(bench.kinds == [.ikeMessageIDResponder])
    }

    @Test("waiting when a comparison begins")
    func beforeComparison() throws {
        var bench = try Self.bench()
        bench.readsAtOnce = false
        for number in UInt32(0)..<200 { try bench.arrive(.messageID(pair(1), number)) }
        #expect(bench.delivery.backlogCount > 0)
        bench.handle(.copyReplaced)
        bench.readsAtOnce = true
        bench.readAll()
        bench.pass(milliseconds: 100)
        #expect(bench.delivery.isAwaitingPlan)
        bench.answerPlan(listing: [listed(pair(1))])
        bench.pass(milliseconds: 100)
        #expect(bench.read.last?.messageID == 199)
        #expect(bench.read.map(\.messageID) == (0..<200).map { UInt32($0) })
    }

    @Test("more than is held meanwhile: everything is refreshed")
    func overLimit() throws {
        var bench = try Self.bench()
        bench.handle(.planWanted)
        bench.pass(milliseconds: 15)
        for number in 0...UInt32(Limits.deliveryQueueCount) { try bench.arrive(.messageID(pair(1), number)) }
        bench.pass(milliseconds: 25)
        #expect(bench.told.contains(.requestPlan(reason: .overLimit)))
        #expect(StateRefresh.after(.overLimit, copied: .none) == .all)
    }

    @Test("of a copy, only what it has changed is said again")
    func copy() throws {
        var keeper = JournalKeeper()
        func copy(_ fixtures: HAFixture...) throws {
            var other = CharonJournal()
            keeper.beginCopy()
            for fixture in fixtures {
                let message = try fixture.message()
                _ = other.append(message)
                _ = keeper.apply(message.bytes, wire: 1)
            }
            let isEqual = keeper.endCopy(digest: other.digest, wire: 2)
            #expect(isEqual)
        }
        let (one, two) = (HAFixture.ikeAdd(pair(1)), HAFixture.ikeAdd(pair(2)))
        let nothing = ReconciliationPlan(journal: CharonJournal(), listing: [], version: .three)
        try copy(one, two, .messageID(pair(1), 3))
        #expect(keeper.copied == .all, "nothing is known of what charon was told before")
        keeper.noteCompared(nothing)
        try copy(one, two, .messageID(pair(1), 3))
        #expect(keeper.copied == .some([]))
        try copy(one, two, .messageID(pair(1), 3), .messageID(pair(2), 7, initiator: true))
        try copy(one, two, .messageID(pair(1), 4), .messageID(pair(2), 7, initiator: true))
        #expect(keeper.copied == .some([pair(1), pair(2)]))
        let listing = [listed(pair(1), number: 1), listed(pair(2), number: 2)]
        keeper.noteCompared(nothing)
        try copy(one, two, .messageID(pair(1), 5), .messageID(pair(2), 7, initiator: true))
        let plan = ReconciliationPlan(
            journal: keeper.journal, listing: listing, refresh: .after(.copied, copied: keeper.copied),
            version: .three)
        #expect(plan.records.map(\.message.messageID) == [5])
        #expect(plan.deletions.isEmpty)
    }
}
