// SPDX-License-Identifier: Apache-2.0

import FirstHop
import Primitives
import SecurityAssociations
import Testing

@testable import Replication

private func key(_ spi: UInt32) -> RecordKey {
    .sa(SAKey(destination: IPAddress(IPv4Address(10, 1, 0, 5)), spi: spi))
}

private func at(_ milliseconds: Int) -> Instant { Instant(nanoseconds: 1_000_000_000) + .milliseconds(milliseconds) }

extension OutgoingFrames {
    fileprivate mutating func all() -> [String] {
        var frames: [String] = []
        while let frame = next() {
            switch frame {
            case .record(let sequence, let bytes): frames.append("\(sequence):\(bytes.withBytes { $0 })")
            case .snapshotBegin(let sequence, _): frames.append("\(sequence):begin")
            case .snapshotEnd(let sequence, let digest): frames.append("\(sequence):end \(digest)")
            case .mark(let sequence, let digest): frames.append("\(sequence):mark \(digest)")
            default: frames.append("other")
            }
        }
        return frames
    }
}

@Suite("Records with keys on their way")
struct KeyedRecordTests {
    private func copying() -> OutgoingFrames {
        var outgoing = OutgoingFrames()
        outgoing.isWindowed = true
        outgoing.beginCopy(count: 2)
        return outgoing
    }

    private func add(_ outgoing: inout OutgoingFrames, _ spi: UInt32, _ byte: UInt8, _ now: Instant = at(0)) -> Bool {
        outgoing.add(record: SecretBytes([byte]), key: key(spi), at: now)
    }

    @Test("a copy and what changes meanwhile travel between its beginning and its end")
    func copy() {
        var outgoing = copying()
        _ = add(&outgoing, 1, 10)
        _ = add(&outgoing, 2, 20)
        #expect(outgoing.isCopying)
        let ended = outgoing.endCopy(digest: 7)
        #expect(ended && !outgoing.isCopying)
        #expect(outgoing.all() == ["1:begin", "2:[10]", "3:[20]", "4:end 7"])
        #expect(outgoing.snapshotEndSequence == 4)
        #expect(outgoing.oldestUnacknowledged == nil, "records of a copy are not late")
    }

    @Test("a record takes the place of one that waits under its key, with that one's age")
    func coalescing() {
        var outgoing = copying()
        _ = outgoing.endCopy(digest: 0)
        _ = outgoing.all()
        _ = add(&outgoing, 1, 10, at(0))
        _ = add(&outgoing, 2, 20, at(5))
        _ = add(&outgoing, 1, 11, at(900))
        #expect(outgoing.oldestUnacknowledged == at(0) && outgoing.backlogByteCount == 2)
        #expect(outgoing.all() == ["3:[11]", "4:[20]"])
        _ = add(&outgoing, 1, 12)
        #expect(outgoing.all() == ["5:[12]"], "what has left is not replaced")
    }

    @Test("a mark behind a record that was replaced is void; only the last one is sent")
    func marks() {
        var outgoing = copying()
        outgoing.add(mark: 1)
        _ = outgoing.endCopy(digest: 0)
        #expect(outgoing.all() == ["1:begin", "2:end 0"], "no mark while a copy is read")
        _ = add(&outgoing, 1, 10)
        outgoing.add(mark: 2)
        _ = add(&outgoing, 1, 11)
        #expect(outgoing.all() == ["3:[11]"])
        _ = add(&outgoing, 1, 12)
        outgoing.add(mark: 3)
        _ = add(&outgoing, 2, 20)
        outgoing.add(mark: 4)
        #expect(outgoing.all() == ["4:[12]", "5:[20]", "5:mark 4"])
    }

    @Test("a backlog over its limit is thrown away for a copy")
    func backlog() {
        var outgoing = copying()
        _ = outgoing.endCopy(digest: 0)
        for spi in 0..<UInt32(ReplicationLimits.queuedRecords - 2) {
            let taken = add(&outgoing, spi, 1)
            #expect(taken)
        }
        let coalesced = add(&outgoing, 5, 2)
        let over = add(&outgoing, 1_000_000, 1)
        #expect(coalesced && !over && outgoing.needsSnapshot && outgoing.isEmpty)
        let silent = add(&outgoing, 1_000_001, 1)
        #expect(silent && outgoing.isEmpty, "until a copy begins nothing is kept")
        outgoing.beginCopy(count: 0)
        _ = add(&outgoing, 1, 3)
        _ = outgoing.endCopy(digest: 9)
        #expect(outgoing.all() == ["1:begin", "2:[3]", "3:end 9"])
    }

    @Test("no more than a window of records is on its way; an acknowledgement opens it")
    func window() {
        var outgoing = copying()
        for spi in 0..<UInt32(ReplicationLimits.windowRecords + 10) { _ = add(&outgoing, spi, 1) }
        #expect(outgoing.all().count == ReplicationLimits.windowRecords)
        let taken = outgoing.acknowledge(5)
        #expect(taken && outgoing.all().count == 5)
        let unsent = outgoing.acknowledge(1_000_000)
        #expect(!unsent)
    }

    @Test("between a node with kernel records and one with charon's nothing flows")
    func kinds() {
        var pair = SessionPair()
        pair.left.hello.capabilities = SessionHello.kernelRecords
        pair.changeLocal(\.left)
        pair.connect()
        #expect(pair.left.machine.flow == .idle && pair.right.machine.flow == .idle)
        pair.right.hello.capabilities = SessionHello.kernelRecords
        pair.changeLocal(\.right)
        pair.give(.associationWentDown(reason: "test"), to: \.left)
        pair.give(.associationWentDown(reason: "test"), to: \.right)
        pair.connect()
        #expect(pair.left.machine.flow == .sending && pair.right.machine.flow == .receiving)
    }
}
