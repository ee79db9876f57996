// SPDX-License-Identifier: Apache-2.0

import Primitives
import Testing

@Suite("IPv6 addresses")
struct IPv6AddressTests {
    @Test(
        "text is read and written as RFC 5952 says",
        arguments: [
            ("::", "::"), ("::1", "::1"), ("1::", "1::"), ("2001:DB8:0:0:0:0:0:1", "2001:db8::1"),
            ("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"), ("1:0:0:2:0:0:0:3", "1:0:0:2::3"),
            ("1:0:0:2:3:0:0:4", "1::2:3:0:0:4"), ("0:0:1:2:3:4:5:6", "::1:2:3:4:5:6"),
            ("1:2:3:4:5:6:0:0", "1:2:3:4:5:6::"), ("::ffff:10.1.0.3", "::ffff:a01:3"),
            ("fe80::0001:0002:0003:0004", "fe80::1:2:3:4"), ("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"),
        ])
    func text(given: String, written: String) throws {
        let address = try #require(IPv6Address(text: given))
        #expect(address.description == written)
        #expect(IPv6Address(text: written) == address)
        #expect(IPv6Address(octets: address.octets) == address)
    }

    @Test(
        "anything else is no address",
        arguments: [
            "", ":", ":::", "1:::2", "1::2::3", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8::", "g::",
            "12345::", "1:", ":1", "::1%eth0", "::1/64", "+1::", "10.1.0.3", "::10.1.0.3:1", "::10.1.0", " ::1",
            "1:2:3:4:5:6:7:10.1.0.3",
        ])
    func refused(text: String) { #expect(IPv6Address(text: text) == nil) }

    @Test("a network holds what shares its first bits, at every length")
    func networks() throws {
        let address = try #require(IPv6Address(text: "2001:db8:1:2:3:4:5:6"))
        for length in 0...128 {
            let prefix = IPv6Prefix(address: address, length: length)
            #expect(prefix.contains(address) && prefix.contains(prefix.network))
            guard length > 0 else { continue }
            let bit = 128 - length
            let other = IPv6Address(
                high: address.high ^ (bit >= 64 ? 1 << UInt64(bit - 64) : 0),
                low: address.low ^ (bit < 64 ? 1 << UInt64(bit) : 0))
            #expect(!prefix.contains(other), "\(length)")
        }
        #expect(IPv6Prefix(address: address, length: 48).network.description == "2001:db8:1::")
        #expect(IPv6Prefix(address: address, length: 64).description == "2001:db8:1:2:3:4:5:6/64")
    }

    @Test("an IPv4 network's first address has no host bits")
    func network() {
        #expect(IPv4Prefix(address: IPv4Address(10, 1, 2, 3), length: 16).network == IPv4Address(10, 1, 0, 0))
        #expect(IPv4Prefix(address: IPv4Address(10, 1, 2, 3), length: 0).network == .any)
    }
}
