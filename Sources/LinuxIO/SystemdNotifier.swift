// SPDX-License-Identifier: Apache-2.0

internal import CLinux
internal import Glibc
public import Primitives

/// What systemd asked of this process by its environment, and how to answer (sd_notify, sd_listen_fds, sd_watchdog).
public final class SystemdNotifier {
    /// The first descriptor that systemd passes.
    private static let firstListenDescriptor: Int32 = 3

    private let path: [UInt8]?

    /// Reads NOTIFY_SOCKET; without it every notification is silently nothing.
    public init() {
        guard let text = getenv("NOTIFY_SOCKET").map({ String(cString: $0) }), let head = text.utf8.first else {
            path = nil
            return
        }
        let rest = text.utf8.dropFirst()
        switch head {
        case UInt8(ascii: "@"): path = [0] + Array(rest)
        case UInt8(ascii: "/"): path = Array(text.utf8)
        default: path = nil
        }
    }

    /// Sends a state such as `READY=1`; several are separated by line feeds.
    public func notify(_ state: String) {
        guard let path else { return }
        var address = sockaddr_un()
        let length = havpn_unix_address(&address, path, path.count)
        let number = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        guard length > 0, number >= 0 else { return }
        let descriptor = Descriptor(owning: number)
        let bytes = Array(state.utf8)
        withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                _ = sendto(
                    descriptor.rawValue, bytes, bytes.count, Int32(MSG_NOSIGNAL), generic, length)
            }
        }
    }

    /// Half the interval at which systemd expects WATCHDOG=1; nil when it does not.
    public static var watchdogInterval: Interval? {
        guard let text = getenv("WATCHDOG_USEC").map({ String(cString: $0) }), let microseconds = UInt64(text),
            microseconds > 0, microseconds < 1 << 40
        else { return nil }
        if let owner = getenv("WATCHDOG_PID").map({ String(cString: $0) }), owner != String(getpid()) { return nil }
        return Interval(nanoseconds: microseconds * 500)
    }

    /// Takes the descriptors that systemd passed (LISTEN_FDS), once; the environment is cleared.
    public static func takeListenDescriptors() -> [DescriptorHolder] {
        defer {
            unsetenv("LISTEN_PID")
            unsetenv("LISTEN_FDS")
            unsetenv("LISTEN_FDNAMES")
        }
        guard let owner = getenv("LISTEN_PID").map({ String(cString: $0) }), owner == String(getpid()),
            let text = getenv("LISTEN_FDS").map({ String(cString: $0) }), let count = Int32(text),
            (1...64).contains(count)
        else { return [] }
        return (firstListenDescriptor..<firstListenDescriptor + count).map { number in
            _ = havpn_set_close_on_exec(number, 1)
            return DescriptorHolder(Descriptor(owning: number))
        }
    }
}
