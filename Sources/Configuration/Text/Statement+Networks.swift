// SPDX-License-Identifier: Apache-2.0

import Primitives

/// Networks, in the forms that IOS takes.
extension Statement {
    /// Reads `A.B.C.D/LENGTH` or `A.B.C.D MASK`; host bits must be zero.
    mutating func prefix(_ what: String) throws(Fault) -> IPv4Prefix {
        let place = self
        let expected = "expected \(what), such as 10.2.0.0/24 or `10.2.0.0 255.255.255.0`"
        guard let next else { throw fault("\(expected), at the end of the line") }
        let parts = next.text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard let address = IPv4Address(text: parts[0]), parts.count <= 2 else {
            throw fault("\(expected), found `\(next.text)`")
        }
        skip()
        let length: Int
        if parts.count == 2 {
            guard let number = Self.length(parts[1], atMost: 32) else {
                throw place.fault("\(expected), found `\(next.text)`")
            }
            length = number
        } else {
            let mask = try self.address("the network's mask")
            guard let number = (0...32).first(where: { IPv4Prefix(address: .any, length: $0).mask == mask.value })
            else { throw place.fault("\(mask) is no network mask; expected one such as 255.255.255.0") }
            length = number
        }
        let prefix = IPv4Prefix(address: address, length: length)
        guard prefix.network == address else {
            throw place.fault("\(prefix) has host bits; did you mean `\(prefix.network)/\(length)`?")
        }
        return prefix
    }

    /// Reads `X:X::X/LENGTH`; host bits must be zero.
    mutating func ipv6Prefix(_ what: String) throws(Fault) -> IPv6Prefix {
        let expected = "expected \(what), such as 2001:db8::/32"
        guard let next else { throw fault("\(expected), at the end of the line") }
        let parts = next.text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 2, let address = IPv6Address(text: parts[0]),
            let length = Self.length(parts[1], atMost: 128)
        else { throw fault("\(expected), found `\(next.text)`") }
        let prefix = IPv6Prefix(address: address, length: length)
        guard prefix.network == address else {
            throw fault("\(prefix) has host bits; did you mean `\(prefix.network)/\(length)`?")
        }
        skip()
        return prefix
    }

    /// Reads `X:X::X` or `X:X::X/LENGTH`; host bits are kept.
    mutating func ipv6Interface(_ what: String) throws(Fault) -> (address: IPv6Address, length: Int?) {
        guard let next else { throw fault("expected \(what), at the end of the line") }
        let parts = next.text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard parts.count <= 2, let address = IPv6Address(text: parts[0]) else {
            throw fault("expected \(what), found `\(next.text)`")
        }
        var length: Int?
        if parts.count == 2 {
            length = Self.length(parts[1], atMost: 128)
            guard length != nil else { throw fault("expected a length of 0 to 128, found `\(next.text)`") }
        }
        skip()
        return (address, length)
    }

    private static func length(_ text: String, atMost most: Int) -> Int? {
        guard (1...3).contains(text.utf8.count), text.utf8.allSatisfy({ (48...57).contains($0) }),
            let number = Int(text), number <= most
        else { return nil }
        return number
    }
}
