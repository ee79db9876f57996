// SPDX-License-Identifier: Apache-2.0

import FirstHop
import Primitives
import Testing

/// A group and the one that follows it on one node, coupled as `FailoverNode+Coupling` does it.
private struct Coupled {
    var leader: Router
    var follower: Router
    /// What both did, in order; the follower's actions begin with `F`.
    var steps: [String] = []

    static let interface = IPAddress(10, 2, 0, 3)

    init(leader: Router, settings change: (inout GroupSettings) -> Void = { _ in }) {
        self.leader = leader
        follower = Router(address: Self.interface) {
            $0.isFollower = true
            $0.virtualAddress = IPAddress(10, 2, 0, 100)
            change(&$0)
        }
        follower.now = leader.now
    }

    private var milliseconds: Int { Int(leader.now.nanoseconds / 1_000_000) }

    mutating func lead(_ milliseconds: Int, _ event: GroupEvent) {
        let actions = leader.at(milliseconds, event)
        for action in actions {
            steps += [action].steps
            if action == .raiseFence { tellFollower() }
        }
        tellFollower()
    }

    mutating func follow(_ milliseconds: Int, _ event: GroupEvent) {
        if case .leaderChanged = event {} else { lead(milliseconds, .deadlineReached) }
        steps += follower.at(milliseconds, event).steps.map { "F \($0)" }
        guard leader.machine.areFollowersReady != follower.machine.isReadyToFollow else { return }
        lead(milliseconds, .followersChanged(areReady: follower.machine.isReadyToFollow))
    }

    private mutating func tellFollower() {
        guard follower.machine.leaderState != leader.machine.state else { return }
        follow(milliseconds, .leaderChanged(leader.machine.state))
    }

    /// Serves every deadline of both until then.
    mutating func run(until milliseconds: Int) {
        let end = Router.instant(milliseconds)
        while let due = [leader.machine.nextDeadline, follower.machine.nextDeadline].compactMap(\.self).min(),
            due <= end
        {
            // Rounded up, as times here are whole milliseconds.
            let at = Int((max(due, leader.now).nanoseconds + 999_999) / 1_000_000)
            if leader.machine.nextDeadline.map({ $0 <= Router.instant(at) }) ?? false { lead(at, .deadlineReached) }
            if follower.machine.nextDeadline.map({ $0 <= Router.instant(at) }) ?? false {
                follow(at, .deadlineReached)
            }
        }
    }

    /// The follower is up first, as at a start.
    static func standby(behind active: IPAddress = Router.stranger, redundancy: RedundancyStatus? = nil) -> Coupled {
        let status = redundancy ?? RedundancyStatus(isStateful: false)
        var pair = Coupled(leader: .standby(behind: active, redundancy: status))
        pair.follow(20_000, .interfaceChanged(isUp: true))
        pair.lead(20_000, .deadlineReached)
        pair.steps = []
        return pair
    }

    static func active(redundancy: RedundancyStatus? = nil) -> Coupled {
        let status = redundancy ?? RedundancyStatus(isStateful: false)
        var pair = Coupled(leader: .speaking(redundancy: RedundancyStatus(isStateful: status.isStateful)))
        pair.follow(10_000, .interfaceChanged(isUp: true))
        pair.run(until: 20_000)
        pair.lead(20_000, .redundancyChanged(status))
        precondition(pair.leader.machine.state == .active)
        pair.steps = []
        return pair
    }
}

