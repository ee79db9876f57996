// SPDX-License-Identifier: Apache-2.0

import Primitives
import SecurityAssociations

/// This node's SAs by what screens know of them, so that thousands of flows do not search all SAs each.
struct SAIndex {
    private(set) var inboundBySPI: [UInt32: KernelSA] = [:]
    private(set) var outboundBySPI: [UInt32: KernelSA] = [:]
    /// Of several with one request id the one that came last.
    private(set) var inboundByRequest: [UInt32: KernelSA] = [:]
    private(set) var outboundByRequest: [UInt32: KernelSA] = [:]

    /// Sorts SAs by whether they end at one of our addresses.
    init(_ sas: [SAIdentity: KernelSA], ends: Set<IPAddress>) {
        for sa in sas.values {
            if ends.contains(sa.identity.destination) {
                inboundBySPI[sa.identity.spi] = sa
                Self.enter(sa, into: &inboundByRequest)
            } else {
                outboundBySPI[sa.identity.spi] = sa
                Self.enter(sa, into: &outboundByRequest)
            }
        }
    }

    private static func enter(_ sa: KernelSA, into table: inout [UInt32: KernelSA]) {
        if let other = table[sa.requestID], other.usage.addedAtSeconds > sa.usage.addedAtSeconds { return }
        table[sa.requestID] = sa
    }
}
