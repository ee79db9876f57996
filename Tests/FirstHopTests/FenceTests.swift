// SPDX-License-Identifier: Apache-2.0

import FirstHop
import Primitives
import Testing

/// How long the fence of a new Active waits for an old one that nobody can ask.
///
/// With timers of 250 and 800 ms a lease is over 1575 ms behind a sign of life: 275 (hello with its jitter) + 1000 + 300.
@Suite struct FenceTests {
    private static let lease = 1_575

    /// Active at 21 s behind its fence, from a peer that was heard at 20 s and whose association ended 1 ms later.
    private func fenced() -> Router {
        var router = Router.fastStandby(behind: Router.peer, redundancy: Router.hot)
        _ = router.at(20_001, .redundancyChanged(Router.cutOff))
        _ = router.run(until: 21_000)
        #expect(router.machine.state == .active && router.machine.isFenceUp)
        return router
    }

    /// Active at 20.2 s behind its fence with timers of 1 and 3 s: the peer, heard at 20 s, did not answer its request.
    private func early() -> Router {
        var router = Router.standby(behind: Router.peer, activePriority: 95, redundancy: Router.hot) {
            $0.preempt = true
            $0.hello = .milliseconds(1_000)
            $0.hold = .milliseconds(3_000)
            $0.usesOwnHoldTime = true
        }
        _ = router.run(until: 20_400)
        #expect(router.machine.state == .active && router.machine.isFenceUp)
        return router
    }

    private func lowered(_ router: inout Router, until end: Int) -> Int? {
        router.run(until: end).first { $0.action == .lowerFence }?.at
    }

    @Test("replication that hung tells late that the peer is gone: the fence waits for its lease all the same")
    func goneIsOldNews() {
        for isHeard in [false, true] {
            var router = Router.fastStandby(behind: Router.peer, redundancy: Router.hot)
            _ = router.at(20_300, .replicationSilenceChanged(isSilent: true))
            _ = router.run(until: 21_300)
            #expect(router.machine.state == .active && router.machine.isFenceUp)
            if isHeard { _ = router.hear(21_310, .active, priority: 90, from: Router.peer) }
            var gone = Router.hot
            (gone.isAssociationUp, gone.mayPeerKernelLive, gone.isRoleTaken) = (false, false, true)
            #expect(!router.at(21_320, .redundancyChanged(gone)).steps.contains("lower fence"))
            _ = router.at(21_321, .replicationSilenceChanged(isSilent: false))
            #expect(lowered(&router, until: 25_000) == 21_321 + Self.lease)
        }
    }

    @Test("a machine that says nothing may stand still, and wake as Active until its hold time is over")
    func goneMayWake() {
        for isGone in [false, true] {
            var router = early()
            var status = Router.cutOff
            status.mayPeerKernelLive = !isGone
            #expect(!router.at(21_500, .redundancyChanged(status)).steps.contains("lower fence"))
            // 1100 (hello with its jitter) + 3000 (lease) + 300; or the hold time.
            #expect(lowered(&router, until: 30_000) == (isGone ? 23_000 : 24_400))
        }
    }

    @Test("a peer that counted as gone and has a session again may live: the fence waits for its lease after all")
    func goneIsBack() {
        var router = early()
        var gone = Router.cutOff
        gone.mayPeerKernelLive = false
        _ = router.at(21_500, .redundancyChanged(gone))
        _ = router.at(22_500, .redundancyChanged(Router.hot))
        #expect(lowered(&router, until: 30_000) == 24_400)
    }

    @Test("a new failover process whose replication hangs does not know what the peer has, and waits")
    func nothingIsKnown() {
        for isStateful in [false, true] {
            var router = Router.fastStandby(
                behind: Router.peer, redundancy: RedundancyStatus(isStateful: isStateful))
            _ = router.run(until: 20_801)
            #expect(router.machine.state == .active && router.machine.isFenceUp == isStateful)
        }
        var reloaded = Router.cutOff
        (reloaded.isStateful, reloaded.isPeerPopulated, reloaded.mayPeerKernelLive) = (false, false, false)
        reloaded.setStateful(true)
        #expect(reloaded.isPeerPopulated && !reloaded.isPeerMachineGone)
    }

    @Test("a machine that counts as gone and is heard in any state lives")
    func heardIsNotGone() {
        for isHeard in [false, true] {
            var router = Router.fastStandby(behind: Router.peer, redundancy: Router.hot)
            var gone = Router.cutOff
            gone.mayPeerKernelLive = false
            _ = router.at(20_100, .redundancyChanged(gone))
            if isHeard { _ = router.hear(20_200, .speak, priority: 90, from: Router.peer) }
            #expect(lowered(&router, until: 23_000) == (isHeard ? 20_000 + Self.lease : 20_800))
        }
    }

