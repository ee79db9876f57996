// SPDX-License-Identifier: Apache-2.0

import Primitives

extension GroupMachine {
    /// What delays the group's next start on its interface (`standby delay`).
    enum Start: Hashable, Sendable {
        /// The first one since the daemon's start: `reload`.
        case first
        /// The interface comes up again: `minimum`.
        case again
        /// The group is new, and no delay applies if the interface is up already.
        case immediate
    }

    /// The wait before preemption (`preempt delay`), all of it counted from one moment.
    struct PreemptWait: Hashable, Sendable {
        /// Since when a lower-priority Active has stood in our place.
        var since: Instant
        /// The end of `minimum` or `reload`; nil when that is over.
        var until: Instant?
        /// The end of `sync`; nil without one, and when it is over.
        var syncUntil: Instant?
        var isSyncOver = false
    }

    /// What keeps a node that has heard nobody in Listen: its silence may be the other routers', or its own deafness.
    ///
    /// A switch port that does not forward yet lets nothing through, and a node that becomes Active behind it is a second
    /// one as soon as it does.
    enum Gate: Hashable, Sendable {
        /// Nothing is known to have been received.
        case closed
        /// The hold time is over; reception is looked for until then.
        case waiting(until: Instant)
        /// Something was received, or the wait is over.
        case open
    }

    /// Whether the end of Listen must wait; asks for a proof, and comes again.
    mutating func awaitsReception(at now: Instant, actions: inout [GroupAction]) -> Bool {
        guard state == .listen, settings.provesReception, !hasHeardAnybody else { return false }
        let end: Instant
        switch gate {
        case .open: return false
        case .waiting(let until): end = until
        case .closed:
            end = now + hold
            gate = .waiting(until: end)
        }
        guard now < end else {
            gate = .open
            actions.append(.log(.notice, "nothing was received on the interface for \((hold + hold).milliseconds) ms"))
            return false
        }
        let next = min(now + GroupTiming.receptionPause, end)
        activeDeadline = next
        standbyDeadline = next
        actions.append(.proveReception)
        return true
    }

    /// Something was received: neither Listen nor an Active that was cut off waits any longer for that.
    mutating func openGate(at now: Instant) {
        regainReach(at: now)
        if case .waiting = gate, state == .listen {
            activeDeadline = now
            standbyDeadline = now
        }
        gate = .open
    }

    /// The interface came up or went down; said again, nothing changes.
    mutating func observeInterface(isUp: Bool, at now: Instant) {
        let wasUp = isInterfaceUp
        hasObservedInterface = true
        isInterfaceUp = isUp
        guard isUp else {
            // A start that was still delayed has not been one.
            let isDelayed = startDeadline != nil
            if start == .immediate || (wasUp && !isDelayed) { start = .again }
            interfaceUpAt = nil
            startDeadline = nil
            gate = .closed
            return
        }
        guard !wasUp else { return }
        interfaceUpAt = now
        startDeadline = startDelay > .zero ? now + startDelay : nil
    }

    private var startDelay: Interval {
        switch start {
        case .first: settings.startReloadDelay ?? settings.startMinimumDelay
        case .again: settings.startMinimumDelay
        case .immediate: .zero
        }
    }

    /// A reload of the configuration: a delay that runs is counted anew from its beginning; one that is over stays over
    /// unless the new one is longer than the time since, which only a wait for preemption can still obey.
    mutating func changeDelays(from old: GroupSettings) {
        if startDeadline != nil, let interfaceUpAt { startDeadline = interfaceUpAt + startDelay }
        let isSame =
            old.preemptMinimumDelay == settings.preemptMinimumDelay
            && old.preemptReloadDelay == settings.preemptReloadDelay
            && old.preemptSyncDelay == settings.preemptSyncDelay
        if !isSame, let wait = preemptWait { preemptWait = makePreemptWait(since: wait.since) }
    }
}
