// SPDX-License-Identifier: Apache-2.0

import ByteCodec
import Primitives
import SecurityAssociations
import Testing

@Suite struct SequenceMarginTests {
    let settings = SequenceMargin.Settings(
        outboundInterval: 100_000, reportInterval: .seconds(1), hold: .seconds(10), lease: .seconds(3))

    func at(_ seconds: Double) -> Instant { Instant(nanoseconds: UInt64(seconds * 1e9)) }

    @Test("before any report the counter stands the configured interval ahead")
    func unreported() {
        let margin = SequenceMargin(isExtended: false)
        #expect(margin.decide(current: 0, settings) == .install(100_000))
        #expect(margin.decide(current: 99_999, settings) == .install(100_000))
        #expect(margin.decide(current: 100_000, settings) == .keep)
    }

    @Test("reports raise the counter and a high counter is never lowered")
    func reportsRaise() {
        var margin = SequenceMargin(isExtended: false)
        margin.reported(500, at: at(1))
        #expect(margin.decide(current: 100_000, settings) == .install(100_500))
        #expect(margin.decide(current: 100_501, settings) == .keep)
        #expect(margin.decide(current: 4_000_000_000, settings) == .keep)
    }

    @Test("a stale report changes nothing")
    func staleReport() {
        var margin = SequenceMargin(isExtended: false)
        margin.reported(5000, at: at(1))
        let before = margin
        let wasTaken = margin.reported(4999, at: at(2))
        #expect(!wasTaken)
        #expect(margin == before)
        let sameWasTaken = margin.reported(5000, at: at(2))
        #expect(sameWasTaken)
        #expect(margin.synced == 5000)
    }

    @Test("a fast SA gets four times its rate over the exposure")
    func rate() {
        var margin = SequenceMargin(isExtended: false)
        margin.reported(0, at: at(1))
        margin.reported(10_000, at: at(2))
        #expect(margin.packetsPerSecond == 10_000)
        #expect(margin.margin(settings) == 4 * 10_000 * 14)
        margin.reported(10_000, at: at(3))
        #expect(margin.packetsPerSecond == 8750)
    }

    @Test("the margin stops at its caps")
    func caps() {
        for isExtended in [false, true] {
            var margin = SequenceMargin(isExtended: isExtended)
            margin.reported(0, at: at(1))
            margin.reported(3_000_000_000, at: at(2))
            #expect(margin.margin(settings) == (isExtended ? 1 << 29 : 1 << 26))
        }
    }

    @Test("the margin covers a burst that no report has shown, until reports count as old and a little on")
    func burst() {
        var fast = settings
        fast.burstPacketsPerSecond = 1 << 20
        var margin = SequenceMargin(isExtended: false)
        margin.reported(5, at: at(1))
        #expect(margin.target(fast) == 5 + 16 << 20)
        // A configured margin above that stays.
        fast.outboundInterval = 40_000_000
        #expect(margin.target(fast) == 40_000_005)
    }

    @Test("behind a silence the target is what may have been sent meanwhile, and none where that has no bound")
    func silence() {
        var fast = settings
        fast.burstPacketsPerSecond = 1 << 20
        for isExtended in [false, true] {
            var margin = SequenceMargin(isExtended: isExtended)
            margin.reported(5, at: at(1))
            #expect(margin.target(fast, silence: .seconds(60)) == 5 + 76 << 20)
            #expect(margin.decide(current: 5 + 76 << 20, fast, silence: .seconds(60)) == .keep)
        }
        // A faster SA is bounded by four times its rate.
        var faster = SequenceMargin(isExtended: false)
        faster.reported(0, at: at(1))
        faster.reported(1_000_000, at: at(2))
        #expect(faster.target(fast, silence: .seconds(60)) == 1_000_000 + 4_000_000 * 14 + 4_000_000 * 60)
        // 32 bits are used up after an hour; 64 bits must not jump so far that a receiver takes it for a step back.
        let plain = SequenceMargin(isExtended: false)
        #expect(plain.decide(current: 0, fast, silence: .seconds(4_000)) == .rekeyRequired)
        let extended = SequenceMargin(isExtended: true)
        #expect(extended.target(fast, silence: .seconds(1_000)) != nil)
        #expect(extended.decide(current: 0, fast, silence: .seconds(1_030)) == .rekeyRequired)
    }

