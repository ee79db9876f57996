// SPDX-License-Identifier: Apache-2.0

public import Primitives

/// Why bytes from outside could not be decoded.
public enum DecodeError: Error, Hashable, Sendable {
    /// Fewer bytes than the field needs.
    case truncated(wanted: Int, left: Int)
    /// A value that the format does not allow; `field` names it.
    case invalid(field: StaticName, value: UInt64)
    /// Bytes left behind the end of the message.
    case trailing(Int)
    /// A count or length above its named limit.
    case overLimit(field: StaticName, value: UInt64)
}

/// A compile-time name that can be compared and printed without allocation.
public struct StaticName: Hashable, Sendable, ExpressibleByStringLiteral, CustomStringConvertible {
    private let text: StaticString

    /// Makes a name from a literal.
    public init(stringLiteral value: StaticString) { text = value }

    /// The name's text.
    public var description: String { text.description }

    /// Compares the texts.
    public static func == (left: StaticName, right: StaticName) -> Bool { left.description == right.description }

    /// Hashes the text.
    public func hash(into hasher: inout Hasher) { hasher.combine(description) }
}

extension StaticName: Encodable {
    /// Writes the text.
    public func encode(to encoder: any Encoder) throws { try description.encode(to: encoder) }
}

/// A cursor over received bytes that cannot run past their end.
///
/// Multi-byte integers are big endian unless the name says otherwise (netlink and the host's own structures are
/// host endian, which is little endian on every machine this product supports).
public struct ByteReader: Sendable {
    private let bytes: ArraySlice<UInt8>
    private var position: Int

    /// Starts at the first of `bytes`.
    public init(_ bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
        position = bytes.startIndex
    }

    /// Starts at the first of `bytes`.
    public init(_ bytes: [UInt8]) { self.init(bytes[...]) }

    /// The number of bytes not yet read.
    public var remaining: Int { bytes.endIndex - position }

    /// Tells whether everything was read.
    public var isAtEnd: Bool { position == bytes.endIndex }

    /// Reads `count` bytes; a negative count is refused as truncated.
    public mutating func readBytes(_ count: Int) throws(DecodeError) -> ArraySlice<UInt8> {
        guard count >= 0, count <= remaining else { throw .truncated(wanted: count, left: remaining) }
        defer { position += count }
        return bytes[position..<position + count]
    }

    /// Skips `count` bytes.
    public mutating func skip(_ count: Int) throws(DecodeError) { _ = try readBytes(count) }

    /// Reads what is left.
    public mutating func readRemaining() -> ArraySlice<UInt8> {
        defer { position = bytes.endIndex }
        return bytes[position...]
    }

    /// Reads a big-endian unsigned integer of at most 64 bits.
    @inlinable
    public mutating func read<Value: FixedWidthInteger & UnsignedInteger>(
        _ type: Value.Type = Value.self
    ) throws(DecodeError) -> Value {
        Value(truncatingIfNeeded: try readNumber(byteCount: Value.bitWidth / 8))
    }

    @usableFromInline
    mutating func readNumber(byteCount: Int) throws(DecodeError) -> UInt64 {
        guard byteCount <= remaining else { throw .truncated(wanted: byteCount, left: remaining) }
        var number: UInt64 = 0
        for index in position..<position + byteCount { number = number << 8 | UInt64(bytes[index]) }
        position += byteCount
        return number
    }

    /// Reads a little-endian (host-endian) unsigned integer.
    @inlinable
    public mutating func readHost<Value: FixedWidthInteger & UnsignedInteger>(
        _ type: Value.Type = Value.self
    ) throws(DecodeError) -> Value {
        try read(type).byteSwapped
    }

    /// Reads an IPv4 address in network order.
    public mutating func readIPv4() throws(DecodeError) -> IPv4Address { IPv4Address(try read()) }

    /// Reads an IPv6 address in network order.
    public mutating func readIPv6() throws(DecodeError) -> IPv6Address {
        IPv6Address(high: try read(), low: try read())
    }

    /// Reads a family (4 or 6) and an address of it in network order.
    public mutating func readAddress() throws(DecodeError) -> IPAddress {
        let code: UInt8 = try read()
        return switch IPAddress.Family(rawValue: code) {
        case .ipv4: IPAddress(try readIPv4())
        case .ipv6: IPAddress(try readIPv6())
        case nil: throw .invalid(field: "address family", value: UInt64(code))
        }
    }

    /// Reads a 16-bit length and that many bytes.
    public mutating func readChunk() throws(DecodeError) -> ArraySlice<UInt8> {
        try readBytes(Int(try read(UInt16.self)))
    }

    /// Throws unless everything was read.
    public func finish() throws(DecodeError) {
        guard isAtEnd else { throw .trailing(remaining) }
    }
}
