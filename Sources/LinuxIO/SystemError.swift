// SPDX-License-Identifier: Apache-2.0

internal import CLinux
internal import Glibc

/// A system call that failed.
public struct SystemError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The call, with what it was about where that helps: `bind 224.0.0.2:1985`.
    public let operation: String
    /// The errno.
    public let code: Int32

    /// Makes an error from a name and an errno.
    public init(_ operation: String, code: Int32) {
        self.operation = operation
        self.code = code
    }

    /// Makes an error from the errno of the call that has just failed.
    static func last(_ operation: String) -> SystemError { SystemError(operation, code: errno) }

    /// The errno's text, such as `No such device`.
    public var reason: String { Self.text(of: code) }

    /// The operation and the reason.
    public var description: String { "\(operation): \(reason)" }

    /// The text of an errno.
    public static func text(of code: Int32) -> String {
        guard let text = strerror(code) else { return "errno \(code)" }
        return String(cString: text)
    }
}

/// Errnos that callers decide on, so that they need not import the C headers.
public enum SystemCode {
    /// No such file, rule or SA.
    public static var notFound: Int32 { ENOENT }
    /// No such route, process or SA.
    public static var noSuchProcess: Int32 { ESRCH }
    /// It exists already.
    public static var exists: Int32 { EEXIST }
    /// The address is not (yet) on this machine.
    public static var addressNotAvailable: Int32 { EADDRNOTAVAIL }
    /// The address or port is taken.
    public static var addressInUse: Int32 { EADDRINUSE }
    /// No such device.
    public static var noDevice: Int32 { ENODEV }
    /// The operation would block.
    public static var wouldBlock: Int32 { EAGAIN }
    /// A receive queue overran.
    public static var noBuffers: Int32 { ENOBUFS }
    /// The file's permissions forbid it.
    public static var permissionDenied: Int32 { EACCES }
    /// No route leads there.
    public static var networkUnreachable: Int32 { ENETUNREACH }
    /// A route says that nothing can be reached there.
    public static var hostUnreachable: Int32 { EHOSTUNREACH }
    /// An argument that the call does not take.
    public static var invalid: Int32 { EINVAL }
}
