// SPDX-License-Identifier: Apache-2.0

/// Up to which of its records an Active knows that the standby has them too.
///
/// A peer that is HOT has all but the last two seconds of them.
public struct SharingMark: Sendable {
    /// How many looks, a second apart, a record must be older than.
    static let lookCount = 4

    /// The last record that the peer is known to have.
    public private(set) var through: UInt64
    private var sequences: [UInt64] = []

    /// Starts with what the former Active has, from which this node took over.
    public init(through sequence: UInt64 = 0) { through = sequence }

    /// Looks at the journal's newest record; called each second while Active.
    public mutating func look(at sequence: UInt64, isPeerHot: Bool) {
        guard isPeerHot else { return sequences = [] }
        if sequences.count == Self.lookCount { through = max(through, sequences.removeFirst()) }
        sequences.append(sequence)
    }
}
