// SPDX-License-Identifier: Apache-2.0

/// By what the two nodes of a pair know each other: the SHA-256 of a node's public key (RFC 7469 §2.4).
///
/// Its text is `sha256:` and 64 lower-case hexadecimal digits. It is no secret.
public struct Fingerprint: Hashable, Sendable, CustomStringConvertible {
    /// The length of the digest.
    public static let byteCount = 32
    /// What the text begins with.
    public static let prefix = "sha256:"

    /// The digest.
    public let bytes: [UInt8]

    /// Takes a digest; nil unless it has `byteCount` bytes.
    public init?(bytes: [UInt8]) {
        guard bytes.count == Self.byteCount else { return nil }
        self.bytes = bytes
    }

    /// Parses the text; anything else, upper-case digits too, is nil.
    public init?(text: String) {
        guard text.hasPrefix(Self.prefix) else { return nil }
        let digits = Array(text.utf8.dropFirst(Self.prefix.utf8.count))
        guard digits.count == 2 * Self.byteCount else { return nil }
        var bytes: [UInt8] = []
        for index in stride(from: 0, to: digits.count, by: 2) {
            guard let high = Self.value(of: digits[index]), let low = Self.value(of: digits[index + 1]) else {
                return nil
            }
            bytes.append(high << 4 | low)
        }
        self.bytes = bytes
    }

    /// The text.
    public var description: String {
        let digits = Array("0123456789abcdef")
        return Self.prefix + String(bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
    }

    /// Compares all bytes, however early two differ.
    public static func == (left: Fingerprint, right: Fingerprint) -> Bool {
        var difference: UInt8 = 0
        for index in 0..<byteCount { difference |= left.bytes[index] ^ right.bytes[index] }
        return difference == 0
    }

    /// Tells whether this is one of `others`, in a time that depends on their number alone.
    public func isAmong(_ others: [Fingerprint]) -> Bool {
        var isFound = false
        for other in others where other == self { isFound = true }
        return isFound
    }

    private static func value(of digit: UInt8) -> UInt8? {
        switch digit {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): digit - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): digit - UInt8(ascii: "a") + 10
        default: nil
        }
    }
}
