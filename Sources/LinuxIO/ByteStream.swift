// SPDX-License-Identifier: Apache-2.0

internal import CLinux
internal import Glibc

/// A connected, non-blocking stream socket: bytes in, bytes out.
public final class ByteStream {
    /// What a read found.
    public enum Received: Sendable {
        /// Some bytes.
        case bytes([UInt8])
        /// Nothing waits.
        case nothing
        /// The other end is closed.
        case end
    }

    /// The descriptor, for `Reactor.watch`.
    public var rawValue: Int32 { descriptor.rawValue }

    private let descriptor: Descriptor
    private var buffer = [UInt8](repeating: 0, count: 65_536)

    /// Takes over a connected stream; it becomes non-blocking.
    public init(_ descriptor: consuming Descriptor) {
        self.descriptor = descriptor
        _ = havpn_set_nonblocking(rawValue)
    }

    /// Connects to a UNIX stream socket by its path.
    public static func connect(path: String) throws(SystemError) -> ByteStream {
        let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
        let descriptor = try Descriptor(socket(AF_UNIX, type, 0), from: "socket \(path)")
        var address = sockaddr_un()
        let length = havpn_unix_address(&address, path, path.utf8.count)
        guard length > 0 else { throw SystemError("connect \(path)", code: ENAMETOOLONG) }
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                Glibc.connect(descriptor.rawValue, generic, length)
            }
        }
        guard result == 0 else { throw .last("connect \(path)") }
        return ByteStream(descriptor)
    }

    /// Reads what waits, at most 64 KiB.
    public func read() throws(SystemError) -> Received {
        let count = recv(rawValue, &buffer, buffer.count, Int32(MSG_DONTWAIT))
        if count > 0 { return .bytes(Array(buffer[..<count])) }
        if count == 0 || errno == ECONNRESET { return .end }
        if errno == EAGAIN || errno == EINTR { return .nothing }
        throw .last("read stream")
    }

    /// Writes as much as fits and returns how many bytes that were; a closed end throws.
    public func write(_ bytes: ArraySlice<UInt8>) throws(SystemError) -> Int {
        let count = bytes.withUnsafeBytes { raw in
            Glibc.send(rawValue, raw.baseAddress, raw.count, Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL))
        }
        if count >= 0 { return count }
        if errno == EAGAIN || errno == EINTR { return 0 }
        throw .last("write stream")
    }
}

/// Reads a whole small file, such as those under /proc, up to `maximumByteCount`.
public func readSmallFile(_ path: String, maximumByteCount: Int = 4 << 20) throws(SystemError) -> [UInt8] {
    let descriptor = try Descriptor(open(path, O_RDONLY | O_CLOEXEC), from: "open \(path)")
    var content: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 65_536)
    while content.count < maximumByteCount {
        let count = read(descriptor.rawValue, &piece, min(piece.count, maximumByteCount - content.count))
        if count < 0 && errno == EINTR { continue }
        guard count >= 0 else { throw .last("read \(path)") }
        if count == 0 { break }
        content += piece[..<count]
    }
    return content
}
