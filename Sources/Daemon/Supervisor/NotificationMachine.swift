// SPDX-License-Identifier: Apache-2.0

import Configuration
import Primitives

/// Which program hears of which change when: each of all its changes in their order, one run at a time.
///
///     ┌──────┐ change ┌──────────┐ started ┌─────────┐ timeout ┌─────────┐
///     │ idle ├───────►│ starting ├────────►│ running ├────────►│ overdue │ the group is killed
///     └──▲───┘        └────┬─────┘         └────┬────┘         └────┬────┘
///        └── not started ──┴──────── ended ─────┴────── ended ──────┘   the next change in the queue follows
///
/// Nobody waits for any of it. Where changes come faster than a program works them off, the oldest ones are dropped: what a
/// group has come to in the end is always told.
struct NotificationMachine {
    /// What has happened.
    enum Event: Hashable {
        /// The programs were configured, all of them; one that is the same as before goes on.
        case configured([Model.Notification])
        /// A group's state has changed.
        case changed(GroupChange)
        /// A program was started as the leader of this process group.
        case started(path: String, process: Int32)
        /// A program could not be started, or what was started could not execute it.
        case notStarted(path: String, reason: String)
        /// A leader has ended, but still bears its number and its group's.
        case ending(process: Int32)
        /// A leader has ended and is gone.
        case ended(process: Int32, how: String, isSuccess: Bool)
        /// `nextDeadline` may have come.
        case deadlineReached
    }

    /// What is to be done.
    enum Action: Hashable {
        /// Start a program; `started` or `notStarted` follows at once.
        case start(Model.Notification, GroupChange, dropped: Int)
        /// Kill a process group whole.
        case killGroup(process: Int32)
        /// Write a log line.
        case log(String)
    }

    /// Bounds.
    enum Limits {
        /// Changes that wait for one program.
        static let queued = 64
        /// After SIGKILL, until the next one.
        static let killAgain = Interval.seconds(5)
    }

    private enum Phase: Hashable {
        case idle
        case starting
        case running(Int32, until: Instant)
        case overdue(Int32, again: Instant)

        var process: Int32? {
            switch self {
            case .running(let process, _), .overdue(let process, _): process
            case .idle, .starting: nil
            }
        }
    }

    private struct Program {
        var settings: Model.Notification
        var phase = Phase.idle
        var queue: [GroupChange] = []
        /// Changes dropped since the last one that was told.
        var dropped = 0
    }

    /// Counters by name, for `show counters`.
    private(set) var counters: [String: UInt64] = [:]

    private var programs: [String: Program] = [:]

    /// Whether anything runs or waits.
    var isIdle: Bool { programs.values.allSatisfy { $0.phase == .idle && $0.queue.isEmpty } }

    /// When `deadlineReached` is wanted; nil where nothing is waited for.
    var nextDeadline: Instant? {
        programs.values.lazy.compactMap { program in
            switch program.phase {
            case .running(_, let instant), .overdue(_, let instant): instant
            case .idle, .starting: nil
            }
        }.min()
    }

    /// Which program a process is, nil where it is none of them.
    func path(of process: Int32) -> String? { programs.first { $0.value.phase.process == process }?.key }

    /// Takes one event; `now` must never go back.
    mutating func handle(_ event: Event, at now: Instant, actions: inout [Action]) {
        switch event {
        case .configured(let wanted): configure(wanted, &actions)
        case .changed(let change):
            for path in programs.keys.sorted() { enqueue(change, for: path, &actions) }
        case .started(let path, let process):
            guard var program = programs[path], program.phase == .starting else {
                return actions.append(.killGroup(process: process))
            }
            count("notify.started")
            program.phase = .running(process, until: now + .seconds(program.settings.timeoutSeconds))
            programs[path] = program
        case .notStarted(let path, let reason):
            count("notify.refused")
            actions.append(.log("%HAVPN-4-NOTIFY: \(path): \(reason)"))
            finish(path, &actions)
        case .ending(let process):
            // What the leader leaves behind has no business any more.
            if path(of: process) != nil { actions.append(.killGroup(process: process)) }
        case .ended(let process, let how, let isSuccess):
            guard let path = path(of: process), let program = programs[path] else { return }
            if case .running = program.phase, !isSuccess {
                count("notify.failed")
                actions.append(.log("%HAVPN-4-NOTIFY: \(path) \(how)"))
            }
            finish(path, &actions)
        case .deadlineReached:
            for path in programs.keys.sorted() { expire(path, at: now, &actions) }
        }
    }

    private mutating func configure(_ wanted: [Model.Notification], _ actions: inout [Action]) {
        let byPath = wanted.reduce(into: [:]) { $0[$1.path] = $1 }
        for (path, program) in programs.sorted(by: { $0.key < $1.key }) where byPath[path] == nil {
            if let process = program.phase.process { actions.append(.killGroup(process: process)) }
            programs[path] = nil
        }
        // A program whose lines have changed goes on with what it is at, and hears the rest by the new ones.
        for (path, settings) in byPath { programs[path, default: Program(settings: settings)].settings = settings }
    }

    private mutating func enqueue(_ change: GroupChange, for path: String, _ actions: inout [Action]) {
        guard var program = programs[path] else { return }
        if let group = program.settings.group, change.name != group { return }
        if program.queue.count == Limits.queued {
            program.queue.removeFirst()
            program.dropped += 1
            count("notify.dropped")
        }
        program.queue.append(change)
        programs[path] = program
        startNext(path, &actions)
    }

    private mutating func startNext(_ path: String, _ actions: inout [Action]) {
        guard var program = programs[path], program.phase == .idle, !program.queue.isEmpty else { return }
        program.phase = .starting
        actions.append(.start(program.settings, program.queue.removeFirst(), dropped: program.dropped))
        program.dropped = 0
        programs[path] = program
    }

    private mutating func finish(_ path: String, _ actions: inout [Action]) {
        programs[path]?.phase = .idle
        startNext(path, &actions)
    }

    private mutating func expire(_ path: String, at now: Instant, _ actions: inout [Action]) {
        switch programs[path]?.phase {
        case .running(let process, let due) where due <= now:
            count("notify.timedOut")
            actions.append(.killGroup(process: process))
            actions.append(.log("%HAVPN-4-NOTIFY: \(path) did not end in time and was killed"))
            programs[path]?.phase = .overdue(process, again: now + Limits.killAgain)
        case .overdue(let process, let due) where due <= now:
            actions.append(.killGroup(process: process))
            programs[path]?.phase = .overdue(process, again: now + Limits.killAgain)
        default: break
        }
    }

    private mutating func count(_ name: String) { counters[name, default: 0] += 1 }
}
