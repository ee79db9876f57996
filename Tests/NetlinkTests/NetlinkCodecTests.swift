// SPDX-License-Identifier: Apache-2.0

import ByteCodec
import Netlink
import Primitives
import SecurityAssociations
import Testing

/// Bytes from hexadecimal text with spaces.
func hex(_ text: String) -> [UInt8] {
    text.split(whereSeparator: \.isWhitespace).joined().chunked().compactMap { UInt8($0, radix: 16) }
}

extension String {
    fileprivate func chunked() -> [String] {
        var rest = self[...]
        var pairs: [String] = []
        while rest.count >= 2 {
            pairs.append(String(rest.prefix(2)))
            rest = rest.dropFirst(2)
        }
        return pairs
    }
}

/// The request as its receiver would read it.
func echo(_ request: NetlinkRequest) throws -> NetlinkMessage {
    try #require(try NetlinkMessage.split(request.bytes(sequence: 1)).first)
}

@Suite("Netlink messages")
struct NetlinkCodecTests {
    @Test("a fence rule has the bytes that `ip rule add from 10.1.0.100 iif lo prohibit pref 900 protocol 114` sends")
    func fenceBytes() {
        let request = RuleRequest.addFence(address: IPAddress(10, 1, 0, 100), preference: 900)
        #expect(
            request.bytes(sequence: 5)
                == hex(
                    """
                    3c000000 2000 0506 05000000 00000000
                    02 00 20 00 00 00 00 08 00000000
                    0800 0200 0a010064
                    0800 0600 84030000
                    0500 1500 72 000000
                    0700 0300 6c6f00 00
                    """))
    }

    @Test("an IPv6 address goes out without a question to others, unchosen and, alone, without a route")
    func ipv6Address() throws {
        let address = IPAddress(high: 0x2001_0db8_0001_0000, low: 0x100)
        func message(_ length: UInt8) throws -> NetlinkMessage {
            try echo(
                AddressRequest.replace(interfaceIndex: 4, address: address, prefixLength: length, validSeconds: 3))
        }
        for (length, flags) in [(UInt8(128), UInt32(0x202)), (64, 0x02)] {
            let message = try message(length)
            let attributes = AttributeReader(message.payload.dropFirst(8))
            #expect(try attributes.first(AddressAttribute.flags)?.host(UInt32.self) == flags)
            let lifetimes = try #require(try attributes.first(AddressAttribute.lifetimes)).value
            #expect(Array(lifetimes.prefix(8)) == [0, 0, 0, 0, 3, 0, 0, 0])
            let info = try #require(try AddressInfo(parsing: message))
            #expect(info.isOwn && info.address == address && info.prefixLength == length && info.validSeconds == 3)
        }
    }

    @Test("the parts of a leased fence can be read back")
    func leasedFence() throws {
        let address = IPAddress(high: 0x2001_0db8_0001_0000, low: 0x100)
        let rule = try #require(
            try RuleInfo(parsing: echo(RuleRequest.addStanding(address: address, table: 0x4000_0007, preference: 115))))
        #expect(rule.isOwnStanding && !rule.isOwnFence && rule.table == 0x4000_0007 && rule.preference == 115)
        #expect(rule.source == IPPrefix(address: address, length: 128))
        let leased = LeasedRoute(
            destination: IPPrefix(address: address, length: 64), gateway: IPAddress(high: 0xfe80 << 48, low: 1),
            interfaceIndex: 3)
        #expect(leased.destination.description == "2001:db8:1::/64")
        let message = try echo(RouteRequest.lease(leased, table: 0x4000_0007, seconds: 3))
        let route = try #require(try RouteInfo(parsing: message))
        #expect(route.isOwn && route.table == 0x4000_0007 && route.destination == leased.destination)
        #expect(route.gateway == leased.gateway && route.interfaceIndex == 3)
        let attributes = AttributeReader(message.payload.dropFirst(12))
        #expect(try attributes.first(RouteAttribute.expires)?.host(UInt32.self) == 3)
        let prohibition = try #require(
            try RouteInfo(parsing: echo(RouteRequest.addProhibition(.ipv6, table: 0x4000_0007))))
        #expect(prohibition.kind == 8 && prohibition.destination.length == 0 && prohibition.metric == 0xffff_fffe)
    }

    @Test("what was built can be read back")
    func readBack() throws {
        let rule = try #require(
            try RuleInfo(parsing: echo(RuleRequest.addFence(address: IPAddress(10, 1, 0, 100), preference: 900))))
        #expect(rule.isOwnFence && rule.inputInterface == "lo")
        #expect(rule.preference == 900)
        #expect(rule.source == IPPrefix(address: IPAddress(10, 1, 0, 100), length: 32))

        let address = try #require(
            try AddressInfo(
                parsing: echo(
                    AddressRequest.replace(
                        interfaceIndex: 4, address: IPAddress(10, 1, 0, 100), prefixLength: 24, validSeconds: 3))))
        #expect(address.isOwn)
        #expect(address.validSeconds == 3)
        #expect(address.prefixLength == 24)
        #expect(address.interfaceIndex == 4)

        let destination = IPPrefix(address: IPAddress(10, 0, 0, 6), length: 32)
        let route = try #require(
            try RouteInfo(
                parsing: echo(
                    RouteRequest.replace(
                        destination: destination, gateway: IPAddress(10, 1, 0, 5), interfaceIndex: 2, metric: 7,
                        preferredSource: IPAddress(10, 1, 0, 100)))))
        #expect(route.isOwn)
        #expect(route.destination == destination)
        #expect(route.gateway == IPAddress(10, 1, 0, 5))
        #expect(route.metric == 7)
        #expect(route.preferredSource == IPAddress(10, 1, 0, 100))
        #expect(route.table == RouteRequest.mainTable)
    }

    @Test("a macvlan request nests kind and mode")
    func macvlan() throws {
        let message = try echo(
            LinkRequest.createMacvlan(name: "hsrp-eth1-10", parentIndex: 3, mac: .hsrpVersion1(group: 10)))
        let link = try LinkInfo(parsing: message)
        #expect(link.name == "hsrp-eth1-10")
        #expect(link.parentIndex == 3)
        #expect(link.mac == .hsrpVersion1(group: 10))
        #expect(link.kind == "macvlan")
        let attributes = AttributeReader(message.payload.dropFirst(16))
        let info = try #require(try attributes.first(LinkAttribute.info))
        let data = try #require(try info.nested.first(LinkAttribute.infoData))
        #expect(try data.nested.first(LinkAttribute.macvlanMode)?.host(UInt32.self) == 4)
    }

    @Test("IPv4 settings are nested by their number")
    func settings() throws {
        let message = try echo(LinkRequest.configure(index: 3, [.arpIgnore: 1, .arpAnnounce: 2]))
        let attributes = AttributeReader(message.payload.dropFirst(16))
        let families = try #require(try attributes.first(LinkAttribute.familySpecific))
        let inet = try #require(try families.nested.first(2))
        let configuration = try #require(try inet.nested.first(LinkAttribute.inetConfiguration))
        #expect(try configuration.nested.first(18)?.host(UInt32.self) == 2)
        #expect(try configuration.nested.first(19)?.host(UInt32.self) == 1)
        #expect(try configuration.nested.first(8) == nil)
    }

    @Test("lengths that do not fit are errors")
    func badLengths() {
        #expect(throws: DecodeError.self) { try NetlinkMessage.split(hex("08000000 0000 0000 00000000 00000000")) }
        #expect(throws: DecodeError.self) { try NetlinkMessage.split(hex("ff000000 0000 0000 00000000 00000000")) }
        #expect(throws: DecodeError.self) { try NetlinkMessage.split(hex("ffffffff 0000 0000 00000000 00000000")) }
        var short = AttributeReader(hex("0300 0100")[...])
        #expect(throws: DecodeError.self) { try short.next() }
        var long = AttributeReader(hex("0900 0100 00000000")[...])
        #expect(throws: DecodeError.self) { try long.next() }
    }

    @Test("an extended acknowledgement gives code and text")
    func extendedAcknowledgement() throws {
        let text = Array("bad luck".utf8) + [0, 0, 0, 0]
        let message = NetlinkMessage(
            type: NetlinkControl.error, flags: NetlinkFlags.capped | NetlinkFlags.acknowledgeAttributes, sequence: 1,
            portID: 0,
            payload: (hex("eaffffff 34000000 2000 0506 01000000 00000000 0d00 0100") + text)[...])
        let verdict = try NetlinkAcknowledgement(parsing: message)
        #expect(verdict.code == 22)
        #expect(verdict.text == "bad luck")
    }

    @Test("random bytes never trap a parser")
    func randomBytes() {
        var state: UInt64 = 7
        for _ in 0..<20_000 {
            var bytes: [UInt8] = []
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            for _ in 0..<Int(state >> 55) {
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                bytes.append(UInt8(state >> 60) & 0xf)
            }
            _ = try? NetlinkMessage.split(bytes)
            let message = NetlinkMessage(type: 2, flags: 0x200, sequence: 0, portID: 0, payload: bytes[...])
            _ = try? LinkInfo(parsing: message)
            _ = try? AddressInfo(parsing: message)
            _ = try? RouteInfo(parsing: message)
            _ = try? RuleInfo(parsing: message)
            _ = try? NetlinkAcknowledgement(parsing: message)
            _ = try? KernelPolicy(parsing: message)
            for type in [XFRMMessage.newSA, XFRMMessage.expire, XFRMMessage.newCounters, XFRMMessage.mapping] {
                var event = message
                event.type = type
                _ = try? XFRMEvent(parsing: event)
            }
        }
    }
}
