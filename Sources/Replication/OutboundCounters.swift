// SPDX-License-Identifier: Apache-2.0

import DequeModule
public import Primitives
public import SecurityAssociations

/// The outbound sequence numbers of our tunnels on this node: pre-advanced on a standby, reported by an Active.
public struct OutboundCounters: Sendable {
    /// One number to be written into the kernel.
    public struct Write: Equatable, Sendable {
        /// The SA.
        public var identity: SAIdentity
        /// Its replay state with the new number.
        public var replay: KernelReplay
        /// The SA's mark, which a write must name.
        public var mark: KernelSA.Mark?
    }

    private struct Entry: Sendable {
        var margin: SequenceMargin
        var kernel: KernelSA
        var reportedSequence: UInt64?
        var needsRekey = false
        /// This node may have sent with the SA in a life that it does not remember.
        var isForgotten = false
        /// Since when the Active's reports do not name it: it may go on under another destination, with the same key.
        var unnamedSince: Instant?
    }

    private struct Pending: Sendable {
        var number: UInt64
        var values: [SAIdentity: UInt64]
    }

    /// Reports of an Active that are not confirmed; older ones are forgotten.
    public static let maximumPendingReports = 8

    private let settings: SequenceMargin.Settings
    private let forgottenIntervals: UInt64
    private var entries: [SAIdentity: Entry] = [:]
    private var reported: [SAIdentity: UInt64] = [:]
    private var confirmed: [SAIdentity: UInt64] = [:]
    private var pending: [Pending] = []
    private var lastReport: UInt64?
    /// When it was last known what others may have sent at most: by a report, or because they sent nothing.
    private var vouchedAt: Instant?
    /// Whether this process knows how far others may have sent: by a report, or because it has raised its numbers far.
    private var hasBeenTold = false
    /// When this node took the role, if that knowledge was too old by then.
    private var takenStaleAt: Instant?
    private var incomplete: [SAIdentity: UInt64] = [:]
    /// What SAs that went stood at, and this node may have sent: one that comes back starts behind that.
    private var departed: [SAIdentity: SequenceMargin] = [:]
    /// This node may be sending: what was read of the kernel is old by now.
    private var maySend = true
    private var departures: Deque<SAIdentity> = []
    /// Outbound SPIs of the last copy that this process has not seen in the kernel.
    private var copied: Set<UInt32> = []

    /// Starts without an SA; `life` is a number that this process has drawn for itself.
    public init(settings: SequenceMargin.Settings, life: UInt64 = 0) {
        self.settings = settings
        let range = SequenceMargin.forgottenIntervals
        forgottenIntervals = range.lowerBound + life % UInt64(range.count)
    }

    /// The number of outbound SAs.
    public var count: Int { entries.count }

    /// The outbound SA of this identity as the kernel showed it last.
    public func sa(_ identity: SAIdentity) -> KernelSA? { entries[identity]?.kernel }

    /// The SAs whose number space is used up to the guard.
    public var exhausted: [SAIdentity] { entries.filter { $0.value.needsRekey }.keys.sorted() }

    // MARK: Both roles

    /// Takes the kernel's outbound SAs, all of them.
    public mutating func observe(_ sas: [KernelSA]) {
        let present = Set(sas.map(\.identity))
        for identity in entries.keys where !present.contains(identity) {
            depart(identity)
            entries[identity] = nil
        }
        for identity in confirmed.keys where !present.contains(identity) { confirmed[identity] = nil }
        for sa in sas { take(sa) }
    }

    /// Takes one outbound SA that an event tells of; what was read or written behind the event is newer.
    public mutating func observe(_ sa: KernelSA) {
        var sa = sa
        if let known = entries[sa.identity]?.kernel.replay.outbound {
            sa.replay.outbound = max(sa.replay.outbound, known)
        }
        take(sa)
    }

    private mutating func take(_ sa: KernelSA) {
        let isCopied = copied.remove(sa.identity.spi) != nil
        var entry = entries[sa.identity] ?? Entry(margin: SequenceMargin(isExtended: sa.isExtended), kernel: sa)
        if let margin = departed.removeValue(forKey: sa.identity) {
            departures.removeAll { $0 == sa.identity }
            entry.margin = margin
        } else if isCopied, entries[sa.identity] == nil {
            entry.isForgotten = true
        }
        entry.kernel = sa
        entries[sa.identity] = entry
    }

    /// What a standby has pre-advanced, and never sent, is put back where it was: the Active counts on one margin.
    private mutating func depart(_ identity: SAIdentity) {
        guard let entry = entries[identity], entry.kernel.replay.outbound > 0 else { return }
        let number = entry.kernel.replay.outbound
        var margin = entry.margin
        if maySend || margin.target(settings) != number { margin.start(behind: number) }
        margin.interruptReports()
        if departures.count >= ReplicationLimits.departedSAs { departed[departures.removeFirst()] = nil }
        departures.append(identity)
        departed[identity] = margin
    }

