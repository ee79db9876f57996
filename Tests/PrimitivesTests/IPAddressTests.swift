// SPDX-License-Identifier: Apache-2.0

import Primitives
import Testing

@Suite struct IPAddressTests {
    @Test("both families are read, printed and ordered, the older one first")
    func families() throws {
        let texts = ["0.0.0.1", "255.255.255.255", "::", "fe80::5:73ff:fea0:a", "2001:db8::100"]
        let addresses = try texts.map { try #require(IPAddress(text: $0)) }
        #expect(addresses.map(\.description) == texts)
        #expect(addresses.map(\.family) == [.ipv4, .ipv4, .ipv6, .ipv6, .ipv6])
        #expect(
            addresses.shuffled().sorted().map(\.description) == ["0.0.0.1", "255.255.255.255", "::"] + [
                "2001:db8::100", "fe80::5:73ff:fea0:a",
            ])
        #expect(addresses.map { IPAddress(octets: $0.octets) } == addresses)
        #expect(IPAddress(octets: [1, 2, 3]) == nil && IPAddress(text: "10.1.0") == nil)
        #expect(addresses.map(\.isLinkLocal) == [false, false, false, true, false])
        #expect(IPAddress(IPv6Address.any).isAny && IPAddress(IPv4Address.any).isAny && !addresses[0].isAny)
        #expect(IPAddress.any(.ipv4) != IPAddress.any(.ipv6))
    }

    @Test("a network contains addresses of its own family alone")
    func networks() throws {
        let six = IPPrefix(address: try #require(IPAddress(text: "2001:db8:1::3")), length: 64)
        let four = IPPrefix(address: IPAddress(10, 1, 0, 3), length: 24)
        #expect(six.contains(try #require(IPAddress(text: "2001:db8:1::ffff"))))
        #expect(!six.contains(try #require(IPAddress(text: "2001:db8:2::3"))))
        #expect(four.contains(IPAddress(10, 1, 0, 9)) && !four.contains(IPAddress(10, 1, 1, 9)))
        #expect(!IPPrefix(address: .any(.ipv6), length: 0).contains(IPAddress(10, 1, 0, 9)))
        #expect(six.network.description == "2001:db8:1::" && six.description == "2001:db8:1::3/64")
    }

    @Test("the link-local address of a virtual MAC is the one that routers make")
    func linkLocal() {
        #expect(IPv6Address.virtualLinkLocal(.hsrpIPv6(group: 1)).description == "fe80::5:73ff:fea0:1")
        #expect(IPv6Address.virtualLinkLocal(.hsrpIPv6(group: 0xabc)).description == "fe80::5:73ff:fea0:abc")
        #expect(MACAddress.hsrpIPv6(group: 0xabc).description == "00:05:73:a0:0a:bc")
    }

    @Test("what a node may have everywhere is told from what it may not")
    func globalUnicast() {
        let texts = ["2001:db8::1", "fd00::1", "fe80::1", "ff02::66", "::", "::1"]
        let found = texts.map { IPv6Address(text: $0)?.isGlobalUnicast }
        #expect(found == [true, true, false, false, false, false])
        #expect(IPAddress(127, 0, 0, 2).isLoopback && IPAddress(high: 0, low: 1).isLoopback)
        #expect(!IPAddress(10, 0, 0, 1).isLoopback && !IPAddress(high: 1, low: 1).isLoopback)
    }
}
