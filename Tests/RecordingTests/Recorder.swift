// SPDX-License-Identifier: Apache-2.0

import FirstHop
import Primitives
import Recording
import Replication

/// A group that is recorded as the daemon does it.
struct RecordedGroup {
    var machine: GroupMachine
    var recorder = MachineRecorder(machine: "group eth1 10")
    var lines: [String] = []

    static let peer = IPAddress(10, 1, 0, 4)

    init(_ authentication: GroupAuthentication, priority: UInt8 = 105) {
        var settings = GroupSettings(
            group: 10, interfacePrefix: IPPrefix(address: IPAddress(10, 1, 0, 3), length: 24),
            virtualAddress: IPAddress(10, 1, 0, 100))
        settings.authentication = authentication
        settings.preempt = true
        let redundancy = RedundancyStatus(isStateful: false)
        machine = GroupMachine(settings: settings, priority: priority, redundancy: redundancy, seed: 7)
        let start = MachineStart.GroupStart(
            settings: settings, priority: priority, redundancy: redundancy, seed: 7, startsWithDaemon: true)
        lines.append(Self.text(recorder.start(.group(start), at: Instant(nanoseconds: 0))))
    }

    @discardableResult
    mutating func hear(_ event: GroupEvent, at milliseconds: Int) -> [GroupAction] {
        let now = Instant(nanoseconds: 0) + .milliseconds(milliseconds)
        let standIns = StandIns(of: machine, hearing: event, at: now)
        var actions: [GroupAction] = []
        machine.handle(event, at: now, actions: &actions)
        let line = recorder.step(
            recorder.count(), standIns.replace(in: event), at: now, actions: actions.map(standIns.replace))
        lines.append(Self.text(line))
        return actions
    }

    /// A hello of the peer, signed or said with what is given.
    mutating func hearHello(priority: UInt8, at milliseconds: Int, _ authenticate: (inout HSRPMessage) -> Void) {
        var message = HSRPMessage(
            version: .one, operation: .hello, state: .active, helloMilliseconds: 3000, holdMilliseconds: 10_000,
            priority: priority, group: 10, authentication: .text(.cisco), virtualAddress: IPAddress(10, 1, 0, 100))
        authenticate(&message)
        hear(.messageReceived(message, from: Self.peer), at: milliseconds)
    }

    static func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
}

/// What a replay makes of lines.
func outcomes(of lines: [String]) -> [Replay.Outcome] {
    var replay = Replay()
    return lines.map { replay.take(Array($0.utf8)) }
}

/// Every way in which bytes may stand in JSON: as text, as digits, as numbers.
func traces(of bytes: [UInt8]) -> [String] {
    let digits = bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    let padded = bytes + [UInt8](repeating: 0, count: max(0, 8 - bytes.count))
    let number = padded.prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    return [
        String(decoding: bytes, as: UTF8.self), digits, digits.uppercased(),
        bytes.map(String.init).joined(separator: ","), String(number),
    ]
}
