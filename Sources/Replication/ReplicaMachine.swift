// SPDX-License-Identifier: Apache-2.0

public import ByteCodec
import DequeModule
public import Primitives
public import SecurityAssociations

/// The standby's side of `ike-daemon none`: brings its kernel to what the Active's records say.
///
///     records ─► queue ─► batch of writes ─► kernel ─► codes ─► acknowledged
///                  ▲                                     │ out of memory: again after a pause
///                  └─────────────────────────────────────┘
///
///     waiting ──tables read──► following ──copy begins──► copying ──copy ends, leftovers deleted──► equal?
///
/// A copy marks what it names; what it did not name is deleted at its end, by key. Records between copies change one
/// thing each. Outbound numbers stand ahead of the Active's by the margin from the moment an SA is written, and are
/// never lowered.
public struct ReplicaMachine: Sendable {
    /// One write into the kernel.
    public enum Operation: Equatable, Sendable {
        /// Add an SA.
        case installSA(ReplicatedSA)
        /// Delete an SA.
        case deleteSA(SAKey)
        /// Add or replace a policy.
        case installPolicy(ReplicatedPolicy)
        /// Delete a policy.
        case deletePolicy(PolicyKey)
        /// Write an SA's numbers.
        case writeNumbers(SANumbers)
    }

    /// What happened.
    public enum Event: Equatable, Sendable {
        /// The kernel's tables were read whole; writes may begin.
        case tablesRead
        /// A copy starts.
        case copyBegan(sequence: UInt64)
        /// A record came.
        case recordReceived(SecretBytes, sequence: UInt64)
        /// The copy is whole.
        case copyEnded(digest: UInt64, sequence: UInt64)
        /// The Active's digest behind the last record.
        case markReceived(digest: UInt64, sequence: UInt64)
        /// There is time for at most this many operations.
        case batchWanted(limit: Int)
        /// The codes of the last batch, one per operation: 0, or a positive errno.
        case written([Int32])
        /// The role or the session changed: nothing of the other side is awaited any more.
        case peerForgotten
        /// This node took the role while `areNumbersStale`: what may have been sent since is counted in before it sends.
        case staleRoleTaken
        /// This node gave up the role: its successor began a margin above the numbers here.
        case roleLost
        /// Nobody sends with our SAs.
        case idleSeen
    }

    /// What the process must do.
    public enum Action: Equatable, Sendable {
        /// Write this and answer with `written`.
        case write([Operation])
        /// Everything up to this number is in the kernel.
        case acknowledge(sequence: UInt64)
        /// The digest differs: ask for a copy.
        case requestCopy
        /// Increment a named counter.
        case count(StaticName)
        /// Write a log line.
        case log(String)
    }

    enum Item: Equatable, Sendable {
        case begin
        case record(KernelRecord)
        case end(digest: UInt64)
        case mark(digest: UInt64)
        case leftover(RecordKey)
        case raise(SAKey, silence: Interval)
    }

    struct Entry: Equatable, Sendable {
        var item: Item
        var sequence: UInt64
        /// The SA was there already: delete it before.
        var isForced = false
    }

    struct Write: Sendable {
        var operation: Operation
        /// Index of the entry in `inFlight` that it is for.
        var entry: Int
        /// The numbers that the kernel had before, where numbers are written.
        var former: (outbound: UInt64, inbound: UInt64)?
    }

    /// What stands in the kernel.
    public internal(set) var table: KernelTable
    /// How far ahead outbound numbers stand.
    public var settings: SequenceMargin.Settings
    /// A copy is being received or was received in this session.
    public internal(set) var hasCopyBegun = false
    /// The digest was equal at the last mark or copy's end.
    public internal(set) var isEqual = false
    /// The kernel's tables were read since the last `forgetTables`.
    public internal(set) var areTablesRead = false
    /// SAs and policies that the kernel refuses, since the last copy began.
    public internal(set) var refusedCount = 0
    var queue: Deque<Entry> = []
    var inFlight: [Entry] = []
    var writes: [Write] = []
    var retryAt: Instant?
    var lastRefusal: Int32 = 0
    /// When it was last known what the Active may have sent at most.
    var vouchedAt: Instant?
    /// An Active has told, by a whole copy, how far it has sent; what was only found in the kernel tells nothing.
    var hasBeenTold = false
    /// The role was taken before the tables were read: all that will be found in them is to be raised.
    private var isRaiseOwed = false
    /// SAs whose numbers a takeover must raise before anything is sent.
    var plannedRaises = 0
    let forgottenIntervals: UInt64

    /// Starts with an empty table that must be filled by reading the kernel; `life` is a number drawn by this process.
    public init(table: KernelTable, settings: SequenceMargin.Settings, life: UInt64 = 0) {
        self.table = table
        self.settings = settings
        let range = SequenceMargin.forgottenIntervals
        forgottenIntervals = range.lowerBound + life % UInt64(range.count)
    }

