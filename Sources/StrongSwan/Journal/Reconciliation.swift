// SPDX-License-Identifier: Apache-2.0

/// What makes a charon's SAs equal to the journal's.
public struct ReconciliationPlan: Sendable, Equatable {
    /// Messages to deliver in order: deletions first, then records of what is missing.
    public var messages: [CharonRecord] = []
    /// Half-open strangers, by charon's number, to terminate through VICI before anything else.
    public var strangers: [UInt32] = []
    /// Child SAs that the messages install or install anew; their counters must be set again.
    public var installedChildren: [ChildSPIPair] = []

    /// Tells whether charon holds what it should.
    public var isEmpty: Bool { messages.isEmpty && strangers.isEmpty }

    /// Compares a passive charon's listing with the journal; `version` is the local charon's.
    public init(journal: CharonJournal, listing: [ListedIKE], version: HAVersion) {}

    /// On the active node: deletions that the journal missed, to be appended and passed on like charon's own.
    ///
    /// An SA counts as missed only if it was missing from `listing` and stood in the journal before
    /// `settledSequence`, so that what was added while the listing was made is left alone.
    public static func missedDeletions(
        journal: CharonJournal, listing: [ListedIKE], settledSequence: UInt64, version: HAVersion
    ) -> [HAMessage] { [] }
}
