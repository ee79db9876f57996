// SPDX-License-Identifier: Apache-2.0

internal import ByteCodec
internal import CLinux
internal import Glibc
public import Netlink

/// Which kernel subsystem a netlink socket talks to.
public enum NetlinkFamily: Sendable {
    /// Links, addresses, routes, rules.
    case route
    /// SAs and policies.
    case xfrm

    var number: Int32 {
        switch self {
        case .route: NETLINK_ROUTE
        case .xfrm: NETLINK_XFRM
        }
    }
}

/// A socket for requests: the kernel answers inside the send call, so nothing here waits for anybody.
public final class NetlinkSocket {
    /// Bounds of one request.
    public enum Limits {
        /// Repetitions of a dump whose table changed meanwhile.
        public static let dumpAttempts = 8
        /// The largest datagram that the kernel sends into a buffer of this size.
        public static let datagramByteCount = 65_536
        /// Receive buffer, so that a batch of acknowledgements never overruns.
        public static let receiveBufferByteCount: Int32 = 1 << 20
    }

    private let descriptor: Descriptor
    private var sequence: UInt32 = 0
    private var buffer = [UInt8](repeating: 0, count: Limits.datagramByteCount)

    /// Opens a socket of the family; the process needs CAP_NET_ADMIN for requests that change something.
    public init(_ family: NetlinkFamily) throws(SystemError) {
        descriptor = try openNetlink(family, groups: 0)
        setReceiveBuffer(descriptor.rawValue, byteCount: Limits.receiveBufferByteCount)
        // Strict checking makes the kernel filter dumps as asked and refuse what it does not understand.
        var on: Int32 = 1
        _ = setsockopt(descriptor.rawValue, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, 4)
    }

    /// The number that the kernel names as the cause of what this socket changes (`nlmsg_pid` of events).
    public var portID: UInt32 { havpn_netlink_port(descriptor.rawValue) }

    /// Sends one request and returns the messages that answer it, without the acknowledgement.
    ///
    /// A request without NLM_F_ACK and without an answer would wait: NLM_F_ACK is added to every request that is not a
    /// plain get.
    @discardableResult
    public func request(_ request: NetlinkRequest) throws(NetlinkError) -> [NetlinkMessage] {
        try send(request)
        return try collect(isDump: false)
    }

    /// Sends many requests in one system call and returns the errno of each in order, 0 for success.
    ///
    /// The kernel answers each refusal, and of the rest the last alone, which comes behind all others; at most 256 requests
    /// travel at once, so a longer list is cut in pieces.
    public func batch(_ requests: [NetlinkRequest]) throws(NetlinkError) -> [Int32] {
        var codes: [Int32] = []
        codes.reserveCapacity(requests.count)
        for start in stride(from: 0, to: requests.count, by: Self.batchSize) {
            let piece = requests[start..<min(start + Self.batchSize, requests.count)]
            let first = sequence &+ 1
            var bytes: [UInt8] = []
            for (position, request) in piece.enumerated() {
                sequence &+= 1
                request.append(to: &bytes, sequence: sequence, isAcknowledged: position == piece.count - 1)
            }
            try sendBytes(bytes)
            codes += try collectAcknowledgements(first: first, count: piece.count)
        }
        return codes
    }

    /// Reads a whole table; repeated while the kernel says that it changed under the reading.
    public func dump(_ request: NetlinkRequest) throws(NetlinkError) -> [NetlinkMessage] {
        for _ in 0..<Limits.dumpAttempts {
            try send(request)
            do {
                return try collect(isDump: true)
            } catch .dumpInterrupted {
                continue
            }
        }
        throw .dumpInterrupted
    }

    private static let batchSize = 256

    private func send(_ request: NetlinkRequest) throws(NetlinkError) {
        discardLeftovers()
        sequence &+= 1
        try sendBytes(request.bytes(sequence: sequence))
    }

    private func sendBytes(_ bytes: [UInt8]) throws(NetlinkError) {
        let sent = CLinux.send(descriptor.rawValue, bytes, bytes.count, 0)
        guard sent == bytes.count else { throw .socket(operation: "netlink send", code: errno) }
    }

    /// A dump that was given up leaves datagrams behind; they must not answer the next request.
    private func discardLeftovers() {
        while recv(descriptor.rawValue, &buffer, buffer.count, Int32(MSG_DONTWAIT)) > 0 {}
    }

    private func receive() throws(NetlinkError) -> [NetlinkMessage] {
        while true {
            var sender: UInt32 = 0
            var isTruncated: Int32 = 0
            let length = havpn_receive_netlink(descriptor.rawValue, &buffer, buffer.count, &sender, &isTruncated)
            if length < 0 {
                if errno == EINTR { continue }
                if errno == EAGAIN { throw .noAnswer }
                throw .socket(operation: "netlink receive", code: errno)
            }
            guard sender == 0 else { continue }
            guard isTruncated == 0 else { throw .socket(operation: "netlink receive", code: EMSGSIZE) }
            do {
                return try NetlinkMessage.split(Array(buffer[..<length]))
            } catch {
                throw .malformed(error)
            }
        }
    }

    private func collect(isDump: Bool) throws(NetlinkError) -> [NetlinkMessage] {
        var answer: [NetlinkMessage] = []
        var wasInterrupted = false
        while true {
            for message in try receive() where message.sequence == sequence {
                if message.flags & NetlinkFlags.dumpInterrupted != 0 { wasInterrupted = true }
                switch message.type {
                case NetlinkControl.error, NetlinkControl.done:
                    try throwIfRefused(message)
                    if wasInterrupted { throw .dumpInterrupted }
                    return answer
                case NetlinkControl.noop: break
                default: answer.append(message)
                }
            }
            // A plain get is answered by one message without an acknowledgement.
            if !isDump, let last = answer.last, last.flags & NetlinkFlags.multi == 0 { return answer }
        }
    }

    private func collectAcknowledgements(first: UInt32, count: Int) throws(NetlinkError) -> [Int32] {
        var codes = [Int32](repeating: 0, count: count)
        while true {
            for message in try receive() where message.type == NetlinkControl.error {
                let position = Int(message.sequence &- first)
                guard position < count else { continue }
                codes[position] = try acknowledgement(message).code
                if position == count - 1 { return codes }
            }
        }
    }

    private func throwIfRefused(_ message: NetlinkMessage) throws(NetlinkError) {
        let verdict = try acknowledgement(message)
        if verdict.code != 0 { throw .refused(code: verdict.code, text: verdict.text) }
    }

    private func acknowledgement(_ message: NetlinkMessage) throws(NetlinkError) -> NetlinkAcknowledgement {
        do {
            return try NetlinkAcknowledgement(parsing: message)
        } catch {
            throw .malformed(error)
        }
    }
}

/// Opens, binds and prepares a netlink socket.
func openNetlink(_ family: NetlinkFamily, groups: UInt32) throws(SystemError) -> Descriptor {
    let type = Int32(SOCK_RAW.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
    let descriptor = try Descriptor(socket(AF_NETLINK, type, family.number), from: "socket netlink")
    var on: Int32 = 1
    _ = setsockopt(descriptor.rawValue, SOL_NETLINK, NETLINK_EXT_ACK, &on, 4)
    guard havpn_bind_netlink(descriptor.rawValue, groups) == 0 else { throw .last("bind netlink") }
    return descriptor
}
