// SPDX-License-Identifier: Apache-2.0

/// An answer that says no: `{"error":{"code":"standby-not-hot","message":"…"}}`.
public struct ErrorView: Codable, Hashable, Sendable, Error {
    /// What is wrong.
    public var error: Fault

    /// Makes an answer from a stable code in kebab case and a sentence that says what to do.
    public init(code: String, message: String) { error = Fault(code: code, message: message) }

    /// A code for programs and a sentence for people.
    public struct Fault: Codable, Hashable, Sendable {
        /// Stable, in kebab case.
        public var code: String
        /// A sentence.
        public var message: String
    }
}

/// `show counters`: what was counted, by dotted name.
public struct CountersView: Codable, Hashable, Sendable {
    /// Counts since the process that counts started.
    public var counters: [String: Int] = [:]

    /// Makes a view of counts.
    public init(_ counters: [String: Int] = [:]) { self.counters = counters }
}

/// `show version`; front fills it.
public struct VersionView: Codable, Hashable, Sendable {
    /// The release.
    public var version = ""
    /// The node's name.
    public var hostname = ""
    /// The running kernel's release.
    public var kernel = ""
    /// Since the front process started.
    public var uptimeMilliseconds = 0
    /// How often a configuration was accepted; null before the first.
    @Nullable public var configurationRevision: Int? = nil

    /// An empty view.
    public init() {}
}

/// `show running-config`; front fills it.
public struct RunningConfigurationView: Codable, Hashable, Sendable {
    /// The canonical text.
    public var text: String

    /// Makes a view of a text.
    public init(text: String) { self.text = text }
}

/// `switchover`; failover fills it.
public struct SwitchoverView: Codable, Hashable, Sendable {
    /// The group that changed hands.
    public var group: String
    /// From the command to the peer being Active; null with `--no-wait`.
    @Nullable public var durationMilliseconds: Int? = nil
    /// The new Active's address, null when not known yet.
    @Nullable public var activeRouter: String? = nil

    /// Makes an answer for a group.
    public init(group: String) { self.group = group }
}

/// `reload`; front fills it.
public struct ReloadView: Codable, Hashable, Sendable {
    /// The number of the load that is now running.
    public var revision: Int
    /// Whether anything differs from what ran before.
    public var changed: Bool
    /// Diagnostics that did not stop it, `FILE:LINE:COLUMN: warning: MESSAGE`.
    public var warnings: [String]

    /// Makes an answer.
    public init(revision: Int, changed: Bool, warnings: [String]) {
        self.revision = revision
        self.changed = changed
        self.warnings = warnings
    }
}

/// `metrics`: Prometheus text; front fills it.
public struct MetricsView: Codable, Hashable, Sendable {
    /// The exposition text.
    public var text: String

    /// Makes a view of a text.
    public init(text: String) { self.text = text }
}
