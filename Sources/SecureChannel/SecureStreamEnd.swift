// SPDX-License-Identifier: Apache-2.0

internal import NIOSSL
public import Primitives

/// Why a TLS session ended.
public enum SecureStreamEnd: Error, Hashable, Sendable {
    /// The peer proved to have this key, which is not among the known ones.
    case unknownPeer(Fingerprint)
    /// The peer showed no certificate.
    case noCertificate
    /// The peer says that it does not know this node's key, or that it was shown none.
    case refusedByPeer
    /// The peer ended the session in order.
    case closed
    /// The bytes were no TLS 1.3, or not what the peer's keys make; the text is the library's.
    case malformed(String)

    init(_ error: any Error) {
        let text = Self.reason(error)
        if text.contains("PEER_DID_NOT_RETURN_A_CERTIFICATE") {
            self = .noCertificate
        } else if text.contains("_ALERT_"), text.contains("CERTIFICATE") || text.contains("UNKNOWN_CA") {
            self = .refusedByPeer
        } else {
            self = .malformed(text)
        }
    }

    /// The library's name of the reason, such as `WRONG_VERSION_NUMBER`: the last word of its first error.
    private static func reason(_ error: any Error) -> String {
        var stack: NIOBoringSSLErrorStack = []
        switch error {
        case NIOSSLError.handshakeFailed(.sslError(let errors)), BoringSSLError.sslError(let errors): stack = errors
        default: break
        }
        guard let text = stack.first?.description, let start = text.firstRange(of: "OPENSSL_internal:") else {
            return "\(error)"
        }
        return String(text[start.upperBound...].prefix { $0 != " " })
    }
}
