// SPDX-License-Identifier: Apache-2.0

public import ByteCodec

/// One netlink message as received (`struct nlmsghdr` and what follows it, `linux/netlink.h`).
public struct NetlinkMessage: Hashable, Sendable {
    /// `nlmsg_type`.
    public var type: UInt16
    /// `nlmsg_flags`.
    public var flags: UInt16
    /// `nlmsg_seq`: echoes the request's number in replies, 0 in most events.
    public var sequence: UInt32
    /// `nlmsg_pid`: the port that caused the message, 0 for the kernel itself.
    public var portID: UInt32
    /// Everything behind the 16-byte header, padding excluded.
    public var payload: ArraySlice<UInt8>

    /// Makes a message, for tests and for tools that speak for the kernel.
    public init(type: UInt16, flags: UInt16, sequence: UInt32, portID: UInt32, payload: ArraySlice<UInt8>) {
        self.type = type
        self.flags = flags
        self.sequence = sequence
        self.portID = portID
        self.payload = payload
    }

    /// Length of the header.
    public static let headerByteCount = 16

    /// Splits one received datagram into its messages; a length that does not fit is a `DecodeError`.
    public static func split(_ datagram: [UInt8]) throws(DecodeError) -> [NetlinkMessage] {
        var messages: [NetlinkMessage] = []
        var position = 0
        while datagram.count - position >= headerByteCount {
            var reader = ByteReader(datagram[position...])
            let length = Int(try reader.readHost(UInt32.self))
            guard length >= headerByteCount, length <= datagram.count - position else {
                throw .invalid(field: "nlmsg_len", value: UInt64(length))
            }
            messages.append(
                NetlinkMessage(
                    type: try reader.readHost(), flags: try reader.readHost(), sequence: try reader.readHost(),
                    portID: try reader.readHost(),
                    payload: datagram[position + headerByteCount..<position + length]))
            position += netlinkAligned(length)
            guard position <= datagram.count else { break }
        }
        return messages
    }
}

/// Rounds up to netlink's alignment of four bytes.
func netlinkAligned(_ length: Int) -> Int { (length + 3) & ~3 }

/// A netlink request before it got its sequence number: type, flags, and the payload as it is built.
public struct NetlinkRequest: Hashable, Sendable {
    /// `nlmsg_type`.
    public var type: UInt16
    /// `nlmsg_flags`; NLM_F_REQUEST is always in.
    public var flags: UInt16
    /// Everything behind the header so far.
    public private(set) var payload: [UInt8]

    /// Starts a request with its fixed structure.
    public init(type: UInt16, flags: UInt16 = 0, fixed: [UInt8]) {
        self.type = type
        self.flags = flags | NetlinkFlags.request
        payload = fixed
        pad()
    }

    /// Appends an attribute with bytes as its value, at most 65531.
    public mutating func append(_ attribute: UInt16, bytes: some Collection<UInt8>) {
        precondition(bytes.count <= Int(UInt16.max) - 4)
        appendHost(UInt16(bytes.count + 4))
        appendHost(attribute)
        payload.append(contentsOf: bytes)
        pad()
    }

    /// Appends an attribute with a host-endian integer.
    public mutating func append<Value: FixedWidthInteger & UnsignedInteger>(_ attribute: UInt16, host value: Value) {
        var writer = ByteWriter(capacity: 8)
        writer.writeHost(value)
        append(attribute, bytes: writer.bytes)
    }

    /// Appends an attribute with a zero-terminated string.
    public mutating func append(_ attribute: UInt16, string: String) {
        append(attribute, bytes: Array(string.utf8) + [0])
    }

    /// Appends an attribute that holds the attributes which `body` appends.
    public mutating func nest(_ attribute: UInt16, _ body: (inout NetlinkRequest) -> Void) {
        let start = payload.count
        appendHost(UInt16(0))
        appendHost(attribute)
        body(&self)
        let length = payload.count - start
        precondition(length <= Int(UInt16.max))
        payload[start] = UInt8(length & 255)
        payload[start + 1] = UInt8(length >> 8)
    }

    /// The whole message with its header.
    public func bytes(sequence: UInt32, portID: UInt32 = 0) -> [UInt8] {
        var writer = ByteWriter(capacity: NetlinkMessage.headerByteCount + payload.count)
        writer.writeHost(UInt32(NetlinkMessage.headerByteCount + payload.count))
        writer.writeHost(type)
        writer.writeHost(flags)
        writer.writeHost(sequence)
        writer.writeHost(portID)
        writer.write(bytes: payload)
        return writer.bytes
    }

    /// Appends the whole message to a batch, with or without NLM_F_ACK.
    public func append(to batch: inout [UInt8], sequence: UInt32, isAcknowledged: Bool) {
        var copy = self
        copy.flags &= ~NetlinkFlags.acknowledge
        if isAcknowledged { copy.flags |= NetlinkFlags.acknowledge }
        batch.append(contentsOf: copy.bytes(sequence: sequence))
    }

    /// The same request with more flags.
    public func with(flags more: UInt16) -> NetlinkRequest {
        var copy = self
        copy.flags |= more
        return copy
    }

    private mutating func appendHost(_ value: UInt16) {
        payload.append(UInt8(value & 255))
        payload.append(UInt8(value >> 8))
    }

    private mutating func pad() {
        while payload.count % 4 != 0 { payload.append(0) }
    }
}
