// SPDX-License-Identifier: Apache-2.0

import FirstHop
import Primitives
import Testing

/// `standby delay` and `preempt delay`: in every state the delay may run out, be cancelled, or be changed by a reload.
@Suite struct DelayTests {
    // MARK: standby delay

    private static func starting(
        minimum: Int = 30, reload: Int? = nil, startsWithDaemon: Bool = true
    ) -> Router {
        Router(startsWithDaemon: startsWithDaemon) {
            $0.startMinimumDelay = .seconds(minimum)
            $0.startReloadDelay = reload.map { .seconds($0) }
        }
    }

    @Test("the group stays in Initial, deaf and silent, until the start delay is over")
    func startDelay() {
        var router = Self.starting()
        #expect(router.at(1_000, .interfaceChanged(isUp: true)).steps == [])
        #expect(router.hear(2_000, .active, priority: 110).isEmpty)
        // Said again, as with every event of the kernel.
        #expect(router.at(3_000, .interfaceChanged(isUp: true)).steps == [])
        #expect(router.run(until: 30_999).isEmpty)
        #expect(router.run(until: 31_000).map(\.action).steps == ["Initial -> Listen"])
        #expect(router.machine.startDeadline == nil)
    }

    @Test("`reload` counts for the first start, also where that was interrupted, and `minimum` for the next")
    func startReload() {
        var router = Self.starting(minimum: 5, reload: 60)
        _ = router.at(0, .interfaceChanged(isUp: true))
        _ = router.at(20_000, .interfaceChanged(isUp: false))
        #expect(router.machine.nextDeadline == nil)
        _ = router.at(21_000, .interfaceChanged(isUp: true))
        #expect(router.run(until: 80_999).isEmpty)
        #expect(router.run(until: 81_000).map(\.action).steps == ["Initial -> Listen"])
        #expect(router.at(82_000, .interfaceChanged(isUp: false)).steps == ["Listen -> Initial"])
        _ = router.at(83_000, .interfaceChanged(isUp: true))
        #expect(router.run(until: 88_000).map(\.at) == [88_000])
    }

    @Test("a group added to a running daemon starts at once on an interface that is up, and delayed on one that is not")
    func addedLater() {
        var router = Self.starting(reload: 60, startsWithDaemon: false)
        #expect(router.at(0, .interfaceChanged(isUp: true)).steps == ["Initial -> Listen"])
        _ = router.at(1_000, .interfaceChanged(isUp: false))
        #expect(router.at(2_000, .interfaceChanged(isUp: true)).steps == [])
        #expect(router.run(until: 32_000).map(\.at) == [32_000])
        var late = Self.starting(reload: 60, startsWithDaemon: false)
        _ = late.at(0, .interfaceChanged(isUp: false))
        #expect(late.at(1_000, .interfaceChanged(isUp: true)).steps == [])
        #expect(late.run(until: 31_000).map(\.at) == [31_000])
    }

    @Test("an unfit node does not start when the delay is over; fit again, it starts without one")
    func unfitMeanwhile() {
        var router = Self.starting()
        _ = router.at(0, .interfaceChanged(isUp: true))
        #expect(router.at(10_000, .fitnessChanged(isFit: false)).steps == [])
        #expect(router.run(until: 40_000).map(\.action).steps == [])
        #expect(router.at(41_000, .fitnessChanged(isFit: true)).steps == ["Initial -> Listen"])
    }

    @Test("a node that ends while the delay runs ends at once")
    func stopped() {
        var router = Self.starting()
        _ = router.at(0, .interfaceChanged(isUp: true))
        #expect(router.at(1_000, .stopRequested).steps == ["stopped"])
        #expect(router.run(until: 60_000).map(\.action).steps == [])
    }

