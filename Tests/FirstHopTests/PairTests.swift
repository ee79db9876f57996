// SPDX-License-Identifier: Apache-2.0

import ByteCodec
import FirstHop
import Primitives
import Testing

/// Two of our nodes on one virtual clock: a LAN that loses and delays, an association that breaks and comes back.
private struct Pair {
    struct Node {
        var machine: GroupMachine
        let address: IPAddress
        var holdsAddress = false
        var isFenceUp = true
        var isAlive = true
        var statusDueAt: Instant?
    }

    enum Delivery {
        case lan(HSRPMessage, from: IPAddress)
        case role(RoleMessage, term: UInt64, session: Int)
    }

    var nodes: [Node]
    var now = Instant(nanoseconds: 0)
    var queue: [(at: Instant, order: Int, to: Int, what: Delivery)] = []
    var random: SplitMix64
    var lossPercent = 0
    var isAssociationUp = true
    var session = 0
    var order = 0
    var faults: [String] = []

    init(seed: UInt64, priorities: [UInt8]) {
        random = SplitMix64(seed: seed)
        nodes = priorities.enumerated().map { index, priority in
            let address = IPAddress(10, 1, 0, UInt8(3 + index))
            var settings = GroupSettings(
                group: 10, interfacePrefix: IPPrefix(address: address, length: 24), virtualAddress: Router.virtual)
            settings.preempt = true
            settings.allowsFastStart = true
            settings.peerAddresses = [IPAddress(10, 1, 0, UInt8(4 - index))]
            return Node(
                machine: GroupMachine(
                    settings: settings, priority: priority, redundancy: RedundancyStatus(isStateful: true),
                    seed: seed &+ UInt64(index)), address: address)
        }
        for index in nodes.indices {
            step(index, .interfaceChanged(isUp: true))
            step(index, .redundancyChanged(status(of: index)))
        }
    }

    /// A perfect replication: a standby is HOT whenever the association is up and the other one is Active.
    func status(of index: Int) -> RedundancyStatus {
        var status = RedundancyStatus(isStateful: true)
        let peer = nodes[1 - index]
        status.isAssociationUp = isAssociationUp
        status.isLocalHot = isAssociationUp && peer.machine.state == .active && nodes[index].machine.state != .active
        status.isPeerHot = isAssociationUp && nodes[index].machine.state == .active && peer.machine.state != .active
        status.isPeerPopulated = true
        status.mayPeerKernelLive = true
        return status
    }

    mutating func step(_ index: Int, _ event: GroupEvent) {
        guard nodes[index].isAlive else { return }
        var actions: [GroupAction] = []
        nodes[index].machine.handle(event, at: now, actions: &actions)
        for action in actions { perform(action, of: index) }
        check()
    }

    private mutating func perform(_ action: GroupAction, of index: Int) {
        switch action {
        case .send(let message, _):
            guard Int.random(in: 0..<100, using: &random) >= lossPercent else { return }
            deliver(.lan(message, from: nodes[index].address), to: 1 - index, after: 1...30)
        case .sendRole(let message, let term):
            guard isAssociationUp else { return }
            deliver(.role(message, term: term, session: session), to: 1 - index, after: 5...5)
        case .raiseFence: nodes[index].isFenceUp = true
        case .lowerFence: nodes[index].isFenceUp = false
        case .addAddress, .renewLease: nodes[index].holdsAddress = true
        case .deleteAddress: nodes[index].holdsAddress = false
        case .stateChanged:
            for other in nodes.indices { nodes[other].statusDueAt = now + .milliseconds(40) }
        case .proveReception: faults.append("nobody is asked for a proof here")
        case .drainReceived: faults.append("nobody stalls here")
        default: break
        }
    }

    /// Delays in tenths of a millisecond; role messages keep their order.
    private mutating func deliver(_ what: Delivery, to index: Int, after tenths: ClosedRange<Int>) {
        let delay = Interval(nanoseconds: UInt64(Int.random(in: tenths, using: &random)) * 100_000)
        order += 1
        queue.append((now + delay, order, index, what))
    }

    /// One sender: never both without a fence and with the address.
    private mutating func check() {
        let senders = nodes.filter { $0.isAlive && $0.holdsAddress && !$0.isFenceUp }.count
        if senders > 1 { faults.append("two senders at \(now.nanoseconds / 1_000_000) ms") }
    }

    mutating func run(for interval: Interval) {
        let end = now + interval
        while true {
            var next = end
            for node in nodes where node.isAlive {
                next = min(next, node.machine.nextDeadline ?? end, node.statusDueAt ?? end)
            }
            if let first = queue.map(\.at).min() { next = min(next, first) }
            now = max(now, next)
            if now >= end { return }
            for index in nodes.indices { tick(index) }
            let due = queue.filter { $0.at <= now }.sorted { ($0.at, $0.order) < ($1.at, $1.order) }
            queue.removeAll { $0.at <= now }
            for item in due {
                switch item.what {
                case .lan(let message, let source): step(item.to, .messageReceived(message, from: source))
                case .role(let message, let term, let session):
                    if session == self.session, isAssociationUp {
                        step(item.to, .roleMessageReceived(message, term: term))
                    }
                }
            }
        }
    }

