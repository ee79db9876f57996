// SPDX-License-Identifier: Apache-2.0

public import Primitives
public import SecurityAssociations

/// Finds the SAs that an IKE daemon which was killed has left in the kernel of a lone Active.
///
/// They go on serving their peer, which knows no better, until it has a child SA of the new daemon. Behind that nothing
/// uses them and nothing deletes them before their lifetime ends; and the standby has none of them.
public struct LeftoverSearch: Sendable {
    /// A peer's address, and its port where it sits behind NAT with others.
    private struct Peer: Hashable {
        var address: IPAddress
        var port: UInt16?
    }

    private var suspects: Set<SAIdentity> = []

    /// Starts without a suspect.
    public init() {}

    /// The SAs that are needed no more; to be asked behind each comparison of the active daemon.
    ///
    /// An SA counts when two listings in a row do not name it and its peer has one that is named: what is missing once
    /// may be on its way into the listing.
    ///
    /// - Parameters:
    ///   - sas: the kernel's SAs, read before the listing was asked for.
    ///   - listing: the IKE SAs of the active daemon.
    ///   - gateways: the addresses of this end.
    public mutating func leftovers(
        among sas: some Collection<KernelSA>, listing: [ListedIKE], gateways: Set<IPAddress>
    ) -> [KernelSA] {
        let named = Set(listing.flatMap(\.children).flatMap { [$0.spis.inbound, $0.spis.outbound] })
        func peer(of sa: KernelSA) -> Peer {
            gateways.contains(sa.source)
                ? Peer(address: sa.identity.destination, port: sa.encapsulation?.destinationPort)
                : Peer(address: sa.source, port: sa.encapsulation?.sourcePort)
        }
        let served = Set(sas.filter { named.contains($0.identity.spi) }.map(peer(of:)))
        let unnamed = sas.filter { !named.contains($0.identity.spi) && served.contains(peer(of: $0)) }
        defer { suspects = Set(unnamed.map(\.identity)) }
        return unnamed.filter { suspects.contains($0.identity) }.sorted { $0.identity < $1.identity }
    }
}
