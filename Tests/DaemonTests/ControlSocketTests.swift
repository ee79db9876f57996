// SPDX-License-Identifier: Apache-2.0

import Control
import LinuxIO
import Primitives
import Testing

@testable import Daemon

/// What strangers do to the control socket.
@Suite("Hostile clients")
struct ControlSocketTests {
    @Test("nonsense is answered with an error, counted, and disturbs nobody")
    func malformed() throws {
        let front = try FrontHarness("malformed")
        let deep = String(repeating: "[", count: 60_000)
        for text in ["nonsense", "{}", #"{"command":"show me"}"#, deep, #"{"command":"reload","wait":1e999}"#] {
            let client = try front.client()
            client.send(bytes: FrameReader.frame([UInt8](text.utf8)))
            #expect(try front.answer(to: client).contains(#""code":"malformed""#))
        }
        #expect(front.count("control.malformed") == 5)
        #expect(try front.ask(ControlRequest(.showVersion)).contains("version"))
    }

    @Test("a request longer than the limit is refused at its length")
    func oversized() throws {
        let front = try FrontHarness("oversized")
        let client = try front.client()
        client.send(bytes: [0, 1, 0, 1])
        #expect(try front.answer(to: client).contains(#""code":"oversized""#))
        try front.until { client.next() || client.isClosed }
        #expect(front.count("control.oversized") == 1)
    }

    @Test("a truncated request is counted")
    func truncated() throws {
        let front = try FrontHarness("truncated")
        do {
            let client = try front.client()
            client.send(bytes: [0, 0, 0, 9, 1, 2])
            try front.until { front.node.server?.clientCount == 1 }
        }
        try front.until { front.count("control.truncated") == 1 }
        // Who connects and says nothing at all is no news.
        do { _ = try front.client() }
        try front.until { front.node.server?.clientCount == 0 }
        #expect(front.count("control.truncated") == 1)
    }

    @Test("a request that is not whole within a second is dropped")
    func late() throws {
        let front = try FrontHarness("late")
        let client = try front.client()
        client.send(bytes: [0, 0])
        let start = Reactor.now()
        try front.until {
            _ = client.next(); return client.isClosed
        }
        #expect((900...3000).contains(Reactor.now().since(start).milliseconds))
        #expect(front.count("control.late") == 1)
    }

    @Test("the seventeenth client is turned away, and gets in when another leaves")
    func crowd() throws {
        let front = try FrontHarness("crowd")
        var clients: [TestClient] = []
        for _ in 0..<Limits.clientCount {
            let client = try front.client()
            client.send(ControlRequest(.monitor))
            clients.append(client)
            try front.until { front.node.server?.clientCount == clients.count }
        }
        let late = try front.client()
        #expect(try front.answer(to: late).contains(#""code":"busy""#))
        #expect(front.count("control.refused") == 1)
        clients.removeLast()
        try front.until { front.node.server?.clientCount == Limits.clientCount - 1 }
        #expect(try front.ask(ControlRequest(.showVersion)).contains("version"))
    }

    @Test("a follower that does not read is dropped when too much waits")
    func slow() throws {
        let front = try FrontHarness("slow")
        let client = try front.client()
        client.send(ControlRequest(.monitor))
        try front.until { front.count("control.requests") == 1 }
        let event = EventView("log", line: String(repeating: "x", count: 10_000))
        for _ in 0..<200 { front.node.note(event) }
        #expect(front.count("control.slow") == 1)
        #expect(front.node.server?.clientCount == 0)
    }

    @Test("an answer of many megabytes arrives")
    func large() throws {
        let front = try FrontHarness("large")
        try front.connect(.replication)
        var view = SessionView()
        view.sessions = Array(repeating: SessionView.Session(), count: 20_000)
        let whole = encodeJSON(view)
        front.onQuery[.replication] = { _ in nil }
        let client = try front.client()
        client.send(ControlRequest(.showSession))
        try front.until { front.count("control.requests") == 1 }
        var start = 0
        while start < whole.count {
            let end = min(start + ProcessMessage.maximumAnswerByteCount, whole.count)
            front.send(
                .answer(number: 1, isLast: end == whole.count, text: Array(whole[start..<end])), from: .replication)
            start = end
            try front.reactor.runOnce(waitingAtMost: 0)
            _ = client.next()
        }
        #expect(try front.answer(to: client).utf8.count == whole.count)
        #expect(whole.count > 2_000_000)
    }

    @Test("answers that nobody asked for are counted")
    func unexpected() throws {
        let front = try FrontHarness("unexpected")
        try front.connect(.failover)
        front.send(.answer(number: 77, isLast: true, text: []), from: .failover)
        front.send(.stopped, from: .failover)
        try front.until { front.count("query.unexpected") == 1 && front.count("channel.unexpected") == 1 }
    }
}
