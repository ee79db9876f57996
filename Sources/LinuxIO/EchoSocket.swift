// SPDX-License-Identifier: Apache-2.0

internal import CLinux
internal import Glibc
public import Primitives

/// A raw ICMP socket for one echo and its answer: the kernel hands in nothing but echo replies of the one asked.
public final class EchoSocket {
    /// Bounds of one socket.
    public enum Limits {
        /// Bytes of the kernel's queue: a flood is dropped there.
        public static let receiveBufferByteCount: Int32 = 8192
        /// Packets read in all; who sends more than that is not answering.
        public static let packets = 32
    }

    /// The descriptor, for `Reactor.watch`.
    public var rawValue: Int32 { descriptor.rawValue }

    private let descriptor: Descriptor
    private var left = Limits.packets

    /// Opens a socket toward `destination`; needs CAP_NET_RAW.
    ///
    /// - Parameters:
    ///   - destination: whom to ask.
    ///   - source: the address that asks, nil for the route's own.
    ///   - interface: the interface by which the echo leaves and the answer comes, nil for the route's.
    public init(to destination: IPv4Address, source: IPv4Address?, interface: String?) throws(SystemError) {
        let type = Int32(SOCK_RAW.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
        descriptor = try Descriptor(socket(AF_INET, type, Int32(IPPROTO_ICMP)), from: "socket icmp")
        try setOption(rawValue, SOL_SOCKET, SO_RCVBUF, Limits.receiveBufferByteCount, "receive buffer")
        // ICMP_FILTER: a set bit is a message type that does not get through.
        let filterOption: Int32 = 1
        let rawLevel: Int32 = 255
        try setOption(rawValue, rawLevel, filterOption, ~1, "ICMP_FILTER")
        if let interface {
            var name = Array(interface.utf8CString)
            guard setsockopt(rawValue, SOL_SOCKET, SO_BINDTODEVICE, &name, socklen_t(name.count)) == 0 else {
                throw .last(interface)
            }
        }
        if let source {
            guard havpn_bind_ipv4(rawValue, source.value) == 0 else { throw .last("\(source)") }
        }
        guard havpn_connect_ipv4(rawValue, destination.value) == 0 else { throw .last("\(destination)") }
    }

    /// Sends an ICMP message.
    public func send(_ message: [UInt8]) throws(SystemError) {
        guard CLinux.send(rawValue, message, message.count, Int32(MSG_DONTWAIT)) == message.count else {
            throw .last("send")
        }
    }

    /// Reads one whole IPv4 packet, nil when none waits; throws when there were too many.
    public func receive() throws(SystemError) -> [UInt8]? {
        guard left > 0 else { throw SystemError("too many answers", code: ENOBUFS) }
        left -= 1
        var buffer = [UInt8](repeating: 0, count: 128)
        let length = recv(rawValue, &buffer, buffer.count, Int32(MSG_DONTWAIT))
        guard length >= 0 else {
            left += 1
            if errno == EAGAIN || errno == EINTR { return nil }
            throw .last("receive")
        }
        return Array(buffer[..<length])
    }
}
