// SPDX-License-Identifier: Apache-2.0

import LinuxIO
import Testing
import Tracking

@testable import Daemon

@Suite("Reports of the supervisor")
struct ProbeReportTests {
    @Test("every report comes through the channel as it was")
    func roundTrip() throws {
        var runs = ScriptRuns()
        runs.successes = 1
        runs.failures = 2
        runs.signals = 3
        runs.timeouts = 4
        runs.refusals = .max
        runs.last = "exit status 2"
        for reports in [
            ProbeReport(object: 1, observation: nil), ProbeReport(object: 1000, observation: Observation(isUp: true)),
            ProbeReport(object: 7, observation: Observation(isUp: false, reason: "timed out"), runs: runs),
        ] {
            #expect(try ProcessMessage(parsing: ProcessMessage.observed(reports).encoded()) == .observed(reports))
        }
        runs.lastMilliseconds = 12
        let last = ProcessMessage.observed(ProbeReport(object: 7, observation: nil, runs: runs))
        #expect(try ProcessMessage(parsing: last.encoded()) == last)
        for count in 1..<last.encoded().count {
            #expect(throws: (any Error).self) { try ProcessMessage(parsing: Array(last.encoded().prefix(count))) }
        }
    }

    @Test("a long reason is cut")
    func longReason() throws {
        let long = String(repeating: "x", count: 5000)
        let message = ProcessMessage.observed(
            ProbeReport(object: 7, observation: Observation(isUp: false, reason: long)))
        guard case .observed(let report) = try ProcessMessage(parsing: message.encoded()) else { return }
        #expect(report.observation?.reason?.count == ProbeReport.reasonByteCount)
    }
}
