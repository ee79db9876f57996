// SPDX-License-Identifier: Apache-2.0

import ByteCodec
public import Primitives

/// Hellos are lost while the association lives (DESIGN §5): whoever is Active must show that its segment works.
///
///     standby: the Active is silent                     Active
///        │ question for evidence ─────────────────────────► probes a neighbour on the segment
///        │ probes the same neighbour itself                 │
///        │ ◄────── evidence: lease, carrier, probe ─────────┘
///
///     the Active's evidence                    own probe          what happens
///     not Active, lease over, or no answer     –                  this node takes over
///     holds                                    –                  the Active stays, and is asked each hello interval
///     its neighbour does not answer            answered           this node asks for the role, the Active hands over
///     its neighbour does not answer            not answered       nothing moves
///
/// Where there is no neighbour to be probed, being Active with lease and carrier is evidence enough.
struct SegmentWatch: Sendable {
    /// When a probe that runs counts as not answered.
    var probeUntil: Instant?
    /// How the last probe ended.
    var lastResult: ProbeResult?
    /// A question for evidence that waits for the probe.
    var owedNonce: UInt64?
    /// The Active has shown no evidence; what is done depends on the probe of this node.
    var isActiveDoubted = false
    /// This node gave its role away because its own segment did not answer: it asks for none until it does.
    var isOwnDoubted = false
    /// When the own segment is probed again.
    var nextProbeAt: Instant?
    /// The lost evidence was told to the log.
    var hasLogged = false
}

extension GroupMachine {
    /// How long an answer with evidence may take.
    var evidenceWait: Interval { min(GroupTiming.evidenceWait, hello) }

    /// How long a neighbour may take to answer a probe.
    public var probeWait: Interval { min(GroupTiming.probeWait, hello / 2) }

    // MARK: Probes

    mutating func startProbe(at now: Instant, actions: inout [GroupAction]) {
        guard segment.probeUntil == nil else { return }
        segment.probeUntil = now + probeWait
        segment.lastResult = nil
        actions.append(.probe)
    }

    /// The shell's answer to `probe`, or its time is over.
    mutating func finishProbe(_ result: ProbeResult, at now: Instant, actions: inout [GroupAction]) {
        guard segment.probeUntil != nil else { return }
        segment.probeUntil = nil
        segment.lastResult = result
        if result == .unanswered { actions.append(.count("probe.unanswered")) }
        if let nonce = segment.owedNonce {
            segment.owedNonce = nil
            giveEvidence(nonce, at: now, actions: &actions)
        }
        judgeReach(by: result, at: now, actions: &actions)
        if segment.isActiveDoubted { judgeDoubtedActive(at: now, actions: &actions) }
        guard segment.isOwnDoubted else { return }
        if result == .unanswered {
            segment.nextProbeAt = now + hello
        } else {
            segment.isOwnDoubted = false
            segment.nextProbeAt = nil
            remark = nil
            actions.append(.log(.notice, "this node's segment answers again"))
            considerPreempting(at: now, actions: &actions)
        }
    }

    /// When a probe ends unanswered, or the next one is due.
    var segmentDeadline: Instant? {
        [segment.probeUntil, segment.nextProbeAt].compactMap(\.self).min()
    }

    mutating func reachSegmentDeadlines(at now: Instant, actions: inout [GroupAction]) {
        if isDue(segment.probeUntil, at: now) { finishProbe(.unanswered, at: now, actions: &actions) }
        guard isDue(segment.nextProbeAt, at: now) else { return }
        segment.nextProbeAt = nil
        startProbe(at: now, actions: &actions)
    }

    // MARK: The Active's side

    /// Shows what speaks for this Active, behind a probe of its segment.
    mutating func answerForEvidence(_ nonce: UInt64, at now: Instant, actions: inout [GroupAction]) {
        segment.owedNonce = nonce
        startProbe(at: now, actions: &actions)
    }

