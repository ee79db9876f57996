// SPDX-License-Identifier: Apache-2.0

import Primitives
import SecurityAssociations

/// The networks behind VPN peers that the kernel's policies name, kept by their events.
///
/// A rekey replaces policies by their like, twenty times a second on a large gateway; routes are looked at only when a
/// need came or went. A full reading, piece by piece, marks what it sees and sweeps the rest.
struct TunnelPolicies {
    /// What a policy changed.
    enum Change {
        /// No need came or went.
        case nothing
        /// A need came or went.
        case needs
        /// There is no room for it.
        case refused
    }

    private struct Entry {
        var need: ReverseRoutePlan.Need
        var generation: UInt32
    }

    /// The most policies that are remembered.
    static let maximumPolicies = 262_144
    /// The most policies that may go while a reading is under way; with more it must begin anew.
    static let maximumRemovedWhileReading = 65_536

    private var entries: [PolicyKey: Entry] = [:]
    private var counts: [ReverseRoutePlan.Need: Int] = [:]
    private var generation: UInt32 = 0
    /// What went while a reading is under way, and may still stand in a piece of it; nil without a reading.
    private var removedWhileReading: Set<PolicyKey>?
    private let limit: Int

    /// Starts without a policy.
    init(limit: Int = maximumPolicies) { self.limit = limit }

    /// What routes are needed for.
    var needs: some Collection<ReverseRoutePlan.Need> { counts.keys }
    /// The number of different needs.
    var count: Int { counts.count }
    /// So much went meanwhile that the reading is worth nothing.
    var isReadingSpoiled: Bool { (removedWhileReading?.count ?? 0) > Self.maximumRemovedWhileReading }

    /// A policy stands in the kernel, by an event.
    mutating func note(_ policy: ReplicatedPolicy, scheme: Scheme) -> Change {
        removedWhileReading?.remove(policy.key)
        return put(policy, scheme)
    }

    /// A policy stands in a piece of the reading.
    mutating func noteRead(_ policy: ReplicatedPolicy, scheme: Scheme) -> Change {
        removedWhileReading?.contains(policy.key) == true ? .nothing : put(policy, scheme)
    }

    /// A policy went.
    mutating func remove(_ key: PolicyKey) -> Change {
        removedWhileReading?.insert(key)
        return drop(key)
    }

    /// A full reading begins, or begins anew.
    mutating func beginReading() {
        generation &+= 1
        removedWhileReading = []
    }

    /// The reading is at its end: what it did not see is gone.
    mutating func endReading() -> Change {
        removedWhileReading = nil
        let gone = entries.filter { $0.value.generation != generation }.keys
        return gone.reduce(.nothing) { drop($1) == .needs ? .needs : $0 }
    }

    private mutating func put(_ policy: ReplicatedPolicy, _ scheme: Scheme) -> Change {
        guard let need = ReverseRoutePlan.Need(policy, scheme: scheme) else { return drop(policy.key) }
        if entries[policy.key]?.need == need {
            entries[policy.key]?.generation = generation
            return .nothing
        }
        let former = drop(policy.key)
        guard entries.count < limit else { return .refused }
        entries[policy.key] = Entry(need: need, generation: generation)
        counts[need, default: 0] += 1
        return counts[need] == 1 ? .needs : former
    }

    private mutating func drop(_ key: PolicyKey) -> Change {
        guard let need = entries.removeValue(forKey: key)?.need, let count = counts[need] else { return .nothing }
        counts[need] = count > 1 ? count - 1 : nil
        return count == 1 ? .needs : .nothing
    }
}
