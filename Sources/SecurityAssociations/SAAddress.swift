// SPDX-License-Identifier: Apache-2.0

public import ByteCodec
public import Primitives

/// An IPv4 or IPv6 address as the kernel's SAs carry it (`xfrm_address_t` and a family).
public struct SAAddress: Hashable, Comparable, Sendable, Codable, CustomStringConvertible {
    /// AF_INET or AF_INET6.
    public enum Family: UInt8, Sendable, Codable {
        /// 4 bytes.
        case ipv4 = 4
        /// 16 bytes.
        case ipv6 = 6
    }

    /// The family.
    public let family: Family
    /// The first eight bytes; 0 for IPv4.
    public let high: UInt64
    /// The last eight bytes, or the IPv4 address.
    public let low: UInt64

    /// Makes an IPv4 address.
    public init(_ address: IPv4Address) {
        family = .ipv4
        high = 0
        low = UInt64(address.value)
    }

    /// Makes an IPv6 address from its two halves.
    public init(high: UInt64, low: UInt64) {
        family = .ipv6
        self.high = high
        self.low = low
    }

    /// The unspecified address of a family.
    public static func any(_ family: Family) -> SAAddress {
        family == .ipv4 ? SAAddress(IPv4Address.any) : SAAddress(high: 0, low: 0)
    }

    /// The address, nil for IPv6.
    public var ipv4: IPv4Address? { family == .ipv4 ? IPv4Address(UInt32(truncatingIfNeeded: low)) : nil }

    /// The largest prefix length.
    public var bitCount: Int { family == .ipv4 ? 32 : 128 }

    /// Appends the family and 4 or 16 bytes.
    public func encode(into writer: inout ByteWriter) {
        writer.write(family.rawValue)
        switch family {
        case .ipv4: writer.write(UInt32(truncatingIfNeeded: low))
        case .ipv6:
            writer.write(high)
            writer.write(low)
        }
    }

    /// Reads what `encode` wrote.
    public init(parsing reader: inout ByteReader) throws(DecodeError) {
        let code: UInt8 = try reader.read()
        switch Family(rawValue: code) {
        case .ipv4: self.init(try reader.readIPv4())
        case .ipv6: self.init(high: try reader.read(), low: try reader.read())
        case nil: throw .invalid(field: "address family", value: UInt64(code))
        }
    }

    /// Orders by family, then by number.
    public static func < (left: SAAddress, right: SAAddress) -> Bool {
        (left.family.rawValue, left.high, left.low) < (right.family.rawValue, right.high, right.low)
    }

    /// Dotted quad, or eight groups of hexadecimal digits.
    public var description: String {
        if let ipv4 { return ipv4.description }
        return [high, low].flatMap { half in
            stride(from: 48, through: 0, by: -16).map { String(half >> UInt64($0) & 0xffff, radix: 16) }
        }.joined(separator: ":")
    }
}
