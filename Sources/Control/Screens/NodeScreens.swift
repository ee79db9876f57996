// SPDX-License-Identifier: Apache-2.0

extension CountersView {
    /// The screen of `show counters`: names and counts in columns.
    public var text: String {
        let width = (counters.keys.map(\.count).max() ?? 0) + 2
        return counters.sorted { $0.key < $1.key }.map { $0.key.padded(to: width) + "\($0.value)\n" }.joined()
    }
}

extension VersionView {
    /// The screen of `show version`.
    public var text: String {
        var lines = ["havpn \(version), on Linux \(kernel)", ""]
        lines.append("\(hostname) uptime is \(Wording.age(uptimeMilliseconds))")
        lines.append("Configuration revision is \(configurationRevision.map { "\($0)" } ?? "none")")
        return lines.joined(separator: "\n") + "\n"
    }
}

extension EventView {
    /// One line of `monitor` and `show logging`, without a line break.
    public var text: String {
        let stamp = time.map { "\($0): " } ?? ""
        return stamp + (line ?? summary)
    }

    private var summary: String {
        var words = [event]
        if let interface { words.append(interface) }
        if let group { words.append("Grp \(group)") }
        if let object { words.append("object \(object)") }
        if let from, let to { words.append("\(from) -> \(to)") } else if let to { words.append(to) }
        if let reason { words.append("(\(reason))") }
        return words.joined(separator: " ")
    }
}

extension LoggingView {
    /// The screen of `show logging`.
    public var text: String {
        let head = dropped > 0 ? "\(dropped) older events are gone\n" : ""
        return head + events.map { $0.text + "\n" }.joined()
    }
}

extension SwitchoverView {
    /// What `switchover` prints.
    public var text: String {
        guard let durationMilliseconds else { return "The hand-over of group \"\(group)\" has begun.\n" }
        let router = activeRouter.map { " (\($0))" } ?? ""
        return "Group \"\(group)\": the peer\(router) is Active after \(durationMilliseconds) ms.\n"
    }
}

extension ReloadView {
    /// What `reload` prints.
    public var text: String {
        let outcome =
            changed ? "Configuration \(revision) is running." : "Nothing differs; configuration \(revision) is running."
        return warnings.map { $0 + "\n" }.joined() + outcome + "\n"
    }
}

extension ErrorView {
    /// What the CLI prints on standard error.
    public var text: String { "% \(error.message)\n" }
}
