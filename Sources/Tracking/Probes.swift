// SPDX-License-Identifier: Apache-2.0

/// `track N script PATH` and what stands under it.
public struct ScriptSettings: Hashable, Sendable {
    /// The program, an absolute path; it gets no arguments and no shell.
    public var path: String
    /// From one start to the next, 1 to 3600 s.
    public var intervalSeconds = 5
    /// After which it is killed with all that it started, 1 s to the interval.
    public var timeoutSeconds = 2
    /// Successes in a row that make it up again, 1 to 255.
    public var rise = 1
    /// Failures in a row that make it down, 1 to 255.
    public var fall = 1
    /// The user that it runs as, never root; nil for `nobody`.
    public var user: String?

    /// Makes a script with the defaults.
    public init(path: String) { self.path = path }

    /// The user that it runs as unless one is named.
    public static let defaultUser = "nobody"
}

/// What the supervisor tells about an object that it watches.
public struct ProbeReport: Hashable, Sendable {
    /// The object's number.
    public var object: Int
    /// What is known; nil before anything is.
    public var observation: Observation?
    /// A script's runs; nil for other kinds.
    public var runs: ScriptRuns?

    /// Makes a report.
    public init(object: Int, observation: Observation?, runs: ScriptRuns? = nil) {
        self.object = object
        self.observation = observation
        self.runs = runs
    }
}

/// How a script's runs ended; counts stay at their greatest value.
public struct ScriptRuns: Hashable, Sendable {
    /// Ended with status 0.
    public var successes: UInt32 = 0
    /// Ended with another status.
    public var failures: UInt32 = 0
    /// Killed by a signal that was not ours.
    public var signals: UInt32 = 0
    /// Killed at the timeout.
    public var timeouts: UInt32 = 0
    /// Could not be run.
    public var refusals: UInt32 = 0
    /// How the last one ended, in a few words.
    public var last = ""
    /// How long the last one took; nil where it did not run.
    public var lastMilliseconds: UInt32?

    /// No run yet.
    public init() {}
}

/// How one run of a script ended.
public enum ScriptOutcome: Hashable, Sendable {
    /// It returned this status.
    case exited(Int32)
    /// This signal killed it.
    case killed(Int32)
    /// It was killed because it took too long.
    case timedOut
    /// It could not be run.
    case notRun(reason: String)

    /// Status 0 is success, as everywhere.
    public var isSuccess: Bool { self == .exited(0) }

    /// A few words for screens.
    public var text: String {
        switch self {
        case .exited(let status): "exit status \(status)"
        case .killed(let signal): "killed by signal \(signal)"
        case .timedOut: "timed out"
        case .notRun(let reason): "cannot run: \(reason)"
        }
    }
}