    @Test("a peer that was told that this node is not Active may have taken the role: the fence waits behind it")
    func grantIsSignOfLife() {
        for isAsked in [false, true] {
            var router = Router.listening(redundancy: Router.hot) {
                $0.hello = .milliseconds(250)
                $0.hold = .milliseconds(800)
                $0.usesOwnHoldTime = true
                $0.allowsFastStart = true
            }
            _ = router.run(until: 1_000)
            let asked = GroupEvent.roleMessageReceived(.evidenceQuestion(nonce: 7), term: 0)
            if isAsked { #expect(router.at(1_000, asked).steps == ["tell not active"]) }
            _ = router.at(1_001, .redundancyChanged(Router.cutOff))
            #expect(lowered(&router, until: 5_000) == (isAsked ? 1_000 : 0) + Self.lease)
        }
    }

    @Test("a fence whose wait ends while failover hangs stays up until the peer has had its say")
    func waitEndsInStall() {
        for isPeerActive in [false, true] {
            var router = fenced()
            #expect(router.at(25_000, .redundancyChanged(Router.hot)).contains(.drainReceived))
            if isPeerActive {
                let word = RoleMessage.answer(nonce: RoleMessage.proclamation, isActive: true)
                _ = router.at(25_000, .roleMessageReceived(word, term: 0))
            }
            #expect(!router.at(25_000, .drained).steps.contains("lower fence"))
            #expect(lowered(&router, until: 30_000) == 27_000)
        }
    }

    @Test("a peer that could say nothing until the session came, and then does not answer, may have lived until then")
    func livedUnheard() {
        for isBack in [false, true] {
            var router = Router.fastStandby(behind: Router.peer, redundancy: Router.hot)
            _ = router.at(20_001, .redundancyChanged(Router.cutOff))
            if isBack { _ = router.at(20_500, .redundancyChanged(Router.hot)) }
            _ = router.run(until: 21_000)
            #expect(router.machine.state == .active && router.machine.isFenceUp)
            #expect(lowered(&router, until: 25_000) == (isBack ? 20_500 : 20_000) + Self.lease)
        }
    }

    @Test("what a peer says before it took the role does not make a Standby follow it")
    func wordIsOlderThanHello() {
        for isHeard in [false, true] {
            var router = Router.standby(behind: Router.peer, activePriority: 105, redundancy: Router.hot)
            _ = router.at(20_100, .redundancyChanged(Router.cutOff))
            let greeting = router.at(20_200, .redundancyChanged(Router.hot)).question ?? 0
            if isHeard { _ = router.hear(20_250, .active, priority: 105, from: Router.peer) }
            let answer = RoleMessage.answer(nonce: greeting, isActive: false)
            let steps = router.at(20_260, .roleMessageReceived(answer, term: 0)).steps
            #expect(steps.contains("Standby -> Active") == !isHeard)
            guard isHeard else { continue }
            #expect(router.machine.state == .standby && steps.contains("tell question"))
        }
    }

    @Test("SAs that replication told of behind a fence are not forgotten by a new process of it")
    func debtOutlivesProcess() {
        for hasUndelivered in [false, true] {
            var router = fenced()
            var status = Router.cutOff
            status.hasUndelivered = hasUndelivered
            _ = router.at(21_000, .redundancyChanged(status))
            var new = Router.cutOff
            _ = router.at(21_100, .redundancyChanged(new))
            #expect(lowered(&router, until: 22_000) == (hasUndelivered ? nil : 20_000 + Self.lease))
            new.isRoleTaken = true
            let steps = router.at(22_100, .redundancyChanged(new)).steps
            #expect(steps.contains("lower fence") == hasUndelivered)
        }
    }

    @Test("an Active whose replication hangs yields to its peer that is Active, whatever the priorities")
    func yieldsWhereNobodyCanBeAsked() {
        for isSilent in [false, true] {
            var router = Router.preemptingActive()
            _ = router.at(25_100, .replicationSilenceChanged(isSilent: isSilent))
            _ = router.hear(25_200, .active, priority: 90, from: Router.peer)
            _ = router.run(until: 25_300)
            #expect(router.machine.state == (isSilent ? .speak : .active))
        }
    }

    @Test("an Active hears of a later term from a peer that is not Active: its role goes on in one later still")
    func laterTermOfPassivePeer() {
        for message in [RoleMessage.answer(nonce: 77, isActive: false), .released] {
            var router = Router.speaking(redundancy: RedundancyStatus(isStateful: true))
            _ = router.run(until: 25_000)
            let greeting = router.at(25_000, .redundancyChanged(Router.hot)).question ?? 0
            let word = RoleMessage.answer(nonce: greeting, isActive: false)
            _ = router.at(25_001, .roleMessageReceived(word, term: 0))
            let term = router.machine.term
            let steps = router.at(25_100, .roleMessageReceived(message, term: term + 8)).steps
            #expect(steps == ["publish active term \(term + 9)", "tell active"])
        }
    }
}
