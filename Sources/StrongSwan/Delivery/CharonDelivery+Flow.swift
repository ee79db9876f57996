// SPDX-License-Identifier: Apache-2.0

import DequeModule
import Primitives

extension CharonDelivery {
    /// Sends up to a batch, unless charon's queue has yet to be looked at.
    mutating func pump(_ now: Instant, _ actions: inout [Action]) {
        guard phase == .flowing, !isObserving, observationDue == nil, let version else { return }
        var sentCount = 0
        while sentCount < Limits.deliveryBatchCount, let item = queue.popFirst() {
            let (sent, isSuspect) = send(item, version, now, &actions)
            sentCount += sent ? 1 : 0
            if isSuspect {
                observationDue = now + Timers.suspect
                return
            }
        }
        if sentCount > 0 || sentSequence != nil || sentRole != nil {
            look(&actions)
        } else if wantsPlan {
            wantsPlan = false
            plan(.requested, now, &actions)
        }
    }

    mutating func observe(byteCount: Int, dropCount: UInt64, _ now: Instant, _ actions: inout [Action]) {
        isObserving = false
        let hasDropped = dropCount > lastDropCount ?? dropCount
        lastDropCount = dropCount
        if hasDropped {
            actions.append(.count(.dropped))
            if sentRole != nil { (toldRole, sentRole) = (nil, nil) }
            guard wantedRole == true, sentSequence == nil else { return plan(.dropped, now, &actions) }
            // Only commands were under way, and only these may be said twice.
            queue.append(.role(isActive: true))
        }
        if byteCount < Limits.charonQueueByteCount { observationPause = Timers.observation }
        if byteCount == 0 { acknowledge(now, &actions) }
        switch phase {
        case .flowing where byteCount < Limits.charonQueueByteCount && (byteCount == 0 || !queue.isEmpty):
            pump(now, &actions)
        case .planning(let reason, .draining) where byteCount == 0:
            phase = .planning(reason: reason, stage: .settling(until: now + Timers.settling))
        case .flowing, .planning(_, .draining):
            observationDue = now + observationPause
            observationPause = min(observationPause * 2, Timers.observationLimit)
        case .planning, .unknown, .lost: break
        }
    }

    /// Starts a comparison; the SAs that wait will be part of the plan.
    mutating func plan(_ reason: PlanReason, _ now: Instant, _ actions: inout [Action]) {
        held.removeAll()
        if !reason.isBehindLoss {
            held.append(contentsOf: queue.lazy.compactMap { if case .record(let record) = $0 { record } else { nil } })
        }
        queue.removeAll()
        (sentSequence, sentRole) = (nil, nil)
        wantsPlan = false
        phase = .planning(reason: reason, stage: .draining)
        look(&actions)
    }

    /// Goes on with the records held back, as if no comparison had been asked for.
    mutating func cancelPlan(_ now: Instant, _ actions: inout [Action]) {
        phase = .flowing
        queue.append(contentsOf: held.map { .record($0) })
        held.removeAll()
        if let wantedRole, wantedRole != toldRole { queue.append(.role(isActive: wantedRole)) }
        pump(now, &actions)
    }

    mutating func sendStatus(_ now: Instant, _ actions: inout [Action]) {
        statusDue = nil
        guard let version, let toldRole, toldRole == wantedRole else { return }
        actions.append(.send(.status(serving: toldRole ? [] : [1], version: version)))
        statusDue = now + Timers.status
    }

    mutating func look(_ actions: inout [Action]) {
        observationDue = nil
        guard !isObserving else { return }
        isObserving = true
        actions.append(.observeQueue)
    }

    private mutating func send(
        _ item: Item, _ version: HAVersion, _ now: Instant, _ actions: inout [Action]
    ) -> (sent: Bool, isSuspect: Bool) {
        switch item {
        case .message(let message): actions.append(.send(message))
        case .record(let record): return send(record, version, now, &actions)
        case .role(let isActive):
            actions.append(
                .send(isActive ? .segmentDrop([1], version: version) : .segmentTake([1], version: version)))
            sentRole = isActive
            toldRole = isActive
            sendStatus(now, &actions)
        case .mark(let sequence):
            sentSequence = max(sentSequence ?? 0, sequence)
            return (false, false)
        }
        return (true, false)
    }

    private mutating func send(
        _ record: CharonRecord, _ version: HAVersion, _ now: Instant, _ actions: inout [Action]
    ) -> (sent: Bool, isSuspect: Bool) {
        sentSequence = max(sentSequence ?? 0, record.sequence)
        guard let message = record.message.translated(to: version) else {
            actions.append(.count(.untranslatable))
            return (false, false)
        }
        let fingerprint = message.fingerprint
        guard !suspicion.isPoisoned(fingerprint) else {
            actions.append(.count(.poisoned))
            return (false, false)
        }
        actions.append(.send(message))
        actions.append(.count(.sent))
        return (true, suspicion.noteSent(fingerprint, at: now))
    }

    private mutating func acknowledge(_ now: Instant, _ actions: inout [Action]) {
        if let sequence = sentSequence { actions.append(.acknowledge(sequence: sequence)) }
        if let isActive = sentRole { actions.append(.reportRole(isActive: isActive)) }
        (sentSequence, sentRole) = (nil, nil)
    }
}