@Suite struct FollowTests {
    @Test("the follower takes the role behind its leader, address, MAC and announcement on its own interface")
    func takes() {
        var pair = Coupled.standby()
        #expect(pair.follower.machine.state == .standby)
        pair.lead(20_500, .messageReceived(Router.message(.resign, .active, priority: 110), from: Router.stranger))
        #expect(
            pair.steps == [
                "raise MAC", "add address for 3 s", "lower fence", "announce", "hello Active from virtual MAC",
                "publish active term 1", "Standby -> Active",
                "F raise MAC", "F add address for 3 s", "F lower fence", "F announce",
                "F hello Active from virtual MAC", "F publish active term 1", "F Standby -> Active",
            ])
        #expect(pair.follower.machine.holdsAddress && !pair.follower.machine.isFenceUp)
    }

    @Test("planned hand-over: the follower's address is gone before the peer hears `fenced`; no Resign of its own")
    func gives() {
        var pair = Coupled.active(redundancy: Router.hot)
        pair.lead(20_500, .switchoverRequested(force: false))
        #expect(pair.steps == ["tell prepareTakeover"])
        #expect(pair.follower.machine.state == .active)
        pair.steps = []
        pair.lead(20_501, .roleMessageReceived(.ready, term: 1))
        #expect(
            pair.steps.prefix(11) == [
                "raise fence",
                "F raise fence", "F delete address", "F publish standby term 1", "F Active -> Speak", "F hello Speak",
                "tell fenced", "delete address", "resign Active", "tell released", "publish standby term 1",
            ])
        pair.steps = []
        pair.run(until: 21_000)
        #expect(pair.steps.contains("F lower MAC"))
        #expect(!pair.steps.contains { $0.hasPrefix("F resign") || $0.hasPrefix("F coup") })
    }

    @Test("the prepared node's follower waits until the role is given")
    func prepared() {
        var pair = Coupled.standby(behind: Router.peer, redundancy: Router.hot)
        pair.lead(20_500, .roleMessageReceived(.prepareTakeover, term: 4))
        #expect(!pair.steps.contains { $0.hasPrefix("F ") })
        pair.lead(20_502, .roleMessageReceived(.fenced, term: 4))
        #expect(pair.steps.last == "F Standby -> Active")
    }

    @Test("a follower that loses its interface makes its leader unfit, which hands over; back again, both take part")
    func unfit() {
        var pair = Coupled.active()
        pair.follow(21_000, .interfaceChanged(isUp: false))
        #expect(pair.leader.machine.state == .initial && pair.follower.machine.state == .initial)
        #expect(
            pair.steps.filter { $0 != "renew lease" }.prefix(4) == [
                "F raise fence", "F delete address", "F publish standby term 1", "F Active -> Initial",
            ])
        #expect(pair.steps.contains("resign Active") && pair.steps.last == "Active -> Initial")
        pair.follow(22_000, .interfaceChanged(isUp: true))
        #expect(pair.leader.machine.state == .listen && pair.follower.machine.state == .listen)
    }

    @Test("with a HOT peer the unfit leader gives in the planned order")
    func unfitWithPeer() {
        var pair = Coupled.active(redundancy: Router.hot)
        pair.follow(21_000, .interfaceChanged(isUp: false))
        #expect(pair.steps.last == "tell prepareTakeover")
        pair.lead(21_001, .roleMessageReceived(.ready, term: 1))
        #expect(pair.leader.machine.state == .initial)
    }

    @Test("a follower that is added to an Active leader takes part as soon as its interface was looked at")
    func added() {
        var pair = Coupled(leader: .active())
        pair.lead(20_500, .deadlineReached)
        #expect(pair.leader.machine.state == .active && pair.follower.machine.state == .initial)
        pair.follow(20_501, .interfaceChanged(isUp: true))
        #expect(pair.leader.machine.state == .active && pair.follower.machine.state == .active)
        var down = Coupled(leader: .active())
        down.follow(20_501, .interfaceChanged(isUp: false))
        #expect(down.leader.machine.state == .initial)
    }

    @Test("a leader does not start before its follower could; a start delay there holds it as well")
    func startsTogether() {
        var pair = Coupled(leader: Router()) { $0.startMinimumDelay = .seconds(30) }
        pair.follow(0, .interfaceChanged(isUp: false))
        pair.lead(0, .interfaceChanged(isUp: true))
        pair.run(until: 5_000)
        #expect(pair.leader.machine.state == .initial)
        pair.follow(5_000, .interfaceChanged(isUp: true))
        pair.run(until: 34_999)
        #expect(pair.leader.machine.state == .initial)
        pair.run(until: 35_000)
        #expect(pair.leader.machine.state == .listen && pair.follower.machine.state == .listen)
    }

    @Test("a foreign Active is reported once a minute and moves nothing; a Coup neither")
    func foreignActive() {
        var pair = Coupled.active()
        var warned = 0
        for second in 24..<100 {
            pair.run(until: second * 1000)
            for operation in [HSRPMessage.Operation.hello, .coup] {
                let actions = pair.follower.hear(second * 1000, operation, .active, priority: 255, from: Self.inside)
                for case .log(.warning, let text) in actions {
                    #expect(text.contains("10.2.0.9 is Active here as well"))
                    warned += 1
                }
                #expect(actions.counted.contains("hello.otherActive"))
            }
            #expect(pair.follower.machine.state == .active && pair.leader.machine.state == .active)
        }
        #expect(warned == 2)
    }

    private static let inside = IPAddress(10, 2, 0, 9)

    @Test("a follower knows Active and Standby of its segment for the screens, and forgets the silent ones")
    func routers() {
        var pair = Coupled.standby()
        _ = pair.follower.hear(21_000, .active, priority: 90, from: Self.inside)
        #expect(pair.follower.machine.activeRouter?.address == Self.inside)
        #expect(pair.follower.machine.state == .standby)
        _ = pair.follower.run(until: 30_999)
        #expect(pair.follower.machine.activeRouter != nil)
        _ = pair.follower.run(until: 31_000)
        #expect(pair.follower.machine.activeRouter == nil)
        #expect(pair.follower.machine.state == .standby)
        var active = Coupled.active()
        _ = active.follower.hear(21_000, .standby, priority: 90, from: Self.inside)
        #expect(active.follower.machine.standbyRouter?.address == Self.inside)
    }

    @Test("a switchover is refused by a follower; a resumed role is its leader's to resume")
    func refused() {
        var pair = Coupled.active()
        #expect(pair.follower.at(20_500, .switchoverRequested(force: true)).steps == ["refused follows"])
        var other = Coupled(leader: Router())
        other.follow(0, .interfaceChanged(isUp: true))
        #expect(other.follower.at(10, .resumed(isFenced: false)).steps == [])
        #expect(other.follower.machine.state == .initial)
    }

    @Test("a follower without an address stays in Initial and does not keep its leader there")
    func noAddress() {
        var pair = Coupled(leader: .speaking()) { $0.virtualAddress = nil }
        pair.follow(10_000, .interfaceChanged(isUp: true))
        pair.run(until: 20_000)
        #expect(pair.leader.machine.state == .active && pair.follower.machine.state == .initial)
    }

    @Test("after a sleep the leader finds out first; the follower prolongs no lease that is not its own any more")
    func slept() {
        var pair = Coupled.active()
        pair.follow(50_000, .deadlineReached)
        #expect(pair.steps.first == "raise fence" || pair.steps.first == "drain")
        #expect(!pair.steps.prefix { $0 != "drain" }.contains("F renew lease"))
        // What was received meanwhile: another, better Active.
        pair.steps = []
        pair.lead(50_000, .messageReceived(Router.message(.hello, .active, priority: 200), from: Router.stranger))
        pair.lead(50_000, .drained)
        #expect(pair.leader.machine.state == .speak && pair.follower.machine.state == .speak)
        #expect(!pair.follower.machine.holdsAddress)
    }

    @Test("whatever happens, a follower is never Active while its leader is not", arguments: 0..<200)
    func property(seed: Int) {
        var random = SplitMix64(seed: UInt64(seed))
        var pair = Coupled(
            leader: Router(priority: 100, seed: UInt64(seed), redundancy: Self.status(&random)) {
                $0.preempt = Bool.random(using: &random)
            })
        pair.follow(0, .interfaceChanged(isUp: false))
        var time = 0
        var wasActive = false
        for _ in 0..<300 {
            time += Int.random(in: 0..<2_000, using: &random)
            if Int.random(in: 0..<20, using: &random) > 0 { pair.run(until: time) }
            if Int.random(in: 0..<4, using: &random) == 0 {
                pair.follow(time, Self.followerEvent(&random))
            } else {
                pair.lead(time, Self.leaderEvent(&random))
            }
            let (leader, follower) = (pair.leader.machine, pair.follower.machine)
            #expect(follower.state == (follower.isReadyToFollow ? leader.state : .initial))
            #expect(follower.holdsAddress == (follower.state == .active))
            #expect(follower.isFenceUp == (follower.state != .active))
            wasActive = wasActive || follower.state == .active
            if !follower.isReadyToFollow, leader.state == .active, !leader.redundancy.isStateful {
                Issue.record("the leader is Active though its follower is not ready")
            }
        }
        if seed == 0 { #expect(wasActive) }
    }

    private static func status(_ random: inout SplitMix64) -> RedundancyStatus {
        guard Bool.random(using: &random) else { return RedundancyStatus(isStateful: false) }
        var status = Router.hot
        status.isAssociationUp = Bool.random(using: &random)
        status.isPeerHot = Bool.random(using: &random)
        return status
    }

    private static func leaderEvent(_ random: inout SplitMix64) -> GroupEvent {
        let source = [Router.peer, Router.stranger].randomElement(using: &random) ?? Router.peer
        switch Int.random(in: 0..<16, using: &random) {
        case 0: return .interfaceChanged(isUp: false)
        case 1, 2, 3: return .interfaceChanged(isUp: true)
        case 4: return .fitnessChanged(isFit: Bool.random(using: &random))
        case 5: return .priorityChanged(UInt8.random(in: 80...120, using: &random))
        case 6: return .switchoverRequested(force: Bool.random(using: &random))
        case 7: return .roleMessageReceived(.prepareTakeover, term: 3)
        case 8: return .roleMessageReceived(.fenced, term: 3)
        case 9: return .roleMessageReceived(.ready, term: 3)
        case 10: return .drained
        default:
            let operation =
                [HSRPMessage.Operation.hello, .hello, .hello, .coup, .resign].randomElement(using: &random) ?? .hello
            let state = [HSRPState.active, .standby, .speak].randomElement(using: &random) ?? .active
            let priority = UInt8.random(in: 80...120, using: &random)
            return .messageReceived(Router.message(operation, state, priority: priority), from: source)
        }
    }

    private static func followerEvent(_ random: inout SplitMix64) -> GroupEvent {
        switch Int.random(in: 0..<6, using: &random) {
        case 0: return .interfaceChanged(isUp: false)
        case 1, 2, 3: return .interfaceChanged(isUp: true)
        case 4: return .sendFailed
        default:
            let state = [HSRPState.active, .standby, .speak].randomElement(using: &random) ?? .active
            return .messageReceived(Router.message(.hello, state, priority: 120), from: inside)
        }
    }
}
