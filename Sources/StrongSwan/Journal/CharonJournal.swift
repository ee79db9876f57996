// SPDX-License-Identifier: Apache-2.0

import Primitives

/// What an empty charon must be told, in order, to hold the same SAs as the active one (reference ipsec-ha §1.10).
///
/// IKE SAs that replaced each other form a family, a tree of nodes. The keys of a child SA come from the IKE SA that
/// was current when it was made, so an ended ancestor stays as long as a live child was derived under it:
///
///     old (ended) ── child 1          IKE_ADD old · IKE_UPDATE old · CHILD_ADD 1
///      └─ new (live) ── child 2       IKE_ADD new (replaces old) · IKE_UPDATE new · CHILD_ADD 2 · message ids of new
///
/// charon moves child 1 to `new` when it reads the second IKE_ADD (IKEv2) or IKE_UPDATE (IKEv1, where the new SA
/// does not name the old one and charon goes by identities, addresses and connection).
public struct CharonJournal: Sendable {
    /// What became of an appended message.
    public enum Outcome: Sendable, Equatable {
        /// The journal changed; the message is to be passed on to the peer under this number.
        case recorded(sequence: UInt64)
        /// Nothing changed and nothing is to be passed on; the name is a counter's.
        case ignored(reason: Ignored)
    }

    /// Why a message changed nothing; raw values are counter names.
    public enum Ignored: String, Sendable, CaseIterable {
        /// A command between neighbours, never a record.
        case command = "journal.command"
        /// Byte for byte what is stored already.
        case duplicate = "journal.duplicate"
        /// A number that does not rise.
        case stale = "journal.stale"
        /// The SA is not known, or ended.
        case unknownSA = "journal.unknown-sa"
        /// Another record of the same SA stands, with other bytes.
        case conflicting = "journal.conflicting"
        /// `Limits.journalRecordCount`, `journalByteCount` or `keyUpdateCount` is reached.
        case overLimit = "journal.over-limit"
    }

    /// The number of the newest record ever appended; 0 before the first.
    public private(set) var lastSequence: UInt64 = 0
    /// The number of stored records.
    public private(set) var recordCount = 0
    /// The bytes of the stored records.
    public private(set) var byteCount = 0
    /// Equal on two nodes whose journals hold the same records, whatever their numbers.
    public private(set) var digest: UInt64 = 0
    var nodes: [IKESPIPair: JournalNode] = [:]
    /// IKEv1 SAs by what lets one adopt the children of another.
    var adoptable: [AdoptionKey: Set<IKESPIPair>] = [:]
    private let recordLimit: Int
    private let byteLimit: Int

    /// Starts empty, with the room that `Limits` names.
    public init() { self.init(recordLimit: Limits.journalRecordCount, byteLimit: Limits.journalByteCount) }

    init(recordLimit: Int, byteLimit: Int) {
        self.recordLimit = recordLimit
        self.byteLimit = byteLimit
    }

    /// The connections that the live SAs belong to; charon takes an SA of no other.
    public var connectionNames: Set<String> {
        Set(nodes.values.compactMap { $0.isEnded ? nil : ($0.lastUpdate ?? $0.firstUpdate)?.message.configurationName })
    }

    /// Appends a message under `sequence`, which must rise, or under the next number.
    public mutating func append(_ message: HAMessage, sequence: UInt64? = nil) -> Outcome {
        guard message.kind.isRecord, let identity = message.identity else { return .ignored(reason: .command) }
        let number = sequence ?? lastSequence + 1
        guard number > lastSequence else { return .ignored(reason: .stale) }
        let record = CharonRecord(sequence: number, message: message)
        if let reason = apply(record, spis: identity.spis) { return .ignored(reason: reason) }
        lastSequence = number
        return .recorded(sequence: number)
    }

    /// The records that make an empty charon hold the same SAs, in order of their numbers.
    public func snapshot() -> [CharonRecord] {
        nodes.values.flatMap(\.records).sorted { $0.sequence < $1.sequence }
    }

    /// The records of the family (SAs that replaced each other) of `spis`, in order.
    public func family(of spis: IKESPIPair) -> [CharonRecord] {
        guard nodes[spis] != nil else { return [] }
        return subtree(of: root(of: spis)).flatMap { nodes[$0]?.records ?? [] }.sorted { $0.sequence < $1.sequence }
    }

    /// Forgets everything but the last number.
    public mutating func removeAll() {
        nodes.removeAll()
        adoptable.removeAll()
        recordCount = 0
        byteCount = 0
        digest = 0
    }

    /// Applies a record and returns nil, or why it changed nothing.
    private mutating func apply(_ record: CharonRecord, spis: IKESPIPair) -> Ignored? {
        switch record.message.kind {
        case .ikeAdd: addIKE(record, spis: spis)
        case .ikeUpdate: updateIKE(record, spis: spis)
        case .ikeMessageIDInitiator: replaceLast(\.messageIDInitiator, with: record, spis: spis)
        case .ikeMessageIDResponder: replaceLast(\.messageIDResponder, with: record, spis: spis)
        case .ikeInitializationVector: replaceLast(\.initializationVector, with: record, spis: spis)
        case .ikeDelete: endIKE(record, spis: spis)
        case .childAdd: addChild(record, spis: spis)
        case .childDelete: removeChild(record, spis: spis)
        case .segmentDrop, .segmentTake, .status, .resync: .command
        }
    }

    func hasRoom(for record: CharonRecord) -> Bool {
        recordCount < recordLimit && byteCount + record.message.bytes.count <= byteLimit
    }

    mutating func account(for record: CharonRecord?) {
        guard let record else { return }
        recordCount += 1
        byteCount += record.message.bytes.count
        digest &+= record.message.fingerprint
    }

    mutating func discount(_ record: CharonRecord?) {
        guard let record else { return }
        recordCount -= 1
        byteCount -= record.message.bytes.count
        digest &-= record.message.fingerprint
    }
}
