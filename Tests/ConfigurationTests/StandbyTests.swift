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
