// SPDX-License-Identifier: Apache-2.0

import ByteCodec
import DequeModule
import Primitives
import SecurityAssociations

extension ReplicaMachine {
    private enum Code {
        static let noSuchEntry: Int32 = 2
        static let noSuchProcess: Int32 = 3
        static let again: Int32 = 11
        static let noMemory: Int32 = 12
        static let exists: Int32 = 17
        static let noBuffers: Int32 = 105
    }

    // MARK: Making

    /// Turns the head of the queue into writes; what needs none is done at once.
    mutating func makeBatch(limit: Int, at now: Instant, actions: inout [Action]) {
        guard hasWork(at: now) else { return }
        retryAt = nil
        var keys: Set<RecordKey> = []
        while let entry = queue.first, writes.count < limit, inFlight.count < ReplicationLimits.recordsPerBatch {
            switch entry.item {
            case .begin, .end, .mark:
                guard inFlight.isEmpty else { return send(&actions) }
                queue.removeFirst()
                compare(entry, actions: &actions)
            case .record(let record):
                if let key = record.key, !keys.insert(key).inserted { return send(&actions) }
                queue.removeFirst()
                inFlight.append(entry)
                plan(record, entry, at: now, actions: &actions)
            case .leftover(let key):
                queue.removeFirst()
                inFlight.append(entry)
                remove(key)
            case .raise(let key, let silence):
                queue.removeFirst()
                inFlight.append(entry)
                raise(key, behind: silence, actions: &actions)
            }
        }
        send(&actions)
    }

    private mutating func send(_ actions: inout [Action]) {
        guard !inFlight.isEmpty else { return }
        guard !writes.isEmpty else { return acknowledgeInFlight(before: nil, &actions) }
        // Stable: what must stand first is written first; leftovers go in reverse.
        writes.sort { left, right in
            (left.operation.rank(in: table.ends), left.entry) < (right.operation.rank(in: table.ends), right.entry)
        }
        actions.append(.write(writes.map(\.operation)))
    }

    private mutating func compare(_ entry: Entry, actions: inout [Action]) {
        switch entry.item {
        case .begin:
            table.beginMarking()
            refusedCount = 0
            lastRefusal = 0
            actions.append(.acknowledge(sequence: entry.sequence))
        case .end(let digest):
            let leftovers = table.unseen()
            guard leftovers.isEmpty else {
                // First the leftovers go, then the digests are compared.
                queue.prepend(entry)
                for key in leftovers.reversed() {
                    table.markSeen(key)
                    queue.prepend(Entry(item: .leftover(key), sequence: 0))
                }
                return
            }
            check(digest, &actions)
            actions.append(.acknowledge(sequence: entry.sequence))
        case .mark(let digest): check(digest, &actions)
        case .record, .leftover, .raise: break
        }
    }

    private mutating func check(_ digest: UInt64, _ actions: inout [Action]) {
        isEqual = digest == table.digest
        guard !isEqual else { return }
        actions.append(.count("journal.digestDiffers"))
        actions.append(.requestCopy)
    }

    private mutating func plan(_ record: KernelRecord, _ entry: Entry, at now: Instant, actions: inout [Action]) {
        let place = inFlight.count - 1
        switch record {
        case .sa(let sa): plan(sa, record.digest, entry, place, at: now, actions: &actions)
        case .policy(let policy):
            if table.digest(of: .policy(policy.key)) == record.digest {
                table.markSeen(.policy(policy.key))
            } else {
                writes.append(Write(operation: .installPolicy(policy), entry: place))
            }
        case .removed(let key): if table.contains(key) { remove(key) }
        case .numbers(let numbers):
            for moved in numbers { take(moved, place, at: now, actions: &actions) }
        }
    }

    private mutating func remove(_ key: RecordKey) {
        let operation: Operation =
            switch key {
            case .sa(let key): .deleteSA(key)
            case .policy(let key): .deletePolicy(key)
            }
        writes.append(Write(operation: operation, entry: inFlight.count - 1))
    }

    private mutating func plan(
        _ sa: ReplicatedSA, _ digest: UInt64, _ entry: Entry, _ place: Int, at now: Instant, actions: inout [Action]
    ) {
        let known = table.sas[sa.key]?.digest
        if known == digest, !entry.isForced {
            table.markSeen(.sa(sa.key))
            take(SANumbers(key: sa.key, replay: sa.replay), place, at: now, actions: &actions)
            return
        }
        if known != nil || entry.isForced { writes.append(Write(operation: .deleteSA(sa.key), entry: place)) }
        var fresh = sa
        if table.ends.contains(sa.source) {
            var margin = SequenceMargin(isExtended: sa.isExtended)
            margin.reported(sa.replay.outbound, at: now)
            fresh.replay.outbound = ahead(margin, of: table.sas[sa.key]?.kernelOutbound ?? 0, &actions)
        }
        writes.append(Write(operation: .installSA(fresh), entry: place))
    }

