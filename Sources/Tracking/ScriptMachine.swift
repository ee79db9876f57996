// SPDX-License-Identifier: Apache-2.0

public import Primitives

/// When which script is started and killed, and what its results make of the object.
///
///     ┌─────────┐ interval ┌──────────┐ started ┌─────────┐ timeout ┌─────────┐
///     │ waiting ├─────────►│ starting ├────────►│ running ├────────►│ overdue │ the group is killed
///     └────▲────┘          └────┬─────┘         └────┬────┘         └────┬────┘
///          └── not started ─────┴──────── ended ─────┴────── ended ──────┘
///
/// A script is never started while its predecessor lives. The first result counts at once, then `rise` and `fall` do.
public struct ScriptMachine: Sendable {
    /// What has happened.
    public enum Event: Hashable, Sendable {
        /// The scripts were configured, all of them, by object; one that is the same as before goes on.
        case configured([Int: ScriptSettings])
        /// A script was started as the leader of this process group.
        case started(object: Int, process: Int32)
        /// A script could not be started, or what was started could not execute it.
        case notStarted(object: Int, reason: String)
        /// A leader has ended, but still bears its number and its group's.
        case ending(process: Int32)
        /// A leader has ended and is gone; only `exited` and `killed` come here.
        case ended(process: Int32, ScriptOutcome)
        /// Who hears the reports is new and knows nothing.
        case listenerStarted
        /// All scripts are to end for good.
        case stopped
        /// `nextDeadline` may have come.
        case deadlineReached
    }

    /// What is to be done.
    public enum Action: Hashable, Sendable {
        /// Start a script; `started` or `notStarted` follows at once.
        case start(object: Int, ScriptSettings)
        /// Kill a process group whole.
        case killGroup(process: Int32)
        /// Tell what is known of an object.
        case report(ProbeReport)
    }

    fileprivate enum Phase: Hashable {
        case waiting(until: Instant)
        case starting
        case running(Int32, until: Instant)
        case overdue(Int32, again: Instant)
    }

    private struct Script {
        var settings: ScriptSettings
        var phase: Phase
        var startedAt: Instant
        var isUp: Bool?
        var streak = 0
        var runs = ScriptRuns()
    }

    private var scripts: [Int: Script] = [:]
    /// From one script's first start to the next one's, so that they do not all run at once.
    private static let spread = Interval.milliseconds(100)

    /// Starts without scripts.
    public init() {}

    /// When `deadlineReached` is wanted; nil where nothing is waited for.
    public var nextDeadline: Instant? {
        scripts.values.lazy.compactMap { script in
            switch script.phase {
            case .waiting(let instant), .running(_, let instant), .overdue(_, let instant): instant
            case .starting: nil
            }
        }.min()
    }

    /// Which object a process belongs to, nil where it is none of the scripts.
    public func object(of process: Int32) -> Int? {
        scripts.first { $0.value.phase.process == process }?.key
    }

    /// Steps the machine; `now` must never go back.
    public mutating func handle(_ event: Event, at now: Instant, actions: inout [Action]) {
        switch event {
        case .configured(let wanted): configure(wanted, at: now, &actions)
        case .started(let object, let process):
            guard var script = scripts[object], script.phase == .starting else {
                return actions.append(.killGroup(process: process))
            }
            script.phase = .running(process, until: now + .seconds(script.settings.timeoutSeconds))
            scripts[object] = script
        case .notStarted(let object, let reason): finish(object, .notRun(reason: reason), at: now, &actions)
        case .ending(let process):
            // What the leader leaves behind has no business any more.
            if object(of: process) != nil { actions.append(.killGroup(process: process)) }
        case .ended(let process, let outcome):
            guard let object = object(of: process), let script = scripts[object] else { return }
            if case .overdue = script.phase {
                wait(object, at: now)
            } else {
                finish(object, outcome, at: now, &actions)
            }
        case .listenerStarted:
            for (object, script) in scripts.sorted(by: { $0.key < $1.key }) { report(object, script, &actions) }
        case .stopped: configure([:], at: now, &actions)
        case .deadlineReached:
            for object in scripts.keys.sorted() { expire(object, at: now, &actions) }
        }
    }

