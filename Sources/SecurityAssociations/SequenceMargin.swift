// SPDX-License-Identifier: Apache-2.0

public import Primitives

/// The standby's rule for the sequence number of one outbound SA (reference ipsec-ha §3.3).
///
/// The standby's kernel holds at all times a number that the Active cannot have reached yet, so that a takeover needs
/// no work per SA and no (key, sequence number) pair is ever used twice:
///
///     Active  ──────●─────────►            what it has sent (reported up to S)
///     standby       S ├── margin ──┤V      what it would send next; only ever raised
///
/// Numbers are the absolute 64-bit ones, also where only 32 bits are on the wire.
public struct SequenceMargin: Hashable, Sendable {
    /// What the margin is made of; the same for all SAs of a crypto map.
    public struct Settings: Hashable, Sendable {
        /// `replay-interval outbound`, in packets: the least margin.
        public var outboundInterval: UInt64
        /// How old a report may be: report interval, hold time and lease together.
        public var exposure: Interval
        /// What one SA may send in a second although no report has shown it yet.
        public var burstPacketsPerSecond: UInt64

        /// Makes settings from the crypto map's interval and the three times of DESIGN §4.
        public init(
            outboundInterval: UInt64, reportInterval: Interval, hold: Interval, lease: Interval,
            burstPacketsPerSecond: UInt64 = 0
        ) {
            self.outboundInterval = outboundInterval
            exposure = reportInterval + hold + lease
            self.burstPacketsPerSecond = burstPacketsPerSecond
        }

        /// The least margin: the configured one, or what a burst sends until the reports count as old, and a little on.
        public var leastMargin: UInt64 {
            max(outboundInterval, packets(at: burstPacketsPerSecond, in: exposure + SequenceMargin.staleSlack))
        }

        func packets(at rate: UInt64, in time: Interval) -> UInt64 {
            let exposed = rate.multipliedReportingOverflow(by: UInt64(max(time.milliseconds, 0)))
            return (exposed.overflow ? UInt64.max / 4 : exposed.partialValue) / 1000
        }
    }

    /// What to do with the kernel's counter.
    public enum Decision: Hashable, Sendable {
        /// The kernel's counter is high enough.
        case keep
        /// Write this number into the kernel.
        case install(UInt64)
        /// No number is known to be unused: the SA must send nothing more (`last`), and needs a rekey.
        case rekeyRequired
    }

    /// The wrap guard for 32-bit sequence numbers.
    public static let lastUsable32: UInt64 = 0xf000_0000
    /// The wrap guard for 64-bit sequence numbers.
    public static let lastUsable64: UInt64 = .max - (1 << 32)
    /// Intervals above the Active's number for an SA that may have been used here in a forgotten life; each life draws.
    public static let forgottenIntervals: ClosedRange<UInt64> = 8...64
    /// The fastest that one SA is taken to send: the kernel counts it under one lock, on one processor at a time.
    ///
    /// A faster one is bounded by four times its measured rate.
    public static let burstPacketsPerSecond: UInt64 = 1 << 20
    /// How long after reports have become old the margin still covers a burst: until that is noticed and said.
    static let staleSlack = Interval.seconds(2)
    /// The widest jump of a 64-bit number: beyond 2^31 a receiver takes it for a lower one.
    static let widestJump64: UInt64 = 1 << 30
    /// Reports closer together than this make no rate.
    static let leastMeasuredMilliseconds = 200
    /// The largest margin with 32-bit numbers: 60 takeovers before the space ends.
    public static let largest32: UInt64 = 1 << 26
    /// The largest margin with 64-bit numbers: far below the jump that confuses a receiver's high half (2^31).
    public static let largest64: UInt64 = 1 << 29

    /// Whether the SA counts with 64 bits (ESN).
    public let isExtended: Bool
    /// The highest number that the Active reported; 0 before its first report.
    public private(set) var synced: UInt64 = 0
    /// Packets per second between the last reports: rises at once, falls by an eighth each report.
    public private(set) var packetsPerSecond: UInt64 = 0
    /// The report that the rate is measured from: reports that queued up come in bursts, which are no rate.
    private var measuredSequence: UInt64 = 0
    private var measuredAt: Instant?

    /// Starts without a report.
    public init(isExtended: Bool) { self.isExtended = isExtended }

