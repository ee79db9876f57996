// SPDX-License-Identifier: Apache-2.0

/// Runs schedules and judges them.
public enum Run {
    /// What came of a schedule.
    public struct Outcome: Sendable {
        /// The promise that was broken; nil when all were kept.
        public var violation: String?
        /// The event log, if it was asked for.
        public var log: [String]
        /// Simulated time, in milliseconds.
        public var milliseconds: UInt64
        /// Events that were worked off.
        public var eventCount: Int
        /// Messages that a wire could have lost.
        public var messageCount: Int
    }

    /// How long a cold pair may take until it is HOT.
    static let warmUp = 60 * second
    /// How long everything may take to be well again behind the last fault, and three hold times for an election.
    static let recovery = 60 * second
    /// How long it must stay so.
    static let calm = 5 * second
    /// A schedule lasts so long at least.
    static let least = 60 * second

    /// Runs one schedule.
    ///
    /// - Parameters:
    ///   - lostMessage: the number of the one message that is lost, counted from the first.
    ///   - isLogging: keeps the event log, which costs time.
    public static func perform(_ schedule: Schedule, lostMessage: Int? = nil, isLogging: Bool = false) -> Outcome {
        let simulation = Simulation(
            settings: schedule.settings, seed: schedule.seed, lostMessage: lostMessage, isLogging: isLogging)
        simulation.start()
        if !settle(simulation, within: warmUp) {
            simulation.checker.fail("the pair does not get HOT: \(simulation.checker.fault ?? "")")
        }
        simulation.note("the pair is HOT")
        let start = simulation.now
        for fault in schedule.faults { simulation.plan(fault, from: start) }
        simulation.run(until: start + schedule.healedMilliseconds * millisecond)
        simulation.note("all faults are over")
        let healed = simulation.now
        let recovery = Self.recovery + 3 * UInt64(schedule.settings.holdMilliseconds) * millisecond
        if !settle(simulation, within: recovery) {
            simulation.checker.fail("not well again: \(simulation.checker.fault ?? "")")
        }
        let end = max(simulation.now + calm, least)
        simulation.run(until: end)
        // A process that was to die at one of its next actions may do so only now: then that was the last fault.
        let lateCrash = simulation.crashedAt.flatMap { $0 > healed ? $0 + recovery : nil } ?? 0
        let limit = max(simulation.now + 5 * second, lateCrash) - simulation.now
        if simulation.checker.violation == nil, !settle(simulation, within: limit) {
            simulation.checker.fail("well, but not for long: \(simulation.checker.fault ?? "")")
        }
        return Outcome(
            violation: simulation.checker.violation, log: simulation.log, milliseconds: simulation.now / millisecond,
            eventCount: simulation.eventCount, messageCount: simulation.messageCount)
    }

    /// Runs until nothing is amiss; false when that takes too long.
    private static func settle(_ simulation: Simulation, within limit: UInt64) -> Bool {
        let end = simulation.now + limit
        while simulation.checker.violation == nil {
            if simulation.checker.fault == nil { return true }
            guard simulation.now < end else { return false }
            simulation.run(until: simulation.now + 250 * millisecond)
        }
        return true
    }

    /// Leaves out every fault without which the same promise is broken, one after the other.
    public static func minimise(_ schedule: Schedule, lostMessage: Int? = nil) -> Schedule {
        guard let violation = perform(schedule, lostMessage: lostMessage).violation else { return schedule }
        let kind = violation.prefix(12)
        var smallest = schedule
        var index = 0
        while index < smallest.faults.count {
            var candidate = smallest
            candidate.faults.remove(at: index)
            if let other = perform(candidate, lostMessage: lostMessage).violation, other.prefix(12) == kind {
                smallest = candidate
            } else {
                index += 1
            }
        }
        return smallest
    }
}
