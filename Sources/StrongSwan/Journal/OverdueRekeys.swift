// SPDX-License-Identifier: Apache-2.0

/// Finds the child SAs that an active charon should have rekeyed and never will by itself.
///
/// The kernel tells the soft end of an SA's life once, and a passive charon does not listen (reference ipsec-ha §1.11):
/// what passed it on the standby would live until its hard end and break then. Few are named at a time, so that a
/// takeover is not followed by a storm.
public struct OverdueRekeys: Sendable {
    /// How long past its soft end a child is left to charon's own rekeying, in seconds.
    public static let graceSeconds: Int64 = 5

    private var asked: Set<ChildSPIPair> = []

    /// Starts with nothing asked.
    public init() {}

    /// Names the children to rekey now, by charon's numbers, those nearest to their hard end first.
    ///
    /// Called with each listing while the role is held. A child is named once: charon repeats the exchange itself.
    public mutating func next(in listing: [ListedIKE]) -> [UInt32] {
        let children = listing.filter { $0.state == "ESTABLISHED" }.flatMap(\.children)
        asked.formIntersection(children.map(\.spis))
        let overdue = children.filter { child in
            child.state == "INSTALLED" && !asked.contains(child.spis)
                && child.rekeySeconds.map { $0 <= -Self.graceSeconds } ?? false
        }
        let chosen = overdue.sorted { ($0.lifeSeconds ?? .max) < ($1.lifeSeconds ?? .max) }
            .prefix(Limits.overdueRekeyCount)
        asked.formUnion(chosen.map(\.spis))
        return chosen.map(\.uniqueID)
    }

    /// Forgets what was asked: the role is another's.
    public mutating func forget() { asked = [] }
}