    /// Whether a takeover has numbers to raise before anything is sent.
    public var isRaising: Bool { plannedRaises > 0 || isRaiseOwed }

    /// Everything received is in the kernel.
    public var isIdle: Bool { queue.isEmpty && inFlight.isEmpty }

    /// Whether a batch would do something now.
    public func hasWork(at now: Instant) -> Bool {
        areTablesRead && inFlight.isEmpty && !queue.isEmpty && (retryAt.map { $0 <= now } ?? true)
    }

    /// When a batch is due that the kernel had no memory for.
    public var nextDeadline: Instant? { queue.isEmpty ? nil : retryAt }

    /// Advances.
    public mutating func handle(_ event: Event, at now: Instant, actions: inout [Action]) {
        switch event {
        case .tablesRead:
            areTablesRead = true
            vouchedAt = vouchedAt ?? now
            if isRaiseOwed { planRaises(at: now) }
        case .copyBegan(let sequence):
            hasCopyBegun = true
            isEqual = false
            add(.begin, sequence, &actions)
        case .recordReceived(let bytes, let sequence): receive(bytes, sequence, &actions)
        case .copyEnded(let digest, let sequence):
            (vouchedAt, hasBeenTold) = (now, true)
            add(.end(digest: digest), sequence, &actions)
        case .markReceived(let digest, let sequence):
            vouchedAt = now
            add(.mark(digest: digest), sequence, &actions)
        case .batchWanted(let limit): makeBatch(limit: max(limit, 1), at: now, actions: &actions)
        case .written(let codes): finishBatch(codes, at: now, actions: &actions)
        case .peerForgotten: forgetPeer()
        case .staleRoleTaken: planRaises(at: now)
        case .roleLost: (vouchedAt, hasBeenTold, isRaiseOwed) = (now, false, false)
        case .idleSeen: vouchedAt = now
        }
    }

    /// Whether others may have passed a margin without our knowledge: the Active has not spoken of numbers for too long,
    /// or what stands here was never told of at all.
    public func areNumbersStale(at now: Instant) -> Bool {
        guard let vouchedAt else { return true }
        return hasBeenTold ? now.since(vouchedAt) > settings.exposure : table.saCount > 0
    }

    private mutating func planRaises(at now: Instant) {
        isRaiseOwed = vouchedAt == nil
        let silence = vouchedAt.map { now.since($0) } ?? .zero
        for (key, entry) in table.sas where entry.isOutbound {
            queue.append(Entry(item: .raise(key, silence: silence), sequence: 0))
            plannedRaises += 1
        }
    }

    /// The tables must be read anew before anything is written.
    public mutating func forgetTables() { areTablesRead = false }

    /// Takes what the kernel shows; its record, and whether something lasting in it is new.
    public mutating func observe(_ record: KernelRecord) -> (record: EncodedRecord, isNew: Bool) {
        table.observe(record)
    }

    /// Takes what the kernel lost; true if it was known.
    public mutating func noteRemoved(_ key: RecordKey) -> Bool { table.remove(key) }

    /// Starts a full reading.
    public mutating func beginReading() { table.beginMarking() }

    /// Ends a full reading: what was not seen is gone.
    public mutating func endReading() -> [RecordKey] {
        let gone = table.unseen()
        for key in gone { table.remove(key) }
        return gone
    }

    /// This node took the role: what it sends from here on is what a peer has to be told.
    public mutating func beginTelling() { table.beginTelling() }

    /// Numbers that moved since they were told.
    public mutating func takeMoved() -> [SANumbers] { table.takeMoved() }

    private mutating func receive(_ bytes: SecretBytes, _ sequence: UInt64, _ actions: inout [Action]) {
        var findings = RecordFindings()
        var record: KernelRecord?
        do {
            record = try bytes.withBytes { (bytes) throws(DecodeError) in
                try KernelRecord(parsing: bytes[...], findings: &findings)
            }
            if record == nil { actions.append(.count("record.unknownKind")) }
        } catch {
            actions.append(.count("record.malformed"))
        }
        for _ in 0..<findings.unknownAttributes { actions.append(.count("record.unknownAttribute")) }
        // What cannot be read is acknowledged all the same: the digest tells that it is missing.
        add(.record(record ?? .numbers([])), sequence, &actions)
    }

    private mutating func add(_ item: Item, _ sequence: UInt64, _ actions: inout [Action]) {
        guard queue.count < ReplicationLimits.queuedWrites else {
            // The peer sends no more than its window: only one that breaks the protocol comes here.
            actions.append(.count("record.queueOverLimit"))
            return
        }
        queue.append(Entry(item: item, sequence: sequence))
    }

    private mutating func forgetPeer() {
        // Records that came before stay good: an Active that died has said them. Only what compares is void.
        queue.removeAll { entry in
            switch entry.item {
            case .record, .raise: false
            case .begin, .end, .mark, .leftover: true
            }
        }
        hasCopyBegun = false
        isEqual = false
        retryAt = nil
    }
}
