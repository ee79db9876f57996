// SPDX-License-Identifier: Apache-2.0

import ByteCodec
import FirstHop
import Primitives
import Testing

/// An Active that hears nobody: it must not send when it is back before it knows who is Active now.
@Suite struct IsolationTests {
    /// Its association ends because nothing is heard, and the probe of its segment is under way.
    private static func lonely(isStateful: Bool = true) -> (router: Router, actions: [GroupAction]) {
        var router = Router.speaking(priority: 110, redundancy: RedundancyStatus(isStateful: isStateful))
        _ = router.run(until: 25_000)
        var status = Router.hot
        status.isStateful = isStateful
        _ = router.at(25_000, .redundancyChanged(status))
        status.isAssociationUp = false
        status.mayPeerKernelLive = false
        _ = router.run(until: 26_000)
        let actions = router.at(26_000, .redundancyChanged(status))
        return (router, actions)
    }

    private static func cutOff() -> Router {
        var (router, _) = lonely()
        _ = router.run(until: 26_060)
        _ = router.at(26_060, .nothingReceived)
        precondition(router.machine.isCutOff)
        return router
    }

    /// Asks again every 250 ms, and hears nothing.
    @discardableResult
    private static func stay(_ router: inout Router, until milliseconds: Int) -> [GroupAction] {
        var done: [GroupAction] = []
        while let due = router.machine.nextDeadline, due <= Router.instant(milliseconds) {
            let time = Int((due.nanoseconds + 999_999) / 1_000_000)
            let actions = router.at(time, .deadlineReached)
            done += actions
            if actions.contains(.proveReception) { done += router.at(time, .nothingReceived) }
        }
        return done
    }

    /// Its neighbour answers at that time, soon after 29 s.
    private static func returned() -> (router: Router, at: Int) {
        var router = cutOff()
        stay(&router, until: 29_000)
        var at = 29_000
        repeat { at += 1 } while !router.at(at, .deadlineReached).contains(.probe)
        _ = router.at(at + 1, .probeFinished(.answered))
        return (router, at + 1)
    }

    @Test("nobody answers and nothing is received: the fence goes up, and the switch is told nothing")
    func isCutOff() {
        var (router, asked) = Self.lonely()
        #expect(asked.steps == ["mark", "probe"])
        #expect(router.run(until: 26_060).map(\.action).steps == ["proof?"])
        let cut = router.at(26_060, .nothingReceived)
        #expect(cut.steps == ["raise fence"])
        #expect(cut.counted == ["fence.cutOff"])
        #expect(router.machine.isFenceUp)
        #expect(router.machine.state == .active)
        let steps = Self.stay(&router, until: 40_000).steps
        #expect(steps.contains("hello Active"))
        #expect(steps.contains("renew lease"))
        #expect(!steps.contains { $0.contains("virtual MAC") || $0 == "announce" || $0 == "lower fence" })
    }

    @Test("a neighbour answers, there is none, or anything is received: nothing changes")
    func isHeard() {
        let events: [GroupEvent] = [.probeFinished(.answered), .probeFinished(.impossible), .receptionProven]
        for event in events {
            var (router, _) = Self.lonely()
            if event == .receptionProven { _ = router.run(until: 26_060) }
            #expect(router.at(26_060, event).steps == [])
            #expect(!router.machine.isCutOff)
            #expect(!router.machine.isFenceUp)
            let steps = router.run(until: 40_000).map(\.action).steps
            #expect(steps.contains("hello Active from virtual MAC"))
            #expect(!steps.contains("proof?"))
        }
    }

    @Test("a pair without SAs is not asked; and where the association is back, that decides")
    func isNotAsked() {
        let (_, actions) = Self.lonely(isStateful: false)
        #expect(actions.steps == [])
        var (router, _) = Self.lonely()
        _ = router.run(until: 26_060)
        _ = router.at(26_061, .redundancyChanged(Router.hot))
        #expect(!router.at(26_062, .nothingReceived).steps.contains("raise fence"))
        #expect(!router.machine.isCutOff)
    }

    @Test("the association was gone already: the silence of the Standby asks as well")
    func standbySilent() {
        var (router, _) = Self.lonely()
        _ = router.at(26_010, .probeFinished(.answered))
        _ = router.hear(27_000, .standby, priority: 100, from: Router.peer)
        let steps = router.run(until: 40_000).filter { ["mark", "probe", "proof?"].contains([$0.action].steps.first) }
        #expect(steps.map(\.at) == [37_000, 37_000, 37_060])
    }