    /// Forgets an SA that went.
    public mutating func forget(_ identity: SAIdentity) {
        depart(identity)
        entries[identity] = nil
        confirmed[identity] = nil
    }

    // MARK: Standby

    /// A copy of the Active's records came, with these outbound SPIs.
    ///
    /// It may bring back SAs that were deleted here before this process started: the Active that gives it was not HOT
    /// when it took the role, and never heard of the deletion.
    public mutating func noteCopy(of spis: Set<UInt32>) { copied = spis.subtracting(entries.keys.map(\.spi)) }

    /// The writes that bring the kernel to the Active's numbers plus margin; never a lower number.
    ///
    /// On a node that sends by now, `only` must name an SA that has just come: what was read of others is old already.
    public mutating func writes(at now: Instant, only: SAIdentity? = nil) -> [Write] {
        var writes: [Write] = []
        for (identity, var entry) in entries where only == nil || only == identity {
            if let sequence = reported[identity], sequence != entry.reportedSequence {
                entry.margin.reported(sequence, at: now)
                entry.reportedSequence = sequence
                if entry.isForgotten { entry.margin.startBehindForgottenLife(intervals: forgottenIntervals, settings) }
                entry.isForgotten = false
            } else if entry.isForgotten, reported[identity] == nil,
                lastReport != nil || only != nil && maySend && !hasBeenTold
            {
                // It has been used, and nobody tells how far: the Active lacks it, or this node is the Active.
                entry.margin.start(behind: entry.kernel.replay.outbound)
                entry.margin.startBehindForgottenLife(intervals: forgottenIntervals, settings)
                (entry.reportedSequence, entry.isForgotten) = (entry.kernel.replay.outbound, false)
            }
            let decision = entry.margin.decide(
                current: entry.kernel.replay.outbound, settings, silence: silence(of: entry))
            entry.needsRekey = decision == .rekeyRequired
            if let value = decision.number(last: entry.margin.last), value > entry.kernel.replay.outbound {
                var replay = entry.kernel.replay
                replay.outbound = value
                writes.append(Write(identity: identity, replay: replay, mark: entry.kernel.mark))
            }
            entries[identity] = entry
        }
        vouchedAt = vouchedAt ?? now
        return writes
    }

    /// Nobody sends with our SAs: the knowledge of their numbers does not grow old.
    public mutating func noteIdle(at now: Instant) {
        vouchedAt = now
        for (identity, entry) in entries where entry.unnamedSince != nil { entries[identity]?.unnamedSince = now }
    }

    /// Whether the Active may have passed a margin without our knowledge: it has not reported an SA for too long, or what
    /// this process found in the kernel was never reported at all.
    public func areStale(at now: Instant) -> Bool {
        guard !entries.isEmpty else { return false }
        guard hasBeenTold, let vouchedAt else { return true }
        let oldest = entries.values.compactMap(\.unnamedSince).min().map { min($0, vouchedAt) } ?? vouchedAt
        return now.since(oldest) > settings.exposure
    }

    private func silence(of entry: Entry) -> Interval {
        guard let takenStaleAt, let vouchedAt else { return .zero }
        return takenStaleAt.since(entry.unnamedSince.map { min($0, vouchedAt) } ?? vouchedAt)
    }

    /// This node takes the role with numbers that are stale: from here on `writes` counts what may have been sent since.
    ///
    /// What no report has ever told of stands where this process found it.
    public mutating func beginStaleTakeover(at now: Instant) {
        guard hasBeenTold else {
            // Only guesses stand there, that a successor began a margin above what is in the kernel.
            reported = [:]
            for identity in entries.keys { entries[identity]?.reportedSequence = nil }
            return beginUnknownTakeover(at: now)
        }
        takenStaleAt = now
        for (identity, entry) in entries where entry.reportedSequence == nil && reported[identity] == nil {
            entries[identity]?.margin.start(behind: entry.kernel.replay.outbound)
        }
    }

    /// This node takes the role by a process that was started behind the takeover.
    ///
    /// How far others have sent with what stands in the kernel, no report has told it: `writes` goes far behind that.
    public mutating func beginUnknownTakeover(at now: Instant) {
        (takenStaleAt, hasBeenTold) = (now, true)
        for (identity, entry) in entries where entry.reportedSequence == nil && reported[identity] == nil {
            entries[identity]?.margin.start(behind: entry.kernel.replay.outbound)
            entries[identity]?.margin.startBehindForgottenLife(intervals: forgottenIntervals, settings)
        }
    }

