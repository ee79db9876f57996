// SPDX-License-Identifier: Apache-2.0

import LinuxIO
import Netlink
import Primitives
import SecurityAssociations

extension KernelTables {
    /// Takes the local network of a policy that stands in the kernel.
    func noteLocalNetwork(of policy: ReplicatedPolicy) {
        guard let network = BypassPlan.Network(policy), !bypass.note(network) else { return }
        count("bypass.networkLimit")
    }

    /// Lets a standby's own packets pass beside the tunnels, and an Active's not.
    ///
    /// An Active does so before it installs routes into its tunnels: no packet may leave beside them in the clear.
    func reconcileBypass(isActive: Bool) {
        guard let xfrm, let route, !(isActive && bypass.isAbsent) else { return }
        var messages: [NetlinkMessage] = []
        for family in IPAddress.Family.allCases {
            guard let some = try? route.dump(AddressRequest.dump(family)) else { return count("bypass.readFailed") }
            messages += some
        }
        let addresses = messages.compactMap { try? AddressInfo(parsing: $0) }
            .filter { !$0.isOwn && !scheme.virtualAddresses.contains($0.address) }.map(\.address)
            .filter { !$0.isLoopback && !$0.isLinkLocal }
        let changes = bypass.changes(isActive: isActive, addresses: addresses)
        guard !changes.isEmpty else { return bypass.noteWritten(changes) }
        let removals = changes.removed.flatMap(BypassPlan.selectors).map { XFRMRequest.deletePolicy($0.0, $0.1) }
        let additions = changes.added.flatMap { entry in
            BypassPlan.selectors(of: entry.address).map {
                XFRMRequest.bypass($0.0, $0.1, priority: entry.priority)
            }
        }
        guard let codes = try? xfrm.batch(removals + additions) else { return count("bypass.writeFailed") }
        for code in codes where code != 0 && code != SystemCode.notFound { count("bypass.refused") }
        bypass.noteWritten(changes)
    }
}
