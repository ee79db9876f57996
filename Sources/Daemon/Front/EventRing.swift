// SPDX-License-Identifier: Apache-2.0

import Control

/// The last events, for `show logging`.
struct EventRing {
    private var events: [EventView] = []
    private var start = 0
    private(set) var dropped = 0

    /// Adds an event; beyond the limit the oldest one goes.
    mutating func append(_ event: EventView) {
        guard events.count == Limits.loggedEventCount else { return events.append(event) }
        events[start] = event
        start = (start + 1) % events.count
        dropped += 1
    }

    /// All events, the oldest first.
    var view: LoggingView {
        var view = LoggingView()
        view.events = Array(events[start...] + events[..<start])
        view.dropped = dropped
        return view
    }
}
