// SPDX-License-Identifier: Apache-2.0

internal import CLinux
internal import Glibc
public import Primitives

/// A UDP socket bound to one interface and joined to one IPv4 multicast group there, as HSRP's hellos need it.
///
/// Bound to the device, so that a macvlan beside it gives no duplicates (reference first-hop §7.3); TTL 1, no loopback.
public final class MulticastSocket {
    /// One received datagram.
    public struct Datagram: Hashable, Sendable {
        /// Who sent it.
        public var source: IPv4Address
        /// The sender's port.
        public var sourcePort: UInt16
        /// The packet's destination address; a unicast hello is forged.
        public var destination: IPv4Address
        /// The interface it came in by.
        public var interfaceIndex: UInt32
        /// The payload; cut at `Limits.datagramByteCount`.
        public var bytes: [UInt8]
    }

    /// Bounds of the socket.
    public enum Limits {
        /// The longest datagram that is read whole; a longer one is dropped and counted by the caller as malformed.
        public static let datagramByteCount = 2048
    }

    /// The descriptor, for `Reactor.watch`.
    public var rawValue: Int32 { descriptor.rawValue }

    private let descriptor: Descriptor
    private let groups: [IPv4Address]
    private let port: UInt16
    private let interfaceIndex: UInt32
    private var buffer = [UInt8](repeating: 0, count: Limits.datagramByteCount)

    /// Opens the socket and joins the groups; needs CAP_NET_RAW on kernels before 5.7.
    ///
    /// - Parameters:
    ///   - interface: the interface's name, at most 15 bytes.
    ///   - interfaceIndex: its index.
    ///   - groups: such as 224.0.0.2 for HSRPv1.
    ///   - port: local and remote port, 1985 for HSRP.
    public init(interface: String, interfaceIndex: UInt32, groups: [IPv4Address], port: UInt16) throws(SystemError) {
        self.groups = groups
        self.port = port
        self.interfaceIndex = interfaceIndex
        let type = Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
        descriptor = try Descriptor(socket(AF_INET, type, 0), from: "socket udp")
        try bindToDevice(descriptor.rawValue, interface)
        try setOption(rawValue, SOL_SOCKET, SO_REUSEADDR, 1, "SO_REUSEADDR")
        try setOption(rawValue, Int32(IPPROTO_IP), IP_MULTICAST_LOOP, 0, "IP_MULTICAST_LOOP")
        try setOption(rawValue, Int32(IPPROTO_IP), IP_MULTICAST_TTL, 1, "IP_MULTICAST_TTL")
        try setOption(rawValue, Int32(IPPROTO_IP), IP_PKTINFO, 1, "IP_PKTINFO")
        // Only groups that this socket joined: others on the machine may have joined more.
        try setOption(rawValue, Int32(IPPROTO_IP), IP_MULTICAST_ALL, 0, "IP_MULTICAST_ALL")
        guard havpn_multicast_interface(rawValue, interfaceIndex) == 0 else { throw .last("IP_MULTICAST_IF") }
        var address = socketAddress(.any, port: port)
        guard bindTo(rawValue, &address) == 0 else { throw .last("bind udp port \(port)") }
        try rejoin()
    }

    /// Joins the groups anew, for after the interface was down or lost its membership.
    public func rejoin() throws(SystemError) {
        for group in groups {
            _ = havpn_multicast_membership(rawValue, group.value, interfaceIndex, 0)
            guard havpn_multicast_membership(rawValue, group.value, interfaceIndex, 1) == 0 else {
                throw .last("join \(group)")
            }
        }
    }

    /// Reads one datagram, nil when none waits.
    ///
    /// A pending error of the interface is thrown once and cleared.
    public func receive() throws(SystemError) -> Datagram? {
        var info = havpn_datagram()
        let length = havpn_receive_datagram(rawValue, &buffer, buffer.count, &info)
        guard length >= 0 else {
            if errno == EAGAIN || errno == EINTR { return nil }
            throw .last("receive udp")
        }
        return Datagram(
            source: IPv4Address(info.source), sourcePort: info.source_port,
            destination: IPv4Address(info.destination), interfaceIndex: info.interface_index,
            bytes: Array(buffer[..<length]))
    }

    /// Sends one datagram to a group from `source`, which must be an address of the interface.
    ///
    /// Without `source` the kernel chooses, and may choose the virtual address.
    public func send(_ bytes: [UInt8], to group: IPv4Address, from source: IPv4Address? = nil) throws(SystemError) {
        guard
            havpn_send_multicast(rawValue, bytes, bytes.count, group.value, port, source?.value ?? 0, interfaceIndex)
                == bytes.count
        else { throw .last("send \(group)") }
    }
}

/// Binds a socket to one interface.
func bindToDevice(_ descriptor: Int32, _ interface: String) throws(SystemError) {
    let name = Array(interface.utf8) + [0]
    guard name.count <= Int(IFNAMSIZ) else { throw SystemError("interface \(interface)", code: ENODEV) }
    guard setsockopt(descriptor, SOL_SOCKET, SO_BINDTODEVICE, name, socklen_t(name.count)) == 0 else {
        throw .last("bind to interface \(interface)")
    }
}

/// An IPv4 socket address.
func socketAddress(_ address: IPv4Address, port: UInt16) -> sockaddr_in {
    var result = sockaddr_in()
    result.sin_family = sa_family_t(AF_INET)
    result.sin_port = port.bigEndian
    result.sin_addr.s_addr = address.value.bigEndian
    return result
}

/// bind(2) with an IPv4 address.
func bindTo(_ descriptor: Int32, _ address: inout sockaddr_in) -> Int32 {
    withUnsafePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
            bind(descriptor, generic, socklen_t(MemoryLayout<sockaddr_in>.size))
        }
    }
}

/// connect(2) with an IPv4 address.
func connectTo(_ descriptor: Int32, _ address: inout sockaddr_in) -> Int32 {
    withUnsafePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
            connect(descriptor, generic, socklen_t(MemoryLayout<sockaddr_in>.size))
        }
    }
}
