// SPDX-License-Identifier: Apache-2.0

import Primitives
import SecureChannel
import Testing

@Suite struct MessageCodeTests {
    /// RFC 4231 §4.2, §4.3 and §4.7.
    private static let cases: [(key: [UInt8], text: [UInt8], code: String)] = [
        (
            [UInt8](repeating: 0x0b, count: 20), Array("Hi There".utf8),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
        ),
        (
            Array("Jefe".utf8), Array("what do ya want for nothing?".utf8),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        ),
        (
            [UInt8](repeating: 0xaa, count: 131), Array("Test Using Larger Than Block-Size Key - Hash Key First".utf8),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        ),
    ]

    @Test("the published cases", arguments: cases)
    func published(key: [UInt8], text: [UInt8], code: String) {
        let made = MessageCode.make(of: text, key: SecretBytes(key))
        #expect(made.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined() == code)
        #expect(MessageCode.make(of: text, key: SecretBytes(key), beginsWith: Array(made.prefix(16))))
    }

    @Test("another key, another message, another code, none, or too much of it does not fit")
    func wrong() {
        let key = SecretBytes([UInt8](repeating: 1, count: 32))
        let code = MessageCode.make(of: [1, 2, 3], key: key)
        var other = code
        other[15] ^= 1
        #expect(!MessageCode.make(of: [1, 2, 3], key: SecretBytes([UInt8](repeating: 2, count: 32)), beginsWith: code))
        #expect(!MessageCode.make(of: [1, 2], key: key, beginsWith: code))
        #expect(!MessageCode.make(of: [1, 2, 3], key: key, beginsWith: Array(other.prefix(16))))
        #expect(!MessageCode.make(of: [1, 2, 3], key: key, beginsWith: []))
        #expect(!MessageCode.make(of: [1, 2, 3], key: key, beginsWith: code + [0]))
    }
}
