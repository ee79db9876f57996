// SPDX-License-Identifier: Apache-2.0

import Primitives
import Testing

@testable import SecureChannel

@Suite("Identities")
struct IdentityTests {
    /// Made by OpenSSL 3: `openssl genpkey -algorithm ed25519`, `openssl req -new -x509 -days 1`.
    private static let foreign = """
        -----BEGIN PRIVATE KEY-----
        MC4CAQAwBQYDK2VwBCIEINXrZSJnJJCbemD3ZBd6XZhvTKv9QHt14ea3uXfE1loN
        -----END PRIVATE KEY-----
        -----BEGIN CERTIFICATE-----
        MIIBNDCB56ADAgECAhQ0J0N4Tn++4SKKROJP9xNXdUCzUDAFBgMrZXAwEDEOMAwG
        A1UEAwwFb3RoZXIwHhcNMjYxMTIzMTc1NTExWhcNMjYxMTI0MTc1NTExWjAQMQ4w
        DAYDVQQDDAVvdGhlcjAqMAUGAytlcAMhAGLe/yJ8ELuu3JaARhIiUOU3UCme9ggy
        9gZmqs0Xo5ybo1MwUTAdBgNVHQ4EFgQUfasaEsb/Z78ik8zOMgJ9tQoQ3WswHwYD
        VR0jBBgwFoAUfasaEsb/Z78ik8zOMgJ9tQoQ3WswDwYDVR0TAQH/BAUwAwEB/zAF
        BgMrZXADQQDwrGC7FIDtIxTd2F4aA95uryw5M/9LvUaRIy8E8gYUzgqEpWm6puUC
        Zsheu0y7ikIKrxSPXnyWbs55FX6j8y0H
        -----END CERTIFICATE-----

        """

    /// The same with `-algorithm EC -pkeyopt ec_paramgen_curve:secp521r1`.
    private static let unsuitable = """
        -----BEGIN PRIVATE KEY-----
        MIHuAgEAMBAGByqGSM49AgEGBSuBBAAjBIHWMIHTAgEBBEIAc6DskYaosHh/jWoE
        dWtVL03mAqAFlwunBR7icPt8LJ64wI3L+/KdeVuDfQUXDVwfvBTVoOcHqVoTI4AD
        d3iU6z6hgYkDgYYABAHSgc45T09vOWM9nbrKo7Ry+kGK4xpTrBIeGWytPGhIqDby
        GvIoe1mOTSKd05a6R1zaj8SXjCmI5+mpUjo5PxbRpQE+LDV+eVPKm/s0Qd83tTca
        BMD9aQt0wTMY6AFX+Dt+FhTbjrNH3jmpROV4R4uzGzF8fchptKbLe0xaOjKTNk3f
        NQ==
        -----END PRIVATE KEY-----
        -----BEGIN CERTIFICATE-----
        MIIB/DCCAV6gAwIBAgIUDFbz/HjdEAAAF71nv3opCIYODCIwCgYIKoZIzj0EAwIw
        EDEOMAwGA1UEAwwFb3RoZXIwHhcNMjYxMTIzMTg1MDM1WhcNMjYxMTI0MTg1MDM1
        WjAQMQ4wDAYDVQQDDAVvdGhlcjCBmzAQBgcqhkjOPQIBBgUrgQQAIwOBhgAEAdKB
        zjlPT285Yz2dusqjtHL6QYrjGlOsEh4ZbK08aEioNvIa8ih7WY5NIp3TlrpHXNqP
        xJeMKYjn6alSOjk/FtGlAT4sNX55U8qb+zRB3ze1NxoEwP1pC3TBMxjoAVf4O34W
        FNuOs0feOalE5XhHi7MbMXx9yGm0pst7TFo6MpM2Td81o1MwUTAdBgNVHQ4EFgQU
        PT+bS/bA1AjeNgelNzOPnGsZwRYwHwYDVR0jBBgwFoAUPT+bS/bA1AjeNgelNzOP
        nGsZwRYwDwYDVR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgOBiwAwgYcCQgGrZK5H
        Qfrm0/i4/QZU0uH260KyCqAi+tpFf1fQppi06DU/L8AxPxmb6rg/FArRGI0qaeT6
        Qe1cB08Sbu4w110B/wJBV3YVgaYFwQl9srclcchm7OuECAg72BheAXKOVrX7xR7G
        zY11YSZSfN845OG9q5DINP3vH58v4STjAaqkjf3mkTA=
        -----END CERTIFICATE-----

        """

    private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

    private func part(_ pem: [UInt8], _ name: String) -> [UInt8] {
        let lines = text(pem).split(separator: "\n", omittingEmptySubsequences: false)
        guard let start = lines.firstIndex(of: "-----BEGIN \(name)-----"),
            let end = lines.firstIndex(of: "-----END \(name)-----")
        else { return [] }
        return [UInt8]((lines[start...end].joined(separator: "\n") + "\n").utf8)
    }

