// SPDX-License-Identifier: Apache-2.0

import FirstHop
import Primitives
import Testing

@testable import ClusterSimulation

@Suite struct SeedTests {
    @Test("the same seed gives the same run, to the last line of the log")
    func determinism() {
        for seed in [1, 2, 3] as [UInt64] {
            let first = Run.perform(Schedule(seed: seed), isLogging: true)
            let second = Run.perform(Schedule(seed: seed), isLogging: true)
            #expect(first.log == second.log)
            #expect(first.eventCount == second.eventCount)
            #expect(first.log.count > 50)
        }
    }

    @Test(
        "schedules that broke a promise once",
        arguments: [7, 38, 147, 168, 201, 204, 351, 444, 498, 541, 661, 707, 754, 820] as [UInt64])
    func formerFailures(seed: UInt64) {
        #expect(Run.perform(Schedule(seed: seed)).violation == nil)
    }

    @Test("another seed gives another run")
    func seedsDiffer() {
        let first = Run.perform(Schedule(seed: 1), isLogging: true)
        let second = Run.perform(Schedule(seed: 2), isLogging: true)
        #expect(first.log != second.log)
    }

    @Test("every schedule has its faults and its length")
    func schedules() {
        for seed in 1...50 as ClosedRange<UInt64> {
            #expect(Schedule(seed: seed).faults.count >= Schedule.leastFaults)
        }
        #expect(Run.perform(Schedule(seed: 1)).milliseconds >= 60_000)
    }

    @Test("events leave the queue by time, and in their order at one time")
    func queueOrder() {
        var queue = EventQueue()
        var random = SplitMix64(seed: 7)
        var left: [Int] = []
        for number in 0..<500 {
            let at = UInt64.random(in: 0...50, using: &random)
            queue.add(.init(owner: nil, generation: 0) { left.append(Int(at) * 1_000 + number) }, at: at)
        }
        while let item = queue.pop() { item.body() }
        #expect(left == left.sorted())
        #expect(left.count == 500)
    }

    @Test("a clock that runs at its own rate shows an instant no earlier than asked, after a pause too")
    func clock() {
        var clock = NodeClock(rate: -9_999, start: 77)
        clock.skip(from: 5 * second, to: 9 * second)
        for milliseconds in [5_000, 5_001, 70_000] as [Int] {
            let instant = Instant(nanoseconds: 77) + .milliseconds(milliseconds)
            let time = clock.global(for: instant)
            #expect(clock.local(at: time) >= instant)
            #expect(clock.local(at: time).since(instant) < .milliseconds(1))
        }
    }
}
