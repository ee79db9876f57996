// SPDX-License-Identifier: Apache-2.0

public import Primitives

/// `ip sla N` with `icmp-echo`: one echo at a time, its round trip, and what that amounts to.
public struct EchoOperation: Hashable, Sendable {
    /// Where an echo's source address comes from.
    public enum Source: Hashable, Sendable {
        /// The kernel chooses by the route.
        case route
        /// The echo leaves by this interface (`source-interface`).
        case interface(String)
        /// An address of this node (`source-ip`).
        case address(IPv4Address)
    }

    /// 1 to 2147483647.
    public var number: Int
    /// Whom to ask.
    public var destination: IPv4Address
    /// Who asks.
    public var source: Source = .route
    /// From one echo to the next, 1 to 604800 s.
    public var frequencySeconds = 60
    /// After which there is no answer, at most the frequency; nil for 5 s, or the frequency where that is shorter.
    public var timeoutMilliseconds: Int?
    /// Beyond which an answer is too late for `state`, at most the timeout; nil for the timeout.
    public var thresholdMilliseconds: Int?
    /// `ip sla schedule N life forever start-time now`.
    public var isScheduled = false

    /// Makes an operation with IOS's defaults.
    public init(number: Int, destination: IPv4Address) {
        self.number = number
        self.destination = destination
    }

    /// The timeout that holds.
    public var timeout: Interval { .milliseconds(timeoutMilliseconds ?? min(5000, frequencySeconds * 1000)) }
    /// The threshold that holds.
    public var threshold: Interval { thresholdMilliseconds.map { .milliseconds($0) } ?? timeout }
}

/// The life of one scheduled operation.
public struct EchoMachine: Sendable {
    /// What has happened.
    public enum Event: Hashable, Sendable {
        /// The operation begins.
        case started
        /// The echo of that number was answered.
        case answered(sequence: UInt16)
        /// An echo could not be sent.
        case notSent(reason: String)
        /// `nextDeadline` may have come.
        case deadlineReached
    }

    /// What is to be done.
    public enum Action: Hashable, Sendable {
        /// Send an echo; what came of the one before is of no interest any more.
        case send(sequence: UInt16)
        /// An echo has come to its end, and `code` says how.
        case conclude
    }

    /// IOS's return code of the last echo.
    public enum Code: Hashable, Sendable {
        /// None has come to its end.
        case unknown
        /// Answered.
        case ok
        /// Answered after the threshold.
        case overThreshold
        /// Not answered in time.
        case timeout
        /// Not sent.
        case notSent(reason: String)

        /// IOS's word.
        public var text: String {
            switch self {
            case .unknown: "Unknown"
            case .ok: "OK"
            case .overThreshold: "over threshold"
            case .timeout: "Timeout"
            case .notSent(let reason): "not sent: \(reason)"
            }
        }
    }

    /// The last echo's return code.
    public private(set) var code = Code.unknown
    /// The last answer's round trip.
    public private(set) var roundTrip: Interval?
    /// Echoes sent, or tried to.
    public private(set) var sentCount = 0
    /// Echoes that were answered in time.
    public private(set) var answeredCount = 0
    /// Echoes that were not.
    public private(set) var lostCount = 0

    private let frequency: Interval
    private let timeout: Interval
    private let threshold: Interval
    private var sequence: UInt16 = 0
    private var sentAt = Instant(nanoseconds: 0)
    private var isWaiting = false
    private var nextSend: Instant?

    /// When `deadlineReached` is wanted.
    public var nextDeadline: Instant? { isWaiting ? sentAt + timeout : nextSend }

    /// Makes the machine of an operation that has not started.
    public init(_ operation: EchoOperation) {
        frequency = .seconds(operation.frequencySeconds)
        timeout = operation.timeout
        threshold = operation.threshold
    }

    /// Steps the machine; `now` must never go back.
    public mutating func handle(_ event: Event, at now: Instant, actions: inout [Action]) {
        switch event {
        case .started: if nextSend == nil { send(at: now, &actions) }
        case .answered(let number):
            guard isWaiting, number == sequence else { return }
            let took = now.since(sentAt)
            guard took <= timeout else { return conclude(.timeout, &actions) }
            roundTrip = took
            conclude(took > threshold ? .overThreshold : .ok, &actions)
        case .notSent(let reason):
            guard isWaiting else { return }
            conclude(.notSent(reason: reason), &actions)
        case .deadlineReached:
            if isWaiting {
                guard sentAt + timeout <= now else { return }
                conclude(.timeout, &actions)
            }
            if let due = nextSend, due <= now { send(at: now, &actions) }
        }
    }

    private mutating func send(at now: Instant, _ actions: inout [Action]) {
        sequence &+= 1
        sentAt = now
        // Absolute steps; after a stall the missed echoes are not made up for.
        let due = nextSend.map { $0 + frequency } ?? now + frequency
        nextSend = due > now ? due : now + frequency
        isWaiting = true
        sentCount += 1
        actions.append(.send(sequence: sequence))
    }

    private mutating func conclude(_ new: Code, _ actions: inout [Action]) {
        isWaiting = false
        code = new
        switch new {
        case .ok, .overThreshold: answeredCount += 1
        default: lostCount += 1
        }
        actions.append(.conclude)
    }

    /// What the last echo means for an object; nil before the first one has ended.
    public func observe(_ aspect: EchoAspect) -> Observation? {
        switch code {
        case .unknown: nil
        case .ok: Observation(isUp: true)
        case .overThreshold: Observation(isUp: aspect == .reachability, reason: code.text)
        case .timeout, .notSent: Observation(isUp: false, reason: code.text)
        }
    }
}

/// What of an operation is watched (reference first-hop §3.1).
public enum EchoAspect: String, Hashable, Sendable, CaseIterable {
    /// Up with an answer, however late.
    case reachability
    /// Up with an answer within the threshold.
    case state
}
