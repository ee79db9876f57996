// SPDX-License-Identifier: Apache-2.0

public import Primitives

/// Finds out by a few lookups whether a route to exactly this network stands in the tables, however large they are.
///
/// A lookup names the longest entry that holds an address. An entry of the network's own length is the route; a shorter
/// one, or none, proves that it is not there; a longer one hides it, and the next address is tried. Where longer ones
/// hide all of them the network counts as reachable by these.
public struct RouteSearch: Sendable {
    /// Addresses that are looked up at most.
    public static let addressCount = 8

    /// What a lookup found.
    public enum Finding: Hashable, Sendable {
        /// An entry of this prefix length.
        case entry(length: Int, isUsable: Bool)
        /// No entry.
        case nothing
        /// An entry of unknown length that refuses packets: unreachable, prohibit, blackhole.
        case refusal
    }

    private let length: Int
    private var isReachedOtherwise = false

    /// Starts a search.
    public init(_ destination: IPPrefix) { length = destination.length }

    /// Takes the next finding; nil where another address must be tried.
    public mutating func take(_ finding: Finding) -> Observation? {
        switch finding {
        case .nothing: return Observation(isUp: false, reason: "no route")
        case .refusal: return nil
        case .entry(let found, _) where found < length: return Observation(isUp: false, reason: "no route")
        case .entry(let found, let isUsable) where found == length:
            return Observation(isUp: isUsable, reason: isUsable ? nil : "next hop is down")
        case .entry(_, let isUsable):
            isReachedOtherwise = isReachedOtherwise || isUsable
            return nil
        }
    }

    /// The verdict after the last address.
    public func end() -> Observation {
        isReachedOtherwise
            ? Observation(isUp: true, reason: "more specific routes") : Observation(isUp: false, reason: "unreachable")
    }

    /// The addresses to look up: spread over the network.
    public static func addresses(of prefix: IPv4Prefix) -> [IPv4Address] {
        // What stands for the rest of the world must not lie in a network of its own: documentation, class E.
        guard prefix.length > 0 else {
            return [
                IPv4Address(192, 0, 2, 1), IPv4Address(198, 51, 100, 1), IPv4Address(203, 0, 113, 1),
                IPv4Address(240, 0, 0, 1),
            ]
        }
        let hostBits = 32 - prefix.length
        let spread = min(hostBits, spreadBits)
        return (0..<UInt32(1 << spread)).map { part in
            let inside: UInt32 = hostBits > spread ? 1 : 0
            return IPv4Address(prefix.network.value | part << UInt32(hostBits - spread) | inside)
        }
    }

    /// The addresses to look up: spread over the network.
    public static func addresses(of prefix: IPv6Prefix) -> [IPv6Address] {
        guard prefix.length > 0 else {
            return [0x2001_0db8, 0x3fff_0000, 0x4000_0000, 0x8000_0000].map { IPv6Address(high: $0 << 32, low: 1) }
        }
        let hostBits = 128 - prefix.length
        let spread = min(hostBits, spreadBits)
        let shift = UInt64(hostBits - spread)
        return (0..<UInt64(1 << spread)).map { part in
            let inside: UInt64 = hostBits > spread ? 1 : 0
            let high = shift >= 64 ? part << (shift - 64) : part >> (64 - shift)
            let low = shift >= 64 ? 0 : part << shift
            return IPv6Address(high: prefix.network.high | high, low: prefix.network.low | low | inside)
        }
    }

    private static let spreadBits = 3
}
