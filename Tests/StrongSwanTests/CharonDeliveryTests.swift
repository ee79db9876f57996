// SPDX-License-Identifier: Apache-2.0

import Primitives
import Testing

@testable import StrongSwan

/// A delivery machine with a charon that reads only when told to.
struct DeliveryBench {
    var delivery = CharonDelivery()
    var now = Instant(nanoseconds: 1_000_000_000)
    /// Sent and not read yet.
    var queue: [HAMessage] = []
    var read: [HAMessage] = []
    var dropCount: UInt64 = 0
    /// Everything the machine asked for but sends and looks at the queue.
    var told: [CharonDelivery.Action] = []
    var lookCount = 0
    /// What one datagram takes in the kernel.
    let datagramByteCount = 1_280
    var readsAtOnce = true
    /// charon's socket exists.
    var isThere = true
    var journal = CharonJournal()
    var planned = 0

    mutating func handle(_ event: CharonDelivery.Event) {
        if case .charonLost = event { queue = [] }
        var waiting = [event]
        while !waiting.isEmpty {
            var actions: [CharonDelivery.Action] = []
            delivery.handle(waiting.removeFirst(), at: now, actions: &actions)
            for action in actions {
                switch action {
                case .send(let message): if readsAtOnce { read.append(message) } else { queue.append(message) }
                case .observeQueue:
                    lookCount += 1
                    guard isThere else {
                        waiting.append(.charonLost)
                        continue
                    }
                    waiting.append(
                        .queueObserved(byteCount: queue.count * datagramByteCount, dropCount: dropCount))
                default: told.append(action)
                }
            }
        }
    }

    mutating func readAll() {
        read += queue
        queue = []
    }

    /// Lets time pass, deadline by deadline.
    mutating func pass(milliseconds: Int) {
        let end = now + .milliseconds(milliseconds)
        var rounds = 0
        while let due = delivery.nextDeadline, due <= end, rounds < 100_000 {
            now = max(now, due)
            rounds += 1
            handle(.deadlineReached)
        }
        now = end
    }

    /// Answers an open request for a plan from the journal and what charon was given so far.
    mutating func answerPlan(listing: [ListedIKE] = []) {
        planned += 1
        told.removeAll { if case .requestPlan = $0 { true } else { false } }
        handle(.planMade(ReconciliationPlan(journal: journal, listing: listing, version: .three)))
    }

    /// Brings the machine to where records flow.
    mutating func start() {
        handle(.versionLearned(.three))
        pass(milliseconds: 30)
        answerPlan()
        pass(milliseconds: 5)
        told = []
        read = []
    }

    mutating func arrive(_ fixture: HAFixture) throws {
        let message = try fixture.message()
        guard case .recorded(let sequence) = journal.append(message) else { return }
        handle(.recordArrived(CharonRecord(sequence: sequence, message: message)))
    }

    var kinds: [HAMessage.Kind] { read.map(\.kind) }
}

@Suite struct CharonDeliveryTests {
    @Test("nothing is sent before the version is known; then charon is compared first")
    func start() throws {
        var bench = DeliveryBench()
        try bench.arrive(.ikeAdd(pair(1)))
        bench.handle(.roleDecided(isActive: false))
        bench.pass(milliseconds: 5_000)
        #expect(bench.read.isEmpty)
        bench.handle(.versionLearned(.three))
        #expect(bench.told == [])
        bench.pass(milliseconds: 20)
        #expect(bench.told == [.requestPlan(reason: .started)])
        bench.answerPlan()
        #expect(bench.kinds == [.ikeAdd, .segmentTake, .status])
        #expect(bench.told == [.count(.sent), .acknowledge(sequence: 1), .reportRole(isActive: false)])
    }

