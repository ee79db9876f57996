// SPDX-License-Identifier: Apache-2.0

internal import CLinux
internal import Glibc
public import Primitives

/// What a watched descriptor is ready for.
public struct Readiness: OptionSet, Sendable {
    /// The bits.
    public let rawValue: UInt8

    /// Makes a set from its bits.
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// Something can be read, or the end has been reached.
    public static let readable = Readiness(rawValue: 1)
    /// Something can be written.
    public static let writable = Readiness(rawValue: 2)
    /// The other end is gone or an error is pending; comes with `readable` so that a read finds out.
    public static let closed = Readiness(rawValue: 4)
}

/// Names one watched descriptor.
public struct WatchToken: Hashable, Sendable {
    let number: UInt64
}

/// The event loop of a single-threaded process: level-triggered epoll and one timerfd on CLOCK_MONOTONIC.
///
/// It must be made and used on one thread. Handlers may watch, unwatch, schedule and cancel anything, themselves too;
/// a handler that was unwatched or cancelled is never called again, even if its event had been collected already.
/// Between two looks at the kernel at most `Limits.eventsPerWake` descriptors and `Limits.timersPerWake` timers run, so
/// that neither starves the other.
public final class Reactor {
    /// Bounds of the work in one wake.
    public enum Limits {
        /// Descriptors served before timers are looked at again.
        public static let eventsPerWake = 64
        /// Timers served before descriptors are looked at again.
        public static let timersPerWake = 64
    }

    private struct Watch {
        let descriptor: Int32
        var interest: UInt32
        let handler: (Readiness) -> Void
    }

    private let poller: Descriptor
    private let timer: Descriptor
    private var watches: [UInt64: Watch] = [:]
    private var lastToken: UInt64 = 0
    private var timers = TimerQueue()
    private var armedFor: Instant?
    private var lastRead = Instant(nanoseconds: 0)
    private var heldNow: Instant?
    private var isServing = false
    private var isStopping = false
    private var signalDescriptor: Int32?

    /// Makes a loop; throws if the kernel gives no descriptors.
    public init() throws(SystemError) {
        poller = try Descriptor(epoll_create1(Int32(EPOLL_CLOEXEC)), from: "epoll_create1")
        timer = try Descriptor(
            timerfd_create(CLOCK_MONOTONIC, Int32(TFD_NONBLOCK | TFD_CLOEXEC)),
            from: "timerfd_create")
        let descriptor = timer.rawValue
        _ = try watch(descriptor) { [unowned self] _ in
            var expirations: UInt64 = 0
            _ = read(descriptor, &expirations, 8)
            armedFor = nil
        }
    }

