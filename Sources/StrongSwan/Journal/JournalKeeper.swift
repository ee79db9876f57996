// SPDX-License-Identifier: Apache-2.0

import DequeModule
public import Primitives
public import Replication

/// This node's journal, the copy that is being received, and which of the peer's numbers may be acknowledged.
public struct JournalKeeper: Sendable {
    /// What became of a record from the peer.
    public enum Applied: Equatable, Sendable {
        /// Part of a copy that is not complete.
        case held
        /// To be delivered to the IKE daemon.
        case deliver(CharonRecord)
        /// Nothing to deliver as it is: a comparison of the IKE daemon with the journal brings it about.
        case compare
        /// Nothing to deliver; the name is a counter's.
        case ignored(String)
    }

    /// Records of the local charon that may wait until it is settled whose journal is true.
    public static let maximumWaiting = 65_536

    /// The journal.
    public private(set) var journal = CharonJournal()
    /// The journal is complete, as far as anybody can know.
    public var isAuthoritative = false
    /// A copy is being received or was received in this session.
    public private(set) var hasCopyBegun = false
    /// The digest was equal at the last mark or snapshot's end.
    public private(set) var isEqual = false
    /// Outbound SPIs of the children that are on their way to charon, or through it, and will be in the kernel later.
    public private(set) var undelivered: Set<UInt32> = []
    /// The standing IKE SAs that copies have changed since charon was compared last.
    public private(set) var copied = StateRefresh.none
    private var incoming: CharonJournal?
    private var acknowledgements: Deque<(local: UInt64, wire: UInt64)> = []
    private var waiting: [HAMessage] = []

    /// Starts empty, and not authoritative.
    public init() {}

    /// What the peer is told.
    public var state: JournalState {
        JournalState(count: UInt32(journal.recordCount), digest: journal.digest, isAuthoritative: isAuthoritative)
    }

    /// Whether everything that came from the peer was delivered.
    public var isAcknowledged: Bool { acknowledgements.isEmpty && incoming == nil }

    // MARK: From the peer

    /// A copy starts.
    public mutating func beginCopy() {
        var fresh = journal
        fresh.removeAll()
        incoming = fresh
        hasCopyBegun = true
        isEqual = false
        acknowledgements.removeAll()
    }

    /// Takes a record that the peer sent under `wire`.
    public mutating func apply(_ bytes: SecretBytes, wire: UInt64) -> Applied {
        guard let message = bytes.withBytes({ try? HAMessage(decoding: Array($0)[...]) }) else {
            return .ignored("record.malformed")
        }
        if incoming != nil {
            guard case .ignored(let reason) = incoming?.append(message) else { return .held }
            return .ignored(reason.rawValue)
        }
        switch journal.append(message) {
        case .recorded(let sequence):
            acknowledgements.append((sequence, wire))
            if message.kind == .childAdd, let spi = message.outboundSPI, undelivered.count < Limits.deliveryQueueCount {
                undelivered.insert(spi)
            }
            return message.isPeerMove ? .compare : .deliver(CharonRecord(sequence: sequence, message: message))
        case .ignored(let reason):
            acknowledgements.append((journal.lastSequence, wire))
            return .ignored(reason.rawValue)
        }
    }

    /// The copy is complete; true if its digest is the peer's, and then it is the journal.
    public mutating func endCopy(digest: UInt64, wire: UInt64) -> Bool {
        guard let copy = incoming else { return false }
        incoming = nil
        guard copy.digest == digest else {
            hasCopyBegun = false
            return false
        }
        copied = isAuthoritative ? copied.joined(with: copy.changes(of: journal)) : .all
        journal = copy
        isEqual = true
        isAuthoritative = true
        acknowledgements = [(copy.lastSequence, wire)]
        undelivered.formUnion(copy.expected.childSAs.keys.map(\.outbound))
        return true
    }

    /// Compares at a mark.
    public mutating func check(digest: UInt64) -> Bool {
        guard incoming == nil else { return true }
        isEqual = journal.digest == digest
        return isEqual
    }

    /// Everything up to our number `sequence` is delivered: the peer's number to acknowledge, if there is a new one.
    public mutating func acknowledge(through sequence: UInt64) -> UInt64? {
        var wire: UInt64?
        while let first = acknowledgements.first, first.local <= sequence {
            wire = first.wire
            acknowledgements.removeFirst()
        }
        return wire
    }

