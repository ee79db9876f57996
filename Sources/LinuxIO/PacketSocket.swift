// SPDX-License-Identifier: Apache-2.0

internal import CLinux
internal import Glibc
public import Primitives

/// An AF_PACKET socket that sends whole Ethernet frames, and receives those of one EtherType if asked to.
public final class PacketSocket {
    /// Bounds of one socket.
    public enum Limits {
        /// Addresses whose claims are listened for.
        public static let claimedAddresses = 1024
        /// Bytes of the kernel's queue of claims: a flood is dropped there.
        public static let claimBufferByteCount: Int32 = 16_384
    }

    /// The descriptor, for `Reactor.watch`.
    public var rawValue: Int32 { descriptor.rawValue }

    private let descriptor: Descriptor
    private var buffer = [UInt8](repeating: 0, count: 2048)

    /// Opens a socket that only sends, through any interface; needs CAP_NET_RAW.
    public init() throws(SystemError) {
        let type = Int32(SOCK_RAW.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
        descriptor = try Descriptor(socket(AF_PACKET, type, 0), from: "socket packet")
    }

    /// Opens a socket that also receives frames of one EtherType (such as 0x0806, ARP) from one interface.
    public convenience init(receiving etherType: UInt16, interfaceIndex: UInt32) throws(SystemError) {
        try self.init()
        guard havpn_bind_packet(rawValue, interfaceIndex, etherType) == 0 else { throw .last("bind packet") }
    }

    /// Opens a socket that also receives the ARP frames of one interface whose sender has one of these addresses, of which
    /// `Limits.claimedAddresses` count.
    ///
    /// What is not asked for never wakes the process.
    public convenience init(claimsOf addresses: [IPv4Address], interfaceIndex: UInt32) throws(SystemError) {
        try self.init()
        let values = addresses.prefix(Limits.claimedAddresses).map(\.value)
        guard havpn_filter_arp_senders(rawValue, values, values.count) == 0 else { throw .last("filter ARP") }
        try setOption(rawValue, SOL_SOCKET, SO_RCVBUF, Limits.claimBufferByteCount, "receive buffer")
        let etherTypeARP: UInt16 = 0x0806
        guard havpn_bind_packet(rawValue, interfaceIndex, etherTypeARP) == 0 else { throw .last("bind packet") }
    }

    /// Sends a frame that starts with its Ethernet header through an interface.
    public func send(_ frame: [UInt8], interfaceIndex: UInt32) throws(SystemError) {
        guard havpn_send_frame(rawValue, interfaceIndex, frame, frame.count) == frame.count else {
            throw .last("send frame")
        }
    }

    /// Reads one frame with its Ethernet header, nil when none waits; cut at 2048 bytes.
    public func receive() throws(SystemError) -> [UInt8]? {
        let length = recv(rawValue, &buffer, buffer.count, Int32(MSG_DONTWAIT))
        guard length >= 0 else {
            if errno == EAGAIN || errno == EINTR { return nil }
            throw .last("receive frame")
        }
        return Array(buffer[..<length])
    }
}
