// SPDX-License-Identifier: Apache-2.0

/// A length of time in nanoseconds, never negative.
public struct Interval: Hashable, Comparable, Sendable {
    /// The length in nanoseconds.
    public let nanoseconds: UInt64

    /// Makes an interval of `nanoseconds`.
    public init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

    /// Makes an interval of whole seconds; the value must be at most 10^9.
    public static func seconds(_ value: Int) -> Interval { .milliseconds(value * 1000) }

    /// Makes an interval of whole milliseconds; the value must be 0 to 10^12.
    public static func milliseconds(_ value: Int) -> Interval {
        precondition(value >= 0 && value <= 1_000_000_000_000)
        return Interval(nanoseconds: UInt64(value) * 1_000_000)
    }

    /// The empty interval.
    public static let zero = Interval(nanoseconds: 0)

    /// The length in whole milliseconds, rounded down.
    public var milliseconds: Int { Int(nanoseconds / 1_000_000) }

    /// Orders intervals by length.
    public static func < (left: Interval, right: Interval) -> Bool { left.nanoseconds < right.nanoseconds }

    /// Adds two lengths.
    public static func + (left: Interval, right: Interval) -> Interval {
        Interval(nanoseconds: left.nanoseconds + right.nanoseconds)
    }

    /// The length `right` times, which must not be negative.
    public static func * (left: Interval, right: Int) -> Interval {
        Interval(nanoseconds: left.nanoseconds * UInt64(right))
    }

    /// The length divided by `right`, which must be positive.
    public static func / (left: Interval, right: Int) -> Interval {
        Interval(nanoseconds: left.nanoseconds / UInt64(right))
    }
}

/// A point on the monotonic clock (CLOCK_MONOTONIC), comparable within one boot of one machine only.
public struct Instant: Hashable, Comparable, Sendable {
    /// Nanoseconds since the clock's arbitrary start.
    public let nanoseconds: UInt64

    /// Makes the point `nanoseconds` after the clock's start.
    public init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

    /// Orders points by time.
    public static func < (left: Instant, right: Instant) -> Bool { left.nanoseconds < right.nanoseconds }

    /// The point `right` later.
    public static func + (left: Instant, right: Interval) -> Instant {
        Instant(nanoseconds: left.nanoseconds + right.nanoseconds)
    }

    /// The earlier of two points that may be absent, such as deadlines; nil when both are.
    public static func earliest(_ first: Instant?, _ second: Instant?) -> Instant? {
        guard let first else { return second }
        guard let second else { return first }
        return min(first, second)
    }

    /// The time that has passed since `earlier`, or zero if `earlier` lies in the future.
    public func since(_ earlier: Instant) -> Interval {
        nanoseconds > earlier.nanoseconds ? Interval(nanoseconds: nanoseconds - earlier.nanoseconds) : .zero
    }
}
