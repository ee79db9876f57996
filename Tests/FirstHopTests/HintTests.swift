// SPDX-License-Identifier: Apache-2.0

import ByteCodec
import FirstHop
import Primitives
import Testing

/// What the LAN says is a hint while the association can be asked.
@Suite struct HintTests {
    private static func nonce(_ actions: [GroupAction]) throws -> UInt64 { try #require(actions.question) }

    @Test("silence: the Active is asked; as long as it says so, nothing moves and it is asked every hello")
    func silenceRefuted() throws {
        var router = Router.preempting()
        let asked = router.run(until: 30_000).filter { $0.at == 30_000 }.map(\.action)
        #expect(asked.steps.contains("tell question"))
        let nonce = try Self.nonce(asked)
        let answered = router.at(30_003, .roleMessageReceived(.answer(nonce: nonce, isActive: true), term: 1))
        #expect(answered.steps == [])
        #expect(router.machine.state == .standby)
        #expect(router.machine.activeDeadline == Router.instant(33_003))
        let again = router.run(until: 33_010).map(\.action)
        #expect(again.question != nil)
    }

    @Test("silence confirmed, or not answered in 100 ms: the Standby follows")
    func silenceObeyed() throws {
        var router = Router.preempting()
        let asked = router.run(until: 30_000).map(\.action)
        let answer = RoleMessage.answer(nonce: try Self.nonce(asked), isActive: false)
        #expect(router.at(30_003, .roleMessageReceived(answer, term: 1)).steps.last == "Standby -> Active")
        var unanswered = Router.preempting()
        let done = unanswered.run(until: 30_110).filter { $0.at == 30_100 }.map(\.action).steps
        #expect(done.contains("Standby -> Active"))
    }

    @Test("an Active that died and stands for election does not send its Standby away before it counts as silent")
    func activeStartedAnew() {
        var lost = RedundancyStatus(isStateful: true)
        lost.isPeerPopulated = true
        var router = Router.preempting(lost)
        for (at, state) in [(25_000, HSRPState.speak), (26_000, .speak), (27_000, .standby), (29_000, .standby)] {
            _ = router.at(at, .messageReceived(Router.message(.hello, state, priority: 105), from: Router.peer))
            #expect(router.machine.state == .standby)
        }
        _ = router.run(until: 30_000)
        #expect(router.machine.state == .active)
        // Anybody else is better by the table.
        var plain = Router.preempting(lost)
        _ = plain.at(
            25_000, .messageReceived(Router.message(.hello, .speak, priority: 105), from: Router.stranger))
        #expect(plain.machine.state == .listen)
    }

    @Test("a Standby that wakes late reads what the Active said before it calls it silent")
    func wakesLate() {
        var router = Router.preempting(RedundancyStatus(isStateful: true))
        var actions: [GroupAction] = []
        router.machine.handle(.deadlineReached, at: Router.instant(40_000), actions: &actions)
        #expect(actions.steps == ["drain"])
        #expect(actions.counted == ["deadline.late"])
        let hello = Router.message(.hello, .active, priority: 105)
        router.machine.handle(.messageReceived(hello, from: Router.peer), at: Router.instant(40_000), actions: &actions)
        router.machine.handle(.drained, at: Router.instant(40_000), actions: &actions)
        #expect(router.machine.state == .standby)
        #expect(router.machine.activeDeadline == Router.instant(50_000))
    }

    @Test("a Standby that wakes late and finds nothing listens for a hello, then follows the silent Active")
    func wakesLateAlone() {
        var router = Router.preempting(RedundancyStatus(isStateful: true))
        #expect(!router.at(40_000, .deadlineReached).steps.contains("Standby -> Active"))
        let taken = router.run(until: 50_000).first { [$0.action].steps.contains("Standby -> Active") }
        #expect(taken?.at == 43_300)
    }

    @Test("orders that waited while this process slept are not obeyed")
    func lateOrders() {
        for order in [RoleMessage.prepareTakeover, .fenced, .released, .takeOver] {
            var router = Router.preempting()
            var actions: [GroupAction] = []
            router.machine.handle(
                .roleMessageReceived(order, term: 1), at: Router.instant(40_000), actions: &actions)
            #expect(actions.counted == ["deadline.late", "role.late"])
            #expect(router.machine.state == .standby)
            #expect(!router.machine.holdsAddress)
        }
    }

    @Test("a cold LAN: with nobody heard the peer is asked before the first takeover")
    func asksWhenNobodyWasHeard() throws {
        var router = Router.speaking(redundancy: Router.hot)
        let asked = router.run(until: 20_000).filter { $0.at == 20_000 }.map(\.action)
        let nonce = try Self.nonce(asked)
        #expect(router.at(20_001, .roleMessageReceived(.answer(nonce: nonce, isActive: true), term: 1)).steps == [])
        #expect(router.machine.state == .standby)
    }

    @Test("a forged Resign is refuted by the Active itself")
    func forgedResign() throws {
        var router = Router.preempting()
        let asked = router.hear(20_500, .resign, .active, priority: 105, from: Router.peer)
        #expect(asked.steps == ["tell question"])
        let repeated = router.hear(20_510, .resign, .active, priority: 105, from: Router.peer)
        #expect(repeated.steps == [])
        let answer = RoleMessage.answer(nonce: try Self.nonce(asked), isActive: true)
        let answered = router.at(20_512, .roleMessageReceived(answer, term: 1))
        #expect(answered.counted == ["resign.refuted"])
        #expect(router.machine.state == .standby)
    }

    @Test("a Resign behind the end of the association lowers the fence at once: its sender has raised its own")
    func resignBehindAssociation() throws {
        var router = Router.preempting()
        let asked = router.hear(20_500, .resign, .active, priority: 105, from: Router.peer)
        let answer = RoleMessage.answer(nonce: try Self.nonce(asked), isActive: true)
        _ = router.at(20_502, .roleMessageReceived(answer, term: 1))
        var status = router.machine.redundancy
        (status.isAssociationUp, status.mayPeerKernelLive, status.isPeerPopulated) = (false, true, true)
        _ = router.at(20_600, .redundancyChanged(status))
        let steps = router.hear(20_601, .resign, .active, priority: 105, from: Router.peer).steps
        #expect(router.machine.state == .active)
        #expect(steps.contains("lower fence"))
    }

    @Test("a Resign without an answer in 50 ms is obeyed")
    func resignObeyed() {
        var router = Router.preempting()
        _ = router.hear(20_500, .resign, .active, priority: 105, from: Router.peer)
        let done = router.run(until: 20_550)
        #expect(done.map(\.at).allSatisfy { $0 == 20_550 })
        #expect(done.map(\.action).steps.prefix(3) == ["raise MAC", "add address for 3 s", "lower fence"])
    }

    @Test("an answer with another nonce is counted and changes nothing")
    func strangeAnswer() {
        var router = Router.preempting()
        _ = router.hear(20_500, .resign, .active, priority: 105, from: Router.peer)
        let actions = router.at(20_501, .roleMessageReceived(.answer(nonce: 1, isActive: false), term: 1))
        #expect(actions.counted == ["role.unexpected"])
        #expect(router.machine.state == .standby)
    }

    @Test("questions are answered by every state with the truth")
    func answers() {
        var active = Router.preemptingActive()
        #expect(active.at(25_001, .roleMessageReceived(.question(nonce: 9), term: 0)).steps == ["tell active"])
        var standby = Router.preempting()
        #expect(standby.at(20_001, .roleMessageReceived(.question(nonce: 9), term: 0)).steps == ["tell not active"])
    }

    @Test("carrier lost while Active is told over the association, behind the fence")
    func carrierLoss() {
        var router = Router.preemptingActive()
        let steps = router.at(26_000, .interfaceChanged(isUp: false)).steps
        #expect(steps.prefix(2) == ["raise fence", "tell fenced"])
        #expect(steps.contains("tell released"))
        #expect(router.machine.state == .initial)
    }

    @Test("a Coup of the peer is asked about: refuted it changes nothing, confirmed it is obeyed")
    func coup() throws {
        for (isActive, state) in [(true, HSRPState.speak), (false, .active)] {
            var router = Router.preemptingActive()
            let asked = router.hear(25_100, .coup, .standby, priority: 110, from: Router.peer)
            #expect(asked.steps == ["tell question"])
            let answer = RoleMessage.answer(nonce: try Self.nonce(asked), isActive: isActive)
            _ = router.at(25_101, .roleMessageReceived(answer, term: 1))
            #expect(router.machine.state == state)
        }
    }

    @Test("terms never fall within a session; an older one is dropped and counted")
    func staleTerms() {
        var router = Router.preempting()
        _ = router.at(20_001, .roleMessageReceived(.question(nonce: 1), term: 7))
        let stale = router.at(20_002, .roleMessageReceived(.takeOver, term: 6))
        #expect(stale == [.count("role.stale")])
        #expect(router.machine.highestTerm == 7)
        #expect(router.at(20_003, .roleMessageReceived(.takeOver, term: 7)).steps.contains("publish active term 8"))
    }

    @Test("woken after a stall: fence first, then what was received, and another Active is believed")
    func stall() {
        var router = Router.active()
        _ = router.run(until: 21_000)
        #expect(router.at(40_000, .deadlineReached).steps == ["raise fence", "drain"])
        #expect(router.hear(40_000, .active, priority: 90).steps == [])
        let drained = router.at(40_000, .drained).steps
        #expect(
            drained == [
                "raise fence", "delete address", "publish standby term 1", "Active -> Speak",
                "hello Speak",
            ])
    }

