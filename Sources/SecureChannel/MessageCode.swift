// SPDX-License-Identifier: Apache-2.0

internal import CNIOBoringSSL
public import Primitives

/// HMAC-SHA256 (RFC 2104), as the library under TLS makes it.
public enum MessageCode {
    /// The whole code of a message, 32 bytes.
    public static func make(of message: [UInt8], key: SecretBytes) -> [UInt8] {
        var code = [UInt8](repeating: 0, count: 32)
        var length: UInt32 = 0
        key.withBytes { key in
            _ = HMAC(EVP_sha256(), key, key.count, message, message.count, &code, &length)
        }
        return code
    }

    /// Tells whether `start` begins the code of a message, in a time that does not depend on where they differ.
    public static func make(of message: [UInt8], key: SecretBytes, beginsWith start: [UInt8]) -> Bool {
        let code = make(of: message, key: key)
        return !start.isEmpty && start.count <= code.count && CRYPTO_memcmp(code, start, start.count) == 0
    }
}
