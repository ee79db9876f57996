// SPDX-License-Identifier: Apache-2.0

/// The 8 bytes of clear-text authentication, compared as one number.
public struct AuthenticationText: Hashable, Sendable {
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
public enum HSRPAuthentication: Hashable, Sendable {
    /// Not at all: a message of version 2 may leave it out.
    case absent
    /// By a word in clear text.
    case text(AuthenticationText)
    /// By a digest, which this node has no key for.
    case digest
}
