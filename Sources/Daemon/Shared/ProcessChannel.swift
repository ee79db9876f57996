// SPDX-License-Identifier: Apache-2.0

import LinuxIO

/// One end of the socketpair between two of our processes: frames in, frames out, in order.
///
/// What does not fit into the kernel's queue waits here. A reader so slow that the waiting frames reach a limit loses
/// events and answers first, counted; if commands pile up as well, the channel closes as if the peer had died.
final class ProcessChannel {
    /// Bounds of one channel.
    enum Limits {
        /// Waiting bytes from which events and answers are dropped.
        static let queuedBytes = 4 << 20
        /// Waiting bytes from which the channel closes.
        static let queuedBytesAtClose = 8 << 20
        /// Frames read in one wake.
        static let framesPerWake = 64
    }

    private struct Waiting {
        let bytes: [UInt8]
        let descriptor: WaitingDescriptor?
    }

    /// Who is at the other end.
    let peer: ProcessRole
    /// Counters by name, for `show counters`.
    private(set) var counters: [String: UInt64] = [:]
    /// Called with each frame, and the descriptor that came with it.
    var onMessage: (ProcessMessage, DescriptorHolder?) -> Void = { _, _ in }
    /// Called once when the other end is gone.
    var onClosed: () -> Void = {}

    private let socket: MessageSocket
    private let reactor: Reactor
    private var token: WatchToken?
    private var waiting: [Waiting] = []
    /// Bytes that the kernel has not taken yet.
    private(set) var waitingByteCount = 0

    /// Takes over one end of a socketpair and starts to read.
    ///
    /// Set `onMessage` and `onClosed` before control returns to the reactor.
    init(_ descriptor: consuming Descriptor, peer: ProcessRole, on reactor: Reactor) throws(SystemError) {
        self.peer = peer
        self.reactor = reactor
        socket = MessageSocket(descriptor, maximumByteCount: ProcessMessage.maximumByteCount)
        token = try reactor.watch(socket.rawValue) { [weak self] readiness in self?.serve(readiness) }
    }

    deinit { close() }

    /// Tells whether frames still pass.
    var isOpen: Bool { token != nil }

    /// Sends a frame; a descriptor is duplicated to the other end and stays the caller's.
    func send(_ message: ProcessMessage, descriptor: Int32? = nil) {
        guard isOpen else { return count("channel.closed") }
        let bytes = message.encoded()
        guard waiting.isEmpty else { return enqueue(message, bytes, descriptor) }
        switch attempt(bytes, descriptor) {
        case .sent: break
        case .wouldBlock: enqueue(message, bytes, descriptor)
        case .closed: fail()
        }
    }

    /// Stops reading and writing and lets the socket go when the object goes.
    func close() {
        if let token { reactor.unwatch(token) }
        token = nil
        waiting = []
    }

    /// Reads what has arrived, for the last frames of a process that is dead.
    func receiveWaiting() {
        while isOpen, readOne() {}
    }

    /// Gives what waits one more chance, for the last frames of a process that exits.
    func flush() { drainWaiting() }

    private func attempt(_ bytes: [UInt8], _ descriptor: Int32?) -> MessageSocket.Sent {
        do {
            return try socket.send(bytes, descriptors: descriptor.map { [$0] } ?? [])
        } catch {
            count("channel.sendFailed")
            return .closed
        }
    }

    private func enqueue(_ message: ProcessMessage, _ bytes: [UInt8], _ descriptor: Int32?) {
        let total = waitingByteCount + bytes.count
        if total > Limits.queuedBytes, message.isExpendable { return count("channel.dropped") }
        guard total <= Limits.queuedBytesAtClose else { return fail() }
        waiting.append(Waiting(bytes: bytes, descriptor: descriptor.flatMap(WaitingDescriptor.init)))
        waitingByteCount = total
        if let token { reactor.setWritable(token, true) }
    }

    private func serve(_ readiness: Readiness) {
        if readiness.contains(.writable) { drainWaiting() }
        guard readiness.contains(.readable) else { return }
        for _ in 0..<Limits.framesPerWake {
            guard isOpen, readOne() else { return }
        }
    }

    /// Reads one frame; false when there is nothing more to read now.
    private func readOne() -> Bool {
        let received: MessageSocket.Received
        do {
            received = try socket.receive()
        } catch {
            count("channel.receiveFailed")
            fail()
            return false
        }
        switch received {
        case .nothing: return false
        case .end:
            fail()
            return false
        case .oversized: count("channel.malformed")
        case .message(let bytes, let descriptors):
            guard let message = try? ProcessMessage(parsing: bytes) else {
                count("channel.malformed")
                return true
            }
            onMessage(message, descriptors.first)
        }
        return true
    }

    private func drainWaiting() {
        var sent = 0
        drain: for item in waiting {
            switch attempt(item.bytes, item.descriptor?.rawValue) {
            case .sent: sent += 1
            case .wouldBlock: break drain
            case .closed: return fail()
            }
        }
        for item in waiting.prefix(sent) { waitingByteCount -= item.bytes.count }
        waiting.removeFirst(sent)
        if waiting.isEmpty, let token { reactor.setWritable(token, false) }
    }

    private func fail() {
        guard isOpen else { return }
        close()
        onClosed()
    }

    private func count(_ name: String) { counters[name, default: 0] += 1 }
}

/// Our own duplicate of a descriptor that waits to be sent, because the caller may close his meanwhile.
private final class WaitingDescriptor {
    private let descriptor: Descriptor

    var rawValue: Int32 { descriptor.rawValue }

    init?(_ number: Int32) {
        guard let copy = try? Descriptor.duplicate(number) else { return nil }
        descriptor = copy
    }
}

extension ProcessMessage {
    /// A frame whose loss costs a screen or a log line, nothing more.
    fileprivate var isExpendable: Bool {
        switch self {
        case .event, .answer, .query, .recorded, .groupChanged, .counted: true
        default: false
        }
    }
}
