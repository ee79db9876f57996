// SPDX-License-Identifier: Apache-2.0

import ByteCodec
import Primitives
import SecurityAssociations
import Testing

@testable import StrongSwan

@Suite struct HAMessageTests {
    @Test("an IKE_ADD of each version tells both identities and keeps its bytes", arguments: [3, 4, 5] as [UInt8])
    func ikeAdd(version: UInt8) throws {
        let fixture = HAFixture.ikeAdd(pair(2), replacing: pair(1), version: version)
        let message = try fixture.message()
        #expect(message.kind == .ikeAdd)
        #expect(message.version.rawValue == version)
        #expect(message.identity == IKEIdentity(version: 2, spis: pair(2), isInitiator: false))
        #expect(message.rekeyedIdentity?.spis == pair(1))
        #expect(message.remoteEndpoint == IKEEndpoint(port: 500, octets: [10, 1, 0, 5]))
        #expect(message.unknownAttribute == nil)
        #expect(message.bytes == SecretBytes(fixture.bytes))
    }

    @Test(
        "a CHILD_ADD's SPIs are reversed on the wire and shown as the kernel shows them", arguments: [3, 4] as [UInt8])
    func childAdd(version: UInt8) throws {
        let fixture = HAFixture.childAdd(pair(1), inbound: 0xcc91_d514, outbound: 0xc000_0001, version: version)
        let message = try fixture.message()
        #expect(message.inboundSPI == 0xcc91_d514)
        #expect(message.outboundSPI == 0xc000_0001)
        #expect(message.configurationName == "net")
        #expect(fixture.bytes.firstRange(of: [0x14, 0xd5, 0x91, 0xcc]) != nil)
    }

    @Test("an IKE_UPDATE tells name and ends, and of version 5's two bit sets the public one")
    func ikeUpdate() throws {
        let message = try HAFixture.ikeUpdate(pair(1), version: 5)
            .number32(9, 0x8000_0001).number32(10, 0x8000_0002).message()
        #expect(message.configurationName == "branch")
        #expect(message.localEndpoint?.octets == [10, 1, 0, 100])
        #expect(message.conditions == 0x40)
        #expect(message.extensions == 0x8814)
    }

    @Test("an update whose first attribute is not the identity is refused, as charon ignores it")
    func identityFirst() {
        let fixture = HAFixture(.ikeUpdate).name("branch").identity(pair(1))
        #expect(throws: DecodeError.self) { try fixture.message() }
    }

    @Test("an unknown attribute ends parsing and is named")
    func unknownAttribute() throws {
        let message = try HAFixture.messageID(pair(1), 4).adding(99, [1, 2, 3]).message()
        #expect(message.messageID == 4)
        #expect(message.unknownAttribute == 97)
    }

    @Test("a version that nobody knows and a type that does not exist are refused")
    func header() {
        #expect(throws: DecodeError.invalid(field: "ha version", value: 2)) { try HAMessage(decoding: [2, 1]) }
        #expect(throws: DecodeError.invalid(field: "ha version", value: 6)) { try HAMessage(decoding: [6, 1]) }
        #expect(throws: DecodeError.invalid(field: "ha message type", value: 13)) { try HAMessage(decoding: [3, 13]) }
        #expect(throws: DecodeError.self) { try HAMessage(decoding: [3]) }
        #expect(throws: DecodeError.self) { try HAMessage(decoding: []) }
    }

    @Test("records without what they are about are refused")
    func presence() {
        for kind in HAMessage.Kind.allCases where kind.isRecord {
            #expect(throws: DecodeError.self) { try HAMessage(decoding: [3, kind.rawValue]) }
        }
        #expect(throws: DecodeError.self) { try HAFixture(.childDelete).identity(pair(1)).message() }
        #expect(throws: DecodeError.self) { try HAFixture(.ikeMessageIDInitiator).identity(pair(1)).message() }
        #expect(throws: DecodeError.self) { try HAFixture(.ikeDelete).identity(pair(1), ike: 7).message() }
    }

    @Test("every truncation of every message is an error or a shorter message, never a trap")
    func truncation() {
        for fixture in Self.samples {
            for length in 0..<fixture.bytes.count { _ = try? HAMessage(decoding: fixture.bytes[..<length]) }
        }
        // Cut inside the last attribute, nothing is accepted.
        for fixture in Self.samples {
            #expect(throws: DecodeError.self) { try HAMessage(decoding: fixture.bytes.dropLast()) }
        }
    }

