// SPDX-License-Identifier: Apache-2.0

import ByteCodec
import FirstHop
import Primitives
import Testing

/// DESIGN §5, hellos lost and the association alive: who moves is decided by what the Active can show.
@Suite struct EvidenceTests {
    private static func standby(_ status: RedundancyStatus = Router.hot) -> Router {
        Router.standby(behind: Router.peer, activePriority: 105, redundancy: status)
    }

    private static func active() -> Router {
        var router = Router.speaking(priority: 110, redundancy: RedundancyStatus(isStateful: true)) {
            $0.preempt = true
        }
        _ = router.run(until: 25_000)
        _ = router.at(25_000, .redundancyChanged(Router.hot))
        return router
    }

    private static func asked(_ router: inout Router) throws -> UInt64 {
        let actions = router.run(until: 30_000).filter { $0.at == 30_000 }.map(\.action)
        #expect(actions.steps.contains("probe"))
        return try #require(actions.question)
    }

    private static func evidence(_ probe: ProbeResult, leaseRenewed: Bool = true) -> RoleEvidence {
        var evidence = RoleEvidence(probe: probe)
        evidence.isLeaseRenewed = leaseRenewed
        return evidence
    }

    // MARK: The standby's side

    @Test("a Coup of our peer as an Active is a sign of life, as its hello is; another router's is none")
    func coupIsSignOfLife() {
        for active in [Router.peer, Router.stranger] {
            var router = Router.fastStandby(behind: active, redundancy: Router.hot)
            _ = router.run(until: 20_700)
            _ = router.hear(20_700, .coup, .active, priority: 110, from: active)
            let taken = router.run(until: 25_000).first { [$0.action].steps == ["Standby -> Active"] }?.at
            // Our peer is asked for evidence, which takes 100 ms more.
            #expect(taken == (active == Router.peer ? 21_600 : 20_800))
        }
    }

    @Test("an Active with evidence stays; that is logged once, and it is asked again each hello interval")
    func evidenceHolds() throws {
        var router = Self.standby()
        let nonce = try Self.asked(&router)
        let actions = router.at(
            30_004, .roleMessageReceived(.evidence(nonce: nonce, Self.evidence(.answered)), term: 1))
        #expect(actions.steps == [])
        #expect(actions.contains { if case .log(.warning, let text) = $0 { text.contains("answers") } else { false } })
        #expect(router.at(30_005, .probeFinished(.answered)).steps == [])
        let again = router.run(until: 33_010).map(\.action)
        let second = try #require(again.question)
        let answered = router.at(
            33_012, .roleMessageReceived(.evidence(nonce: second, Self.evidence(.answered)), term: 1))
        #expect(!answered.contains { if case .log = $0 { true } else { false } })
        #expect(router.machine.state == .standby)
    }

    @Test("no neighbour to probe: an Active with lease and carrier stays")
    func evidenceWithoutNeighbour() throws {
        var router = Self.standby()
        let nonce = try Self.asked(&router)
        _ = router.at(30_001, .probeFinished(.answered))
        let actions = router.at(
            30_004, .roleMessageReceived(.evidence(nonce: nonce, Self.evidence(.impossible)), term: 1))
        #expect(actions.steps == [])
        #expect(router.machine.state == .standby)
    }

    @Test(
        "an Active without evidence is asked for the role if this node's own probe is answered",
        arguments: [true, false])
    func activeWithoutEvidence(isProbeFirst: Bool) throws {
        var router = Self.standby()
        let nonce = try Self.asked(&router)
        let word = GroupEvent.roleMessageReceived(.evidence(nonce: nonce, Self.evidence(.unanswered)), term: 1)
        let events = isProbeFirst ? [.probeFinished(.answered), word] : [word, .probeFinished(.answered)]
        #expect(router.at(30_010, events[0]).steps == [])
        #expect(router.at(30_020, events[1]).steps == ["tell segmentRequest(priority: 100)"])
        #expect(router.machine.state == .standby)
        let given = router.at(30_030, .roleMessageReceived(.prepareTakeover, term: 1))
        #expect(given.steps.contains("tell ready"))
        #expect(router.at(30_040, .roleMessageReceived(.fenced, term: 1)).steps.contains("Standby -> Active"))
    }

    @Test(
        "neither probe is answered: nothing moves, and that is logged once",
        arguments: [ProbeResult.unanswered, .impossible])
    func neitherAnswered(own: ProbeResult) throws {
        var router = Self.standby()
        let nonce = try Self.asked(&router)
        _ = router.at(30_010, .roleMessageReceived(.evidence(nonce: nonce, Self.evidence(.unanswered)), term: 1))
        let ended =
            own == .unanswered ? router.run(until: 30_070).map(\.action) : router.at(30_011, .probeFinished(own))
        #expect(ended.steps == [])
        #expect(ended.contains { if case .log(_, let text) = $0 { text.contains("nothing moves") } else { false } })
        #expect(router.machine.state == .standby)
        let second = try #require(router.run(until: 33_020).map(\.action).question)
        _ = router.at(33_030, .probeFinished(own))
        let word = RoleMessage.evidence(nonce: second, Self.evidence(.unanswered))
        let again = router.at(33_031, .roleMessageReceived(word, term: 1))
        #expect(!again.contains { if case .log = $0 { true } else { false } })
    }

