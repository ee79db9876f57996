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

        /// Makes settings from the crypto map's interval and the three times of DESIGN §4.
        public init(outboundInterval: UInt64, reportInterval: Interval, hold: Interval, lease: Interval) {
            self.outboundInterval = outboundInterval
            exposure = reportInterval + hold + lease
        }
    }

    /// What to do with the kernel's counter.
    public enum Decision: Hashable, Sendable {
        /// The kernel's counter is high enough.
        case keep
        /// Write this number into the kernel.
        case install(UInt64)
        /// The number space ends here: the counter must not rise further, the SA needs a rekey.
        case rekeyRequired
    }

    /// The wrap guard for 32-bit sequence numbers.
    public static let lastUsable32: UInt64 = 0xf000_0000
    /// The wrap guard for 64-bit sequence numbers.
    public static let lastUsable64: UInt64 = .max - (1 << 32)
    /// Margins above the Active's number for an SA that may have been used here in a forgotten life; each life draws.
    public static let forgottenMargins: ClosedRange<UInt64> = 8...64
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
    /// How far above the Active's number that life stood nobody knows. Each one draws its own `margins` (8 to 64), so
    /// that two of them meet seldom; they never would only if the numbers were kept on a disk.
    public mutating func startBehindForgottenLife(margins: UInt64, _ settings: Settings) {
        let rise = margins.multipliedReportingOverflow(by: margin(settings))
        let sum = synced.addingReportingOverflow(rise.overflow ? .max : rise.partialValue)
        guard !sum.overflow else { return }
        var risen = self
        risen.start(behind: sum.partialValue)
        if risen.target(settings) != nil { self = risen }
    }

    /// The next report comes from another node or after a pause: what lies between is no rate of packets.
    ///
    /// Numbers jump by a margin at each takeover; taken for packets, every switchover would multiply the margin.
    public mutating func interruptReports() { measuredAt = nil }

    /// The margin in packets: the configured one, or four times what the rate needs, within the caps.
    public func margin(_ settings: Settings) -> UInt64 {
        let milliseconds = UInt64(max(settings.exposure.milliseconds, 0))
        let exposed = packetsPerSecond.multipliedReportingOverflow(by: milliseconds)
        let packets = exposed.overflow ? UInt64.max / 4 : exposed.partialValue / 1000
        let fourfold = packets.multipliedReportingOverflow(by: 4)
        let wanted = max(settings.outboundInterval, fourfold.overflow ? .max : fourfold.partialValue)
        return min(wanted, isExtended ? Self.largest64 : Self.largest32)
    }

    /// The number that the standby's kernel must hold, or nil when the number space does not allow one.
    public func target(_ settings: Settings) -> UInt64? {
        let sum = synced.addingReportingOverflow(margin(settings))
        guard !sum.overflow, sum.partialValue <= (isExtended ? Self.lastUsable64 : Self.lastUsable32) else {
            return nil
        }
        return sum.partialValue
    }

    /// What to do with a kernel whose counter stands at `current`; a counter is never lowered.
    public func decide(current: UInt64, _ settings: Settings) -> Decision {
        guard let target = target(settings) else { return .rekeyRequired }
        return current >= target ? .keep : .install(target)
    }

    /// Whether an Active that stands at `sent` may have passed what the standby was promised.
    ///
    /// `acknowledged` is the number whose installation the standby confirmed.
    public static func isExceeded(sent: UInt64, acknowledged: UInt64, margin: UInt64) -> Bool {
        sent > acknowledged && sent - acknowledged > margin
    }
}
