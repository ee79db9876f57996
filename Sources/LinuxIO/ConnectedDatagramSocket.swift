// SPDX-License-Identifier: Apache-2.0

internal import CLinux
internal import Glibc

/// A UDP socket that is bound and connected to one neighbour, as the end toward charon's ha plugin is.
///
/// What it receives may hold keys: the buffer is overwritten with zeros after each datagram.
public final class ConnectedDatagramSocket {
    /// What a send call did.
    public enum Sent: Sendable {
        /// The datagram is in the other end's queue, or was dropped there, which only that socket's counter tells.
        case sent
        /// The own queue is full.
        case wouldBlock
        /// Nobody listens at the other end.
        case refused
    }

    /// The descriptor, for `Reactor.watch`.
    public var rawValue: Int32 { descriptor.rawValue }

    private let descriptor: Descriptor
    private var buffer: [UInt8]

    /// Takes over a socket that is bound and connected already.
    ///
    /// - Parameters:
    ///   - descriptor: the socket; it becomes non-blocking and counts what the kernel drops (SO_RXQ_OVFL).
    ///   - maximumByteCount: the longest datagram that is read whole.
    ///   - receiveByteCount: the receive buffer to ask for.
    public init(_ descriptor: consuming Descriptor, maximumByteCount: Int, receiveByteCount: Int32) {
        self.descriptor = descriptor
        buffer = [UInt8](repeating: 0, count: maximumByteCount)
        _ = havpn_set_nonblocking(rawValue)
        setReceiveBuffer(rawValue, byteCount: receiveByteCount)
        var isOn: Int32 = 1
        _ = setsockopt(rawValue, SOL_SOCKET, SO_RXQ_OVFL, &isOn, socklen_t(MemoryLayout<Int32>.size))
    }

    /// Lends one waiting datagram to `body` with the number of datagrams dropped so far; false when none waits.
    ///
    /// `body` must not keep the bytes. A datagram longer than the limit is lent cut to one byte more than allowed
    /// would be, that is, marked by `isTruncated`.
    public func receive(
        _ body: (_ bytes: ArraySlice<UInt8>, _ isTruncated: Bool, _ droppedCount: UInt32) -> Void
    ) throws(SystemError) -> Bool {
        var info = havpn_datagram()
        let length = havpn_receive_datagram(rawValue, &buffer, buffer.count, &info)
        guard length >= 0 else {
            // A refusal is the echo of an earlier send to an end that is not there.
            if errno == EAGAIN || errno == EINTR || errno == ECONNREFUSED { return false }
            throw .last("receive from neighbour")
        }
        body(buffer[..<length], info.is_truncated != 0, info.dropped)
        for index in 0..<length { buffer[index] = 0 }
        return true
    }

    /// Sends one datagram without blocking.
    public func send(_ bytes: [UInt8]) throws(SystemError) -> Sent {
        // The first call after a refusal only reports it; the second one sends.
        for _ in 0..<2 {
            if Glibc.send(rawValue, bytes, bytes.count, Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL)) >= 0 {
                return .sent
            }
            switch errno {
            case ECONNREFUSED, EINTR: continue
            case EAGAIN, ENOBUFS: return .wouldBlock
            default: throw .last("send to neighbour")
            }
        }
        return .refused
    }
}
