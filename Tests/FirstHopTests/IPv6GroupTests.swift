// SPDX-License-Identifier: Apache-2.0

import ByteCodec
import Primitives
import Testing

@testable import FirstHop

/// HSRP for IPv6: version 2 to ff02::66, with a link-local address in the messages and global ones beside it.
@Suite struct IPv6GroupTests {
    static let own = IPAddress(high: 0xfe80 << 48, low: 0x0000_5eff_fe10_0003)
    static let other = IPAddress(high: 0xfe80 << 48, low: 0x0000_5eff_fe10_0009)
    static let virtual = IPAddress(.virtualLinkLocal(.hsrpIPv6(group: 10)))
    static let global = IPAddress(high: 0x2001_0db8_0001_0000, low: 0x100)

    static func message(_ operation: HSRPMessage.Operation = .hello, _ state: HSRPState = .active) -> HSRPMessage {
        var message = Version2Tests.message(operation, state)
        message.virtualAddress = virtual
        return message
    }

    /// The IPv4 hello with the other family and sixteen bytes of address, written by hand from the layout.
    static let hello: [UInt8] =
        [1, 40, 2, 0, 6, 6, 0, 10, 0x02, 0x00, 0x5e, 0x10, 0x00, 0x09, 0, 0, 0, 105, 0, 0, 0, 250, 0, 0, 3, 0x20]
        + [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0x05, 0x73, 0xff, 0xfe, 0xa0, 0, 0x0a]
        + [3, 8, 0x63, 0x69, 0x73, 0x63, 0x6f, 0, 0, 0]