    private mutating func configure(_ wanted: [Int: ScriptSettings], at now: Instant, _ actions: inout [Action]) {
        for (object, script) in scripts.sorted(by: { $0.key < $1.key }) where wanted[object] != script.settings {
            if let process = script.phase.process { actions.append(.killGroup(process: process)) }
            scripts[object] = nil
        }
        var first = now
        for (object, settings) in wanted.sorted(by: { $0.key < $1.key }) where scripts[object] == nil {
            scripts[object] = Script(settings: settings, phase: .waiting(until: first), startedAt: first)
            first = first + Self.spread
        }
    }

    private mutating func expire(_ object: Int, at now: Instant, _ actions: inout [Action]) {
        guard var script = scripts[object] else { return }
        switch script.phase {
        case .waiting(let due) where due <= now:
            script.phase = .starting
            script.startedAt = now
            scripts[object] = script
            actions.append(.start(object: object, script.settings))
        case .running(let process, let due) where due <= now:
            actions.append(.killGroup(process: process))
            judge(object, .timedOut, at: now, &actions)
            scripts[object]?.phase = .overdue(process, again: now + .seconds(script.settings.intervalSeconds))
        case .overdue(let process, let due) where due <= now:
            // Not even SIGKILL has ended it: the next run is as good as timed out.
            actions.append(.killGroup(process: process))
            judge(object, .timedOut, at: now, &actions)
            scripts[object]?.phase = .overdue(process, again: now + .seconds(script.settings.intervalSeconds))
        default: break
        }
    }

    private mutating func finish(
        _ object: Int, _ outcome: ScriptOutcome, at now: Instant, _ actions: inout [Action]
    ) {
        guard scripts[object] != nil else { return }
        judge(object, outcome, at: now, &actions)
        wait(object, at: now)
    }

    private mutating func wait(_ object: Int, at now: Instant) {
        guard var script = scripts[object] else { return }
        let next = script.startedAt + .seconds(script.settings.intervalSeconds)
        script.phase = .waiting(until: max(next, now))
        scripts[object] = script
    }

    private mutating func judge(
        _ object: Int, _ outcome: ScriptOutcome, at now: Instant, _ actions: inout [Action]
    ) {
        guard var script = scripts[object] else { return }
        script.runs.count(outcome, took: now.since(script.startedAt))
        let isGood = outcome.isSuccess
        if let isUp = script.isUp, isUp != isGood {
            script.streak += 1
            if script.streak >= (isGood ? script.settings.rise : script.settings.fall) {
                script.isUp = isGood
                script.streak = 0
            }
        } else {
            script.isUp = isGood
            script.streak = 0
        }
        scripts[object] = script
        report(object, script, &actions)
    }

    private func report(_ object: Int, _ script: Script, _ actions: inout [Action]) {
        let observation = script.isUp.map { isUp in
            // While failures are still counted, the last one is told in the runs alone.
            Observation(isUp: isUp, reason: isUp ? nil : script.runs.last)
        }
        actions.append(.report(ProbeReport(object: object, observation: observation, runs: script.runs)))
    }
}

extension ScriptMachine.Phase {
    fileprivate var process: Int32? {
        switch self {
        case .running(let process, _), .overdue(let process, _): process
        case .waiting, .starting: nil
        }
    }
}

extension ScriptRuns {
    fileprivate mutating func count(_ outcome: ScriptOutcome, took: Interval) {
        last = outcome.text
        lastMilliseconds = UInt32(clamping: took.milliseconds)
        switch outcome {
        case .exited(0): successes = successes.saturatingSuccessor
        case .exited: failures = failures.saturatingSuccessor
        case .killed: signals = signals.saturatingSuccessor
        case .timedOut: timeouts = timeouts.saturatingSuccessor
        case .notRun:
            refusals = refusals.saturatingSuccessor
            lastMilliseconds = nil
        }
    }
}

extension UInt32 {
    fileprivate var saturatingSuccessor: UInt32 { self == .max ? .max : self + 1 }
}
