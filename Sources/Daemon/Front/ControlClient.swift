// SPDX-License-Identifier: Apache-2.0

import Control
import LinuxIO
import Primitives

/// One connection to the control socket: one request in, one answer or a stream of events out.
///
/// ```
/// request ──► answer ──written──► closed
///    │   └──► monitor ─────────►    ▲
///    └── late, truncated, oversized, malformed, slow: counted ──┘
/// ```
final class ControlClient {
    private enum Phase {
        case request
        case answer
        case monitor
        case finishing
        case closed
    }

    /// Who connected, nil if the kernel does not say.
    let peer: PeerCredentials?
    /// Called once with the request.
    var onRequest: (ControlRequest) -> Void = { _ in }
    /// Called once when the connection is over.
    var onClosed: () -> Void = {}
    /// Called with the name of a counter.
    var onCount: (String) -> Void = { _ in }

    private let stream: UnixStream
    private let reactor: Reactor
    private var phase = Phase.request
    private var reader = FrameReader(maximumByteCount: Limits.requestByteCount)
    private var outgoing: [UInt8] = []
    private var sent = 0
    private var token: WatchToken?
    private var deadline: TimerToken?

    /// Takes over a connection that was accepted.
    init(_ stream: UnixStream, on reactor: Reactor) throws(SystemError) {
        self.stream = stream
        self.reactor = reactor
        peer = stream.peer
        token = try reactor.watch(stream.rawValue) { [weak self] readiness in self?.serve(readiness) }
        startDeadline(milliseconds: Limits.requestMilliseconds, counting: "control.late")
    }

    /// Tells whether the client follows events.
    var isMonitoring: Bool { phase == .monitor }

    /// Answers the request and ends the connection when the answer is written.
    func answer(_ text: [UInt8]) {
        guard phase == .request || phase == .answer else { return }
        phase = .finishing
        startDeadline(milliseconds: Limits.answerMilliseconds, counting: "control.slow")
        write(FrameReader.frame(text))
    }

    /// Answers with an error.
    func refuse(_ code: String, _ message: String) { answer(encodeJSON(ErrorView(code: code, message: message))) }

    /// Keeps the connection for events.
    func follow() {
        guard phase == .answer else { return }
        phase = .monitor
    }

    /// Sends an event to a client that follows them; one that does not keep up is dropped.
    func send(event text: [UInt8]) {
        guard phase == .monitor else { return }
        guard outgoing.count - sent + text.count <= Limits.monitorBacklogByteCount else { return drop("control.slow") }
        write(FrameReader.frame(text))
    }

    /// Ends the connection at once.
    func close() {
        guard phase != .closed else { return }
        phase = .closed
        if let token { reactor.unwatch(token) }
        if let deadline { reactor.cancel(deadline) }
        token = nil
        deadline = nil
        onClosed()
    }

    private func serve(_ readiness: Readiness) {
        if readiness.contains(.writable) { flush() }
        if phase != .closed, readiness.contains(.readable) { receive() }
    }

    private func receive() {
        switch stream.receive() {
        case .nothing: break
        case .end:
            if phase == .request { return drop(reader.bufferedByteCount > 0 ? "control.truncated" : nil) }
            close()
        case .bytes(let bytes):
            // After its request a client has nothing more to say; what it says is not kept.
            guard phase == .request else { return }
            reader.append(bytes)
            readRequest()
        }
    }

    private func readRequest() {
        do {
            guard let frame = try reader.next() else { return }
            cancelDeadline()
            let request = try decodeJSON(ControlRequest.self, from: frame)
            phase = .answer
            onRequest(request)
        } catch .oversized(let count) {
            onCount("control.oversized")
            refuse("oversized", "the request has \(count) bytes; expected at most \(Limits.requestByteCount)")
        } catch {
            onCount("control.malformed")
            refuse("malformed", "the request is not one that this release knows")
        }
    }

    private func write(_ bytes: [UInt8]) {
        if sent > 0 {
            outgoing.removeFirst(sent)
            sent = 0
        }
        outgoing += bytes
        flush()
    }

    private func flush() {
        while sent < outgoing.count {
            guard let count = stream.send(outgoing[sent...]) else { return close() }
            if count == 0 { break }
            sent += count
        }
        let isWritten = sent == outgoing.count
        if isWritten {
            outgoing = []
            sent = 0
            if phase == .finishing { return close() }
        }
        if let token { reactor.setWritable(token, !isWritten) }
    }

    private func drop(_ counter: String?) {
        if let counter { onCount(counter) }
        close()
    }

    private func startDeadline(milliseconds: Int, counting counter: String) {
        cancelDeadline()
        deadline = reactor.schedule(at: Reactor.now() + .milliseconds(milliseconds)) { [weak self] in
            self?.deadline = nil
            self?.drop(counter)
        }
    }

    private func cancelDeadline() {
        if let deadline { reactor.cancel(deadline) }
        deadline = nil
    }
}
