// SPDX-License-Identifier: Apache-2.0

import ByteCodec
import FirstHop
import Primitives
import Testing

/// A node that slept: an Active for longer than its hold time, and less than its lease, beside a peer that was HOT.
///
/// The whole machine may have stood still: then nothing waits in its sockets at first, and its peer took it for gone.
@Suite struct WakeTests {
    private static let wake = 27_600

    /// Awake, its sockets read; its peer's machine may have been gone before.
    private func woken(asleepAt start: Int = 26_050, isPeerGone: Bool = false) -> (Router, drained: [GroupAction]) {
        var router = Router.active(redundancy: RedundancyStatus(isStateful: true))
        var settings = router.machine.settings
        settings.hello = .milliseconds(500)
        settings.hold = .milliseconds(1_500)
        settings.usesOwnHoldTime = true
        _ = router.run(until: 24_000)
        _ = router.at(24_000, .settingsChanged(settings))
        _ = router.run(until: 25_000)
        var status = Router.hot
        status.isRoleTaken = true
        let greeting = router.at(25_000, .redundancyChanged(status)).question ?? 0
        _ = router.at(25_001, .roleMessageReceived(.answer(nonce: greeting, isActive: false), term: 0))
        if isPeerGone {
            (status.isAssociationUp, status.mayPeerKernelLive) = (false, false)
            _ = router.at(25_100, .redundancyChanged(status))
            _ = router.at(25_101, .probeFinished(.answered))
        }
        _ = router.run(until: start)
        #expect(router.machine.state == .active && !router.machine.isFenceUp)
        #expect(router.at(start + 1_550, .deadlineReached).contains(.drainReceived))
        let drained = router.at(start + 1_550, .drained)
        return (router, drained)
    }

    @Test("nothing waited in the sockets: the fence stays up, and nothing is announced")
    func holds() {
        for start in stride(from: 26_000, to: 27_000, by: 50) {
            let (router, drained) = woken(asleepAt: start)
            #expect(router.machine.isFenceUp && router.machine.state == .active)
            #expect(!drained.steps.contains("announce"))
            #expect(!drained.steps.contains { $0.hasSuffix("from virtual MAC") })
            #expect(drained.question != nil)
        }
    }

    @Test("the peer says that it is not Active: at once")
    func answered() {
        var (router, drained) = woken()
        let answer = RoleMessage.answer(nonce: drained.question ?? 0, isActive: false)
        let steps = router.at(Self.wake + 2, .roleMessageReceived(answer, term: 0)).steps
        #expect(steps.contains("lower fence") && steps.contains("announce"))
    }

    @Test("what the peer said unasked waited in the sockets, and may be older than its takeover")
    func saidBeforeTakeover() {
        var (router, drained) = woken()
        let word = RoleMessage.answer(nonce: RoleMessage.proclamation, isActive: false)
        #expect(!router.at(Self.wake + 1, .roleMessageReceived(word, term: 0)).steps.contains("lower fence"))
        let answer = RoleMessage.answer(nonce: drained.question ?? 0, isActive: false)
        #expect(router.at(Self.wake + 2, .roleMessageReceived(answer, term: 0)).steps.contains("lower fence"))
    }

    @Test("a Standby's hello ends the wait once it would be Active if it did not hear this node")
    func heardStandby() {
        var (router, _) = woken()
        for wait in [1, 700, 1_400] {
            let steps = router.hear(Self.wake + wait, .standby, priority: 90, from: Router.peer).steps
            #expect(!steps.contains("lower fence"))
        }
        #expect(router.hear(Self.wake + 1_500, .standby, priority: 90, from: Router.peer).steps.contains("lower fence"))
    }

    @Test("the successor's hello, or its Coup, comes behind the first steps", arguments: [false, true])
    func heardActive(asCoup: Bool) {
        var (router, _) = woken()
        _ = router.hear(Self.wake + 1, .standby, priority: 90, from: Router.peer)
        let steps = router.hear(Self.wake + 1, asCoup ? .coup : .hello, .active, priority: 90, from: Router.peer).steps
        #expect(steps.contains("Active -> Speak") && !steps.contains("lower fence"))
    }

    @Test("the successor's word by the association, asked or unasked", arguments: [false, true])
    func toldOfActive(isAsked: Bool) {
        var (router, drained) = woken()
        let nonce = isAsked ? drained.question ?? 0 : RoleMessage.proclamation
        let term = router.machine.term + 1
        let steps = router.at(
            Self.wake + 2, .roleMessageReceived(.answer(nonce: nonce, isActive: true), term: term)
        ).steps
        #expect(steps.contains("Active -> Speak") && !steps.contains("lower fence"))
    }

    @Test("nobody says anything, or the peer was gone before: the wait has an end", arguments: [false, true])
    func alone(isPeerGone: Bool) {
        var (router, _) = woken(isPeerGone: isPeerGone)
        let lowered = router.run(until: 40_000).first { $0.action == .lowerFence }
        #expect(lowered?.at == Self.wake + 2_000)
    }

    @Test("a wait that ends while it sleeps again begins anew")
    func sleepsAgain() {
        var (router, _) = woken()
        #expect(router.at(Self.wake + 2_500, .deadlineReached).contains(.drainReceived))
        #expect(!router.at(Self.wake + 2_500, .drained).steps.contains("lower fence"))
        #expect(router.machine.isFenceUp)
    }

    // MARK: A Standby

    @Test("a Resign that waited outside the machine is not followed: its sender may be Active again")
    func resignFromOutside() {
        var router = Router.preempting(RedundancyStatus(isStateful: true))
        _ = router.at(40_000, .deadlineReached)
        let resign = router.hear(40_001, .resign, .active, priority: 105, from: Router.peer)
        #expect(!resign.steps.contains("Standby -> Active"))
        _ = router.hear(40_002, .active, priority: 105, from: Router.peer)
        _ = router.run(until: 45_000)
        #expect(router.machine.state == .standby)
    }
}
