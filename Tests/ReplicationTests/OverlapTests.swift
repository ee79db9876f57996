// SPDX-License-Identifier: Apache-2.0

import Primitives
import Testing

@testable import Replication

/// Two nodes that were both Active without hearing of each other: who stays.
@Suite struct OverlapTests {
    /// Both Active, in these terms, VPN peers heard so many milliseconds before the association comes (nil: never).
    private func meeting(
        terms: (left: UInt64, right: UInt64), heard: (left: Int?, right: Int?), activeMilliseconds: Int = 5_000,
        wire: @escaping (Frame) -> [Frame] = { [$0] }
    ) -> SessionPair {
        var pair = SessionPair()
        pair.wire = wire
        pair.become(active: true, term: terms.left, \.left)
        pair.become(active: true, term: terms.right, \.right)
        let longest = max(heard.left ?? 0, heard.right ?? 0, activeMilliseconds)
        for age in stride(from: longest, through: 0, by: -100) {
            if heard.left == age { pair.give(.peerTrafficSeen, to: \.left) }
            if heard.right == age { pair.give(.peerTrafficSeen, to: \.right) }
            if age > 0 { pair.now = pair.now + .milliseconds(100) }
        }
        pair.connect()
        return pair
    }

    private func outranked(_ node: TestNode) -> UInt64? {
        for case .noteOutrankedTerm(let term) in node.actions { return term }
        return nil
    }

    private func activeTerm(_ node: TestNode) -> UInt64? {
        for case .noteActiveTerm(let term) in node.actions { return term }
        return nil
    }

    @Test("the later authenticated traffic outranks the later term: its node is told to take a later one still")
    func traffic() {
        let pair = meeting(terms: (3, 5), heard: (200, 20_000))
        #expect(outranked(pair.left) == 5)
        #expect(activeTerm(pair.left) == nil)
        #expect(outranked(pair.right) == nil)
        #expect(pair.left.actions.contains(.noteOverlap))
        #expect(pair.right.actions.contains(.noteOverlap))
        let other = meeting(terms: (5, 3), heard: (nil, 200))
        #expect(outranked(other.right) == 5)
        #expect(outranked(other.left) == nil)
        // With equal terms as well: a term of its own.
        let equal = meeting(terms: (4, 4), heard: (200, nil))
        #expect(outranked(equal.left) == 5)
        #expect(outranked(equal.right) == nil)
    }

    @Test("the other one yields as soon as it hears the later term")
    func yields() {
        var pair = meeting(terms: (3, 5), heard: (200, 20_000))
        pair.become(active: true, term: 6, \.left)
        pair.settle()
        #expect(pair.right.actions.contains(.noteActiveTerm(6)))
        pair.become(active: false, term: 6, \.right)
        pair.settle()
        #expect(pair.left.machine.flow == .sending)
        #expect(pair.right.machine.flow == .receiving)
    }

    @Test("traffic that does not tell the two apart leaves it to the terms", arguments: [(200, 2_200), (2_200, 200)])
    func tie(left: Int, right: Int) {
        let pair = meeting(terms: (3, 5), heard: (left, right))
        #expect(outranked(pair.left) == nil && outranked(pair.right) == nil)
        #expect(activeTerm(pair.left) == 5)
        let silent = meeting(terms: (3, 5), heard: (nil, nil))
        #expect(outranked(silent.left) == nil && outranked(silent.right) == nil)
    }

    @Test("a later term with the later traffic needs no other")
    func alreadyLater() {
        let pair = meeting(terms: (6, 5), heard: (200, 20_000))
        #expect(outranked(pair.left) == nil)
        #expect(activeTerm(pair.right) == 6)
    }

    @Test("a peer of an older build does not say when it heard anybody: the terms decide")
    func olderPeer() {
        let pair = meeting(terms: (3, 5), heard: (200, 20_000)) { frame in
            guard case .hello(var hello) = frame else { return [frame] }
            hello.trafficMilliseconds = nil
            return [.hello(hello)]
        }
        #expect(outranked(pair.left) == nil)
        #expect(activeTerm(pair.left) == 5)
    }

    @Test(
        "who has just taken the role and heard nobody yet does not yield for that; what it heard before does not count")
    func justActive() {
        let pair = meeting(terms: (3, 5), heard: (1_800, nil), activeMilliseconds: 1_800)
        #expect(outranked(pair.left) == nil)
        #expect(activeTerm(pair.left) == 5)
        var again = SessionPair()
        again.become(active: true, term: 5, \.right)
        again.give(.peerTrafficSeen, to: \.right)
        again.become(active: false, term: 5, \.right)
        again.now = again.now + .seconds(20)
        again.become(active: true, term: 6, \.left)
        again.give(.peerTrafficSeen, to: \.left)
        again.now = again.now + .seconds(3)
        again.become(active: true, term: 7, \.right)
        again.now = again.now + .seconds(1)
        again.connect()
        #expect(outranked(again.left) == nil)
        #expect(activeTerm(again.left) == 7)
    }

    @Test("a standby that heard nobody is no second Active")
    func standby() {
        var pair = SessionPair()
        pair.give(.peerTrafficSeen, to: \.left)
        pair.connect()
        #expect(!pair.left.actions.contains(.noteOverlap))
        #expect(!pair.right.actions.contains(.noteOverlap))
    }
}
