// SPDX-License-Identifier: Apache-2.0

internal import ArgumentParser
import ClusterSimulation

/// Runs random schedules of faults against a simulated pair.
struct Simulate: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "havpn-simulate", abstract: "Runs seeded schedules of faults against a simulated pair of gateways."
    )

    @Option(help: "The first seed.")
    var seed: UInt64 = 1

    @Option(help: "How many seeds.")
    var seeds: UInt64 = 1

    @Option(help: "Stop after so many minutes.")
    var minutes: Double?

    @Option(help: "The step from one seed to the next.")
    var stride: UInt64 = 1

    @Flag(help: "Take the seeds from standard input, one on each line.")
    var stdin = false

    @Flag(help: "Print seed and broken promise of a failing schedule only.")
    var brief = false

    @Flag(help: "Go on behind a failing schedule.")
    var survey = false

    @Flag(help: "Print the event log of every schedule, not only of one that fails.")
    var log = false

    @Flag(help: "Replay the recording on standard input instead.")
    var replay = false

    @Flag(help: "Print a digest of every event log, to compare two builds.")
    var digest = false

    mutating func run() throws {
        if replay { throw ExitCode(ReplayCommand.run()) }
        if replay { throw ExitCode(ReplayCommand.run()) }
        let clock = ContinuousClock()
        let start = clock.now
        var milliseconds: UInt64 = 0
        var (count, failures, events) = (0, 0, 0)
        while let next = nextSeed(count) {
            if let minutes, start.duration(to: clock.now) > .seconds(minutes * 60) { break }
            let outcome = Run.perform(Schedule(seed: next), isLogging: log || digest)
            if log { outcome.log.forEach { print($0) } }
            if digest { print("\(next) \(fingerprint(of: outcome.log))") }
            count += 1
            milliseconds += outcome.milliseconds
            events += outcome.eventCount
            if let violation = outcome.violation {
                failures += 1
                report(Schedule(seed: next), violation)
                if !survey { throw ExitCode(1) }
            }
        }
        let elapsed = start.duration(to: clock.now) / .seconds(1)
        let hours = Double(milliseconds) * 2 / 3_600_000
        print(
            "\(count - failures) schedules, \(rounded(hours)) node-hours, \(events) events in \(rounded(elapsed)) s: "
                + "\(rounded(Double(count) / elapsed)) schedules/s, \(rounded(hours / elapsed * 60)) node-hours a minute"
        )
        if failures > 0 { throw ExitCode(1) }
    }

    private func nextSeed(_ count: Int) -> UInt64? {
        if stdin { return readLine().flatMap { UInt64($0) } }
        return UInt64(count) < seeds ? seed + UInt64(count) * stride : nil
    }

    /// FNV-1a over the lines.
    private func fingerprint(of log: [String]) -> String {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for line in log { for byte in line.utf8 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 } }
        return String(hash, radix: 16)
    }

    private func rounded(_ value: Double) -> Double { (value * 10).rounded() / 10 }

    private func report(_ schedule: Schedule, _ violation: String) {
        print("seed \(schedule.seed): \(violation)")
        if brief { return }
        let smallest = Run.minimise(schedule)
        print("\(smallest.faults.count) of \(schedule.faults.count) faults are needed:")
        smallest.faults.forEach { print("  \($0)") }
        let outcome = Run.perform(smallest, isLogging: true)
        print("the log of these:")
        outcome.log.forEach { print($0) }
        print("seed \(schedule.seed): \(outcome.violation ?? violation)")
    }
}

Simulate.main()
