// SPDX-License-Identifier: Apache-2.0

extension TrackView {
    /// The screen of `show track`.
    public var text: String { objects.map { $0.lines.joined(separator: "\n") + "\n" }.joined() }

    /// The screen of `show track brief`.
    public var briefText: String {
        var lines = ["Track   Object                           Parameter        Value Last Change"]
        for object in objects {
            let parts = object.kind.split(separator: " ", maxSplits: 1).map(String.init)
            let line =
                "\(object.id)".padded(to: 8) + "\(parts.first ?? "") \(object.target)".padded(to: 33)
                + (parts.count > 1 ? parts[1] : "").padded(to: 17) + object.state.padded(to: 6)
                + (object.lastChangeMilliseconds.map(Wording.age) ?? "never")
            lines.append(line)
        }
        return lines.joined(separator: "\n") + "\n"
    }
}

extension TrackView.Object {
    fileprivate var lines: [String] {
        let parts = kind.split(separator: " ", maxSplits: 1).map(String.init)
        let parameter = parts.count > 1 ? parts[1] : ""
        var lines = ["Track \(id)", "  \(capitalised(parts.first ?? "")) \(target) \(parameter)".trimmedEnd]
        let what = parameter == "line-protocol" ? "Line protocol" : "State"
        lines.append("  \(what) is \(state)\(detail.map { " (\($0))" } ?? "")")
        let age = lastChangeMilliseconds.map(Wording.age) ?? "never"
        lines.append("    \(Wording.count(changes, "change")), last change \(age)")
        var delays: [String] = []
        if delayUpMilliseconds > 0 { delays.append("up \(Wording.timer(delayUpMilliseconds))s") }
        if delayDownMilliseconds > 0 { delays.append("down \(Wording.timer(delayDownMilliseconds))s") }
        if !delays.isEmpty { lines.append("  Delay \(delays.joined(separator: ", "))") }
        if let delayRemainingMilliseconds {
            lines.append("    the new state holds in \(Wording.seconds(delayRemainingMilliseconds)) secs")
        }
        if !trackedBy.isEmpty {
            lines.append("  Tracked by:")
            lines += trackedBy.map { "    HSRP \($0.interface) \($0.group)" }
        }
        return lines
    }

    private func capitalised(_ word: String) -> String { word.prefix(1).uppercased() + word.dropFirst() }
}
