// SPDX-License-Identifier: Apache-2.0

import ByteCodec
import FirstHop
import Primitives
import Testing

private let released = [
    "raise fence", "tell fenced", "delete address", "resign Active", "tell released", "publish standby term 1",
]

/// An Active (priority 105) with a HOT peer of priority 100 in Standby.
private func hotActive(
    _ redundancy: RedundancyStatus = Router.hot, settings: (inout GroupSettings) -> Void = { _ in }
) -> Router {
    var router = Router.speaking(priority: 105, redundancy: RedundancyStatus(isStateful: true)) {
        $0.preempt = true
        settings(&$0)
    }
    _ = router.run(until: 25_000)
    precondition(router.machine.state == .active)
    _ = router.at(25_000, .redundancyChanged(redundancy))
    _ = router.hear(25_000, .standby, priority: 100, from: Router.peer)
    return router
}

/// A Standby (priority 100) behind our peer.
private func hotStandby(
    _ redundancy: RedundancyStatus = Router.hot, peerPriority: UInt8 = 105,
    settings: (inout GroupSettings) -> Void = { $0.preempt = true }
) -> Router {
    Router.standby(behind: Router.peer, activePriority: peerPriority, redundancy: redundancy, settings: settings)
}

@Suite struct GivingTests {
    @Test("an Active whose priority falls below its HOT peer's asks it to prepare, and releases on ready")
    func givesOnPriority() {
        var router = hotActive()
        #expect(router.at(25_100, .priorityChanged(95)).steps == ["tell prepareTakeover"])
        #expect(
            router.at(25_102, .roleMessageReceived(.ready, term: 1)).steps
                == released + ["Active -> Speak", "hello Speak"])
        #expect(router.run(until: 25_200).map(\.action).steps == ["resign Active", "lower MAC", "resign Active"])
    }

    @Test("without an answer it goes on after 50 ms, and says no hello from the virtual MAC meanwhile")
    func goesOnWithoutReady() {
        var router = hotActive()
        _ = router.run(until: 27_850)
        _ = router.at(27_850, .priorityChanged(95))
        let done = router.run(until: 27_900)
        #expect(done.map(\.action).steps == released + ["Active -> Speak", "hello Speak"])
        #expect(done.allSatisfy { $0.at == 27_900 })
    }

    @Test("a fallen priority that is still the better one is told at once, and so is one without a ready peer")
    func tellsPriority() {
        var router = hotActive()
        #expect(router.at(25_100, .priorityChanged(101)).steps == ["hello Active from virtual MAC"])
        var cold = hotActive(RedundancyStatus(isStateful: true))
        #expect(cold.at(25_100, .priorityChanged(95)).steps == ["hello Active from virtual MAC"])
    }

    @Test("without preempt it waits to be asked")
    func waitsToBeAsked() {
        var router = hotActive { $0.preempt = false }
        #expect(router.at(25_100, .priorityChanged(95)).steps == ["hello Active from virtual MAC"])
        #expect(
            router.at(25_103, .roleMessageReceived(.requestRole(priority: 100), term: 1)).steps == [
                "tell prepareTakeover"
            ])
    }

    @Test("a peer that declines leaves the role where it is, when the release was a choice")
    func peerDeclines() {
        var router = hotActive()
        _ = router.at(25_100, .priorityChanged(95))
        let actions = router.at(25_102, .roleMessageReceived(.declined(reason: .unfit), term: 1))
        #expect(actions.steps == ["hello Active from virtual MAC"])
        #expect(router.machine.state == .active)
    }

    @Test("an orderly end hands over, then says stopped once the last Resign is out")
    func stop() {
        var router = hotActive()
        #expect(router.at(25_100, .stopRequested).steps == ["tell prepareTakeover"])
        #expect(
            router.at(25_101, .roleMessageReceived(.ready, term: 1)).steps == released + ["Active -> Initial"])
        let rest = router.run(until: 26_000)
        #expect(rest.map(\.action).steps == ["resign Active", "lower MAC", "resign Active", "stopped"])
        #expect(rest.map(\.at) == [25_121, 25_131, 25_161, 25_161])
        #expect(router.machine.nextDeadline == nil)
    }

    @Test("an orderly end goes on where the peer declines")
    func stopDeclined() {
        var router = hotActive()
        _ = router.at(25_100, .stopRequested)
        #expect(
            router.at(25_101, .roleMessageReceived(.declined(reason: .unfit), term: 1)).steps
                == released + ["Active -> Initial"])
    }

    @Test("whoever is not Active stops at once")
    func stopStandby() {
        var router = hotStandby()
        #expect(router.at(20_500, .stopRequested).steps == ["Standby -> Initial", "stopped"])
        var initial = Router()
        #expect(initial.at(1, .stopRequested).steps == ["stopped"])
        #expect(initial.at(2, .stopRequested).steps == [])
    }

    @Test("carrier lost: nobody is waited for")
    func carrierLost() {
        var router = hotActive()
        #expect(router.at(25_100, .interfaceChanged(isUp: false)).steps == released + ["Active -> Initial"])
    }

    @Test("unfit by a tracked object: planned, to Initial, and back to Listen when fit again")
    func unfit() {
        var router = hotActive()
        #expect(router.at(25_100, .fitnessChanged(isFit: false)).steps == ["tell prepareTakeover"])
        #expect(
            router.at(25_101, .roleMessageReceived(.ready, term: 1)).steps == released + ["Active -> Initial"])
        _ = router.run(until: 30_000)
        // Nobody has answered the greeting of this session.
        #expect(router.at(30_000, .fitnessChanged(isFit: true)).steps == ["Initial -> Listen", "tell question"])
    }

    @Test("the IKE daemon is gone: a HOT peer is given the role; without one the role stays")
    func ikeDaemonGone() {
        var unfit = Router.hot
        unfit.isIKEDaemonFit = false
        var router = hotActive()
        #expect(router.at(25_100, .redundancyChanged(unfit)).steps == ["tell prepareTakeover"])
        unfit.isPeerHot = false
        var lone = hotActive()
        #expect(lone.at(25_100, .redundancyChanged(unfit)).steps == [])
    }

    @Test("three failed sends in a row hand over to a HOT peer, and only then")
    func failedSends() {
        var router = hotActive()
        #expect(router.at(25_100, .sendFailed).steps == [])
        #expect(router.at(25_101, .sendFailed).steps == [])
        #expect(router.at(25_102, .sendSucceeded).steps == [])
        #expect(router.at(25_103, .sendFailed).steps == [])
        #expect(router.at(25_104, .sendFailed).steps == [])
        #expect(router.at(25_105, .sendFailed).steps == ["tell prepareTakeover"])
        var lone = Router.active()
        for time in 1...5 { #expect(lone.at(20_000 + time, .sendFailed).steps == []) }
    }

    @Test("a request is declined by the better one, for a peer that is not HOT, and by who is not Active")
    func declinedRequests() {
        var router = hotActive()
        #expect(
            router.at(25_100, .roleMessageReceived(.requestRole(priority: 105), term: 1)).steps == [
                "tell declined(reason: FirstHop.RoleMessage.DeclineReason.betterPriority)"
            ])
        var cold = Router.hot
        cold.isPeerHot = false
        _ = router.at(25_101, .redundancyChanged(cold))
        #expect(
            router.at(25_102, .roleMessageReceived(.requestRole(priority: 110), term: 1)).steps == [
                "tell declined(reason: FirstHop.RoleMessage.DeclineReason.peerNotHot)"
            ])
        var standby = hotStandby()
        #expect(
            standby.at(20_500, .roleMessageReceived(.requestRole(priority: 110), term: 1)).steps == [
                "tell declined(reason: FirstHop.RoleMessage.DeclineReason.notActive)"
            ])
    }
}