    @Test("random bytes and random changes never trap")
    func noise() {
        var random = SplitMix(seed: 11)
        for round in 0..<20_000 {
            var bytes = Self.samples[round % Self.samples.count].bytes
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = .random(in: 0...255, using: &random)
            }
            guard let message = try? HAMessage(decoding: bytes[...]) else { continue }
            for version in HAVersion.allCases { _ = message.translated(to: version) }
        }
    }

    @Test("a datagram above the limit is refused")
    func oversized() {
        let bytes = HAFixture.ikeUpdate(pair(1)).bytes + [UInt8](repeating: 8, count: Limits.datagramByteCount)
        #expect(throws: DecodeError.overLimit(field: "ha datagram", value: UInt64(bytes.count))) {
            try HAMessage(decoding: bytes[...])
        }
        let many = HAFixture(.status).bytes + Array(repeatElement([34, 0, 1], count: 1_025).joined())
        #expect(throws: DecodeError.overLimit(field: "ha attributes", value: 1_025)) {
            try HAMessage(decoding: many[...])
        }
    }

    @Test("commands are built in the local charon's version")
    func commands() {
        func bytes(_ message: HAMessage) -> [UInt8] { message.bytes.withBytes { $0 } }
        #expect(bytes(.status(serving: [1], version: .three)) == [3, 10, 34, 0, 1])
        #expect(bytes(.status(serving: [], version: .four)) == [4, 10])
        #expect(bytes(.segmentDrop([1], version: .five)) == [5, 8, 36, 0, 1])
        #expect(bytes(.segmentTake([1], version: .three)) == [3, 9, 34, 0, 1])
        let identity = IKEIdentity(version: 1, spis: pair(1), isInitiator: true)
        let delete = HAMessage.childDelete(identity, inboundSPI: 0xc01b_75e7, version: .three)
        #expect(delete.identity == identity)
        #expect(delete.inboundSPI == 0xc01b_75e7)
        #expect(bytes(delete).suffix(5) == [27, 0xe7, 0x75, 0x1b, 0xc0])
        #expect(HAMessage.ikeDelete(identity, version: .five).identity == identity)
    }

    @Test("versions translate into each other where both can say it")
    func translation() throws {
        for fixture in Self.samples {
            let three = try fixture.message()
            let four = try #require(three.translated(to: .four))
            #expect(four.version == .four)
            #expect(four.identity == three.identity)
            #expect(four.translated(to: .three) == three)
        }
        let five = try HAFixture.ikeUpdate(pair(1), version: 5).number32(9, 0x8000_0001).message()
        #expect(try five.translated(to: .three) == HAFixture.ikeUpdate(pair(1)).message())
        let multiple = try HAFixture.ikeAdd(pair(1), version: 4).chunk(26, [0, 36]).message()
        #expect(multiple.translated(to: .three) == nil)
        #expect(multiple.translated(to: .five)?.version == .five)
    }

    @Test("a release tells its wire version")
    func releases() {
        let releases: [(String, HAVersion?)] = [
            ("5.9.8", .three), ("6.0.0", .three), ("6.0.1", .four), ("6.0.2", .five), ("6.0.7", .five),
            ("5.7.2", .three),
            ("5.7.1", nil), ("5.6.3", nil), ("6.1.0", .five), ("6.0.1rc1", .four), ("six", nil), ("", nil), ("5", nil),
        ]
        for (release, version) in releases { #expect(HAVersion(release: release) == version, "\(release)") }
    }

    @Test("no description of a message or its bytes shows them")
    func secrecy() throws {
        let message = try HAFixture(.ikeAdd).identity(pair(1)).chunk(17, [0xab, 0xcd, 0xef, 0x99]).message()
        var dumped = ""
        dump(message, to: &dumped)
        for text in ["\(message)", String(reflecting: message), String(describing: message.bytes), dumped] {
            for secret in ["171, 205", "abcdef99", "205"] { #expect(!text.contains(secret)) }
        }
    }

    static let samples: [HAFixture] = [
        .ikeAdd(pair(2), replacing: pair(1)), .ikeAdd(pair(3), ike: 1), .ikeUpdate(pair(1)), .messageID(pair(1), 7),
        .childAdd(pair(1), inbound: 0xc000_0001, outbound: 0xc000_0002),
        HAFixture(.ikeInitializationVector).identity(pair(3), ike: 1).chunk(42, [1, 2, 3, 4]),
        HAFixture(.ikeDelete).identity(pair(1)), HAFixture(.childDelete).identity(pair(1)).spi(29, 0xc000_0001),
        HAFixture(.ikeUpdate).identity(pair(1)).host(12, [10, 9, 0, 1], port: 0),
        HAFixture(.resync).adding(36, [0, 1]),
    ]
}

/// A small seeded generator, so that every run is the same.
struct SplitMix: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
        return mixed ^ mixed >> 31
    }
}
