// SPDX-License-Identifier: Apache-2.0

internal import Glibc

/// Files that are read whole.
public enum TextFile {
    /// Reads at most `limit` bytes of a file, and one more if it is longer, so that the caller can tell.
    public static func read(path: String, limit: Int) throws(SystemError) -> [UInt8] {
        let descriptor = try Descriptor(open(path, O_RDONLY | O_CLOEXEC), from: "open \(path)")
        var text: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while text.count <= limit {
            let count = Glibc.read(descriptor.rawValue, &buffer, min(buffer.count, limit + 1 - text.count))
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw .last("read \(path)") }
            if count == 0 { break }
            text += buffer[..<count]
        }
        return text
    }
}
