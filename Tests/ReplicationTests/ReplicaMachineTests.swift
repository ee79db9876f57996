// SPDX-License-Identifier: Apache-2.0

import ByteCodec
import Primitives
import SecurityAssociations
import Testing

@testable import Replication

private let virtual = IPAddress(IPv4Address(10, 1, 0, 100))
private let peer = IPAddress(IPv4Address(10, 1, 0, 5))
private let settings = SequenceMargin.Settings(
    outboundInterval: 1000, reportInterval: .seconds(1), hold: .seconds(10), lease: .seconds(3))

private func sa(_ spi: UInt32, outbound: Bool = false, sent: UInt64 = 0, key: UInt8 = 1) -> ReplicatedSA {
    let ends = outbound ? (from: virtual, to: peer) : (from: peer, to: virtual)
    var sa = ReplicatedSA(key: SAKey(destination: ends.to, spi: spi), source: ends.from)
    sa.aead = .init(name: "gcm", secret: SecretBytes([UInt8](repeating: key, count: 20)), truncationBits: 128)
    sa.replay.outbound = sent
    return sa
}

private func policy(_ length: UInt8, _ direction: KernelPolicy.Direction = .outbound) -> ReplicatedPolicy {
    var policy = ReplicatedPolicy(key: PolicyKey(direction: direction, selector: ReplicatedSelector()))
    policy.key.selector.destinationLength = length
    return policy
}

/// A standby with a kernel that does what it is told, but for the codes that a test sets.
private struct Standby {
    var machine = ReplicaMachine(table: KernelTable(ends: [virtual], inboundInterval: 100), settings: settings)
    var now = Instant(nanoseconds: 1_000_000_000)
    var written: [ReplicaMachine.Operation] = []
    var kernel: [RecordKey: ReplicaMachine.Operation] = [:]
    var acknowledged: UInt64 = 0
    var copyRequests = 0
    var counts: [String: Int] = [:]
    var codes: [Int32] = []
    var sequence: UInt64 = 0

    init(tablesRead: Bool = true) {
        if tablesRead { give(.tablesRead) }
    }

    mutating func give(_ event: ReplicaMachine.Event) {
        var actions: [ReplicaMachine.Action] = []
        machine.handle(event, at: now, actions: &actions)
        for action in actions {
            switch action {
            case .write(let operations):
                written += operations
                let result = operations.map { operation -> Int32 in
                    if !codes.isEmpty { return codes.removeFirst() }
                    switch operation {
                    case .installSA(let sa): kernel[.sa(sa.key)] = operation
                    case .installPolicy(let policy): kernel[.policy(policy.key)] = operation
                    case .deleteSA(let key): return kernel.removeValue(forKey: .sa(key)) == nil ? 3 : 0
                    case .deletePolicy(let key): return kernel.removeValue(forKey: .policy(key)) == nil ? 2 : 0
                    case .writeNumbers: break
                    }
                    return 0
                }
                give(.written(result))
            case .acknowledge(let number): acknowledged = max(acknowledged, number)
            case .requestCopy: copyRequests += 1
            case .count(let name): counts[name.description, default: 0] += 1
            case .log: break
            }
        }
    }

    mutating func send(_ record: KernelRecord) {
        sequence += 1
        give(.recordReceived(record.encoded().bytes, sequence: sequence))
    }

    mutating func copy(_ records: [KernelRecord], digest: UInt64? = nil) {
        sequence += 1
        give(.copyBegan(sequence: sequence))
        for record in records { send(record) }
        sequence += 1
        let sum = records.reduce(0) { $0 &+ $1.digest }
        give(.copyEnded(digest: digest ?? sum, sequence: sequence))
    }

    mutating func work(limit: Int = 64) {
        for _ in 0..<10_000 where machine.hasWork(at: now) { give(.batchWanted(limit: limit)) }
    }
}

@Suite("Replica: the standby's kernel follows the Active's records")
struct ReplicaMachineTests {
    @Test("nothing is written before the kernel's own tables were read")
    func tablesFirst() {
        var standby = Standby(tablesRead: false)
        standby.copy([.sa(sa(1))])
        standby.work()
        #expect(standby.written.isEmpty && standby.acknowledged == 0)
        standby.give(.tablesRead)
        standby.work()
        #expect(standby.written.count == 1 && standby.machine.isEqual)
    }

