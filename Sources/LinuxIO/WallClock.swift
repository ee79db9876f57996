// SPDX-License-Identifier: Apache-2.0

internal import CLinux
internal import Glibc

/// A point of the calendar, for screens, logs and the lifetimes of keys: nothing else is scheduled by it.
public struct WallClock: Hashable, Sendable {
    /// Seconds since 1970-01-01 UTC.
    public var seconds: Int
    /// Nanoseconds within the second.
    public var nanoseconds: Int

    /// The present time.
    public static func now() -> WallClock {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return WallClock(seconds: time.tv_sec, nanoseconds: time.tv_nsec)
    }

    /// The time in RFC 3339 with milliseconds, `2026-03-01T12:00:00.123Z`.
    public var text: String {
        var clock = time_t(seconds)
        var parts = tm()
        gmtime_r(&clock, &parts)
        let date = [Int(parts.tm_year) + 1900, Int(parts.tm_mon) + 1, Int(parts.tm_mday)].map(Self.padded)
        let time = [parts.tm_hour, parts.tm_min, parts.tm_sec].map { Self.padded(Int($0)) }
        let milliseconds = String(nanoseconds / 1_000_000 + 1000).dropFirst()
        return "\(date.joined(separator: "-"))T\(time.joined(separator: ":")).\(milliseconds)Z"
    }

    private static func padded(_ value: Int) -> String { value < 10 ? "0\(value)" : String(value) }
}
