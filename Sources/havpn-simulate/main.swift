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

    @Flag(help: "Print the event log of every schedule, not only of one that fails.")
    var log = false

    mutating func run() throws {
        let clock = ContinuousClock()
        let start = clock.now
        var count: UInt64 = 0
        var milliseconds: UInt64 = 0
        var events = 0
        var next = seed
        while count < seeds {
            if let minutes, start.duration(to: clock.now) > .seconds(minutes * 60) { break }
            let outcome = Run.perform(Schedule(seed: next), isLogging: log)
            if log { outcome.log.forEach { print($0) } }
            count += 1
            milliseconds += outcome.milliseconds
            events += outcome.eventCount
            if let violation = outcome.violation {
                report(Schedule(seed: next), violation)
                throw ExitCode(1)
            }
            next += stride
        }
        let elapsed = start.duration(to: clock.now) / .seconds(1)
        let hours = Double(milliseconds) * 2 / 3_600_000
        print(
            "\(count) schedules, \(rounded(hours)) node-hours, \(events) events in \(rounded(elapsed)) s: "
                + "\(rounded(Double(count) / elapsed)) schedules/s, \(rounded(hours / elapsed * 60)) node-hours a minute"
        )
    }

    private func rounded(_ value: Double) -> Double { (value * 10).rounded() / 10 }

    private func report(_ schedule: Schedule, _ violation: String) {
        print("seed \(schedule.seed): \(violation)")
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
