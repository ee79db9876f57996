// SPDX-License-Identifier: Apache-2.0

public import Primitives

/// Keys of hellos that take turns by the calendar (`key chain NAME`), as IOS has them.
///
/// The clock comes in as seconds since 1970-01-01 UTC: gateways may boot without one, so no rule here depends on it more
/// than the lifetimes do.
public struct KeyChain: Hashable, Sendable {
    /// The chain's name.
    public var name: String
    /// The keys ordered by number, at most `maximumKeyCount`.
    public var keys: [Key] = []

    /// Keys of a chain: those of one chain and those of the former one are tried for one message.
    public static let maximumKeyCount = GroupAuthentication.keyLimit / 2

    /// Makes a chain without keys.
    public init(name: String) { self.name = name }

    /// A key and when it counts.
    public struct Key: Hashable, Sendable {
        /// What messages call it by.
        public var number: UInt32
        /// The key itself, of `HSRPKey.byteCounts` bytes; nil until it was said.
        public var secret: SecretBytes?
        /// When messages by it are believed; nil is always.
        public var acceptLifetime: Lifetime?
        /// When messages are sent by it; nil is always.
        public var sendLifetime: Lifetime?

        /// Makes a key that was not said yet.
        public init(number: UInt32) { self.number = number }
    }

    /// A span of the calendar.
    public struct Lifetime: Hashable, Sendable {
        /// The first second, since 1970-01-01 UTC.
        public var start: Int
        /// The first second after it, later than `start`; nil is never.
        public var end: Int?

        /// Makes a span.
        public init(start: Int, end: Int? = nil) {
            self.start = start
            self.end = end
        }

        func contains(_ seconds: Int) -> Bool { start <= seconds && end.map { seconds < $0 } ?? true }
    }

    /// What a group authenticates with at that time: the lowest key that may be sent, and all that may be accepted.
    ///
    /// Where the calendar leaves none, authentication goes on by the key that was the last one, or will be the first one:
    /// a forgotten lifetime or a wrong clock must not end the election. `missing` without any key.
    public func authentication(at seconds: Int) -> GroupAuthentication {
        let sending = inForce(\.sendLifetime, at: seconds)
        let accepting = inForce(\.acceptLifetime, at: seconds)
        guard let key = sending.first.flatMap(Self.key) else { return .missing }
        return .keys(sending: key, accepting: accepting.compactMap(Self.key))
    }

    /// Whether lifetimes leave no key to send with or none to accept at that time.
    public func isOverdue(at seconds: Int) -> Bool {
        [\Key.sendLifetime, \Key.acceptLifetime].contains { lifetime in
            !keys.contains { $0.secret != nil && ($0[keyPath: lifetime]?.contains(seconds) ?? true) }
        }
    }

    /// The next second at which another key may count; nil if there is none.
    public func nextChange(after seconds: Int) -> Int? {
        keys.flatMap { [$0.acceptLifetime, $0.sendLifetime] }.compactMap(\.self).flatMap { [$0.start, $0.end] }
            .compactMap(\.self).filter { $0 > seconds }.min()
    }

    private func inForce(_ lifetime: KeyPath<Key, Lifetime?>, at seconds: Int) -> [Key] {
        let known = keys.filter { $0.secret != nil }
        let valid = known.filter { $0[keyPath: lifetime]?.contains(seconds) ?? true }
        guard valid.isEmpty else { return valid }
        func end(_ key: Key) -> Int { key[keyPath: lifetime]?.end ?? .max }
        func start(_ key: Key) -> Int { key[keyPath: lifetime]?.start ?? .min }
        let over = known.filter { end($0) <= seconds }
        let last = over.max { end($0) < end($1) } ?? known.min { start($0) < start($1) }
        return last.map { [$0] } ?? []
    }

    private static func key(_ key: Key) -> HSRPKey? {
        key.secret.flatMap { HSRPKey(number: key.number, $0) }
    }
}