    @Test("what the kernel still holds after a crash is ours again without a delay")
    func resumed() {
        var router = Self.starting(minimum: 30, reload: 60)
        _ = router.at(0, .interfaceChanged(isUp: true))
        #expect(router.at(10, .resumed(isFenced: false)).steps.last == "Listen -> Active")
        #expect(router.machine.startDeadline == nil)
        var fenced = Self.starting(minimum: 30, reload: 60)
        _ = fenced.at(0, .interfaceChanged(isUp: true))
        #expect(fenced.at(10, .resumed(isFenced: true)).steps == [])
        #expect(fenced.machine.startDeadline == Router.instant(60_000))
    }

    @Test("an Active that loses its interface comes back behind the delay")
    func flappingActive() {
        var router = Router.active()
        router.change(20_500) { $0.startMinimumDelay = .seconds(30) }
        #expect(router.machine.state == .active)
        #expect(router.at(21_000, .interfaceChanged(isUp: false)).steps.last == "Active -> Initial")
        _ = router.at(22_000, .interfaceChanged(isUp: true))
        let states = router.run(until: 60_000).filter { if case .stateChanged = $0.action { true } else { false } }
        #expect(states.first?.at == 52_000)
    }

    @Test("a reload of the configuration shortens, ends or prolongs a running delay, counted from its beginning")
    func startReconfigured() {
        var shorter = Self.starting()
        _ = shorter.at(0, .interfaceChanged(isUp: true))
        #expect(shorter.change(5_000) { $0.startMinimumDelay = .seconds(10) }.steps == [])
        #expect(shorter.run(until: 10_000).map(\.at) == [10_000])
        var ended = Self.starting()
        _ = ended.at(0, .interfaceChanged(isUp: true))
        #expect(ended.change(5_000) { $0.startMinimumDelay = .zero }.steps == ["Initial -> Listen"])
        var longer = Self.starting()
        _ = longer.at(0, .interfaceChanged(isUp: true))
        _ = longer.change(5_000) { $0.startMinimumDelay = .seconds(50) }
        #expect(longer.run(until: 50_000).map(\.at) == [50_000])
        // One that is over stays over.
        #expect(longer.change(51_000) { $0.startMinimumDelay = .seconds(100) }.steps == [])
        #expect(longer.machine.state == .listen)
    }

    // MARK: preempt delay

    /// The states in which a lower-priority Active may be heard, at a time at which nothing of their own is due; the
    /// Active (priority 90) is heard then for the first time, or has just fallen below us.
    private static func waiting(_ state: Int, settings change: (inout GroupSettings) -> Void) -> Router {
        var router: Router
        switch state {
        case 0: router = .listening(settings: change)
        case 1: router = .speaking(settings: change)
        default: router = .standby(settings: change)
        }
        _ = router.hear(Int(router.now.nanoseconds / 1_000_000) + 500, .active, priority: 90)
        return router
    }

    /// The time of the Coup, the Active being heard every second.
    private static func coup(_ router: inout Router, within seconds: Int) -> Int? {
        let start = Int(router.now.nanoseconds / 1_000_000)
        for second in 1...seconds {
            let done = router.run(until: start + second * 1000)
            if let at = done.first(where: { [$0.action].steps.first?.hasPrefix("coup") ?? false })?.at {
                return at - start
            }
            let heard = router.hear(start + second * 1000, .active, priority: 90)
            if heard.steps.contains(where: { $0.hasPrefix("coup") }) { return second * 1000 }
        }
        return nil
    }

    @Test("in every state a lower-priority Active is left alone for `minimum`, and then relieved", arguments: 0..<3)
    func minimum(state: Int) {
        var router = Self.waiting(state) {
            $0.preempt = true
            $0.preemptMinimumDelay = .seconds(20)
        }
        let before = router.machine.state
        #expect(router.machine.preemptDeadline == router.now + .seconds(20))
        #expect(Self.coup(&router, within: 30) == 20_000, "\(before)")
        #expect(router.machine.state == .active)
        #expect(router.machine.preemptDeadline == nil)
    }

    @Test("a Standby follows a silent Active without any delay", arguments: 0..<3)
    func silent(state: Int) {
        var router = Self.waiting(state) {
            $0.preempt = true
            $0.preemptMinimumDelay = .seconds(3600)
        }
        _ = router.run(until: 50_000)
        #expect(router.machine.state == .active)
    }

