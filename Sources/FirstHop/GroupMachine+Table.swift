// SPDX-License-Identifier: Apache-2.0

import Primitives

/// The events of RFC 2281's state table, in its order (a to l).
enum TableEvent: Hashable, Sendable {
    case enabled
    case disabled
    case activeExpired
    case standbyExpired
    case helloDue
    case higherSpeaker
    case higherActive(HSRPMessage)
    case lowerActive(HSRPMessage)
    case activeResigned
    case couped
    case higherStandby(HSRPMessage)
    case lowerStandby(HSRPMessage)
}

extension GroupMachine {
    /// RFC 2281 §5.7, cell by cell; what is not listed is not in the table either and does nothing.
    ///
    /// Here rows a to e: the group itself and its timers.
    mutating func apply(_ event: TableEvent, reason: String, at now: Instant, actions: inout [GroupAction]) {
        switch (state, event) {
        case (.initial, .enabled):
            startActiveTimer(nil, at: now)
            startStandbyTimer(nil, at: now)
            listeningSince = now
            move(to: virtualAddress == nil ? .learn : .listen, reason: reason, at: now, actions: &actions)

        case (.initial, .disabled): break
        case (.active, .disabled): leaveActive(reason: reason, at: now, actions: &actions)
        case (_, .disabled): move(to: .initial, reason: reason, at: now, actions: &actions)

        case (.listen, .activeExpired):
            startTimersForSpeak(at: now)
            move(to: .speak, reason: "no Active heard", at: now, actions: &actions)
        case (.standby, .activeExpired):
            becomeActive(reason: reason, at: now, actions: &actions)

        case (.listen, .standbyExpired):
            // With the Active's deadline past as well, row c would follow at once: one step for both.
            if let activeDeadline, activeDeadline <= now {
                startTimersForSpeak(at: now)
            } else {
                startStandbyTimer(nil, at: now)
            }
            move(to: .speak, reason: "no Standby heard", at: now, actions: &actions)
        case (.speak, .standbyExpired):
            move(to: .standby, reason: "no Standby heard", at: now, actions: &actions)

        case (.speak, .helloDue), (.standby, .helloDue), (.active, .helloDue):
            sendHello(at: now, actions: &actions)

        default: applyHeard(event, reason: reason, at: now, actions: &actions)
        }
    }

    /// The table's rows f to l: what other routers say.
    private mutating func applyHeard(
        _ event: TableEvent, reason: String, at now: Instant, actions: inout [GroupAction]
    ) {
        switch (state, event) {
        case (.speak, .higherSpeaker), (.standby, .higherSpeaker):
            startStandbyTimer(nil, at: now)
            restartPastActiveTimer(at: now)
            move(to: .listen, reason: "a better router speaks", at: now, actions: &actions)

        case (.learn, .higherActive(let hello)), (.learn, .lowerActive(let hello)):
            hearFirstActive(hello, at: now, actions: &actions)
        case (.listen, .higherActive(let hello)), (.speak, .higherActive(let hello)),
            (.standby, .higherActive(let hello)):
            learn(from: hello)
            startActiveTimer(hello, at: now)
        case (.active, .higherActive(let hello)):
            stepDown(reason: reason, at: now, actions: &actions)
            startActiveTimer(hello, at: now)

        case (.listen, .lowerActive(let hello)), (.speak, .lowerActive(let hello)), (.standby, .lowerActive(let hello)):
            startActiveTimer(hello, at: now)
            considerPreempting(at: now, actions: &actions)
        case (.active, .lowerActive):
            actions.append(.send(message(.coup), fromVirtualMAC: true))
            announceAgain(at: now, actions: &actions)

        case (.listen, .activeResigned):
            startActiveTimer(nil, at: now)
            startStandbyTimer(nil, at: now)
            move(to: .speak, reason: reason, at: now, actions: &actions)
        case (.speak, .activeResigned):
            startActiveTimer(nil, at: now)
        case (.standby, .activeResigned):
            becomeActive(reason: reason, at: now, actions: &actions)

        case (.active, .couped):
            stepDown(reason: reason, at: now, actions: &actions)

        case (.listen, .higherStandby(let hello)), (.active, .higherStandby(let hello)),
            (.active, .lowerStandby(let hello)):
            startStandbyTimer(hello, at: now)
        case (.speak, .higherStandby(let hello)), (.standby, .higherStandby(let hello)):
            startStandbyTimer(hello, at: now)
            restartPastActiveTimer(at: now)
            move(to: .listen, reason: "a better Standby", at: now, actions: &actions)
        case (.listen, .lowerStandby):
            startStandbyTimer(nil, at: now)
            move(to: .speak, reason: "better than the Standby", at: now, actions: &actions)
        case (.speak, .lowerStandby):
            move(to: .standby, reason: "better than the Standby", at: now, actions: &actions)

        default: break
        }
    }

