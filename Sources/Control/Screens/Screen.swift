// SPDX-License-Identifier: Apache-2.0

/// What `havpnctl show …` can show: the words, the request that gets it, and how it is drawn.
public struct Screen: Sendable {
    /// The words after `show`, in full.
    public let words: [String]
    /// One line of help.
    public let help: String
    /// What to ask the daemon.
    public let request: ControlRequest
    private let draw: @Sendable ([UInt8]) throws(ControlError) -> String

    private init<View: Decodable & SendableMetatype>(
        _ words: String, _ help: String, _ command: ControlRequest.Command, _ view: View.Type,
        secrets: Bool? = nil, _ draw: @escaping @Sendable (View) -> String
    ) {
        self.words = words.split(separator: " ").map(String.init)
        self.help = help
        var request = ControlRequest(command)
        request.secrets = secrets
        self.request = request
        self.draw = { (text: [UInt8]) throws(ControlError) in draw(try decodeJSON(View.self, from: text)) }
    }

    /// Draws the daemon's answer.
    public func text(for answer: [UInt8]) throws(ControlError) -> String { try draw(answer) }

    /// Every screen.
    public static let all: [Screen] = [
        Screen("standby", "the groups and their states", .showStandby, StandbyView.self) { $0.text },
        Screen("standby brief", "one line a group", .showStandby, StandbyView.self) { $0.briefText },
        Screen("track", "tracked objects", .showTrack, TrackView.self) { $0.text },
        Screen("track brief", "one line an object", .showTrack, TrackView.self) { $0.briefText },
        Screen("redundancy", "this node, its peer, what is missing for HOT", .showRedundancy, RedundancyView.self) {
            $0.text
        },
        Screen("redundancy states", "the states alone", .showRedundancy, RedundancyView.self) { $0.statesText },
        Screen("redundancy inter-device", "the scheme", .showRedundancy, RedundancyView.self) { $0.interDeviceText },
        Screen("redundancy history", "state changes", .showRedundancy, RedundancyView.self) { $0.historyText },
        Screen("ipc association", "the association with the peer", .showAssociation, AssociationView.self) { $0.text },
        Screen("crypto isakmp sa", "IKE SAs", .showISAKMP, ISAKMPView.self) { $0.text },
        Screen("crypto ipsec sa", "IPsec SAs in this node's kernel", .showIPsec, IPsecView.self) { $0.text },
        Screen("crypto session", "peers and their flows", .showSession, SessionView.self) { $0.text },
        Screen("crypto session detail", "the same with counters", .showSession, SessionView.self) { $0.detailText },
        Screen("running-config", "the configuration in use", .showRunningConfiguration, RunningConfigurationView.self) {
            $0.text
        },
        Screen(
            "running-config secrets", "the same with authentication data (root)", .showRunningConfiguration,
            RunningConfigurationView.self, secrets: true
        ) { $0.text },
        Screen("version", "release, kernel, uptime", .showVersion, VersionView.self) { $0.text },
        Screen("counters", "everything that is counted", .showCounters, CountersView.self) { $0.text },
        Screen("logging", "the last events", .showLogging, LoggingView.self) { $0.text },
    ]

    /// Finds the screen that abbreviated words mean; throws `ScreenError` with a sentence that says what was expected.
    public static func find(_ words: [String]) throws(ScreenError) -> Screen {
        var candidates = all
        for (index, word) in words.enumerated() {
            let known = Set(candidates.filter { $0.words.count > index }.map { $0.words[index] }).sorted()
            let lowered = word.lowercased()
            let matches = known.contains(lowered) ? [lowered] : known.filter { $0.hasPrefix(lowered) }
            let place = (["show"] + words[..<index]).joined(separator: " ")
            guard let match = matches.first, !word.isEmpty else {
                throw ScreenError(
                    known.isEmpty
                        ? "expected nothing after `\(place)`, found `\(word)`"
                        : "expected \(known.joined(separator: ", ")) after `\(place)`, found `\(word)`")
            }
            guard matches.count == 1 else {
                throw ScreenError("`\(word)` after `\(place)` may mean \(matches.joined(separator: " or "))")
            }
            candidates = candidates.filter { $0.words.count > index && $0.words[index] == match }
        }
        if let whole = candidates.first(where: { $0.words.count == words.count }) { return whole }
        let next = Set(candidates.filter { $0.words.count > words.count }.map { $0.words[words.count] }).sorted()
        throw ScreenError(
            "expected \(next.joined(separator: ", ")) after `\((["show"] + words).joined(separator: " "))`")
    }
}

/// Words that name no screen.
public struct ScreenError: Error, Hashable, Sendable {
    /// A sentence that says what was expected.
    public let message: String

    init(_ message: String) { self.message = message }
}
