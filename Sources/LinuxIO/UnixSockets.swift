// SPDX-License-Identifier: Apache-2.0

internal import CLinux
internal import Glibc

/// Who is at the other end of a UNIX stream.
public struct PeerCredentials: Hashable, Sendable {
    /// The process that connected.
    public var process: UInt32
    /// Its effective user.
    public var user: UInt32
    /// Its groups: the effective one and the supplementary ones.
    public var groups: Set<UInt32>

    /// Reads the credentials of a connected UNIX socket; nil if the kernel does not say.
    public init?(of descriptor: Int32) {
        var process: UInt32 = 0
        var user: UInt32 = 0
        var group: UInt32 = 0
        guard havpn_peer_credentials(descriptor, &process, &user, &group) == 0 else { return nil }
        self.process = process
        self.user = user
        groups = [group]
        var more = [gid_t](repeating: 0, count: Self.maximumGroups)
        var length = socklen_t(more.count * MemoryLayout<gid_t>.size)
        if getsockopt(descriptor, SOL_SOCKET, SO_PEERGROUPS, &more, &length) == 0 {
            groups.formUnion(more[..<(Int(length) / MemoryLayout<gid_t>.size)])
        }
    }

    private static let maximumGroups = 1024
}

/// A listening UNIX stream socket.
public final class UnixListener {
    /// The descriptor, for `Reactor.watch` and for passing on.
    public var rawValue: Int32 { descriptor.rawValue }

    private let descriptor: Descriptor

    /// Adopts a socket that listens already.
    public init(adopting descriptor: consuming Descriptor) {
        self.descriptor = descriptor
        _ = havpn_set_nonblocking(self.descriptor.rawValue)
    }

    /// Binds a path, replacing a socket that a dead process has left there, and listens.
    ///
    /// - Parameters:
    ///   - path: at most 107 bytes.
    ///   - mode: the permissions of the socket file, such as 0o660.
    ///   - group: its group, nil for the process's own.
    public init(path: String, mode: UInt32, group: UInt32? = nil) throws(SystemError) {
        descriptor = try openUnix(SOCK_STREAM.rawValue)
        // Nobody may connect before mode and group are set.
        let old = umask(0o777)
        defer { umask(old) }
        unlink(path)
        guard try bindUnix(descriptor.rawValue, Array(path.utf8)) else { throw .last("bind \(path)") }
        if let group { _ = chown(path, uid_t.max, group) }
        guard chmod(path, mode) == 0 else { throw .last("chmod \(path)") }
        guard listen(descriptor.rawValue, 16) == 0 else { throw .last("listen \(path)") }
    }

    /// Accepts one connection, nil when none waits.
    public func accept() throws(SystemError) -> UnixStream? {
        let number = havpn_accept(rawValue)
        if number < 0 {
            if [EAGAIN, EINTR, ECONNABORTED].contains(errno) { return nil }
            throw .last("accept")
        }
        return UnixStream(adopting: Descriptor(owning: number))
    }
}

/// A connected UNIX stream socket, non-blocking.
public final class UnixStream {
    /// What a read found.
    public enum Received: Hashable, Sendable {
        /// Some bytes.
        case bytes([UInt8])
        /// Nothing waits.
        case nothing
        /// The other end is closed, or broke.
        case end
    }

    /// The descriptor, for `Reactor.watch` and for passing on.
    public var rawValue: Int32 { descriptor.rawValue }

    private let descriptor: Descriptor

    /// Adopts a connected stream; it becomes non-blocking.
    public init(adopting descriptor: consuming Descriptor) {
        self.descriptor = descriptor
        _ = havpn_set_nonblocking(self.descriptor.rawValue)
    }

    /// Connects to a path; a full backlog is an error like a missing listener.
    public static func connect(path: String) throws(SystemError) -> UnixStream {
        let descriptor = try openUnix(SOCK_STREAM.rawValue)
        var address = sockaddr_un()
        let bytes = Array(path.utf8)
        let length = havpn_unix_address(&address, bytes, bytes.count)
        guard length > 0 else { throw SystemError("connect \(path)", code: ENAMETOOLONG) }
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                Glibc.connect(descriptor.rawValue, generic, length)
            }
        }
        guard result == 0 else { throw .last("connect \(path)") }
        return UnixStream(adopting: descriptor)
    }

    /// Who is at the other end.
    public var peer: PeerCredentials? { PeerCredentials(of: rawValue) }

    /// Reads at most `limit` bytes.
    public func receive(limit: Int = 65_536) -> Received {
        let count: Int
        let bytes = [UInt8](unsafeUninitializedCapacity: limit) { buffer, initialized in
            let got = recv(rawValue, buffer.baseAddress, limit, Int32(MSG_DONTWAIT))
            initialized = max(got, 0)
        }
        count = bytes.count
        if count > 0 { return .bytes(bytes) }
        // recv leaves errno alone at the end of the stream, so the pending state is asked for.
        return isAtEnd ? .end : .nothing
    }

    private var isAtEnd: Bool {
        var byte: UInt8 = 0
        let got = recv(rawValue, &byte, 1, Int32(MSG_DONTWAIT) | Int32(MSG_PEEK))
        return got == 0 || got < 0 && errno != EAGAIN && errno != EINTR
    }

    /// Writes as much as the kernel takes; returns the number of bytes, nil when the other end is gone.
    public func send(_ bytes: ArraySlice<UInt8>) -> Int? {
        while true {
            let sent = bytes.withUnsafeBytes { buffer in
                Glibc.send(rawValue, buffer.baseAddress, buffer.count, Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL))
            }
            if sent >= 0 { return sent }
            switch errno {
            case EINTR: continue
            case EAGAIN, ENOBUFS: return 0
            default: return nil
            }
        }
    }

    /// Ends the writing direction; the other end reads what was sent and then the end.
    public func finishSending() { _ = shutdown(rawValue, Int32(SHUT_WR)) }

    /// Gives a duplicate of the descriptor, for passing it to another process.
    public func duplicate() throws(SystemError) -> Descriptor { try descriptor.duplicate() }
}

/// An abstract socket name that one process of a network namespace holds; the kernel frees it with the process.
public final class InstanceLock {
    private let descriptor: Descriptor

    /// Takes the name, or throws EADDRINUSE where another process holds it.
    public init(name: String) throws(SystemError) {
        descriptor = try openUnix(SOCK_DGRAM.rawValue)
        guard try bindUnix(descriptor.rawValue, [0] + Array(name.utf8)) else { throw .last("lock \(name)") }
    }
}

private func openUnix(_ type: UInt32) throws(SystemError) -> Descriptor {
    try Descriptor(
        socket(AF_UNIX, Int32(type | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0), from: "socket unix")
}

/// Binds; false with errno set where bind(2) refuses.
private func bindUnix(_ descriptor: Int32, _ path: [UInt8]) throws(SystemError) -> Bool {
    var address = sockaddr_un()
    let length = havpn_unix_address(&address, path, path.count)
    guard length > 0 else { throw SystemError("bind unix", code: ENAMETOOLONG) }
    return withUnsafePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
            bind(descriptor, generic, length)
        }
    } == 0
}