    @Test("a copy is installed inbound first, then outbound, then policies, and everything is acknowledged")
    func order() {
        var standby = Standby()
        standby.copy([.policy(policy(8)), .sa(sa(2, outbound: true)), .policy(policy(9, .inbound)), .sa(sa(1))])
        standby.work()
        guard case .installSA(let first) = standby.written[0], case .installSA(let second) = standby.written[1],
            case .installPolicy(let third) = standby.written[2]
        else {
            Issue.record("wrong order: \(standby.written)")
            return
        }
        #expect(first.key.spi == 1 && second.key.spi == 2 && third.key.direction == .inbound)
        #expect(standby.machine.isEqual && standby.machine.isIdle && standby.acknowledged == 6)
    }

    @Test("an outbound SA stands ahead by the margin from the moment it is written; an inbound one exactly as synced")
    func margin() {
        var standby = Standby()
        var inbound = sa(1)
        inbound.replay.inbound = 77
        standby.copy([.sa(sa(2, outbound: true, sent: 500)), .sa(inbound)])
        standby.work()
        for case .installSA(let sa) in standby.written {
            #expect(sa.replay.outbound == (sa.key.spi == 2 ? 1500 : 0))
            #expect(sa.replay.inbound == (sa.key.spi == 1 ? 77 : 0))
        }
    }

    @Test("numbers are raised and never lowered; the window follows as it is")
    func numbers() {
        var standby = Standby()
        standby.copy([.sa(sa(2, outbound: true, sent: 500)), .sa(sa(1))])
        standby.work()
        standby.written = []
        func report(_ spi: UInt32, _ outbound: UInt64, _ inbound: UInt64) -> KernelRecord {
            var replay = KernelReplay(outbound: outbound, inbound: inbound)
            replay.bitmap = [0xff]
            return .numbers([SANumbers(key: SAKey(destination: spi == 2 ? peer : virtual, spi: spi), replay: replay)])
        }
        standby.send(report(2, 600, 0))
        standby.send(report(2, 100, 0))
        standby.send(report(1, 0, 300))
        standby.send(report(1, 0, 200))
        standby.send(report(9, 0, 200))
        standby.work()
        let writes = standby.written.compactMap { operation -> [UInt64]? in
            guard case .writeNumbers(let numbers) = operation else { return nil }
            return [numbers.replay.outbound, numbers.replay.inbound]
        }
        #expect(writes == [[1600, 0], [0, 300]])
        #expect(standby.counts["numbers.unknownSA"] == 1)
    }

    @Test("near the end of the number space the SA is closed, not repeated")
    func wrap() {
        var standby = Standby()
        standby.copy([.sa(sa(2, outbound: true, sent: 0xf000_0000))])
        standby.work()
        guard case .installSA(let written) = standby.written.first else {
            Issue.record("nothing written")
            return
        }
        #expect(written.replay.outbound == 0xffff_ffff && standby.counts["counters.rekeyRequired"] == 1)
    }

