// SPDX-License-Identifier: Apache-2.0

import ByteCodec
import Primitives

/// An Active that hears nobody any more: the peer may have taken the role, and this node cannot know.
///
///     heard ── association lost, or the Standby silent: is anybody there? ──► asked
///     asked ── a neighbour answers, or anything is received ──► heard
///     asked ── neither ──► cut off: fence up, hellos no longer from the virtual MAC
///     cut off ── an answer, or anything received ──► returning: for a hello interval it listens who is Active now
///     returning ── nobody else, or the peer says that it is not Active ──► heard: fence down, announced; it asks again
///     heard, asked, returning ── this node slept for longer than it may be silent ──► returning
///     any ── another Active, whose term is later ──► the role is given up (table, association)
///
/// Nothing that a node sends while it is cut off arrives. What it sends in its first moments behind that would: with
/// numbers of its own, for SAs that the peer has gone on with, and through a switch that would learn the virtual MAC at
/// the wrong port.
enum Reach: Hashable, Sendable {
    case heard
    case asked
    case cutOff(nextProbeAt: Instant?)
    case returning(until: Instant)
}

extension GroupMachine {
    /// Whether this Active, or the one that it follows, hears nobody, or has only just begun to hear again.
    public var isCutOff: Bool {
        if settings.isFollower { return isLeaderCutOff }
        switch reach {
        case .heard, .asked: return false
        case .cutOff, .returning: return true
        }
    }

    /// Asks whether anybody is there, where the peer says nothing on any wire.
    mutating func checkReach(at now: Instant, actions: inout [GroupAction]) {
        guard state == .active, reach == .heard, phase != .draining, redundancy.isStateful, !redundancy.isAssociationUp
        else { return }
        reach = .asked
        askSegment(at: now, actions: &actions)
    }

    private mutating func askSegment(at now: Instant, actions: inout [GroupAction]) {
        actions.append(.markReception)
        startProbe(at: now, actions: &actions)
    }

    /// A probe has ended; one that nobody answered says little where a neighbour is dead and others are not.
    mutating func judgeReach(by result: ProbeResult, at now: Instant, actions: inout [GroupAction]) {
        guard reach != .heard else { return }
        if result == .unanswered {
            actions.append(.proveReception)
        } else {
            regainReach(at: now)
        }
    }

    /// An answer, or a frame of anybody.
    mutating func regainReach(at now: Instant) {
        switch reach {
        case .heard, .returning: break
        case .asked: reach = .heard
        case .cutOff: reach = .returning(until: now + GroupTiming.signOfLife(hello))
        }
    }

    mutating func loseReach(at now: Instant, actions: inout [GroupAction]) {
        switch reach {
        case .heard, .returning:
            break
        case .cutOff:
            reach = .cutOff(nextProbeAt: now + GroupTiming.receptionPause)
        case .asked where redundancy.isAssociationUp:
            reach = .heard
        case .asked:
            reach = .cutOff(nextProbeAt: now + GroupTiming.receptionPause)
            announcements = []
            raiseFence(actions: &actions)
            actions.append(.count("fence.cutOff"))
            actions.append(
                .log(.warning, "the fence goes up: this node hears nobody, and the peer may have taken the role"))
        }
    }

    var isolationDeadline: Instant? {
        switch reach {
        case .heard, .asked: nil
        case .cutOff(let nextProbeAt): nextProbeAt
        case .returning(let until): until
        }
    }

    mutating func reachIsolationDeadline(at now: Instant, actions: inout [GroupAction]) {
        switch reach {
        case .heard, .asked: break
        case .cutOff:
            reach = .cutOff(nextProbeAt: nil)
            askSegment(at: now, actions: &actions)
        case .returning:
            if let fenceHeldUntil, fenceHeldUntil > now {
                // Another Active is heard.
                reach = .returning(until: fenceHeldUntil)
            } else {
                endWaiting(reason: "no other Active is heard", at: now, actions: &actions)
                // Silence counts only where something could be heard.
                if !settings.isFollower { checkReach(at: now, actions: &actions) }
            }
        }
    }

    /// Nobody else is Active: an end to every wait for another one.
    mutating func endWaiting(reason: String, at now: Instant, actions: inout [GroupAction]) {
        guard !settings.isFollower else { return }
        let wasCutOff = isCutOff
        (reach, wokeAt, wakeNonce) = (.heard, nil, nil)
        lowerHeldFence(reason: reason, at: now, actions: &actions)
        openFence(reason: reason, actions: &actions)
        if wasCutOff { showItself(at: now, actions: &actions) }
    }

    /// The group that this one follows is cut off, or no longer.
    mutating func followIsolation(isCutOff: Bool, at now: Instant, actions: inout [GroupAction]) {
        guard isCutOff != isLeaderCutOff else { return }
        isLeaderCutOff = isCutOff
        if isCutOff { announcements = [] } else { showItself(at: now, actions: &actions) }
    }

    private mutating func showItself(at now: Instant, actions: inout [GroupAction]) {
        guard state == .active else { return }
        announceAgain(at: now, actions: &actions)
        sendHello(at: now, actions: &actions)
    }
}
