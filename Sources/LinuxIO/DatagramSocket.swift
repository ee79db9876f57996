// SPDX-License-Identifier: Apache-2.0

internal import CLinux
internal import Glibc
public import Primitives

/// A connected UDP socket that knows what it has lost, as charon's ha plugin needs it (reference ipsec-ha §1.2).
public final class DatagramSocket {
    /// Bounds of the socket.
    public enum Limits {
        /// The longest datagram.
        public static let datagramByteCount = 65_536
        /// Receive buffer: charon sends thousands of records at once.
        public static let receiveBufferByteCount: Int32 = 64 << 20
    }

    /// The descriptor, for `Reactor.watch` and for passing on.
    public var rawValue: Int32 { descriptor.rawValue }
    /// Datagrams that the kernel has dropped on this socket so far, as the last one received told (SO_RXQ_OVFL).
    public private(set) var droppedDatagrams: UInt32 = 0

    private let descriptor: Descriptor
    private var buffer = [UInt8](repeating: 0, count: Limits.datagramByteCount)

    /// Adopts a bound and connected socket.
    public init(adopting descriptor: consuming Descriptor) {
        self.descriptor = descriptor
        prepare()
    }

    /// Binds `local` and connects to `remote`, both with the same port.
    public init(local: IPv4Address, remote: IPv4Address, port: UInt16) throws(SystemError) {
        let type = Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
        descriptor = try Descriptor(socket(AF_INET, type, 0), from: "socket udp")
        var address = socketAddress(local, port: port)
        guard bindTo(descriptor.rawValue, &address) == 0 else { throw .last("bind \(local):\(port)") }
        try connect(to: remote, port: port)
        prepare()
    }

    /// Connects: only datagrams from there are received from now on.
    public func connect(to remote: IPv4Address, port: UInt16) throws(SystemError) {
        var address = socketAddress(remote, port: port)
        guard connectTo(rawValue, &address) == 0 else { throw .last("connect \(remote):\(port)") }
    }

    private func prepare() {
        _ = havpn_set_nonblocking(rawValue)
        setReceiveBuffer(rawValue, byteCount: Limits.receiveBufferByteCount)
        var on: Int32 = 1
        _ = setsockopt(rawValue, SOL_SOCKET, SO_RXQ_OVFL, &on, socklen_t(MemoryLayout<Int32>.size))
    }

    /// Reads one datagram, nil when none waits; the other end's absence (ECONNREFUSED) is not an error here.
    public func receive() throws(SystemError) -> [UInt8]? {
        var info = havpn_datagram()
        let length = havpn_receive_datagram(rawValue, &buffer, buffer.count, &info)
        guard length >= 0 else {
            if [EAGAIN, EINTR, ECONNREFUSED].contains(errno) { return nil }
            throw .last("receive udp")
        }
        droppedDatagrams = max(droppedDatagrams, info.dropped)
        return Array(buffer[..<length])
    }

    /// Sends one datagram; false when the queue is full or nobody listens at the other end.
    public func send(_ bytes: [UInt8]) -> Bool {
        Glibc.send(rawValue, bytes, bytes.count, Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL)) == bytes.count
    }

    /// What stands in somebody's receive queue.
    public struct QueueState: Hashable, Sendable {
        /// Bytes, the kernel's own overhead included.
        public var queuedBytes: Int
        /// Datagrams dropped so far.
        public var dropped: UInt64
    }

    /// Reads the receive queue of the UDP socket bound to `address` and `port` in this namespace; nil if there is none.
    ///
    /// It is another process's socket (charon's), so `/proc/net/udp` is what tells.
    public static func queue(of address: IPv4Address, port: UInt16) -> QueueState? {
        guard let text = readSmallFile("/proc/net/udp", limit: 1 << 20) else { return nil }
        return queue(of: address, port: port, in: text)
    }

    /// Finds the row in the text of `/proc/net/udp`: the address is printed as the host's integer.
    static func queue(of address: IPv4Address, port: UInt16, in text: [UInt8]) -> QueueState? {
        let local = padded(address.value.byteSwapped, 8) + ":" + padded(UInt32(port), 4)
        for line in text.split(separator: UInt8(ascii: "\n")).dropFirst() {
            let fields = line.split(separator: UInt8(ascii: " ")).map { String(decoding: $0, as: UTF8.self) }
            guard fields.count >= 13, fields[1] == local, let colon = fields[4].firstIndex(of: ":") else { continue }
            let queued = Int(fields[4][fields[4].index(after: colon)...], radix: 16) ?? 0
            return QueueState(queuedBytes: queued, dropped: UInt64(fields[12]) ?? 0)
        }
        return nil
    }

    private static func padded(_ value: UInt32, _ digits: Int) -> String {
        let text = String(value, radix: 16, uppercase: true)
        return String(repeating: "0", count: max(0, digits - text.count)) + text
    }
}

/// Reads a file of at most `limit` bytes; nil if it cannot be read or is longer.
public func readSmallFile(_ path: String, limit: Int) -> [UInt8]? {
    let number = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY)
    guard number >= 0 else { return nil }
    let descriptor = Descriptor(owning: number)
    return readAll(descriptor.rawValue, limit: limit)
}

/// Reads an open file to its end; nil on an error or when it is longer than `limit` bytes.
func readAll(_ descriptor: Int32, limit: Int) -> [UInt8]? {
    var bytes: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 65_536)
    while true {
        let count = read(descriptor, &piece, piece.count)
        if count < 0 {
            if errno == EINTR { continue }
            return nil
        }
        if count == 0 { return bytes }
        guard bytes.count + count <= limit else { return nil }
        bytes += piece[..<count]
    }
}
