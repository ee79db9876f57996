// SPDX-License-Identifier: Apache-2.0

import Control
import FirstHop
import Primitives
import Replication

/// Runs the steps of a recording through machines of this build and compares what they do, line by line.
///
/// A machine whose line is missing, cannot be read or differs is not followed any further until it starts anew: behind a
/// different step everything may differ.
public struct Replay {
    /// What became of a line.
    public enum Outcome: Hashable, Sendable {
        /// The machine did what the line says.
        case same
        /// The machine did something else; both as JSON.
        case different(recorded: String, replayed: String)
        /// The line is no line of a recording, or of an event that this build does not know.
        case unreadable(String)
        /// Lines of this machine are missing before this one.
        case missing
        /// The line belongs to a machine that is not followed any more, or whose start is not in the recording.
        case skipped
    }

    /// The longest line.
    public static let lineByteCount = 32 << 20
    /// Machines that are followed at a time.
    public static let machineLimit = 1024

    private enum Machine {
        case group(GroupMachine)
        case session(SessionMachine)
        case redundancy(RedundancyMachine)
    }

    private var machines: [String: (machine: Machine, number: UInt64)] = [:]

    /// Starts without any machine.
    public init() {}

    /// Takes the next line.
    public mutating func take(_ line: [UInt8]) -> Outcome {
        guard line.count <= Self.lineByteCount else { return .unreadable("the line is too long") }
        let members: [String: RecordedValue]
        do {
            guard case .object(let object) = try decodeJSON(RecordedValue.self, from: line) else {
                return .unreadable("an object is wanted")
            }
            members = object
        } catch {
            return .unreadable("\(error)")
        }
        guard case .text(let name)? = members["machine"], case .number(let number)? = members["number"],
            case .number(let at)? = members["at"]
        else { return .unreadable("machine, number and at are wanted") }
        if let start = members["start"] { return begin(name, start) }
        guard let (machine, last) = machines.removeValue(forKey: name) else { return .skipped }
        guard number == last + 1 else { return .missing }
        do {
            let (next, actions) = try Self.step(
                machine, members["event"] ?? .null, at: Instant(nanoseconds: at))
            let recorded = members["actions"] ?? .null
            guard actions == recorded else {
                return .different(recorded: Self.text(recorded), replayed: Self.text(actions))
            }
            machines[name] = (next, number)
            return .same
        } catch {
            return .unreadable("\(error)")
        }
    }

    private mutating func begin(_ name: String, _ start: RecordedValue) -> Outcome {
        machines[name] = nil
        guard machines.count < Self.machineLimit else { return .skipped }
        do {
            let machine: Machine =
                switch try MachineStart(from: LenientDecoder(value: start)) {
                case .group(let start): .group(start.machine)
                case .session(let local, let state): .session(SessionMachine(local: local, state: state))
                case .redundancy: .redundancy(RedundancyMachine())
                }
            machines[name] = (machine, 0)
            return .same
        } catch {
            return .unreadable("\(error)")
        }
    }

    private static func step(
        _ machine: Machine, _ event: RecordedValue, at now: Instant
    ) throws -> (Machine, RecordedValue) {
        let decoder = LenientDecoder(value: event)
        switch machine {
        case .group(var group):
            let event = try GroupEvent(from: decoder)
            let standIns = StandIns(of: group, hearing: event, at: now)
            var actions: [GroupAction] = []
            group.handle(event, at: now, actions: &actions)
            return (.group(group), try value(of: actions.map(standIns.replace)))
        case .session(var session):
            var reactions: [SessionReaction] = []
            switch try SessionStep(from: decoder) {
            case .heard(let event):
                var actions: [SessionMachine.Action] = []
                session.handle(event, at: now, actions: &actions)
                reactions = actions.map { .action($0) }
            case .frameTaken: reactions = session.nextFrame().map { [.frame($0)] } ?? []
            }
            return (.session(session), try value(of: reactions))
        case .redundancy(var redundancy):
            var actions: [RedundancyMachine.Action] = []
            redundancy.handle(try RedundancyMachine.Event(from: decoder), at: now, actions: &actions)
            return (.redundancy(redundancy), try value(of: actions))
        }
    }

    private static func value(of actions: [some Encodable]) throws -> RecordedValue {
        try decodeJSON(RecordedValue.self, from: encodeJSON(actions))
    }

    private static func text(_ value: RecordedValue) -> String {
        String(decoding: encodeJSON(value), as: UTF8.self)
    }
}
