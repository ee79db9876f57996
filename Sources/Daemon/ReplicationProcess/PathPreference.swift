// SPDX-License-Identifier: Apache-2.0

import Primitives

/// By which of the peer's addresses the association sends first.
///
/// SCTP learns that a path is dead from what stays unanswered, so a word about the role would be late by a retransmission
/// timeout, just when it matters. A link that loses its carrier is told by the kernel at once.
struct PathPreference {
    /// The most links without carrier that are remembered; of more, SCTP finds out by itself.
    static let maximumLinks = 64

    /// Indices of the links that were heard to be down.
    private var linksDown: Set<UInt32> = []

    /// Takes what the kernel tells of a link; true if it changed.
    mutating func note(_ index: UInt32, isUp: Bool) -> Bool {
        if isUp { return linksDown.remove(index) != nil }
        guard linksDown.count < Self.maximumLinks else { return false }
        return linksDown.insert(index).inserted
    }

    /// The first of the addresses that is not behind a link without carrier; the first of all where each is.
    ///
    /// - Parameters:
    ///   - addresses: the peer's, in the order of the configuration.
    ///   - interface: the index of the link by which an address is reached, nil without a route.
    func first(of addresses: [IPv4Address], by interface: (IPv4Address) -> UInt32?) -> IPv4Address? {
        addresses.first { address in interface(address).map { !linksDown.contains($0) } ?? false } ?? addresses.first
    }
}