    @Test("records reach charon once, in order, and are acknowledged when it has read them")
    func flow() throws {
        var bench = DeliveryBench()
        bench.start()
        try bench.arrive(.ikeAdd(pair(1)))
        try bench.arrive(.ikeUpdate(pair(1)))
        try bench.arrive(.childAdd(pair(1), inbound: 1, outbound: 2))
        #expect(bench.kinds == [.ikeAdd, .ikeUpdate, .childAdd])
        #expect(
            bench.told.filter { $0 != .count(.sent) } == [
                .acknowledge(sequence: 1), .acknowledge(sequence: 2), .acknowledge(sequence: 3),
            ])
    }

    @Test("a charon that does not read gets a bounded number of datagrams, and the rest when it does")
    func pacing() throws {
        var bench = DeliveryBench()
        bench.start()
        bench.readsAtOnce = false
        for number in 1...200 as ClosedRange<UInt64> { try bench.arrive(.ikeAdd(pair(number))) }
        bench.pass(milliseconds: 500)
        let inside = bench.queue.count
        #expect(inside * bench.datagramByteCount >= Limits.charonQueueByteCount)
        #expect(inside <= Limits.charonQueueByteCount / bench.datagramByteCount + Limits.deliveryBatchCount)
        #expect(!bench.told.contains { if case .acknowledge = $0 { true } else { false } })
        // Looking at a full queue gets rarer: 500 ms at 16 ms.
        #expect(bench.lookCount < 50)
        for _ in 0..<200 {
            bench.readAll()
            bench.pass(milliseconds: 16)
        }
        #expect(bench.read.compactMap { $0.identity?.spis.initiator } == Array(1...200))
        #expect(bench.told.last { $0 != .count(.sent) } == .acknowledge(sequence: 200))
    }

    @Test("a takeover comes behind every record before it, and STATUS says nothing in between")
    func takeover() throws {
        var bench = DeliveryBench()
        bench.start()
        bench.handle(.roleDecided(isActive: false))
        bench.pass(milliseconds: 2_100)
        #expect(bench.kinds == [.segmentTake, .status, .status, .status])
        #expect(bench.read.last == .status(serving: [1], version: .three))
        bench.read = []
        bench.readsAtOnce = false
        for number in 1...100 as ClosedRange<UInt64> { try bench.arrive(.ikeAdd(pair(number))) }
        bench.handle(.roleDecided(isActive: true))
        bench.pass(milliseconds: 3_000)
        #expect(!bench.queue.contains { $0.kind == .status })
        #expect(!bench.told.contains(.reportRole(isActive: true)))
        for _ in 0..<20 {
            bench.readAll()
            bench.pass(milliseconds: 16)
        }
        #expect(bench.kinds.prefix(100).allSatisfy { $0 == .ikeAdd })
        #expect(bench.kinds[100] == .segmentDrop)
        #expect(bench.read[101] == .status(serving: [], version: .three))
        #expect(bench.told.contains(.reportRole(isActive: true)))
    }

    @Test("a demotion is told by SEGMENT_TAKE and kept by STATUS{1}")
    func demotion() {
        var bench = DeliveryBench()
        bench.start()
        bench.handle(.roleDecided(isActive: true))
        bench.handle(.roleDecided(isActive: false))
        #expect(bench.read.suffix(2) == [.segmentTake([1], version: .three), .status(serving: [1], version: .three)])
    }

    @Test("lost datagrams lead to a comparison, whose plan replaces what waits")
    func drops() throws {
        var bench = DeliveryBench()
        bench.start()
        bench.dropCount = 3
        try bench.arrive(.ikeAdd(pair(1)))
        #expect(bench.told.contains(.count(.dropped)))
        try bench.arrive(.ikeUpdate(pair(1)))
        bench.pass(milliseconds: 25)
        #expect(bench.told.contains(.requestPlan(reason: .dropped)))
        bench.read = []
        bench.answerPlan()
        // The update arrived while planning: it is in the plan, and not delivered twice.
        #expect(bench.kinds == [.ikeAdd, .ikeUpdate])
    }

    @Test("a takeover does not wait for a routine comparison, but for one after a loss it does, at most a second")
    func takeoverWhilePlanning() throws {
        var routine = DeliveryBench()
        routine.start()
        routine.handle(.planWanted)
        routine.pass(milliseconds: 25)
        #expect(routine.told.contains(.requestPlan(reason: .requested)))
        try routine.arrive(.ikeAdd(pair(1)))
        routine.handle(.roleDecided(isActive: true))
        #expect(routine.kinds == [.ikeAdd, .segmentDrop, .status])
        // The late answer changes nothing.
        routine.answerPlan()
        #expect(routine.read.count == 3)

        var copied = DeliveryBench()
        copied.start()
        copied.handle(.copyReplaced)
        copied.pass(milliseconds: 25)
        #expect(copied.told.contains(.requestPlan(reason: .copied)))
        try copied.arrive(.ikeAdd(pair(1)))
        copied.handle(.roleDecided(isActive: true))
        #expect(copied.kinds == [])
        #expect(copied.delivery.isAwaitingPlan)
        copied.answerPlan()
        #expect(copied.kinds == [.ikeAdd, .segmentDrop, .status])

        var loss = DeliveryBench()
        loss.start()
        loss.dropCount = 1
        try loss.arrive(.ikeAdd(pair(1)))
        loss.read = []
        loss.pass(milliseconds: 25)
        loss.handle(.roleDecided(isActive: true))
        try loss.arrive(.ikeUpdate(pair(1)))
        #expect(loss.read.isEmpty)
        loss.pass(milliseconds: 1_000)
        #expect(loss.kinds == [.ikeUpdate, .segmentDrop, .status])
    }

    @Test("a restarted standby charon is compared, filled and told its role again")
    func standbyRestart() throws {
        var bench = DeliveryBench()
        bench.start()
        bench.handle(.roleDecided(isActive: false))
        try bench.arrive(.ikeAdd(pair(1)))
        bench.isThere = false
        bench.handle(.charonLost)
        try bench.arrive(.ikeUpdate(pair(1)))
        bench.pass(milliseconds: 3_000)
        bench.read = []
        bench.told = []
        bench.isThere = true
        bench.handle(.versionLearned(.three))
        bench.pass(milliseconds: 25)
        #expect(bench.told == [.requestPlan(reason: .restarted)])
        bench.answerPlan()
        // The record sent just before the end is suspect, and goes alone.
        #expect(bench.kinds == [.ikeAdd])
        bench.pass(milliseconds: 5)
        #expect(bench.kinds == [.ikeAdd, .ikeUpdate, .segmentTake, .status])
        // Nobody knows whether its configuration was loaded yet: it is compared once more.
        bench.told = []
        bench.pass(milliseconds: 1_100)
        #expect(bench.told.contains(.requestPlan(reason: .requested)))
        bench.answerPlan(listing: [listed(pair(1))])
        bench.told = []
        bench.pass(milliseconds: 60_000)
        #expect(!bench.told.contains { if case .requestPlan = $0 { true } else { false } })
    }

    /// Behind the loss of its charon, in whichever role, this node is Active as it starts.
    private func takenWithoutCharon(wasActive: Bool) throws -> DeliveryBench {
        var bench = DeliveryBench()
        bench.start()
        bench.handle(.roleDecided(isActive: wasActive))
        try bench.arrive(.ikeAdd(pair(1)))
        bench.isThere = false
        bench.handle(.charonLost)
        if wasActive { bench.handle(.roleDecided(isActive: false)) }
        bench.handle(.roleDecided(isActive: true))
        bench.pass(milliseconds: 3_000)
        (bench.read, bench.told) = ([], [])
        bench.isThere = true
        bench.handle(.versionLearned(.three))
        bench.pass(milliseconds: 25)
        return bench
    }

    @Test("a charon that starts behind a takeover is filled before it hears its role, and has time to load connections")
    func startsBehindTakeover() throws {
        for wasActive in [false, true] {
            var bench = try takenWithoutCharon(wasActive: wasActive)
            #expect(bench.told == [.requestPlan(reason: .restarted)])
            bench.pass(milliseconds: 3_000)
            #expect(!bench.kinds.contains(.segmentDrop))
            bench.answerPlan()
            bench.pass(milliseconds: 10)
            #expect(bench.kinds == [.ikeAdd, .segmentDrop, .status])
        }
        var silent = try takenWithoutCharon(wasActive: false)
        silent.pass(milliseconds: 7_000)
        #expect(silent.kinds.contains(.segmentDrop))
    }

    @Test("a loss is believed when none of the journal's SAs is listed, and of a new process when nothing is")
    func lossSuspicion() throws {
        var bench = DeliveryBench()
        bench.start()
        for suspicion in [LossSuspicion.seen, .notSeen] {
            #expect(!suspicion.isConfirmed(by: [], journal: bench.journal))
        }
        try bench.arrive(.ikeAdd(pair(1)))
        for (suspicion, believes) in [(LossSuspicion.seen, true), (.notSeen, false)] {
            #expect(suspicion.isConfirmed(by: [], journal: bench.journal))
            #expect(!suspicion.isConfirmed(by: [listed(pair(1))], journal: bench.journal))
            #expect(suspicion.isConfirmed(by: [listed(pair(2))], journal: bench.journal) == believes)
        }
        // One that was rekeyed while nobody could be told has the children all the same.
        try bench.arrive(.ikeUpdate(pair(1)))
        try bench.arrive(.childAdd(pair(1), inbound: 0x11, outbound: 0x12))
        let child = try #require(bench.journal.expected.childSAs.keys.first)
        let successor = listed(pair(2), children: [child])
        #expect(!LossSuspicion.seen.isConfirmed(by: [successor], journal: bench.journal))
    }

    @Test("a charon whose socket only seemed to be gone is found again")
    func falseLoss() throws {
        var bench = DeliveryBench()
        bench.start()
        bench.handle(.roleDecided(isActive: false))
        bench.isThere = false
        try bench.arrive(.ikeAdd(pair(1)))
        bench.pass(milliseconds: 2_500)
        #expect(!bench.told.contains(.requestPlan(reason: .restarted)))
        bench.isThere = true
        bench.pass(milliseconds: 1_100)
        #expect(bench.told.contains(.requestPlan(reason: .restarted)))
    }

    @Test("the loss of an active charon is reported; its successor is made active with nothing replayed")
    func activeRestart() throws {
        var bench = DeliveryBench()
        bench.start()
        bench.handle(.roleDecided(isActive: true))
        bench.handle(.planWanted)
        bench.pass(milliseconds: 100)
        #expect(!bench.told.contains { if case .requestPlan = $0 { true } else { false } })
        bench.handle(.charonLost)
        #expect(bench.told.contains(.reportActiveLoss))
        bench.read = []
        bench.told = []
        bench.handle(.versionLearned(.three))
        #expect(bench.kinds == [.segmentDrop, .status])
        // RESYNC, a second after the start.
        bench.handle(.charonRestarted)
        #expect(bench.kinds == [.segmentDrop, .status, .segmentDrop, .status])
    }

    @Test("more than the queue may hold is replaced by a comparison")
    func overLimit() throws {
        var bench = DeliveryBench()
        bench.start()
        bench.readsAtOnce = false
        let message = try HAFixture.ikeAdd(pair(1)).message()
        for sequence in 1...UInt64(Limits.deliveryQueueCount + 100) {
            bench.handle(.recordArrived(CharonRecord(sequence: sequence, message: message)))
            guard bench.told.contains(.count(.overLimit)) else { continue }
            break
        }
        #expect(bench.told.contains(.count(.overLimit)))
        #expect(bench.delivery.backlogCount == 0)
        bench.readAll()
        bench.pass(milliseconds: 50)
        #expect(bench.told.contains(.requestPlan(reason: .overLimit)))
    }

    @Test("a record that charon died of twice is held back, its neighbours are not")
    func poison() throws {
        var bench = DeliveryBench()
        bench.start()
        for number in 1...5 as ClosedRange<UInt64> { try bench.arrive(.ikeAdd(pair(number))) }
        // The third one kills: nothing behind it is read.
        func deliverUntilDeath(_ bench: inout DeliveryBench) -> Int {
            bench.read = []
            bench.handle(.versionLearned(.three))
            bench.pass(milliseconds: 25)
            bench.answerPlan()
            for _ in 0..<30 {
                if let index = bench.read.firstIndex(where: { $0.identity?.spis == pair(3) }) {
                    bench.handle(.charonLost)
                    return index
                }
                bench.pass(milliseconds: 1)
            }
            return -1
        }
        bench.handle(.charonLost)
        #expect(deliverUntilDeath(&bench) == 2)
        #expect(bench.read.count == 3)
        #expect(deliverUntilDeath(&bench) == -1)
        #expect(bench.read.compactMap { $0.identity?.spis } == [pair(1), pair(2), pair(4), pair(5)])
        #expect(bench.told.contains(.count(.poisoned)))
    }

    @Test("a record of another version is translated, or counted if the local charon cannot express it")
    func translation() throws {
        var bench = DeliveryBench()
        bench.start()
        try bench.arrive(.ikeAdd(pair(1), version: 4))
        let multiple = HAFixture.ikeAdd(pair(2), version: 4).chunk(26, [0, 36])
        try bench.arrive(multiple)
        #expect(bench.read.map(\.version) == [.three])
        #expect(bench.told.contains(.count(.untranslatable)))
        #expect(bench.told.contains(.acknowledge(sequence: 2)))
    }

    @Test("when a lost role command is noticed it is said again")
    func lostCommand() {
        var bench = DeliveryBench()
        bench.start()
        bench.dropCount = 1
        bench.handle(.roleDecided(isActive: true))
        #expect(bench.kinds.filter { $0 == .segmentDrop }.count == 2)
        #expect(bench.told.filter { $0 == .reportRole(isActive: true) }.count == 1)
    }
}
