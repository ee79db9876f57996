// SPDX-License-Identifier: Apache-2.0

public import Primitives

/// Every bound of the replication stream in one place.
public enum ReplicationLimits {
    /// The version of the protocol between the nodes; another one is refused.
    public static let protocolVersion: UInt16 = 1
    /// How long the fence of a takeover waits for SAs whose records came a moment before; charon takes milliseconds.
    public static let lateSAWait = Interval.milliseconds(100)
    /// The largest body of a frame, in bytes.
    public static let frameByteCount = 16_384
    /// The largest record: a frame without its number and length.
    public static let recordByteCount = frameByteCount - 10
    /// Records that may wait for the peer before a snapshot is cheaper.
    public static let queuedRecords = 8_192
    /// Bytes of records that may wait.
    public static let queuedByteCount = 8 << 20
    /// Records of the kernel's tables that may be on their way without being acknowledged.
    public static let windowRecords = 4_096
    /// Records that a standby holds before its kernel has them: the window, and what frames it.
    public static let queuedWrites = windowRecords + 1_024
    /// Records that one batch of writes may come from.
    public static let recordsPerBatch = 256
    /// SAs whose moved numbers go into one report; the rest waits for the next.
    public static let numbersPerReport = 16_384
    /// SAs that went and whose last numbers are remembered, should they come back; the oldest is forgotten first.
    public static let departedSAs = 16_384
    /// Role frames that may wait; they are a handful in a role's life.
    public static let queuedUrgentFrames = 256
    /// SAs in one counter frame that is received.
    public static let countersPerFrame = 512
    /// SAs in one counter frame that is sent: those of IPv6 fill a frame.
    public static let sentCountersPerFrame = 480
    /// IKE SAs in one frame that names strays.
    public static let straysPerFrame = 512
    /// HSRP interfaces named in a hello.
    public static let helloInterfaces = 64
    /// Items in a hello that must agree.
    public static let helloItems = 128
    /// Characters of a name or value in a hello.
    public static let textByteCount = 255
    /// Entries kept in the redundancy history.
    public static let historyEntries = 64

    /// The pause before a write that the kernel had no memory for is repeated.
    public static let writeRetry = Interval.milliseconds(100)
    /// The pause between a digest that differs and the next request for a copy, so that a difference that stays costs little.
    public static let copyRetry = Interval.seconds(2)
    /// How long the peer may take to say hello.
    public static let helloTimeout = Interval.seconds(3)
    /// The heartbeat's period.
    public static let heartbeatInterval = Interval.milliseconds(200)
    /// By how much VPN peers must have been heard later by one of two Actives to decide between them; below it, which is
    /// about how often they are looked at, the terms do.
    public static let trafficDifferenceMilliseconds: UInt32 = 2_000
    /// How long an Active may have heard no VPN peer before that says something.
    public static let trafficSettling = Interval.seconds(4)
    /// How late a heartbeat of ours may be before orders that wait count as outdated.
    public static let lateness = Interval.milliseconds(300)
    /// Silence after which the peer's process counts as hanging although its kernel still answers.
    public static let silence = Interval.milliseconds(1000)
    /// The age of the oldest unacknowledged record at which the peer stops being HOT.
    public static let acknowledgementTimeout = Interval.seconds(2)
}