    /// charon was compared with the journal, and is brought what was found.
    ///
    /// What it deletes and installs anew is on its way, and comes with number 0.
    public mutating func noteCompared(_ plan: ReconciliationPlan) {
        copied = .none
        undelivered.formUnion(plan.installedChildren.map(\.outbound))
    }

    /// The kernel has an outbound SA of ours now.
    public mutating func noteInKernel(_ spi: UInt32) { undelivered.remove(spi) }

    /// A comparison found everything in charon and in the kernel.
    public mutating func noteVerified() {
        if isAcknowledged { undelivered = [] }
    }

    /// charon has worked off everything that it was sent, or is gone with what it had not read.
    public mutating func noteNothingUndelivered() { undelivered = [] }

    /// The session or the role changed: nothing of the other side is known any more.
    public mutating func forgetPeer() {
        incoming = nil
        hasCopyBegun = false
        isEqual = false
        acknowledgements.removeAll()
    }

    // MARK: From the local charon, while Active

    /// Takes a record of the local charon; nil while it has to wait or when it changes nothing.
    public mutating func record(_ message: HAMessage) -> (record: CharonRecord?, counter: String?) {
        guard isAuthoritative else {
            guard waiting.count < Self.maximumWaiting else { return (nil, "journal.waitingOverLimit") }
            waiting.append(message)
            return (nil, nil)
        }
        switch journal.append(message) {
        case .recorded(let sequence): return (CharonRecord(sequence: sequence, message: message), nil)
        case .ignored(let reason): return (nil, reason.rawValue)
        }
    }

    /// The journal is declared complete; what waited is appended behind it.
    public mutating func settle() {
        isAuthoritative = true
        let messages = waiting
        waiting = []
        for message in messages { _ = journal.append(message) }
    }

    /// Whether the journal, with what waits behind it, has a record of everything that charon lists.
    public func covers(_ listing: [ListedIKE]) -> Bool { uncovered(in: listing).isEmpty }

    /// The listed IKE SAs that the journal, with what waits behind it, does not know, or not with all children.
    ///
    /// One that is established and has no IKE_UPDATE was added or rekeyed as the process that heard of it died: the other
    /// charon has it by halves, and takes no child of it.
    /// A child that has been replaced is told of no more, however often charon is asked: it goes without a record.
    /// Of IKEv1 only the SAs that are established count, and not their children: charon hands children on from a
    /// replaced SA to its successor, and keeps replaced ones, without a word to the plugin.
    public func uncovered(in listing: [ListedIKE]) -> Set<IKESPIPair> {
        var settled = self
        settled.settle()
        let expected = settled.journal.expected
        let missing = listing.filter { ike in
            guard ike.version != 1 else { return ike.state == "ESTABLISHED" && expected.ikeSAs[ike.spis] == nil }
            guard ike.state != "CONNECTING" else { return false }
            let isHalf = ike.state == "ESTABLISHED" && settled.journal.nodes[ike.spis]?.firstUpdate == nil
            return expected.ikeSAs[ike.spis] == nil || isHalf
                || !ike.children.allSatisfy {
                    $0.spis.inbound == 0 || $0.isLeaving || expected.childSAs[$0.spis] != nil
                }
        }
        return Set(missing.map(\.spis))
    }

    /// Children whose records are newer than `sequence`, under the IKE SA that holds each.
    public func children(behind sequence: UInt64) -> [ChildSPIPair: IKESPIPair] {
        let expected = journal.expected
        let fresh = journal.nodes.values.flatMap(\.children.values).filter { $0.sequence > sequence }
        let children = Set(fresh.compactMap(\.message.childSPIs))
        return expected.childSAs.filter { children.contains($0.key) }
    }

    /// The IKE SAs of this journal of which the children `held`, under the IKE SA that holds each, are not all in it.
    public func strays(among held: [ChildSPIPair: IKESPIPair]) -> [IKESPIPair] {
        let expected = journal.expected
        let strays = held.filter { expected.childSAs[$0.key] == nil && expected.ikeSAs[$0.value] != nil }
        return Set(strays.values).sorted { ($0.initiator, $0.responder) < ($1.initiator, $1.responder) }
    }

    /// What waited belongs to a role that is over.
    public mutating func dropWaiting() { waiting = [] }
}