    /// Takes the Active's number; a number lower than one reported before is a stale report and ignored.
    ///
    /// Returns whether the report was taken.
    @discardableResult
    public mutating func reported(_ sequence: UInt64, at now: Instant) -> Bool {
        guard sequence >= synced else { return false }
        synced = sequence
        guard let measuredAt else {
            (measuredSequence, self.measuredAt) = (sequence, now)
            return true
        }
        let elapsed = now.since(measuredAt).milliseconds
        if elapsed >= Self.leastMeasuredMilliseconds {
            let moved = (sequence - measuredSequence).multipliedReportingOverflow(by: 1000)
            let rate = (moved.overflow ? UInt64.max : moved.partialValue) / UInt64(elapsed)
            packetsPerSecond = max(rate, packetsPerSecond - packetsPerSecond / 8)
            (measuredSequence, self.measuredAt) = (sequence, now)
        }
        return true
    }

    /// Numbers up to `sequence` may have been used here before: reports below it are not news.
    public mutating func start(behind sequence: UInt64) { synced = max(synced, sequence) }

    /// This node may have sent with the SA in a life that it does not remember; to be called behind the first report.
    ///
    /// How far above the Active's number that life stood nobody knows. Each one draws its own number of `intervals` (8
    /// to 64), so that two of them meet seldom; they never would only if the numbers were kept on a disk.
    public mutating func startBehindForgottenLife(intervals: UInt64, _ settings: Settings) {
        let margin = margin(settings)
        let interval = min(max(settings.outboundInterval, measured(settings)), margin)
        let rise = (intervals - 1).multipliedReportingOverflow(by: interval)
        let sum = synced.addingReportingOverflow(margin)
        let whole = sum.partialValue.addingReportingOverflow(rise.overflow ? .max : rise.partialValue)
        guard !sum.overflow, !whole.overflow else { return }
        var risen = self
        risen.start(behind: whole.partialValue)
        if risen.target(settings) != nil { self = risen }
    }

    /// The next report comes from another node or after a pause: what lies between is no rate of packets.
    ///
    /// Numbers jump by a margin at each takeover; taken for packets, every switchover would multiply the margin.
    public mutating func interruptReports() { measuredAt = nil }

    /// The margin in packets: the least one, or four times what the rate needs, within the caps.
    public func margin(_ settings: Settings) -> UInt64 {
        min(max(settings.leastMargin, measured(settings)), isExtended ? Self.largest64 : Self.largest32)
    }

    private func measured(_ settings: Settings) -> UInt64 {
        let fourfold = settings.packets(at: packetsPerSecond, in: settings.exposure).multipliedReportingOverflow(by: 4)
        return fourfold.overflow ? .max : fourfold.partialValue
    }

    /// The number that the standby's kernel must hold, or nil when the number space does not allow one.
    ///
    /// With reports that have been missing for `silence` it is what the Active may have reached meanwhile.
    public func target(_ settings: Settings, silence: Interval = .zero) -> UInt64? {
        let fourfold = packetsPerSecond.multipliedReportingOverflow(by: 4)
        let rate = max(settings.burstPacketsPerSecond, fourfold.overflow ? .max : fourfold.partialValue)
        let rise = margin(settings).addingReportingOverflow(settings.packets(at: rate, in: silence))
        guard !rise.overflow, !isExtended || rise.partialValue <= Self.widestJump64 else { return nil }
        let sum = synced.addingReportingOverflow(rise.partialValue)
        guard !sum.overflow, sum.partialValue <= lastUsable else { return nil }
        return sum.partialValue
    }

    /// The wrap guard of this SA.
    public var lastUsable: UInt64 { isExtended ? Self.lastUsable64 : Self.lastUsable32 }

    /// The number with which the kernel sends nothing more: where no number is known to be unused.
    public var last: UInt64 { isExtended ? .max : UInt64(UInt32.max) }

    /// What to do with a kernel whose counter stands at `current`; a counter is never lowered.
    public func decide(current: UInt64, _ settings: Settings, silence: Interval = .zero) -> Decision {
        guard let target = target(settings, silence: silence) else { return .rekeyRequired }
        return current >= target ? .keep : .install(target)
    }

    /// Whether an Active that stands at `sent` may have passed what the standby was promised.
    ///
    /// `acknowledged` is the number whose installation the standby confirmed.
    public static func isExceeded(sent: UInt64, acknowledged: UInt64, margin: UInt64) -> Bool {
        sent > acknowledged && sent - acknowledged > margin
    }
}
