// SPDX-License-Identifier: Apache-2.0

/// Why the active charon may have lost its SAs; its next listing tells.
///
/// Until then nothing that it does not list counts as deleted: the peer may hold it all.
public enum LossSuspicion: Sendable {
    /// charon was gone, or said that it starts anew.
    case seen
    /// This process is new, and cannot know what became of charon before it.
    case notSeen

    /// Whether `listing` shows the loss: none of the journal's IKE SAs is there, nor a child of theirs under an SA that has
    /// replaced one; and in the case of a new process, whose journal may be the peer's and old, no other one either.
    public func isConfirmed(by listing: [ListedIKE], journal: CharonJournal) -> Bool {
        let expected = journal.expected.ikeSAs.keys
        guard !expected.isEmpty else { return false }
        let held = Set(listing.map(\.spis))
        switch self {
        case .seen:
            let children = journal.expected.childSAs
            return expected.allSatisfy { !held.contains($0) }
                && !listing.contains { $0.children.contains { children[$0.spis] != nil } }
        case .notSeen: return held.isEmpty
        }
    }
}
