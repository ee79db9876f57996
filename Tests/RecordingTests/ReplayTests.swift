// SPDX-License-Identifier: Apache-2.0

import Control
import FirstHop
import Foundation
import Primitives
import Replication
import SecurityAssociations
import Testing

@testable import Recording

@Suite("A recording replays line by line")
struct ReplayTests {
    static func election() -> RecordedGroup {
        var group = RecordedGroup(.text(.cisco))
        group.hear(.interfaceChanged(isUp: true), at: 0)
        group.hearHello(priority: 100, at: 500) { _ in }
        for second in 1..<30 { group.hear(.deadlineReached, at: second * 1000) }
        group.hear(.stopRequested, at: 31_000)
        return group
    }

    @Test("what was done is done again")
    func same() {
        let group = Self.election()
        #expect(group.machine.stateChangeCount > 2)
        #expect(outcomes(of: group.lines) == group.lines.map { _ in .same })
    }

    @Test("an action that the machine does not take, or takes besides, is seen, and nothing behind it is compared")
    func different() throws {
        var lines = Self.election().lines
        let index = try #require(lines.firstIndex { $0.contains("stateChanged") })
        lines[index] = lines[index].replacingOccurrences(of: "interface up", with: "interface down")
        let found = outcomes(of: lines)
        guard case .different(let recorded, let replayed) = found[index] else {
            Issue.record("\(found[index])")
            return
        }
        #expect(recorded.contains("interface down"))
        #expect(replayed.contains("interface up"))
        #expect(found[(index + 1)...].allSatisfy { $0 == .skipped })
        #expect(found[..<index].allSatisfy { $0 == .same })
    }

    @Test("a line that is gone is missed, and the machine is followed again from its next start")
    func missing() {
        let group = Self.election()
        var lines = group.lines
        lines.remove(at: 3)
        let found = outcomes(of: lines + group.lines)
        #expect(found[2] == .same)
        #expect(found[3] == .missing)
        #expect(found[4] == .skipped)
        #expect(found.suffix(group.lines.count).allSatisfy { $0 == .same })
    }

    @Test(
        "what is no line is refused with a reason",
        arguments: [
            "", "{", "[]", "7", "{\"machine\":\"x\"}", "{\"at\":1,\"machine\":\"x\",\"number\":0,\"start\":{}}",
            "{\"at\":1,\"machine\":\"x\",\"number\":0,\"start\":{\"redundancy\":7}}",
            "{\"at\":1,\"machine\":\"x\",\"number\":0,\"start\":{\"group\":{\"_0\":{\"seed\":-1}}}}",
        ])
    func unreadable(line: String) {
        guard case .unreadable = outcomes(of: [line])[0] else {
            Issue.record("\(line) was read")
            return
        }
    }

    @Test("machines beyond the limit are not followed")
    func limit() {
        let lines = (0...Replay.machineLimit).map { index in
            "{\"at\":1,\"machine\":\"\(index)\",\"number\":0,\"start\":{\"redundancy\":{}}}"
        }
        let found = outcomes(of: lines)
        #expect(found.last == .skipped)
        #expect(found.dropLast().allSatisfy { $0 == .same })
    }

    static let policy = RecordKey.policy(PolicyKey(direction: .forward, selector: ReplicatedSelector()))
    static let sa = RecordKey.sa(SAKey(destination: IPAddress(high: 1, low: 2), spi: 3))
    static let message: HSRPMessage = {
        var message = HSRPMessage(
            version: .two, operation: .coup, state: .speak, helloMilliseconds: 250, holdMilliseconds: 800,
            priority: 7, group: 4095, authentication: .absent, virtualAddress: IPAddress(10, 1, 0, 100))
        message.identifier = MACAddress(0x0200_0000_00ff)
        return message
    }()

    static let groupEvents: [GroupEvent] = [
        .interfaceChanged(isUp: true), .fitnessChanged(isFit: false), .leaderChanged(.standby),
        .followersChanged(areReady: true), .messageReceived(message, from: IPAddress(10, 1, 0, 4)),
        .priorityChanged(255), .redundancyChanged(RedundancyStatus(isStateful: true)),
        .roleMessageReceived(.answer(nonce: .max, isActive: true), term: 1 << 60),
        .roleMessageReceived(.declined(reason: .busy), term: 0), .switchoverRequested(force: true), .stopRequested,
        .resumed(isFenced: true),
        .settingsChanged(
            GroupSettings(
                group: 1, interfacePrefix: IPPrefix(address: IPAddress(10, 1, 0, 3), length: 24),
                virtualAddress: nil)),
        .sendFailed, .sendSucceeded, .drained, .deadlineReached, .leaderIsolationChanged(isCutOff: true),
        .nothingReceived,
    ]

    @Test("every event of a group comes back as it went", arguments: groupEvents)
    func roundTrip(event: GroupEvent) throws {
        let value = try decodeJSON(RecordedValue.self, from: encodeJSON(event))
        #expect(try GroupEvent(from: LenientDecoder(value: value)) == event)
    }

