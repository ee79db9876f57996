// SPDX-License-Identifier: Apache-2.0

import Primitives
import SecurityAssociations
import Testing

@testable import StrongSwan

@Suite struct CharonJournalPropertyTests {
    @Test(
        "after any life of the active charon, the snapshot makes an empty one hold the same SAs with the same keys",
        arguments: 0..<60)
    func snapshotReplays(seed: UInt64) throws {
        var active = ActiveModel(seed: seed, version: seed % 3 == 0 ? 5 : 3)
        var journal = CharonJournal()
        var said = 0
        for step in 0..<250 {
            try active.step()
            for message in active.messages[said...] { _ = journal.append(message) }
            said = active.messages.count
            guard step % 6 == 0 else { continue }
            var standby = ModelCharon()
            for record in journal.snapshot() { standby.process(record.message) }
            try #require(standby.faults == [])
            try #require(standby == active.charon)
            try #require(journal.expected == active.charon.live)
        }
    }

    @Test("a journal made from a snapshot equals its source, and stays equal", arguments: 100..<130)
    func snapshotIsClosed(seed: UInt64) throws {
        var active = ActiveModel(seed: seed)
        for _ in 0..<150 { try active.step() }
        var source = CharonJournal()
        for message in active.messages { _ = source.append(message) }
        var copy = CharonJournal()
        for record in source.snapshot() {
            let outcome = copy.append(record.message, sequence: record.sequence)
            try #require(outcome == .recorded(sequence: record.sequence))
        }
        #expect(copy.digest == source.digest)
        #expect(copy.recordCount == source.recordCount)
        #expect(copy.byteCount == source.byteCount)
        let said = active.messages.count
        for _ in 0..<150 { try active.step() }
        for message in active.messages[said...] {
            let there = source.append(message)
            if case .recorded(let sequence) = there { #expect(copy.append(message, sequence: sequence) == there) }
        }
        #expect(copy.digest == source.digest)
        #expect(copy.expected == source.expected)
    }

    @Test("what is stored stays in proportion to what lives", arguments: 200..<210)
    func compaction(seed: UInt64) throws {
        var active = ActiveModel(seed: seed)
        var journal = CharonJournal()
        for _ in 0..<3_000 { try active.step() }
        for message in active.messages { _ = journal.append(message) }
        let live = journal.expected
        #expect(journal.recordCount < 12 * (live.ikeSAs.count + live.childSAs.count) + 12)
        #expect(journal.recordCount == journal.snapshot().count)
        #expect(journal.byteCount == journal.snapshot().reduce(0) { $0 + $1.message.bytes.count })
    }

    @Test("a passive charon in any state is repaired by its plan", arguments: 300..<340)
    func plansRepair(seed: UInt64) throws {
        var active = ActiveModel(seed: seed)
        var journal = CharonJournal()
        var standby = ModelCharon()
        var random = SplitMix(seed: seed)
        for _ in 0..<200 { try active.step() }
        for message in active.messages {
            _ = journal.append(message)
            // One datagram in eight never arrives.
            if Int.random(in: 0..<8, using: &random) > 0 { standby.process(message) }
        }
        standby.faults = []
        for _ in 0..<3 {
            let listing = standby.listing
            let plan = ReconciliationPlan(journal: journal, listing: listing, refresh: .all, version: .three)
            for ike in listing where plan.strangers.contains(ike.uniqueID) { standby.ikes[ike.spis] = nil }
            for message in plan.deletions + plan.records.map(\.message) { standby.process(message) }
            try #require(standby.faults == [])
            try #require(standby.live == active.charon.live)
            if ReconciliationPlan(journal: journal, listing: standby.listing, version: .three).isEmpty { break }
        }
        #expect(ReconciliationPlan(journal: journal, listing: standby.listing, version: .three).isEmpty)
    }
}
