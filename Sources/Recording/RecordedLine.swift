// SPDX-License-Identifier: Apache-2.0

import Control
public import FirstHop
public import Primitives
public import Replication

/// How a machine began, so that it can begin the same way again.
public enum MachineStart: Codable, Sendable {
    /// A group of the failover process.
    case group(GroupStart)
    /// The conversation with the peer's replication process.
    case session(local: SessionHello, state: RedundancyState)
    /// The redundancy state.
    case redundancy

    /// What a group's machine is made of.
    public struct GroupStart: Codable, Sendable {
        var settings: GroupSettings
        var priority: UInt8
        var redundancy: RedundancyStatus
        var seed: UInt64
        var startsWithDaemon: Bool

        /// Describes a machine that is made of these; keys and words become stand-ins.
        public init(
            settings: GroupSettings, priority: UInt8, redundancy: RedundancyStatus, seed: UInt64,
            startsWithDaemon: Bool
        ) {
            self.settings = StandIns.replace(in: settings)
            self.priority = priority
            self.redundancy = redundancy
            self.seed = seed
            self.startsWithDaemon = startsWithDaemon
        }

        var machine: GroupMachine {
            GroupMachine(
                settings: settings, priority: priority, redundancy: redundancy, seed: seed,
                startsWithDaemon: startsWithDaemon)
        }
    }
}

/// What happened to the session, or to what it wants to say.
public enum SessionStep: Codable, Sendable {
    /// The machine heard of an event.
    case heard(SessionMachine.Event)
    /// The transport took the next frame; the frame is the step's action.
    case frameTaken
}

/// What a recording says of the session's reactions.
public enum SessionReaction: Encodable, Sendable {
    /// The process must do it.
    case action(SessionMachine.Action)
    /// The transport has it.
    case frame(Frame)
}

/// One line of a recording: the start of a machine, or one of its steps.
///
/// JSON, its members in alphabetical order: `actions` (a step's, in order), `at` (nanoseconds of the monotonic clock),
/// `event` (a step's) or `start`, `machine` (its name on this node) and `number` (0 for a start; each step has the next).
struct RecordedLine<Event: Encodable, Action: Encodable>: Encodable {
    var actions: [Action]?
    var at: Instant
    var event: Event?
    var machine: String
    var number: UInt64
    var start: MachineStart?
}

/// Writes the lines of one machine; a new process, or a group that is made anew, begins with a new start.
public struct MachineRecorder: Sendable {
    private let machine: String
    private var number: UInt64 = 0

    /// Names the machine, such as `group eth1 10`.
    public init(machine: String) { self.machine = machine }

    /// The line for the machine's start.
    public mutating func start(_ start: MachineStart, at now: Instant) -> [UInt8] {
        number = 0
        let nothing: [String]? = nil
        return encodeJSON(
            RecordedLine<String, String>(
                actions: nothing, at: now, event: nil, machine: machine, number: 0, start: start))
    }

    /// Counts a step; its line may be made later, or never: whoever replays sees that it is missing.
    public mutating func count() -> UInt64 {
        number += 1
        return number
    }

    /// The line for a step that was counted.
    public func step(
        _ number: UInt64, _ event: some Encodable, at now: Instant, actions: [some Encodable]
    ) -> [UInt8] {
        encodeJSON(
            RecordedLine(actions: actions, at: now, event: event, machine: machine, number: number, start: nil))
    }
}
