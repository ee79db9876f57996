// SPDX-License-Identifier: Apache-2.0

import LinuxIO
import Testing

@testable import Daemon

@Suite("Channel between processes")
struct ProcessChannelTests {
    private func makePair(_ reactor: Reactor) throws -> (ProcessChannel, ProcessChannel) {
        let (left, right) = try MessageSocket.pair()
        return (
            try ProcessChannel(left.take(), peer: .failover, on: reactor),
            try ProcessChannel(right.take(), peer: .supervisor, on: reactor)
        )
    }

    @Test("frames arrive in order, with their descriptors")
    func order() throws {
        let reactor = try Reactor()
        let (left, right) = try makePair(reactor)
        var received: [ProcessMessage] = []
        var descriptors = 0
        right.onMessage = { message, holder in
            received.append(message)
            if holder?.take().rawValue ?? -1 >= 0 { descriptors += 1 }
        }
        left.send(.ready)
        left.send(.descriptor(.control, peer: .front), descriptor: 0)
        left.send(.stopped)
        while received.count < 3 { try reactor.runOnce(waitingAtMost: 1000) }
        #expect(received == [.ready, .descriptor(.control, peer: .front), .stopped])
        #expect(descriptors == 1)
    }

    @Test("more than the kernel's queue holds waits and then arrives")
    func waits() throws {
        let reactor = try Reactor()
        let (left, right) = try makePair(reactor)
        let text = [UInt8](repeating: 1, count: 100_000)
        var received = 0
        right.onMessage = { message, _ in
            if case .configuration(let revision, let body) = message, Int(revision) == received, body == text {
                received += 1
            }
        }
        for revision in 0..<40 { left.send(.configuration(revision: UInt32(revision), text: text)) }
        while received < 40 { try reactor.runOnce(waitingAtMost: 1000) }
        #expect(left.counters.isEmpty)
    }

    @Test("a reader that sleeps costs events first, then the channel")
    func limits() throws {
        let reactor = try Reactor()
        let (left, right) = try makePair(reactor)
        var isClosed = false
        left.onClosed = { isClosed = true }
        let text = [UInt8](repeating: 1, count: 100_000)
        for _ in 0..<100 { left.send(.event(text: text)) }
        #expect(left.counters["channel.dropped", default: 0] > 0)
        #expect(!isClosed)
        for _ in 0..<100 { left.send(.configuration(revision: 0, text: text)) }
        #expect(isClosed)
        #expect(!left.isOpen)
        #expect(right.isOpen)
    }

    @Test("the end of one side is told to the other once")
    func end() throws {
        let reactor = try Reactor()
        let (left, right) = try MessageSocket.pair()
        let channel = try ProcessChannel(left.take(), peer: .front, on: reactor)
        var closed = 0
        channel.onClosed = { closed += 1 }
        _ = right.take()
        try reactor.runOnce(waitingAtMost: 1000)
        try reactor.runOnce(waitingAtMost: 0)
        #expect(closed == 1)
    }
}
