// SPDX-License-Identifier: Apache-2.0

import ByteCodec
import Primitives
import Testing

@testable import FirstHop

private let speakHello: [UInt8] = [
    0, 0, 4, 3, 10, 200, 1, 0, 0x63, 0x69, 0x73, 0x63, 0x6f, 0, 0, 0, 192, 168, 0, 1,
]

@Test("a hello is 20 bytes in RFC 2281's order and reads back the same")
func helloRoundTrip() throws {
    let message = HSRPMessage(
        version: .one, operation: .hello, state: .speak, helloMilliseconds: 3000, holdMilliseconds: 10_000,
        priority: 200,
        group: 1, authentication: .text(.cisco), virtualAddress: IPAddress(192, 168, 0, 1))
    #expect(message.bytes == speakHello)
    #expect(try HSRPDatagram(parsing: speakHello[...], version: .one) == .message(message))
}

@Test("every operation and state round-trips")
func allOperationsAndStates() throws {
    for operation in [HSRPMessage.Operation.hello, .coup, .resign] {
        for state in HSRPState.allCases {
            let message = HSRPMessage(
                version: .one, operation: operation, state: state, helloMilliseconds: 1000,
                holdMilliseconds: 255_000, priority: 0,
                group: 255,
                authentication: .text(try #require(AuthenticationText("12345678"))), virtualAddress: .any(.ipv4))
            #expect(try HSRPDatagram(parsing: message.bytes[...], version: .one) == .message(message))
        }
    }
}

@Test("Advertise is recognised whatever follows")
func advertise() throws {
    let bytes: [UInt8] = [0, 3, 0, 1, 0, 14, 2, 0, 0, 0, 0, 0, 3, 0x6f, 0, 0, 0, 0, 0, 0]
    #expect(try HSRPDatagram(parsing: bytes[...], version: .one) == .advertise)
}

@Test("every truncation is refused")
func truncated() {
    for count in 0..<20 {
        #expect(throws: DecodeError.self) { try HSRPDatagram(parsing: speakHello[0..<count], version: .one) }
    }
}

@Test("a wrong version, op code, state or length is refused", arguments: [(0, 1), (1, 4), (1, 255), (2, 3), (2, 32)])
func invalidField(offset: Int, value: UInt8) {
    var bytes = speakHello
    bytes[offset] = value
    #expect(throws: DecodeError.self) { try HSRPDatagram(parsing: bytes[...], version: .one) }
    #expect(throws: DecodeError.trailing(1)) { try HSRPDatagram(parsing: (speakHello + [0])[...], version: .one) }
}

@Test("a message with an MD5 TLV behind it decodes, so that it is refused for its authentication")
func digestBehind() throws {
    let bytes = speakHello + [4, 28, 1] + [UInt8](repeating: 0, count: 27)
    guard case .message(let message) = try HSRPDatagram(parsing: bytes[...], version: .one) else {
        Issue.record("not a message")
        return
    }
    #expect(message.authentication != .text(.cisco))
    var other = bytes
    other[20] = 3
    #expect(throws: DecodeError.self) { try HSRPDatagram(parsing: other[...], version: .one) }
}

@Test("version 1 says whole seconds: finer timers are rounded up")
func roundedTimers() throws {
    let cases: [(UInt32, UInt32, [UInt8])] = [(250, 800, [1, 1]), (999, 3001, [1, 4]), (3000, 10_000, [3, 10])]
    for (hello, hold, told) in cases {
        var message = Router.message(.hello, .active, priority: 100)
        message.helloMilliseconds = hello
        message.holdMilliseconds = hold
        #expect(Array(message.bytes[3...4]) == told)
    }
}

@Test("no bytes whatever trap the decoder")
func randomBytes() {
    var random = SplitMix64(seed: 7)
    for _ in 0..<20_000 {
        let bytes = (0..<Int.random(in: 0...60, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
        _ = try? HSRPDatagram(parsing: ([0, UInt8.random(in: 0...3, using: &random)] + bytes)[...], version: .one)
    }
}

@Test("authentication text is at most 8 bytes, zero-padded")
func authenticationText() {
    #expect(AuthenticationText("cisco") == .cisco)
    #expect(AuthenticationText("123456789") == nil)
    #expect(AuthenticationText("")?.value == 0)
}

@Test("the Active's frame carries virtual MAC, TTL 1 and correct checksums")
func activeFrame() throws {
    let message = HSRPMessage(
        version: .one, operation: .hello, state: .active, helloMilliseconds: 3000, holdMilliseconds: 10_000,
        priority: 200,
        group: 1, authentication: .text(.cisco), virtualAddress: IPAddress(192, 168, 0, 1))
    let source = IPAddress(192, 168, 0, 10)
    let frame = Frames.hsrp(message, from: source, sourceMAC: .hsrpVersion1(group: 1))
    #expect(frame.count == 62)
    #expect(Array(frame[0..<14]) == [1, 0, 0x5e, 0, 0, 2, 0, 0, 0x0c, 7, 0xac, 1, 8, 0])
    #expect(frame[22] == 1)
    #expect(frame[23] == 17)
    #expect(internetChecksum(frame[14..<34]) == 0)
    let pseudo = source.octets + HSRPVersion.one.destination(.ipv4).octets + [0, 17, 0, 28]
    #expect(internetChecksum(pseudo + frame[34...]) == 0)
    #expect(Array(frame[42...]) == message.bytes)
}

@Test("gratuitous ARP comes in both forms, from and about the virtual MAC")
func gratuitousARP() {
    let mac = MACAddress.hsrpVersion1(group: 10)
    let address = IPv4Address(10, 1, 0, 100)
    for form in Frames.ARPForm.allCases {
        let frame = Frames.gratuitousARP(form, address: address, mac: mac)
        #expect(frame.count == 42)
        #expect(Array(frame[0..<6]) == [255, 255, 255, 255, 255, 255])
        #expect(Array(frame[6..<12]) == mac.octets)
        #expect(frame[21] == UInt8(form.rawValue))
        #expect(Array(frame[22..<28]) == mac.octets)
        #expect(Array(frame[28..<32]) == address.octets)
        #expect(Array(frame[38..<42]) == address.octets)
    }
}