    @Test("the wait ends with its reason, and begins anew with the next one", arguments: 0..<3)
    func cancelled(state: Int) {
        let reasons: [(inout Router, Int) -> Void] = [
            // The Active's priority rises, ours falls, `preempt` is taken away, the interface is lost.
            { _ = $0.hear($1, .active, priority: 120) },
            { _ = $0.at($1, .priorityChanged(80)) },
            { router, time in router.change(time) { $0.preempt = false } },
            { _ = $0.at($1, .interfaceChanged(isUp: false)) },
        ]
        for reason in reasons {
            var router = Self.waiting(state) {
                $0.preempt = true
                $0.preemptMinimumDelay = .seconds(8)
            }
            let start = Int(router.now.nanoseconds / 1_000_000)
            #expect(router.machine.preemptDeadline != nil)
            reason(&router, start + 2_000)
            #expect(router.machine.preemptDeadline == nil)
            _ = router.at(start + 3_000, .interfaceChanged(isUp: true))
            _ = router.at(start + 3_000, .priorityChanged(100))
            router.change(start + 3_000) { $0.preempt = true }
            _ = router.hear(start + 3_000, .active, priority: 90)
            #expect(router.machine.preemptDeadline == Router.instant(start + 11_000))
        }
    }

    @Test("a Resign is followed at once by a Standby")
    func resigned() {
        var router = Self.waiting(2) {
            $0.preempt = true
            $0.preemptMinimumDelay = .seconds(3600)
        }
        #expect(router.hear(21_000, .resign, .active, priority: 90).steps.last == "Standby -> Active")
    }

    @Test("a reload shortens, ends or prolongs the wait, counted from its beginning", arguments: 0..<3)
    func reconfigured(state: Int) {
        func waiting() -> Router {
            Self.waiting(state) {
                $0.preempt = true
                $0.preemptMinimumDelay = .seconds(20)
            }
        }
        var shorter = waiting()
        let start = Int(shorter.now.nanoseconds / 1_000_000)
        shorter.change(start + 1_000) { $0.preemptMinimumDelay = .seconds(5) }
        #expect(shorter.machine.preemptDeadline == Router.instant(start + 5_000))
        #expect(Self.coup(&shorter, within: 30) == 4_000)
        var ended = waiting()
        let steps = ended.change(start + 1_500) { $0.preemptMinimumDelay = .seconds(1) }.steps
        #expect(steps.first?.hasPrefix("coup") == true)
        var longer = waiting()
        longer.change(start + 1_000) { $0.preemptMinimumDelay = .seconds(40) }
        #expect(Self.coup(&longer, within: 60) == 39_000)
        // Anything else that is new leaves the wait alone.
        var other = waiting()
        other.change(start + 1_000) { $0.hold = .seconds(30) }
        #expect(other.machine.preemptDeadline == Router.instant(start + 20_000))
    }

    @Test("`reload` counts the first time after the daemon's start, `minimum` from then on")
    func reload() {
        var router = Router.listening {
            $0.preempt = true
            $0.preemptMinimumDelay = .seconds(2)
            $0.preemptReloadDelay = .seconds(30)
        }
        _ = router.hear(500, .active, priority: 90)
        // A wait that was broken off was not the first one.
        _ = router.hear(1_000, .active, priority: 120)
        _ = router.hear(1_500, .active, priority: 90)
        #expect(router.machine.preemptDeadline == Router.instant(31_500))
        #expect(Self.coup(&router, within: 40) == 30_000)
        _ = router.run(until: 40_000)
        _ = router.hear(40_000, .active, priority: 120)
        #expect(router.machine.state == .speak)
        _ = router.hear(41_000, .active, priority: 90)
        #expect(router.machine.preemptDeadline == Router.instant(43_000))
        var added = Router(startsWithDaemon: false) {
            $0.preempt = true
            $0.preemptMinimumDelay = .seconds(2)
            $0.preemptReloadDelay = .seconds(30)
        }
        _ = added.at(0, .interfaceChanged(isUp: true))
        _ = added.hear(500, .active, priority: 90)
        #expect(added.machine.preemptDeadline == Router.instant(2_500))
    }

