// SPDX-License-Identifier: Apache-2.0

import FirstHop
import Primitives
import SecurityAssociations
import Testing

@testable import Replication

@Suite struct SessionMachineTests {
    @Test("hello, snapshot, acknowledgement: the standby holds the Active's records")
    func straightRoad() {
        var pair = SessionPair()
        pair.left.journal = [[1], [2], [3]]
        pair.connect()
        #expect(pair.left.machine.flow == .sending)
        #expect(pair.right.machine.flow == .receiving)
        #expect(pair.right.journal == [[1], [2], [3]])
        #expect(pair.left.machine.unacknowledgedCount == 0)
        pair.record([4], on: \.left)
        #expect(pair.left.machine.unacknowledgedCount == 2)
        pair.settle()
        #expect(pair.right.journal == [[1], [2], [3], [4]])
        #expect(pair.left.machine.unacknowledgedCount == 0)
    }

    @Test("the peer counts as HOT only when it says so and the snapshot is acknowledged")
    func peerHot() {
        var pair = SessionPair()
        pair.right.acknowledges = false
        pair.left.journal = [[1]]
        pair.connect()
        pair.setState(.standbyHot, \.right)
        pair.settle()
        #expect(!pair.left.machine.isPeerHot)
        pair.right.acknowledges = true
        pair.give(.copyFoundWrong, to: \.right)
        pair.settle()
        #expect(pair.left.machine.isPeerHot)
    }

    @Test("a record unacknowledged for two seconds takes HOT away until it is acknowledged")
    func overdue() {
        var pair = SessionPair()
        pair.connect()
        pair.setState(.standbyHot, \.right)
        pair.settle()
        pair.right.acknowledges = false
        pair.record([9], on: \.left)
        pair.advance(milliseconds: 1900)
        #expect(pair.left.machine.isPeerHot)
        pair.advance(milliseconds: 200)
        #expect(!pair.left.machine.isPeerHot)
        #expect(pair.left.actions.contains(.noteOverdue(true)))
        pair.give(.recordsDelivered(through: 3), to: \.right)
        pair.settle()
        #expect(pair.left.machine.isPeerHot)
    }

    @Test("a standby names strays to the Active, in pieces; the Active's own are nobody's matter")
    func strays() {
        var pair = SessionPair()
        pair.connect()
        let names = (0..<UInt64(ReplicationLimits.straysPerFrame + 1)).map {
            Frame.IKEName(initiator: $0, responder: 1)
        }
        pair.give(.straysFound(names), to: \.right)
        pair.give(.straysFound(names), to: \.left)
        pair.settle()
        let heard = pair.left.actions.compactMap { if case .noteStrays(let names) = $0 { names } else { nil } }
        #expect(heard.map(\.count) == [ReplicationLimits.straysPerFrame, 1])
        #expect(heard.flatMap(\.self) == names)
        #expect(!pair.right.actions.contains { if case .noteStrays = $0 { true } else { false } })
        pair.give(.frameReceived(.strays(names)), to: \.right)
        #expect(pair.right.counts["session.straysFromWrongSide"] == 1)
    }

    @Test("no hello within three seconds closes the association")
    func helloTimeout() {
        var pair = SessionPair()
        pair.wire = { _ in [] }
        pair.connect()
        pair.advance(milliseconds: 3000)
        #expect(pair.left.actions.contains(.closeAssociation(reason: "the peer said no hello within 3 s")))
        #expect(pair.left.machine.phase == .down)
        #expect(pair.left.counts["session.helloTimeout"] == 1)
    }

    @Test("another protocol version, another scheme and this node itself are refused by name")
    func refusals() {
        for (change, text) in [
            ({ (hello: inout SessionHello) in hello.protocolVersion = 2 }, "version 1, this node version 2"),
            ({ (hello: inout SessionHello) in hello.scheme = "DMZ" }, "this node's is \"DMZ\""),
            ({ (hello: inout SessionHello) in hello.bootID = 1 }, "itself"),
        ] {
            var pair = SessionPair()
            change(&pair.right.hello)
            pair.changeLocal(\.right)
            pair.connect()
            #expect(pair.right.machine.phase == .down)
            #expect(pair.right.logs.contains { $0.contains(text) })
            #expect(pair.right.counts["session.refused"] == 1)
        }
    }