    @Test("what a copy does not name is deleted at its end, by key: policies first, then SAs")
    func sweep() {
        var standby = Standby()
        standby.copy([.sa(sa(1)), .sa(sa(2, outbound: true)), .policy(policy(8)), .sa(sa(3))])
        standby.work()
        standby.written = []
        standby.copy([.sa(sa(3))])
        standby.work()
        #expect(
            standby.written == [
                .deletePolicy(policy(8).key), .deleteSA(sa(2, outbound: true).key), .deleteSA(sa(1).key),
            ])
        #expect(standby.machine.isEqual && Set(standby.kernel.keys) == [.sa(sa(3).key)])
    }

    @Test("an SA with other keys under the same SPI is deleted and added; the same one is left alone")
    func update() {
        var standby = Standby()
        standby.copy([.sa(sa(2, outbound: true, sent: 50))])
        standby.work()
        standby.written = []
        standby.send(.sa(sa(2, outbound: true, sent: 10)))
        standby.work()
        #expect(standby.written.isEmpty)
        standby.send(.sa(sa(2, outbound: true, sent: 0, key: 9)))
        standby.work()
        #expect(standby.written.count == 2 && standby.written.first == .deleteSA(sa(2, outbound: true).key))
        guard case .installSA(let fresh)? = standby.written.last else { return }
        #expect(fresh.replay.outbound >= 1050, "numbers of the key before must not be lowered")
    }

    @Test("EEXIST is answered by deleting first; a second one is a refusal")
    func exists() {
        var standby = Standby()
        standby.codes = [17]
        standby.copy([.sa(sa(1))])
        standby.work()
        #expect(standby.written == [.installSA(sa(1)), .deleteSA(sa(1).key), .installSA(sa(1))])
        #expect(standby.machine.isEqual && standby.machine.refusedCount == 0)
        standby.codes = [17, 3, 17]
        standby.send(.sa(sa(2)))
        standby.work()
        #expect(standby.machine.refusedCount == 1 && standby.counts["kernel.writeRefused"] == 1)
    }

    @Test("out of memory: repeated after a pause, counted, in order, acknowledged only then")
    func memory() {
        var standby = Standby()
        standby.give(.copyBegan(sequence: 1))
        standby.sequence = 1
        standby.send(.sa(sa(1)))
        standby.send(.sa(sa(2)))
        standby.send(.sa(sa(3)))
        standby.codes = [0, 12, 105]
        standby.work()
        #expect(standby.acknowledged == 2 && standby.counts["kernel.writeRetried"] == 1)
        #expect(!standby.machine.hasWork(at: standby.now))
        #expect(standby.machine.nextDeadline == standby.now + ReplicationLimits.writeRetry)
        standby.now = standby.now + ReplicationLimits.writeRetry
        standby.written = []
        standby.work()
        #expect(standby.written == [.installSA(sa(2)), .installSA(sa(3))] && standby.acknowledged == 4)
    }

    @Test("a refusal is counted, the digest differs, a copy is asked for")
    func refused() {
        var standby = Standby()
        standby.codes = [22]
        standby.copy([.sa(sa(1)), .sa(sa(2))])
        standby.work()
        #expect(!standby.machine.isEqual && standby.copyRequests == 1 && standby.machine.refusedCount == 1)
        #expect(standby.acknowledged == 4)
        standby.copy([.sa(sa(1)), .sa(sa(2))])
        standby.work()
        #expect(standby.machine.isEqual && standby.machine.refusedCount == 0)
    }

    @Test("a mark that differs asks for a copy; one that is equal does not")
    func marks() {
        var standby = Standby()
        standby.copy([.sa(sa(1))])
        standby.give(.markReceived(digest: KernelRecord.sa(sa(1)).digest, sequence: 3))
        standby.work()
        #expect(standby.machine.isEqual && standby.copyRequests == 0)
        standby.give(.markReceived(digest: 5, sequence: 3))
        standby.work()
        #expect(!standby.machine.isEqual && standby.copyRequests == 1)
    }

    @Test("when the Active is gone its records are still carried out, but an unfinished copy sweeps nothing")
    func takeover() {
        var standby = Standby()
        standby.copy([.sa(sa(1)), .sa(sa(2))])
        standby.work()
        standby.give(.copyBegan(sequence: 10))
        standby.give(.recordReceived(KernelRecord.sa(sa(3)).encoded().bytes, sequence: 11))
        standby.give(.copyEnded(digest: 0, sequence: 12))
        standby.give(.peerForgotten)
        standby.work()
        #expect(Set(standby.kernel.keys) == [.sa(sa(1).key), .sa(sa(2).key), .sa(sa(3).key)])
    }

    @Test("records that do not decode are counted and acknowledged; the queue has its limit")
    func hostile() {
        var standby = Standby(tablesRead: false)
        standby.give(.recordReceived(SecretBytes([1, 99]), sequence: 1))
        standby.give(.recordReceived(SecretBytes([]), sequence: 2))
        #expect(standby.counts["record.unknownKind"] == 1 && standby.counts["record.malformed"] == 1)
        for number in 0...UInt64(ReplicationLimits.queuedWrites) {
            standby.give(.markReceived(digest: 0, sequence: number))
        }
        #expect(standby.counts["record.queueOverLimit"] == 3)
    }
}