@Suite struct TakingTests {
    @Test("prepare: everything stands behind the fence; fenced lowers it")
    func plannedTakeover() {
        var router = hotStandby()
        #expect(
            router.at(20_500, .roleMessageReceived(.prepareTakeover, term: 7)).steps == [
                "raise fence", "raise MAC", "add address for 3 s", "announce", "tell ready",
            ])
        #expect(router.machine.isFenceUp)
        #expect(router.machine.state == .standby)
        #expect(
            router.at(20_502, .roleMessageReceived(.fenced, term: 7)).steps == [
                "lower fence", "announce", "hello Active from virtual MAC", "publish active term 8",
                "tell active", "Standby -> Active",
            ])
        #expect(router.at(20_503, .roleMessageReceived(.released, term: 7)).steps == [])
        #expect(router.hear(20_504, .resign, .active, priority: 105, from: Router.peer).steps == [])
    }

    @Test("the old Active's last hello, overtaken by the association, is not believed")
    func lateHello() {
        var router = hotStandby()
        _ = router.at(20_500, .roleMessageReceived(.prepareTakeover, term: 7))
        _ = router.at(20_502, .roleMessageReceived(.fenced, term: 7))
        let actions = router.hear(20_510, .active, priority: 105, from: Router.peer)
        #expect(actions == [.count("hello.received"), .count("hello.stale")])
    }

    @Test("a Resign on the LAN ends the waiting as well")
    func resignWhilePrepared() {
        var router = hotStandby()
        _ = router.at(20_500, .roleMessageReceived(.prepareTakeover, term: 7))
        #expect(router.hear(20_502, .resign, .active, priority: 105, from: Router.peer).steps.first == "lower fence")
    }

    @Test("prepared but not given: everything is undone after half a second")
    func undone() {
        var router = hotStandby()
        _ = router.at(20_500, .roleMessageReceived(.prepareTakeover, term: 7))
        _ = router.hear(20_900, .active, priority: 105, from: Router.peer)
        let done = router.run(until: 21_000).map(\.action).steps
        #expect(done.suffix(2) == ["delete address", "lower MAC"])
        #expect(router.machine.state == .standby)
        #expect(!router.machine.holdsAddress)
    }

    @Test("who is not HOT, not fit or not running declines to prepare")
    func declines() {
        var cold = Router.hot
        cold.isLocalHot = false
        var router = hotStandby(cold)
        #expect(
            router.at(20_500, .roleMessageReceived(.prepareTakeover, term: 1)).steps == [
                "tell declined(reason: FirstHop.RoleMessage.DeclineReason.peerNotHot)"
            ])
        var unfit = Router.hot
        unfit.isIKEDaemonFit = false
        _ = router.at(20_501, .redundancyChanged(unfit))
        #expect(
            router.at(20_502, .roleMessageReceived(.prepareTakeover, term: 1)).steps == [
                "tell declined(reason: FirstHop.RoleMessage.DeclineReason.unfit)"
            ])
        var initial = Router(redundancy: Router.hot)
        #expect(
            initial.at(1, .roleMessageReceived(.prepareTakeover, term: 1)).steps == [
                "tell declined(reason: FirstHop.RoleMessage.DeclineReason.unfit)"
            ])
    }

    @Test("orders that waited while a group without any deadline slept are not obeyed")
    func lateOrderInInitial() {
        var router = Router(redundancy: Router.hot)
        _ = router.at(1, .redundancyChanged(Router.hot))
        #expect(router.machine.nextDeadline == Router.instant(3_001))
        #expect(router.run(until: 9_001).isEmpty)
        var actions: [GroupAction] = []
        router.machine.handle(.interfaceChanged(isUp: true), at: Router.instant(20_000), actions: &actions)
        for order in [RoleMessage.prepareTakeover, .fenced] {
            router.machine.handle(.roleMessageReceived(order, term: 1), at: Router.instant(20_000), actions: &actions)
        }
        #expect(actions.counted == ["deadline.late", "role.late", "role.late"])
        #expect(!router.machine.holdsAddress)
    }

    @Test("an Active that slept for longer than its lease raises the fence before it does anything else")
    func sleptBeyondLease() {
        var status = Router.hot
        status.isAssociationUp = false
        var router = Router.active(redundancy: status)
        _ = router.at(20_001, .redundancyChanged(Router.hot))
        _ = router.run(until: 25_000)
        // Its hold time is not over yet, and the peer asks for a role that it may have taken since.
        let asked = router.at(29_000, .roleMessageReceived(.requestRole(priority: 110), term: 1))
        #expect(asked.steps.prefix(2) == ["raise fence", "drain"])
        #expect(asked.contains(.sendRole(.declined(reason: .busy), term: 1)))
    }

    @Test("released or takeOver: Active at once, fence down, from Standby and, when HOT, from Listen and Speak")
    func takeOver() {
        for message in [RoleMessage.released, .takeOver] {
            var router = hotStandby()
            #expect(
                router.at(20_500, .roleMessageReceived(message, term: 3)).steps == [
                    "raise MAC", "add address for 3 s", "lower fence", "announce", "hello Active from virtual MAC",
                    "publish active term 4", "tell active", "Standby -> Active",
                ])
            var listening = Router.listening(redundancy: Router.hot)
            #expect(
                listening.at(500, .roleMessageReceived(message, term: 3)).steps.last == "Listen -> Active")
            var cold = Router.hot
            cold.isLocalHot = false
            var unready = Router.listening(redundancy: cold)
            #expect(
                unready.at(500, .roleMessageReceived(message, term: 3)).steps == ["Listen -> Speak", "hello Speak"])
        }
    }

    @Test("not HOT: a released role is taken all the same by the Standby, as somebody must be Active")
    func releasedToCold() {
        var cold = Router.hot
        cold.isLocalHot = false
        var router = hotStandby(cold)
        #expect(router.at(20_500, .roleMessageReceived(.released, term: 3)).steps.last == "Standby -> Active")
    }

    @Test("silent death at default timers: the fence's wait is over before the hold time")
    func silentDeathDefault() {
        var router = hotStandby()
        _ = router.at(20_500, .redundancyChanged(Router.cutOff))
        let done = router.run(until: 30_000).filter { $0.at == 30_000 }.map(\.action).steps
        #expect(done.prefix(3) == ["raise MAC", "add address for 3 s", "lower fence"])
    }

    @Test("silent death at 250/800 ms: address at hold time, fence one lease behind the last hello")
    func silentDeathFast() {
        var router = Router.fastStandby(behind: Router.peer, redundancy: Router.hot)
        _ = router.at(20_001, .redundancyChanged(Router.cutOff))
        let done = router.run(until: 23_000)
        let taken = done.filter { $0.at == 20_800 }.map(\.action).steps
        #expect(
            taken == [
                "raise fence", "raise MAC", "add address for 1 s", "announce", "hello Active from virtual MAC",
                "Standby -> Active", "tell question",
            ])
        // 20 000 (last hello) + 275 (hello with its jitter) + 1000 (lease) + 300.
        #expect(
            done.filter { $0.at == 21_575 }.map(\.action).steps.filter { $0 != "hello Active from virtual MAC" } == [
                "lower fence", "publish active term 1",
            ])
    }

    @Test("an Active that was never heard may have died a moment before: the fence waits a lease behind the start")
    func fenceWaitsUnheard() {
        var status = Router.hot
        status.isAssociationUp = false
        var router = Router.listening(redundancy: status) {
            $0.hello = .milliseconds(250)
            $0.hold = .milliseconds(800)
            $0.usesOwnHoldTime = true
            $0.allowsFastStart = true
        }
        let done = router.run(until: 10_000)
        #expect(done.first { $0.action == .announce(Router.virtual) }?.at == 1_075)
        // 800 (hold, for nobody could be asked) + 275 (hello with its jitter) + 1000 (lease) + 300.
        #expect(done.filter { $0.action == .lowerFence }.map(\.at) == [2_375])
    }

    @Test(
        "with SAs on their way to the IKE daemon, or numbers that are old, the fence waits for replication",
        arguments: [true, false])
    func fenceWaitsForReplication(hasUndelivered: Bool) {
        var status = Router.hot
        status.hasUndelivered = hasUndelivered
        status.areNumbersStale = !hasUndelivered
        var router = hotStandby(status)
        let steps = router.at(20_500, .roleMessageReceived(.released, term: 3)).steps
        #expect(!steps.contains("lower fence"))
        #expect(steps.contains("publish active term 4"))
        status.isLocalHot = false
        #expect(router.at(20_600, .redundancyChanged(status)).steps == [])
        #expect(router.at(20_601, .switchoverRequested(force: false)).steps == ["refused standby-not-hot"])
        status.isRoleTaken = true
        #expect(router.at(20_602, .redundancyChanged(status)).steps == ["lower fence"])
        #expect(router.at(20_603, .redundancyChanged(status)).steps == [])
    }

    @Test("a new replication process that knows of nothing on its way does not lower the fence before it has the role")
    func newReplicationTakesRoleFirst() {
        var status = Router.hot
        status.hasUndelivered = true
        var router = hotStandby(status)
        _ = router.at(20_500, .roleMessageReceived(.released, term: 3))
        #expect(router.at(20_501, .redundancyChanged(RedundancyStatus(isStateful: true))).steps == ["mark", "probe"])
        _ = router.at(20_502, .probeFinished(.answered))
        status = RedundancyStatus(isStateful: true)
        status.areNumbersStale = true
        #expect(router.at(20_502, .redundancyChanged(status)).steps == [])
        (status.isRoleTaken, status.areNumbersStale) = (true, false)
        #expect(router.at(20_503, .redundancyChanged(status)).steps == ["lower fence"])
    }

    @Test("an Active behind its fence that meets its peer again waits 100 ms for what that says")
    func fenceWaitsForGreeting() throws {
        for isPeerActive in [true, false, nil] {
            var status = Router.hot
            status.hasUndelivered = true
            var router = hotStandby(status)
            _ = router.at(20_500, .roleMessageReceived(.released, term: 3))
            var lost = status
            lost.isAssociationUp = false
            _ = router.at(20_600, .redundancyChanged(lost))
            status.isRoleTaken = true
            let up = router.at(20_700, .redundancyChanged(status))
            #expect(!up.steps.contains("lower fence"))
            guard let isPeerActive else {
                #expect(router.run(until: 20_800).last { $0.action == .lowerFence }?.at == 20_800)
                continue
            }
            let answer = RoleMessage.answer(nonce: try #require(up.question), isActive: isPeerActive)
            let steps = router.at(20_701, .roleMessageReceived(answer, term: isPeerActive ? 9 : 1)).steps
            #expect(steps.contains("lower fence") == !isPeerActive)
            #expect(router.machine.state == (isPeerActive ? .speak : .active))
        }
    }

    @Test("an Active whose replication dies fences only while SAs are on their way to the IKE daemon")
    func replicationDiesWithUndelivered() {
        for hasUndelivered in [true, false] {
            var status = Router.hot
            (status.isRoleTaken, status.hasUndelivered) = (true, hasUndelivered)
            var router = hotActive(status)
            var lost = status
            (lost.isAssociationUp, lost.isPeerHot, lost.isLocalHot, lost.isRoleTaken) = (false, false, false, false)
            #expect(
                router.at(25_100, .redundancyChanged(lost)).steps
                    == (hasUndelivered ? ["raise fence"] : []) + ["mark", "probe"])
            _ = router.at(25_101, .probeFinished(.answered))
            #expect(router.machine.hasRole && router.machine.isFenceUp == hasUndelivered)
            #expect(router.at(25_200, .redundancyChanged(RedundancyStatus(isStateful: true))).steps == [])
            var back = RedundancyStatus(isStateful: true)
            back.isRoleTaken = true
            #expect(router.at(25_300, .redundancyChanged(back)).steps == (hasUndelivered ? ["lower fence"] : []))
        }
    }

    @Test("an Active whose replication hangs fences only while SAs are on their way to the IKE daemon")
    func replicationHangs() {
        for hasUndelivered in [true, false] {
            var status = Router.hot
            (status.isRoleTaken, status.hasUndelivered) = (true, hasUndelivered)
            var router = hotActive(status)
            let silent = router.at(25_100, .replicationSilenceChanged(isSilent: true))
            #expect(silent.steps == (hasUndelivered ? ["raise fence"] : []))
            let back = router.at(25_300, .replicationSilenceChanged(isSilent: false))
            #expect(back.steps == (hasUndelivered ? ["lower fence"] : []))
        }
    }

    @Test("where this node's own replication hangs, the fence waits for the lease of a peer that lived until now")
    func fenceWaitsBehindOwnSilence() {
        for isSilent in [false, true] {
            var router = Router.fastStandby(behind: Router.peer, redundancy: Router.hot)
            _ = router.at(20_300, .replicationSilenceChanged(isSilent: isSilent))
            let done = router.run(until: 26_000)
            let active = done.first { [$0.action].steps == ["Standby -> Active"] }?.at
            // 275 (hello with its jitter) + 1000 (lease) + 300, behind the last hello or behind the end of the silence.
            #expect(done.first { $0.action == .lowerFence }?.at == (isSilent ? nil : 21_575))
            guard isSilent else { continue }
            #expect(active == 20_900)
            #expect(router.at(26_000, .replicationSilenceChanged(isSilent: false)).steps == [])
            #expect(router.run(until: 30_000).first { $0.action == .lowerFence }?.at == 27_575)
        }
    }

    @Test("the fence of a new Active waits a lease behind every sign of the old one, whatever it waits for")
    func fenceWaitsBehindSigns() {
        var status = Router.hot
        status.isAssociationUp = false
        var fast = Router.fastStandby(behind: Router.peer, redundancy: status)
        _ = fast.run(until: 21_000)
        #expect(fast.hear(21_000, .coup, .active, priority: 90, from: Router.peer).counted.last == "coup.lowerPriority")
        // 275 (hello with its jitter) + 1000 (lease) + 300.
        #expect(fast.run(until: 23_000).filter { $0.action == .lowerFence }.map(\.at) == [22_575])
        status = Router.hot
        status.hasUndelivered = true
        var waiting = hotStandby(status)
        _ = waiting.at(20_500, .roleMessageReceived(.released, term: 3))
        _ = waiting.run(until: 20_800)
        _ = waiting.hear(20_800, .active, priority: 90, from: Router.peer)
        status.isRoleTaken = true
        #expect(waiting.at(20_801, .redundancyChanged(status)).steps == [])
        // 3300 + 3000 + 300.
        #expect(waiting.run(until: 30_000).filter { $0.action == .lowerFence }.map(\.at) == [27_400])
    }

    @Test("the waiting fence falls at once when the peer says that it is not Active, or its machine is gone")
    func heldFenceFalls() {
        var status = Router.hot
        status.isAssociationUp = false
        func fenced() -> Router {
            var router = Router.fastStandby(behind: Router.peer, redundancy: status)
            _ = router.run(until: 20_900)
            precondition(router.machine.state == .active && router.machine.isFenceUp)
            return router
        }
        var told = fenced()
        var back = status
        back.isAssociationUp = true
        let question = told.at(20_900, .redundancyChanged(back)).question
        let answer = RoleMessage.answer(nonce: question ?? 0, isActive: false)
        #expect(
            told.at(20_901, .roleMessageReceived(answer, term: 0)).steps == ["lower fence", "publish active term 1"])
        var gone = fenced()
        var dead = status
        dead.mayPeerKernelLive = false
        #expect(gone.at(20_900, .redundancyChanged(dead)).steps == ["lower fence", "publish active term 1"])
    }

    @Test("a machine that counts as gone and is heard on the segment lives: only the association's wire is cut")
    func heardBehindLostAssociation() {
        func fast() -> Router { Router.fastStandby(behind: Router.peer, redundancy: Router.hot) }
        var gone = Router.hot
        (gone.isAssociationUp, gone.isLocalHot, gone.mayPeerKernelLive) = (false, false, false)
        var dead = fast()
        _ = dead.at(20_100, .redundancyChanged(gone))
        #expect(dead.run(until: 22_000).first { $0.action == .lowerFence }?.at == 20_800)
        var cut = fast()
        _ = cut.at(20_100, .redundancyChanged(gone))
        _ = cut.hear(20_200, .active, priority: 110, from: Router.peer)
        // Nothing new is known of the machine.
        var unfit = gone
        unfit.isIKEDaemonFit = false
        let done = cut.run(until: 21_100)
        #expect(done.contains { $0.action == .announce(Router.virtual) && $0.at == 21_000 })
        #expect(cut.at(21_100, .redundancyChanged(unfit)).steps == [])
        // 800 (hold, for it could not be asked) + 275 (hello with its jitter) + 1000 (lease) + 300.
        #expect(cut.run(until: 23_000).filter { $0.action == .lowerFence }.map(\.at) == [22_575])
    }

    @Test("no fence waits where the peer had nothing, was a stranger, or nothing is replicated")
    func noHeldFence() {
        var empty = Router.hot
        empty.isPeerPopulated = false
        empty.isAssociationUp = false
        for (status, active) in [
            (empty, Router.peer), (Router.hot, Router.stranger), (RedundancyStatus(isStateful: false), Router.peer),
        ] {
            var router = Router.fastStandby(behind: active, redundancy: status)
            let done = router.run(until: 20_860).map(\.action).steps
            #expect(done.contains("lower fence"))
        }
    }

    @Test("restarted after a crash without a ready peer: Active at once")
    func resumed() {
        var router = Router()
        _ = router.at(0, .interfaceChanged(isUp: true))
        #expect(
            router.at(1, .resumed(isFenced: false)).steps == [
                "raise MAC", "add address for 3 s", "lower fence", "announce", "hello Active from virtual MAC",
                "publish active term 1", "Listen -> Active",
            ])
    }

    @Test("a node without an IKE daemon stays Standby and does not preempt")
    func unfitDoesNotPreempt() {
        var unfit = Router.hot
        unfit.isIKEDaemonFit = false
        var router = hotStandby(unfit, peerPriority: 105)
        #expect(router.hear(20_500, .active, priority: 90, from: Router.peer).steps == [])
        #expect(router.machine.remark == "declines the role: the IKE daemon is not fit")
    }

    @Test("an unfit Active whose peer declined offers the role again each second")
    func unfitAsksAgain() {
        var router = Router.active(redundancy: RedundancyStatus(isStateful: true))
        _ = router.at(20_400, .redundancyChanged(Router.hot))
        var unfit = Router.hot
        unfit.isIKEDaemonFit = false
        #expect(router.at(20_500, .redundancyChanged(unfit)).steps.contains("tell prepareTakeover"))
        for at in [20_501, 21_501, 22_501] {
            _ = router.at(at, .roleMessageReceived(.declined(reason: .unfit), term: 1))
            let offers = router.run(until: at + 999).map(\.action).steps.filter { $0 == "tell prepareTakeover" }
            #expect(offers.count == 1)
        }
    }

    @Test("a peer that is lost before it is ready does not get a role that need not be given; another one does")
    func peerLostBeforeReady() {
        for (event, keeps) in [(.switchoverRequested(force: false), true), (.switchoverRequested(force: true), false)]
            as [(GroupEvent, Bool)]
        {
            var router = Router.active(redundancy: RedundancyStatus(isStateful: true))
            _ = router.at(20_400, .redundancyChanged(Router.hot))
            #expect(router.at(20_500, event).steps.contains("tell prepareTakeover"))
            var alone = RedundancyStatus(isStateful: true)
            alone.isPeerPopulated = true
            _ = router.at(20_505, .redundancyChanged(alone))
            _ = router.run(until: 20_600)
            #expect((router.machine.state == .active) == keeps)
        }
    }
}
