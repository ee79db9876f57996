// SPDX-License-Identifier: Apache-2.0

import ByteCodec
import FirstHop
import Primitives
import Testing

/// HSRP version 2: its bytes, and what the machine makes of them (reference first-hop §1.3).
@Suite struct Version2Tests {
    static let identifier = MACAddress(0x0200_5e10_0009)

    static func message(
        _ operation: HSRPMessage.Operation = .hello, _ state: HSRPState = .active, priority: UInt8 = 105,
        hello: UInt32 = 250, hold: UInt32 = 800, group: UInt16 = 10
    ) -> HSRPMessage {
        var message = HSRPMessage(
            version: .two, operation: operation, state: state, helloMilliseconds: hello, holdMilliseconds: hold,
            priority: priority, group: group, authentication: .text(.cisco), virtualAddress: Router.virtual)
        message.identifier = identifier
        return message
    }

    /// Group 10, Active, priority 105, 250 and 800 ms, and `cisco` behind it; written by hand from the layout.
    static let hello: [UInt8] =
        [1, 40, 2, 0, 6, 4, 0, 10, 0x02, 0x00, 0x5e, 0x10, 0x00, 0x09, 0, 0, 0, 105, 0, 0, 0, 250, 0, 0, 3, 0x20]
        + [10, 1, 0, 100] + [UInt8](repeating: 0, count: 12) + [3, 8, 0x63, 0x69, 0x73, 0x63, 0x6f, 0, 0, 0]

    static func parse(_ bytes: [UInt8]) throws -> HSRPDatagram { try HSRPDatagram(parsing: bytes[...], version: .two) }

    @Test("a hello is 52 bytes in the layout's order and reads back the same")
    func roundTrip() throws {
        #expect(Self.message().bytes == Self.hello)
        #expect(Self.hello.count == 52)
        #expect(try Self.parse(Self.hello) == .message(Self.message()))
    }

    @Test("every operation and state round-trips, in the version's own codes")
    func allOperationsAndStates() throws {
        for operation in [HSRPMessage.Operation.hello, .coup, .resign] {
            for (state, code) in zip(HSRPState.allCases, UInt8(1)...6) {
                let message = Self.message(operation, state, priority: 255, hello: 15, hold: 255_000, group: 4095)
                #expect(message.bytes[4] == code)
                #expect(try Self.parse(message.bytes) == .message(message))
            }
        }
    }

    @Test("a disabled group reads as Initial")
    func disabled() throws {
        var bytes = Self.hello
        bytes[4] = 0
        #expect(try Self.parse(bytes) == .message(Self.message(.hello, .initial)))
    }

    @Test("every truncation is refused, save where the authentication is missing whole")
    func truncated() throws {
        for count in 0..<52 where count != 42 {
            #expect(throws: DecodeError.self) { try Self.parse(Array(Self.hello[..<count])) }
        }
        var bare = Self.message()
        bare.authentication = .absent
        #expect(try Self.parse(Array(Self.hello[..<42])) == .message(bare))
        #expect(bare.bytes == Array(Self.hello[..<42]))
    }

    @Test(
        "a wrong version, op code, state, family, group, priority or length is refused",
        arguments: [(1, 39), (1, 200), (2, 1), (2, 3), (3, 3), (4, 7), (5, 7), (6, 0x10), (14, 1), (16, 1), (43, 7)])
    func invalidField(offset: Int, value: UInt8) {
        var bytes = Self.hello
        bytes[offset] = value
        #expect(throws: DecodeError.self) { try Self.parse(bytes) }
    }

