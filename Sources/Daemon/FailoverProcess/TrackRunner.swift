// SPDX-License-Identifier: Apache-2.0

import Configuration
import LinuxIO
import Primitives
import Tracking

/// One tracked object with its timer.
final class TrackRunner {
    private(set) var configured: Model.TrackedObject
    private(set) var object: TrackedObject
    private let reactor: Reactor
    private let onChange: (TrackRunner, TrackedObject.State, TrackedObject.State) -> Void
    private var timer: TimerToken?

    /// `onChange` hears every change that clients see, with the state before and after.
    init(
        _ configured: Model.TrackedObject, on reactor: Reactor,
        onChange: @escaping (TrackRunner, TrackedObject.State, TrackedObject.State) -> Void
    ) {
        self.configured = configured
        self.reactor = reactor
        self.onChange = onChange
        object = TrackedObject(
            downDelay: .seconds(configured.delayDownSeconds), upDelay: .seconds(configured.delayUpSeconds))
    }

    /// Takes new delays; another interface is another object.
    func reconfigure(_ new: Model.TrackedObject) {
        configured = new
        handle(.delaysChanged(down: .seconds(new.delayDownSeconds), up: .seconds(new.delayUpSeconds)))
    }

    func handle(_ event: TrackedObject.Event) {
        var actions: [TrackedObject.Action] = []
        object.handle(event, at: Reactor.now(), actions: &actions)
        if let timer { reactor.cancel(timer) }
        timer = object.nextDeadline.map { deadline in
            reactor.schedule(at: deadline) { [weak self] in self?.handle(.deadlineReached) }
        }
        for case .stateChanged(let from, let to) in actions { onChange(self, from, to) }
    }

    func cancel() {
        if let timer { reactor.cancel(timer) }
        timer = nil
    }
}
