// SPDX-License-Identifier: Apache-2.0

import SecurityAssociations
import Testing

@testable import StrongSwan

@Suite struct CharonJournalTests {
    @Test("records are numbered upward, by the caller or by the journal")
    func numbers() throws {
        var journal = CharonJournal()
        #expect(try journal.append(HAFixture.ikeAdd(pair(1)).message(), sequence: 7) == .recorded(sequence: 7))
        #expect(try journal.append(HAFixture.ikeUpdate(pair(1)).message()) == .recorded(sequence: 8))
        #expect(
            try journal.append(HAFixture.messageID(pair(1), 3).message(), sequence: 8) == .ignored(reason: .stale))
        #expect(journal.lastSequence == 8)
        #expect(journal.snapshot().map(\.sequence) == [7, 8])
    }

    @Test("commands are never stored")
    func commands() {
        var journal = CharonJournal()
        for message in [HAMessage.status(serving: [1], version: .three), .resync([1], version: .three)] {
            #expect(journal.append(message) == .ignored(reason: .command))
        }
        #expect(journal.recordCount == 0)
    }

    @Test("the connections of live SAs are known, also behind an update")
    func connections() throws {
        var journal = CharonJournal()
        #expect(journal.connectionNames.isEmpty)
        for message in try [
            HAFixture.ikeAdd(pair(1)).message(), HAFixture.ikeUpdate(pair(1)).message(),
            HAFixture.ikeAdd(pair(2)).message(), HAFixture.ikeUpdate(pair(2), connection: "office").message(),
            HAFixture.ikeAdd(pair(3)).message(),
        ] { _ = journal.append(message) }
        #expect(journal.connectionNames == ["branch", "office"])
    }

    @Test("exact duplicates change nothing")
    func duplicates() throws {
        var journal = CharonJournal()
        let messages = try [
            HAFixture.ikeAdd(pair(1)).message(), HAFixture.ikeUpdate(pair(1)).message(),
            HAFixture.messageID(pair(1), 3).message(), HAFixture.childAdd(pair(1), inbound: 5, outbound: 6).message(),
        ]
        for message in messages { _ = journal.append(message) }
        let digest = journal.digest
        for message in messages { #expect(journal.append(message) == .ignored(reason: .duplicate)) }
        #expect(journal.digest == digest)
    }

    @Test("a second set of keys for one SA conflicts in version 3 and is an update in later ones")
    func keyUpdates() throws {
        var journal = CharonJournal()
        _ = try journal.append(HAFixture.ikeAdd(pair(1)).message())
        let second = try HAFixture.ikeAdd(pair(1), salt: 9).message()
        #expect(journal.append(second) == .ignored(reason: .conflicting))
        var later = CharonJournal()
        for salt in 0...UInt8(Limits.keyUpdateCount) {
            #expect(
                try later.append(HAFixture.ikeAdd(pair(1), version: 4, salt: salt).message())
                    != .ignored(reason: .overLimit))
        }
        #expect(later.recordCount == Limits.keyUpdateCount + 1)
        let surplus = try HAFixture.ikeAdd(pair(1), version: 4, salt: 99).message()
        #expect(later.append(surplus) == .ignored(reason: .overLimit))
    }

    @Test("what speaks of an unknown or ended SA is ignored")
    func unknown() throws {
        var journal = CharonJournal()
        let orphans = try [
            HAFixture.ikeUpdate(pair(1)).message(), HAFixture.messageID(pair(1), 3).message(),
            HAFixture.childAdd(pair(1), inbound: 5, outbound: 6).message(),
            HAFixture(.childDelete).identity(pair(1)).spi(29, 5).message(),
            HAFixture(.ikeDelete).identity(pair(1)).message(),
        ]
        for message in orphans { #expect(journal.append(message) == .ignored(reason: .unknownSA)) }
        _ = try journal.append(HAFixture.ikeAdd(pair(1)).message())
        _ = journal.append(.ikeDelete(IKEIdentity(version: 2, spis: pair(1), isInitiator: false), version: .three))
        for message in orphans { #expect(journal.append(message) == .ignored(reason: .unknownSA)) }
        #expect(journal.recordCount == 0)
        #expect(journal.byteCount == 0)
        #expect(journal.digest == 0)
    }

    @Test("the limits of records and bytes refuse and are told")
    func limits() throws {
        var few = CharonJournal(recordLimit: 2, byteLimit: 10_000)
        _ = try few.append(HAFixture.ikeAdd(pair(1)).message())
        _ = try few.append(HAFixture.ikeUpdate(pair(1)).message())
        #expect(try few.append(HAFixture.ikeAdd(pair(2)).message()) == .ignored(reason: .overLimit))
        #expect(try few.append(HAFixture.messageID(pair(1), 2).message()) == .ignored(reason: .overLimit))
        var short = CharonJournal(recordLimit: 100, byteLimit: 100)
        _ = try short.append(HAFixture.ikeAdd(pair(1)).message())
        #expect(try short.append(HAFixture.ikeUpdate(pair(1)).message()) == .ignored(reason: .overLimit))
        // Room comes back with deletions.
        _ = try few.append(HAFixture(.ikeDelete).identity(pair(1)).message())
        #expect(try few.append(HAFixture.ikeAdd(pair(2)).message()) == .recorded(sequence: 4))
    }

    @Test("an ended ancestor stays exactly as long as a child that was derived under it")
    func ancestors() throws {
        var journal = CharonJournal()
        try journal.tell(
            .ikeAdd(pair(1)), .ikeUpdate(pair(1)), .childAdd(pair(1), inbound: 0x11, outbound: 0x12),
            .ikeAdd(pair(2), replacing: pair(1)), HAFixture(.ikeDelete).identity(pair(1)), .ikeUpdate(pair(2)),
            .childAdd(pair(2), inbound: 0x21, outbound: 0x22))
        #expect(journal.recordCount == 7)
        #expect(journal.expected.ikeSAs.keys.map { $0 } == [pair(2)])
        #expect(journal.expected.childSAs[ChildSPIPair(inbound: 0x11, outbound: 0x12)] == pair(2))
        #expect(journal.family(of: pair(2)).map(\.sequence) == [1, 2, 3, 4, 5, 6, 7])
        // charon names the SA that holds the child now.
        try journal.tell(HAFixture(.childDelete).identity(pair(2)).spi(29, 0x11))
        #expect(journal.snapshot().map(\.message.kind) == [.ikeAdd, .ikeUpdate, .childAdd])
        #expect(journal.nodes[pair(1)] == nil)
    }

    @Test("of two rekeyings that collide, the loser's deletion leaves the winner with the family")
    func collision() throws {
        var journal = CharonJournal()
        try journal.tell(
            .ikeAdd(pair(1)), .ikeUpdate(pair(1)), .childAdd(pair(1), inbound: 0x11, outbound: 0x12),
            .ikeAdd(pair(2), replacing: pair(1)), .ikeAdd(pair(3), replacing: pair(1)),
            HAFixture(.ikeDelete).identity(pair(1)), .ikeUpdate(pair(3)), HAFixture(.ikeDelete).identity(pair(2)))
        #expect(journal.expected.ikeSAs.keys.map { $0 } == [pair(3)])
        #expect(journal.expected.childSAs.values.map { $0 } == [pair(3)])
        var standby = ModelCharon()
        for record in journal.snapshot() { standby.process(record.message) }
        #expect(standby.live == journal.expected)
        #expect(standby.faults == [])
    }

    @Test("a new IKEv1 SA between the same ends adopts the children of the old one, another peer's does not")
    func adoption() throws {
        var journal = CharonJournal()
        try journal.tell(
            .ikeAdd(pair(1), ike: 1), .ikeUpdate(pair(1), ike: 1),
            .childAdd(pair(1), inbound: 0x11, outbound: 0x12, ike: 1),
            .ikeAdd(pair(2), ike: 1), .ikeUpdate(pair(2), ike: 1, peer: 6),
            .ikeAdd(pair(3), ike: 1), .ikeUpdate(pair(3), ike: 1))
        let child = ChildSPIPair(inbound: 0x11, outbound: 0x12)
        #expect(journal.expected.childSAs == [child: pair(3)])
        #expect(Set(journal.expected.ikeSAs.keys) == [pair(2), pair(3)])
        // Seconds later the active charon ends the old one.
        #expect(
            try journal.append(HAFixture(.ikeDelete).identity(pair(1), ike: 1).message())
                == .ignored(reason: .unknownSA))
        #expect(journal.expected.childSAs == [child: pair(3)])
    }

    @Test("of message ids only the last of each direction is kept, and of updates the first and the last")
    func lastOnly() throws {
        var journal = CharonJournal()
        try journal.tell(.ikeAdd(pair(1)), .ikeUpdate(pair(1)))
        for value in 1...50 as ClosedRange<UInt32> {
            try journal.tell(
                .messageID(pair(1), value), .messageID(pair(1), value, initiator: true),
                .ikeUpdate(pair(1), extensions: value))
        }
        #expect(
            journal.snapshot().map(\.message.kind) == [
                .ikeAdd, .ikeUpdate, .ikeMessageIDResponder, .ikeMessageIDInitiator, .ikeUpdate,
            ])
        #expect(journal.snapshot().compactMap(\.message.messageID) == [50, 50])
        // Back to the first form: the later one is void.
        try journal.tell(.ikeUpdate(pair(1)))
        #expect(journal.recordCount == 4)
    }

    @Test("the last virtual address is kept beside the full update, and a move of the peer inside it")
    func updateKinds() throws {
        var journal = CharonJournal()
        try journal.tell(
            .ikeAdd(pair(1)), .ikeUpdate(pair(1)),
            HAFixture(.ikeUpdate).identity(pair(1)).host(12, [10, 9, 0, 1], port: 0),
            HAFixture(.ikeUpdate).identity(pair(1)).host(7, [10, 1, 0, 9], port: 4_500),
            HAFixture(.ikeUpdate).identity(pair(1)).host(12, [10, 9, 0, 2], port: 0))
        #expect(journal.recordCount == 3)
        #expect(journal.snapshot()[1].message.remoteEndpoint == IKEEndpoint(port: 4_500, octets: [10, 1, 0, 9]))
        #expect(journal.snapshot().last?.message.assignsVirtualAddress == true)
    }

    @Test("forgetting everything keeps the numbers rising")
    func removeAll() throws {
        var journal = CharonJournal()
        try journal.tell(.ikeAdd(pair(1), ike: 1), .ikeUpdate(pair(1), ike: 1))
        journal.removeAll()
        #expect(journal.snapshot().isEmpty)
        #expect(journal.expected == LiveSet())
        #expect(try journal.append(HAFixture.ikeAdd(pair(1)).message()) == .recorded(sequence: 3))
    }
}

extension CharonJournal {
    /// Appends what must be recorded.
    mutating func tell(_ fixtures: HAFixture...) throws {
        for fixture in fixtures {
            let outcome = append(try fixture.message())
            guard case .recorded = outcome else {
                Issue.record("not recorded: \(outcome)")
                return
            }
        }
    }
}
