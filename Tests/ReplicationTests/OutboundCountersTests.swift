// SPDX-License-Identifier: Apache-2.0

import Primitives
import Replication
import SecurityAssociations
import Testing

@Suite struct OutboundCountersTests {
    let settings = SequenceMargin.Settings(
        outboundInterval: 1000, reportInterval: .seconds(1), hold: .seconds(10), lease: .seconds(3))
    let peer = IPAddress(10, 1, 0, 5)

    func sa(_ spi: UInt32, outbound: UInt64 = 0) -> KernelSA {
        var sa = KernelSA(
            identity: SAIdentity(destination: peer, spi: spi), source: IPAddress(10, 1, 0, 100), requestID: 1)
        sa.replay.outbound = outbound
        return sa
    }

    func counter(_ spi: UInt32, _ sequence: UInt64) -> Frame.Counter {
        Frame.Counter(identity: SAIdentity(destination: peer, spi: spi), sequence: sequence)
    }

    func at(_ seconds: Int) -> Instant { Instant(nanoseconds: UInt64(seconds) * 1_000_000_000) }

    @Test("a role given away puts two margins above what was sent here: the successor stands on one of them")
    func successor() {
        var counters = OutboundCounters(settings: settings)
        counters.observe([sa(1, outbound: 5_000)])
        counters.noteSuccessor(at: at(1))
        #expect(counters.writes(at: at(1)).map(\.replay.outbound) == [7_000])
        // The successor's first report is what counts from then on; a number is never lowered.
        _ = counters.take(report: 1, isLast: true, [counter(1, 5_900)], at: at(1))
        counters.observe([sa(1, outbound: 7_000)])
        #expect(counters.writes(at: at(2)) == [])
    }

    @Test("a process that hears of its role behind the successor's report keeps to that")
    func lateSuccessor() {
        var counters = OutboundCounters(settings: settings)
        counters.observe([sa(1, outbound: 5_000), sa(2, outbound: 5_000)])
        _ = counters.take(report: 1, isLast: true, [counter(1, 9_000), counter(2, 5_500)], at: at(1))
        counters.noteSuccessor(at: at(2))
        let writes = counters.writes(at: at(2)).sorted { $0.identity < $1.identity }
        #expect(writes.map(\.replay.outbound) == [10_000, 7_000])
    }

    @Test("a process that was started behind the takeover goes far behind what it finds, but where a report tells more")
    func unknownTakeover() {
        var counters = OutboundCounters(settings: settings, life: 3)
        counters.observe([sa(1), sa(2, outbound: 5_000), sa(3, outbound: 100)])
        _ = counters.take(report: 1, isLast: true, [counter(3, 700)], at: at(0))
        counters.beginUnknownTakeover(at: at(1))
        let writes = counters.writes(at: at(1)).sorted { $0.identity < $1.identity }
        // Two margins, and as many intervals as this life has drawn: at least seven more.
        #expect(writes.map(\.identity.spi) == [1, 2, 3])
        #expect(writes[0].replay.outbound >= 9_000)
        #expect(writes[1].replay.outbound == writes[0].replay.outbound + 5_000)
        #expect(writes[2].replay.outbound == 1_700)
    }

    @Test("the jump of a takeover is no rate: the margin stays what it was")
    func jump() {
        var counters = OutboundCounters(settings: settings)
        counters.observe([sa(1)])
        for (second, sequence) in [(1, 10), (2, 20)] as [(Int, UInt64)] {
            _ = counters.take(report: UInt64(second), isLast: true, [counter(1, sequence)], at: at(1))
            _ = counters.writes(at: at(second))
        }
        counters.forgetPeer()
        _ = counters.take(report: 1, isLast: true, [counter(1, 100_000)], at: at(1))
        #expect(counters.writes(at: at(3)).map(\.replay.outbound) == [101_000])
    }

    @Test("what a standby has pre-advanced and never sent comes back where it was, and as an Active a margin higher")
    func preAdvancedComesBack() {
        for isActive in [false, true] {
            var counters = OutboundCounters(settings: settings)
            counters.observe([sa(1)])
            counters.noteSuccessor(at: at(0))
            _ = counters.take(report: 1, isLast: true, [counter(1, 5_000)], at: at(1))
            for write in counters.writes(at: at(1)) { counters.noteWritten(write) }
            #expect(counters.sa(sa(1).identity)?.replay.outbound == 6_000)
            if isActive { counters.forgetRole() }
            counters.forget(sa(1).identity)
            counters.observe(sa(1))
            #expect(counters.writes(at: at(1)).map(\.replay.outbound) == [isActive ? 7_000 : 6_000])
        }
    }

