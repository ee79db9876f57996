// SPDX-License-Identifier: Apache-2.0

import ByteCodec
import Primitives

/// A group that follows another one (`standby G follow NAME`, DESIGN §3).
///
/// It has the state of its leader, or is in Initial while its own interface cannot carry it. What it hears is for the
/// screens alone, and it says hello in the state that it has; it never says Coup or Resign, which would be words of an
/// election. The leader in turn does not run while one of its followers is not ready, so that both sides of the gateway
/// are always on the same node.
extension GroupMachine {
    /// Goes where the leader is; called after everything that bears on it.
    mutating func assumeLeaderState(reason: String, at now: Instant, actions: inout [GroupAction]) {
        let isRunning = isReady && virtualAddress != nil && !isStopping
        let target = isRunning ? leaderState : .initial
        switch (state, target) {
        case _ where state == target: break
        case (_, .active):
            becomeActive(reason: reason, at: now, actions: &actions)
        case (.active, _):
            surrender(sendsResign: false, at: now, actions: &actions)
            becomeFormerActive(target: target, reason: reason, at: now, actions: &actions)
        default:
            move(to: target, reason: reason, at: now, actions: &actions)
        }
    }

    /// Remembers who is Active and Standby on a follower's segment.
    mutating func note(
        _ message: HSRPMessage, from source: IPAddress, at now: Instant, actions: inout [GroupAction]
    ) {
        if activeRouter?.address == source { activeRouter = nil }
        if standbyRouter?.address == source { standbyRouter = nil }
        let router = KnownRouter(address: source, priority: message.priority, heardAt: now)
        switch (message.operation, message.state) {
        case (.hello, .active) where state == .active, (.coup, _) where state == .active:
            otherActive = router
            reportOtherActive(source, at: now, actions: &actions)
        case (.hello, .active):
            activeRouter = router
            startActiveTimer(message, at: now)
        case (.hello, .standby) where state != .standby:
            standbyRouter = router
            startStandbyTimer(message, at: now)
        default: break
        }
    }

    /// While the role moves, the other node's last hello may still be on its way.
    private mutating func reportOtherActive(
        _ source: IPAddress, at now: Instant, actions: inout [GroupAction]
    ) {
        if let since = lastStateChangeAt, now.since(since) < hello { return }
        actions.append(.count("hello.otherActive"))
        if let last = otherActiveReportedAt, now.since(last) < GroupTiming.warningInterval { return }
        otherActiveReportedAt = now
        actions.append(
            .log(.warning, "\(source) is Active here as well; this group follows another one and stays Active"))
    }

    /// When a router that was heard counts as gone.
    var silenceDeadline: Instant? {
        [activeRouter == nil ? nil : activeDeadline, standbyRouter == nil ? nil : standbyDeadline]
            .compactMap(\.self).min()
    }

    mutating func forgetSilentRouters(at now: Instant) {
        if isDue(activeDeadline, at: now) { activeRouter = nil }
        if isDue(standbyDeadline, at: now) { standbyRouter = nil }
    }
}
