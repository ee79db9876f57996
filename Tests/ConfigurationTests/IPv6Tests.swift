// SPDX-License-Identifier: Apache-2.0

import Configuration
import Primitives
import Testing

/// `standby G ipv6 …`.
@Suite struct IPv6Tests {
    private static let text = """
        interface eth1
         standby version 2
         standby 10 ipv6 2001:DB8:1::100/64
         standby 10 ipv6 2001:db8:1::99/64
         standby 10 name VPN
         standby 11 ipv6 autoconfig
         standby 12 ipv6 fe80::12 link-local
         standby 12 ipv6 fd00::12/48
         standby 13 ip 10.1.0.100
         standby 13 follow VPN
         crypto map MAPA redundancy VPN stateful
        ipc zone default
         association 1
          no shutdown
          protocol sctp
           local-port 5000
            local-ip 192.168.9.3
           remote-port 5000
            remote-ip 192.168.9.4
        redundancy inter-device
         scheme standby VPN
         security none
        crypto map MAPA 10 ipsec-isakmp
         set peer 2001:db8:1::5
         set peer 10.1.0.5
        """

    private func groups(_ text: String) throws -> [Model.Group] {
        let result = load(Array((text).utf8), fileName: "t")
        #expect(result.errors.isEmpty, "\(result.errors)")
        return try #require(result.model?.interfaces.first?.groups)
    }

    @Test("link-local and global addresses, and what tunnels may end at")
    func grammar() throws {
        let groups = try groups(Self.text)
        #expect(groups.map(\.family) == [.ipv6, .ipv6, .ipv6, .ipv4])
        #expect(
            groups.map { $0.virtualAddress?.description } == [
                "fe80::5:73ff:fea0:a", "fe80::5:73ff:fea0:b", "fe80::12", "10.1.0.100",
            ])
        #expect(groups[0].globalAddresses.map(\.description) == ["2001:db8:1::99/64", "2001:db8:1::100/64"])
        #expect(groups[0].tunnelEnds.map(\.description) == ["2001:db8:1::99", "2001:db8:1::100"])
        #expect(groups[1].tunnelEnds.isEmpty)
        #expect(groups[3].tunnelEnds == [IPAddress(10, 1, 0, 100)])
        let model = try #require(load(Array((Self.text).utf8), fileName: "t").model)
        #expect(model.cryptoMaps.first?.entries.first?.peers.map(\.description) == ["2001:db8:1::5", "10.1.0.5"])
        let printed = print(model, secrets: true)
        #expect(printed.contains(" standby 11 ipv6 autoconfig\n") && printed.contains(" standby 12 ipv6 fe80::12\n"))
        #expect(load(Array((printed).utf8), fileName: "p").model == model)
    }

    @Test("`no` takes away what it names, and the link-local address stays while there are others")
    func negation() throws {
        let start = "interface eth1\n standby version 2\n standby 1 ipv6 fe80::1\n standby 1 ipv6 2001:db8::1/64\n"
        let kept = try groups(start + " no standby 1 ipv6 fe80::1\n")
        #expect(kept[0].virtualAddress == kept[0].automaticLinkLocal && kept[0].globalAddresses.count == 1)
        let alone = try groups(start + " no standby 1 ipv6 2001:db8::1/64\n")
        #expect(alone[0].virtualAddress?.description == "fe80::1" && alone[0].globalAddresses.isEmpty)
        let none = try groups(start + " no standby 1 ipv6\n standby 1 priority 90\n")
        #expect(none[0].virtualAddress == nil && none[0].globalAddresses.isEmpty)
        let other = try groups(start + " no standby 1 ip\n")
        #expect(other[0].virtualAddress?.description == "fe80::1")
    }

    @Test(
        "what cannot be is refused with what to write",
        arguments: [
            ("standby 1 ipv6 autoconfig", "IPv6 needs version 2"),
            ("standby version 2\n standby 1 ipv6", "expected `autoconfig`"),
            ("standby version 2\n standby 1 ipv6 10.1.0.1/24", "expected `autoconfig`"),
            ("standby version 2\n standby 1 ipv6 2001:db8::1", "expected the length"),
            ("standby version 2\n standby 1 ipv6 2001:db8::1/129", "expected a length of 0 to 128"),
            ("standby version 2\n standby 1 ipv6 ff02::66/64", "expected a global unicast address"),
            ("standby version 2\n standby 1 ipv6 fe80::1/64", "expected a global unicast address"),
            ("standby version 2\n standby 1 ip 10.1.0.1\n standby 1 ipv6 autoconfig", "has an IPv4 address"),
            ("standby version 2\n standby 1 ipv6 autoconfig\n standby 1 ip 10.1.0.1", "has an IPv6 address"),
            (
                "standby version 2\n standby 1 ipv6 fe80::1\n standby 2 ipv6 fe80::1",
                "the virtual address fe80::1 is taken"
            ),
            (
                "standby version 2\n standby 1 ipv6 2001:db8::1/64\ninterface eth2\n standby version 2\n"
                    + " standby 1 ipv6 2001:db8::1/64",
                "the virtual address 2001:db8::1 is taken"
            ),
            (
                "standby version 2\n standby 1 ipv6 autoconfig\n standby 1 name VPN\n crypto map M redundancy VPN",
                "has no address that a tunnel may end at"
            ),
        ])
    func refused(text: String, message: String) {
        let result = load(Array(("interface eth1\n \(text)\n").utf8), fileName: "t")
        #expect(result.model == nil)
        #expect(result.errors.contains { $0.description.contains(message) }, "\(result.errors)")
    }

    @Test("one link-local address may be that of groups on several links; nine global ones are too many")
    func limits() throws {
        let two = "interface eth1\n standby version 2\n standby 1 ipv6 autoconfig\ninterface eth2\n standby version 2\n"
        #expect(load(Array((two + " standby 1 ipv6 autoconfig\n").utf8), fileName: "t").errors.isEmpty)
        let many = (1...9).map { " standby 1 ipv6 2001:db8::\($0)/64\n" }.joined()
        let result = load(Array(("interface eth1\n standby version 2\n" + many).utf8), fileName: "t")
        #expect(result.errors.contains { $0.description.contains("9 global virtual addresses") })
    }
}