    @Test("woken after a stall with nobody else heard: everything is put back and told again")
    func stallAlone() {
        var router = Router.active()
        _ = router.run(until: 21_000)
        #expect(router.at(40_000, .deadlineReached).steps == ["raise fence", "drain"])
        #expect(
            router.at(40_000, .drained).steps.prefix(4) == [
                "lower fence", "publish active term 1", "renew lease", "announce",
            ])
        #expect(router.machine.state == .active)
    }

    @Test("a question that comes in a stall is answered when it is known whether the role is kept")
    func questionInStall() {
        for isKept in [true, false] {
            var router = Router.preemptingActive()
            _ = router.at(26_000, .roleMessageReceived(.question(nonce: 8), term: 1))
            #expect(router.at(50_000, .deadlineReached).steps == ["raise fence", "drain"])
            #expect(router.at(50_000, .roleMessageReceived(.question(nonce: 9), term: 1)).steps == [])
            if !isKept { _ = router.hear(50_000, .active, priority: 90, from: Router.peer) }
            let answer = router.at(50_000, .drained).answer
            #expect(answer?.nonce == 9)
            #expect(answer?.isActive == isKept)
        }
    }

    @Test("a greeting that comes in a stall is answered, whatever is asked behind it")
    func greetingInStall() {
        var router = Router.preemptingActive()
        _ = router.at(50_000, .deadlineReached)
        for nonce: UInt64 in [5, 9, 8, 12] {
            _ = router.at(50_000, .roleMessageReceived(.question(nonce: nonce), term: 1))
        }
        let answered = router.at(50_000, .drained).compactMap {
            if case .sendRole(.answer(let nonce, _), _) = $0, nonce > 1 { nonce } else { nil }
        }
        #expect(answered == [9, 12])
    }

    @Test("who answers a later question has read the greeting: its orders count")
    func greetingUnanswered() throws {
        var router = Router.preempting()
        _ = router.at(20_100, .redundancyChanged(Router.cutOff))
        _ = router.at(20_200, .redundancyChanged(Router.hot))
        let early = router.at(20_210, .roleMessageReceived(.prepareTakeover, term: 1))
        #expect(early.counted.contains("role.late"))
        let asked = try #require(router.run(until: 24_000).compactMap { [$0.action].question }.last)
        _ = router.at(24_001, .roleMessageReceived(.answer(nonce: asked, isActive: true), term: 1))
        let late = router.at(24_002, .roleMessageReceived(.prepareTakeover, term: 1))
        #expect(late.steps.contains("tell ready"))
    }

    @Test("woken as Active beside an Active of an older term: the fence waits until that one has released")
    func stallBesideOlder() {
        var router = Router.preemptingActive()
        _ = router.at(50_000, .deadlineReached)
        _ = router.at(50_000, .roleMessageReceived(.answer(nonce: 0, isActive: true), term: 0))
        #expect(!router.at(50_000, .drained).steps.contains("lower fence"))
        #expect(router.machine.state == .active)
        #expect(router.run(until: 56_000).map(\.action).steps.contains("lower fence") == false)
        #expect(router.run(until: 57_000).map(\.action).steps.contains("lower fence"))
    }

    @Test("what the peer said while a Standby slept does not make it Active: it may be Active by now")
    func staleDenial() {
        var router = Router.preempting()
        var actions: [GroupAction] = []
        let late = Router.instant(40_000)
        router.machine.handle(.deadlineReached, at: late, actions: &actions)
        for (isActive, term) in [(false, 0), (true, 3)] as [(Bool, UInt64)] {
            let word = RoleMessage.answer(nonce: RoleMessage.proclamation, isActive: isActive)
            router.machine.handle(.roleMessageReceived(word, term: term), at: late, actions: &actions)
            #expect(router.machine.state == .standby)
        }
    }

    @Test("a Resign that came while a Standby slept counts no more than silence")
    func staleResign() {
        var router = Router.preempting(RedundancyStatus(isStateful: true))
        var actions: [GroupAction] = []
        let late = Router.instant(40_000)
        router.machine.handle(.deadlineReached, at: late, actions: &actions)
        for (operation, state) in [(HSRPMessage.Operation.resign, HSRPState.active), (.hello, .active)] {
            let message = Router.message(operation, state, priority: 105)
            router.machine.handle(.messageReceived(message, from: Router.peer), at: late, actions: &actions)
        }
        router.machine.handle(.drained, at: late, actions: &actions)
        #expect(router.machine.state == .standby)
    }

    @Test("an Active of an older term that does not answer in time is not yielded to; one of unknown term is")
    func unansweredOlderTerm() {
        for (term, state) in [(UInt64(1), HSRPState.active), (0, .speak)] {
            var router = Router.preemptingActive()
            let brief = GroupEvent.roleMessageReceived(.answer(nonce: RoleMessage.briefing, isActive: false), term: 4)
            _ = router.at(25_010, brief)
            #expect(router.machine.roleTerm == 5)
            _ = router.at(25_020, .roleMessageReceived(.question(nonce: 5), term: term))
            _ = router.hear(25_100, .active, priority: 255, from: Router.peer)
            _ = router.run(until: 25_160)
            #expect(router.machine.state == state)
        }
    }

    @Test("a confirmed Coup of an older term is answered in kind")
    func olderCoup() throws {
        var router = Router.preemptingActive()
        let asked = router.hear(25_100, .coup, .speak, priority: 255, from: Router.peer)
        let answer = RoleMessage.answer(nonce: try Self.nonce(asked), isActive: true)
        let steps = router.at(25_102, .roleMessageReceived(answer, term: 0)).steps
        #expect(steps == ["coup Active from virtual MAC", "announce"])
    }

    @Test("two Standbys that call the Active silent at once: the lower claim waits, the higher one follows")
    func twoClaims() throws {
        for (other, state) in [(UInt64.max - 1, HSRPState.standby), (2, .active)] {
            var router = Router.preempting()
            let asked = router.run(until: 30_000).map(\.action)
            let nonce = try Self.nonce(asked)
            #expect(router.at(30_001, .roleMessageReceived(.question(nonce: other), term: 1)).answer?.isActive == false)
            _ = router.at(30_002, .roleMessageReceived(.answer(nonce: nonce, isActive: false), term: 1))
            #expect(router.machine.state == state)
        }
    }

    @Test("a claim that gave way is put again at once: the other one may have asked in vain")
    func claimAgain() throws {
        var router = Router.preempting()
        _ = router.at(20_100, .roleMessageReceived(.question(nonce: 1), term: 1))
        _ = router.run(until: 30_000)
        let higher = GroupEvent.roleMessageReceived(.evidenceQuestion(nonce: .max - 1), term: 1)
        let actions = router.at(30_001, higher)
        #expect(actions.steps.prefix(2) == ["tell not active", "tell question"])
        let answer = RoleMessage.answer(nonce: try Self.nonce(actions), isActive: false)
        _ = router.at(30_002, .roleMessageReceived(answer, term: 1))
        #expect(router.machine.state == .active)
    }

    @Test("who greets its former Active while that one calls it silent: the lower one asks once more")
    func greetingBesideClaim() throws {
        for (other, state) in [(UInt64.max - 1, HSRPState.standby), (2, .active)] {
            var router = Router.preempting(RedundancyStatus(isStateful: true))
            let greeting = try Self.nonce(router.at(20_100, .redundancyChanged(Router.hot)))
            for nonce in [1, other] {
                let told = router.at(20_101, .roleMessageReceived(.question(nonce: nonce), term: 1))
                #expect(told.answer?.isActive == false)
            }
            let answer = RoleMessage.answer(nonce: greeting, isActive: false)
            let actions = router.at(20_102, .roleMessageReceived(answer, term: 1))
            #expect(router.machine.state == state)
            guard state == .standby else { continue }
            // What is answered now was asked behind our own answer, on which the other one has acted since.
            let again = RoleMessage.answer(nonce: try Self.nonce(actions), isActive: false)
            _ = router.at(20_103, .roleMessageReceived(again, term: 1))
            #expect(router.machine.state == .active)
        }
    }

    @Test("an order behind a fresh association waits for the answer to our greeting: it may be old")
    func staleOrders() {
        var router = Router.preempting(RedundancyStatus(isStateful: true))
        let greeted = router.at(20_100, .redundancyChanged(Router.hot))
        let order = GroupEvent.roleMessageReceived(.released, term: 1)
        #expect(router.at(20_101, order).counted == ["role.late"])
        #expect(router.machine.state == .standby)
        for case .sendRole(.question(let nonce), _) in greeted {
            _ = router.at(20_102, .roleMessageReceived(.answer(nonce: nonce, isActive: true), term: 1))
        }
        _ = router.at(20_103, order)
        #expect(router.machine.state == .active)
    }

    @Test("a late Active is asked for a sign of life, and its successor's fence waits a lease behind the last one")
    func signOfLife() throws {
        var status = Router.hot
        var router = Router.fastStandby(behind: Router.peer, redundancy: status)
        let asked = router.run(until: 20_275).map(\.action)
        let answer = RoleMessage.answer(nonce: try Self.nonce(asked), isActive: true)
        #expect(router.at(20_276, .roleMessageReceived(answer, term: 1)).steps == [])
        #expect(router.machine.activeDeadline == Router.instant(20_800))
        status.isAssociationUp = false
        _ = router.at(20_500, .redundancyChanged(status))
        let done = router.run(until: 23_000).filter { $0.action == .lowerFence }
        // 20 500 (alive until the association ended) + 275 (a hello with jitter) + 1000 (lease) + 300.
        #expect(done.map(\.at) == [22_075])
    }

    @Test("an Active that only its word shows is asked for a sign of life as well")
    func signOfLifeOfAnUnheardActive() throws {
        var router = Router.listening(redundancy: Router.hot)
        let word = RoleMessage.answer(nonce: RoleMessage.proclamation, isActive: true)
        _ = router.at(100, .roleMessageReceived(word, term: 2))
        // 3 s and the tenth that a hello may be late.
        let asked = router.run(until: 3_400)
        #expect(asked.map(\.at) == [3_400])
        #expect(asked.map(\.action).question != nil)
    }

    @Test("a Standby that is not HOT gives an Active with SAs a whole hold time to answer")
    func patientWithoutSAs() throws {
        var status = Router.hot
        status.isLocalHot = false
        status.isPeerPopulated = true
        var router = Router.preempting(status)
        let asked = router.run(until: 30_000).map(\.action)
        _ = try Self.nonce(asked)
        _ = router.run(until: 39_999)
        #expect(router.machine.state == .standby)
        _ = router.run(until: 40_000)
        #expect(router.machine.state == .active)
    }

    @Test("a Standby that slept knows nothing of an Active that only the association shows: its lease counts from now")
    func sleptBesideAnUnheardActive() throws {
        var router = Router.fastStandby(behind: Router.peer, redundancy: Router.hot)
        let asked = router.run(until: 20_275).map(\.action)
        let answer = RoleMessage.answer(nonce: try Self.nonce(asked), isActive: true)
        _ = router.at(20_276, .roleMessageReceived(answer, term: 1))
        _ = router.run(until: 20_600)
        _ = router.at(23_000, .deadlineReached)
        let done = router.run(until: 30_000).filter { $0.action == .lowerFence }
        // 275 (a hello with its jitter) + 1000 (lease) + 300 behind the awakening.
        #expect(done.map(\.at) == [24_575])
    }

    @Test("a proclamation answers a Standby whose question was lost with the session before")
    func proclamationAnswers() {
        var router = Router.preempting()
        _ = router.run(until: 30_000)
        _ = router.at(30_010, .roleMessageReceived(.answer(nonce: 0, isActive: true), term: 1))
        _ = router.run(until: 30_100)
        #expect(router.machine.state == .standby)
    }
}