    /// The number that the kernel must hold: never lower than it does, and the last one where the space ends.
    ///
    /// With the last number the kernel sends nothing more until the SA is rekeyed; any other could be used twice.
    private func ahead(
        _ margin: SequenceMargin, of current: UInt64, behind silence: Interval = .zero, _ actions: inout [Action]
    ) -> UInt64 {
        guard let target = margin.target(settings, silence: silence) else {
            actions.append(.count("counters.rekeyRequired"))
            return margin.last
        }
        return min(max(target, current), margin.last)
    }

    /// Raises an SA to what the former Active may have reached; where nothing is to be written, that is done.
    private mutating func raise(_ key: SAKey, behind silence: Interval, actions: inout [Action]) {
        guard var entry = table.entry(of: key) else {
            plannedRaises -= 1
            return
        }
        // Not kept: a raise that the kernel had no memory for is made again, and goes no farther then.
        var margin = entry.margin
        // What no report has ever told of stands where it was found.
        if margin.synced == 0 || !hasBeenTold { margin.start(behind: entry.kernelOutbound) }
        if !hasBeenTold { margin.startBehindForgottenLife(intervals: forgottenIntervals, settings) }
        let former = (outbound: entry.kernelOutbound, inbound: entry.kernelInbound)
        entry.kernelOutbound = ahead(margin, of: entry.kernelOutbound, behind: silence, &actions)
        guard entry.kernelOutbound > former.outbound else {
            plannedRaises -= 1
            return
        }
        table.update(key) { $0 = entry }
        let replay = KernelReplay(
            outbound: entry.kernelOutbound, inbound: entry.kernelInbound, windowPackets: entry.windowPackets,
            bitmap: [UInt32](repeating: 0, count: Int(entry.words)),
            usesExtendedStructure: entry.usesExtendedStructure)
        let operation = Operation.writeNumbers(SANumbers(key: key, replay: replay))
        writes.append(Write(operation: operation, entry: inFlight.count - 1, former: former))
    }

    private mutating func take(_ moved: SANumbers, _ place: Int, at now: Instant, actions: inout [Action]) {
        guard var entry = table.entry(of: moved.key) else { return actions.append(.count("numbers.unknownSA")) }
        guard entry.usesExtendedStructure == moved.replay.usesExtendedStructure,
            Int(entry.words) == moved.replay.bitmap.count
        else { return actions.append(.count("numbers.otherStructure")) }
        var replay = moved.replay
        replay.windowPackets = entry.windowPackets
        if entry.isOutbound {
            entry.margin.reported(moved.replay.outbound, at: now)
            replay.outbound = ahead(entry.margin, of: entry.kernelOutbound, &actions)
            replay.inbound = max(replay.inbound, entry.kernelInbound)
        } else {
            replay.outbound = max(replay.outbound, entry.kernelOutbound)
        }
        // Entered before it is written, so that a second report in one batch compares with this one.
        let former = (outbound: entry.kernelOutbound, inbound: entry.kernelInbound)
        entry.kernelOutbound = replay.outbound
        entry.kernelInbound = max(replay.inbound, former.inbound)
        table.update(moved.key) { $0 = entry }
        guard replay.outbound > former.outbound || replay.inbound > former.inbound else { return }
        let operation = Operation.writeNumbers(SANumbers(key: moved.key, replay: replay))
        writes.append(Write(operation: operation, entry: place, former: former))
    }

    // MARK: Finishing

    mutating func finishBatch(_ codes: [Int32], at now: Instant, actions: inout [Action]) {
        precondition(codes.count == writes.count, "one code per operation")
        var again: [Int: Bool] = [:]
        for (write, code) in zip(writes, codes) where code != 0 { takeBack(write) }
        for (write, code) in zip(writes, codes) { settle(write, code, at: now, &again, &actions) }
        writes.removeAll(keepingCapacity: true)
        let firstAgain = again.keys.min()
        acknowledgeInFlight(before: firstAgain, &actions, again: again)
        if again.values.contains(false) {
            retryAt = now + ReplicationLimits.writeRetry
            actions.append(.count("kernel.writeRetried"))
        }
    }