    @Test("an identity is one key and one certificate in PEM form; its fingerprint is that of either part")
    func made() throws {
        let (pem, fingerprint) = try CryptoLibrary.makeIdentity()
        let key = part(pem, "PRIVATE KEY")
        let certificate = part(pem, "CERTIFICATE")
        #expect(key + certificate == pem)
        for text in [pem, key, certificate, certificate + key] {
            #expect(try CryptoLibrary.fingerprint(ofPEM: text) == fingerprint)
        }
        let identity = try NodeIdentity(pem: pem)
        #expect(identity.fingerprint == fingerprint)
        #expect(try NodeIdentity(pem: certificate + key).fingerprint == fingerprint)
        #expect("\(identity)" == "identity \(fingerprint)")
        #expect(pem.count < NodeIdentity.Limits.pemByteCount)
    }

    @Test("two identities never have the same key")
    func different() throws {
        let all = try (0..<5).map { _ in try CryptoLibrary.makeIdentity().fingerprint }
        #expect(Set(all).count == 5)
    }

    @Test("half an identity, two halves of different ones, and no identity at all are told apart")
    func faults() throws {
        let first = try CryptoLibrary.makeIdentity().pem
        let second = try CryptoLibrary.makeIdentity().pem
        #expect(throws: IdentityError.noCertificate) { try NodeIdentity(pem: part(first, "PRIVATE KEY")) }
        #expect(throws: IdentityError.noKey) { try NodeIdentity(pem: part(first, "CERTIFICATE")) }
        #expect(throws: IdentityError.noKey) { try NodeIdentity(pem: []) }
        #expect(throws: IdentityError.nothing) { try CryptoLibrary.fingerprint(ofPEM: []) }
        #expect(throws: IdentityError.nothing) { try CryptoLibrary.fingerprint(ofPEM: [UInt8]("hello".utf8)) }
        let mixed = part(first, "PRIVATE KEY") + part(second, "CERTIFICATE")
        do {
            _ = try NodeIdentity(pem: mixed)
            Issue.record("a key with another's certificate was taken")
        } catch {
            guard case .unusable = error else {
                Issue.record("\(error)")
                return
            }
            #expect("\(error)".contains("do not belong together"))
        }
    }

    @Test("an identity that TLS can use passes its rehearsal")
    func rehearsal() throws {
        try makeIdentity().rehearse()
        try NodeIdentity(pem: [UInt8](Self.foreign.utf8)).rehearse()
    }

    @Test("a key of a kind that TLS is not asked to know fails its rehearsal")
    func unsuitable() throws {
        let identity = try NodeIdentity(pem: [UInt8](Self.unsuitable.utf8))
        #expect(throws: IdentityError.self) { try identity.rehearse() }
    }

    @Test("damaged files are refused, never a trap")
    func damaged() throws {
        let pem = try CryptoLibrary.makeIdentity().pem
        var generator = SystemRandomNumberGenerator()
        for length in stride(from: 0, to: pem.count, by: 11) {
            _ = try? NodeIdentity(pem: Array(pem[..<length]))
            _ = try? CryptoLibrary.fingerprint(ofPEM: Array(pem[..<length]))
        }
        for _ in 0..<200 {
            var broken = pem
            broken[Int.random(in: 0..<broken.count, using: &generator)] = .random(in: 0...255, using: &generator)
            _ = try? NodeIdentity(pem: broken)
            _ = try? CryptoLibrary.fingerprint(ofPEM: broken)
        }
        #expect(try NodeIdentity(pem: pem).fingerprint == CryptoLibrary.fingerprint(ofPEM: pem))
    }

    @Test("what went wrong before does not stand in the next report")
    func forgottenErrors() throws {
        _ = try? NodeIdentity(pem: [UInt8]("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n".utf8))
        _ = try? CryptoLibrary.fingerprint(ofPEM: [1, 2, 3])
        let identity = try makeIdentity()
        let end = End(try SecureStream(.server, identity: identity, peers: []))
        end.take([22, 3, 1, 0, 5, 9, 9, 9, 9, 9])
        #expect(end.events == [.ended(.malformed("EXCESSIVE_MESSAGE_SIZE"))])
    }

    @Test("the same key in another certificate is the same node; names and dates mean nothing")
    func envelopes() throws {
        let first = try CryptoLibrary.makeIdentity()
        let envelopes = [
            CryptoLibrary.Envelope(name: "somebody else", key: first.pem),
            .init(validFrom: "700101000000Z", validTo: "700102000000Z", key: first.pem),
            .init(validFrom: "21000101000000Z", validTo: "21010101000000Z", key: first.pem),
        ]
        for envelope in envelopes {
            let (pem, fingerprint) = try CryptoLibrary.makeIdentity(envelope)
            #expect(fingerprint == first.fingerprint && pem != first.pem)
            let identity = try NodeIdentity(pem: pem)
            for pair in [try Pair.open(client: identity), try Pair.open(server: identity)] {
                #expect(pair.client.stream.isOpen && pair.server.stream.isOpen)
            }
        }
    }

    @Test("an identity that OpenSSL made, with another kind of key, is one as well")
    func foreignIdentity() throws {
        let identity = try NodeIdentity(pem: [UInt8](Self.foreign.utf8))
        #expect(
            identity.fingerprint.description
                == "sha256:49a7124c53097f9b40ffe323b21c436d5d3332e2c4c747f0aeedeb2c0204874f")
        let pair = try Pair.open(client: identity)
        #expect(pair.server.events.first == .opened(peer: identity.fingerprint))
    }
}
