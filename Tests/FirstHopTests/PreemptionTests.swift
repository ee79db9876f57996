// SPDX-License-Identifier: Apache-2.0

import ByteCodec
import FirstHop
import Primitives
import Testing

/// Ready or not at all, given and not taken, and the operator's switchover.
@Suite struct PreemptionTests {
    @Test("a node that is HOT no longer when its request stays unanswered does not take the role")
    func requestOutlivesHot() {
        var router = Router.standby(behind: Router.peer, activePriority: 110, redundancy: Router.hot) {
            $0.preempt = true
        }
        _ = router.run(until: 20_500)
        let asked = router.at(20_500, .priorityChanged(120))
        #expect(asked.contains(.sendRole(.requestRole(priority: 120), term: router.machine.term)))
        var cold = Router.hot
        cold.isLocalHot = false
        _ = router.at(20_550, .redundancyChanged(cold))
        #expect(!router.run(until: 20_800).map(\.action).steps.contains("coup Standby"))
        #expect(router.machine.state == .standby)
    }

    private static var cold: RedundancyStatus {
        var status = Router.hot
        status.isLocalHot = false
        return status
    }

    /// Listens to our peer, Active with priority 100, with a better priority of its own.
    private static func claimant(
        _ status: RedundancyStatus, settings: (inout GroupSettings) -> Void = { _ in }
    ) -> Router {
        var router = Router.listening(priority: 105, redundancy: status) {
            $0.preempt = true
            settings(&$0)
        }
        _ = router.hear(500, .active, priority: 100, from: Router.peer)
        return router
    }

    @Test("a node that is not HOT leaves the living Active alone, however long it takes")
    func waits() {
        var router = Self.claimant(Self.cold)
        for second in stride(from: 3, to: 120, by: 3) {
            _ = router.run(until: second * 1000)
            let steps = router.hear(second * 1000, .active, priority: 100, from: Router.peer).steps
            #expect(!steps.contains { $0.hasPrefix("coup") || $0.hasPrefix("tell request") })
        }
        #expect(router.machine.remark == "preemption waits until this node is STANDBY HOT")
    }