    @Test("a hello is 52 bytes in the layout's order and reads back the same")
    func roundTrip() throws {
        #expect(Self.message().bytes == Self.hello)
        #expect(try Version2Tests.parse(Self.hello) == .message(Self.message()))
        var foreign = Self.hello
        foreign[5] = 5
        #expect(throws: DecodeError.invalid(field: "hsrp address family", value: 5)) {
            try Version2Tests.parse(foreign)
        }
    }

    @Test("the Active's frame goes from 00:05:73:a0:0G:GG to ff02::66 port 2029 with hop limit 255 and a checksum")
    func activeFrame() throws {
        let mac = HSRPVersion.two.virtualMAC(group: 10, .ipv6)
        let frame = Frames.hsrp(Self.message(), from: Self.own, sourceMAC: mac)
        #expect(Array(frame[0..<14]) == [0x33, 0x33, 0, 0, 0, 0x66, 0, 0x05, 0x73, 0xa0, 0, 0x0a, 0x86, 0xdd])
        #expect(Array(frame[14..<22]) == [0x6c, 0, 0, 0, 0, 60, 17, 255])
        let destination: [UInt8] = [0xff, 2] + [UInt8](repeating: 0, count: 13) + [0x66]
        #expect(Array(frame[22..<54]) == Self.own.octets + destination)
        #expect(Array(frame[54..<60]) == [0x07, 0xed, 0x07, 0xed, 0, 60])
        #expect(internetChecksum(frame[22..<54] + [0, 0, 0, 60, 0, 0, 0, 17] + frame[54...]) == 0)
        #expect(Array(frame[62...]) == Self.hello)
    }

    @Test("an address is announced by an unasked Neighbour Advertisement that overrides, to all nodes")
    func advertisement() throws {
        let mac = MACAddress.hsrpIPv6(group: 10)
        let frames = Frames.announcements(of: Self.global, mac: mac)
        let frame = try #require(frames.first)
        #expect(frames.count == 1 && frame.count == 86)
        #expect(Array(frame[0..<14]) == [0x33, 0x33, 0, 0, 0, 1] + mac.octets + [0x86, 0xdd])
        #expect(Array(frame[18..<22]) == [0, 32, 58, 255])
        #expect(Array(frame[22..<38]) == Self.global.octets)
        #expect(Array(frame[38..<54]) == [0xff, 2] + [UInt8](repeating: 0, count: 13) + [1])
        #expect(Array(frame[54..<56]) == [136, 0] && Array(frame[58..<62]) == [0xa0, 0, 0, 0])
        #expect(Array(frame[62...]) == Self.global.octets + [2, 1] + mac.octets)
        #expect(internetChecksum(frame[22..<54] + [0, 0, 0, 32, 0, 0, 0, 58] + frame[54...]) == 0)
        #expect(Frames.announcements(of: Router.virtual, mac: mac).count == 2)
    }

    // MARK: The machine

    static func six(_ settings: inout GroupSettings) {
        settings.version = .two
        settings.interfacePrefix = IPPrefix(address: own, length: 64)
        settings.virtualAddress = virtual
        settings.furtherAddresses = [global]
        settings.peerAddresses = nil
    }

    private func addresses(_ actions: [GroupAction]) -> [IPAddress] {
        actions.compactMap { action in
            switch action {
            case .addAddress(let address, _), .renewLease(let address, _), .deleteAddress(let address),
                .announce(let address):
                address
            default: nil
            }
        }
    }

    @Test("every address is held, leased, announced and deleted with the one in the messages, which comes first")
    func further() {
        var router = Router.speaking(settings: Self.six)
        let taken = router.run(until: 20_000).map(\.action)
        let both = [Self.virtual, Self.global]
        #expect(router.machine.state == .active && router.machine.settings.virtualMAC == .hsrpIPv6(group: 10))
        #expect(addresses(taken.filter { if case .addAddress = $0 { true } else { false } }) == both)
        #expect(taken.steps.firstIndex(of: "raise MAC") ?? 9 < taken.steps.firstIndex(of: "add address for 3 s") ?? 0)
        let later = router.run(until: 22_500).map(\.action)
        let renewed = addresses(later.filter { if case .renewLease = $0 { true } else { false } })
        #expect(renewed.prefix(2) == both[...] && renewed.count % 2 == 0 && renewed.count >= 4)
        #expect(addresses(later.filter { if case .announce = $0 { true } else { false } }) == both)
        let left = router.at(22_600, .stopRequested)
        #expect(addresses(left) == both)
        #expect(left.steps.prefix(3) == ["raise fence", "delete address", "delete address"])
    }

    @Test("hellos from elsewhere than the link are refused; what routers say is ordered by their link-local addresses")
    func heard() {
        var router = Router.active(settings: Self.six)
        let outside = IPAddress(high: 0x2001_0db8_0001_0000, low: 9)
        let hello = Self.message(.hello, .standby)
        #expect(router.at(20_100, .messageReceived(hello, from: outside)).counted == ["hello.offLink"])
        var looped = hello
        looped.identifier = router.machine.settings.identifier
        #expect(router.at(20_100, .messageReceived(looped, from: Self.own)).counted == ["hello.looped"])
        #expect(router.at(20_100, .messageReceived(hello, from: Self.own)).counted == ["hello.duplicateAddress"])
        #expect(router.at(20_100, .messageReceived(hello, from: Self.other)).counted == ["hello.received"])
        #expect(router.machine.standbyRouter?.address == Self.other)
        // Equal priority: the higher address wins.
        var active = Self.message()
        active.priority = 100
        let actions = router.at(20_200, .messageReceived(active, from: Self.other))
        #expect(router.machine.state == .speak && actions.steps.first == "raise fence")
    }

    @Test("a digest is made and believed; an IPv6 address has no room in it, so it may name another sender")
    func digest() throws {
        let key = try #require(HSRPKey(SecretBytes(Array("secret".utf8))))
        var message = Self.message()
        message.sign(with: key, from: Self.other)
        guard case .message(let read) = try Version2Tests.parse(message.bytes) else {
            Issue.record("no message"); return
        }
        #expect(read == message)
        var router = Router.listening {
            Self.six(&$0)
            $0.authentication = .keys(sending: key, accepting: [key])
        }
        #expect(router.at(100, .messageReceived(read, from: Self.other)).counted == ["hello.received"])
        var forged = read
        forged.priority = 255
        guard case .message(let changed) = try Version2Tests.parse(forged.bytes) else { return }
        #expect(router.at(200, .messageReceived(changed, from: Self.other)).counted == ["hello.badAuthentication"])
    }

    @Test("versions and families have their groups, ports and virtual MACs")
    func transport() {
        #expect(HSRPVersion.destinations(.ipv4).count == 2 && HSRPVersion.destinations(.ipv6).count == 1)
        #expect(HSRPVersion(destination: HSRPVersion.two.destination(.ipv6)) == .two)
        #expect(HSRPVersion(destination: HSRPVersion.one.destination(.ipv4)) == .one)
        #expect(HSRPVersion(destination: Self.global) == nil)
        #expect(HSRPVersion.port(.ipv4) == 1985 && HSRPVersion.port(.ipv6) == 2029)
    }
}
