// SPDX-License-Identifier: Apache-2.0

/// An IPv6 address, kept as two numbers in host order so that comparison is numeric.
public struct IPv6Address: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// The first eight bytes.
    public let high: UInt64
    /// The last eight bytes.
    public let low: UInt64

    /// Makes an address from its two halves.
    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// Makes an address from exactly sixteen octets, else nil.
    public init?(octets: some Collection<UInt8>) {
        guard octets.count == 16 else { return nil }
        high = octets.prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
        low = octets.dropFirst(8).reduce(0) { $0 << 8 | UInt64($1) }
    }

    /// Parses text as of RFC 4291 §2.2, such as `2001:db8::1` or `::ffff:10.1.0.3`; no zone, nothing around it.
    public init?(text: some StringProtocol) {
        let colon = UInt8(ascii: ":")
        let bytes = Array(text.utf8)
        guard (2...45).contains(bytes.count) else { return nil }
        let gaps = bytes.indices.dropLast().filter { bytes[$0] == colon && bytes[$0 + 1] == colon }
        // Three colons in a row count as two gaps.
        guard gaps.count <= 1 else { return nil }
        if let gap = gaps.first {
            guard let front = Self.groups(bytes[..<gap]), let back = Self.groups(bytes[(gap + 2)...]),
                front.count + back.count <= 7
            else { return nil }
            self.init(groups: front + [UInt16](repeating: 0, count: 8 - front.count - back.count) + back)
        } else {
            guard let groups = Self.groups(bytes[...]), groups.count == 8 else { return nil }
            self.init(groups: groups)
        }
    }

    private init(groups: [UInt16]) {
        high = groups[..<4].reduce(0) { $0 << 16 | UInt64($1) }
        low = groups[4...].reduce(0) { $0 << 16 | UInt64($1) }
    }

    /// Groups between single colons, the last of which may be an IPv4 address; no text is no groups.
    private static func groups(_ bytes: ArraySlice<UInt8>) -> [UInt16]? {
        guard !bytes.isEmpty else { return [] }
        let parts = bytes.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
        var groups: [UInt16] = []
        for (index, part) in parts.enumerated() {
            let text = String(decoding: part, as: UTF8.self)
            if index == parts.count - 1, let tail = IPv4Address(text: text) {
                groups += [UInt16(tail.value >> 16), UInt16(tail.value & 0xffff)]
                continue
            }
            guard (1...4).contains(part.count), part.allSatisfy(isDigit), let value = UInt16(text, radix: 16) else {
                return nil
            }
            groups.append(value)
        }
        return groups
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"),
            UInt8(ascii: "A")...UInt8(ascii: "F"):
            true
        default: false
        }
    }

    /// The link-local address that routers make of a virtual MAC: fe80::/64 and its EUI-64, without the inverted bit by
    /// which interfaces tell addresses that are unique (reference first-hop §1.8).
    public static func virtualLinkLocal(_ mac: MACAddress) -> IPv6Address {
        IPv6Address(high: 0xfe80 << 48, low: (mac.value >> 24) << 40 | 0xff_fe00_0000 | mac.value & 0xff_ffff)
    }

    /// Whether the address counts on one link alone (fe80::/10).
    public var isLinkLocal: Bool { high >> 54 == 0xfe80 >> 6 }

    /// Whether the address may be a node's everywhere: no multicast group, neither `::` nor `::1`, not link-local.
    public var isGlobalUnicast: Bool { high >> 56 != 0xff && !isLinkLocal && !(high == 0 && low <= 1) }

    /// The unspecified address `::`.
    public static let any = IPv6Address(high: 0, low: 0)

    /// The sixteen octets, most significant first.
    public var octets: [UInt8] {
        [high, low].flatMap { half in
            stride(from: 56, through: 0, by: -8).map { UInt8(truncatingIfNeeded: half >> UInt64($0)) }
        }
    }

    /// The text of RFC 5952: lower case, the longest run of two or more zero groups cut to `::`.
    public var description: String {
        let groups = [high, low].flatMap { half in
            stride(from: 48, through: 0, by: -16).map { UInt16(truncatingIfNeeded: half >> UInt64($0)) }
        }
        var best = 0..<0
        var start = 0
        while start < 8 {
            let end = groups[start...].firstIndex { $0 != 0 } ?? 8
            if end - start > max(best.count, 1) { best = start..<end }
            start = max(end, start + 1)
        }
        let text = { (part: ArraySlice<UInt16>) in part.map { String($0, radix: 16) }.joined(separator: ":") }
        if best.isEmpty { return text(groups[...]) }
        return "\(text(groups[..<best.lowerBound]))::\(text(groups[best.upperBound...]))"
    }

    /// Orders addresses by number.
    public static func < (left: IPv6Address, right: IPv6Address) -> Bool {
        (left.high, left.low) < (right.high, right.low)
    }
}

/// An IPv6 network: an address and a prefix length of 0 to 128 bits, host bits kept as given.
public struct IPv6Prefix: Hashable, Sendable, CustomStringConvertible {
    /// The address, host bits included.
    public let address: IPv6Address
    /// The number of network bits, 0 to 128.
    public let length: Int

    /// Makes a network; `length` must be 0 to 128.
    public init(address: IPv6Address, length: Int) {
        precondition((0...128).contains(length))
        self.address = address
        self.length = length
    }

    /// The network mask as an address.
    public var mask: IPv6Address {
        IPv6Address(high: Self.ones(min(length, 64)), low: Self.ones(max(length - 64, 0)))
    }

    private static func ones(_ count: Int) -> UInt64 { count == 0 ? 0 : ~UInt64(0) << UInt64(64 - count) }

    /// The network's first address: all host bits zero.
    public var network: IPv6Address {
        IPv6Address(high: address.high & mask.high, low: address.low & mask.low)
    }

    /// Tells whether `other` lies inside this network.
    public func contains(_ other: IPv6Address) -> Bool {
        (other.high ^ address.high) & mask.high == 0 && (other.low ^ address.low) & mask.low == 0
    }

    /// The text `address/length`.
    public var description: String { "\(address)/\(length)" }
}
