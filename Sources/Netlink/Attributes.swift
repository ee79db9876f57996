// SPDX-License-Identifier: Apache-2.0

public import ByteCodec
public import Primitives

/// One attribute of a netlink message; its value is a view into the message.
public struct NetlinkAttribute: Hashable, Sendable {
    /// The attribute's number without the nested and byte-order flags.
    public var type: UInt16
    /// The value, padding excluded.
    public var value: ArraySlice<UInt8>

    /// A cursor over the value.
    public var reader: ByteReader { ByteReader(value) }

    /// The attributes inside a nested attribute.
    public var nested: AttributeReader { AttributeReader(value) }

    /// The value as a host-endian integer; a shorter value is a `DecodeError`.
    public func host<Value: FixedWidthInteger & UnsignedInteger>(
        _ type: Value.Type = Value.self
    ) throws(DecodeError) -> Value {
        var reader = reader
        return try reader.readHost(type)
    }

    /// The value as an IPv4 address in network order.
    public func ipv4() throws(DecodeError) -> IPv4Address {
        var reader = reader
        return try reader.readIPv4()
    }

    /// The value as an address of a family in network order.
    public func address(_ family: IPAddress.Family) throws(DecodeError) -> IPAddress {
        var reader = reader
        return switch family {
        case .ipv4: IPAddress(try reader.readIPv4())
        case .ipv6: IPAddress(try reader.readIPv6())
        }
    }

    /// The value as text up to its first zero byte; bytes that are not UTF-8 are replaced.
    public var text: String { String(decoding: value.prefix { $0 != 0 }, as: UTF8.self) }
}

/// Walks the attributes of a message lazily; it never runs past the end.
public struct AttributeReader: Sendable {
    private var rest: ArraySlice<UInt8>

    /// Starts at the first attribute.
    public init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

    /// The next attribute, nil at the end; a length that does not fit is a `DecodeError`.
    public mutating func next() throws(DecodeError) -> NetlinkAttribute? {
        guard rest.count >= 4 else { return nil }
        var reader = ByteReader(rest)
        let length = Int(try reader.readHost(UInt16.self))
        let type = try reader.readHost(UInt16.self)
        guard length >= 4, length <= rest.count else {
            throw .invalid(field: "attribute length", value: UInt64(length))
        }
        let value = rest[rest.startIndex + 4..<rest.startIndex + length]
        rest = rest.dropFirst(netlinkAligned(length))
        return NetlinkAttribute(type: type & Self.typeMask, value: value)
    }

    /// The first attribute of that type, nil if there is none.
    public func first(_ type: UInt16) throws(DecodeError) -> NetlinkAttribute? {
        var walker = self
        while let attribute = try walker.next() {
            if attribute.type == type { return attribute }
        }
        return nil
    }

    private static let typeMask: UInt16 = 0x3fff
}
