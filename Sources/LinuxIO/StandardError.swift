// SPDX-License-Identifier: Apache-2.0

internal import CLinux
internal import Glibc

/// Log lines to standard error, which never make the process wait.
public enum StandardError {
    /// The longest line; the rest is cut, so that a pipe takes it whole or not at all.
    public static let lineByteCount = 2048

    /// Writes one line and waits until it is taken: for tools, never for a loop.
    public static func print(_ line: String) {
        let bytes = Array(line.utf8) + [UInt8(ascii: "\n")]
        var written = 0
        while written < bytes.count {
            let count = bytes[written...].withUnsafeBytes { Glibc.write(2, $0.baseAddress, $0.count) }
            if count < 0 && errno != EINTR { return }
            written += max(count, 0)
        }
    }

    /// Writes one line; false if the reader is so far behind that it had to be dropped.
    public static func write(line: String) -> Bool {
        var poll = pollfd(fd: 2, events: Int16(POLLOUT), revents: 0)
        guard Glibc.poll(&poll, 1, 0) == 1, poll.revents & Int16(POLLOUT) != 0 else { return false }
        let bytes = Array(line.utf8.prefix(lineByteCount - 1)) + [UInt8(ascii: "\n")]
        return Glibc.write(2, bytes, bytes.count) == bytes.count
    }
}
