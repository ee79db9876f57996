// SPDX-License-Identifier: Apache-2.0

internal import ByteCodec
internal import CLinux
internal import Glibc
public import Netlink

/// A socket that hears the kernel's events; requests go by a `NetlinkSocket` of their own.
public final class NetlinkSubscription {
    /// What the kernel reported.
    public enum Event: Hashable, Sendable {
        /// An event.
        case message(NetlinkMessage)
        /// Events were lost: read the tables anew.
        case overrun
        /// A datagram that could not be decoded.
        case malformed
    }

    /// Bounds of one subscription.
    public enum Limits {
        /// Receive buffer of the kernel's queue.
        public static let receiveBufferByteCount: Int32 = 8 << 20
        /// Datagrams read in one wake; the rest waits for the next.
        public static let datagramsPerWake = 32
        /// Datagrams read at once by `receiveWaiting`: more than the buffer holds of the smallest.
        public static let datagramsWaiting = 16_384
    }

    private let descriptor: Descriptor
    private let reactor: Reactor
    private var token: WatchToken?
    private var buffer = [UInt8](repeating: 0, count: NetlinkSocket.Limits.datagramByteCount)
    private let handler: (Event) -> Void

    /// Subscribes to the groups of a legacy bit mask (`RouteGroups`, `XFRMGroups`) and calls `handler` from `reactor`.
    ///
    /// The receive buffer may be made larger than 8 MiB by `receiveBufferByteCount`.
    public init(
        _ family: NetlinkFamily, groups: UInt32, on reactor: Reactor,
        receiveBufferByteCount: Int32 = Limits.receiveBufferByteCount, handler: @escaping (Event) -> Void
    ) throws(SystemError) {
        descriptor = try openNetlink(family, groups: groups)
        setReceiveBuffer(descriptor.rawValue, byteCount: receiveBufferByteCount)
        self.reactor = reactor
        self.handler = handler
        token = try reactor.watch(descriptor.rawValue) { [unowned self] _ in drain(Limits.datagramsPerWake) }
    }

    /// Hands in what the kernel has reported and nobody has read, without waiting for the next wake.
    public func receiveWaiting() { drain(Limits.datagramsWaiting) }

    private func drain(_ limit: Int) {
        for _ in 0..<limit {
            var sender: UInt32 = 0
            var isTruncated: Int32 = 0
            let length = havpn_receive_netlink(descriptor.rawValue, &buffer, buffer.count, &sender, &isTruncated)
            if length < 0 {
                if errno == EAGAIN || errno == EINTR { return }
                // ENOBUFS; any other error has lost events just as well.
                handler(.overrun)
                return
            }
            // The kernel sends from port 0; anything else is another process pretending.
            guard sender == 0 else { continue }
            guard isTruncated == 0, let messages = try? NetlinkMessage.split(Array(buffer[..<length])) else {
                handler(.malformed)
                continue
            }
            for message in messages { handler(.message(message)) }
            if token == nil { return }
        }
    }

    /// Ends the subscription; the handler is not called any more.
    public func cancel() {
        if let token { reactor.unwatch(token) }
        token = nil
    }

    deinit { cancel() }
}