    @Test("HOT: the role is asked for, not taken")
    func asks() {
        var router = Self.claimant(Self.cold)
        #expect(router.at(600, .redundancyChanged(Router.hot)).steps == ["tell requestRole(priority: 105)"])
        #expect(
            router.at(602, .roleMessageReceived(.prepareTakeover, term: 4)).steps == [
                "raise fence", "raise MAC", "add address for 3 s", "announce", "tell ready",
            ])
        #expect(router.at(603, .roleMessageReceived(.fenced, term: 4)).steps.last == "Listen -> Active")
    }

    @Test("no answer in 200 ms: Coup, and the fence waits for the silent Active's lease")
    func coupAfterSilence() {
        var router = Self.claimant(Self.cold)
        _ = router.at(600, .redundancyChanged(Router.hot))
        let done = router.run(until: 800)
        #expect(done.map(\.at).allSatisfy { $0 == 800 })
        #expect(
            done.map(\.action).steps == [
                "coup Listen", "raise fence", "raise MAC", "add address for 3 s", "announce",
                "hello Active from virtual MAC", "tell active", "Listen -> Active", "tell question",
            ])
        // Its term was a later one, of which this node had not heard.
        #expect(
            router.at(810, .roleMessageReceived(.released, term: 4)).steps == [
                "lower fence", "publish active term 1", "publish active term 5", "tell active",
            ])
    }

    @Test("no answer by an Active whose hellos are late as well: no Coup, the hold time decides")
    func silentOnBothWires() {
        var router = Self.claimant(Self.cold)
        _ = router.run(until: 4_500)
        _ = router.at(4_500, .redundancyChanged(Router.hot))
        let done = router.run(until: 5_000).map(\.action)
        #expect(done.counted.contains("role.requestUnanswered"))
        #expect(router.machine.state == .listen)
    }

    @Test("declined: no Coup, and the question is put again a hello later")
    func declined() {
        var router = Self.claimant(Self.cold)
        _ = router.at(600, .redundancyChanged(Router.hot))
        _ = router.at(602, .roleMessageReceived(.declined(reason: .peerNotHot), term: 4))
        #expect(router.hear(1_000, .active, priority: 100, from: Router.peer).steps == [])
        #expect(
            router.hear(3_700, .active, priority: 100, from: Router.peer).steps == ["tell requestRole(priority: 105)"])
    }

    @Test("preempt delay sync bounds the wait")
    func syncDelay() {
        var router = Self.claimant(Self.cold) { $0.preemptSyncDelay = .seconds(5) }
        let done = router.run(until: 5_500).filter { [$0.action].question == nil }
        #expect(done.map(\.action).steps.first == "coup Listen")
        #expect(done.first?.at == 5_500)
    }

    @Test("a foreign Active is relieved by Coup at once, HOT or not")
    func foreignActive() {
        var router = Router.listening(priority: 105, redundancy: Self.cold) { $0.preempt = true }
        #expect(router.hear(500, .active, priority: 100).steps.first == "coup Listen")
    }

    @Test("without stateful a risen priority preempts at once")
    func risenPriority() {
        var router = Router.standby { $0.preempt = true }
        #expect(router.at(20_500, .priorityChanged(120)).steps.prefix(2) == ["hello Standby", "coup Standby"])
    }

    @Test("where the peer's address on this LAN is unknown, whoever speaks is the peer")
    func unknownPeerAddress() {
        var router = Router.listening(priority: 105, redundancy: Self.cold) {
            $0.preempt = true
            $0.peerAddresses = nil
        }
        #expect(router.hear(500, .active, priority: 100).steps == [])
    }

    // MARK: switchover

    private static func active(_ status: RedundancyStatus) -> Router {
        var router = Router.speaking(priority: 105, redundancy: RedundancyStatus(isStateful: status.isStateful)) {
            $0.preempt = true
        }
        _ = router.run(until: 25_000)
        _ = router.at(25_000, .redundancyChanged(status))
        return router
    }

    @Test("switchover: planned order; done when the peer's first hello as Active is heard; no preempting back")
    func switchover() {
        var router = Self.active(Router.hot)
        #expect(router.at(25_100, .switchoverRequested(force: false)).steps == ["tell prepareTakeover"])
        _ = router.at(25_101, .roleMessageReceived(.ready, term: 1))
        #expect(router.machine.state == .speak)
        #expect(router.hear(25_104, .active, priority: 100, from: Router.peer).steps == ["finished in 4 ms"])
        _ = router.run(until: 28_000)
        #expect(router.hear(28_000, .active, priority: 100, from: Router.peer).steps == [])
        #expect(router.machine.state == .speak)
        _ = router.run(until: 29_000)
        #expect(router.at(29_000, .priorityChanged(106)).steps.last == "tell requestRole(priority: 106)")
    }

    @Test("switchover is refused by who is not Active, without a HOT peer, and while one is under way")
    func refused() {
        var standby = Router.standby()
        #expect(standby.at(20_500, .switchoverRequested(force: false)).steps == ["refused not-active"])
        var cold = Router.hot
        cold.isPeerHot = false
        var router = Self.active(cold)
        #expect(router.at(25_100, .switchoverRequested(force: false)).steps == ["refused standby-not-hot"])
        var plain = Self.active(RedundancyStatus(isStateful: false))
        #expect(plain.at(25_100, .switchoverRequested(force: false)).steps == ["refused no-standby"])
        var busy = Self.active(Router.hot)
        _ = busy.at(25_100, .switchoverRequested(force: false))
        #expect(busy.at(25_101, .switchoverRequested(force: false)).steps == ["refused busy"])
    }

    @Test("switchover: a peer that declines is reported")
    func declinedSwitchover() {
        var router = Self.active(Router.hot)
        _ = router.at(25_100, .switchoverRequested(force: false))
        let actions = router.at(25_101, .roleMessageReceived(.declined(reason: .unfit), term: 1))
        #expect(actions.steps.contains("refused peer-declined"))
        #expect(router.machine.state == .active)
    }

    @Test("switchover with force goes without a HOT peer, and times out after 10 s if nobody follows")
    func forced() {
        var cold = Router.hot
        cold.isPeerHot = false
        var router = Self.active(cold)
        #expect(router.at(25_100, .switchoverRequested(force: true)).steps.first == "raise fence")
        let done = router.run(until: 35_100)
        #expect(done.filter { [$0.action].steps == ["refused switchover-timeout"] }.map(\.at) == [35_100])
    }

    @Test("new settings keep state and timers")
    func reload() {
        var router = Router.standby()
        let before = router.machine.activeDeadline
        var settings = router.machine.settings
        settings.preempt = true
        settings.preemptSyncDelay = .seconds(3)
        #expect(router.at(20_500, .settingsChanged(settings)).steps == [])
        #expect(router.machine.activeDeadline == before)
        #expect(router.machine.state == .standby)
    }
}