@Suite struct ForgottenTermTests {
    @Test("a resumed Active that learns of later terms takes a new one, unless the peer is Active")
    func resumedActive() {
        var router = Router.listening(redundancy: Router.hot)
        _ = router.at(1, .resumed(isFenced: false))
        #expect(router.machine.roleTerm == 1)
        let brief = GroupEvent.roleMessageReceived(.answer(nonce: RoleMessage.briefing, isActive: false), term: 7)
        #expect(router.at(2, brief).steps == ["publish active term 8", "tell active"])
        #expect(router.at(3, brief).steps == [])
        let other = GroupEvent.roleMessageReceived(.answer(nonce: 0, isActive: true), term: 9)
        #expect(router.at(4, other).steps.first == "raise fence")
    }

    @Test("a resumed role goes on in its term, so that a later one of the peer's stays the later one")
    func resumedInItsTerm() {
        var router = Router.listening(redundancy: Router.hot)
        _ = router.at(1, .roleMessageReceived(.answer(nonce: RoleMessage.briefing, isActive: false), term: 3))
        #expect(router.at(2, .resumed(isFenced: false)).steps.contains("publish active term 3"))
        let other = GroupEvent.roleMessageReceived(.answer(nonce: 0, isActive: true), term: 4)
        #expect(router.at(3, other).steps.first == "raise fence")
    }

