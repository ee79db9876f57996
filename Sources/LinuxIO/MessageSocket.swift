// SPDX-License-Identifier: Apache-2.0

internal import CLinux
internal import Glibc

/// One descriptor on its way from a socket to its new owner; closed if nobody takes it.
public final class DescriptorHolder {
    private var descriptor: Descriptor?

    /// Holds a descriptor.
    public init(_ descriptor: consuming Descriptor) { self.descriptor = consume descriptor }

    /// Gives the descriptor away; the second call traps.
    public func take() -> Descriptor {
        guard let taken = descriptor.take() else { preconditionFailure("descriptor taken twice") }
        return taken
    }
}

/// A SOCK_SEQPACKET UNIX socket that keeps message boundaries and carries descriptors (SCM_RIGHTS).
public final class MessageSocket {
    /// What a receive call found.
    public enum Received {
        /// A message, with the descriptors that came with it.
        case message([UInt8], [DescriptorHolder])
        /// A message that was longer than the caller's limit; its bytes and descriptors are gone.
        case oversized
        /// Nothing waits.
        case nothing
        /// The other end is closed.
        case end
    }

    /// What a send call did.
    public enum Sent: Sendable {
        /// The message is in the other end's queue.
        case sent
        /// The queue is full; wait until the socket is writable.
        case wouldBlock
        /// The other end is closed.
        case closed
    }

    /// The descriptor, for `Reactor.watch`, for spawning and for passing on.
    public var rawValue: Int32 { descriptor.rawValue }

    private let descriptor: Descriptor
    private var buffer: [UInt8]

    /// Takes over an open SEQPACKET socket.
    ///
    /// - Parameters:
    ///   - descriptor: the socket; it becomes non-blocking.
    ///   - maximumByteCount: the longest message that is accepted.
    public init(_ descriptor: consuming Descriptor, maximumByteCount: Int) {
        self.descriptor = descriptor
        buffer = [UInt8](repeating: 0, count: maximumByteCount)
        _ = havpn_set_nonblocking(self.descriptor.rawValue)
    }

    /// Makes two connected descriptors, close-on-exec, with send buffers of 1 MiB.
    public static func pair() throws(SystemError) -> (DescriptorHolder, DescriptorHolder) {
        var numbers: [Int32] = [0, 0]
        let type = Int32(SOCK_SEQPACKET.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
        guard socketpair(AF_UNIX, type, 0, &numbers) == 0 else { throw .last("socketpair") }
        for number in numbers { setSendBuffer(number, byteCount: 1 << 20) }
        return (DescriptorHolder(Descriptor(owning: numbers[0])), DescriptorHolder(Descriptor(owning: numbers[1])))
    }

    /// Sends one message; the descriptors, at most eight, are duplicated to the other end and stay the caller's.
    public func send(_ bytes: [UInt8], descriptors: [Int32] = []) throws(SystemError) -> Sent {
        while true {
            if havpn_send_descriptors(rawValue, bytes, bytes.count, descriptors, descriptors.count) == bytes.count {
                return .sent
            }
            switch errno {
            case EINTR: continue
            case EAGAIN, ENOBUFS: return .wouldBlock
            case EPIPE, ECONNRESET, ENOTCONN: return .closed
            default: throw .last("send message")
            }
        }
    }

    /// Reads one message; a message of zero bytes counts as the end.
    public func receive() throws(SystemError) -> Received {
        var numbers = [Int32](repeating: -1, count: Int(HAVPN_MAXIMUM_DESCRIPTORS))
        var count = numbers.count
        var isTruncated: Int32 = 0
        let length = havpn_receive_descriptors(rawValue, &buffer, buffer.count, &numbers, &count, &isTruncated)
        guard length >= 0 else {
            switch errno {
            case EAGAIN, EINTR: return .nothing
            case ECONNRESET: return .end
            default: throw .last("receive message")
            }
        }
        let holders = numbers[..<count].map { DescriptorHolder(Descriptor(owning: $0)) }
        if isTruncated != 0 { return .oversized }
        return length == 0 ? .end : .message(Array(buffer[..<length]), holders)
    }
}
