// SPDX-License-Identifier: Apache-2.0

/// The 8 bytes of clear-text authentication, compared as one number.
public struct AuthenticationText: Hashable, Sendable, Codable {
    /// The bytes, first one most significant, zero-padded.
    public let value: UInt64

    /// Takes at most 8 bytes of `text`; longer text is nil.
    public init?(_ text: String) {
        let bytes = Array(text.utf8)
        guard bytes.count <= 8 else { return nil }
        value = (0..<8).reduce(0) { $0 << 8 | ($1 < bytes.count ? UInt64(bytes[$1]) : 0) }
    }

    /// Takes the bytes as they stood on the wire.
    public init(value: UInt64) { self.value = value }

    /// IOS's default, `cisco`.
    public static let cisco = AuthenticationText(value: 0x6369_7363_6f00_0000)
}

/// How a message proves that its sender belongs to the group.
public enum HSRPAuthentication: Hashable, Sendable, Codable {
    /// Not at all: a message of version 2 may leave it out.
    case absent
    /// By a word in clear text.
    case text(AuthenticationText)
    /// By a digest that a shared key made of it.
    case digest(HSRPDigest)
}

/// What a group proves itself with, and wants from others.
public enum GroupAuthentication: Hashable, Sendable, Codable {
    /// A word in clear text.
    case text(AuthenticationText)
    /// A digest by the key to send with; what others send may be made by any of the keys to accept.
    case keys(sending: HSRPKey, accepting: [HSRPKey])
    /// A key that is not known yet: nobody is believed, and the group must not run.
    case missing

    /// Keys that are tried for one message.
    public static let keyLimit = 16
}
