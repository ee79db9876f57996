// SPDX-License-Identifier: Apache-2.0

/// An IPv4 address, kept as a number in host order so that comparison is numeric.
public struct IPv4Address: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// The address as a number: 10.0.0.1 is 0x0a000001.
    public let value: UInt32

    /// Makes an address from its numeric value.
    public init(_ value: UInt32) { self.value = value }

    /// Makes an address from its four octets, most significant first.
    public init(_ first: UInt8, _ second: UInt8, _ third: UInt8, _ fourth: UInt8) {
        value = UInt32(first) << 24 | UInt32(second) << 16 | UInt32(third) << 8 | UInt32(fourth)
    }

    /// Parses dotted-quad text such as `10.1.0.3`; anything else (leading zeros of more than one digit too) is nil.
    public init?(text: some StringProtocol) {
        let parts = text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var value: UInt32 = 0
        for part in parts {
            guard (1...3).contains(part.count), part.count == 1 || part.first != UInt8(ascii: "0") else { return nil }
            var octet: UInt32 = 0
            for digit in part {
                guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { return nil }
                octet = octet * 10 + UInt32(digit - UInt8(ascii: "0"))
            }
            guard octet <= 255 else { return nil }
            value = value << 8 | octet
        }
        self.value = value
    }

    /// The unspecified address 0.0.0.0.
    public static let any = IPv4Address(0)

    /// The four octets, most significant first.
    public var octets: [UInt8] {
        [UInt8(value >> 24), UInt8(value >> 16 & 255), UInt8(value >> 8 & 255), UInt8(value & 255)]
    }

    /// Dotted-quad text.
    public var description: String {
        "\(value >> 24).\(value >> 16 & 255).\(value >> 8 & 255).\(value & 255)"
    }

    /// Orders addresses by number, as HSRP's tie-break does.
    public static func < (left: IPv4Address, right: IPv4Address) -> Bool { left.value < right.value }
}

/// An IPv4 network: an address and a prefix length of 0 to 32 bits, host bits kept as given.
public struct IPv4Prefix: Hashable, Sendable, CustomStringConvertible {
    /// The address, host bits included.
    public let address: IPv4Address
    /// The number of network bits, 0 to 32.
    public let length: Int

    /// Makes a network; `length` must be 0 to 32.
    public init(address: IPv4Address, length: Int) {
        precondition((0...32).contains(length))
        self.address = address
        self.length = length
    }

    /// The network mask as a number.
    public var mask: UInt32 { length == 0 ? 0 : ~UInt32(0) << UInt32(32 - length) }

    /// The network's first address: all host bits zero.
    public var network: IPv4Address { IPv4Address(address.value & mask) }

    /// Tells whether `other` lies inside this network.
    public func contains(_ other: IPv4Address) -> Bool { (other.value ^ address.value) & mask == 0 }

    /// The text `address/length`.
    public var description: String { "\(address)/\(length)" }
}

/// An Ethernet address.
public struct MACAddress: Hashable, Sendable, CustomStringConvertible {
    /// The address in the low 48 bits.
    public let value: UInt64

    /// Makes an address from the low 48 bits of `value`.
    public init(_ value: UInt64) { self.value = value & 0xffff_ffff_ffff }

    /// Makes an address from exactly six octets, else nil.
    public init?(octets: some Collection<UInt8>) {
        guard octets.count == 6 else { return nil }
        value = octets.reduce(0) { $0 << 8 | UInt64($1) }
    }

    /// Reads three groups of four digits (Cisco's notation) or six of two, hexadecimal; anything else is nil.
    public init?(text: String) {
        let isDotted = text.contains(".")
        let groups = text.split(separator: isDotted ? "." : ":", omittingEmptySubsequences: false)
        guard groups.count == (isDotted ? 3 : 6) else { return nil }
        var value: UInt64 = 0
        for group in groups {
            guard group.utf8.count == (isDotted ? 4 : 2), group.utf8.allSatisfy({ $0 != UInt8(ascii: "+") }),
                let part = UInt64(group, radix: 16)
            else { return nil }
            value = value << (isDotted ? 16 : 8) | part
        }
        self.value = value
    }

    /// The broadcast address.
    public static let broadcast = MACAddress(0xffff_ffff_ffff)

    /// The virtual MAC of an HSRPv1 group, 00:00:0c:07:ac:GG (reference first-hop §1.1).
    public static func hsrpVersion1(group: UInt8) -> MACAddress { MACAddress(0x0000_0c07_ac00 | UInt64(group)) }

    /// The virtual MAC of an HSRPv2 group of 0 to 4095, 00:00:0c:9f:fG:GG (reference first-hop §1.1).
    public static func hsrpVersion2(group: UInt16) -> MACAddress {
        MACAddress(0x0000_0c9f_f000 | UInt64(group & 0xfff))
    }

    /// The virtual MAC of an IPv6 group of 0 to 4095, 00:05:73:a0:0G:GG (reference first-hop §1.1).
    public static func hsrpIPv6(group: UInt16) -> MACAddress {
        MACAddress(0x0005_73a0_0000 | UInt64(group & 0xfff))
    }

    /// The six octets in wire order.
    public var octets: [UInt8] { (0..<6).map { UInt8(value >> UInt64(40 - 8 * $0) & 255) } }

    /// Colon notation, `00:00:0c:07:ac:0a`.
    public var description: String {
        octets.map { $0 < 16 ? "0" + String($0, radix: 16) : String($0, radix: 16) }.joined(separator: ":")
    }

    /// Cisco's notation, `0000.0c07.ac0a`.
    public var dottedDescription: String {
        let digits = description.filter { $0 != ":" }
        return stride(from: 0, to: 12, by: 4).map { start in
            String(digits.dropFirst(start).prefix(4))
        }.joined(separator: ".")
    }
}
