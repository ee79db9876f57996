// SPDX-License-Identifier: Apache-2.0

import DequeModule
import Primitives

/// Finds the record that charon dies of, so that the others can be delivered.
///
/// After a first crash every record sent within the last second is suspect and is sent alone, with a pause behind it;
/// the one sent last before a second crash is held back from then on (known case: strongswan#3113).
struct CrashSuspicion: Sendable {
    private static let window = Interval.seconds(1)
    private static let culpritWindow = Interval.milliseconds(200)
    private static let recentCount = 1_024

    private var recent = Deque<(fingerprint: UInt64, sentAt: Instant)>()
    private var suspects: Set<UInt64> = []
    private var poisoned: Set<UInt64> = []
    private var lastSuspect: (fingerprint: UInt64, sentAt: Instant)?

    /// Tells whether a record is to be held back.
    func isPoisoned(_ fingerprint: UInt64) -> Bool { poisoned.contains(fingerprint) }

    /// Notes that a record is sent; true if it is to be sent alone.
    mutating func noteSent(_ fingerprint: UInt64, at now: Instant) -> Bool {
        while let first = recent.first, now.since(first.sentAt) > Self.window || recent.count >= Self.recentCount {
            recent.removeFirst()
        }
        recent.append((fingerprint, now))
        guard suspects.remove(fingerprint) != nil else { return false }
        lastSuspect = (fingerprint, now)
        return true
    }

    /// Notes that charon is gone.
    mutating func noteLoss(at now: Instant) {
        if let last = lastSuspect, now.since(last.sentAt) <= Self.culpritWindow,
            poisoned.count < Limits.poisonedRecordCount
        {
            poisoned.insert(last.fingerprint)
        } else {
            suspects = Set(recent.filter { now.since($0.sentAt) <= Self.window }.map(\.fingerprint))
        }
        lastSuspect = nil
        recent.removeAll()
    }
}
