// SPDX-License-Identifier: Apache-2.0

import Glibc
import Primitives
import Testing

@testable import LinuxIO

@Suite("Reactor")
struct ReactorTests {
    @Test("timers fire in the order of their deadlines, equal ones in the order they were set")
    func timerOrder() throws {
        let reactor = try Reactor()
        var fired: [Int] = []
        let now = Reactor.now()
        reactor.schedule(at: now + .milliseconds(20)) {
            fired.append(3)
            reactor.stop()
        }
        reactor.schedule(at: now + .milliseconds(10)) { fired.append(1) }
        reactor.schedule(at: now + .milliseconds(10)) { fired.append(2) }
        let cancelled = reactor.schedule(at: now + .milliseconds(5)) { fired.append(9) }
        reactor.cancel(cancelled)
        try reactor.run()
        #expect(fired == [1, 2, 3])
        #expect(Reactor.now() >= now + .milliseconds(20))
    }

    @Test("a stop before the loop runs is not forgotten, and the loop can run again after it")
    func earlyStop() throws {
        let reactor = try Reactor()
        reactor.stop()
        try reactor.run()
        var isRun = false
        reactor.schedule(at: Reactor.now()) {
            isRun = true
            reactor.stop()
        }
        try reactor.run()
        #expect(isRun)
    }

    @Test("a handler sees one instant, the next one a later one, and whoever is none the present one")
    func now() throws {
        let reactor = try Reactor()
        var seen: [Instant] = []
        for _ in 0..<2 {
            reactor.schedule(at: Reactor.now()) {
                seen.append(reactor.now)
                usleep(2000)
                seen.append(reactor.now)
                if seen.count == 4 { reactor.stop() }
            }
        }
        try reactor.run()
        #expect(seen[0] == seen[1])
        #expect(seen[2] == seen[3])
        #expect(seen[2] >= seen[0] + .milliseconds(2))
        let outside = reactor.now
        usleep(2000)
        #expect(reactor.now >= outside + .milliseconds(2))
    }

    @Test("an earlier timer set later wakes the loop in time")
    func rearm() throws {
        let reactor = try Reactor()
        let start = Reactor.now()
        reactor.schedule(at: start + .seconds(5)) { Issue.record("too late") }
        reactor.schedule(at: start + .milliseconds(1)) {
            reactor.schedule(at: start + .milliseconds(5)) { reactor.stop() }
        }
        try reactor.run()
        #expect(Reactor.now().since(start) < .seconds(2))
    }

    @Test("a handler may unwatch the descriptor whose event comes next")
    func unwatchInHandler() throws {
        let reactor = try Reactor()
        let (first, second) = try MessageSocket.pair()
        let left = MessageSocket(first.take(), maximumByteCount: 16)
        let right = MessageSocket(second.take(), maximumByteCount: 16)
        _ = try left.send([1])
        _ = try right.send([2])
        var calls = 0
        var tokens: [WatchToken] = []
        for descriptor in [left.rawValue, right.rawValue] {
            tokens.append(
                try reactor.watch(descriptor) { _ in
                    calls += 1
                    for token in tokens { reactor.unwatch(token) }
                })
        }
        try reactor.runOnce(waitingAtMost: 1000)
        try reactor.runOnce(waitingAtMost: 0)
        #expect(calls == 1)
    }

    @Test("interest in writing can be turned on and off")
    func writable() throws {
        let reactor = try Reactor()
        let (first, second) = try MessageSocket.pair()
        let left = MessageSocket(first.take(), maximumByteCount: 16)
        var seen: [Readiness] = []
        let token = try reactor.watch(left.rawValue) { seen.append($0) }
        try reactor.runOnce(waitingAtMost: 0)
        #expect(seen.isEmpty)
        reactor.setWritable(token, true)
        try reactor.runOnce(waitingAtMost: 1000)
        #expect(seen == [.writable])
        reactor.setWritable(token, false)
        try reactor.runOnce(waitingAtMost: 0)
        #expect(seen.count == 1)
        _ = second.take()
        try reactor.runOnce(waitingAtMost: 1000)
        #expect(seen.last == [.readable, .closed])
    }

    @Test("a flood of due timers leaves room for descriptors in between")
    func fairness() throws {
        let reactor = try Reactor()
        var timersRun = 0
        for _ in 0..<1000 { reactor.schedule(at: Instant(nanoseconds: 1)) { timersRun += 1 } }
        try reactor.runOnce()
        #expect(timersRun == Reactor.Limits.timersPerWake)
    }

    @Test("ten thousand timers, half of them cancelled, come in order")
    func heap() {
        var queue = TimerQueue()
        var state: UInt64 = 42
        var fired: [UInt64] = []
        var tokens: [TimerToken] = []
        for _ in 0..<10_000 {
            state = state &* 6_364_136_223_846_793_005 &+ 1
            let deadline = Instant(nanoseconds: state >> 40)
            tokens.append(queue.insert(deadline) { fired.append(deadline.nanoseconds) })
        }
        for (position, token) in tokens.enumerated() where position % 2 == 0 { queue.cancel(token) }
        while let body = queue.popDue(at: Instant(nanoseconds: .max)) { body() }
        #expect(fired.count == 5000)
        #expect(fired == fired.sorted())
        #expect(queue.nextDeadline == nil)
    }
}
