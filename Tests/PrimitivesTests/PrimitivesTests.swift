// SPDX-License-Identifier: Apache-2.0

import Primitives
import Testing

@Suite("Time and addresses")
struct PrimitivesTests {
    @Test("dotted quads parse, anything else does not", arguments: ["10.1.0.3", "0.0.0.0", "255.255.255.255"])
    func goodAddresses(text: String) {
        #expect(IPv4Address(text: text)?.description == text)
    }

    @Test(
        "texts that are no address",
        arguments: ["", "10.1.0", "10.1.0.3.4", "10.1.0.256", "10.01.0.3", "10.1.0.x", "1..2.3"])
    func badAddresses(text: String) {
        #expect(IPv4Address(text: text) == nil)
    }

    @Test("a network contains what shares its bits")
    func prefixes() {
        let network = IPv4Prefix(address: IPv4Address(10, 2, 0, 7), length: 24)
        #expect(network.contains(IPv4Address(10, 2, 0, 200)))
        #expect(!network.contains(IPv4Address(10, 2, 1, 7)))
        #expect(IPv4Prefix(address: .any, length: 0).contains(IPv4Address(192, 0, 2, 1)))
    }

    @Test("the virtual MAC in both notations")
    func hardwareAddresses() {
        let mac = MACAddress.hsrpVersion1(group: 10)
        #expect(mac.description == "00:00:0c:07:ac:0a")
        #expect(mac.dottedDescription == "0000.0c07.ac0a")
        #expect(MACAddress(octets: mac.octets) == mac)
        #expect(MACAddress(octets: [1, 2, 3]) == nil)
    }

    @Test("time that has not passed is zero, never negative")
    func instants() {
        let start = Instant(nanoseconds: 5_000_000)
        #expect((start + .milliseconds(3)).since(start).milliseconds == 3)
        #expect(start.since(start + .seconds(1)) == .zero)
        #expect(Interval.seconds(3) / 3 == .milliseconds(1000))
    }

    @Test("wiped bytes are zeros")
    func wiping() {
        var bytes = [UInt8](repeating: 0xa5, count: 65_536)
        wipe(&bytes)
        #expect(bytes.allSatisfy { $0 == 0 })
        #expect(bytes.count == 65_536)
    }
}