    @Test("an SA that went and comes back starts a margin behind what was sent with it here")
    func comesBack() {
        var counters = OutboundCounters(settings: settings)
        counters.observe([sa(1, outbound: 5_000), sa(2, outbound: 7_000)])
        counters.forget(sa(1).identity)
        counters.observe([])
        counters.observe([sa(1), sa(2)])
        #expect(Set(counters.writes(at: at(1)).map(\.replay.outbound)) == [6_000, 8_000])
        // A lower report of the Active is older than that.
        _ = counters.take(report: 1, isLast: true, [counter(1, 4_000)], at: at(1))
        #expect(counters.writes(at: at(2), only: sa(1).identity).map(\.replay.outbound) == [6_000])
    }

    @Test("of SAs that went only so many are remembered, the oldest first forgotten")
    func departedLimit() {
        var counters = OutboundCounters(settings: settings)
        let count = UInt32(ReplicationLimits.departedSAs) + 1
        counters.observe((1...count).map { sa($0, outbound: 5_000) })
        for spi in 1...count { counters.forget(sa(spi).identity) }
        counters.observe([sa(1), sa(count)])
        #expect(counters.writes(at: at(1), only: sa(1).identity).map(\.replay.outbound) == [1_000])
        #expect(counters.writes(at: at(1), only: sa(count).identity).map(\.replay.outbound) == [6_000])
    }

    @Test("an SA that comes behind a takeover is raised alone: what was read of others is old")
    func onlyOne() {
        var counters = OutboundCounters(settings: settings)
        counters.observe([sa(1), sa(2)])
        #expect(counters.writes(at: at(1), only: sa(2).identity).map(\.identity) == [sa(2).identity])
    }

    @Test("an SA that appears on a standby is advanced before anything was reported")
    func appears() {
        var counters = OutboundCounters(settings: settings)
        counters.observe(sa(1))
        let writes = counters.writes(at: at(1))
        #expect(writes.map(\.replay.outbound) == [1000])
        #expect(!counters.isInstalled)
        for write in writes { counters.noteWritten(write) }
        #expect(counters.writes(at: at(2)).isEmpty)
    }

    @Test("a number that the kernel has refused is behind until it is written, and a takeover must raise it")
    func refused() {
        var counters = OutboundCounters(settings: settings)
        #expect(!counters.isBehind)
        counters.observe(sa(1))
        #expect(counters.isBehind)
        #expect(counters.needsRaising(at: at(1)))
        for write in counters.writes(at: at(1)) { counters.noteWritten(write) }
        #expect(!counters.isBehind)
    }

    @Test("a report advances what it names, and only whole reports count")
    func report() {
        var counters = OutboundCounters(settings: settings)
        counters.observe([sa(1, outbound: 1000), sa(2, outbound: 1000)])
        var isComplete = counters.take(report: 1, isLast: false, [counter(1, 50)], at: at(1))
        #expect(!isComplete)
        #expect(counters.writes(at: at(1)).isEmpty)
        isComplete = counters.take(report: 1, isLast: true, [counter(2, 0), counter(9, 7)], at: at(1))
        #expect(isComplete)
        let writes = counters.writes(at: at(1))
        #expect(writes.map(\.identity.spi) == [1])
        #expect(writes.map(\.replay.outbound) == [1050])
        #expect(!counters.isInstalled)
        counters.noteWritten(writes[0])
        #expect(counters.isInstalled)
    }

    @Test("a former Active never goes back, and is advanced beyond its successor")
    func demotion() {
        var counters = OutboundCounters(settings: settings)
        counters.observe([sa(1, outbound: 5000)])
        #expect(counters.writes(at: at(1)).isEmpty)
        _ = counters.take(report: 1, isLast: true, [counter(1, 3000)], at: at(1))
        #expect(counters.writes(at: at(1)).isEmpty)
        _ = counters.take(report: 2, isLast: true, [counter(1, 8000)], at: at(1))
        #expect(counters.writes(at: at(2)).first?.replay.outbound ?? 0 >= 9000)
    }

    @Test("the write keeps the SA's own replay structure and mark")
    func structure() {
        var counters = OutboundCounters(settings: settings)
        var extended = sa(1)
        extended.replay = KernelReplay(
            outbound: 0, inbound: 3, windowPackets: 1, bitmap: [7], usesExtendedStructure: true)
        extended.flags = 128
        extended.mark = .init(value: 1, mask: 1)
        counters.observe(extended)
        let write = counters.writes(at: at(1)).first
        #expect(write?.replay.usesExtendedStructure == true)
        #expect(write?.replay.inbound == 3)
        #expect(write?.replay.bitmap == [7])
        #expect(write?.mark == .init(value: 1, mask: 1))
    }

