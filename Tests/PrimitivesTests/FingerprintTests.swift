// SPDX-License-Identifier: Apache-2.0

import Primitives
import Testing

@Suite("Fingerprints")
struct FingerprintTests {
    private static let text = "sha256:" + String(repeating: "0f", count: 31) + "a7"

    @Test("text and bytes are the same thing")
    func roundTrip() throws {
        let fingerprint = try #require(Fingerprint(text: Self.text))
        #expect(fingerprint.bytes == [UInt8](repeating: 0x0f, count: 31) + [0xa7])
        #expect(fingerprint.description == Self.text)
        #expect(Fingerprint(bytes: fingerprint.bytes) == fingerprint)
        #expect(Fingerprint(bytes: Array(fingerprint.bytes.dropLast())) == nil)
    }

    @Test(
        "what is no fingerprint",
        arguments: [
            "", "sha256:", String(text.dropLast()), text + "0", String(text.dropFirst(7)), text.uppercased(),
            text.replacing("a7", with: "A7"), text.replacing("a7", with: "g7"), text.replacing("sha256", with: "sha1"),
            text.replacing("a7", with: "é"),
        ])
    func malformed(text: String) {
        #expect(Fingerprint(text: text) == nil)
    }

    @Test("a difference in any byte is seen")
    func comparison() throws {
        let fingerprint = try #require(Fingerprint(text: Self.text))
        for index in 0..<Fingerprint.byteCount {
            var bytes = fingerprint.bytes
            bytes[index] ^= 1
            let other = try #require(Fingerprint(bytes: bytes))
            #expect(other != fingerprint)
            #expect(!fingerprint.isAmong([other]))
            #expect(fingerprint.isAmong([other, fingerprint]))
        }
        #expect(!fingerprint.isAmong([]))
    }
}