    /// Notes one result; `again` collects entries to be repeated, with whether the SA must be deleted first.
    private mutating func settle(
        _ write: Write, _ code: Int32, at now: Instant, _ again: inout [Int: Bool], _ actions: inout [Action]
    ) {
        switch (write.operation, code) {
        case (_, Code.noMemory), (_, Code.noBuffers), (_, Code.again): again[write.entry] = false
        case (.installSA, Code.exists) where !inFlight[write.entry].isForced: again[write.entry] = true
        case (.installSA(let sa), 0):
            // The digest is the Active's record's: numbers and ages, which differ here, are not in it.
            table.put(sa, digest: KernelRecord.sa(sa).digest)
            if case .record(.sa(let said)) = inFlight[write.entry].item {
                table.update(sa.key) { $0.margin.reported(said.replay.outbound, at: now) }
            }
        case (.installPolicy(let policy), 0): table.put(policy.key, digest: KernelRecord.policy(policy).digest)
        case (.deleteSA(let key), 0), (.deleteSA(let key), Code.noSuchProcess): table.remove(.sa(key))
        case (.deletePolicy(let key), 0), (.deletePolicy(let key), Code.noSuchEntry): table.remove(.policy(key))
        case (.writeNumbers, 0): noteRaised(write)
        case (.writeNumbers(let numbers), Code.noSuchProcess):
            table.remove(.sa(numbers.key))
            noteRaised(write)
        default:
            refuse(write.operation, code, &actions)
            guard noteRaised(write), case .writeNumbers(let numbers) = write.operation else { return }
            // No number is known that it may send with: it must not send.
            queue.prepend(Entry(item: .leftover(.sa(numbers.key)), sequence: 0))
        }
    }

    /// Counts a raise that is over; false for any other write.
    @discardableResult
    private mutating func noteRaised(_ write: Write) -> Bool {
        guard case .raise = inFlight[write.entry].item else { return false }
        plannedRaises -= 1
        return true
    }

    /// Numbers that the kernel did not take count as before.
    private mutating func takeBack(_ write: Write) {
        guard case .writeNumbers(let numbers) = write.operation, let former = write.former else { return }
        table.update(numbers.key) {
            $0.kernelOutbound = min($0.kernelOutbound, former.outbound)
            $0.kernelInbound = min($0.kernelInbound, former.inbound)
        }
    }

    private mutating func refuse(_ operation: Operation, _ code: Int32, _ actions: inout [Action]) {
        refusedCount += 1
        actions.append(.count("kernel.writeRefused"))
        guard code != lastRefusal else { return }
        lastRefusal = code
        actions.append(.log("%CRYPTO-3-KERNEL: the kernel refuses \(operation.name) with errno \(code)"))
    }

    /// Acknowledges what was done in order; what has to be repeated returns to the head of the queue.
    private mutating func acknowledgeInFlight(
        before first: Int?, _ actions: inout [Action], again: [Int: Bool] = [:]
    ) {
        for place in again.keys.sorted(by: >) {
            var entry = inFlight[place]
            entry.isForced = again[place] ?? false
            queue.prepend(entry)
        }
        let done = inFlight.prefix(first ?? inFlight.count).last { $0.sequence > 0 }
        if let done { actions.append(.acknowledge(sequence: done.sequence)) }
        inFlight.removeAll(keepingCapacity: true)
    }
}

extension ReplicaMachine.Operation {
    /// The place in a batch.
    ///
    /// Policies out, forward, in are deleted first, then SAs; inbound SAs are added first, then outbound ones, then
    /// policies. An SA is deleted and added again in one breath, at the place of its addition.
    func rank(in ends: Set<IPAddress>) -> Int {
        switch self {
        case .deletePolicy(let key): 2 - Int(key.direction.rawValue)
        case .deleteSA(let key): ends.contains(key.destination) ? 4 : 3
        case .installSA(let sa): ends.contains(sa.key.destination) ? 5 : 6
        case .writeNumbers: 7
        case .installPolicy(let policy): 8 + Int(policy.key.direction.rawValue)
        }
    }

    /// For a log line, without content.
    var name: String {
        switch self {
        case .installSA(let sa): "SA \(sa.key)"
        case .deleteSA(let key): "the deletion of SA \(key)"
        case .installPolicy: "a policy"
        case .deletePolicy: "the deletion of a policy"
        case .writeNumbers(let numbers): "the numbers of SA \(numbers.key)"
        }
    }
}
