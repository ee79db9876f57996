// SPDX-License-Identifier: Apache-2.0

public import Primitives
public import SecurityAssociations

/// What stands in this node's kernel of all that is replicated: digests and numbers, never keys.
///
/// The kernel itself is the store. The table tells two kernels apart by one sum of digests, which does not depend on
/// the order in which things came; it finds what moved, and what is left over after a full reading.
public struct KernelTable: Sendable {
    /// What is remembered of one SA.
    struct SAEntry: Sendable {
        var digest: UInt64
        var generation: UInt32
        /// Its packets leave from here.
        var isOutbound: Bool
        /// Structure, window and words of its replay state, which a write must repeat.
        var usesExtendedStructure: Bool
        var windowPackets: UInt32
        var words: UInt8
        /// The numbers that this node's kernel is known to have reached.
        var kernelOutbound: UInt64
        var kernelInbound: UInt64
        /// The `telling` that `toldOutbound` is of; that of an older one counts for nothing.
        var telling: UInt32
        /// The numbers that the peer was told last.
        var toldOutbound: UInt64
        var toldInbound: UInt64
        /// The Active's numbers, on a standby.
        var margin: SequenceMargin
    }

    struct PolicyEntry: Sendable {
        var digest: UInt64
        var generation: UInt32
    }

    /// The addresses that are ours.
    public let ends: Set<IPAddress>
    /// `replay-interval inbound`: a window is told when it moved by this many packets.
    public let inboundInterval: UInt64
    /// The sum of all digests.
    public private(set) var digest: UInt64 = 0
    private(set) var sas: [SAKey: SAEntry] = [:]
    private(set) var policies: [PolicyKey: PolicyEntry] = [:]
    private var moved: [SAKey: KernelReplay] = [:]
    /// Rises whenever an inbound SA was seen to have received something.
    public private(set) var inboundMoves: UInt64 = 0
    private var generation: UInt32 = 1
    /// Rises with each role in which this node tells a peer its numbers.
    private var telling: UInt32 = 0

    /// Starts empty.
    public init(ends: Set<IPAddress>, inboundInterval: UInt64) {
        self.ends = ends
        self.inboundInterval = max(inboundInterval, 1)
    }

    /// SAs and policies.
    public var count: Int { sas.count + policies.count }
    /// SAs alone.
    public var saCount: Int { sas.count }

    /// Whether it is in the table.
    public func contains(_ key: RecordKey) -> Bool { digest(of: key) != nil }

    /// The digest of one entry, nil where there is none.
    public func digest(of key: RecordKey) -> UInt64? {
        switch key {
        case .sa(let key): sas[key]?.digest
        case .policy(let key): policies[key]?.digest
        }
    }

    // MARK: What the kernel shows

    /// Takes an SA or policy as it was read; its record, and whether something lasting in it is new.
    public mutating func observe(_ record: KernelRecord) -> (record: EncodedRecord, isNew: Bool) {
        let encoded = record.encoded()
        switch record {
        case .sa(let sa):
            let isSame = sas[sa.key]?.digest == encoded.digest
            if isSame { note(sa.replay, of: sa.key) } else { put(sa, digest: encoded.digest) }
            sas[sa.key]?.generation = generation
            return (encoded, !isSame)
        case .policy(let policy):
            let isSame = policies[policy.key]?.digest == encoded.digest
            put(policy.key, digest: encoded.digest)
            return (encoded, !isSame)
        case .removed, .numbers: return (encoded, false)
        }
    }

    /// The kernel's numbers of a known SA, as they were read.
    private mutating func note(_ replay: KernelReplay, of key: SAKey) {
        guard var entry = entry(of: key) else { return }
        entry.kernelOutbound = max(entry.kernelOutbound, replay.outbound)
        if !entry.isOutbound, replay.inbound > entry.kernelInbound { inboundMoves &+= 1 }
        entry.kernelInbound = max(entry.kernelInbound, replay.inbound)
        sas[key] = entry
        let sent = replay.outbound > entry.toldOutbound
        if sent || replay.inbound >= entry.toldInbound.addingClamped(inboundInterval) { moved[key] = replay }
    }

    /// It is gone; false if it was not known.
    @discardableResult
    public mutating func remove(_ key: RecordKey) -> Bool {
        guard let old = digest(of: key) else { return false }
        digest &-= old
        switch key {
        case .sa(let key):
            sas[key] = nil
            moved[key] = nil
        case .policy(let key): policies[key] = nil
        }
        return true
    }

