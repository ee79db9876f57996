// SPDX-License-Identifier: Apache-2.0

import LinuxIO
import Primitives
import Replication

/// Whether a standby's process may wait for the peer's next word in real time: only while it has little to do.
///
/// On a machine whose processors are busy, the first word of a hand-over would wait behind ordinary processes, however
/// favoured this one is. Records, copies and comparisons are never carried in real time: what comes in a second, and
/// what it cost, is bounded.
struct Attention {
    /// Bytes from the peer within a second, beyond which the process leaves real time.
    static let byteCount = 32 << 10
    /// Processor time of the last second, beyond which it does not enter.
    static let processorTime = Interval.milliseconds(20)

    private(set) var isHeld = false
    private var processorAtTick = Interval.zero
    private var bytesAtTick = 0

    /// Once a second: whether real time is due for the next one.
    mutating func ticked(processor: Interval, receivedBytes: Int, isWanted: Bool) -> Bool {
        let used = Interval(nanoseconds: processor.nanoseconds &- processorAtTick.nanoseconds)
        (processorAtTick, bytesAtTick) = (processor, receivedBytes)
        isHeld = isWanted && used <= Self.processorTime
        return isHeld
    }

    /// Whether what the peer has sent since the tick is too much.
    func isExceeded(receivedBytes: Int) -> Bool { isHeld && receivedBytes - bytesAtTick > Self.byteCount }

    /// Real time has ended, for whatever reason.
    mutating func ended() { isHeld = false }
}

extension ReplicationProcess {
    /// A hand-over is a handful of words that pass through here; for its length they do not wait for other processes.
    ///
    /// It is bounded, so that records, however many, are never carried in real time.
    func hurry() {
        let isHurrying = urgentUntil.map { reactor.now < $0 } ?? false
        urgentUntil = reactor.now + Self.urgentTime
        guard !isHurrying else { return }
        if enterRealTime() { calmDown() }
    }

    private func enterRealTime() -> Bool {
        guard (try? RealTime.schedule(priority: Self.urgentPriority)) != nil else {
            count("role.notUrgent")
            return false
        }
        return true
    }

    /// Until when nothing long may be begun: words about the role pass in real time, or routing is finding its new way.
    var longWorkStart: Instant? {
        let start = [urgentUntil, quietUntil].compactMap { $0 }.max()
        return start.flatMap { reactor.now < $0 ? $0 : nil }
    }

    /// The role changed: long work waits, for on a small machine it would take the time that the routing daemons need now.
    ///
    /// A former Active leaves real time as well: its words of the hand-over are out.
    func beginQuiet(isActive: Bool) {
        quietUntil = reactor.now + Self.quietTime
        guard !isActive, urgentUntil != nil else { return }
        pump()
        relax()
    }

    private func calmDown() {
        guard let until = urgentUntil else { return }
        reactor.schedule(at: until) { [unowned self] in
            if let later = urgentUntil, reactor.now < later { return calmDown() }
            relax()
        }
    }

    /// Once a second: a standby that is HOT and has little to do waits in real time for the first word of a hand-over.
    func attend() {
        let wasHeld = attention.isHeld
        let isWanted = role?.isActive == false && redundancy.state == .standbyHot && longWorkStart == nil
        let isHeld = attention.ticked(
            processor: RealTime.processorTime, receivedBytes: association?.receivedBytes ?? 0, isWanted: isWanted)
        guard isHeld != wasHeld, urgentUntil == nil else { return }
        if !isHeld || !enterRealTime() { relax() }
    }

    /// Much is coming, or long work begins: not in real time, unless words about the role pass.
    func endAttention() {
        guard attention.isHeld else { return }
        attention.ended()
        if urgentUntil == nil { relax() }
    }

    private func relax() {
        urgentUntil = nil
        attention.ended()
        try? RealTime.relax()
    }
}
