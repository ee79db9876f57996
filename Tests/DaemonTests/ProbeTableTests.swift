// SPDX-License-Identifier: Apache-2.0

import Control
import Testing
import Tracking

@testable import Daemon

@Suite("What is known of probes")
struct ProbeTableTests {
    @Test("runs are counted by their outcome, once each, also when a script counts from 0 again")
    func counters() {
        let table = ProbeTable()
        var runs = ScriptRuns()
        runs.successes = 3
        runs.timeouts = 1
        for _ in 0..<2 { table.take(ProbeReport(object: 1, observation: nil, runs: runs)) }
        #expect(table.counters == ["track.scriptSucceeded": 3, "track.scriptTimedOut": 1])
        runs.failures = 2
        table.take(ProbeReport(object: 1, observation: nil, runs: runs))
        var fresh = ScriptRuns()
        fresh.refusals = 1
        fresh.signals = 1
        table.take(ProbeReport(object: 1, observation: nil, runs: fresh))
        table.take(ProbeReport(object: 2, observation: Observation(isUp: true)))
        #expect(
            table.counters == [
                "track.scriptSucceeded": 3, "track.scriptTimedOut": 1, "track.scriptFailed": 2,
                "track.scriptNotRun": 1, "track.scriptKilled": 1,
            ])
        #expect(table.runs(of: 1)?.refusals == 1 && table.runs(of: 2) == nil)
    }
}
