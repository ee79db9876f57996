// SPDX-License-Identifier: Apache-2.0

internal import Glibc

/// A file that only grows; its owner alone may open it.
public final class AppendedFile {
    private let descriptor: Descriptor
    /// Bytes in it.
    public private(set) var byteCount: Int

    /// Takes over an open file and goes on behind what is in it.
    public init(adopting descriptor: consuming Descriptor) {
        byteCount = max(0, Int(lseek(descriptor.rawValue, 0, SEEK_END)))
        self.descriptor = descriptor
    }

    /// Makes a new file, mode 0600; one that has the name already is kept as `PATH.1`, over the one before it.
    public static func create(_ path: String) throws(SystemError) -> Descriptor {
        guard rename(path, path + ".1") == 0 || errno == ENOENT else { throw .last("rename \(path)") }
        let flags = O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC | O_NOFOLLOW
        let descriptor = try Descriptor(open(path, flags, 0o600), from: "open \(path)")
        guard fchmod(descriptor.rawValue, 0o600) == 0 else { throw .last("chmod \(path)") }
        return descriptor
    }

    /// Appends bytes; false where not all of them could be written.
    public func append(_ bytes: [UInt8]) -> Bool {
        var written = 0
        while written < bytes.count {
            let start = written
            let count = bytes.withUnsafeBytes { buffer in
                write(descriptor.rawValue, buffer.baseAddress?.advanced(by: start), buffer.count - start)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return false }
            written += count
            byteCount += count
        }
        return true
    }
}
