// SPDX-License-Identifier: Apache-2.0

public import Primitives

/// All tracked objects of a node, and the lists that are made of them.
///
///     observations ──► objects with their delays ──► lists ──► lists of lists ──► stateChanged
///
/// A list sees its members as any client does, after their delays, and then has delays of its own. One event tells all
/// that follows from it at once, members before the lists that they are in. Configurations have no cycles
/// (`Configuration` refuses them); a cycle here would end at `Limits.listDepth`.
public struct TrackingMachine: Sendable {
    /// What has happened.
    public enum Event: Hashable, Sendable {
        /// The objects were configured, all of them; what watches the same as before keeps its state.
        case configured([ObjectSettings])
        /// Something was observed of an object that is no list.
        case observed(Int, Observation)
        /// `nextDeadline` may have come; calling too early is harmless.
        case deadlineReached
    }

    /// What clients must hear.
    public enum Action: Hashable, Sendable {
        /// The state of an object changed.
        case stateChanged(object: Int, from: TrackedObject.State, to: TrackedObject.State, reason: String?)
    }

    /// One object: how it is configured and how it is.
    public struct Entry: Sendable {
        /// As it is configured.
        public var settings: ObjectSettings
        /// As it is.
        public var object: TrackedObject
    }

    /// The objects by number.
    public private(set) var entries: [Int: Entry] = [:]
    /// When `deadlineReached` is wanted; nil while no delay runs.
    public private(set) var nextDeadline: Instant?

    /// The lists in which an object stands.
    private var lists: [Int: [Int]] = [:]

    /// Starts without objects.
    public init() {}

    /// An object's state as clients see it; nil for one that is not defined.
    public func state(of number: Int) -> TrackedObject.State? { entries[number]?.object.state }

    /// Steps the machine; `now` must never go back.
    public mutating func handle(_ event: Event, at now: Instant, actions: inout [Action]) {
        switch event {
        case .configured(let settings): configure(settings, at: now, &actions)
        case .observed(let number, let observation):
            guard let entry = entries[number], entry.object.observation != observation else { return }
            step(number, .observed(observation), at: now, depth: 0, &actions)
        case .deadlineReached:
            for number in entries.keys.sorted() {
                guard let deadline = entries[number]?.object.nextDeadline, deadline <= now else { continue }
                step(number, .deadlineReached, at: now, depth: 0, &actions)
            }
        }
        nextDeadline = entries.values.lazy.compactMap(\.object.nextDeadline).min()
    }

    private mutating func configure(_ all: [ObjectSettings], at now: Instant, _ actions: inout [Action]) {
        var left = entries
        entries = [:]
        lists = [:]
        var changed: [Int] = []
        for settings in all {
            let delays = TrackedObject.Event.delaysChanged(down: settings.downDelay, up: settings.upDelay)
            if var known = left.removeValue(forKey: settings.number), known.settings.kind.continues(settings.kind) {
                var none: [TrackedObject.Action] = []
                known.object.handle(delays, at: now, actions: &none)
                known.settings = settings
                entries[settings.number] = known
            } else {
                entries[settings.number] = Entry(
                    settings: settings,
                    object: TrackedObject(
                        downDelay: settings.downDelay, upDelay: settings.upDelay, defaultState: settings.defaultState))
            }
            guard case .list(let list) = settings.kind else { continue }
            changed.append(settings.number)
            for member in list.members { lists[member.object, default: []].append(settings.number) }
        }
        for number in changed { evaluate(number, at: now, depth: 0, &actions) }
    }

    private mutating func step(
        _ number: Int, _ event: TrackedObject.Event, at now: Instant, depth: Int, _ actions: inout [Action]
    ) {
        var told: [TrackedObject.Action] = []
        let hadSettled = entries[number]?.object.hasSettled
        entries[number]?.object.handle(event, at: now, actions: &told)
        let hasJustSettled = entries[number]?.object.hasSettled != hadSettled
        for case .stateChanged(let from, let to) in told {
            let reason = entries[number]?.object.observation?.reason
            actions.append(.stateChanged(object: number, from: from, to: to, reason: reason))
        }
        guard !told.isEmpty || hasJustSettled else { return }
        for list in lists[number] ?? [] { evaluate(list, at: now, depth: depth + 1, &actions) }
    }

    private mutating func evaluate(_ number: Int, at now: Instant, depth: Int, _ actions: inout [Action]) {
        guard depth <= Limits.listDepth, let entry = entries[number], case .list(let list) = entry.settings.kind else {
            return
        }
        let wasUp = entry.object.observation?.isUp ?? (entry.object.state == .up)
        let observation = list.observe(isUp: wasUp) { entries[$0]?.object.state }
        // What a member is before it was looked at is no news that a delay would have to hold back.
        let isFirm = list.members.allSatisfy { member in entries[member.object]?.object.hasSettled ?? true }
        guard observation != entry.object.observation || isFirm != entry.object.hasSettled else { return }
        step(number, .observed(observation, isFirm: isFirm), at: now, depth: depth, &actions)
    }
}

extension ObjectKind {
    /// Whether an object that watched this may go on with its state when it is to watch `new`.
    fileprivate func continues(_ new: ObjectKind) -> Bool {
        // A list is evaluated anew in any case.
        if case .list = self, case .list = new { return true }
        // Nor does a script's state go by when it is run.
        if case .script(let old) = self, case .script(let other) = new { return old.path == other.path }
        return self == new
    }
}
