// SPDX-License-Identifier: Apache-2.0

import Primitives

/// Where the fence stands among the policy rules; the same for every virtual address and every process of ours.
enum FencePreference {
    /// Below 1000 and below every rule that an administrator is likely to have, but behind `local` (0).
    static let value: UInt32 = 114
    /// The part of an IPv6 fence that always stands, right behind the one that is raised and lowered.
    static let standing: UInt32 = value + 1

    /// The table to which the standing rule of an IPv6 address leads: one for each address, and always the same one.
    ///
    /// The number is made of the address (FNV-1a) with 30 bits, far from those that people give.
    static func table(of address: IPAddress) -> UInt32 {
        let hash = address.octets.reduce(UInt32(2_166_136_261)) { ($0 ^ UInt32($1)) &* 16_777_619 }
        return 0x4000_0000 | hash >> 2
    }
}