    /// The role is gone, or may be: the successor stands a margin above what was sent here, and sends from there.
    ///
    /// Until its first report comes, its numbers are taken for no higher than a margin above ours; so ours go behind a
    /// second one. What the successor has reported already counts where it is higher.
    public mutating func noteSuccessor(at now: Instant) {
        maySend = false
        vouchedAt = now
        for (identity, entry) in entries {
            entries[identity]?.unnamedSince = nil
            let sum = entry.kernel.replay.outbound.addingReportingOverflow(entry.margin.margin(settings))
            reported[identity] = max(reported[identity] ?? 0, sum.overflow ? .max : sum.partialValue)
        }
    }

    /// The kernel took a write.
    public mutating func noteWritten(_ write: Write) {
        entries[write.identity]?.kernel.replay.outbound = write.replay.outbound
    }

    /// Takes a piece of the Active's report; true when the report is complete.
    public mutating func take(
        report number: UInt64, isLast: Bool, _ counters: [Frame.Counter], at now: Instant
    ) -> Bool {
        for counter in counters { incomplete[counter.identity] = counter.sequence }
        guard isLast else { return false }
        // One that it no longer names, or not yet, may have been used in an earlier life of it: what was told of that counts on.
        let unnamed = reported.filter { entries[$0.key] != nil || departed[$0.key] != nil }
        let told = incomplete
        reported = told.merging(unnamed) { told, _ in told }
        incomplete = [:]
        lastReport = number
        (vouchedAt, hasBeenTold) = (now, true)
        for (identity, entry) in entries {
            entries[identity]?.unnamedSince = told[identity] == nil ? entry.unnamedSince ?? now : nil
        }
        return true
    }

    /// Whether the Active has reported and every outbound SA here stands at its number plus margin.
    ///
    /// SAs that the Active reported and that are missing here are the verification's matter, not the counters'.
    public var isInstalled: Bool {
        lastReport != nil && !isBehind
    }

    /// Whether a takeover must raise numbers before anything is sent.
    public func needsRaising(at now: Instant) -> Bool { isBehind || areStale(at: now) }

    /// Whether a number stands below where it must, because the kernel refused the write.
    public var isBehind: Bool {
        entries.values.contains { $0.kernel.replay.outbound < $0.margin.target(settings) ?? $0.margin.last }
    }

    // MARK: Active

    /// The report of the present numbers, remembered under `number` until it is confirmed.
    public mutating func report(number: UInt64) -> [Frame.Counter] {
        let values = entries.mapValues { $0.kernel.replay.outbound }
        pending.append(Pending(number: number, values: values))
        if pending.count > Self.maximumPendingReports { pending.removeFirst() }
        judgeExhaustion()
        return values.map { Frame.Counter(identity: $0.key, sequence: $0.value) }.sorted { $0.identity < $1.identity }
    }

    /// Names the SAs that an Active must rekey: those near the end of their numbers.
    public mutating func judgeExhaustion() {
        for (identity, entry) in entries {
            entries[identity]?.needsRekey =
                entry.kernel.replay.outbound > entry.margin.lastUsable - entry.margin.margin(settings)
        }
    }

    /// The standby has installed a report.
    public mutating func confirm(report number: UInt64) {
        for report in pending where report.number == number {
            confirmed.merge(report.values) { max($0, $1) }
        }
        pending.removeAll { $0.number <= number }
    }

    /// SAs that have sent more than a margin beyond what the standby has acknowledged in this role.
    ///
    /// A standby that takes over then raises its numbers before it sends.
    public var exceeded: [SAIdentity] {
        entries.filter { identity, entry in
            SequenceMargin.isExceeded(
                sent: entry.kernel.replay.outbound, acknowledged: confirmed[identity] ?? 0,
                margin: settings.leastMargin)
        }.keys.sorted()
    }

    /// The role changed: what was acknowledged to this node, and how old its knowledge was, belong to the former one.
    public mutating func forgetRole() {
        maySend = true
        confirmed = [:]
        takenStaleAt = nil
    }

    /// Starts anew after a change of roles or of the peer; what the kernel holds is kept.
    ///
    /// The last report is kept too, until another one replaces it: SAs may still come that it speaks of.
    public mutating func forgetPeer() {
        incomplete = [:]
        pending = []
        lastReport = nil
        for identity in entries.keys {
            entries[identity]?.reportedSequence = nil
            entries[identity]?.margin.interruptReports()
        }
    }
}

extension SequenceMargin.Decision {
    /// The number that the kernel must not stand below; `last` where none is known to be unused.
    fileprivate func number(last: UInt64) -> UInt64? {
        switch self {
        case .keep: nil
        case .install(let number): number
        case .rekeyRequired: last
        }
    }
}