    @Test("`reload` is over when its wait has run out, taken or not")
    func reloadRunOut() {
        var cold = Router.hot
        cold.isLocalHot = false
        var router = Router.listening(redundancy: cold) {
            $0.preempt = true
            $0.preemptReloadDelay = .seconds(10)
            $0.preemptMinimumDelay = .seconds(2)
        }
        _ = router.hear(500, .active, priority: 90, from: Router.peer)
        _ = router.hear(9_000, .active, priority: 90, from: Router.peer)
        _ = router.run(until: 10_500)
        #expect(router.machine.preemptDeadline == nil && router.machine.state != .active)
        _ = router.hear(11_000, .active, priority: 120, from: Router.peer)
        _ = router.hear(12_000, .active, priority: 90, from: Router.peer)
        #expect(router.machine.preemptDeadline == Router.instant(14_000))
    }

    /// Listens to our peer, Active with priority 90; `status` is replication's.
    private static func claimant(
        _ status: RedundancyStatus, settings: (inout GroupSettings) -> Void
    ) -> Router {
        var router = Router.listening(redundancy: status) {
            $0.preempt = true
            settings(&$0)
        }
        _ = router.hear(500, .active, priority: 90, from: Router.peer)
        return router
    }

    @Test("a HOT node asks for the role when `minimum` is over, and not before")
    func hot() {
        var router = Self.claimant(Router.hot) { $0.preemptMinimumDelay = .seconds(2) }
        let asked = router.run(until: 3_000).filter { [$0.action].steps == ["tell requestRole(priority: 100)"] }
        #expect(asked.map(\.at) == [2_500])
    }

    @Test("`minimum` over and not HOT: the wait goes on; `sync` is counted from the same beginning")
    func syncAndMinimum() {
        var cold = Router.hot
        cold.isLocalHot = false
        func coup(minimum: Int, sync: Int) -> Int? {
            var router = Self.claimant(cold) {
                $0.preemptMinimumDelay = .seconds(minimum)
                $0.preemptSyncDelay = .seconds(sync)
            }
            return router.run(until: 9_000).first { [$0.action].steps == ["coup Listen"] }?.at
        }
        #expect(coup(minimum: 2, sync: 5) == 5_500)
        #expect(coup(minimum: 5, sync: 2) == 5_500)
        #expect(coup(minimum: 2, sync: 0) == 2_500)
        #expect(coup(minimum: 2, sync: 3600) == nil)
    }

    @Test("an IKE daemon that is not fit when `sync` is over is waited for, and no deadline is served for ever")
    func unfitAtSync() {
        var cold = Router.hot
        cold.isLocalHot = false
        cold.isIKEDaemonFit = false
        var router = Self.claimant(cold) { $0.preemptSyncDelay = .seconds(2) }
        _ = router.run(until: 9_000)
        #expect(router.machine.state != .active)
        cold.isIKEDaemonFit = true
        #expect(router.at(9_100, .redundancyChanged(cold)).steps.contains { $0.hasPrefix("coup") })
    }

    @Test("the role that the Active gives is not delayed")
    func given() {
        var router = Self.claimant(Router.hot) { $0.preemptMinimumDelay = .seconds(3600) }
        _ = router.at(600, .roleMessageReceived(.prepareTakeover, term: 4))
        #expect(router.at(601, .roleMessageReceived(.fenced, term: 4)).steps.last == "Listen -> Active")
    }
}

extension Router {
    /// Hands in changed settings.
    @discardableResult
    fileprivate mutating func change(
        _ milliseconds: Int, _ body: (inout GroupSettings) -> Void
    ) -> [GroupAction] {
        var settings = machine.settings
        body(&settings)
        return at(milliseconds, .settingsChanged(settings))
    }
}
