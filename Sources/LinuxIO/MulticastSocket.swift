// SPDX-License-Identifier: Apache-2.0

internal import CLinux
internal import Glibc
public import Primitives

/// A UDP socket bound to one interface and joined to multicast groups there, as HSRP's hellos need it.
///
/// Bound to the device, so that a macvlan beside it gives no duplicates (reference first-hop §7.3); TTL 1 or hop limit 255, no loopback.
public final class MulticastSocket {
    /// One received datagram.
    public struct Datagram: Hashable, Sendable {
        /// Who sent it.
        public var source: IPAddress
        /// The sender's port.
        public var sourcePort: UInt16
        /// The packet's destination address; a unicast hello is forged.
        public var destination: IPAddress
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
    private let groups: Set<IPAddress>
    private let family: IPAddress.Family
    private let port: UInt16
    private let interfaceIndex: UInt32
    private var buffer = [UInt8](repeating: 0, count: Limits.datagramByteCount)

    /// Opens the socket and joins the groups; needs CAP_NET_RAW on kernels before 5.7.
    ///
    /// - Parameters:
    ///   - interface: the interface's name, at most 15 bytes.
    ///   - interfaceIndex: its index.
    ///   - family: that of the groups.
    ///   - groups: such as 224.0.0.2 for HSRPv1.
    ///   - port: local and remote port, 1985 for HSRP.
    public init(
        interface: String, interfaceIndex: UInt32, family: IPAddress.Family, groups: Set<IPAddress>, port: UInt16
    ) throws(SystemError) {
        precondition(groups.allSatisfy { $0.family == family })
        self.family = family
        self.groups = groups
        self.port = port
        self.interfaceIndex = interfaceIndex
        let type = Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
        let isIPv6 = family == .ipv6
        descriptor = try Descriptor(socket(isIPv6 ? AF_INET6 : AF_INET, type, 0), from: "socket udp")
        try bindToDevice(descriptor.rawValue, interface)
        try setOption(rawValue, SOL_SOCKET, SO_REUSEADDR, 1, "SO_REUSEADDR")
        // The last one: only groups that this socket joined, as others on the machine may have joined more.
        let multicastAll: Int32 = 29
        let options: [(Int32, Int32, String)] =
            isIPv6
            ? [
                (IPV6_V6ONLY, 1, "IPV6_V6ONLY"), (IPV6_MULTICAST_LOOP, 0, "IPV6_MULTICAST_LOOP"),
                (IPV6_MULTICAST_HOPS, 255, "IPV6_MULTICAST_HOPS"), (IPV6_RECVPKTINFO, 1, "IPV6_RECVPKTINFO"),
                (multicastAll, 0, "IPV6_MULTICAST_ALL"),
            ]
            : [
                (IP_MULTICAST_LOOP, 0, "IP_MULTICAST_LOOP"), (IP_MULTICAST_TTL, 1, "IP_MULTICAST_TTL"),
                (IP_PKTINFO, 1, "IP_PKTINFO"), (IP_MULTICAST_ALL, 0, "IP_MULTICAST_ALL"),
            ]
        for (option, value, name) in options {
            try setOption(rawValue, Int32(isIPv6 ? IPPROTO_IPV6 : IPPROTO_IP), option, value, name)
        }
        guard havpn_multicast_interface(rawValue, isIPv6 ? 1 : 0, interfaceIndex) == 0 else {
            throw .last("multicast interface")
        }
        guard havpn_bind_port(rawValue, isIPv6 ? 1 : 0, port) == 0 else { throw .last("bind udp port \(port)") }
        try rejoin()
    }

    /// Joins the groups anew, for after the interface was down or lost its membership.
    public func rejoin() throws(SystemError) {
        for group in groups {
            _ = havpn_multicast_membership(rawValue, group.native, interfaceIndex, 0)
            guard havpn_multicast_membership(rawValue, group.native, interfaceIndex, 1) == 0 else {
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
            source: IPAddress(info.source), sourcePort: info.source_port,
            destination: IPAddress(info.destination), interfaceIndex: info.interface_index,
            bytes: Array(buffer[..<length]))
    }

    /// Sends one datagram to a group from `source`, which must be an address of the interface.
    ///
    /// Without `source` the kernel chooses, and may choose the virtual address.
    public func send(_ bytes: [UInt8], to group: IPAddress, from source: IPAddress? = nil) throws(SystemError) {
        let from = (source ?? .any(family)).native
        let sent = havpn_send_multicast(rawValue, bytes, bytes.count, group.native, port, from, interfaceIndex)
        guard sent == bytes.count else { throw .last("send \(group)") }
    }
}

extension IPAddress {
    init(_ native: havpn_address) {
        self =
            native.is_ipv6 != 0
            ? IPAddress(high: native.high, low: native.low)
            : IPAddress(IPv4Address(UInt32(truncatingIfNeeded: native.low)))
    }

    var native: havpn_address {
        switch self {
        case .ipv4(let address): havpn_address(high: 0, low: UInt64(address.value), is_ipv6: 0)
        case .ipv6(let address): havpn_address(high: address.high, low: address.low, is_ipv6: 1)
        }
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
