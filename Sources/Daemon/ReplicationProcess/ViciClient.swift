// SPDX-License-Identifier: Apache-2.0

import LinuxIO
import Primitives
import StrongSwan

/// One VICI stream to charon: requests out, replies in; it ends once, and its owner then asks for a new stream.
final class ViciClient {
    /// Why a stream ended.
    enum Ending: Sendable {
        /// charon closed it: most likely charon itself has ended.
        case closed
        /// The session cannot go on.
        case failed(ViciSession.ViciFailure)
        /// A system call failed.
        case system(SystemError)
    }

    /// Called once, never from within a call of the owner; open requests get no reply.
    var onEnd: (Ending) -> Void = { _ in }

    private let stream: ByteStream
    private let reactor: Reactor
    private var session = ViciSession()
    private var replies: [UInt64: (ViciReply) -> Void] = [:]
    private var lastNumber: UInt64 = 0
    private var waiting: [UInt8] = []
    private var token: WatchToken?
    private var timer: TimerToken?
    private var hasEnded = false

    /// Takes over a stream that is connected to charon's VICI socket.
    init(_ descriptor: consuming Descriptor, on reactor: Reactor) throws(SystemError) {
        self.reactor = reactor
        stream = ByteStream(descriptor)
        token = try reactor.watch(stream.rawValue) { [weak self] readiness in self?.serve(readiness) }
    }

    deinit { close() }

    /// Tells whether requests can still be answered.
    var isOpen: Bool { token != nil }

    /// Makes a request; `reply` is called when it is answered, and never if the stream ends before.
    func request(_ request: ViciRequest, reply: @escaping (ViciReply) -> Void) {
        guard isOpen else { return }
        lastNumber += 1
        replies[lastNumber] = reply
        handle(.requested(request, number: lastNumber))
    }

    /// Ends the stream without a word.
    func close() {
        if let token { reactor.unwatch(token) }
        if let timer { reactor.cancel(timer) }
        (token, timer) = (nil, nil)
        replies = [:]
        waiting = []
    }

    private func serve(_ readiness: Readiness) {
        if readiness.contains(.writable) { writeWaiting() }
        guard readiness.contains(.readable), isOpen else { return }
        do {
            switch try stream.read() {
            case .bytes(let bytes): handle(.received(bytes))
            case .nothing: break
            case .end: end(.closed)
            }
        } catch {
            end(.system(error))
        }
    }

    private func handle(_ event: ViciSession.Event) {
        var actions: [ViciSession.Action] = []
        session.handle(event, at: reactor.now, actions: &actions)
        for action in actions {
            switch action {
            case .write(let bytes):
                waiting += bytes
                writeWaiting()
            case .deliver(let reply, let number): replies.removeValue(forKey: number)?(reply)
            case .fail(let failure): end(.failed(failure))
            }
        }
        if let timer { reactor.cancel(timer) }
        timer = nil
        guard isOpen, let deadline = session.nextDeadline else { return }
        timer = reactor.schedule(at: deadline) { [weak self] in self?.handle(.deadlineReached) }
    }

    private func writeWaiting() {
        guard let token, !waiting.isEmpty else { return }
        do {
            waiting.removeFirst(try stream.write(waiting[...]))
            reactor.setWritable(token, !waiting.isEmpty)
        } catch {
            end(.system(error))
        }
    }

    private func end(_ ending: Ending) {
        guard !hasEnded else { return }
        hasEnded = true
        close()
        reactor.schedule(at: reactor.now) { [onEnd] in onEnd(ending) }
    }
}
