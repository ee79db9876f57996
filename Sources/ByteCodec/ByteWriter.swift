// SPDX-License-Identifier: Apache-2.0

public import Primitives

/// A growing buffer for bytes to be sent; integers are big endian unless the name says otherwise.
public struct ByteWriter: Sendable {
    /// What was written so far.
    public private(set) var bytes: [UInt8] = []

    /// Starts empty, with room for `capacity` bytes.
    public init(capacity: Int = 64) { bytes.reserveCapacity(capacity) }

    /// The number of bytes written so far.
    public var count: Int { bytes.count }

    /// Gives the bytes away without a copy, for content that must not stay behind.
    public consuming func finish() -> [UInt8] { bytes }

    /// Appends a big-endian integer of at most 64 bits.
    @inlinable
    public mutating func write<Value: FixedWidthInteger & UnsignedInteger>(_ value: Value) {
        append(UInt64(truncatingIfNeeded: value), byteCount: Value.bitWidth / 8)
    }

    @usableFromInline
    mutating func append(_ value: UInt64, byteCount: Int) {
        let shifted = value << UInt64(64 - 8 * byteCount)
        withUnsafeBytes(of: shifted.bigEndian) {
            bytes.append(contentsOf: UnsafeRawBufferPointer(rebasing: $0[..<byteCount]))
        }
    }

    /// Appends a little-endian (host-endian) integer.
    @inlinable
    public mutating func writeHost<Value: FixedWidthInteger & UnsignedInteger>(_ value: Value) {
        write(value.byteSwapped)
    }

    /// Appends bytes as they are.
    public mutating func write(bytes more: some Sequence<UInt8>) { bytes.append(contentsOf: more) }

    /// Appends an IPv4 address in network order.
    public mutating func write(_ address: IPv4Address) { write(address.value) }

    /// Appends an IPv6 address in network order.
    public mutating func write(_ address: IPv6Address) {
        write(address.high)
        write(address.low)
    }

    /// Appends an address of either family in network order, the family (4 or 6) before it.
    public mutating func write(_ address: IPAddress) {
        write(address.family.rawValue)
        switch address {
        case .ipv4(let address): write(address)
        case .ipv6(let address): write(address)
        }
    }

    /// Appends a 16-bit length and the bytes, of which there must be at most 65535.
    public mutating func write(chunk: some Collection<UInt8>) {
        precondition(chunk.count <= Int(UInt16.max))
        write(UInt16(chunk.count))
        write(bytes: chunk)
    }

    /// Appends `count` zero bytes.
    public mutating func pad(_ count: Int) { bytes.append(contentsOf: repeatElement(0, count: count)) }

    /// Overwrites bytes already written with a big-endian integer, which must lie inside the buffer.
    @inlinable
    public mutating func overwrite<Value: FixedWidthInteger & UnsignedInteger>(at offset: Int, with value: Value) {
        replace(at: offset, UInt64(truncatingIfNeeded: value), byteCount: Value.bitWidth / 8)
    }

    @usableFromInline
    mutating func replace(at offset: Int, _ value: UInt64, byteCount: Int) {
        precondition(offset >= 0 && offset + byteCount <= bytes.count)
        for index in 0..<byteCount {
            bytes[offset + index] = UInt8(truncatingIfNeeded: value >> UInt64(8 * (byteCount - 1 - index)))
        }
    }
}