    /// The present point on CLOCK_MONOTONIC.
    public static func now() -> Instant {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Instant(nanoseconds: UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec))
    }

    /// The point on CLOCK_MONOTONIC at which the present handler asked first; outside of handlers the present one.
    ///
    /// A handler thus sees one instant, and the clock is read once: where the kernel has no vDSO each look is a system
    /// call. Use `Reactor.now()` to measure how long something takes.
    public var now: Instant {
        if let heldNow { return heldNow }
        lastRead = Self.now()
        if isServing { heldNow = lastRead }
        return lastRead
    }

    // MARK: Descriptors

    /// Calls `handler` whenever the descriptor is ready; the caller keeps it open until `unwatch`.
    public func watch(
        _ descriptor: Int32, readable: Bool = true, writable: Bool = false,
        handler: @escaping (Readiness) -> Void
    ) throws(SystemError) -> WatchToken {
        lastToken += 1
        let interest = (readable ? EPOLLIN.rawValue : 0) | (writable ? EPOLLOUT.rawValue : 0)
        var event = epoll_event(events: interest, data: epoll_data_t(u64: lastToken))
        guard epoll_ctl(poller.rawValue, EPOLL_CTL_ADD, descriptor, &event) == 0 else { throw .last("epoll_ctl add") }
        watches[lastToken] = Watch(descriptor: descriptor, interest: interest, handler: handler)
        return WatchToken(number: lastToken)
    }

    /// Turns the interest in being writable on or off.
    public func setWritable(_ token: WatchToken, _ isOn: Bool) { change(token, bit: EPOLLOUT.rawValue, isOn) }

    /// Turns the interest in being readable on or off, for back pressure.
    public func setReadable(_ token: WatchToken, _ isOn: Bool) { change(token, bit: EPOLLIN.rawValue, isOn) }

    /// Stops watching; harmless if that was done before.
    ///
    /// Call it before closing the descriptor.
    public func unwatch(_ token: WatchToken) {
        guard let watch = watches.removeValue(forKey: token.number) else { return }
        _ = epoll_ctl(poller.rawValue, EPOLL_CTL_DEL, watch.descriptor, nil)
    }

    private func change(_ token: WatchToken, bit: UInt32, _ isOn: Bool) {
        guard var watch = watches[token.number] else { return }
        let interest = isOn ? watch.interest | bit : watch.interest & ~bit
        guard interest != watch.interest else { return }
        watch.interest = interest
        watches[token.number] = watch
        var event = epoll_event(events: interest, data: epoll_data_t(u64: token.number))
        _ = epoll_ctl(poller.rawValue, EPOLL_CTL_MOD, watch.descriptor, &event)
    }

    // MARK: Timers

    /// Runs `body` once at `deadline`, or at the next wake if that has passed.
    @discardableResult
    public func schedule(at deadline: Instant, _ body: @escaping () -> Void) -> TimerToken {
        timers.insert(deadline, body)
    }

    /// Forgets a timer; harmless if it ran or was cancelled before.
    public func cancel(_ token: TimerToken) { timers.cancel(token) }

    // MARK: Signals

    /// Blocks the signals for this thread and calls `handler` with the number of each that arrives; call it once.
    public func watchSignals(_ signals: [Int32], handler: @escaping (Int32) -> Void) throws(SystemError) -> WatchToken {
        precondition(signalDescriptor == nil)
        var set = sigset_t()
        sigemptyset(&set)
        for signal in signals { sigaddset(&set, signal) }
        guard sigprocmask(SIG_BLOCK, &set, nil) == 0 else { throw .last("sigprocmask") }
        let descriptor = signalfd(-1, &set, Int32(SFD_NONBLOCK | SFD_CLOEXEC))
        guard descriptor >= 0 else { throw .last("signalfd") }
        signalDescriptor = descriptor
        return try watch(descriptor) { _ in
            var info = signalfd_siginfo()
            while read(descriptor, &info, MemoryLayout<signalfd_siginfo>.size) == MemoryLayout<signalfd_siginfo>.size {
                handler(Int32(info.ssi_signo))
            }
        }
    }

    // MARK: Running

    /// Serves events until `stop`.
    public func run() throws(SystemError) {
        while !isStopping { try runOnce() }
        isStopping = false
    }

    /// Makes `run` return after the present handler, or at once where it has not been called yet.
    public func stop() { isStopping = true }

    /// Waits for events and serves one wake; with `milliseconds` it waits no longer than that.
    public func runOnce(waitingAtMost milliseconds: Int32 = -1) throws(SystemError) {
        let hasDueTimer = armTimer()
        try withUnsafeTemporaryEvents { (events) throws(SystemError) in
            let wait = hasDueTimer ? 0 : milliseconds
            let count = epoll_wait(poller.rawValue, events.baseAddress, Int32(events.count), wait)
            guard count >= 0 else {
                if errno == EINTR { return }
                throw .last("epoll_wait")
            }
            for event in events.prefix(Int(count)) {
                guard let watch = watches[event.data.u64] else { continue }
                serve { watch.handler(Self.readiness(event.events, interest: watch.interest)) }
                if isStopping { return }
            }
        }
        if !isStopping { fireDueTimers() }
    }

    private static func readiness(_ events: UInt32, interest: UInt32) -> Readiness {
        var readiness: Readiness = []
        let isClosed = events & (EPOLLHUP.rawValue | EPOLLERR.rawValue) != 0
        if isClosed { readiness.insert(.closed) }
        if events & EPOLLIN.rawValue != 0 || isClosed && interest & EPOLLIN.rawValue != 0 {
            readiness.insert(.readable)
        }
        if events & EPOLLOUT.rawValue != 0 || isClosed && interest & EPOLLOUT.rawValue != 0 {
            readiness.insert(.writable)
        }
        return readiness
    }

    private func withUnsafeTemporaryEvents(
        _ body: (UnsafeMutableBufferPointer<epoll_event>) throws(SystemError) -> Void
    ) throws(SystemError) {
        try withUnsafeTemporaryAllocation(of: epoll_event.self, capacity: Limits.eventsPerWake) {
            (events) throws(SystemError) in
            events.initialize(repeating: epoll_event())
            try body(events)
        }
    }

    private func fireDueTimers() {
        // While the timerfd is silent, what it is armed for is not due.
        guard let next = timers.nextDeadline, next != armedFor else { return }
        let due = next > lastRead ? now : lastRead
        for _ in 0..<Limits.timersPerWake {
            guard let body = timers.popDue(at: due) else { return }
            serve(body)
            if isStopping { return }
        }
    }

    private func serve(_ handler: () -> Void) {
        isServing = true
        heldNow = nil
        handler()
        heldNow = nil
        isServing = false
    }

    /// Arms the timerfd for the earliest timer, which rings at once for one that has passed; tells whether one is known to
    /// be due already.
    private func armTimer() -> Bool {
        guard let deadline = timers.nextDeadline else { return false }
        if deadline <= lastRead { return true }
        guard deadline != armedFor else { return false }
        armedFor = deadline
        var setting = itimerspec()
        setting.it_value.tv_sec = Int(deadline.nanoseconds / 1_000_000_000)
        setting.it_value.tv_nsec = Int(deadline.nanoseconds % 1_000_000_000)
        timerfd_settime(timer.rawValue, Int32(TFD_TIMER_ABSTIME), &setting, nil)
        return false
    }

    deinit {
        if let signalDescriptor { _ = close(signalDescriptor) }
    }
}
