// SPDX-License-Identifier: Apache-2.0

internal import Glibc

/// Files that hold a secret: only their owner may open them.
public enum PrivateFile {
    /// Why a file is not accepted.
    public enum Refusal: Error, Hashable, Sendable, CustomStringConvertible {
        /// Others than the owner may read or write it.
        case openToOthers(mode: UInt32)
        /// It is no plain file.
        case notAFile
        /// It is longer than allowed.
        case tooLong(maximumByteCount: Int)
        /// A system call failed.
        case system(SystemError)

        /// A text for logs that says what to do.
        public var description: String {
            switch self {
            case .openToOthers(let mode):
                "others may open it (mode 0\(String(mode, radix: 8))); `chmod 600` it, and make a new one if they may have"
            case .notAFile: "is not a plain file"
            case .tooLong(let count): "is longer than \(count) bytes"
            case .system(let error): error.description
            }
        }
    }

    /// Opens a file for reading, provided that its mode lets nobody but the owner in.
    public static func open(_ path: String) throws(Refusal) -> Descriptor {
        let number = Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
        guard number >= 0 else { throw .system(.last("open")) }
        let descriptor = Descriptor(owning: number)
        var details = stat()
        guard fstat(number, &details) == 0 else { throw .system(.last("fstat")) }
        guard details.st_mode & S_IFMT == S_IFREG else { throw .notAFile }
        guard details.st_mode & 0o077 == 0 else { throw .openToOthers(mode: details.st_mode & 0o7777) }
        return descriptor
    }

    /// Reads all of an open file; whoever called it erases the bytes after use.
    public static func read(_ descriptor: Int32, maximumByteCount: Int) throws(Refusal) -> [UInt8] {
        var content = [UInt8](repeating: 0, count: maximumByteCount + 1)
        var length = 0
        while length < content.count {
            let offset = length
            let count = content.withUnsafeMutableBytes { buffer in
                pread(descriptor, buffer.baseAddress?.advanced(by: offset), buffer.count - offset, off_t(offset))
            }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else {
                let error = SystemError.last("read")
                erase(&content)
                throw .system(error)
            }
            if count == 0 { break }
            length += count
        }
        defer { erase(&content) }
        guard length <= maximumByteCount else { throw .tooLong(maximumByteCount: maximumByteCount) }
        return Array(content[..<length])
    }

    /// Makes a file that did not exist, mode 0600, and has it on the disk when this returns.
    ///
    /// Throws EEXIST where anything, a link too, has the name. A file that could not be written whole is removed.
    public static func create(_ path: String, content: [UInt8]) throws(SystemError) {
        let flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW
        let descriptor = try Descriptor(Glibc.open(path, flags, 0o600), from: "open \(path)")
        do throws(SystemError) {
            // The umask can only have taken rights away; the owner needs both.
            guard fchmod(descriptor.rawValue, 0o600) == 0 else { throw .last("chmod \(path)") }
            try write(content, to: descriptor.rawValue, path)
            guard fsync(descriptor.rawValue) == 0 else { throw .last("fsync \(path)") }
        } catch {
            _ = unlink(path)
            throw error
        }
    }

    /// Overwrites bytes that are not needed any more.
    public static func erase(_ bytes: inout [UInt8]) {
        bytes.withUnsafeMutableBytes { buffer in
            if let base = buffer.baseAddress { explicit_bzero(base, buffer.count) }
        }
    }

    private static func write(_ content: [UInt8], to descriptor: Int32, _ path: String) throws(SystemError) {
        var written = 0
        while written < content.count {
            let start = written
            let count = content.withUnsafeBytes { buffer in
                Glibc.write(descriptor, buffer.baseAddress?.advanced(by: start), buffer.count - start)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw .last("write \(path)") }
            written += count
        }
    }
}
