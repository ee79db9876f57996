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

    @Flag(help: "Run each schedule again for each of its messages, with that one lost.")
    var loseEach = false

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

    /// What was done so far.
    private struct Tally {
        var count = 0
        var failureCount = 0
        var milliseconds: UInt64 = 0
        var eventCount = 0

        mutating func add(_ outcome: Run.Outcome) {
            count += 1
            milliseconds += outcome.milliseconds
            eventCount += outcome.eventCount
            if outcome.violation != nil { failureCount += 1 }
        }
    }

    func run() throws {
        if replay { throw ExitCode(ReplayCommand.run()) }
        let start = ContinuousClock.now
        let end = minutes.map { start + .seconds($0 * 60) }
        var tally = Tally()
        var index = 0
        seeds: while let next = nextSeed(index) {
            index += 1
            var lost: Int?
            var messageCount = 0
            repeat {
                if let end, ContinuousClock.now > end { break seeds }
                let outcome = Run.perform(Schedule(seed: next), lostMessage: lost, isLogging: log || digest)
                tally.add(outcome)
                if log { outcome.log.forEach { print($0) } }
                if digest { print("\(next) \(fingerprint(of: outcome.log))") }
                if let violation = outcome.violation {
                    report(Schedule(seed: next), lost, violation)
                    if !survey { throw ExitCode(1) }
                }
                if lost == nil { messageCount = outcome.messageCount }
                lost = (lost ?? 0) + 1
            } while loseEach && lost ?? 0 <= messageCount
        }
        summarise(tally, start.duration(to: .now) / .seconds(1))
        if tally.failureCount > 0 { throw ExitCode(1) }
    }

    private func summarise(_ tally: Tally, _ seconds: Double) {
        let hours = Double(tally.milliseconds) * 2 / 3_600_000
        print(
            "\(tally.count - tally.failureCount) schedules, \(rounded(hours)) node-hours, \(tally.eventCount) events "
                + "in \(rounded(seconds)) s: \(rounded(Double(tally.count) / seconds)) schedules/s, "
                + "\(rounded(hours / seconds * 60)) node-hours a minute")
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

    private func report(_ schedule: Schedule, _ lost: Int?, _ violation: String) {
        print("seed \(schedule.seed)\(lost.map { " without message \($0)" } ?? ""): \(violation)")
        if brief { return }
        let smallest = Run.minimise(schedule, lostMessage: lost)
        print("\(smallest.faults.count) of \(schedule.faults.count) faults are needed:")
        smallest.faults.forEach { print("  \($0)") }
        let outcome = Run.perform(smallest, lostMessage: lost, isLogging: true)
        print("the log of these:")
        outcome.log.forEach { print($0) }
        print("seed \(schedule.seed): \(outcome.violation ?? violation)")
    }
}

Simulate.main()
