// SPDX-License-Identifier: Apache-2.0

import ByteCodec
import FirstHop
import Primitives
import Testing

/// Two Actives that meet: who stays, and by whose word.
@Suite struct TwoActivesTests {
    private static func nonce(_ actions: [GroupAction]) throws -> UInt64 { try #require(actions.question) }

    @Test("two Actives of one term that meet on the association alone: the one that greeted lower yields, once")
    func equalTerms() throws {
        var router = Router.preemptingActive()
        let term = router.machine.roleTerm
        _ = router.at(26_000, .roleMessageReceived(.question(nonce: 1), term: term))
        #expect(router.at(26_001, .roleMessageReceived(.answer(nonce: 0, isActive: true), term: term)).steps == [])
        #expect(router.machine.state == .active)
        var other = Router.preemptingActive()
        let higher = UInt64.max - 2
        _ = other.at(26_000, .roleMessageReceived(.question(nonce: higher), term: term))
        let steps = other.at(26_001, .roleMessageReceived(.answer(nonce: 0, isActive: true), term: term)).steps
        #expect(steps.contains("raise fence"))
        #expect(other.machine.state == .speak)
    }

    @Test("two Actives: the later term stays; the other fences, releases and speaks")
    func twoActivesByTerm() throws {
        for (term, yields) in [(UInt64(0), false), (1, false), (2, true)] {
            var router = Router.preemptingActive()
            let asked = router.hear(25_100, .active, priority: 90, from: Router.peer)
            #expect(asked.steps == ["tell question"])
            let answer = RoleMessage.answer(nonce: try Self.nonce(asked), isActive: true)
            let steps = router.at(25_102, .roleMessageReceived(answer, term: term)).steps
            #expect(
                steps
                    == (yields
                        ? [
                            "raise fence", "tell fenced", "delete address", "tell released", "publish standby term 1",
                            "Active -> Speak", "hello Speak",
                        ] : ["coup Active from virtual MAC", "announce"]))
        }
    }

    @Test("two Actives of one term: the better one by HSRP's order stays")
    func twoActivesByOrder() throws {
        var router = Router.preemptingActive()
        let asked = router.hear(25_100, .active, priority: 110, from: Router.peer)
        let answer = RoleMessage.answer(nonce: try Self.nonce(asked), isActive: true)
        #expect(router.at(25_102, .roleMessageReceived(answer, term: 1)).steps.first == "raise fence")
    }

    @Test("two Actives of a healed split wait for the association: the later term stays, whatever the priorities")
    func reunion() throws {
        for (term, state) in [(UInt64(0), HSRPState.active), (2, .speak)] {
            var router = Router.preemptingActive()
            var status = router.machine.redundancy
            status.isAssociationUp = false
            _ = router.at(25_050, .redundancyChanged(status))
            _ = router.at(25_051, .probeFinished(.answered))
            #expect(router.hear(25_100, .active, priority: 255, from: Router.peer).steps == [])
            #expect(router.hear(25_200, .coup, .standby, priority: 255, from: Router.peer).steps == [])
            status.isAssociationUp = true
            let asked = router.at(26_000, .redundancyChanged(status))
            #expect(Array(asked.steps.prefix(3)) == ["tell question", "tell active", "tell question"])
            let answer = RoleMessage.answer(nonce: try Self.nonce(Array(asked[2...])), isActive: true)
            _ = router.at(26_002, .roleMessageReceived(answer, term: term))
            #expect(router.machine.state == state)
        }
    }

    @Test("two Actives whose association does not come back go by the order of HSRP, after two seconds")
    func noReunion() {
        for (priority, state) in [(UInt8(255), HSRPState.speak), (1, .active)] {
            var router = Router.preemptingActive()
            var status = router.machine.redundancy
            status.isAssociationUp = false
            _ = router.at(25_050, .redundancyChanged(status))
            _ = router.hear(25_100, .active, priority: priority, from: Router.peer)
            _ = router.run(until: 27_099)
            #expect(router.machine.state == .active)
            let done = router.run(until: 27_100).map(\.action)
            #expect(done.counted.contains("role.reunionTimeout"))
            #expect(router.machine.state == state)
        }
    }

