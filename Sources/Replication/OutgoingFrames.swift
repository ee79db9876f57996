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
        case record(SecretBytes, key: RecordKey?, madeAt: Instant)
        case mark(digest: UInt64)
        case begin(count: UInt32)
        case end(digest: UInt64)
        /// A mark that a later record made untrue.
        case nothing
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
    /// Where the record of a key waits, and how many deltas have left.
    private var positions: [RecordKey: Int] = [:]
    private var poppedCount = 0
    private var markPosition: Int?
    /// A copy is being read: its end has not been added.
    private(set) var isCopying = false
    /// Its beginning has left, its end has not.
    private var isCopyOnItsWay = false
    /// Records need an open window: the peer holds them until its kernel has them.
    var isWindowed = false
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
        guard case .record(_, _, let madeAt) = deltas.first else { return nil }
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
        isCopying = false
        isCopyOnItsWay = false
        snapshotEndSequence = nil
        needsSnapshot = true
    }

    /// Starts a copy whose records come as deltas, so that none of it waits here longer than it must.
    mutating func beginCopy(count: UInt32) {
        stopRecords()
        needsSnapshot = false
        isCopying = true
        append(.begin(count: count))
    }

    /// Ends the copy; false when it was given up meanwhile.
    mutating func endCopy(digest: UInt64) -> Bool {
        guard isCopying else { return false }
        isCopying = false
        append(.end(digest: digest))
        return true
    }

    /// Adds a delta; false when the backlog went over its limit and a snapshot is needed.
    ///
    /// A record whose key waits already takes that one's place.
    mutating func add(record bytes: SecretBytes, key: RecordKey?, at now: Instant) -> Bool {
        guard !needsSnapshot else { return true }
        if let key, let position = positions[key], replace(at: position, bytes) { return true }
        guard deltas.count < ReplicationLimits.queuedRecords,
            deltaByteCount + bytes.count <= ReplicationLimits.queuedByteCount
        else {
            dropDeltas()
            snapshot = nil
            isCopying = false
            isCopyOnItsWay = false
            needsSnapshot = true
            return false
        }
        if let key { positions[key] = poppedCount + deltas.count }
        append(.record(bytes, key: key, madeAt: now))
        deltaByteCount += bytes.count
        return true
    }

    private mutating func append(_ delta: Delta) { deltas.append(delta) }

    private mutating func replace(at position: Int, _ bytes: SecretBytes) -> Bool {
        let index = position - poppedCount
        guard deltas.indices.contains(index), case .record(let old, let key, let madeAt) = deltas[index] else {
            return false
        }
        deltaByteCount += bytes.count - old.count
        deltas[index] = .record(bytes, key: key, madeAt: madeAt)
        // The digest of a mark behind it was taken with the old content.
        if let markPosition, markPosition > position { voidMark() }
        return true
    }

    private mutating func voidMark() {
        guard let markPosition else { return }
        if deltas.indices.contains(markPosition - poppedCount) { deltas[markPosition - poppedCount] = .nothing }
        self.markPosition = nil
    }

    /// Adds the digest of the journal behind the last delta.
    mutating func add(mark digest: UInt64) {
        guard !needsSnapshot else { return }
        // Only the latest says something about what the peer will hold. While a copy is read, none does.
        guard !isCopying else { return }
        voidMark()
        markPosition = poppedCount + deltas.count
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
        return nextDelta()
    }

    /// Whether records of the kernel's tables may leave: a standby holds no more than a window of them.
    private var isWindowOpen: Bool {
        lastSequence < acknowledgedSequence + UInt64(ReplicationLimits.windowRecords) || !isWindowed
    }

    private mutating func nextDelta() -> Frame? {
        while isWindowOpen, let delta = deltas.popFirst() {
            poppedCount += 1
            switch delta {
            case .record(let bytes, let key, let madeAt):
                if let key { positions[key] = nil }
                deltaByteCount -= bytes.count
                lastSequence += 1
                // Records of a copy are not late: the copy is as long as it is.
                if !isCopyOnItsWay { unacknowledged.append((lastSequence, madeAt)) }
                return .record(sequence: lastSequence, bytes: bytes)
            case .mark(let digest):
                markPosition = nil
                return .mark(sequence: lastSequence, digest: digest)
            case .begin(let count):
                lastSequence += 1
                isCopyOnItsWay = true
                return .snapshotBegin(sequence: lastSequence, count: count)
            case .end(let digest):
                lastSequence += 1
                isCopyOnItsWay = false
                snapshotEndSequence = lastSequence
                return .snapshotEnd(sequence: lastSequence, digest: digest)
            case .nothing: continue
            }
        }
        return nil
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
        poppedCount += deltas.count
        positions.removeAll()
        markPosition = nil
        deltas.removeAll()
        deltaByteCount = 0
    }
}
