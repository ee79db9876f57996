// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Control
import LinuxIO
import Primitives

/// A connection to the daemon's control socket.
final class Connection {
    /// How long the daemon may be silent before it counts as hung; longer than any command takes.
    private static let silenceMilliseconds = 15_000

    private let options: Options
    private let stream: UnixStream
    private let reactor: Reactor
    private var reader = FrameReader(maximumByteCount: Limits.answerByteCount)

    /// Connects, or says that no daemon is there.
    init(_ options: Options) throws {
        self.options = options
        do {
            reactor = try Reactor()
            stream = try UnixStream.connect(path: options.socket)
        } catch  where error.code == SystemCode.permissionDenied {
            throw Output.fail(
                "you may not open \(options.socket); only its owner and its group may", status: 1, json: options.json,
                code: "not-permitted")
        } catch {
            throw Output.fail(
                "no daemon answers at \(options.socket) (\(error.reason)); is havpnd running?", status: 3,
                json: options.json, code: "no-daemon")
        }
    }

    /// Sends a request and returns the answer; an error of the daemon is printed and ends with status 1.
    func ask(_ request: ControlRequest) throws -> [UInt8] {
        try send(request)
        guard let answer = try nextFrame(silenceMilliseconds: Self.silenceMilliseconds) else {
            throw Output.fail(
                "the daemon closed the connection without an answer", status: 3, json: options.json, code: "no-daemon")
        }
        try checkError(answer)
        return answer
    }

    /// Sends a request and hands every frame to `body` until the daemon closes.
    func follow(_ request: ControlRequest, _ body: ([UInt8]) -> Void) throws {
        try send(request)
        while let frame = try nextFrame(silenceMilliseconds: nil) {
            try checkError(frame)
            body(frame)
        }
        throw Output.fail("the daemon closed the connection", status: 3, json: options.json, code: "no-daemon")
    }

    private func send(_ request: ControlRequest) throws {
        let bytes = FrameReader.frame(encodeJSON(request))
        var sent = 0
        while sent < bytes.count {
            // A daemon that refuses the connection may have closed it already; its reason can still be read.
            guard let count = stream.send(bytes[sent...]) else { return }
            sent += count
            if count == 0 { try wait(writable: true, milliseconds: Self.silenceMilliseconds) }
        }
    }

    private func nextFrame(silenceMilliseconds: Int?) throws -> [UInt8]? {
        while true {
            do {
                if let frame = try reader.next() { return frame }
            } catch {
                throw Output.fail(
                    "the daemon's answer is longer than \(Limits.answerByteCount) bytes", status: 1,
                    json: options.json, code: "oversized")
            }
            switch stream.receive() {
            case .bytes(let bytes): reader.append(bytes)
            case .end: return nil
            case .nothing: try wait(writable: false, milliseconds: silenceMilliseconds)
            }
        }
    }

    /// Waits until the socket is ready.
    private func wait(writable: Bool, milliseconds: Int?) throws {
        var isReady = false
        let token = try reactor.watch(stream.rawValue, readable: !writable, writable: writable) { _ in isReady = true }
        defer { reactor.unwatch(token) }
        let deadline = milliseconds.map { Reactor.now() + .milliseconds($0) }
        while !isReady {
            let left = deadline.map { Int32($0.since(Reactor.now()).milliseconds) } ?? -1
            if left == 0 {
                throw Output.fail("the daemon does not answer", status: 3, json: options.json, code: "no-daemon")
            }
            try reactor.runOnce(waitingAtMost: left)
        }
    }

    private func checkError(_ answer: [UInt8]) throws {
        // Keys are sorted and an error has no other: no need to parse a large answer twice.
        guard answer.starts(with: #"{"error":"#.utf8), let view = try? decodeJSON(ErrorView.self, from: answer) else {
            return
        }
        if options.json {
            Output.write(answer + [UInt8(ascii: "\n")])
        } else {
            Output.error(view.text)
        }
        throw ExitCode(1)
    }
}
