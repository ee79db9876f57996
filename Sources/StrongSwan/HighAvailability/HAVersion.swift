// SPDX-License-Identifier: Apache-2.0

/// A version of the ha plugin's wire format; attribute numbers differ between them (reference ipsec-ha §1.4).
public enum HAVersion: UInt8, Sendable, CaseIterable {
    /// Releases 5.7.2 to 6.0.0.
    case three = 3
    /// Release 6.0.1: multiple key exchanges, attributes from 18 on renumbered.
    case four = 4
    /// Releases from 6.0.2 on: conditions and extensions sent twice, the second copy with bit 31 set.
    case five = 5

    /// The wire version that a release of charon speaks, from text such as `5.9.8` or `6.0.1-rc1`; else nil.
    public init?(release: String) {
        let parts = release.split(separator: ".", maxSplits: 2).map { part in
            Int(part.prefix { $0.isASCII && $0.isNumber }) ?? -1
        }
        guard parts.count >= 2, parts.allSatisfy({ $0 >= 0 }) else { return nil }
        let (major, minor, patch) = (parts[0], parts[1], parts.count > 2 ? parts[2] : 0)
        switch (major, minor, patch) {
        case (5, 8..., _), (5, 7, 2...), (6, 0, 0): self = .three
        case (6, 0, 1): self = .four
        case (6, _, _), (7..., _, _): self = .five
        default: return nil
        }
    }
}