    @Test("nothing is resumed behind a fence, nor where the peer is known to be Active")
    func notResumed() {
        for isFenced in [true, false] {
            var router = Router.listening(redundancy: Router.hot)
            let brief = RoleMessage.answer(nonce: RoleMessage.briefing, isActive: !isFenced)
            _ = router.at(1, .roleMessageReceived(brief, term: 3))
            #expect(router.at(2, .resumed(isFenced: isFenced)).steps == [])
            #expect(router.machine.state == .listen)
            #expect(router.machine.isFenceUp)
        }
    }

    @Test("a Standby follows at once when its Active comes back from a restart as none")
    func restartedActive() {
        var lost = Router.hot
        lost.isAssociationUp = false
        var router = Router.standby(behind: Router.peer, activePriority: 105, redundancy: lost)
        let greeting = router.at(20_500, .redundancyChanged(Router.hot)).question ?? 0
        let brief = GroupEvent.roleMessageReceived(.answer(nonce: RoleMessage.briefing, isActive: false), term: 0)
        #expect(router.at(20_501, brief).steps == [])
        // It may have waited behind a process that hung, and the peer be Active since.
        let old = GroupEvent.roleMessageReceived(.answer(nonce: RoleMessage.proclamation, isActive: false), term: 0)
        #expect(router.at(20_502, old).steps == [])
        let told = GroupEvent.roleMessageReceived(.answer(nonce: greeting, isActive: false), term: 0)
        #expect(router.at(20_503, told).steps.prefix(3) == ["raise MAC", "add address for 3 s", "lower fence"])
    }

    @Test("a restarted listener asks in the term that it was told")
    func restartedListener() throws {
        var router = Router.listening(priority: 105, redundancy: Router.hot) { $0.preempt = true }
        _ = router.at(1, .roleMessageReceived(.answer(nonce: RoleMessage.briefing, isActive: true), term: 7))
        let actions = router.hear(500, .active, priority: 100, from: Router.peer)
        #expect(actions.contains(.sendRole(.requestRole(priority: 105), term: 7)))
    }
}