    @Test("a forged Active is refuted by the peer")
    func forgedActive() throws {
        var router = Router.preemptingActive()
        let asked = router.hear(25_100, .active, priority: 255, from: Router.peer)
        let answer = RoleMessage.answer(nonce: try Self.nonce(asked), isActive: false)
        #expect(router.at(25_102, .roleMessageReceived(answer, term: 1)).counted == ["hello.refuted"])
        #expect(router.machine.state == .active)
    }

    @Test("who stays behind another Active announces itself when that one is gone, once, and names it meanwhile")
    func survivor() throws {
        var router = Router.preemptingActive()
        var down = Router.hot
        down.isAssociationUp = false
        _ = router.at(26_000, .redundancyChanged(down))
        let greeting = try Self.nonce(router.at(26_001, .redundancyChanged(Router.hot)))
        _ = router.at(26_002, .roleMessageReceived(.answer(nonce: greeting, isActive: false), term: 1))
        _ = router.run(until: 30_000)
        let asked = router.hear(30_100, .active, priority: 90, from: Router.peer)
        #expect(router.machine.otherActive?.address == Router.peer)
        let answer = RoleMessage.answer(nonce: try Self.nonce(asked), isActive: true)
        let met = router.at(30_102, .roleMessageReceived(answer, term: 0)).steps
        #expect(met == ["coup Active from virtual MAC", "announce"])
        _ = router.run(until: 35_000)
        _ = router.hear(35_100, .active, priority: 90, from: Router.peer)
        #expect(router.at(35_101, .roleMessageReceived(.released, term: 1)).steps == ["announce"])
        #expect(router.at(35_102, .roleMessageReceived(.released, term: 1)).steps == [])
        // Told by replication that it stays in spite of the peer's later term, it takes a later one and announces.
        _ = router.run(until: 41_000)
        _ = router.hear(41_100, .active, priority: 90, from: Router.peer)
        let briefing = RoleMessage.answer(nonce: RoleMessage.briefing, isActive: false)
        let steps = router.at(41_101, .roleMessageReceived(briefing, term: 7)).steps
        #expect(steps == ["publish active term 8", "tell active", "announce"])
    }

    @Test("a better Active that nobody confirms in 50 ms is obeyed: the safe side is the fence")
    func unansweredActive() {
        var router = Router.preemptingActive()
        _ = router.hear(25_100, .active, priority: 255, from: Router.peer)
        #expect(router.run(until: 25_150).map(\.action).steps.first == "raise fence")
    }

    @Test("both Active and deaf to each other: the greeting of a new session tells, and the older term yields")
    func greeting() throws {
        var router = Router.active(redundancy: RedundancyStatus(isStateful: true))
        let nonce = try Self.nonce(router.at(20_500, .redundancyChanged(Router.hot)))
        let answer = GroupEvent.roleMessageReceived(.answer(nonce: nonce, isActive: true), term: 5)
        #expect(router.at(20_501, answer).steps.first == "raise fence")
    }

    @Test("two Actives of one term compare what they greeted with; a question that waited since before says nothing")
    func greetingBehindStaleQuestion() throws {
        let high: UInt64 = 254 << 56
        for (stale, greeting, yields) in [(2, high | 3, true), (high | 2, 3, false)] as [(UInt64, UInt64, Bool)] {
            var router = Router.active(redundancy: RedundancyStatus(isStateful: true))
            let own = try Self.nonce(router.at(20_500, .redundancyChanged(Router.hot)))
            _ = router.at(20_501, .roleMessageReceived(.question(nonce: stale), term: 1))
            _ = router.at(20_501, .roleMessageReceived(.question(nonce: greeting), term: 1))
            _ = router.at(20_502, .roleMessageReceived(.answer(nonce: own, isActive: true), term: 1))
            #expect((router.machine.state == .active) == !yields)
        }
    }

    @Test(
        "a worse peer that stays Active behind Coups, longer than it waits itself, does not hear this node, which yields"
    )
    func unheededCoups() {
        var alone = RedundancyStatus(isStateful: true)
        alone.isPeerPopulated = true
        var router = Router.active(redundancy: alone)
        var coups = 0
        var at = 20_500
        while router.machine.state == .active, at < 60_000 {
            let steps =
                router.hear(at, .active, priority: 90, from: Router.peer).steps
                + router.run(until: at + 990).map(\.action).steps
            coups += steps.filter { $0.hasPrefix("coup") }.count
            at += 1_000
        }
        #expect(coups == 6)
        #expect(router.machine.state == .speak)
    }
}