    private mutating func tick(_ index: Int) {
        if let due = nodes[index].statusDueAt, due <= now {
            nodes[index].statusDueAt = nil
            step(index, .redundancyChanged(status(of: index)))
        }
        if let deadline = nodes[index].machine.nextDeadline, deadline <= now { step(index, .deadlineReached) }
    }

    mutating func setAssociation(_ isUp: Bool) {
        if isUp, !isAssociationUp { session += 1 }
        isAssociationUp = isUp
        for index in nodes.indices { step(index, .redundancyChanged(status(of: index))) }
    }

    var states: [HSRPState] { nodes.map(\.machine.state) }
}

@Suite struct PairTests {
    @Test("a cold pair elects one Active and one Standby, the better one first, with one sender at all times")
    func coldStart() {
        for seed in 1...30 as ClosedRange<UInt64> {
            var pair = Pair(seed: seed, priorities: [105, 100])
            pair.run(for: .seconds(40))
            #expect(pair.states == [.active, .standby], "seed \(seed)")
            #expect(pair.faults == [])
        }
    }

    @Test("a fallen priority moves the role within 10 ms, its return moves it back, never two senders")
    func trackedLink() {
        for seed in 1...30 as ClosedRange<UInt64> {
            var pair = Pair(seed: seed, priorities: [105, 100])
            pair.run(for: .seconds(40))
            pair.step(0, .priorityChanged(95))
            pair.run(for: .milliseconds(10))
            #expect(pair.states == [.speak, .active], "seed \(seed)")
            pair.run(for: .seconds(30))
            #expect(pair.states == [.standby, .active], "seed \(seed)")
            pair.step(0, .priorityChanged(105))
            pair.run(for: .seconds(30))
            #expect(pair.states == [.active, .standby], "seed \(seed)")
            #expect(pair.faults == [])
        }
    }

    @Test("switchover moves the role to the worse node and leaves it there")
    func switchover() {
        for seed in 1...30 as ClosedRange<UInt64> {
            var pair = Pair(seed: seed, priorities: [105, 100])
            pair.run(for: .seconds(40))
            pair.step(0, .switchoverRequested(force: false))
            pair.run(for: .seconds(60))
            #expect(pair.states == [.standby, .active], "seed \(seed)")
            #expect(pair.faults == [])
        }
    }

    @Test(
        "chaos of loss, breaks and priorities: with the association up, never two senders; healed, exactly one Active")
    func chaos() {
        for seed in 1...60 as ClosedRange<UInt64> {
            var pair = Pair(seed: seed, priorities: [105, 100])
            pair.run(for: .seconds(40))
            pair.lossPercent = 60
            for _ in 0..<20 {
                switch Int.random(in: 0..<4, using: &pair.random) {
                case 0: pair.step(Int.random(in: 0...1, using: &pair.random), .priorityChanged(95))
                case 1: pair.step(Int.random(in: 0...1, using: &pair.random), .priorityChanged(105))
                case 2: pair.step(Int.random(in: 0...1, using: &pair.random), .switchoverRequested(force: false))
                default: pair.lossPercent = Int.random(in: 0...100, using: &pair.random)
                }
                pair.run(for: .milliseconds(Int.random(in: 1...15_000, using: &pair.random)))
            }
            #expect(pair.faults == [], "seed \(seed)")
            pair.lossPercent = 0
            pair.run(for: .seconds(60))
            #expect(Set(pair.states) == [.active, .standby], "seed \(seed): \(pair.states)")
        }
    }

    @Test("a split of both wires heals to one Active and one Standby")
    func healedSplit() {
        for seed in 1...30 as ClosedRange<UInt64> {
            var pair = Pair(seed: seed, priorities: [105, 100])
            pair.run(for: .seconds(40))
            pair.lossPercent = 100
            pair.setAssociation(false)
            pair.run(for: .seconds(Int.random(in: 11...40, using: &pair.random)))
            #expect(pair.states == [.active, .active], "seed \(seed)")
            pair.faults = []
            pair.setAssociation(true)
            pair.run(for: .milliseconds(20))
            #expect(pair.nodes.filter { !$0.isFenceUp }.count == 1, "seed \(seed)")
            pair.lossPercent = 0
            pair.run(for: .seconds(60))
            #expect(Set(pair.states) == [.active, .standby], "seed \(seed): \(pair.states)")
        }
    }

    @Test("a dead Active is followed within hold time and a hello")
    func death() {
        for seed in 1...30 as ClosedRange<UInt64> {
            var pair = Pair(seed: seed, priorities: [105, 100])
            pair.run(for: .seconds(40))
            pair.nodes[0].isAlive = false
            pair.isAssociationUp = false
            pair.step(1, .redundancyChanged(pair.status(of: 1)))
            pair.run(for: .milliseconds(10_100))
            #expect(pair.states[1] == .active, "seed \(seed)")
            #expect(!pair.nodes[1].isFenceUp)
        }
    }
}