    /// Enters an SA that stands in the kernel now.
    mutating func put(_ sa: ReplicatedSA, digest fresh: UInt64) {
        digest = digest &- (sas[sa.key]?.digest ?? 0) &+ fresh
        var margin = SequenceMargin(isExtended: sa.isExtended)
        if let old = sas[sa.key], old.digest == fresh { margin = old.margin }
        sas[sa.key] = SAEntry(
            digest: fresh, generation: generation, isOutbound: ends.contains(sa.source),
            usesExtendedStructure: sa.replay.usesExtendedStructure, windowPackets: sa.replay.windowPackets,
            words: UInt8(truncatingIfNeeded: sa.replay.bitmap.count), kernelOutbound: sa.replay.outbound,
            kernelInbound: sa.replay.inbound, telling: telling, toldOutbound: sa.replay.outbound,
            toldInbound: sa.replay.inbound,
            margin: margin)
    }

    /// Enters a policy that stands in the kernel now.
    mutating func put(_ key: PolicyKey, digest fresh: UInt64) {
        digest = digest &- (policies[key]?.digest ?? 0) &+ fresh
        policies[key] = PolicyEntry(digest: fresh, generation: generation)
    }

    /// What is remembered of an SA; nil if it is not known.
    func entry(of key: SAKey) -> SAEntry? {
        guard var entry = sas[key] else { return nil }
        // At the first look behind `beginTelling` the number is still the one that stood there then.
        if entry.telling != telling {
            entry.telling = telling
            entry.toldOutbound = entry.kernelOutbound
        }
        return entry
    }

    /// Changes what is remembered of an SA; nothing if it is not known.
    mutating func update(_ key: SAKey, _ body: (inout SAEntry) -> Void) {
        guard var entry = entry(of: key) else { return }
        body(&entry)
        sas[key] = entry
    }

    // MARK: Full readings and copies

    /// Starts to mark: what is not seen again until `unseen` is left over.
    public mutating func beginMarking() { generation &+= 1 }

    /// It belongs to the present copy.
    mutating func markSeen(_ key: RecordKey) {
        switch key {
        case .sa(let key): sas[key]?.generation = generation
        case .policy(let key): policies[key]?.generation = generation
        }
    }

    /// What was not seen since `beginMarking`.
    public func unseen() -> [RecordKey] {
        let old = policies.filter { $0.value.generation != generation }.map { RecordKey.policy($0.key) }
        return old + sas.filter { $0.value.generation != generation }.map { RecordKey.sa($0.key) }
    }

    // MARK: Numbers

    /// What moves from here on is to be told; a takeover, which calls this, must not wait for a walk over all SAs.
    mutating func beginTelling() { telling &+= 1 }

    /// How many SAs have sent more than a margin beyond what the peer was told.
    public func exceededCount(by settings: SequenceMargin.Settings) -> Int {
        sas.values.count { entry in
            entry.isOutbound && entry.telling == telling
                && SequenceMargin.isExceeded(
                    sent: entry.kernelOutbound, acknowledged: entry.toldOutbound, margin: settings.leastMargin)
        }
    }

    /// How many SAs are near the end of their numbers.
    public func exhaustedCount(by settings: SequenceMargin.Settings) -> Int {
        sas.values.count { entry in
            entry.isOutbound && entry.kernelOutbound > entry.margin.lastUsable - entry.margin.margin(settings)
        }
    }

    /// Numbers that moved since they were told, at most `ReplicationLimits.numbersPerReport`; they count as told now.
    public mutating func takeMoved() -> [SANumbers] {
        var numbers: [SANumbers] = []
        for (key, replay) in moved {
            guard numbers.count < ReplicationLimits.numbersPerReport else { break }
            numbers.append(SANumbers(key: key, replay: replay))
        }
        for entry in numbers {
            moved[entry.key] = nil
            update(entry.key) {
                $0.toldOutbound = entry.replay.outbound
                $0.toldInbound = entry.replay.inbound
            }
        }
        return numbers
    }
}

extension UInt64 {
    func addingClamped(_ other: UInt64) -> UInt64 {
        let sum = addingReportingOverflow(other)
        return sum.overflow ? .max : sum.partialValue
    }
}
