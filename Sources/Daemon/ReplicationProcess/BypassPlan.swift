// SPDX-License-Identifier: Apache-2.0

import Netlink
import Primitives
import SecurityAssociations

/// Which of a standby's own addresses the tunnels' policies would swallow (DESIGN §4).
///
/// The policies stand on both nodes, and they demand ESP of every packet between a local network and a remote one. A
/// standby sends none: without a pair of policies that lets its own packets pass in the clear, toward the Active, it
/// could neither be reached from the remote networks nor answer them.
struct BypassPlan {
    /// The most local networks that are remembered; others are counted by the caller.
    static let maximumNetworks = 1024

    /// An own address and the priority of its policies.
    struct Entry: Hashable {
        var address: IPAddress
        var priority: UInt32
    }

    /// A tunnel's local network, as an outbound policy names it.
    struct Network: Hashable {
        var prefix: IPPrefix
        var priority: UInt32

        /// The local network of an outbound policy that demands a tunnel, nil for any other.
        init?(_ policy: ReplicatedPolicy) {
            let selector = policy.key.selector
            guard policy.key.direction == .outbound, policy.templates.first?.mode == 1,
                Int(selector.sourceLength) <= selector.source.bitCount
            else { return nil }
            prefix = IPPrefix(address: selector.source, length: Int(selector.sourceLength))
            priority = policy.priority
        }
    }

    /// What to write, removals first.
    struct Changes: Equatable {
        var removed: [IPAddress] = []
        var added: [Entry] = []
        var isEmpty: Bool { removed.isEmpty && added.isEmpty }
    }

    /// The local networks seen since the start, with the first of the priorities at which their policies stand.
    private var networks: [IPPrefix: UInt32] = [:]
    /// What stands; nil while a former life may have left some.
    private var installed: Set<Entry>?
    /// Something was seen that may ask for other policies.
    private(set) var isChanged = true

    /// Nothing of it stands in the kernel.
    var isAbsent: Bool { installed?.isEmpty ?? false }

    /// Takes a local network; false if there is no room for it.
    mutating func note(_ network: Network) -> Bool {
        let known = networks[network.prefix]
        if let known, known <= network.priority { return true }
        guard known != nil || networks.count < Self.maximumNetworks else { return false }
        networks[network.prefix] = network.priority
        isChanged = true
        return true
    }

    /// Somebody removed all policies.
    mutating func noteFlush() {
        installed = []
        isChanged = true
    }

    /// What brings the kernel from what stands to what a standby needs; an Active needs none.
    ///
    /// The policies stand directly before ours, so that others of the node's own keep their place.
    ///
    /// - Parameter addresses: this node's own, without the virtual ones.
    func changes(isActive: Bool, addresses: [IPAddress]) -> Changes {
        var wanted: Set<Entry> = []
        for address in isActive ? [] : addresses {
            let priorities = networks.filter { $0.key.contains(address) }.values
            guard let first = priorities.min() else { continue }
            wanted.insert(Entry(address: address, priority: first == 0 ? 0 : first - 1))
        }
        let kept = Set(wanted.map(\.address))
        let standing = installed.map { Set($0.map(\.address)) } ?? Set(addresses)
        return Changes(
            removed: standing.subtracting(kept).sorted(),
            added: wanted.subtracting(installed ?? []).sorted { $0.address < $1.address })
    }

    /// The changes were written.
    mutating func noteWritten(_ changes: Changes) {
        let touched = Set(changes.removed + changes.added.map(\.address))
        installed = (installed ?? []).filter { !touched.contains($0.address) }.union(changes.added)
        isChanged = false
    }

    /// The two selectors of an address: what it sends and what it receives.
    static func selectors(of address: IPAddress) -> [(KernelSelector, KernelPolicy.Direction)] {
        let own = IPPrefix(address: address, length: address.bitCount)
        let any = IPPrefix(address: .any(address.family), length: 0)
        return [
            (KernelSelector(source: own, destination: any), .outbound),
            (KernelSelector(source: any, destination: own), .inbound),
        ]
    }
}
