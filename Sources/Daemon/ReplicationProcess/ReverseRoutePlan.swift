// SPDX-License-Identifier: Apache-2.0

import Netlink
import Primitives
import SecurityAssociations

/// Which routes an Active needs toward the networks behind its VPN peers (reverse route injection).
struct ReverseRoutePlan {
    /// Where packets leave for a peer.
    struct NextHop: Hashable {
        var gateway: IPv4Address
        var interfaceIndex: UInt32
    }

    /// One wanted or standing route.
    struct Route: Hashable {
        var destination: IPv4Prefix
        var nextHop: NextHop
        /// The virtual address: the kernel removes the route with it, so that the routes of a node that hangs end with
        /// its lease and attract no traffic afterwards.
        var source: IPv4Address?
    }

    /// A remote selector and the peer that its tunnel ends at.
    struct Need: Hashable {
        var destination: IPv4Prefix
        var peer: IPv4Address
        /// Our end of the tunnel, a virtual address.
        var source: IPv4Address?
    }

    /// The most routes that are injected; the rest is counted.
    static let maximumRoutes = 65_536

    /// The needs of the outbound tunnel policies from our addresses to peers whose map says `reverse-route`.
    ///
    /// A selector for everything needs none: it would replace the default route. Nor does the peer itself.
    static func needs(of policies: [KernelPolicy], scheme: Scheme) -> Set<Need> {
        var needs: Set<Need> = []
        for policy in policies where policy.direction == .outbound && !policy.isBlocking {
            guard let template = policy.template, template.mode == .tunnel,
                scheme.virtualAddresses.contains(template.source),
                scheme.hasReverseRoute(for: template.destination)
            else { continue }
            let selector = policy.selector.destination
            let network = IPv4Prefix(
                address: IPv4Address(selector.address.value & selector.mask), length: selector.length)
            guard network.length > 0, !network.contains(template.destination) else { continue }
            guard needs.count < maximumRoutes else { break }
            needs.insert(Need(destination: network, peer: template.destination, source: template.source))
        }
        return needs
    }

    /// The routes for the needs whose peer can be reached; of two peers for one network the lower address wins.
    static func routes(for needs: Set<Need>, nextHops: [IPv4Address: NextHop]) -> Set<Route> {
        var chosen: [IPv4Prefix: (need: Need, hop: NextHop)] = [:]
        for need in needs {
            guard let hop = nextHops[need.peer] else { continue }
            if let other = chosen[need.destination], other.need.peer < need.peer { continue }
            chosen[need.destination] = (need, hop)
        }
        return Set(chosen.map { Route(destination: $0.key, nextHop: $0.value.hop, source: $0.value.need.source) })
    }

    /// What to add (or replace) and which destinations to delete to come from `standing` to `wanted`.
    static func difference(
        standing: Set<Route>, wanted: Set<Route>
    ) -> (replace: Set<Route>, delete: Set<IPv4Prefix>) {
        let kept = Set(wanted.map(\.destination))
        return (wanted.subtracting(standing), Set(standing.map(\.destination)).subtracting(kept))
    }
}
