// SPDX-License-Identifier: Apache-2.0

internal import CLinux
internal import Glibc
public import Primitives

/// A subscription that only says that something happened: what was said is thrown away unread.
///
/// Events that come in thousands a second, as with a routing daemon's full table, cost next to nothing: after the first
/// one nothing is read for a while, the kernel's queue is small, and what does not fit there it drops by itself.
public final class NetlinkDoorbell {
    /// Bounds of one bell.
    public enum Limits {
        /// Bytes of the kernel's queue.
        public static let receiveBufferByteCount: Int32 = 16_384
        /// Events thrown away in one go; the queue holds fewer.
        public static let datagramsPerDrain = 256
        /// From the first event to the call, so that the rest of a change is in place.
        public static let settle = Interval.milliseconds(20)
        /// From one call to the next at least.
        public static let pause = Interval.milliseconds(100)
    }

    private let descriptor: Descriptor
    private let reactor: Reactor
    private let handler: () -> Void
    private var token: WatchToken?
    private var timer: TimerToken?
    private var lastRing: Instant?

    /// Listens to the groups of a bit mask (`RouteGroups`) and calls `handler` from `reactor` after events.
    public init(_ groups: UInt32, on reactor: Reactor, handler: @escaping () -> Void) throws(SystemError) {
        descriptor = try openNetlink(.route, groups: groups)
        try setOption(
            descriptor.rawValue, SOL_SOCKET, SO_RCVBUF, Limits.receiveBufferByteCount, "receive buffer")
        // An overrun is no error here: told as one, it would keep the loop awake for as long as nothing is read.
        let withoutOverruns: Int32 = 5  // NETLINK_NO_ENOBUFS
        try setOption(descriptor.rawValue, SOL_NETLINK, withoutOverruns, 1, "NETLINK_NO_ENOBUFS")
        self.reactor = reactor
        self.handler = handler
        token = try reactor.watch(descriptor.rawValue) { [unowned self] _ in ring() }
    }

    private func ring() {
        guard let token, timer == nil else { return }
        reactor.setReadable(token, false)
        let now = Reactor.now()
        let earliest = lastRing.map { $0 + Limits.pause } ?? now
        timer = reactor.schedule(at: max(now + Limits.settle, earliest)) { [unowned self] in call() }
    }

    private func call() {
        timer = nil
        guard let token else { return }
        lastRing = Reactor.now()
        var byte: UInt8 = 0
        for _ in 0..<Limits.datagramsPerDrain {
            if recv(descriptor.rawValue, &byte, 1, Int32(MSG_DONTWAIT)) < 0, errno != EINTR { break }
        }
        reactor.setReadable(token, true)
        handler()
    }

    /// Ends the subscription; the handler is not called any more.
    public func cancel() {
        if let token { reactor.unwatch(token) }
        if let timer { reactor.cancel(timer) }
        token = nil
        timer = nil
    }

    deinit { cancel() }
}
