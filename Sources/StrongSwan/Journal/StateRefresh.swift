// SPDX-License-Identifier: Apache-2.0

/// The standing IKE SAs of which charon may have missed message ids and updates.
public enum StateRefresh: Sendable, Equatable {
    /// It was told everything.
    case none
    /// Those of which another journal says something else than the one that charon was told.
    case some(Set<IKESPIPair>)
    /// Nobody knows what it was told.
    case all

    func contains(_ spis: IKESPIPair) -> Bool {
        switch self {
        case .none: false
        case .some(let changed): changed.contains(spis)
        case .all: true
        }
    }

    /// What charon may have missed, where a comparison is made for `reason` and `copied` is what copies have changed.
    public static func after(_ reason: CharonDelivery.PlanReason, copied: StateRefresh) -> StateRefresh {
        if reason.isBehindLoss { return .all }
        return reason == .copied ? copied : .none
    }

    func joined(with changed: Set<IKESPIPair>) -> StateRefresh {
        switch self {
        case .none: .some(changed)
        case .some(let before): .some(before.union(changed))
        case .all: .all
        }
    }
}

extension CharonJournal {
    /// The IKE SAs of both journals of which `other` has other message ids or updates.
    func changes(of other: CharonJournal) -> Set<IKESPIPair> {
        var changed: Set<IKESPIPair> = []
        for (spis, node) in nodes {
            guard let before = other.nodes[spis] else { continue }
            let isSame = node.refreshable.elementsEqual(before.refreshable) { $0.message.bytes == $1.message.bytes }
            if !isSame { changed.insert(spis) }
        }
        return changed
    }
}
