// SPDX-License-Identifier: Apache-2.0

import Configuration
import LinuxIO
import Primitives
import Tracking

/// The tracked objects with their timer.
final class TrackRunner {
    /// The objects and their states.
    private(set) var machine = TrackingMachine()
    private let reactor: Reactor
    private let onChange: ([TrackingMachine.Action]) -> Void
    private var timer: (token: TimerToken, deadline: Instant)?

    /// `onChange` hears everything that clients see of one event.
    init(on reactor: Reactor, onChange: @escaping ([TrackingMachine.Action]) -> Void) {
        self.reactor = reactor
        self.onChange = onChange
    }

    /// Every object, ordered by number.
    var entries: [TrackingMachine.Entry] {
        machine.entries.values.sorted { $0.settings.number < $1.settings.number }
    }

    /// The state that clients see; nil for an object that is not defined.
    func state(of number: Int) -> TrackedObject.State? { machine.state(of: number) }

    /// Takes over a configuration; objects that watch the same as before keep their state.
    func configure(_ objects: [Model.TrackedObject]) {
        handle(
            .configured(
                objects.map { object in
                    ObjectSettings(
                        number: object.number, kind: object.kind, downDelay: .seconds(object.delayDownSeconds),
                        upDelay: .seconds(object.delayUpSeconds), defaultState: object.defaultState)
                }))
    }

    /// Asks `look` about each object whose kind is `wanted`.
    func observe(where wanted: (ObjectKind) -> Bool, _ look: (ObjectKind) -> Observation?) {
        for entry in machine.entries.values where wanted(entry.settings.kind) {
            guard let seen = look(entry.settings.kind) else { continue }
            handle(.observed(entry.settings.number, seen))
        }
    }

    func handle(_ event: TrackingMachine.Event) {
        var actions: [TrackingMachine.Action] = []
        machine.handle(event, at: Reactor.now(), actions: &actions)
        arm()
        if !actions.isEmpty { onChange(actions) }
    }

    private func arm() {
        guard timer?.deadline != machine.nextDeadline else { return }
        if let timer { reactor.cancel(timer.token) }
        timer = machine.nextDeadline.map { deadline in
            let token = reactor.schedule(at: deadline) { [weak self] in
                self?.timer = nil
                self?.handle(.deadlineReached)
            }
            return (token, deadline)
        }
    }

    func cancel() {
        if let timer { reactor.cancel(timer.token) }
        timer = nil
    }
}
