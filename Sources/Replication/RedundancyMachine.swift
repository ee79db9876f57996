// SPDX-License-Identifier: Apache-2.0

import DequeModule
public import FirstHop
public import Primitives

/// The redundancy state of this node: what the screens show and failover decides on.
///
///     INITIALIZATION ─► NEGOTIATION ─► STANDBY COLD ─► COLD-BULK ─► HOT
///                                          ▲               │          │
///                                          └── loss, fault ┴──────────┤
///          ACTIVE ◄─ ACTIVE-FAST ◄────────────── role gained ─────────┤
///            └─► ACTIVE-DRAIN ─────────────────── role given ─────────┘
public struct RedundancyMachine: Sendable {
    /// What happened.
    public enum Event: Hashable, Sendable, Codable {
        /// Facts were gathered anew; they may be the same as before.
        case factsChanged(RedundancyFacts)
    }

    /// What the process must do.
    public enum Action: Hashable, Sendable, Encodable {
        /// The state changed: tell the peer, screens and `monitor`.
        case noteState(from: RedundancyState, to: RedundancyState, reason: String)
        /// Tell failover.
        case publish(RedundancyStatus)
        /// Write a log line.
        case log(String)
    }

    /// One entry of `show redundancy history`.
    public struct Change: Hashable, Sendable {
        /// When it happened.
        public var at: Instant
        /// The state before.
        public var from: RedundancyState
        /// The state after.
        public var to: RedundancyState
        /// Why, in a few words.
        public var reason: String
    }

    /// The state.
    public private(set) var state = RedundancyState.disabled
    /// What a standby lacks for HOT, one clause each.
    public private(set) var missing: [String] = []
    /// What failover was told last; nil before the first time.
    public private(set) var status: RedundancyStatus?
    /// How often this node took or lost the role.
    public private(set) var switchoverCount = 0
    private var entries: Deque<Change> = []

    /// Starts as DISABLED.
    public init() {}

    /// The last changes, the oldest first.
    public var history: [Change] { Array(entries) }

    /// Takes the facts.
    public mutating func handle(_ event: Event, at now: Instant, actions: inout [Action]) {
        switch event {
        case .factsChanged(let facts): evaluate(facts, at: now, actions: &actions)
        }
    }

    private mutating func evaluate(_ facts: RedundancyFacts, at now: Instant, actions: inout [Action]) {
        let (wanted, reasons) = facts.evaluation
        missing = reasons
        if wanted != state { change(to: wanted, at: now, actions: &actions) }
        var fresh = RedundancyStatus(isStateful: facts.isStateful)
        fresh.isAssociationUp = facts.isSessionUp && !facts.isPeerSilent
        fresh.isLocalHot = state == .standbyHot
        fresh.isPeerHot = facts.isPeerHot
        fresh.isPeerPopulated = facts.isPeerPopulated
        fresh.isIKEDaemonFit = facts.daemonFault == nil
        fresh.mayPeerKernelLive = facts.mayPeerKernelLive || facts.isPeerSilent
        fresh.isRoleTaken = facts.isActive == true && !facts.areNumbersStale
        fresh.hasUndelivered = facts.hasUndelivered
        fresh.areNumbersStale = facts.areNumbersStale
        if fresh != status {
            status = fresh
            actions.append(.publish(fresh))
        }
    }

    private mutating func change(to wanted: RedundancyState, at now: Instant, actions: inout [Action]) {
        let standard = wanted == .standbyHot ? "everything is replicated" : "the group's role"
        let reason = missing.first ?? standard
        if wanted.isActive != state.isActive, state.rawValue > RedundancyState.initialization.rawValue {
            switchoverCount += 1
        }
        if entries.count == ReplicationLimits.historyEntries { entries.removeFirst() }
        entries.append(Change(at: now, from: state, to: wanted, reason: reason))
        actions.append(.log("%RF-5-RF_STATE: my state \(state) -> \(wanted) (\(reason))"))
        let former = state
        state = wanted
        actions.append(.noteState(from: former, to: wanted, reason: reason))
    }
}