    @Test("an SA that a copy brings, and that this process has never seen, may have been sent with in a life before")
    func forgottenLife() {
        var counters = OutboundCounters(settings: settings)
        counters.observe([sa(1)])
        counters.noteCopy(of: [1, 2])
        _ = counters.take(report: 1, isLast: true, [counter(1, 500), counter(2, 500), counter(3, 500)], at: at(1))
        counters.observe([sa(1), sa(2), sa(3)])
        let writes = counters.writes(at: at(1)).sorted { $0.identity < $1.identity }
        #expect(writes.map(\.replay.outbound) == [1_500, 9_500, 1_500])
        // Once: later reports count as ever.
        _ = counters.take(report: 2, isLast: true, [counter(2, 600)], at: at(1))
        counters.observe([sa(2, outbound: 9_500)])
        #expect(counters.writes(at: at(2)) == [])
    }

    @Test("an event that is older than a write does not bring the number back down")
    func staleEvent() {
        var counters = OutboundCounters(settings: settings)
        counters.observe([sa(1)])
        for write in counters.writes(at: at(1)) { counters.noteWritten(write) }
        counters.observe(sa(1))
        #expect(counters.writes(at: at(1), only: sa(1).identity) == [])
        // What is read anew is true, also where it is lower: the SA was made anew.
        counters.observe([sa(1)])
        #expect(counters.writes(at: at(1)).map(\.replay.outbound) == [1_000])
    }

    @Test("an Active knows which SAs may have passed what was promised")
    func exceeded() {
        var counters = OutboundCounters(settings: settings)
        counters.observe([sa(1, outbound: 900)])
        #expect(counters.exceeded.isEmpty)
        #expect(counters.report(number: 1) == [counter(1, 900)])
        counters.observe([sa(1, outbound: 1500)])
        #expect(counters.exceeded.map(\.spi) == [1])
        counters.confirm(report: 1)
        #expect(counters.exceeded.isEmpty)
        counters.observe([sa(1, outbound: 1901)])
        #expect(counters.exceeded.map(\.spi) == [1])
    }

    @Test("an SA near the end of its numbers is named for a rekey on both sides")
    func exhausted() {
        var active = OutboundCounters(settings: settings)
        active.observe([sa(1, outbound: SequenceMargin.lastUsable32), sa(2, outbound: 5)])
        _ = active.report(number: 1)
        #expect(active.exhausted.map(\.spi) == [1])
        var standby = OutboundCounters(settings: settings)
        standby.observe([sa(1)])
        _ = standby.take(report: 1, isLast: true, [counter(1, SequenceMargin.lastUsable32)], at: at(1))
        // No number is known to be unused: the kernel is brought to the one with which it sends nothing.
        #expect(standby.writes(at: at(1)).map(\.replay.outbound) == [UInt64(UInt32.max)])
        #expect(standby.exhausted.map(\.spi) == [1])
    }

    @Test("SAs that went are forgotten with what was confirmed of them")
    func forgotten() {
        var counters = OutboundCounters(settings: settings)
        counters.observe([sa(1), sa(2)])
        counters.forget(SAIdentity(destination: peer, spi: 1))
        #expect(counters.count == 1)
        counters.observe([])
        #expect(counters.count == 0)
    }

    @Test("an SA that reports no longer name may go on under another destination: its number grows old alone")
    func unnamed() {
        var settings = settings
        settings.burstPacketsPerSecond = 100
        var counters = OutboundCounters(settings: settings)
        counters.observe([sa(1), sa(2)])
        _ = counters.take(report: 1, isLast: true, [counter(1, 0), counter(2, 0)], at: at(1))
        for second in 2...30 {
            _ = counters.take(report: UInt64(second), isLast: true, [counter(1, 0)], at: at(second))
            for write in counters.writes(at: at(second)) { counters.noteWritten(write) }
            #expect(counters.areStale(at: at(second)) == (second > 16))
        }
        counters.beginStaleTakeover(at: at(30))
        #expect(counters.writes(at: at(30)).map(\.identity.spi) == [2])
        _ = counters.take(report: 31, isLast: true, [counter(1, 0), counter(2, 0)], at: at(31))
        #expect(!counters.areStale(at: at(31)))
    }

