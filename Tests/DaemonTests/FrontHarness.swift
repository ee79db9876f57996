// SPDX-License-Identifier: Apache-2.0

import Control
import Glibc
import LinuxIO
import Primitives
import Testing

@testable import Daemon

/// A front process in this process, with the test at the other end of every channel.
final class FrontHarness {
    let reactor: Reactor
    let node: FrontNode
    let supervisor: ProcessChannel
    let path: String
    var received: [ProcessMessage] = []
    /// What the other processes answer; by default nothing.
    var onQuery: [ProcessRole: (ControlRequest) -> [UInt8]?] = [:]
    private var others: [ProcessRole: ProcessChannel] = [:]
    private let listener: UnixListener

    static let text = """
        hostname R3
        interface eth1
         standby 10 ip 10.1.0.100
         standby 10 authentication text pa55word
         standby 10 name VPN
        """

    init(_ name: String) throws {
        reactor = try Reactor()
        let (ours, theirs) = try MessageSocket.pair()
        supervisor = try ProcessChannel(ours.take(), peer: .front, on: reactor)
        let channel = try ProcessChannel(theirs.take(), peer: .supervisor, on: reactor)
        node = FrontNode(supervisor: channel, fileName: "test.conf", on: reactor)
        path = "/tmp/havpn-\(name)-\(Reactor.now().nanoseconds).sock"
        listener = try UnixListener(path: path, mode: 0o600)
        supervisor.onMessage = { [unowned self] message, _ in received.append(message) }
        supervisor.send(.descriptor(.control, peer: .front), descriptor: listener.rawValue)
        try until { self.received.contains(.ready) }
    }

    deinit { unlink(path) }

    /// Gives front a channel to another process, whose end the test plays.
    func connect(_ role: ProcessRole) throws {
        let (ours, theirs) = try MessageSocket.pair()
        let end = try ProcessChannel(ours.take(), peer: .front, on: reactor)
        others[role] = end
        end.onMessage = { [unowned self, unowned end] message, _ in
            guard case .query(let number, let text) = message,
                let request = try? decodeJSON(ControlRequest.self, from: text),
                let answer = onQuery[role]?(request)
            else { return }
            // Answers travel in pieces.
            let middle = answer.count / 2
            end.send(.answer(number: number, isLast: false, text: Array(answer[..<middle])))
            end.send(.answer(number: number, isLast: true, text: Array(answer[middle...])))
        }
        let descriptor = theirs.take()
        supervisor.send(.descriptor(.processChannel, peer: role), descriptor: descriptor.rawValue)
        try until { self.node.others[role] != nil }
    }

    func configure(_ text: String, revision: UInt32 = 1) {
        supervisor.send(.configuration(revision: revision, text: [UInt8](text.utf8)))
    }

    func send(_ message: ProcessMessage, from role: ProcessRole) { others[role]?.send(message) }

    func disconnect(_ role: ProcessRole) { others[role] = nil }

    /// Serves events until `condition` holds, at most five seconds.
    func until(
        sourceLocation: SourceLocation = #_sourceLocation, _ condition: () -> Bool
    ) throws {
        let deadline = Reactor.now() + .seconds(5)
        while !condition() {
            try #require(Reactor.now() < deadline, "nothing happened", sourceLocation: sourceLocation)
            try reactor.runOnce(waitingAtMost: 50)
        }
    }

    /// A client that has connected and said nothing.
    func client() throws -> TestClient { TestClient(try UnixStream.connect(path: path)) }

    /// Sends a request and returns the answer's text.
    func ask(_ request: ControlRequest, sourceLocation: SourceLocation = #_sourceLocation) throws -> String {
        let client = try client()
        client.send(request)
        return try answer(to: client, sourceLocation: sourceLocation)
    }

    /// The next frame that a client gets.
    func answer(to client: TestClient, sourceLocation: SourceLocation = #_sourceLocation) throws -> String {
        try until(sourceLocation: sourceLocation) { client.next() }
        return client.frames.removeFirst()
    }

    func count(_ name: String) -> UInt64 { node.counters[name, default: 0] }
}

/// The test's end of a connection to the control socket.
final class TestClient {
    var frames: [String] = []
    var isClosed = false
    private let stream: UnixStream
    private var reader = FrameReader(maximumByteCount: Limits.answerByteCount)

    init(_ stream: UnixStream) { self.stream = stream }

    func send(_ request: ControlRequest) { send(bytes: FrameReader.frame(encodeJSON(request))) }

    func send(bytes: [UInt8]) { _ = stream.send(bytes[...]) }

    /// Reads what has arrived; true when a frame waits or the connection is over.
    func next() -> Bool {
        read: while true {
            switch stream.receive() {
            case .bytes(let bytes): reader.append(bytes)
            case .nothing: break read
            case .end:
                isClosed = true
                break read
            }
        }
        while let frame = try? reader.next() { frames.append(String(decoding: frame, as: UTF8.self)) }
        return !frames.isEmpty
    }
}