    @Test("unknown pieces are passed over wherever they stand; known ones may come once")
    func unknownPieces() throws {
        let unknown: [UInt8] = [200, 3, 1, 2, 3]
        let state = Array(Self.hello[..<42])
        let text = Array(Self.hello[42...])
        for bytes in [unknown + state + text, state + unknown + text, state + text + unknown + [201, 0]] {
            #expect(try Self.parse(bytes) == .message(Self.message()))
        }
        #expect(throws: DecodeError.self) { try Self.parse(state + state + text) }
        #expect(throws: DecodeError.self) { try Self.parse(state + text + text) }
        #expect(throws: DecodeError.overLimit(field: "hsrp pieces", value: 17)) {
            try Self.parse(state + Array(repeating: [200, 0], count: 16).joined())
        }
    }

    @Test("an interface's state alone is recognised and means nothing")
    func interfaceState() throws {
        #expect(try Self.parse([2, 4, 0, 1, 0, 0]) == .advertise)
    }

    @Test("no bytes whatever trap the decoder")
    func randomBytes() {
        var random = SplitMix64(seed: 7)
        for _ in 0..<20_000 {
            var bytes = Self.hello + [UInt8](repeating: 0, count: 8)
            for _ in 0..<Int.random(in: 0...4, using: &random) {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            _ = try? Self.parse(Array(bytes[..<Int.random(in: 0...bytes.count, using: &random)]))
        }
    }

    @Test("the Active's frame goes from 00:00:0c:9f:fG:GG to 224.0.0.102, with correct checksums")
    func activeFrame() throws {
        let source = IPAddress(10, 1, 0, 3)
        let mac = HSRPVersion.two.virtualMAC(group: 0xabc, .ipv4)
        #expect(mac.description == "00:00:0c:9f:fa:bc")
        let frame = Frames.hsrp(Self.message(), from: source, sourceMAC: mac)
        #expect(Array(frame[0..<14]) == [1, 0, 0x5e, 0, 0, 0x66, 0, 0, 0x0c, 0x9f, 0xfa, 0xbc, 8, 0])
        #expect(Array(frame[30..<34]) == [224, 0, 0, 102])
        #expect(internetChecksum(frame[14..<34]) == 0)
        let pseudo = source.octets + HSRPVersion.two.destination(.ipv4).octets + [0, 17, 0, 60]
        #expect(internetChecksum(pseudo + frame[34...]) == 0)
        #expect(Array(frame[42...]) == Self.hello)
    }

    // MARK: The machine

    static func router(_ change: (inout GroupSettings) -> Void = { _ in }) -> Router {
        Router.listening {
            $0.version = .two
            $0.identifier = MACAddress(0x0200_5e10_0003)
            change(&$0)
        }
    }

    @Test("a message from this node's own address that is another one's names the duplicate address")
    func duplicateAddress() {
        var router = Self.router()
        _ = router.at(0, .interfaceChanged(isUp: true))
        var message = Router.message(.hello, .active, priority: 255, version: .two)
        message.identifier = MACAddress(0x0200_0000_0099)
        let actions = router.at(100, .messageReceived(message, from: router.address))
        #expect(actions.counted == ["hello.duplicateAddress"])
        #expect(
            actions.warnings == [
                "HSRP-4-DUPADDR: Duplicate address 10.1.0.3, group 10, sourced by 0200.0000.0099"
            ])
        #expect(router.machine.activeRouter == nil)
    }

    @Test("timers are learned to the millisecond, and the Active is timed by what it says")
    func learnsMilliseconds() {
        var router = Self.router { $0.learnsTimers = true }
        _ = router.at(100, .messageReceived(Self.message(), from: Router.stranger))
        #expect(router.machine.hello == .milliseconds(250))
        #expect(router.machine.hold == .milliseconds(800))
        #expect(router.machine.activeDeadline == Router.instant(900))
    }

    @Test(
        "timers that contradict each other or are beyond what a router can be told are not believed",
        arguments: [(0, 0), (10, 800), (250, 250), (800, 250), (250, 255_001), (4_000_000_000, 4_100_000_000)])
    func unbelievable(hello: UInt32, hold: UInt32) {
        var router = Self.router { $0.learnsTimers = true }
        _ = router.at(100, .messageReceived(Self.message(hello: hello, hold: hold), from: Router.stranger))
        #expect(router.machine.hello == .seconds(3))
        #expect(router.machine.activeDeadline == Router.instant(10_100))
    }

    @Test("what it sends tells milliseconds and its own MAC")
    func sends() throws {
        var router = Self.router {
            $0.hello = .milliseconds(250)
            $0.hold = .milliseconds(800)
        }
        let sent = router.run(until: 801).compactMap { item -> HSRPMessage? in
            if case .send(let message, _) = item.action { message } else { nil }
        }
        let first = try #require(sent.first)
        #expect(first.version == .two && first.identifier == MACAddress(0x0200_5e10_0003))
        #expect(first.helloMilliseconds == 250 && first.holdMilliseconds == 800)
    }

    @Test("its own message is recognised by the identifier, whatever its source address")
    func looped() {
        var router = Self.router()
        var own = Self.message(priority: 255)
        own.identifier = MACAddress(0x0200_5e10_0003)
        #expect(router.at(100, .messageReceived(own, from: Router.stranger)) == [.count("hello.looped")])
    }

    @Test("a message of the other version is ignored, counted, and warned of once a minute")
    func otherVersion() {
        var second = Self.router()
        var first = Router.listening()
        let old = Router.message(.hello, .active, priority: 255)
        for (router, message) in [(0, old), (1, Self.message(priority: 255))] {
            func hear(_ milliseconds: Int) -> [GroupAction] {
                let event = GroupEvent.messageReceived(message, from: Router.stranger)
                return router == 0 ? second.at(milliseconds, event) : first.at(milliseconds, event)
            }
            let once = hear(100)
            #expect(once.counted == ["hello.otherVersion"] && once.warnings.count == 1)
            #expect(once.warnings.first?.hasPrefix("HSRP-4-BADVERSION: version") == true)
            #expect(hear(60_099).warnings.isEmpty)
            #expect(hear(60_100).warnings.count == 1)
        }
        #expect(second.machine.activeRouter == nil && first.machine.activeRouter == nil)
    }

    @Test("a message without authentication is refused as one with a wrong one")
    func unauthenticated() {
        var router = Self.router()
        var bare = Self.message(priority: 255)
        bare.authentication = .absent
        let actions = router.at(100, .messageReceived(bare, from: Router.stranger))
        #expect(actions.counted == ["hello.badAuthentication"])
        #expect(
            actions.warnings == [
                "HSRP-4-BADAUTH: Bad authentication from 10.1.0.9, group 10, remote state Active"
            ])
    }
}
