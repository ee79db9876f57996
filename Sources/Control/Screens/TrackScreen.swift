// SPDX-License-Identifier: Apache-2.0

extension TrackView {
    /// The screen of `show track`.
    public var text: String { objects.map { $0.lines.joined(separator: "\n") + "\n" }.joined() }

    /// The screen of `show track brief`.
    public var briefText: String {
        var lines = ["Track   Object                           Parameter        Value Last Change"]
        for object in objects {
            let (subject, parameter) = object.words
            let line =
                "\(object.id)".padded(to: 8) + "\(subject) \(object.target)".padded(to: 33)
                + parameter.padded(to: 17) + object.state.padded(to: 6)
                + (object.lastChangeMilliseconds.map(Wording.age) ?? "never")
            lines.append(line)
        }
        return lines.joined(separator: "\n") + "\n"
    }
}

extension TrackView.Object {
    /// What stands before the target and what behind it: `interface` and `line-protocol`, `ip route` and `reachability`.
    fileprivate var words: (subject: String, parameter: String) {
        let parts = kind.split(separator: " ").map(String.init)
        let count = kind.hasPrefix("ip") ? 2 : 1
        return (parts.prefix(count).joined(separator: " "), parts.dropFirst(count).joined(separator: " "))
    }

    fileprivate var lines: [String] {
        let (subject, parameter) = words
        let place = target.isEmpty ? "" : " \(target)"
        var lines = ["Track \(id)", "  \(capitalised(subject))\(place) \(parameter)".trimmedEnd]
        lines.append("  \(title) is \(state)\(detail.map { " (\($0))" } ?? "")")
        let age = lastChangeMilliseconds.map(Wording.age) ?? "never"
        lines.append("    \(Wording.count(changes, "change")), last change \(age)")
        lines += (members ?? []).map { member in
            let weight = member.weight.map { " weight \($0)" } ?? ""
            return "    object \(member.id)\(member.negated ? " not" : "")\(weight) \(member.state)"
        }
        if let thresholdUp, let thresholdDown { lines.append("    threshold up \(thresholdUp) down \(thresholdDown)") }
        if let runs { lines += runs.lines }
        if let echo { lines += echo.lines }
        if let firstHop { lines.append("  First-hop interface is \(firstHop)") }
        var delays: [String] = []
        if delayUpMilliseconds > 0 { delays.append("up \(Wording.timer(delayUpMilliseconds))s") }
        if delayDownMilliseconds > 0 { delays.append("down \(Wording.timer(delayDownMilliseconds))s") }
        if !delays.isEmpty { lines.append("  Delay \(delays.joined(separator: ", "))") }
        if let delayRemainingMilliseconds {
            lines.append("    the new state holds in \(Wording.seconds(delayRemainingMilliseconds)) secs")
        }
        if !trackedBy.isEmpty || !self.lists.isEmpty {
            lines.append("  Tracked by:")
            lines += trackedBy.map { "    HSRP \($0.interface) \($0.group)" }
            lines += self.lists.map { "    Track-list \($0)" }
        }
        return lines
    }

    /// What the line with the state calls the object, as IOS does.
    private var title: String {
        let (_, parameter) = words
        switch parameter {
        case "line-protocol": return "Line protocol"
        case "ip routing": return "IP routing"
        case "ipv6 routing": return "IPv6 routing"
        case "boolean and": return "Boolean AND"
        case "boolean or": return "Boolean OR"
        case "": return capitalised(words.subject)
        default: return capitalised(parameter)
        }
    }

    private func capitalised(_ words: String) -> String {
        if words == "ip sla" { return "IP SLA" }
        if words.hasPrefix("ipv6") { return "IPv6" + words.dropFirst(4) }
        if words.hasPrefix("ip") { return "IP" + words.dropFirst(2) }
        return words.prefix(1).uppercased() + words.dropFirst()
    }
}

extension TrackView.Runs {
    fileprivate var lines: [String] {
        let counts = [
            (successes, "succeeded"), (failures, "failed"), (signals, "killed by a signal"), (timeouts, "timed out"),
            (refusals, "not run"),
        ]
        let said = counts.filter { $0.0 > 0 }.map { "\($0.0) \($0.1)" }
        let sum = counts.reduce(0) { $0 + $1.0 }
        guard sum > 0 else { return ["  No run has ended yet"] }
        let duration = lastMilliseconds.map { " after \($0) ms" } ?? ""
        return ["  \(Wording.count(sum, "run")): \(said.joined(separator: ", "))", "  Latest run: \(last)\(duration)"]
    }
}

extension TrackView.Echo {
    fileprivate var lines: [String] {
        var lines = ["  Latest operation return code: \(returnCode)"]
        if let roundTripMicroseconds {
            lines.append("  Latest RTT (millisecs) \(Wording.seconds(roundTripMicroseconds))")
        }
        return lines + ["  \(Wording.count(sent, "echo", "echoes")) sent, \(answered) answered, \(lost) lost"]
    }
}
