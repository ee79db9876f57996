// SPDX-License-Identifier: Apache-2.0

/// One event of `monitor` and `show logging`; fields that the event does not have are left out.
///
/// Any process may send one to front (`event`); front stamps the time if the sender did not.
public struct EventView: Codable, Hashable, Sendable {
    /// RFC 3339 time, stamped by front when nil.
    public var time: String?
    /// What happened, such as `hsrp-state`, `track-state`, `redundancy-state`, `role`, `configuration`, `log`.
    public var event: String
    /// The log line with its mnemonic, `%HSRP-5-STATECHANGE: …`; what the text form prints.
    public var line: String?
    /// The interface concerned.
    public var interface: String?
    /// The group concerned.
    public var group: Int?
    /// The tracked object concerned.
    public var object: Int?
    /// The state before.
    public var from: String?
    /// The state after.
    public var to: String?
    /// Why.
    public var reason: String?
    /// The term, where the event has one.
    public var term: Int?

    /// Makes an event.
    public init(_ event: String, line: String? = nil) {
        self.event = event
        self.line = line
    }
}

/// `show logging`: the last events, the oldest first; front fills it.
public struct LoggingView: Codable, Hashable, Sendable {
    /// The events.
    public var events: [EventView] = []
    /// How many older ones the ring has dropped.
    public var dropped = 0

    /// An empty log.
    public init() {}
}
