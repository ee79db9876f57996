// SPDX-License-Identifier: Apache-2.0

import FirstHop
import Primitives
import Testing

@Suite struct ReplicationWatchTests {
    private var watch = ReplicationWatch()

    /// Steps the watch to `milliseconds`, through its deadlines, and gives it an event there.
    private mutating func at(_ milliseconds: Int, _ event: ReplicationWatch.Event) -> [ReplicationWatch.Action] {
        var actions: [ReplicationWatch.Action] = []
        while let due = watch.nextDeadline, due < Self.instant(milliseconds) {
            watch.handle(.deadlineReached, at: due, actions: &actions)
        }
        watch.handle(event, at: Self.instant(milliseconds), actions: &actions)
        return actions
    }

    private static func instant(_ milliseconds: Int) -> Instant {
        Instant(nanoseconds: UInt64(milliseconds) * 1_000_000)
    }

    @Test("a question to the peer is one to replication, which hangs if it does not answer within 100 ms")
    mutating func silence() {
        #expect(at(1_000, .questionSent) == [.ask(number: 1)])
        #expect(at(1_050, .questionSent) == [])
        #expect(at(1_060, .answered(number: 1)) == [])
        #expect(watch.nextDeadline == nil)
        #expect(at(2_000, .questionSent) == [.ask(number: 2)])
        // An answer to the one before does not count.
        #expect(at(2_010, .answered(number: 1)) == [])
        #expect(at(2_101, .deadlineReached) == [.noteSilence(isSilent: true)])
        #expect(at(3_000, .questionSent) == [])
        // What has come behind that question is still to be worked off.
        #expect(at(3_100, .answered(number: 2)) == [.ask(number: 3)])
        #expect(at(3_300, .answered(number: 3)) == [.ask(number: 4)])
        #expect(at(3_301, .answered(number: 4)) == [.noteSilence(isSilent: false)])
    }

    @Test("a replication that must be awake is asked every 100 ms, until it need not be")
    mutating func vigilance() {
        #expect(at(1_000, .vigilanceChanged(isNeeded: true)) == [.ask(number: 1)])
        #expect(at(1_001, .answered(number: 1)) == [])
        #expect(at(1_101, .deadlineReached) == [.ask(number: 2)])
        #expect(at(1_102, .answered(number: 2)) == [])
        #expect(at(1_150, .vigilanceChanged(isNeeded: true)) == [])
        #expect(at(1_301, .deadlineReached) == [.ask(number: 3), .noteSilence(isSilent: true)])
        #expect(at(1_900, .answered(number: 3)) == [.ask(number: 4)])
        #expect(at(1_901, .answered(number: 4)) == [.noteSilence(isSilent: false)])
        _ = at(1_950, .vigilanceChanged(isNeeded: false))
        #expect(watch.nextDeadline.map { $0 > Self.instant(1_950) } ?? true)
    }

    @Test("a failover process that slept itself asks once more; a new replication process owes no answer")
    mutating func ownSleep() {
        _ = at(1_000, .questionSent)
        var actions: [ReplicationWatch.Action] = []
        watch.handle(.deadlineReached, at: Self.instant(1_500), actions: &actions)
        #expect(actions == [.ask(number: 2)])
        #expect(at(1_601, .deadlineReached) == [.noteSilence(isSilent: true)])
        #expect(at(1_700, .processChanged) == [.noteSilence(isSilent: false)])
        #expect(watch.nextDeadline == nil)
    }
}