    /// E, A, B and Listen, as soon as there is an address.
    private mutating func hearFirstActive(_ hello: HSRPMessage, at now: Instant, actions: inout [GroupAction]) {
        learn(from: hello)
        startActiveTimer(hello, at: now)
        startStandbyTimer(nil, at: now)
        guard virtualAddress != nil else { return }
        // From here on it is an address that this node may not send from.
        raiseFence(actions: &actions)
        move(to: .listen, reason: "address learned", at: now, actions: &actions)
    }

    /// Timer start A: from the Active's own hold time where a hello caused it.
    mutating func startActiveTimer(_ hello: HSRPMessage?, at now: Instant) {
        activeDeadline = now + holdTime(told: hello)
    }

    /// Timer start B, likewise for the Standby.
    mutating func startStandbyTimer(_ hello: HSRPMessage?, at now: Instant) {
        standbyDeadline = now + holdTime(told: hello)
    }

    /// A deadline that passed in Speak is kept for Standby alone: in Listen a better router deals with it first.
    private mutating func restartPastActiveTimer(at now: Instant) {
        if let activeDeadline, activeDeadline > now { return }
        startActiveTimer(nil, at: now)
    }

    private func holdTime(told hello: HSRPMessage?) -> Interval {
        guard let hello, !settings.usesOwnHoldTime, let told = hello.timers else { return hold }
        return told.hold
    }

    /// Where nobody at all was heard for a whole hold time, one hello interval of speaking settles the election.
    private mutating func startTimersForSpeak(at now: Instant) {
        guard settings.allowsFastStart, !hasHeardAnybody else {
            startActiveTimer(nil, at: now)
            startStandbyTimer(nil, at: now)
            return
        }
        activeDeadline = now
        standbyDeadline = now + hello * 11 / 10
    }

    /// Parameter learning E, from the Active only and never one timer without the other.
    ///
    /// An address that was learned once is kept: what stands in the kernel belongs to it.
    private mutating func learn(from message: HSRPMessage) {
        if virtualAddress == nil, settings.interfacePrefix.contains(message.virtualAddress),
            message.virtualAddress != settings.interfacePrefix.address
        {
            virtualAddress = message.virtualAddress
        }
        guard settings.learnsTimers, let told = message.timers else { return }
        (hello, hold) = told
    }

    /// Changes the state; a state that speaks says so at once.
    mutating func move(to new: HSRPState, reason: String, at now: Instant, actions: inout [GroupAction]) {
        let old = state
        if old != .active, new != .active { undoPreparation(actions: &actions) }
        state = new
        phase = .settled
        stateChangeCount += 1
        lastStateChangeAt = now
        actions.append(.stateChanged(from: old, to: new, reason: reason))
        switch new {
        case .speak, .standby:
            if new == .standby { standbyRouter = nil }
            sendHello(at: now, actions: &actions)
        case .initial:
            forgetOthers()
        case .learn, .listen:
            helloDeadline = nil
        case .active:
            break
        }
    }

    private mutating func forgetOthers() {
        activeRouter = nil
        standbyRouter = nil
        activeDeadline = nil
        standbyDeadline = nil
        helloDeadline = nil
        requestAllowedAt = nil
        activeSeen = nil
        listeningSince = nil
        hasHeardAnybody = false
        if case .waiting = gate { gate = .closed }
        hasYieldedToOperator = false
        remark = nil
    }
}
