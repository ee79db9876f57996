// SPDX-License-Identifier: Apache-2.0

import Configuration
import Primitives
import Testing

@Suite("Configuration: less common lines of `standby`") struct StandbyTests {
    private static let group = "interface eth1\n standby 10 ip 10.1.0.100\n"

    private func reloads(_ model: Model) -> Bool { read(print(model, secrets: true)).model == model }

    @Test("`arp gratuitous` in any order and with defaults; `no` takes it back")
    func gratuitousARP() throws {
        func interface(_ lines: String) throws -> Model.Interface {
            let model = try ConfigurationTests.model(Self.group + lines)
            #expect(reloads(model))
            return model.interfaces[0]
        }
        #expect(try interface("").announcementCount == 3)
        let full = try interface(" standby arp gratuitous count 5 interval 10\n")
        #expect(full.announcementCount == 5 && full.announcementIntervalSeconds == 10)
        let slow = try interface(" standby arp gratuitous interval 60\n")
        #expect(slow.announcementCount == 3 && slow.announcementIntervalSeconds == 60)
        #expect(try interface(" standby arp gratuitous count 0\n").announcementCount == 0)
        #expect(try interface(" standby arp gratuitous count 9\n no standby arp gratuitous\n").announcementCount == 3)
        for wrong in ["count 61", "interval 1", "interval 61", "often", "count"] {
            #expect(errors(Self.group + " standby arp gratuitous \(wrong)\n").count == 1, "\(wrong)")
        }
    }

    @Test("secondary addresses stand beside the primary one, in their order; `no` takes away one or all")
    func secondary() throws {
        func group(_ lines: String) throws -> Model.Group {
            let model = try ConfigurationTests.model(Self.group + lines)
            #expect(reloads(model))
            return model.interfaces[0].groups[0]
        }
        let two = " standby 10 ip 10.1.0.102 secondary\n standby 10 ip 10.1.0.101 sec\n"
        let both = try group(two + " standby 10 ip 10.1.0.101 secondary\n")
        #expect(both.virtualAddress == IPAddress(10, 1, 0, 100))
        #expect(both.secondaryAddresses == [IPv4Address(10, 1, 0, 101), IPv4Address(10, 1, 0, 102)])
        #expect(both.tunnelEnds.map(\.description) == ["10.1.0.100", "10.1.0.101", "10.1.0.102"])
        let one = try group(two + " no standby 10 ip 10.1.0.101 secondary\n")
        #expect(one.secondaryAddresses == [IPv4Address(10, 1, 0, 102)] && one.virtualAddress != nil)
        // What was secondary may become the primary one, as in IOS; a group that has lost it has lost all.
        let promoted = try group(two + " standby 10 ip 10.1.0.101\n")
        #expect(promoted.virtualAddress == IPAddress(10, 1, 0, 101))
        #expect(promoted.secondaryAddresses == [IPv4Address(10, 1, 0, 102)])
        let none = try group(two + " no standby 10 ip\n standby 10 priority 90\n")
        #expect(none.virtualAddress == nil && none.secondaryAddresses.isEmpty)
        let learner = try ConfigurationTests.model("interface eth1\n standby 1 ip\n standby 1 ip 10.1.0.9 secondary\n")
        #expect(learner.interfaces[0].groups[0].learnsVirtualAddress && reloads(learner))
        #expect(learner.interfaces[0].groups[0].tunnelEnds.isEmpty)
    }

    @Test(
        "secondary addresses that cannot be are refused",
        arguments: [
            (" standby 10 ip 10.1.0.100 secondary", "is the group's primary address already"),
            (" standby 10 ip 224.0.0.1 secondary", "expected a unicast address"),
            (" standby 11 ip 10.1.0.101 secondary", "is secondary to nothing; write the group's primary address"),
            (
                " standby 10 ip 10.1.0.101 secondary\n standby 11 ip 10.1.0.101",
                "the virtual address 10.1.0.101 is taken"
            ),
            (
                " standby version 2\n standby 11 ipv6 autoconfig\n standby 11 ip 10.1.0.101 secondary",
                "has an IPv6 address"
            ),
            (
                " standby version 2\n standby 11 ip 10.1.0.101 secondary\n standby 11 ipv6 autoconfig",
                "has an IPv4 address"
            ),
            (
                (101...109).map { " standby 10 ip 10.1.0.\($0) secondary" }.joined(separator: "\n"),
                "9 secondary virtual addresses of one group"
            ),
        ])
    func secondaryRefused(lines: String, message: String) {
        let found = errors(Self.group + lines + "\n")
        #expect(found.contains { $0.contains(message) }, "\(found)")
    }

    @Test("`mac-address` in both notations, of one station, and different for each group of an interface")
    func virtualMAC() throws {
        let model = try ConfigurationTests.model(Self.group + " standby 10 mac-address 0200.5e0a.0b0c\n")
        #expect(model.interfaces[0].groups[0].virtualMAC == MACAddress(0x0200_5e0a_0b0c))
        #expect(reloads(model))
        #expect(try ConfigurationTests.model(Self.group + " standby 10 mac-address 02:00:5e:0a:0b:0c\n") == model)
        let negated = Self.group + " standby 10 mac-address 0200.5e0a.0b0c\n no standby 10 mac-address\n"
        #expect(try ConfigurationTests.model(negated).interfaces[0].groups[0].virtualMAC == nil)
        for wrong in ["0100.5e00.0002", "0000.0000.0000", "ffff.ffff.ffff", "router", ""] {
            #expect(errors(Self.group + " standby 10 mac-address \(wrong)\n").count == 1, "\(wrong)")
        }
        let second = " standby 11 ip 10.1.0.101\n standby 11 mac-address 0000.0c07.ac0a\n"
        #expect(errors(Self.group + second) == ["groups 10 and 11 on eth1 would both have the MAC 0000.0c07.ac0a"])
        #expect(
            warnings(Self.group + " standby use-bia\n standby 10 mac-address 0200.5e0a.0b0c\n")
                .contains("`mac-address` has no effect beside `standby use-bia`"))
    }

    @Test("`ip` without an address learns it, but not where it must be known from the start")
    func learning() throws {
        let text = "interface eth1\n standby 10 ip\n standby 10 name VPN\n"
        let model = try ConfigurationTests.model(text)
        #expect(
            model.interfaces[0].groups[0].learnsVirtualAddress && model.interfaces[0].groups[0].virtualAddress == nil)
        #expect(reloads(model))
        #expect(warnings(text).isEmpty)
        #expect(
            try !ConfigurationTests.model(text + " standby 10 ip 10.1.0.100\n").interfaces[0].groups[0]
                .learnsVirtualAddress)
        #expect(
            try !ConfigurationTests.model(Self.group + " standby 10 ip\n").interfaces[0].groups[0].learnsVirtualAddress)
        #expect(errors(text + "redundancy inter-device\n scheme standby VPN\n").count == 1)
        #expect(errors(text + " crypto map MAPA redundancy VPN\n").count == 1)
        #expect(
            errors(text + "interface eth2\n standby 1 ip\n standby 1 follow VPN\n")
                == ["a group that follows cannot learn its address; write `standby 1 ip ADDRESS`"])
    }
}