    @Test("an Active whose lease is not renewed is followed, behind its lease")
    func leaseNotRenewed() throws {
        var router = Self.standby()
        let nonce = try Self.asked(&router)
        let word = RoleMessage.evidence(nonce: nonce, Self.evidence(.answered, leaseRenewed: false))
        let steps = router.at(30_004, .roleMessageReceived(word, term: 1)).steps
        #expect(steps.contains("Standby -> Active"))
        #expect(!steps.contains("lower fence"))
    }

    @Test("no answer in 100 ms, or one hello interval if that is shorter: this node takes over")
    func noAnswer() throws {
        var router = Self.standby()
        _ = try Self.asked(&router)
        #expect(router.run(until: 30_099).map(\.action).steps == [])
        #expect(router.run(until: 30_100).map(\.action).steps.contains("Standby -> Active"))
        var fast = Router.fastStandby(behind: Router.peer, redundancy: Router.hot)
        var settings = fast.machine.settings
        (settings.hello, settings.hold) = (.milliseconds(20), .milliseconds(60))
        _ = fast.at(20_000, .settingsChanged(settings))
        _ = fast.hear(20_000, .active, priority: 110, from: Router.peer)
        let done = fast.run(until: 20_200)
        #expect(done.first { $0.action.question != nil && $0.at >= 20_060 }?.at == 20_060)
        #expect(done.first { if case .stateChanged(_, .active, _) = $0.action { true } else { false } }?.at == 20_080)
    }

    @Test("not Active: this node takes over")
    func notActive() throws {
        var router = Self.standby()
        let nonce = try Self.asked(&router)
        let answer = RoleMessage.answer(nonce: nonce, isActive: false)
        #expect(router.at(30_003, .roleMessageReceived(answer, term: 1)).steps.contains("Standby -> Active"))
    }

    @Test("a peer of an older build answers without evidence, and is believed")
    func olderPeer() throws {
        var router = Self.standby()
        let nonce = try Self.asked(&router)
        _ = router.at(30_001, .probeFinished(.answered))
        #expect(router.at(30_003, .roleMessageReceived(.answer(nonce: nonce, isActive: true), term: 1)).steps == [])
        #expect(router.machine.state == .standby)
    }

    // MARK: The Active's side

    @Test("an Active probes its segment before it answers, and answers when that has had its time")
    func activeAnswers() throws {
        var router = Self.active()
        _ = router.hear(25_900, .standby, priority: 100, from: Router.peer)
        #expect(router.at(26_000, .roleMessageReceived(.evidenceQuestion(nonce: 9), term: 1)).steps.first == "probe")
        let answered = router.at(26_003, .probeFinished(.answered))
        let shown = try #require(answered.evidence)
        #expect(shown.nonce == 9)
        #expect(shown.evidence.isEnough)
        #expect(shown.evidence.lastHelloMilliseconds == 103)
        _ = router.at(26_500, .roleMessageReceived(.evidenceQuestion(nonce: 10), term: 1))
        let late = router.run(until: 26_560)
        let silent = try #require(late.map(\.action).evidence)
        #expect(silent.evidence.probe == .unanswered)
        #expect(late.first { $0.action.isEvidence }?.at == 26_560)
        // What comes later is no answer to anything.
        #expect(router.at(26_561, .probeFinished(.answered)) == [])
    }

    @Test("a node that is not Active says so at once, without a probe")
    func standbyAnswers() {
        var router = Self.standby()
        let steps = router.at(20_100, .roleMessageReceived(.evidenceQuestion(nonce: 9), term: 1)).steps
        #expect(steps == ["tell not active"])
    }

