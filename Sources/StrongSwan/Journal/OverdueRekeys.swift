// SPDX-License-Identifier: Apache-2.0

/// Finds the child SAs that an active charon should have rekeyed and never will by itself.
///
/// The kernel tells the soft end of an SA's life once, and a passive charon does not listen (reference ipsec-ha §1.11):
/// what passed it on the standby would live until its hard end and break then. Few are named at a time, so that a
/// takeover is not followed by a storm. Children that two Actives used at one time are rekeyed likewise.
public struct OverdueRekeys: Sendable {
    /// How long past its soft end a child is left to charon's own rekeying, in seconds.
    public static let graceSeconds: Int64 = 5

    private var asked: Set<ChildSPIPair> = []
    private var shared: Set<ChildSPIPair> = []
    /// IKE SAs with children that this node lacks, until they are listed as established.
    private var strays: Set<IKESPIPair> = []

    /// Starts with nothing asked.
    public init() {}

    /// Children that are listed now were used by two nodes: whoever stays Active rekeys them.
    ///
    /// `held` are the outbound SPIs that stood here when the other node was heard last; nil where that is not known. What
    /// came later only this node has.
    public mutating func noteShared(in listing: [ListedIKE], held: Set<UInt32>?) {
        let children = listing.flatMap(\.children).map(\.spis)
        shared = Set(children.filter { held?.contains($0.outbound) ?? true })
    }

    /// Children of these IKE SAs have been replaced by some that this node lacks: a rekey brings others in their place.
    public mutating func noteStrays(of ikes: Set<IKESPIPair>) { strays.formUnion(ikes) }

    /// A rekey that was asked for before has been answered by nobody: the VPN peer has other children.
    private mutating func nameReplaced(in listing: [ListedIKE]) {
        let listed = strays.isEmpty ? [] : listing.filter { strays.contains($0.spis) }
        strays = Set(listed.filter { $0.state != "ESTABLISHED" }.map(\.spis))
        let replaced = listed.filter { $0.state == "ESTABLISHED" }.flatMap(\.children).map(\.spis)
        shared.formUnion(replaced)
        asked.subtract(replaced)
    }

    /// Children that two nodes used and that are not asked for yet.
    public var sharedCount: Int { shared.count }

    /// Names the children to rekey now, by charon's numbers, those nearest to their hard end first.
    ///
    /// Called with each listing while the role is held. A child is named once: charon repeats the exchange itself.
    public mutating func next(in listing: [ListedIKE]) -> [UInt32] {
        nameReplaced(in: listing)
        let children = listing.filter { $0.state == "ESTABLISHED" }.flatMap(\.children)
        asked.formIntersection(children.map(\.spis))
        shared.formIntersection(children.map(\.spis))
        let overdue = children.filter { child in
            child.state == "INSTALLED" && !asked.contains(child.spis)
                && (shared.contains(child.spis) || child.rekeySeconds.map { $0 <= -Self.graceSeconds } ?? false)
        }
        let chosen = overdue.sorted { ($0.lifeSeconds ?? .max) < ($1.lifeSeconds ?? .max) }
            .prefix(Limits.overdueRekeyCount)
        asked.formUnion(chosen.map(\.spis))
        shared.subtract(chosen.map(\.spis))
        return chosen.map(\.uniqueID)
    }

    /// Forgets what was asked: the role is another's.
    public mutating func forget() { (asked, shared, strays) = ([], [], []) }
}
