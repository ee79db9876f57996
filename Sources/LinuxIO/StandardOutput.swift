// SPDX-License-Identifier: Apache-2.0

internal import Glibc

/// Standard output and error of a command-line program, which may wait for its reader.
public enum StandardOutput {
    /// Writes all bytes; stops quietly when the reader has gone.
    public static func write(_ bytes: [UInt8], toError: Bool) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(toError ? 2 : 1, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return }
            rest = rest.dropFirst(count)
        }
    }
}
