// SPDX-License-Identifier: Apache-2.0

import DequeModule
import Primitives
import SecurityAssociations

/// What waits to be sent to the peer, in the order in which it may leave.
///
///     urgent (role, state, acknowledgement)  ─┐
///     counters (the latest report only)      ─┼─► next()
///     snapshot, then deltas and marks        ─┘
///
/// Role frames overtake records; a backlog of deltas over its limit is thrown away for a snapshot.
struct OutgoingFrames: Sendable {
    private enum Delta: Sendable {
        case record(SecretBytes, madeAt: Instant)
        case mark(digest: UInt64)
    }

    private struct Snapshot: Sendable {
        var records: [SecretBytes]
        var digest: UInt64
        var next = -1
    }

    private var urgent: Deque<Frame> = []
    private var counters: Deque<Frame> = []
    private var snapshot: Snapshot?
    private var deltas: Deque<Delta> = []
    private var deltaByteCount = 0
    private var unacknowledged: Deque<(sequence: UInt64, madeAt: Instant)> = []
    private var lastSequence: UInt64 = 0

    /// The number of the frame that ended the last snapshot; nil until one was sent whole.
    private(set) var snapshotEndSequence: UInt64?
    /// The highest number that the peer acknowledged.
    private(set) var acknowledgedSequence: UInt64 = 0
    /// The peer has no copy that deltas could mend: they are thrown away until a snapshot begins.
    private(set) var needsSnapshot = true

    /// Records that the peer has not acknowledged, sent or not.
    var unacknowledgedCount: Int {
        let waiting = snapshot.map { max($0.records.count - max($0.next, 0), 0) } ?? 0
        return unacknowledged.count + deltas.count + waiting
    }

    /// Bytes of deltas that wait.
    var backlogByteCount: Int { deltaByteCount }

    /// When the oldest record that the peer has not acknowledged was made.
    var oldestUnacknowledged: Instant? {
        if let first = unacknowledged.first { return first.madeAt }
        guard case .record(_, let madeAt) = deltas.first else { return nil }
        return madeAt
    }

    /// Whether anything waits.
    var isEmpty: Bool { urgent.isEmpty && counters.isEmpty && snapshot == nil && deltas.isEmpty }

    /// Adds a frame that overtakes records; false when there are too many of them already.
    mutating func add(urgent frame: Frame) -> Bool {
        guard urgent.count < ReplicationLimits.queuedUrgentFrames else { return false }
        urgent.append(frame)
        return true
    }

    /// Replaces a report that has not left yet by a newer one.
    mutating func replace(counters frames: [Frame]) {
        counters = Deque(frames)
    }

    /// Starts a snapshot; what waited before is part of it.
    mutating func begin(snapshot records: [SecretBytes], digest: UInt64) {
        dropDeltas()
        unacknowledged.removeAll()
        snapshotEndSequence = nil
        needsSnapshot = false
        snapshot = Snapshot(records: records, digest: digest)
    }

    /// Forgets all records: the flow changed, and only a snapshot starts another one.
    mutating func stopRecords() {
        dropDeltas()
        unacknowledged.removeAll()
        counters.removeAll()
        snapshot = nil
        snapshotEndSequence = nil
        needsSnapshot = true
    }

    /// Adds a delta; false when the backlog went over its limit and a snapshot is needed.
    mutating func add(record bytes: SecretBytes, at now: Instant) -> Bool {
        guard !needsSnapshot else { return true }
        guard deltas.count < ReplicationLimits.queuedRecords,
            deltaByteCount + bytes.count <= ReplicationLimits.queuedByteCount
        else {
            dropDeltas()
            snapshot = nil
            needsSnapshot = true
            return false
        }
        deltas.append(.record(bytes, madeAt: now))
        deltaByteCount += bytes.count
        return true
    }

    /// Adds the digest of the journal behind the last delta.
    mutating func add(mark digest: UInt64) {
        guard !needsSnapshot else { return }
        if case .mark = deltas.last { deltas.removeLast() }
        deltas.append(.mark(digest: digest))
    }

    /// The peer has everything up to `sequence`; false for a number that was never sent.
    mutating func acknowledge(_ sequence: UInt64) -> Bool {
        guard sequence <= lastSequence else { return false }
        acknowledgedSequence = max(acknowledgedSequence, sequence)
        while let first = unacknowledged.first, first.sequence <= sequence { unacknowledged.removeFirst() }
        return true
    }

    /// Takes the next frame to be sent.
    mutating func next() -> Frame? {
        if let frame = urgent.popFirst() { return frame }
        if let frame = counters.popFirst() { return frame }
        if snapshot != nil { return nextOfSnapshot() }
        guard let delta = deltas.popFirst() else { return nil }
        switch delta {
        case .record(let bytes, let madeAt):
            deltaByteCount -= bytes.count
            lastSequence += 1
            unacknowledged.append((lastSequence, madeAt))
            return .record(sequence: lastSequence, bytes: bytes)
        case .mark(let digest): return .mark(sequence: lastSequence, digest: digest)
        }
    }

    private mutating func nextOfSnapshot() -> Frame? {
        guard var current = snapshot else { return nil }
        // The array is moved out of the optional while it is read, so that a large snapshot is not copied per frame.
        snapshot = nil
        lastSequence += 1
        current.next += 1
        guard current.next > 0 else {
            snapshot = current
            return .snapshotBegin(sequence: lastSequence, count: UInt32(current.records.count))
        }
        guard current.next <= current.records.count else {
            snapshotEndSequence = lastSequence
            return .snapshotEnd(sequence: lastSequence, digest: current.digest)
        }
        let bytes = current.records[current.next - 1]
        snapshot = current
        return .record(sequence: lastSequence, bytes: bytes)
    }

    private mutating func dropDeltas() {
        deltas.removeAll()
        deltaByteCount = 0
    }
}
