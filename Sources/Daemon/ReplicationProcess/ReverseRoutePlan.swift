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

        /// Makes a need from its fields.
        init(destination: IPv4Prefix, peer: IPv4Address, source: IPv4Address?) {
            self.destination = destination
            self.peer = peer
            self.source = source
        }

        /// The need of an outbound tunnel policy from our address to a peer whose map says `reverse-route`.
        ///
        /// A selector for everything needs none: it would replace the default route. Nor does the peer itself.
        init?(_ policy: ReplicatedPolicy, scheme: Scheme) {
            guard policy.key.direction == .outbound, policy.action == 0, let template = policy.templates.first,
                template.mode == 1, let source = template.source.ipv4, let peer = template.destination.ipv4,
                scheme.virtualAddresses.contains(source), scheme.hasReverseRoute(for: peer),
                let network = policy.key.selector.destination.ipv4,
                1...32 ~= policy.key.selector.destinationLength
            else { return nil }
            let prefix = IPv4Prefix(address: network, length: Int(policy.key.selector.destinationLength))
            guard !prefix.contains(peer) else { return nil }
            destination = IPv4Prefix(address: prefix.network, length: prefix.length)
            self.peer = peer
            self.source = source
        }
    }

    /// The most routes that are injected; the rest is counted.
    static let maximumRoutes = 65_536

    /// The routes for the needs whose peer can be reached; of two peers for one network the lower address wins.
    static func routes(for needs: some Collection<Need>, nextHops: [IPv4Address: NextHop]) -> Set<Route> {
        var chosen: [IPv4Prefix: (need: Need, hop: NextHop)] = [:]
        for need in needs {
            guard let hop = nextHops[need.peer] else { continue }
            guard chosen.count < maximumRoutes || chosen[need.destination] != nil else { continue }
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