    @Test("items that differ are warnings with their names; the session goes on")
    func differences() {
        var pair = SessionPair()
        pair.right.hello.agreedItems = [.init(name: "standby 10 timers", value: "1000 3000")]
        pair.left.hello.agreedItems.append(.init(name: "crypto map MAPA", value: "stateful"))
        pair.changeLocal(\.left)
        pair.changeLocal(\.right)
        pair.connect()
        #expect(pair.left.machine.phase == .established)
        #expect(pair.left.logs.filter { $0.contains("DIFFERENCE") }.count == 2)
        #expect(
            pair.left.logs.contains { $0.contains("standby 10 timers is \"3000 10000\" here and \"1000 3000\" on R4") })
    }

    @Test("a restarted Active borrows the standby's copy and gives it back")
    func borrowing() {
        var pair = SessionPair(leftAuthoritative: false)
        pair.right.journal = [[1], [2]]
        pair.right.hello.journal.isAuthoritative = true
        pair.changeLocal(\.right)
        pair.connect()
        #expect(pair.left.actions.contains(.noteFlow(.borrowing)))
        #expect(pair.left.journal == [[1], [2]])
        #expect(pair.left.machine.flow == .sending)
        #expect(pair.right.machine.flow == .receiving)
        #expect(pair.right.journal == [[1], [2]])
    }

    @Test("without any authoritative journal nothing flows until one side has one")
    func noAuthority() {
        var pair = SessionPair(leftAuthoritative: false)
        pair.connect()
        #expect(pair.left.machine.flow == .idle)
        pair.left.journal = [[7]]
        pair.left.hello.journal.isAuthoritative = true
        pair.changeLocal(\.left)
        pair.settle()
        #expect(pair.right.journal == [[7]])
    }

    @Test("a change of roles turns the flow around, whichever node hears of it first", arguments: [true, false])
    func switchover(newFirst: Bool) {
        var pair = SessionPair()
        pair.left.journal = [[1]]
        pair.connect()
        if newFirst { pair.become(active: true, term: 4, \.right) } else { pair.become(active: false, term: 3, \.left) }
        pair.settle()
        if newFirst { pair.become(active: false, term: 3, \.left) } else { pair.become(active: true, term: 4, \.right) }
        pair.settle()
        #expect(pair.right.machine.flow == .sending)
        #expect(pair.left.machine.flow == .receiving)
        pair.record([2], on: \.right)
        pair.settle()
        #expect(pair.left.journal == [[1], [2]])
        #expect(pair.right.machine.unacknowledgedCount == 0)
    }

    @Test("two Actives exchange no records")
    func twoActives() {
        var pair = SessionPair()
        pair.become(active: true, term: 3, \.right)
        pair.connect()
        #expect(pair.left.machine.flow == .idle)
        #expect(pair.right.machine.flow == .idle)
    }

    @Test("a claim to the role by an older term makes no source: it is taken back, and not believed")
    func olderClaim() {
        var pair = SessionPair()
        pair.connect()
        pair.become(active: true, term: 4, \.right)
        pair.settle()
        pair.become(active: false, term: 4, \.right)
        pair.settle()
        // left still counts itself as Active of term 3: its failover process hangs.
        #expect(pair.right.machine.peer?.isActive == false)
        #expect(pair.left.machine.flow == .idle)
        #expect(pair.right.machine.flow == .idle)
        #expect(pair.left.actions.contains(.noteActiveTerm(4)))
        pair.become(active: true, term: 5, \.left)
        pair.settle()
        #expect(pair.right.machine.flow == .receiving)
    }

    @Test("the term of a peer that was Active is known behind the end of its life: an older role counts for nothing")
    func formerPeersTerm() {
        var pair = SessionPair()
        pair.connect()
        #expect(pair.right.machine.highestTerm == 3)
        pair.give(.associationWentDown(reason: "its power failed"), to: \.right)
        pair.left = TestNode("R3", boot: 3, active: false)
        pair.become(active: false, term: 0, \.left)
        pair.connect()
        #expect(pair.right.machine.peer?.term == 0)
        #expect(pair.right.machine.highestTerm == 3)
    }

    @Test("a forgetful failover's question passes with an old term; its order does not")
    func forgetfulPeer() {
        var pair = SessionPair()
        pair.connect()
        let old = RoleStamp(bootID: 1, group: 10, term: 1)
        pair.give(.frameReceived(.role(.question(nonce: 7), stamp: old)), to: \.right)
        #expect(pair.right.actions.last == .deliverRole(.question(nonce: 7), group: 10, term: 1))
        pair.give(.frameReceived(.role(.fenced, stamp: old)), to: \.right)
        #expect(pair.right.counts["role.staleTerm"] == 1)
    }

    @Test("who borrows the records borrows the numbers with them")
    func borrowedNumbers() {
        var pair = SessionPair(leftAuthoritative: false)
        pair.right.hello.journal.isAuthoritative = true
        pair.changeLocal(\.right)
        pair.wire = { frame in if case .snapshotEnd = frame { [] } else { [frame] } }
        pair.connect()
        #expect(pair.right.machine.flow == .lending)
        let counter = Frame.Counter(
            identity: SAIdentity(destination: IPAddress(10, 1, 0, 5), spi: 1), sequence: 100_053)
        pair.give(.countersTaken([counter]), to: \.right)
        pair.settle()
        #expect(pair.left.actions.contains(.installCounters(number: 1, isLast: true, [counter])))
    }

    @Test("a lost or doubled record never leaves a wrong copy", arguments: [0, 2])
    func lossAndDuplication(copies: Int) {
        var pair = SessionPair()
        pair.left.journal = (0..<20).map { [$0] }
        var spoiled = 0
        pair.wire = { frame in
            if case .record(let sequence, _) = frame, sequence == 7, spoiled == 0 {
                spoiled += 1
                return Array(repeating: frame, count: copies)
            }
            return [frame]
        }
        pair.connect()
        #expect(pair.right.journal == pair.left.journal)
        #expect(pair.left.machine.unacknowledgedCount == 0)
        #expect(pair.right.counts[copies == 0 ? "session.recordOutOfOrder" : "session.duplicateRecord"] == 1)
    }

    @Test("a digest that differs fetches a new snapshot")
    func wrongDigest() {
        var pair = SessionPair()
        pair.left.journal = [[1]]
        pair.connect()
        pair.right.journal = [[66]]
        pair.give(.digestTaken(pair.left.digest), to: \.left)
        pair.settle()
        #expect(pair.right.journal == [[1]])
    }

    @Test("role frames overtake a backlog of records")
    func overtaking() {
        var pair = SessionPair()
        pair.connect()
        for value in 0..<100 { pair.record([UInt8(value)], on: \.left) }
        pair.give(.roleMessageMade(.prepareTakeover, group: 10, term: 3), to: \.left)
        let stamp = RoleStamp(bootID: 1, group: 10, term: 3)
        #expect(pair.left.machine.nextFrame() == .role(.prepareTakeover, stamp: stamp))
    }

    @Test("a backlog over its limit becomes a snapshot")
    func backlog() {
        var pair = SessionPair()
        pair.connect()
        for value in 0...ReplicationLimits.queuedRecords {
            let bytes = [UInt8(truncatingIfNeeded: value), UInt8(truncatingIfNeeded: value >> 8)]
            pair.left.journal.append(bytes)
            pair.give(.recordMade(SecretBytes(bytes)), to: \.left)
        }
        #expect(pair.left.counts["session.backlogOverLimit"] == 1)
        pair.settle()
        #expect(pair.right.journal == pair.left.journal)
    }

    @Test("stale role messages are dropped: an earlier life, an earlier term, another group")
    func staleRoles() {
        var pair = SessionPair()
        pair.connect()
        func role(_ boot: UInt64, _ group: UInt16, _ term: UInt64) -> SessionMachine.Event {
            .frameReceived(.role(.released, stamp: RoleStamp(bootID: boot, group: group, term: term)))
        }
        pair.give(role(99, 10, 3), to: \.right)
        pair.give(role(1, 10, 2), to: \.right)
        pair.give(role(1, 11, 3), to: \.right)
        #expect(pair.right.counts["role.staleBoot"] == 1)
        #expect(pair.right.counts["role.staleTerm"] == 1)
        #expect(pair.right.counts["role.wrongGroup"] == 1)
        pair.give(role(1, 10, 5), to: \.right)
        #expect(pair.right.actions.last == .deliverRole(.released, group: 10, term: 5))
        pair.give(role(1, 10, 4), to: \.right)
        #expect(pair.right.counts["role.staleTerm"] == 2)
    }

    @Test("a silent peer is noticed after a second and forgiven at its next frame")
    func silence() {
        var pair = SessionPair()
        pair.connect()
        pair.advance(milliseconds: 5000)
        #expect(!pair.left.machine.isPeerSilent)
        pair.advance(milliseconds: 1000, carrying: false)
        #expect(pair.left.machine.isPeerSilent)
        #expect(pair.left.actions.contains(.noteSilence(true)))
        pair.settle()
        #expect(!pair.left.machine.isPeerSilent)
    }

    @Test("a process that slept longer than the silence ends the session before it believes what has waited")
    func slept() {
        var pair = SessionPair()
        pair.connect()
        pair.now = pair.now + .milliseconds(1_100)
        pair.give(.frameReceived(.heartbeat(term: 1)), to: \.right)
        #expect(pair.right.machine.phase == .established)
        pair.now = pair.now + .milliseconds(101)
        let word = RoleMessage.answer(nonce: RoleMessage.proclamation, isActive: true)
        pair.give(.frameReceived(.role(word, stamp: RoleStamp(bootID: 1, group: 10, term: 9))), to: \.right)
        #expect(pair.right.machine.phase == .down)
        #expect(pair.right.counts["session.slept"] == 1)
        #expect(pair.right.actions.contains(.closeAssociation(reason: "this process slept")))
        #expect(!pair.right.actions.contains(.deliverRole(word, group: 10, term: 9)))
    }

    @Test("counters travel in bounded frames, the latest report only, and are confirmed")
    func counters() {
        var pair = SessionPair()
        pair.connect()
        let counters = (0..<1200).map {
            Frame.Counter(
                identity: SAIdentity(destination: IPAddress(10, 1, 0, 5), spi: UInt32($0)), sequence: UInt64($0))
        }
        pair.give(.countersTaken([]), to: \.left)
        pair.give(.countersTaken(counters), to: \.left)
        pair.settle()
        var received: [Frame.Counter] = []
        for case .installCounters(let number, _, let part) in pair.right.actions {
            #expect(number == 2)
            #expect(part.count <= ReplicationLimits.countersPerFrame)
            received += part
        }
        #expect(received == counters)
        pair.give(.countersInstalled(number: 2), to: \.right)
        pair.settle()
        #expect(pair.left.actions.contains(.noteCountersInstalled(number: 2)))
    }

    @Test("records, counters and acknowledgements from the wrong side are counted and change nothing")
    func wrongSide() {
        var pair = SessionPair()
        pair.connect()
        pair.give(.frameReceived(.record(sequence: 1, bytes: SecretBytes([1]))), to: \.left)
        pair.give(.frameReceived(.counters(number: 1, isLast: true, [])), to: \.left)
        pair.give(.frameReceived(.acknowledged(sequence: 1_000_000)), to: \.left)
        pair.give(.frameReceived(.hello(sampleHello(boot: 2))), to: \.left)
        #expect(pair.left.counts["session.recordFromWrongSide"] == 1)
        #expect(pair.left.counts["session.countersFromWrongSide"] == 1)
        #expect(pair.left.counts["session.badAcknowledgement"] == 1)
        #expect(pair.left.counts["session.secondHello"] == 1)
        #expect(pair.left.journal.isEmpty)
    }

    @Test("frames before the hello and without an association are counted")
    func earlyFrames() {
        var pair = SessionPair()
        pair.give(.frameReceived(.heartbeat(term: 1)), to: \.left)
        pair.give(.associationCameUp, to: \.left)
        pair.give(.frameReceived(.heartbeat(term: 1)), to: \.left)
        #expect(pair.left.counts["session.frameWithoutAssociation"] == 1)
        #expect(pair.left.counts["session.frameBeforeHello"] == 1)
    }

    @Test("a lost association ends the session and the next one starts from a snapshot")
    func reconnect() {
        var pair = SessionPair()
        pair.left.journal = [[1]]
        pair.connect()
        for side in [\SessionPair.left, \SessionPair.right] {
            pair.give(.associationWentDown(reason: "path failed"), to: side)
            #expect(pair[keyPath: side].actions.contains(.noteEnded(reason: "path failed")))
        }
        pair.record([2], on: \.left)
        pair.connect()
        #expect(pair.right.journal == [[1], [2]])
    }
}
