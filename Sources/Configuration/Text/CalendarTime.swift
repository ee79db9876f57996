// SPDX-License-Identifier: Apache-2.0

/// A second of the calendar as IOS writes it, `00:00:00 Jan 1 2026`, here always in UTC.
enum CalendarTime {
    static let months = [
        "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
        "december",
    ]
    /// Years that may be written.
    static let years = 2000...2199
    private static let secondsPerDay = 86_400

    /// Seconds since 1970-01-01 UTC; nil where the month has no such day.
    static func seconds(year: Int, month: Int, day: Int, secondOfDay: Int) -> Int? {
        let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
        let lengths = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
        guard (1...12).contains(month), (1...lengths[month - 1]).contains(day) else { return nil }
        return (days(before: year) + lengths.prefix(month - 1).reduce(0, +) + day - 1) * secondsPerDay + secondOfDay
    }

    /// The text of a second from 1970 on.
    static func text(_ seconds: Int) -> String {
        let dayNumber = seconds / secondsPerDay
        var year = 1970 + dayNumber / 366
        while days(before: year + 1) <= dayNumber { year += 1 }
        var month = 12
        while month > 1, (Self.seconds(year: year, month: month, day: 1, secondOfDay: 0) ?? 0) > seconds { month -= 1 }
        let first = Self.seconds(year: year, month: month, day: 1, secondOfDay: 0) ?? 0
        let rest = seconds % secondsPerDay
        let clock = [rest / 3600, rest / 60 % 60, rest % 60].map { $0 < 10 ? "0\($0)" : "\($0)" }
        let name = months[month - 1].prefix(3)
        let day = (seconds - first) / secondsPerDay + 1
        return "\(clock.joined(separator: ":")) \(name.prefix(1).uppercased())\(name.dropFirst()) \(day) \(year)"
    }

    /// Days from 1970-01-01 to the first day of a year not before 1970.
    private static func days(before year: Int) -> Int {
        let past = year - 1
        let leapDays = past / 4 - past / 100 + past / 400 - (1969 / 4 - 1969 / 100 + 1969 / 400)
        return (year - 1970) * 365 + leapDays
    }
}

extension Statement {
    /// Reads `HH:MM[:SS] MONTH DAY YEAR`, or the day before the month.
    mutating func calendarTime(_ what: String) throws(Fault) -> Int {
        let place = self
        let expected = "expected \(what), a time such as `00:00:00 Jan 1 2026`"
        guard let clock = next?.text else { throw fault("\(expected), at the end of the line") }
        let parts = clock.split(separator: ":", omittingEmptySubsequences: false).map { Self.number($0) }
        guard (2...3).contains(parts.count), let hour = parts[0], hour < 24, let minute = parts[1], minute < 60,
            let second = parts.count == 3 ? parts[2] : 0, second < 60
        else { throw fault("\(expected), found `\(clock)`") }
        skip()
        var day: Int?
        if let text = next?.text, let number = Self.number(text[...]) {
            day = number
            skip()
        }
        let month = try keyword(CalendarTime.months)
        if day == nil { day = try integer(1...31, "the day of the month") }
        let year = try integer(CalendarTime.years, "the year")
        let index = (CalendarTime.months.firstIndex(of: month) ?? 0) + 1
        guard let day,
            let seconds = CalendarTime.seconds(
                year: year, month: index, day: day, secondOfDay: hour * 3600 + minute * 60 + second)
        else { throw place.fault("\(expected); there is no such day") }
        return seconds
    }

    private static func number(_ text: Substring) -> Int? {
        guard (1...2).contains(text.utf8.count), text.utf8.allSatisfy({ (48...57).contains($0) }) else { return nil }
        return Int(text)
    }
}