    @Test("an Active without evidence hands over, and asks for nothing until its own segment answers")
    func activeHandsOver() throws {
        var router = Self.active()
        _ = router.hear(25_900, .standby, priority: 100, from: Router.peer)
        // With evidence the peer's priority counts as ever.
        _ = router.at(26_000, .roleMessageReceived(.evidenceQuestion(nonce: 9), term: 1))
        _ = router.at(26_001, .probeFinished(.answered))
        #expect(
            router.at(26_002, .roleMessageReceived(.segmentRequest(priority: 100), term: 1)).steps
                == ["tell declined(reason: FirstHop.RoleMessage.DeclineReason.betterPriority)"])
        _ = router.at(26_100, .roleMessageReceived(.evidenceQuestion(nonce: 10), term: 1))
        _ = router.run(until: 26_160)
        let steps = router.at(26_161, .roleMessageReceived(.segmentRequest(priority: 100), term: 1)).steps
        #expect(steps == ["tell prepareTakeover"])
        #expect(router.at(26_163, .roleMessageReceived(.ready, term: 1)).steps.contains("Active -> Speak"))
        // The better node hears the lesser Active and does not take the role back: its segment is still silent.
        var done: [GroupAction] = []
        for second in 27...40 {
            done += router.run(until: second * 1000).map(\.action)
            done += router.hear(second * 1000, .active, priority: 100, from: Router.peer)
        }
        #expect(!done.steps.contains { $0.hasPrefix("tell requestRole") || $0.hasPrefix("coup") })
        #expect(done.steps.filter { $0 == "probe" }.count > 3)
        _ = router.run(until: 43_000)
        _ = router.hear(43_000, .active, priority: 100, from: Router.peer)
        var now = 43_000
        while now < 50_000, !router.run(until: now).map(\.action).steps.contains("probe") {
            _ = router.hear(now, .active, priority: 100, from: Router.peer)
            now += 10
        }
        var back = router.at(now + 1, .probeFinished(.answered))
        back += router.hear(now + 2, .active, priority: 100, from: Router.peer)
        #expect(back.steps.contains("tell requestRole(priority: 110)"))
    }

    @Test("without a HOT peer an Active without evidence stays")
    func noHotPeer() {
        var router = Self.active()
        var status = Router.hot
        status.isPeerHot = false
        _ = router.at(25_500, .redundancyChanged(status))
        _ = router.at(26_000, .roleMessageReceived(.evidenceQuestion(nonce: 9), term: 1))
        _ = router.run(until: 26_060)
        let steps = router.at(26_100, .roleMessageReceived(.segmentRequest(priority: 200), term: 1)).steps
        #expect(steps == ["tell declined(reason: FirstHop.RoleMessage.DeclineReason.peerNotHot)"])
        #expect(router.machine.state == .active)
    }

    // MARK: The wire

    @Test("older builds read question, answer and request where this one says more")
    func wire() throws {
        var evidence = RoleEvidence(probe: .unanswered)
        evidence.lastHelloMilliseconds = 1234
        evidence.isLeaseRenewed = false
        let messages: [(RoleMessage, byteCount: Int, old: RoleMessage)] = [
            (.evidenceQuestion(nonce: 7), 9, .question(nonce: 7)),
            (.evidence(nonce: 7, evidence), 10, .answer(nonce: 7, isActive: true)),
            (.segmentRequest(priority: 9), 2, .requestRole(priority: 9)),
        ]
        for (message, byteCount, old) in messages {
            var writer = ByteWriter()
            message.encode(into: &writer)
            var reader = ByteReader(writer.bytes)
            #expect(try RoleMessage(parsing: &reader) == message)
            // What an older build reads of it is what it would have been sent.
            var known = ByteReader(writer.bytes.prefix(byteCount))
            #expect(try RoleMessage(parsing: &known) == old)
        }
        var broken = ByteReader([9, 0, 0, 0, 0, 0, 0, 0, 7, 1, 3, 9, 0, 0, 0, 0])
        #expect(throws: DecodeError.self) { try RoleMessage(parsing: &broken) }
    }

    @Test("an ARP request asks for a neighbour, and only its own reply is one")
    func probeFrames() {
        let mac = MACAddress(0x0200_0000_0001)
        let own = IPv4Address(10, 1, 0, 3)
        let neighbour = IPv4Address(10, 1, 0, 5)
        let request = Frames.arpRequest(for: neighbour, from: own, mac: mac)
        #expect(request.count == 42)
        #expect(Array(request[28..<32]) == [10, 1, 0, 3])
        #expect(Array(request[38..<42]) == [10, 1, 0, 5])
        #expect(!Frames.isARPReply(request, from: own))
        var reply = request
        reply[21] = 2
        #expect(Frames.isARPReply(reply, from: own))
        #expect(!Frames.isARPReply(reply, from: neighbour))
        for length in 0..<32 {
            #expect(!Frames.isARPReply(Array(reply.prefix(length)), from: own))
        }
    }
}

extension GroupAction {
    fileprivate var isEvidence: Bool { if case .sendRole(.evidence, _) = self { true } else { false } }
}

extension GroupAction {
    fileprivate var question: UInt64? { [self].question }
}

extension [GroupAction] {
    fileprivate var evidence: (nonce: UInt64, evidence: RoleEvidence)? {
        for case .sendRole(.evidence(let nonce, let evidence), _) in reversed() { return (nonce, evidence) }
        return nil
    }
}
