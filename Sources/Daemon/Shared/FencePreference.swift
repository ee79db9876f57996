// SPDX-License-Identifier: Apache-2.0

/// Where the fence stands among the policy rules; the same for every virtual address and every process of ours.
enum FencePreference {
    /// Below 1000 and below every rule that an administrator is likely to have, but behind `local` (0).
    static let value: UInt32 = 114
}
