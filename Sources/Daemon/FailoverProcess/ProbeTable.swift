// SPDX-License-Identifier: Apache-2.0

import Control
import LinuxIO
import Primitives
import Tracking

/// What is known about probes beyond the states of their objects: echoes sent from here, reports of the supervisor.
final class ProbeTable {
    /// Counters by name, for `show counters`.
    private(set) var counters: [String: UInt64] = [:]

    private var echoes: [Int: EchoRunner] = [:]
    private var runs: [Int: ScriptRuns] = [:]

    /// Runs the operations that are scheduled; one that is the same as before goes on.
    func configure(
        _ operations: [EchoOperation], on reactor: Reactor, onConclusion: @escaping (EchoRunner) -> Void,
        onStray: @escaping () -> Void
    ) {
        let wanted = operations.filter(\.isScheduled)
        for (number, runner) in echoes where !wanted.contains(runner.operation) {
            runner.cancel()
            echoes[number] = nil
        }
        for operation in wanted where echoes[operation.number] == nil {
            let runner = EchoRunner(operation, on: reactor, onConclusion: onConclusion, onStray: onStray)
            echoes[operation.number] = runner
            runner.start()
        }
    }

    /// Keeps and counts what a report says about a script's runs.
    func take(_ report: ProbeReport) {
        guard let new = report.runs else { return }
        let old = runs.updateValue(new, forKey: report.object) ?? ScriptRuns()
        for (name, value) in [
            ("track.scriptSucceeded", \ScriptRuns.successes), ("track.scriptFailed", \.failures),
            ("track.scriptKilled", \.signals), ("track.scriptTimedOut", \.timeouts),
            ("track.scriptNotRun", \.refusals),
        ] as [(String, KeyPath<ScriptRuns, UInt32>)] {
            // A script that was configured anew counts from 0.
            let (before, after) = (old[keyPath: value], new[keyPath: value])
            let more = after >= before ? after - before : after
            if more > 0 { counters[name, default: 0] += UInt64(more) }
        }
    }

    /// A script's runs, for `show track`.
    func runs(of object: Int) -> TrackView.Runs? {
        runs[object].map { runs in
            var view = TrackView.Runs()
            view.successes = Int(runs.successes)
            view.failures = Int(runs.failures)
            view.signals = Int(runs.signals)
            view.timeouts = Int(runs.timeouts)
            view.refusals = Int(runs.refusals)
            view.last = runs.last
            view.lastMilliseconds = runs.lastMilliseconds.map { Int($0) }
            return view
        }
    }

    /// An operation, for `show track`; nil where it does not run.
    func echo(_ operation: Int) -> TrackView.Echo? {
        echoes[operation].map { runner in
            var view = TrackView.Echo()
            view.returnCode = runner.machine.code.text
            view.roundTripMicroseconds = runner.machine.roundTrip.map { Int($0.nanoseconds / 1000) }
            view.sent = runner.machine.sentCount
            view.answered = runner.machine.answeredCount
            view.lost = runner.machine.lostCount
            return view
        }
    }
}
