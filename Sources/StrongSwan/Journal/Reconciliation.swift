// SPDX-License-Identifier: Apache-2.0

/// What makes a passive charon's SAs equal to the journal's.
public struct ReconciliationPlan: Sendable, Equatable {
    /// Deletions to deliver first; after them charon holds nothing that the journal lacks.
    public internal(set) var deletions: [HAMessage] = []
    /// Records of what charon lacks, in order.
    public internal(set) var records: [CharonRecord] = []
    /// Half-open strangers, by charon's number, to terminate through VICI before anything else.
    public internal(set) var strangers: [UInt32] = []
    /// Child SAs that the records install, or install anew.
    ///
    /// What the kernel holds of them must be deleted before the records are delivered, and their counters set after.
    public internal(set) var installedChildren: [ChildSPIPair] = []
    /// The journal's newest record when the plan was made: with the plan, everything up to it is delivered.
    public internal(set) var throughSequence: UInt64

    /// Tells whether charon holds what it should.
    public var isEmpty: Bool { deletions.isEmpty && records.isEmpty && strangers.isEmpty }

    /// Compares a passive charon's listing with the journal.
    ///
    /// The listing must have been asked for after charon's queue was seen empty. What charon may have missed of standing
    /// SAs, message ids and last updates, is delivered for those of `refresh`; `version` is the local charon's.
    /// What charon lists of `lackingInKernel` somebody took from the kernel: it is deleted and installed anew.
    public init(
        journal: CharonJournal, listing: [ListedIKE], lackingInKernel: Set<ChildSPIPair> = [],
        refresh: StateRefresh = .none, version: HAVersion
    ) {
        throughSequence = journal.lastSequence
        let expected = journal.expected
        var listed: [IKESPIPair: ListedIKE] = [:]
        for ike in listing {
            if journal.nodes[ike.spis] == nil, ike.state == "CONNECTING" {
                strangers.append(ike.uniqueID)
            } else if expected.ikeSAs[ike.spis] == nil || listed[ike.spis] != nil {
                // A second SA of the same SPIs comes from a record delivered twice: both go, one comes back.
                deletions.append(.ikeDelete(ike.identity, version: version))
            } else {
                listed[ike.spis] = ike
            }
        }
        let doubled = Set(deletions.compactMap { $0.identity?.spis })
        for spis in doubled where listed.removeValue(forKey: spis) != nil {
            if let identity = expected.ikeSAs[spis] { deletions.append(.ikeDelete(identity, version: version)) }
        }
        for (spis, node) in journal.nodes where node.parent == nil {
            reconcile(
                family: journal.subtree(of: spis), of: journal, expected, listed, lackingInKernel, refresh, version)
        }
        records.sort { $0.sequence < $1.sequence }
    }

    private mutating func reconcile(
        family: [IKESPIPair], of journal: CharonJournal, _ expected: LiveSet, _ listed: [IKESPIPair: ListedIKE],
        _ lackingInKernel: Set<ChildSPIPair>, _ refresh: StateRefresh, _ version: HAVersion
    ) {
        let holders = family.filter { expected.ikeSAs[$0] != nil }
        var missing: [CharonRecord] = []
        var needsWholeFamily = false
        var extras: [HAMessage] = []
        for holder in holders {
            guard let ike = listed[holder], let node = journal.nodes[holder] else {
                needsWholeFamily = true
                continue
            }
            // A lost IKE_UPDATE leaves the SA half open for ever.
            if ike.state == "CONNECTING", node.firstUpdate != nil { needsWholeFamily = true }
            // charon moves no child with its IKE SA; whoever is installed anew stands at the new end.
            if node.hasMoved(from: ike) { needsWholeFamily = true }
            extras += ike.children
                .filter {
                    $0.spis.inbound != 0
                        && (expected.childSAs[$0.spis] != holder || lackingInKernel.contains($0.spis))
                }
                .map { .childDelete(ike.identity, inboundSPI: $0.spis.inbound, version: version) }
            if refresh.contains(holder) { missing += node.refreshable }
        }
        for member in family {
            for record in journal.nodes[member]?.children.values ?? [:].values {
                guard let spis = record.message.childSPIs, let holder = expected.childSAs[spis] else { continue }
                let isListed = listed[holder]?.children.contains { $0.spis == spis } ?? false
                if isListed, !lackingInKernel.contains(spis) { continue }
                missing.append(record)
                // The keys come from an SA that charon has replaced already.
                if holder != member { needsWholeFamily = true }
            }
        }
        if needsWholeFamily {
            deletions += holders.compactMap { listed[$0]?.identity }.map { .ikeDelete($0, version: version) }
            missing = family.flatMap { journal.nodes[$0]?.records ?? [] }
        } else {
            deletions += extras
        }
        records += missing
        installedChildren += missing.compactMap { $0.message.kind == .childAdd ? $0.message.childSPIs : nil }
    }

    /// Deletions that the journal of the active node missed, to be appended and passed on like charon's own.
    ///
    /// charon says nothing of a child that a rekeyed IKE SA took along half deleted (reference ipsec-ha §1.10). Only
    /// records up to `settledSequence`, the newest when the listing was asked for, count as missed.
    public static func missedDeletions(
        journal: CharonJournal, listing: [ListedIKE], settledSequence: UInt64, version: HAVersion
    ) -> [HAMessage] {
        let listedIKEs = Set(listing.map(\.spis))
        let listedChildren = Set(listing.flatMap(\.children).map(\.spis))
        let expected = journal.expected
        var missed: [HAMessage] = []
        for (spis, node) in journal.nodes {
            if !node.isEnded, node.successors.isEmpty, node.firstSequence <= settledSequence,
                !listedIKEs.contains(spis)
            {
                missed.append(.ikeDelete(node.identity, version: version))
            }
            for record in node.children.values where record.sequence <= settledSequence {
                guard let child = record.message.childSPIs, !listedChildren.contains(child),
                    let holder = expected.childSAs[child], let identity = expected.ikeSAs[holder],
                    listedIKEs.contains(holder)
                else { continue }
                missed.append(.childDelete(identity, inboundSPI: child.inbound, version: version))
            }
        }
        return missed
    }
}

extension ReconciliationPlan {
    /// Moves of VPN peers that the journal of the active node does not know yet: charon says nothing of them.
    ///
    /// To be appended and passed on like charon's own records. Only SAs up to `settledSequence` count, as above.
    public static func missedMoves(
        journal: CharonJournal, listing: [ListedIKE], settledSequence: UInt64, version: HAVersion
    ) -> [HAMessage] {
        listing.compactMap { ike in
            // A replaced SA stays where it was.
            guard let node = journal.nodes[ike.spis], !node.isEnded, node.successors.isEmpty,
                node.firstSequence <= settledSequence, ike.state == "ESTABLISHED", node.hasMoved(from: ike),
                let end = ike.remoteEnd
            else { return nil }
            return .peerMoved(node.identity, to: end, version: version)
        }
    }
}

extension JournalNode {
    /// Tells whether the VPN peer's end, as far as both know it, is another one than charon lists.
    func hasMoved(from ike: ListedIKE) -> Bool {
        guard let known = (lastUpdate ?? firstUpdate)?.message.remoteEndpoint, let listed = ike.remoteEnd else {
            return false
        }
        return known != listed
    }

    /// Records that may be delivered again to a standing SA without harm.
    var refreshable: [CharonRecord] {
        [
            lastUpdate ?? firstUpdate, virtualAddressUpdate, messageIDInitiator, messageIDResponder,
            initializationVector,
        ].compactMap { $0 }
    }
}
