// SPDX-License-Identifier: Apache-2.0

import ByteCodec
import Primitives
import Testing

@testable import FirstHop

/// MD5 authentication of both versions (reference first-hop §1.4).
@Suite struct DigestTests {
    static func key(_ text: String) throws -> HSRPKey { try #require(HSRPKey(SecretBytes(Array(text.utf8)))) }

    static func hexadecimal(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    @Test(
        "MD5 of RFC 1321's examples, and at the edges of a block",
        arguments: [
            ("", "d41d8cd98f00b204e9800998ecf8427e"), ("a", "0cc175b9c0f1b6a831c399e269772661"),
            ("abc", "900150983cd24fb0d6963f7d28e17f72"), ("message digest", "f96b697d7cb7938d525a2f31aaf161d0"),
            (String(repeating: "x", count: 55), "04364420e25c512fd958a70738aa8f72"),
            (String(repeating: "x", count: 56), "668a72d5ba17f08e62dabcafad6db14b"),
            (String(repeating: "x", count: 64), "c1bb4f81d892b2d57947682aeb252456"),
            (String(repeating: "x", count: 119), "ab347a5f68c8a443cfcddc633f12c24f"),
            (String(repeating: "x", count: 1000), "398533d48111e9f664b1f64cb10c4b63"),
        ])
    func examples(text: String, digest: String) {
        var hash = MD5()
        hash.update(text.utf8)
        #expect(Self.hexadecimal(hash.finish()) == digest)
    }

    static func message(_ version: HSRPVersion, _ key: HSRPKey, priority: UInt8 = 105) -> HSRPMessage {
        var message =
            version == .one
            ? Router.message(.hello, .active, priority: priority) : Version2Tests.message(priority: priority)
        message.sign(with: key, from: Router.stranger)
        return message
    }

    /// What Python's hashlib makes of the same bytes by the same formula.
    @Test(
        "the digests of an independent implementation, for keys of 1 to 55 bytes",
        arguments: [
            ("SECRET", "e9e85d614210092aa437f1ef5d48e34c", "648759a3ed7e3f4b5a9e119851abbcd1"),
            ("a", "f97e19c9d267e5ed40083b526e5dbe80", "adc2e4bb262de0cf62c01204701fa00d"),
            (
                String(repeating: "x", count: 55), "b48e3ea0e3093b47c143e34568177934",
                "2875476e803c236d5f4f68f99ba118a6"
            ),
        ])
    func vectors(text: String, first: String, second: String) throws {
        for (version, expected, byteCount) in [(HSRPVersion.one, first, 50), (.two, second, 72)] {
            let message = Self.message(version, try Self.key(text))
            let bytes = message.bytes
            #expect(bytes.count == byteCount)
            #expect(Self.hexadecimal(Array(bytes.suffix(16))) == expected)
            #expect(try HSRPDatagram(parsing: bytes[...], version: version) == .message(message))
        }
    }

    @Test("a key has 1 to 55 bytes")
    func keyLength() {
        #expect(HSRPKey(SecretBytes([UInt8]())) == nil)
        #expect(HSRPKey(SecretBytes([UInt8](repeating: 1, count: 56))) == nil)
        #expect(HSRPKey(SecretBytes([UInt8](repeating: 1, count: 55))) != nil)
    }

    private func router(_ version: HSRPVersion, _ key: HSRPKey) -> Router {
        Router.listening {
            $0.version = version
            $0.authentication = .keys(sending: key, accepting: [key])
        }
    }

    @Test(
        "a signed message is believed; with any bit of its bytes changed it never is", arguments: HSRPVersion.allCases)
    func everyBit(version: HSRPVersion) throws {
        let key = try Self.key("SECRET")
        var router = router(version, key)
        let bytes = Self.message(version, key).bytes
        let good = try HSRPDatagram(parsing: bytes[...], version: version)
        guard case .message(let message) = good else {
            Issue.record("no message")
            return
        }
        #expect(router.at(1, .messageReceived(message, from: Router.stranger)).counted == ["hello.received"])
        for bit in 0..<bytes.count * 8 {
            var forged = bytes
            forged[bit / 8] ^= 1 << UInt8(bit % 8)
            guard case .message(let message)? = try? HSRPDatagram(parsing: forged[...], version: version),
                message.group == 10
            else { continue }
            let actions = router.at(2 + bit, .messageReceived(message, from: Router.stranger))
            #expect(actions.counted == ["hello.badAuthentication"], "bit \(bit)")
        }
    }

    @Test("another key, clear text, another sender: refused, counted, and warned of once a minute as IOS does")
    func refused() throws {
        let key = try Self.key("SECRET")
        var router = router(.two, key)
        let wrong = Self.message(.two, try Self.key("SECREt"))
        let actions = router.at(1, .messageReceived(wrong, from: Router.stranger))
        #expect(actions.counted == ["hello.badAuthentication"])
        #expect(
            actions.warnings == ["HSRP-4-BADAUTH: Bad authentication from 10.1.0.9, group 10, remote state Active"])
        #expect(router.at(2, .messageReceived(wrong, from: Router.stranger)).warnings.isEmpty)
        let text = router.at(3, .messageReceived(Version2Tests.message(), from: Router.stranger))
        #expect(text.counted == ["hello.badAuthentication"])
        let moved = router.at(4, .messageReceived(Self.message(.two, key), from: Router.peer))
        #expect(moved.counted == ["hello.badAuthentication"])
        #expect(router.machine.activeRouter == nil)
        var plain = Router.listening { $0.version = .two }
        let signed = plain.at(1, .messageReceived(Self.message(.two, key), from: Router.stranger))
        #expect(signed.counted == ["hello.badAuthentication"])
    }

    @Test("what a router sends is signed, the repeated Resign too")
    func sends() throws {
        let key = try Self.key("SECRET")
        var router = router(.one, key)
        _ = router.run(until: 20_000)
        #expect(router.machine.state == .active)
        var sent = router.at(20_100, .interfaceChanged(isUp: false))
        sent += router.run(until: 21_000).map(\.action)
        let messages = sent.compactMap { if case .send(let message, _) = $0 { message } else { nil } }
        #expect(messages.map(\.operation) == [.resign, .resign, .resign])
        for message in messages {
            guard case .digest(let digest) = message.authentication else {
                Issue.record("not signed")
                return
            }
            #expect(digest.sender == router.address.ipv4 && key.made(digest))
            #expect(message.state == .active)
        }
    }

    @Test("after a change of keys the former one is believed until its timeout, and not without one")
    func formerKey() throws {
        let (old, new) = (try Self.key("old"), try Self.key("new"))
        for seconds in [0, 30] {
            var router = router(.two, old)
            var settings = router.machine.settings
            settings.authentication = .keys(sending: new, accepting: [new])
            settings.keyTimeout = .seconds(seconds)
            _ = router.at(1000, .settingsChanged(settings))
            func hear(_ milliseconds: Int, _ key: HSRPKey) -> [String] {
                _ = router.run(until: milliseconds)
                return router.at(milliseconds, .messageReceived(Self.message(.two, key), from: Router.stranger)).counted
            }
            #expect(hear(1001, new) == ["hello.received"])
            #expect(hear(2000, old) == [seconds == 0 ? "hello.badAuthentication" : "hello.received"])
            #expect(hear(31_000, old) == ["hello.badAuthentication"])
        }
    }

    @Test("a digest of another algorithm, or cut short, is refused by the decoder")
    func malformed() throws {
        let bytes = Self.message(.two, try Self.key("SECRET")).bytes
        for (offset, value) in [(43, 27), (43, 29), (44, 2)] as [(Int, UInt8)] {
            var faulty = bytes
            faulty[offset] = value
            #expect(throws: DecodeError.self) { try HSRPDatagram(parsing: faulty[...], version: .two) }
        }
    }
}
