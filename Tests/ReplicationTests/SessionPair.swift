// SPDX-License-Identifier: Apache-2.0

import ByteCodec
import Primitives
import SecurityAssociations

@testable import Replication

/// One node of a test: the machine, a toy journal (a list of records with an order-free digest) and what it noted.
struct TestNode {
    var machine: SessionMachine
    var hello: SessionHello
    var state = RedundancyState.standbyCold
    var journal: [[UInt8]] = []
    var actions: [SessionMachine.Action] = []
    var logs: [String] = []
    var counts: [String: Int] = [:]
    var acknowledges = true

    init(_ name: String, boot: UInt64, active: Bool) {
        hello = sampleHello(node: name, boot: boot, active: active)
        machine = SessionMachine(local: hello, state: .standbyCold)
    }

    var digest: UInt64 { journal.reduce(0) { $0 ^ UInt64(truncatingIfNeeded: $1.hashValue) } }
}

/// Two session machines on one virtual clock with a wire between them that tests may cut or spoil.
struct SessionPair {
    var left = TestNode("R3", boot: 1, active: true)
    var right = TestNode("R4", boot: 2, active: false)
    var now = Instant(nanoseconds: 1_000_000_000)
    /// Sees each frame on its way; nil drops it.
    var wire: (Frame) -> [Frame] = { [$0] }

    init(leftAuthoritative: Bool = true) {
        left.hello.journal.isAuthoritative = leftAuthoritative
        changeLocal(\.left)
    }

    mutating func changeLocal(_ side: WritableKeyPath<SessionPair, TestNode>) {
        self[keyPath: side].hello.journal.count = UInt32(self[keyPath: side].journal.count)
        self[keyPath: side].hello.journal.digest = self[keyPath: side].digest
        give(.localChanged(self[keyPath: side].hello, state: self[keyPath: side].state), to: side)
    }

    mutating func connect() {
        give(.associationCameUp, to: \.left)
        give(.associationCameUp, to: \.right)
        settle()
    }

    /// Hands an event to one node and plays the process for it.
    mutating func give(_ event: SessionMachine.Event, to side: WritableKeyPath<SessionPair, TestNode>) {
        var actions: [SessionMachine.Action] = []
        self[keyPath: side].machine.handle(event, at: now, actions: &actions)
        self[keyPath: side].actions += actions
        for action in actions { perform(action, on: side) }
    }

    private mutating func perform(_ action: SessionMachine.Action, on side: WritableKeyPath<SessionPair, TestNode>) {
        switch action {
        case .makeSnapshot:
            let node = self[keyPath: side]
            give(.snapshotMade(node.journal.map { SecretBytes($0) }, digest: node.digest), to: side)
        case .beginSnapshot: self[keyPath: side].journal = []
        case .applyRecord(let bytes, let sequence):
            self[keyPath: side].journal.append(bytes.withBytes { Array($0) })
            if self[keyPath: side].acknowledges { give(.recordsDelivered(through: sequence), to: side) }
        case .endSnapshot(let digest, let sequence), .checkMark(let digest, let sequence):
            guard digest == self[keyPath: side].digest else { return give(.copyFoundWrong, to: side) }
            self[keyPath: side].hello.journal.isAuthoritative = true
            if self[keyPath: side].acknowledges { give(.recordsDelivered(through: sequence), to: side) }
            changeLocal(side)
        case .log(let line): self[keyPath: side].logs.append(line)
        case .count(let name): self[keyPath: side].counts[name.description, default: 0] += 1
        default: break
        }
    }

    /// Carries frames both ways until nothing moves.
    mutating func settle() {
        for _ in 0..<1_000_000 {
            let moved = carry(from: \.left, to: \.right)
            if !carry(from: \.right, to: \.left), !moved { return }
        }
    }

    mutating func carry(
        from sender: WritableKeyPath<SessionPair, TestNode>, to receiver: WritableKeyPath<SessionPair, TestNode>
    ) -> Bool {
        guard let frame = self[keyPath: sender].machine.nextFrame() else { return false }
        for copy in wire(frame) { give(.frameReceived(copy), to: receiver) }
        return true
    }

    /// Lets time pass in steps of 100 ms, with heartbeats.
    mutating func advance(milliseconds: Int, carrying: Bool = true) {
        for _ in 0..<(milliseconds / 100) {
            now = now + .milliseconds(100)
            give(.deadlinePassed, to: \.left)
            give(.deadlinePassed, to: \.right)
            if carrying { settle() }
        }
    }

    mutating func record(_ bytes: [UInt8], on side: WritableKeyPath<SessionPair, TestNode>) {
        self[keyPath: side].journal.append(bytes)
        give(.recordMade(SecretBytes(bytes)), to: side)
        give(.digestTaken(self[keyPath: side].digest), to: side)
    }

    mutating func become(
        active: Bool, term: UInt64, _ side: WritableKeyPath<SessionPair, TestNode>
    ) {
        self[keyPath: side].hello.isActive = active
        self[keyPath: side].hello.term = term
        changeLocal(side)
    }

    mutating func setState(_ state: RedundancyState, _ side: WritableKeyPath<SessionPair, TestNode>) {
        self[keyPath: side].state = state
        changeLocal(side)
    }
}
