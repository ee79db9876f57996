// SPDX-License-Identifier: Apache-2.0

/// What an empty charon must be told, in order, to hold the same SAs as the active one.
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
        /// The SA is not known, or ended.
        case unknownSA = "journal.unknown-sa"
        /// Another record of the same SA stands, with other bytes.
        case conflicting = "journal.conflicting"
        /// `Limits.journalRecordCount` or `Limits.journalByteCount` is reached.
        case overLimit = "journal.over-limit"
    }

    /// The number of the newest record ever appended; 0 before the first.
    public private(set) var lastSequence: UInt64 = 0
    /// The stored records.
    public var recordCount: Int { 0 }
    /// The bytes of the stored records.
    public private(set) var byteCount = 0
    /// Equal on two nodes whose journals hold the same records, whatever their numbers.
    public private(set) var digest: UInt64 = 0

    /// Starts empty.
    public init() {}

    /// Appends a message under `sequence`, which must rise, or under the next number.
    public mutating func append(_ message: HAMessage, sequence: UInt64? = nil) -> Outcome {
        .ignored(reason: .command)
    }

    /// The records that make an empty charon hold the same SAs, in order.
    public func snapshot() -> [CharonRecord] { [] }

    /// The SAs that the snapshot makes.
    public var expected: LiveSet { LiveSet() }

    /// The records of the family (SAs that replaced each other) of `spis`, in order.
    public func family(of spis: IKESPIPair) -> [CharonRecord] { [] }

    /// Forgets everything but the last number.
    public mutating func removeAll() {}
}