    static let sessionEvents: [SessionMachine.Event] = [
        .associationCameUp, .associationWentDown(reason: "a \"reason\""), .copyBegun(count: 3),
        .localChanged(SessionHello(bootID: .max, nodeName: "R3", term: 1, scheme: "VPN"), state: .activeFast),
        .recordMade(SecretBytes([0, 0]), key: policy), .recordMade(SecretBytes([]), key: sa), .digestTaken(.max),
        .snapshotMade([SecretBytes([0])], digest: 5), .recordsDelivered(through: 9), .copyFoundWrong,
        .countersTaken([.init(identity: SAIdentity(destination: IPAddress(1, 2, 3, 4), spi: 5), sequence: 6)]),
        .countersInstalled(number: 4), .roleMessageMade(.requestRole(priority: 3), group: 10, term: 2),
        .deadlinePassed, .copyEnded(digest: 1), .frameReceived(.snapshotBegin(sequence: 1, count: 2)),
        .frameReceived(.state(StateReport(state: .standbyHot, term: 3, isActive: false, journal: JournalState()))),
        .frameReceived(.role(.takeOver, stamp: RoleStamp(bootID: 1, group: 2, term: 3))),
        .frameReceived(.heartbeat(term: 1)),
    ]

    @Test("every event of a session comes back as it went", arguments: sessionEvents)
    func roundTrip(event: SessionMachine.Event) throws {
        let value = try decodeJSON(RecordedValue.self, from: encodeJSON(SessionStep.heard(event)))
        guard case .heard(let again) = try SessionStep(from: LenientDecoder(value: value)) else {
            Issue.record("another step")
            return
        }
        #expect(again == event)
    }

    @Test("what an older recording does not know is false, nothing or empty")
    func older() throws {
        let value = try decodeJSON(RecordedValue.self, from: Array("{\"isConfigured\":true}".utf8))
        var facts = RedundancyFacts()
        facts.isConfigured = true
        facts.isTakeoverComplete = false
        #expect(try RedundancyFacts(from: LenientDecoder(value: value)) == facts)
    }

    @Test("a recorded session and its frames replay")
    func session() {
        let local = SessionHello(bootID: 1, nodeName: "R3", term: 1, scheme: "VPN")
        var machine = SessionMachine(local: local, state: .standbyCold)
        var recorder = MachineRecorder(machine: "session")
        var lines = [
            RecordedGroup.text(
                recorder.start(.session(local: local, state: .standbyCold), at: Instant(nanoseconds: 0)))
        ]
        var now = Instant(nanoseconds: 0)
        func note(_ step: SessionStep, _ reactions: [SessionReaction]) {
            lines.append(RecordedGroup.text(recorder.step(recorder.count(), step, at: now, actions: reactions)))
        }
        var peer = SessionHello(bootID: 2, nodeName: "R4", term: 5, scheme: "VPN")
        peer.isActive = true
        peer.journal = JournalState(count: 1, digest: 8, isAuthoritative: true)
        let events: [SessionMachine.Event] = [
            .associationCameUp, .frameReceived(.hello(peer)), .frameReceived(.snapshotBegin(sequence: 1, count: 1)),
            .frameReceived(.record(sequence: 2, bytes: SecretBytes([1, 2, 3]))),
            .frameReceived(.snapshotEnd(sequence: 3, digest: 8)), .recordsDelivered(through: 3), .deadlinePassed,
            .frameReceived(.mark(sequence: 3, digest: 9)), .copyFoundWrong, .associationWentDown(reason: "test"),
        ]
        for event in events {
            now = now + .milliseconds(300)
            var actions: [SessionMachine.Action] = []
            machine.handle(event, at: now, actions: &actions)
            note(.heard(event), actions.map { .action($0) })
            while let frame = machine.nextFrame() { note(.frameTaken, [.frame(frame)]) }
        }
        #expect(lines.contains { $0.contains("frameTaken") && $0.contains("acknowledged") })
        #expect(outcomes(of: lines) == lines.map { _ in .same })
    }

    static let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Fixtures/recordings")

    static let recordings: [String] = {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        return names.filter { $0.hasSuffix(".jsonl") }.sorted()
    }()

    @Test("there are recorded cases")
    func folderIsFound() { #expect(Self.recordings.count >= 2) }

    @Test("a recorded case of real gateways is done again", arguments: recordings)
    func recorded(name: String) throws {
        let text = try String(contentsOf: Self.folder.appending(path: name), encoding: .utf8)
        let lines = text.split(separator: "\n").map(String.init)
        #expect(lines.count > 10)
        for (index, outcome) in outcomes(of: lines).enumerated() where outcome != .same {
            Issue.record("\(name):\(index + 1): \(outcome)")
            return
        }
    }
}
