// SPDX-License-Identifier: Apache-2.0

internal import CLinux
internal import Glibc

/// An open file descriptor with one owner; it is closed when the owner lets it go.
public struct Descriptor: ~Copyable, Sendable {
    /// The number, for system calls and for `Reactor.watch`.
    public let rawValue: Int32

    /// Takes ownership of an open descriptor.
    public init(owning rawValue: Int32) {
        precondition(rawValue >= 0)
        self.rawValue = rawValue
    }

    /// Takes ownership of what a system call has just returned, or throws its errno.
    init(_ result: Int32, from operation: String) throws(SystemError) {
        guard result >= 0 else { throw .last(operation) }
        rawValue = result
    }

    /// Gives the number away without closing it.
    public consuming func release() -> Int32 {
        let number = rawValue
        discard self
        return number
    }

    /// A second descriptor of the same open file, close-on-exec.
    public func duplicate() throws(SystemError) -> Descriptor { try Self.duplicate(rawValue) }

    /// A second descriptor of an open file that somebody else owns, close-on-exec.
    public static func duplicate(_ number: Int32) throws(SystemError) -> Descriptor {
        try Descriptor(havpn_duplicate(number), from: "dup")
    }

    deinit { _ = close(rawValue) }
}

/// Sets an integer socket option.
func setOption(_ descriptor: Int32, _ level: Int32, _ name: Int32, _ value: Int32, _ what: String) throws(SystemError) {
    var value = value
    guard setsockopt(descriptor, level, name, &value, socklen_t(MemoryLayout<Int32>.size)) == 0 else {
        throw .last("setsockopt \(what)")
    }
}

/// Asks for a receive buffer of `byteCount` bytes, beyond the system's limit where the process may.
public func setReceiveBuffer(_ descriptor: Int32, byteCount: Int32) {
    var value = byteCount
    let length = socklen_t(MemoryLayout<Int32>.size)
    if setsockopt(descriptor, SOL_SOCKET, SO_RCVBUFFORCE, &value, length) != 0 {
        _ = setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &value, length)
    }
}

/// Asks for a send buffer of `byteCount` bytes, beyond the system's limit where the process may.
public func setSendBuffer(_ descriptor: Int32, byteCount: Int32) {
    var value = byteCount
    let length = socklen_t(MemoryLayout<Int32>.size)
    if setsockopt(descriptor, SOL_SOCKET, SO_SNDBUFFORCE, &value, length) != 0 {
        _ = setsockopt(descriptor, SOL_SOCKET, SO_SNDBUF, &value, length)
    }
}
