// SPDX-License-Identifier: Apache-2.0

internal import Glibc
internal import Primitives

/// How much is logged.
public enum LogLevel: Int, Sendable, Comparable, CaseIterable {
    /// Something is broken.
    case error = 3
    /// Something may break.
    case warning = 4
    /// What an operator wants to know.
    case notice = 5
    /// More of it.
    case info = 6
    /// Everything.
    case debug = 7

    /// Makes a level from its name.
    public init?(name: String) {
        guard let level = Self.allCases.first(where: { "\($0)" == name }) else { return nil }
        self = level
    }

    /// Orders by urgency: errors are lowest.
    public static func < (left: LogLevel, right: LogLevel) -> Bool { left.rawValue < right.rawValue }
}

/// Lines to standard error that never make the process wait.
///
/// What the pipe to journald does not take is kept, up to a limit, and written when it takes more; beyond the limit
/// lines are dropped, and a line that tells how many follows. Lines carry no prefix: journald knows who and when.
public final class Log {
    /// Bounds of the queue.
    public enum Limits {
        /// Bytes that wait for the pipe.
        public static let queuedBytes = 262_144
        /// The longest line; the rest is cut.
        public static let lineByteCount = 2048
    }

    /// Lines dropped so far.
    public private(set) var droppedLines: UInt64 = 0
    /// Lines less urgent than this are not written.
    public var threshold: LogLevel

    private let descriptor: Int32
    private var reactor: Reactor?
    private var retry: TimerToken?
    private var waiting: [UInt8] = []
    private var unreportedDrops: UInt64 = 0

    /// Writes to `descriptor`, standard error by default; `attach` gives it a loop that writes what waits.
    public init(threshold: LogLevel = .notice, descriptor: Int32 = 2) {
        self.threshold = threshold
        self.descriptor = descriptor
    }

    /// Names the loop on which waiting lines are written.
    public func attach(to reactor: Reactor) { self.reactor = reactor }

    /// Writes one line; line feeds and other control characters in it become spaces.
    public func write(_ line: String, level: LogLevel = .notice) {
        guard level <= threshold else { return }
        var bytes = line.utf8.prefix(Limits.lineByteCount).map { $0 < 32 || $0 == 127 ? UInt8(ascii: " ") : $0 }
        bytes.append(UInt8(ascii: "\n"))
        guard waiting.count + bytes.count <= Limits.queuedBytes else {
            droppedLines += 1
            unreportedDrops += 1
            return
        }
        waiting += bytes
        drain()
    }

    /// Writes what waits, as far as it goes.
    public func drain() {
        if let retry { reactor?.cancel(retry) }
        retry = nil
        while !waiting.isEmpty {
            guard let written = writeSome() else { break }
            waiting.removeFirst(written)
        }
        if waiting.isEmpty, unreportedDrops > 0 {
            waiting = Array("log: \(unreportedDrops) lines dropped\n".utf8)
            unreportedDrops = 0
            if let written = writeSome() { waiting.removeFirst(written) }
        }
        if !waiting.isEmpty {
            retry = reactor?.schedule(at: Reactor.now() + .milliseconds(100)) { [weak self] in self?.drain() }
        }
    }

    /// Writes once; nil when the pipe takes nothing now.
    ///
    /// The descriptor is shared with other processes, so it cannot be made non-blocking; asking first is as good for a
    /// pipe: a pipe that polls writable takes PIPE_BUF bytes.
    private func writeSome() -> Int? {
        var question = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        guard poll(&question, 1, 0) == 1, question.revents & Int16(POLLOUT) != 0 else { return nil }
        let pipeBytes = 4096
        let written = Glibc.write(descriptor, waiting, min(waiting.count, pipeBytes))
        return written > 0 ? written : nil
    }
}
