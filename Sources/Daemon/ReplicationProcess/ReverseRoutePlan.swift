// SPDX-License-Identifier: Apache-2.0

import Netlink
import Primitives
import SecurityAssociations

/// Which routes an Active needs toward the networks behind its VPN peers (reverse route injection).
struct ReverseRoutePlan {
    /// Where packets leave for a peer.
    struct NextHop: Hashable {
        var gateway: IPAddress
        var interfaceIndex: UInt32
    }

    /// One wanted or standing route.
    struct Route: Hashable {
        var destination: IPPrefix
        var nextHop: NextHop
        /// The virtual address: the kernel removes the route with it, so that the routes of a node that hangs end with
        /// its lease and attract no traffic afterwards.
        var source: IPAddress?
    }

    /// A remote selector and the peer that its tunnel ends at.
    struct Need: Hashable {
        var destination: IPPrefix
        var peer: IPAddress
        /// Our end of the tunnel, a virtual address.
        var source: IPAddress?

        /// Makes a need from its fields.
        init(destination: IPPrefix, peer: IPAddress, source: IPAddress?) {
            self.destination = destination
            self.peer = peer
            self.source = source
        }

        /// The need of an outbound tunnel policy from our address to a peer whose map says `reverse-route`.
        ///
        /// A selector for everything needs none: it would replace the default route. Nor does the peer itself.
        init?(_ policy: ReplicatedPolicy, scheme: Scheme) {
            let selector = policy.key.selector
            guard policy.key.direction == .outbound, policy.action == 0, let template = policy.templates.first,
                template.mode == 1, selector.destination.family == template.destination.family,
                scheme.virtualAddresses.contains(template.source),
                scheme.hasReverseRoute(for: template.destination),
                1...selector.destination.bitCount ~= Int(selector.destinationLength)
            else { return nil }
            let prefix = IPPrefix(address: selector.destination, length: Int(selector.destinationLength))
            let peer = template.destination
            guard !prefix.contains(peer) else { return nil }
            destination = IPPrefix(address: prefix.network, length: prefix.length)
            self.peer = peer
            self.source = template.source
        }
    }

    /// The most routes that are injected; the rest is counted.
    static let maximumRoutes = 65_536

    /// The routes for the needs whose peer can be reached; of two peers for one network the lower address wins.
    static func routes(for needs: some Collection<Need>, nextHops: [IPAddress: NextHop]) -> Set<Route> {
        var chosen: [IPPrefix: (need: Need, hop: NextHop)] = [:]
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
    ) -> (replace: Set<Route>, delete: Set<IPPrefix>) {
        let kept = Set(wanted.map(\.destination))
        return (wanted.subtracting(standing), Set(standing.map(\.destination)).subtracting(kept))
    }
}
