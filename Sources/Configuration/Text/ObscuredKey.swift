// SPDX-License-Identifier: Apache-2.0

/// IOS's type 7: a key that cannot be read by looking at it, and hidden from nobody who wants to know it.
///
/// Two decimal digits say where in a fixed text to start; each byte of the key follows in hexadecimal, exclusive-or'ed
/// with the next byte of that text.
enum ObscuredKey {
    private static let text = Array("dsfd;kfoA,.iyewrkldJKDHSUBsgvca69834ncxv9873254k;fg87".utf8)
    private static let starts = 0...15

    /// The key, nil where `text` is not written that way.
    static func reveal(_ text: String) -> [UInt8]? {
        let digits = Array(text.utf8)
        guard digits.count >= 4, digits.count % 2 == 0, let start = Int(text.prefix(2)), starts.contains(start),
            digits[0] != UInt8(ascii: "+")
        else { return nil }
        var key: [UInt8] = []
        for index in stride(from: 2, to: digits.count, by: 2) {
            guard let high = value(digits[index]), let low = value(digits[index + 1]) else { return nil }
            key.append((high << 4 | low) ^ Self.text[(start + key.count) % Self.text.count])
        }
        return key
    }

    /// The key in that form, always the same for the same key.
    static func obscure(_ key: [UInt8]) -> String {
        key.indices.reduce("00") { result, index in
            let byte = key[index] ^ text[index % text.count]
            return result + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
        }
    }

    private static func value(_ digit: UInt8) -> UInt8? {
        Character(UnicodeScalar(digit)).hexDigitValue.map { UInt8($0) }
    }
}
