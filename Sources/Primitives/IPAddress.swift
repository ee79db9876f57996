// SPDX-License-Identifier: Apache-2.0

/// An address of either family.
public enum IPAddress: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// Four bytes.
    case ipv4(IPv4Address)
    /// Sixteen bytes.
    case ipv6(IPv6Address)

    /// The version of the Internet Protocol.
    public enum Family: UInt8, Sendable, CaseIterable {
        /// AF_INET.
        case ipv4 = 4
        /// AF_INET6.
        case ipv6 = 6

        /// The longest prefix in bits.
        public var bitCount: Int { self == .ipv4 ? 32 : 128 }
    }

    /// Makes an IPv4 address.
    public init(_ address: IPv4Address) { self = .ipv4(address) }

    /// Makes an IPv6 address.
    public init(_ address: IPv6Address) { self = .ipv6(address) }

    /// Makes an IPv4 address from its four octets, most significant first.
    public init(_ first: UInt8, _ second: UInt8, _ third: UInt8, _ fourth: UInt8) {
        self = .ipv4(IPv4Address(first, second, third, fourth))
    }

    /// Makes an IPv6 address from its two halves.
    public init(high: UInt64, low: UInt64) { self = .ipv6(IPv6Address(high: high, low: low)) }

    /// Makes an address from exactly 4 or 16 octets, else nil.
    public init?(octets: some Collection<UInt8>) {
        if octets.count == 4 {
            self = .ipv4(IPv4Address(octets.reduce(UInt32(0)) { $0 << 8 | UInt32($1) }))
        } else if let address = IPv6Address(octets: octets) {
            self = .ipv6(address)
        } else {
            return nil
        }
    }

    /// Parses the text of either family.
    public init?(text: some StringProtocol) {
        if let address = IPv4Address(text: text) {
            self = .ipv4(address)
        } else if let address = IPv6Address(text: text) {
            self = .ipv6(address)
        } else {
            return nil
        }
    }

    /// The unspecified address of a family.
    public static func any(_ family: Family) -> IPAddress { family == .ipv4 ? .ipv4(.any) : .ipv6(.any) }

    /// Whether this is the unspecified address of its family.
    public var isAny: Bool { self == .any(family) }

    /// The family.
    public var family: Family {
        switch self {
        case .ipv4: .ipv4
        case .ipv6: .ipv6
        }
    }

    /// The address, nil for IPv6.
    public var ipv4: IPv4Address? { if case .ipv4(let address) = self { address } else { nil } }

    /// The address, nil for IPv4.
    public var ipv6: IPv6Address? { if case .ipv6(let address) = self { address } else { nil } }

    /// The largest prefix length.
    public var bitCount: Int { family.bitCount }

    /// The 4 or 16 octets, most significant first.
    public var octets: [UInt8] {
        switch self {
        case .ipv4(let address): address.octets
        case .ipv6(let address): address.octets
        }
    }

    /// Whether the address counts on one link alone (fe80::/10).
    public var isLinkLocal: Bool { ipv6?.isLinkLocal ?? false }

    /// Whether the address never leaves its machine: 127.0.0.0/8, or `::1`.
    public var isLoopback: Bool {
        switch self {
        case .ipv4(let address): address.value >> 24 == 127
        case .ipv6(let address): address == IPv6Address(high: 0, low: 1)
        }
    }

    /// Dotted quad, or the text of RFC 5952.
    public var description: String {
        switch self {
        case .ipv4(let address): address.description
        case .ipv6(let address): address.description
        }
    }

    /// Orders by family, then by number.
    public static func < (left: IPAddress, right: IPAddress) -> Bool {
        switch (left, right) {
        case (.ipv4(let left), .ipv4(let right)): left < right
        case (.ipv6(let left), .ipv6(let right)): left < right
        case (.ipv4, .ipv6): true
        case (.ipv6, .ipv4): false
        }
    }
}

/// A network of either family: an address and a prefix length, host bits kept as given.
public enum IPPrefix: Hashable, Sendable, CustomStringConvertible {
    /// An IPv4 network.
    case ipv4(IPv4Prefix)
    /// An IPv6 network.
    case ipv6(IPv6Prefix)

    /// Makes a network; `length` must be 0 to the family's longest.
    public init(address: IPAddress, length: Int) {
        switch address {
        case .ipv4(let address): self = .ipv4(IPv4Prefix(address: address, length: length))
        case .ipv6(let address): self = .ipv6(IPv6Prefix(address: address, length: length))
        }
    }

    /// The address, host bits included.
    public var address: IPAddress {
        switch self {
        case .ipv4(let prefix): .ipv4(prefix.address)
        case .ipv6(let prefix): .ipv6(prefix.address)
        }
    }

    /// The number of network bits.
    public var length: Int {
        switch self {
        case .ipv4(let prefix): prefix.length
        case .ipv6(let prefix): prefix.length
        }
    }

    /// The network's first address: all host bits zero.
    public var network: IPAddress {
        switch self {
        case .ipv4(let prefix): .ipv4(prefix.network)
        case .ipv6(let prefix): .ipv6(prefix.network)
        }
    }

    /// Tells whether `other` is of the family and lies inside this network.
    public func contains(_ other: IPAddress) -> Bool {
        switch (self, other) {
        case (.ipv4(let prefix), .ipv4(let address)): prefix.contains(address)
        case (.ipv6(let prefix), .ipv6(let address)): prefix.contains(address)
        default: false
        }
    }

    /// The text `address/length`.
    public var description: String { "\(address)/\(length)" }
}