    @Test("back again and no other Active within a hello interval: fence down, announced")
    func returnsAlone() {
        var (router, at) = Self.returned()
        #expect(router.machine.isFenceUp)
        #expect(!router.run(until: at + 3_299).map(\.action).steps.contains("lower fence"))
        let steps = router.run(until: at + 3_300).map(\.action).steps
        #expect(steps.prefix(3) == ["lower fence", "announce", "hello Active from virtual MAC"])
        #expect(!router.machine.isCutOff)
    }

    @Test("one frame of anybody is as good as an answer")
    func frameIsEnough() {
        var router = Self.cutOff()
        let asked = router.run(until: 26_400).map(\.action).steps.filter { ["mark", "probe", "proof?"].contains($0) }
        #expect(asked == ["mark", "probe", "proof?"])
        _ = router.at(26_400, .receptionProven)
        #expect(router.run(until: 30_000).map(\.action).steps.contains("lower fence"))
    }

    @Test("back again, and another one is Active: this node yields to it and never sends")
    func returnsSecond() throws {
        var (router, at) = Self.returned()
        _ = router.hear(at + 200, .active, priority: 100, from: Router.peer)
        let up = router.at(at + 900, .redundancyChanged(Router.hot))
        let nonce = try #require(up.question)
        #expect(!up.steps.contains("lower fence"))
        let answer = RoleMessage.answer(nonce: nonce, isActive: true)
        let steps = router.at(at + 905, .roleMessageReceived(answer, term: 9)).steps
        #expect(steps.contains("Active -> Speak"))
        #expect(!steps.contains("lower fence"))
        #expect(!router.machine.isCutOff)
    }

    @Test("who is cut off and sleeps is cut off as before; who was asking asks again before silence counts")
    func sleeps() {
        var deaf = Self.cutOff()
        #expect(deaf.at(45_000, .deadlineReached).contains(.drainReceived))
        _ = deaf.at(45_000, .drained)
        #expect(!Self.stay(&deaf, until: 70_000).steps.contains("lower fence"))
        #expect(deaf.machine.isCutOff)
        var (asking, _) = Self.lonely()
        #expect(asking.at(45_000, .deadlineReached).contains(.drainReceived))
        _ = asking.at(45_000, .drained)
        #expect(Self.stay(&asking, until: 60_000).steps.contains("lower fence"))
        #expect(asking.machine.isCutOff && asking.machine.isFenceUp)
    }

    @Test("another Active keeps the fence up as long as it is heard, whatever becomes of the association")
    func otherActiveHoldsFence() {
        var (router, at) = Self.returned()
        let end = at + 20_000
        while at < end {
            at += 3_000
            #expect(!router.run(until: at).map(\.action).steps.contains("lower fence"))
            _ = router.hear(at, .active, priority: 100, from: Router.peer)
        }
        #expect(router.run(until: at + 10_000).map(\.action).steps.contains("lower fence"))
    }

    @Test("the association is back, and the peer is not Active: the fence goes down at once")
    func peerIsNotActive() throws {
        var router = Self.cutOff()
        let up = router.at(26_100, .redundancyChanged(Router.hot))
        for case .sendRole(.question(let nonce), _) in up {
            let steps = router.at(26_105, .roleMessageReceived(.answer(nonce: nonce, isActive: false), term: 1)).steps
            #expect(
                steps == ["lower fence", "publish active term 1", "announce", "hello Active from virtual MAC"])
            return
        }
        Issue.record("the peer is not asked")
    }

    @Test("a group that follows keeps its virtual MAC quiet as well")
    func followerIsQuiet() {
        var follower = Router(address: IPAddress(10, 2, 0, 3)) {
            $0.isFollower = true
            $0.virtualAddress = IPAddress(10, 2, 0, 100)
        }
        _ = follower.at(0, .interfaceChanged(isUp: true))
        _ = follower.at(10, .leaderChanged(.active))
        _ = follower.at(20, .leaderIsolationChanged(isCutOff: true))
        let steps = follower.run(until: 10_000).map(\.action).steps
        #expect(steps.contains("hello Active"))
        #expect(!steps.contains { $0.contains("virtual MAC") || $0 == "announce" })
        #expect(
            follower.at(10_000, .leaderIsolationChanged(isCutOff: false)).steps
                == ["announce", "hello Active from virtual MAC"])
    }
}