    @Test("32-bit numbers end in a rekey, never in a wrap", arguments: [0, 1, 2])
    func wrap32(step: UInt64) {
        var margin = SequenceMargin(isExtended: false)
        let last = SequenceMargin.lastUsable32 - 100_000
        margin.reported(last - 1 + step, at: at(1))
        let expected: SequenceMargin.Decision = step == 2 ? .rekeyRequired : .install(last - 1 + step + 100_000)
        #expect(margin.decide(current: 0, settings) == expected)
    }

    @Test("64-bit numbers pass the 32-bit border and end in a rekey too")
    func wrap64() {
        var margin = SequenceMargin(isExtended: true)
        margin.reported(0xffff_ffff, at: at(1))
        #expect(margin.decide(current: 0, settings) == .install(0xffff_ffff + 100_000))
        margin.reported(.max, at: at(1))
        #expect(margin.decide(current: 0, settings) == .rekeyRequired)
    }

    @Test("two reports in the same instant do not divide by zero and extreme rates saturate")
    func extremes() {
        var margin = SequenceMargin(isExtended: true)
        margin.reported(0, at: at(1))
        margin.reported(.max - 1, at: at(1.2))
        #expect(margin.packetsPerSecond > 0)
        #expect(margin.margin(settings) == SequenceMargin.largest64)
        margin.reported(.max, at: at(0.5))
        #expect(margin.decide(current: 1, settings) == .rekeyRequired)
    }

    @Test("whatever the order of reports, the installed number never falls and stays ahead of the reported one")
    func monotonous() {
        var generator = SystemLikeGenerator(seed: 7)
        for _ in 0..<200 {
            var margin = SequenceMargin(isExtended: false)
            var kernel: UInt64 = 0
            var sent: UInt64 = 0
            for second in 1..<50 {
                sent += generator.next() % 20_000
                let report = generator.next() % 5 == 0 ? sent / 2 : sent
                margin.reported(report, at: at(Double(second)))
                if case .install(let value) = margin.decide(current: kernel, settings) {
                    #expect(value > kernel)
                    kernel = value
                }
                #expect(kernel >= margin.synced + 100_000)
            }
        }
    }

    @Test("the promise is broken only beyond the margin")
    func exceeded() {
        #expect(!SequenceMargin.isExceeded(sent: 100, acknowledged: 100, margin: 10))
        #expect(!SequenceMargin.isExceeded(sent: 110, acknowledged: 100, margin: 10))
        #expect(SequenceMargin.isExceeded(sent: 111, acknowledged: 100, margin: 10))
        #expect(!SequenceMargin.isExceeded(sent: 0, acknowledged: .max, margin: 10))
    }

    @Test("an identity survives the wire and prints its SPI in hexadecimal")
    func identity() throws {
        let four = SAIdentity(destination: IPAddress(10, 1, 0, 5), spi: 0xc01b_75e7)
        let six = SAIdentity(destination: IPAddress(high: 0x2001_0db8 << 32, low: 5), spi: 0xc01b_75e7)
        for (identity, byteCount) in [(four, 9), (six, SAIdentity.maximumByteCount)] {
            var writer = ByteWriter()
            identity.encode(into: &writer)
            #expect(writer.count == byteCount)
            var reader = ByteReader(writer.bytes)
            #expect(try SAIdentity(parsing: &reader) == identity)
        }
        #expect(four.description == "10.1.0.5 esp 0xc01b75e7" && six.description == "2001:db8::5 esp 0xc01b75e7")
        #expect(four < six)
    }
}

/// A small linear generator, so that a failing case can be repeated.
struct SystemLikeGenerator {
    var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return state >> 33
    }
}
