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
    }

    private struct Pending: Sendable {
        var number: UInt64
        var values: [SAIdentity: UInt64]
    }

    /// Reports of an Active that are not confirmed; older ones are forgotten.
    public static let maximumPendingReports = 8

    private let settings: SequenceMargin.Settings
    private let forgottenMargins: UInt64
    private var entries: [SAIdentity: Entry] = [:]
    private var reported: [SAIdentity: UInt64] = [:]
    private var confirmed: [SAIdentity: UInt64] = [:]
    private var pending: [Pending] = []
    private var lastReport: UInt64?
    private var incomplete: [SAIdentity: UInt64] = [:]
    /// The last numbers of SAs that went, which this node may have sent: one that comes back starts behind them.
    private var departed: [SAIdentity: UInt64] = [:]
    private var departures: Deque<SAIdentity> = []
    /// Outbound SPIs of the last copy that this process has not seen in the kernel.
    private var copied: Set<UInt32> = []

    /// Starts without an SA; `life` is a number that this process has drawn for itself.
    public init(settings: SequenceMargin.Settings, life: UInt64 = 0) {
        self.settings = settings
        let range = SequenceMargin.forgottenMargins
        forgottenMargins = range.lowerBound + life % UInt64(range.count)
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
        if let number = departed.removeValue(forKey: sa.identity) {
            departures.removeAll { $0 == sa.identity }
            entry.margin.start(behind: number)
        } else if isCopied, entries[sa.identity] == nil {
            entry.isForgotten = true
        }
        entry.kernel = sa
        entries[sa.identity] = entry
    }

    private mutating func depart(_ identity: SAIdentity) {
        guard let number = entries[identity]?.kernel.replay.outbound, number > 0 else { return }
        if departures.count >= ReplicationLimits.departedSAs { departed[departures.removeFirst()] = nil }
        departures.append(identity)
        departed[identity] = number
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
                if entry.isForgotten { entry.margin.startBehindForgottenLife(margins: forgottenMargins, settings) }
                entry.isForgotten = false
            }
            let decision = entry.margin.decide(current: entry.kernel.replay.outbound, settings)
            entry.needsRekey = decision == .rekeyRequired
            if case .install(let value) = decision {
                var replay = entry.kernel.replay
                replay.outbound = value
                writes.append(Write(identity: identity, replay: replay, mark: entry.kernel.mark))
            }
            entries[identity] = entry
        }
        return writes
    }

    /// The role is gone, or may be: the successor stands a margin above what was sent here, and sends from there.
    ///
    /// Until its first report comes, its numbers are taken for no higher than a margin above ours; so ours go behind a
    /// second one.
    public mutating func noteSuccessor() {
        for (identity, entry) in entries {
            let sum = entry.kernel.replay.outbound.addingReportingOverflow(entry.margin.margin(settings))
            reported[identity] = sum.overflow ? .max : sum.partialValue
        }
    }

    /// The kernel took a write.
    public mutating func noteWritten(_ write: Write) {
        entries[write.identity]?.kernel.replay.outbound = write.replay.outbound
    }

    /// Takes a piece of the Active's report; true when the report is complete.
    public mutating func take(report number: UInt64, isLast: Bool, _ counters: [Frame.Counter]) -> Bool {
        for counter in counters { incomplete[counter.identity] = counter.sequence }
        guard isLast else { return false }
        reported = incomplete
        incomplete = [:]
        lastReport = number
        return true
    }

    /// Whether the Active has reported and every outbound SA here stands at its number plus margin.
    ///
    /// SAs that the Active reported and that are missing here are the verification's matter, not the counters'.
    public var isInstalled: Bool {
        lastReport != nil
            && entries.values.allSatisfy { entry in
                entry.margin.target(settings).map { entry.kernel.replay.outbound >= $0 } ?? true
            }
    }

    // MARK: Active

    /// The report of the present numbers, remembered under `number` until it is confirmed.
    public mutating func report(number: UInt64) -> [Frame.Counter] {
        let values = entries.mapValues { $0.kernel.replay.outbound }
        pending.append(Pending(number: number, values: values))
        if pending.count > Self.maximumPendingReports { pending.removeFirst() }
        for (identity, value) in values {
            guard var entry = entries[identity] else { continue }
            let last = entry.margin.isExtended ? SequenceMargin.lastUsable64 : SequenceMargin.lastUsable32
            entry.needsRekey = value > last - settings.outboundInterval
            entries[identity] = entry
        }
        return values.map { Frame.Counter(identity: $0.key, sequence: $0.value) }.sorted { $0.identity < $1.identity }
    }

    /// The standby has installed a report.
    public mutating func confirm(report number: UInt64) {
        for report in pending where report.number == number {
            confirmed.merge(report.values) { max($0, $1) }
        }
        pending.removeAll { $0.number <= number }
    }

    /// SAs that may have passed what the standby was promised.
    public var exceeded: [SAIdentity] {
        entries.filter { identity, entry in
            SequenceMargin.isExceeded(
                sent: entry.kernel.replay.outbound, acknowledged: confirmed[identity] ?? 0,
                margin: settings.outboundInterval)
        }.keys.sorted()
    }

    /// Starts anew after a change of roles or of the peer; what the kernel holds is kept.
    ///
    /// The last report is kept too, until another one replaces it: SAs may still come that it speaks of.
    public mutating func forgetPeer() {
        incomplete = [:]
        confirmed = [:]
        pending = []
        lastReport = nil
        for identity in entries.keys {
            entries[identity]?.reportedSequence = nil
            entries[identity]?.margin.interruptReports()
        }
    }
}
