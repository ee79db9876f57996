// SPDX-License-Identifier: Apache-2.0

import ByteCodec
public import Primitives

extension GroupMachine {
    /// Whether this node may preempt now, its delays aside.
    var isPreemptionOpen: Bool { phase == .settled && hasLesserActive }

    /// Whether a living, lower-priority Active stands in our place and preemption is allowed.
    private var hasLesserActive: Bool {
        guard settings.preempt, !settings.isFollower, !hasYieldedToOperator, !segment.isOwnDoubted,
            let active = activeRouter,
            active.priority < priority
        else { return false }
        return state == .listen || state == .speak || state == .standby
    }

    /// When `preempt delay` is over; nil while none runs.
    public var preemptDeadline: Instant? { preemptWait?.until }

    /// Starts the wait with the first lower-priority Active, and drops it when there is none any more.
    mutating func updatePreemptWait(at now: Instant) {
        if hasLesserActive {
            if preemptWait == nil { preemptWait = makePreemptWait(since: now) }
        } else if let wait = preemptWait {
            if wait.until == nil { isFirstPreemption = false }
            preemptWait = nil
        }
    }

    func makePreemptWait(since: Instant) -> PreemptWait {
        let first = isFirstPreemption ? settings.preemptReloadDelay : nil
        let delay = first ?? settings.preemptMinimumDelay
        return PreemptWait(
            since: since, until: delay > .zero ? since + delay : nil,
            syncUntil: settings.preemptSyncDelay.map { since + $0 })
    }

    /// Takes the role from a lower-priority Active, as the pair's state allows.
    ///
    /// Toward a foreign router, or without `stateful`, by Coup. Our stateful peer keeps the role until we hold
    /// everything, and is then asked for it.
    mutating func considerPreempting(at now: Instant, actions: inout [GroupAction]) {
        updatePreemptWait(at: now)
        guard isPreemptionOpen, let active = activeRouter, let wait = preemptWait else { return }
        if let until = wait.until, until > now { return }
        guard redundancy.isStateful, isPeer(active.address) else {
            takeByCoup(reason: "preempts \(active.address)", at: now, actions: &actions)
            return
        }
        guard isFitForRole else {
            remark = "declines the role: the IKE daemon is not fit"
            return
        }
        if redundancy.isLocalHot, redundancy.isAssociationUp {
            requestRole(at: now, actions: &actions)
            return
        }
        remark = "preemption waits until this node is STANDBY HOT"
        if wait.isSyncOver || wait.syncUntil.map({ $0 <= now }) ?? false {
            actions.append(.log(.warning, "preempting without being HOT: preempt delay sync is over"))
            takeByCoup(reason: "preempt delay sync is over", at: now, actions: &actions)
        }
    }

    private mutating func requestRole(at now: Instant, actions: inout [GroupAction]) {
        if let allowed = requestAllowedAt, now < allowed { return }
        requestAllowedAt = now + hello
        phase = .requesting(until: now + GroupTiming.requestWait)
        actions.append(.sendRole(.requestRole(priority: priority), term: term))
    }

    mutating func takeByCoup(reason: String, at now: Instant, actions: inout [GroupAction]) {
        guard isPreemptionOpen else { return }
        actions.append(.send(message(.coup), fromVirtualMAC: false))
        startStandbyTimer(nil, at: now)
        becomeActive(reason: reason, at: now, actions: &actions)
    }

    /// The peer is known to be Active: the operator hears how long that took.
    mutating func finishSwitchover(at now: Instant, actions: inout [GroupAction]) {
        guard let asked = switchoverAskedAt else { return }
        switchoverAskedAt = nil
        actions.append(.switchoverFinished(milliseconds: now.since(asked).milliseconds))
    }

    /// `switchover`: hands the role to a ready peer, or to anybody with `force`.
    mutating func requestSwitchover(force: Bool, at now: Instant, actions: inout [GroupAction]) {
        func refuse(_ code: StaticName, _ message: String) {
            actions.append(.switchoverRefused(code: code, message: message))
        }
        guard !settings.isFollower else {
            refuse("follows", "the group follows another one; name that one")
            return
        }
        guard state == .active else {
            refuse("not-active", "this node is not Active")
            return
        }
        guard phase == .settled, switchoverAskedAt == nil else {
            refuse("busy", "a change of role is under way")
            return
        }
        let isReady = redundancy.isStateful ? isHandoverPossible : standbyRouter != nil
        guard isReady || force else {
            let isStateful = redundancy.isStateful
            refuse(
                isStateful ? "standby-not-hot" : "no-standby",
                isStateful ? "the standby is not HOT" : "no Standby is heard")
            return
        }
        switchoverAskedAt = now
        let release = Release(target: .speak, reason: "switchover", isOptional: !force)
        beginRelease(release, at: now, actions: &actions)
        hasYieldedToOperator = true
    }
}
