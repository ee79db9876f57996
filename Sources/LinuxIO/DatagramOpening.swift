// SPDX-License-Identifier: Apache-2.0

internal import CLinux
internal import Glibc
public import Primitives

/// Opens the UDP socket that stands as a neighbour's only counterpart, to be held and passed on.
public enum DatagramOpening {
    /// Receive buffer: charon sends thousands of records at once.
    public static let receiveBufferByteCount: Int32 = 64 << 20

    /// Binds `local` and connects to `remote`, both with the same port: only datagrams from there are received.
    public static func open(local: IPv4Address, remote: IPv4Address, port: UInt16) throws(SystemError) -> Descriptor {
        let type = Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
        let descriptor = try Descriptor(socket(AF_INET, type, 0), from: "socket udp")
        setReceiveBuffer(descriptor.rawValue, byteCount: receiveBufferByteCount)
        var address = socketAddress(local, port: port)
        guard bindTo(descriptor.rawValue, &address) == 0 else { throw .last("bind \(local):\(port)") }
        try connect(descriptor.rawValue, to: remote, port: port)
        return descriptor
    }

    /// Connects a bound socket.
    public static func connect(_ descriptor: Int32, to remote: IPv4Address, port: UInt16) throws(SystemError) {
        var address = socketAddress(remote, port: port)
        guard connectTo(descriptor, &address) == 0 else { throw .last("connect \(remote):\(port)") }
        setReceiveBuffer(descriptor, byteCount: receiveBufferByteCount)
    }

    /// Tells whether `descriptor` is an IPv4 datagram socket bound to that address and port.
    public static func isBound(_ descriptor: Int32, to local: IPv4Address, port: UInt16) -> Bool {
        var kind: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        guard getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &kind, &length) == 0, kind == Int32(SOCK_DGRAM.rawValue)
        else { return false }
        var address = sockaddr_in()
        length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) }
        }
        return result == 0 && address.sin_family == sa_family_t(AF_INET) && address.sin_port == port.bigEndian
            && address.sin_addr.s_addr == local.value.bigEndian
    }
}