    @Test("what was told of an SA counts on when the peer, started anew, reports without it")
    func toldBeforeRestart() throws {
        var counters = OutboundCounters(settings: settings)
        counters.observe([sa(1, outbound: 500)])
        _ = counters.take(report: 1, isLast: true, [counter(1, 9_000_000)], at: at(1))
        counters.forgetPeer()
        _ = counters.take(report: 1, isLast: true, [], at: at(5))
        counters.forget(SAIdentity(destination: peer, spi: 1))
        counters.observe([sa(1)])
        let write = try #require(counters.writes(at: at(6)).first)
        #expect(write.replay.outbound > 9_000_000)
    }

    @Test("a copy brings back an SA that the Active itself lacks: it begins far behind a life that nobody remembers")
    func copiedFromNobody() throws {
        var counters = OutboundCounters(settings: settings, life: 5)
        counters.noteCopy(of: [1])
        counters.observe([sa(1)])
        #expect(counters.writes(at: at(1)).allSatisfy { $0.replay.outbound == 1_000 })
        _ = counters.take(report: 1, isLast: true, [], at: at(1))
        let write = try #require(counters.writes(at: at(1)).first)
        #expect(write.replay.outbound > 8_000)
    }

    @Test("what a process finds in the kernel, and nobody ever reported, is not known: a takeover goes far behind it")
    func foundAtStart() {
        var counters = OutboundCounters(settings: settings, life: 5)
        #expect(!counters.areStale(at: at(1)), "without an SA there is nothing to know")
        counters.observe([sa(1, outbound: 77_000)])
        counters.noteSuccessor(at: at(1))
        _ = counters.writes(at: at(1))
        counters.noteIdle(at: at(2))
        #expect(counters.areStale(at: at(2)), "that nobody sends now does not tell who has")
        var reported = counters
        _ = reported.take(report: 1, isLast: true, [counter(1, 77_000)], at: at(3))
        #expect(!reported.areStale(at: at(3)))
        counters.beginStaleTakeover(at: at(3))
        let number = counters.writes(at: at(3)).first?.replay.outbound ?? 0
        let least = 77_000 + (SequenceMargin.forgottenIntervals.lowerBound - 1) * settings.outboundInterval
        #expect(number > least + settings.outboundInterval)
        #expect(!counters.areStale(at: at(3)))
    }

    @Test("an Active that nobody ever told a number starts inherited SAs far behind zero, each once")
    func inheritedUntold() {
        let least = (SequenceMargin.forgottenIntervals.lowerBound - 1) * settings.outboundInterval
        for isTold in [false, true] {
            var counters = OutboundCounters(settings: settings, life: 5)
            counters.noteCopy(of: [1])
            if isTold { _ = counters.take(report: 1, isLast: true, [], at: at(1)) }
            counters.forgetRole()
            counters.observe(sa(1))
            let write = counters.writes(at: at(2), only: sa(1).identity).first
            #expect(write?.replay.outbound ?? 0 > least)
            if let write { counters.noteWritten(write) }
            #expect(counters.writes(at: at(3), only: sa(1).identity) == [])
        }
    }

    @Test("without a report for longer than the margin covers, a takeover counts in what was sent since")
    func staleTakeover() {
        var settings = settings
        settings.burstPacketsPerSecond = 100
        var counters = OutboundCounters(settings: settings)
        counters.observe([sa(1), sa(2), sa(3, outbound: 77_000)])
        _ = counters.take(report: 1, isLast: true, [counter(1, 500), counter(2, 4_294_967_000)], at: at(1))
        for write in counters.writes(at: at(1)) { counters.noteWritten(write) }
        #expect(!counters.areStale(at: at(15)))
        #expect(counters.areStale(at: at(16)))
        counters.noteIdle(at: at(16))
        #expect(!counters.areStale(at: at(17)))
        #expect(counters.areStale(at: at(76)))
        counters.forgetPeer()
        counters.forgetRole()
        counters.beginStaleTakeover(at: at(76))
        let numbers = Dictionary(
            uniqueKeysWithValues: counters.writes(at: at(76)).map { ($0.identity.spi, $0.replay.outbound) })
        // 16 s at 100 packets a second are the margin, 60 s are the silence; what nobody reported starts where it is.
        #expect(numbers == [1: 500 + 1_600 + 6_000, 3: 77_000 + 1_600 + 6_000])
        #expect(counters.sa(sa(2).identity)?.replay.outbound == UInt64(UInt32.max))
        counters.forgetRole()
        #expect(counters.writes(at: at(77)).map(\.identity.spi) == [3])
    }
}