@Suite("The table of what stands in a kernel")
struct KernelTableTests {
    @Test("the digest does not depend on the order, and returns when things go")
    func orderIndependence() {
        var left = KernelTable(ends: [virtual], inboundInterval: 100)
        var right = left
        let records: [KernelRecord] = (1...50).map { .sa(sa($0)) } + (1...20).map { .policy(policy($0)) }
        let fresh = records.map { left.observe($0).isNew }
        #expect(fresh.allSatisfy { $0 })
        for record in records.shuffled() { _ = right.observe(record) }
        #expect(left.digest == right.digest && left.digest != 0 && left.count == 70)
        let known = records.map { left.observe($0).isNew }
        #expect(!known.contains(true))
        for record in records.shuffled() { left.remove(record.key!) }
        #expect(left.digest == 0 && left.count == 0)
        let again = left.remove(records[0].key!)
        #expect(!again)
    }

    @Test("a reading finds what it did not see")
    func unseen() {
        var table = KernelTable(ends: [virtual], inboundInterval: 100)
        _ = table.observe(.sa(sa(1)))
        _ = table.observe(.sa(sa(2)))
        table.beginMarking()
        _ = table.observe(.sa(sa(2)))
        _ = table.observe(.sa(sa(3)))
        #expect(table.unseen() == [.sa(sa(1).key)])
    }

    @Test("moved numbers are told once: each packet sent, a window when it moved by the interval")
    func moved() {
        var table = KernelTable(ends: [virtual], inboundInterval: 100)
        _ = table.observe(.sa(sa(1)))
        _ = table.observe(.sa(sa(2, outbound: true)))
        var told = table.takeMoved()
        #expect(told.isEmpty)
        _ = table.observe(.sa(sa(2, outbound: true, sent: 1)))
        var window = sa(1)
        window.replay.inbound = 99
        _ = table.observe(.sa(window))
        told = table.takeMoved()
        #expect(told.map(\.key.spi) == [2])
        window.replay.inbound = 100
        _ = table.observe(.sa(window))
        told = table.takeMoved()
        #expect(told.map(\.key.spi) == [1])
        told = table.takeMoved()
        #expect(told.isEmpty)
    }

    @Test("who takes the role is late with nothing that was sent before, and tells what is sent from there on")
    func taken() {
        var table = KernelTable(ends: [virtual], inboundInterval: 100)
        let far = UInt64(settings.leastMargin) * 2
        _ = table.observe(.sa(sa(2, outbound: true)))
        _ = table.observe(.sa(sa(2, outbound: true, sent: far)))
        #expect(table.exceededCount(by: settings) == 1)
        table.beginTelling()
        #expect(table.exceededCount(by: settings) == 0)
        _ = table.observe(.sa(sa(2, outbound: true, sent: far + 1)))
        #expect(table.exceededCount(by: settings) == 0)
        #expect(table.takeMoved().map(\.replay.outbound) == [far + 1])
        _ = table.observe(.sa(sa(2, outbound: true, sent: 2 * far + 2)))
        #expect(table.exceededCount(by: settings) == 1)
    }