    private mutating func giveEvidence(_ nonce: UInt64, at now: Instant, actions: inout [GroupAction]) {
        guard state == .active else {
            sendAnswer(nonce, at: now, actions: &actions)
            return
        }
        var evidence = RoleEvidence(probe: segment.lastResult ?? .impossible)
        evidence.hasCarrier = isInterfaceUp
        evidence.isLeaseRenewed =
            leaseRenewedAt.map { now.since($0) < .seconds(settings.leaseSeconds) } ?? false
        evidence.lastHelloMilliseconds = lastHeardAt.map { UInt32(clamping: now.since($0).milliseconds) }
        actions.append(.sendRole(.evidence(nonce: nonce, evidence), term: term))
    }

    /// The peer's segment answers and this Active's does not: it hands over like to a better one.
    mutating func answerSegmentRequest(_ claim: UInt8, at now: Instant, actions: inout [GroupAction]) {
        guard state == .active, segment.lastResult == .unanswered else {
            actions.append(.sendRole(.declined(reason: state == .active ? .betterPriority : .notActive), term: term))
            return
        }
        guard phase == .settled, isHandoverPossible else {
            actions.append(.sendRole(.declined(reason: .peerNotHot), term: term))
            return
        }
        segment.isOwnDoubted = true
        segment.nextProbeAt = now + hello
        remark = "its segment does not answer: the peer has the role"
        let reason = "its segment does not answer, that of the peer does"
        beginRelease(Release(target: .speak, reason: reason, isOptional: true), at: now, actions: &actions)
    }

    // MARK: The standby's side

    /// Asks a silent Active for evidence, and probes the segment meanwhile.
    mutating func askForEvidence(at now: Instant, actions: inout [GroupAction]) {
        let nonce = nextNonce()
        // Without its SAs there is nothing to be quick for: an Active that is slow to answer keeps them.
        let isPatient = redundancy.isPeerPopulated && !redundancy.isLocalHot
        phase = .questioning(.activeSilent, nonce: nonce, until: now + (isPatient ? hold : evidenceWait))
        segment.isActiveDoubted = false
        actions.append(.sendRole(.evidenceQuestion(nonce: nonce), term: term))
        startProbe(at: now, actions: &actions)
    }

    mutating func receiveEvidence(
        _ nonce: UInt64, _ evidence: RoleEvidence, term: UInt64, at now: Instant, actions: inout [GroupAction]
    ) {
        guard case .questioning(.activeSilent, nonce, _) = phase else {
            actions.append(.count("role.unexpected"))
            return
        }
        guard evidence.isLeaseRenewed else {
            actions.append(.count("role.leaseNotRenewed"))
            phase = .settled
            obey(.activeSilent, isConfirmed: false, at: now, actions: &actions)
            return
        }
        stayBehindActive(evidence, at: now, actions: &actions)
        guard !evidence.isEnough else {
            segment.hasLogged = false
            return
        }
        segment.isActiveDoubted = true
        judgeDoubtedActive(at: now, actions: &actions)
    }

    /// The Active says that it is: this node stays behind it, and asks again in a hello interval.
    mutating func stayBehindActive(
        _ evidence: RoleEvidence?, at now: Instant, actions: inout [GroupAction]
    ) {
        phase = .settled
        if !hasLoggedLostHellos {
            hasLoggedLostHellos = true
            let shown = evidence.map { " (\($0))" } ?? ""
            actions.append(
                .log(.warning, "the Active's hellos are lost, but it says that it is Active: staying\(shown)"))
        }
        activeSeen = activeSeen.map { ($0.address, now) }
        activeDeadline = now + hello
    }

    private mutating func judgeDoubtedActive(at now: Instant, actions: inout [GroupAction]) {
        guard segment.probeUntil == nil else { return }
        segment.isActiveDoubted = false
        guard state == .standby, phase == .settled else { return }
        guard segment.lastResult == .answered else {
            if !segment.hasLogged {
                segment.hasLogged = true
                actions.append(
                    .log(.warning, "the segment answers neither the Active nor this node: nothing moves"))
            }
            return
        }
        actions.append(.count("role.segmentRequested"))
        actions.append(.log(.warning, "the segment answers this node and not the Active: asking for the role"))
        actions.append(.sendRole(.segmentRequest(priority: priority), term: term))
    }
}
