// SPDX-License-Identifier: Apache-2.0

import Control
import LinuxIO
import Primitives
import Tracking

/// What is known about probes beyond the states of their objects: echoes sent from here, reports of the supervisor.
final class ProbeTable {
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

    /// Keeps what a report says about a script's runs.
    func take(_ report: ProbeReport) { runs[report.object] = report.runs }

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
