// SPDX-License-Identifier: Apache-2.0

import FirstHop
import Primitives
import Replication
import Testing

@testable import Recording

@Suite("No key gets into a recording")
struct SecrecyTests {
    static let secret = Array("hunter-two-7".utf8)
    static let next = Array("rollover-key".utf8)
    static let foreign = Array("not-our-key!".utf8)

    static func key(_ bytes: [UInt8], number: UInt32 = 0) throws -> HSRPKey {
        try #require(HSRPKey(number: number, SecretBytes(bytes)))
    }

    @Test("a group with digests: keys of the group never stand in it, and it replays")
    func digests() throws {
        let (secret, next) = (try Self.key(Self.secret), try Self.key(Self.next))
        var group = RecordedGroup(.keys(sending: secret, accepting: [secret]))
        group.hear(.interfaceChanged(isUp: true), at: 0)
        let peer = RecordedGroup.peer
        group.hearHello(priority: 200, at: 1000) { $0.sign(with: secret, from: peer) }
        #expect(group.machine.activeRouter?.priority == 200)
        // A key of the same length that is not ours, and a digest that was sent from elsewhere.
        let foreign = try Self.key(Self.foreign)
        group.hearHello(priority: 90, at: 2000) { $0.sign(with: foreign, from: peer) }
        group.hearHello(priority: 91, at: 2500) { $0.sign(with: secret, from: IPAddress(10, 1, 0, 9)) }
        #expect(group.machine.activeRouter?.priority == 200)
        // The key rolls over; the former one is believed for a while.
        var settings = group.machine.settings
        settings.authentication = .keys(sending: next, accepting: [next])
        settings.keyTimeout = .seconds(5)
        group.hear(.settingsChanged(settings), at: 3000)
        group.hearHello(priority: 210, at: 4000) { $0.sign(with: secret, from: peer) }
        #expect(group.machine.activeRouter?.priority == 210)
        group.hearHello(priority: 220, at: 9000) { $0.sign(with: secret, from: peer) }
        #expect(group.machine.activeRouter?.priority == 210, "believed no more")
        for second in 10..<80 { group.hear(.deadlineReached, at: second * 1000) }
        #expect(group.lines.contains { $0.contains("\"send\"") }, "its own signed hellos are there")

        let text = group.lines.joined(separator: "\n")
        for trace in [Self.secret, Self.next].flatMap(traces) { #expect(!text.contains(trace), "\(trace)") }
        #expect(outcomes(of: group.lines) == group.lines.map { _ in .same })
    }

    @Test("a group with a word of its own: no word stands in it, and it replays")
    func words() throws {
        let word = try #require(AuthenticationText("hunter-2"))
        let other = try #require(AuthenticationText("stranger"))
        var group = RecordedGroup(.text(word))
        group.hear(.interfaceChanged(isUp: true), at: 0)
        group.hearHello(priority: 90, at: 500) { $0.authentication = .text(other) }
        #expect(group.machine.activeRouter == nil)
        group.hearHello(priority: 200, at: 1000) { $0.authentication = .text(word) }
        #expect(group.machine.activeRouter?.priority == 200)
        for second in 2..<40 { group.hear(.deadlineReached, at: second * 1000) }
        let text = group.lines.joined(separator: "\n")
        for trace in ["hunter-2", "stranger"].flatMap({ traces(of: Array($0.utf8)) }) {
            #expect(!text.contains(trace), "\(trace)")
        }
        #expect(outcomes(of: group.lines) == group.lines.map { _ in .same })
    }

    @Test("the word that every router has by default stays what it is")
    func defaultWord() {
        let group = RecordedGroup(.text(.cisco))
        #expect(group.lines[0].contains(String(AuthenticationText.cisco.value)))
    }

    @Test("records of SAs leave their lengths alone")
    func records() {
        let key = (1...40).map { UInt8(truncatingIfNeeded: $0 * 37) }
        let record = SecretBytes(key)
        let steps: [SessionStep] = [
            .heard(.recordMade(record)), .heard(.snapshotMade([record], digest: 1)),
            .heard(.frameReceived(.record(sequence: 9, bytes: record))),
        ]
        let reactions: [SessionReaction] = [
            .action(.applyRecord(record, sequence: 9)), .frame(.record(sequence: 9, bytes: record)),
        ]
        var recorder = MachineRecorder(machine: "session")
        for step in steps {
            let text = RecordedGroup.text(
                recorder.step(recorder.count(), step, at: Instant(nanoseconds: 1), actions: reactions))
            for trace in traces(of: key) { #expect(!text.contains(trace)) }
            #expect(text.contains(":40"), "the length stands in \(text)")
        }
    }
}