    @Test("a role taken behind a long silence raises what may have been sent since, before anything is sent")
    func staleTakeover() throws {
        var standby = Standby()
        standby.machine.settings.burstPacketsPerSecond = 100
        standby.copy([.sa(sa(2, outbound: true, sent: 500)), .sa(sa(3, outbound: true)), .sa(sa(1))])
        standby.work()
        standby.now = standby.now + .seconds(14)
        #expect(!standby.machine.areNumbersStale(at: standby.now))
        standby.now = standby.now + .seconds(46)
        #expect(standby.machine.areNumbersStale(at: standby.now))
        standby.give(.peerForgotten)
        standby.give(.staleRoleTaken)
        #expect(standby.machine.plannedRaises == 2)
        standby.written = []
        // Out of memory: the raise is made again. What the kernel refuses for good must not send.
        standby.codes = [12, 22]
        standby.work()
        #expect(standby.machine.isRaising)
        standby.now = standby.now + .seconds(1)
        standby.work()
        #expect(!standby.machine.isRaising)
        var raised: [UInt32: UInt64] = [:]
        var deleted: [UInt32] = []
        for operation in standby.written {
            switch operation {
            case .writeNumbers(let numbers): raised[numbers.key.spi] = numbers.replay.outbound
            case .deleteSA(let key): deleted.append(key.spi)
            default: Issue.record("unexpected \(operation)")
            }
        }
        #expect(raised[2] ?? 0 >= 500 + 1_600 + 6_000)
        #expect(raised[3] ?? 0 >= 1_600 + 6_000)
        #expect(deleted.count == 1)
    }

    /// The number that an SA was raised to.
    private func raised(_ standby: Standby, _ spi: UInt32) -> UInt64? {
        for case .writeNumbers(let numbers) in standby.written where numbers.key.spi == spi {
            return numbers.replay.outbound
        }
        return nil
    }

    /// Behind the least number of intervals that a forgotten life may have stood above what is known.
    private func far(behind number: UInt64) -> UInt64 {
        number + (SequenceMargin.forgottenIntervals.lowerBound - 1) * settings.outboundInterval
    }

    @Test("what was found in the kernel, and no copy has told of, is raised far before anything is sent")
    func foundAtStart() {
        var standby = Standby(tablesRead: false)
        #expect(standby.machine.areNumbersStale(at: standby.now), "what stands in the kernel is not known yet")
        _ = standby.machine.observe(.sa(sa(2, outbound: true, sent: 77_000)))
        standby.give(.tablesRead)
        standby.give(.idleSeen)
        #expect(standby.machine.areNumbersStale(at: standby.now), "that nobody sends now does not tell who has")
        var told = standby
        told.copy([.sa(sa(2, outbound: true, sent: 77_000))])
        #expect(!told.machine.areNumbersStale(at: told.now))
        var scarce = standby
        standby.give(.staleRoleTaken)
        #expect(standby.machine.isRaising)
        standby.work()
        #expect(!standby.machine.isRaising)
        #expect(raised(standby, 2) ?? 0 > far(behind: 77_000))
        scarce.codes = [12, 12]
        scarce.give(.staleRoleTaken)
        for _ in 0..<3 {
            scarce.written = []
            scarce.work()
            scarce.now = scarce.now + .seconds(1)
        }
        #expect(raised(scarce, 2) == raised(standby, 2), "a write that is made again goes no farther")
    }

    @Test("who takes a role again of which its successor has told nothing goes far behind its own numbers")
    func lostRole() {
        var standby = Standby()
        standby.copy([.sa(sa(2, outbound: true, sent: 500))])
        standby.work()
        standby.now = standby.now + .seconds(86_400)
        _ = standby.machine.observe(.sa(sa(2, outbound: true, sent: 900_000)))
        standby.give(.roleLost)
        standby.now = standby.now + .seconds(1)
        #expect(standby.machine.areNumbersStale(at: standby.now))
        standby.written = []
        standby.give(.staleRoleTaken)
        standby.work()
        let number = raised(standby, 2) ?? 0
        #expect(number > far(behind: 900_000) && number < SequenceMargin.lastUsable32)
    }

    @Test("a role taken before the tables were read is not taken until all that is found in them was raised")
    func takenBeforeReading() {
        var standby = Standby(tablesRead: false)
        standby.give(.staleRoleTaken)
        #expect(standby.machine.isRaising)
        _ = standby.machine.observe(.sa(sa(2, outbound: true, sent: 77_000)))
        standby.give(.tablesRead)
        standby.work()
        #expect(!standby.machine.isRaising && raised(standby, 2) ?? 0 > far(behind: 77_000))
        var empty = Standby(tablesRead: false)
        empty.give(.staleRoleTaken)
        empty.give(.tablesRead)
        #expect(!empty.machine.isRaising && !empty.machine.areNumbersStale(at: empty.now))
    }
}
