// SPDX-License-Identifier: Apache-2.0

import Configuration
import LinuxIO
import Netlink
import Primitives

/// Which routes the leased IPv6 fences let through: those toward the VPN peers, looked up before they are needed.
extension FailoverNode {
    /// Bounds of one group's leased routes.
    enum FenceLimits {
        /// Routes of one group; peers behind others cannot be reached, which is counted.
        static let routes = 256
        /// Addresses whose route is looked up in one go (30 µs each); the routes of further ones must be among theirs.
        static let lookups = 512
    }

    /// An address that only a route for everything leads to (RFC 9637).
    private static let anywhere = IPAddress(high: 0x3fff_ffff << 32, low: 1)

    /// Looks up the routes anew, now and whenever one of the kernel's changes.
    func followRoutes() {
        let needy = groups.values.filter { $0.configured.family == .ipv6 && !$0.configured.tunnelEnds.isEmpty }
        if needy.isEmpty {
            routeBell?.cancel()
            routeBell = nil
        } else if routeBell == nil {
            do {
                routeBell = try NetlinkDoorbell(RouteGroups.ipv6Route | RouteGroups.link, on: reactor) {
                    [unowned self] in followRoutes()
                }
            } catch {
                count("kernel.refused")
                log("%HAVPN-4-KERNEL: cannot follow IPv6 routes: \(error)")
            }
        }
        for runner in needy { runner.followRoutes(leasableRoutes(of: runner.configured)) }
    }

    /// The routes toward the group's peers, its own networks, and the one for everything else.
    private func leasableRoutes(of group: Model.Group) -> Set<LeasedRoute> {
        let maps = model.cryptoMaps.filter { group.name != nil && $0.redundancyGroup == group.name }
        let peers = maps.flatMap(\.entries).flatMap(\.peers).filter { $0.family == .ipv6 }
        var routes: Set<LeasedRoute> = []
        // Whoever comes last is dropped: neighbours and the way out are shared by many peers.
        let targets = group.globalAddresses.map(\.lastAddress) + [Self.anywhere] + peers
        if targets.count > FenceLimits.lookups { count("fence.tooManyPeers") }
        for target in targets.prefix(FenceLimits.lookups) {
            guard let route = kernel.route(toward: target), !routes.contains(route) else { continue }
            guard routes.count < FenceLimits.routes else {
                count("fence.tooManyRoutes")
                break
            }
            routes.insert(route)
        }
        return routes
    }
}

extension IPv6Prefix {
    /// The network's last address, which nobody has.
    fileprivate var lastAddress: IPAddress { IPAddress(high: address.high | ~mask.high, low: address.low | ~mask.low) }
}
