// SPDX-License-Identifier: Apache-2.0

import ByteCodec
import FirstHop
import Primitives

extension SessionMachine {
    /// Accepts or refuses the peer's hello.
    mutating func greet(_ hello: SessionHello, at now: Instant, actions: inout [Action]) {
        if let refusal = refusal(of: hello) {
            actions.append(.count("session.refused"))
            actions.append(.log("%RF_INTERDEV-4-REFUSED: \(refusal)"))
            actions.append(.closeAssociation(reason: refusal))
            end(refusal, actions: &actions)
            return
        }
        differences = differences(to: hello)
        for warning in differences {
            actions.append(.count("session.difference"))
            actions.append(.log("%RF_INTERDEV-4-DIFFERENCE: \(warning)"))
        }
        phase = .established
        peer = hello
        peerClaim = (hello.isActive, hello.term)
        judgeOverlap(with: hello, actions: &actions)
        judgeClaims(actions: &actions)
        peerReport = nil
        highestPeerTerm = hello.term
        helloDeadline = nil
        lastHeard = now
        isPeerSilent = false
        nextHeartbeat = now + ReplicationLimits.heartbeatInterval
        actions.append(.noteEstablished(hello))
        sendState(&actions)
        evaluateFlow(actions: &actions)
    }

    /// Two that were both Active without hearing of each other: the one whose VPN peers were heard later stays, and
    /// makes its term the later one, by which everything else is judged.
    ///
    /// Both know both hellos, and so come to one result; where the traffic does not tell, the terms do.
    private mutating func judgeOverlap(with hello: SessionHello, actions: inout [Action]) {
        guard hello.isActive, let own = sentHello, own.isActive else { return }
        actions.append(.noteOverlap)
        guard let mine = own.trafficMilliseconds, let theirs = hello.trafficMilliseconds,
            theirs > mine, theirs - mine > ReplicationLimits.trafficDifferenceMilliseconds, hello.term >= own.term
        else { return }
        // What failover hears of is the term alone; the claim itself is not believed.
        peerActiveTerm = max(peerActiveTerm, hello.term)
        actions.append(.log("%RF_INTERDEV-4-OVERLAP: both nodes were Active; VPN peers were heard later by this one"))
        // A role that is as old as the other's needs a later term just as well.
        actions.append(.noteOutrankedTerm(hello.term == own.term ? hello.term &+ 1 : hello.term))
    }

    private func refusal(of hello: SessionHello) -> String? {
        if hello.protocolVersion != local.protocolVersion {
            return "the peer speaks replication protocol version \(hello.protocolVersion), "
                + "this node version \(local.protocolVersion)"
        }
        if hello.scheme != local.scheme {
            return "the peer's scheme is \"\(hello.scheme)\", this node's is \"\(local.scheme)\""
        }
        if hello.bootID == local.bootID { return "the association leads back to this node itself" }
        return nil
    }

    /// One sentence for each item that differs or that only one side has.
    private func differences(to hello: SessionHello) -> [String] {
        let theirs = Dictionary(hello.agreedItems.map { ($0.name, $0.value) }) { first, _ in first }
        let ours = Dictionary(local.agreedItems.map { ($0.name, $0.value) }) { first, _ in first }
        return Set(theirs.keys).union(ours.keys).sorted().compactMap { name in
            guard theirs[name] != ours[name] else { return nil }
            // A node whose IKE daemon has not answered yet knows of no connection at all.
            if isOfUnknownKind(name, in: theirs) || isOfUnknownKind(name, in: ours) { return nil }
            let here = ours[name].map { "\"\($0)\"" } ?? "absent"
            let there = theirs[name].map { "\"\($0)\"" } ?? "absent"
            return "\(name) is \(here) here and \(there) on \(hello.nodeName)"
        }
    }

    private func isOfUnknownKind(_ name: String, in items: [String: String]) -> Bool {
        let prefix = SessionHello.connectionPrefix
        return name.hasPrefix(prefix) && !items.keys.contains { $0.hasPrefix(prefix) }
    }

    /// Takes a frame of an established session.
    mutating func receive(_ frame: Frame, at now: Instant, actions: inout [Action]) {
        if let due = nextHeartbeat, now.since(due) > ReplicationLimits.silence {
            // What waited for this process may be untrue since long, and nobody can tell what of it is.
            actions.append(.count("session.slept"))
            actions.append(.closeAssociation(reason: "this process slept"))
            return end("this process slept", actions: &actions)
        }
        lastHeard = now
        if isPeerSilent {
            isPeerSilent = false
            actions.append(.noteSilence(false))
        }
        switch frame {
        case .hello: actions.append(.count("session.secondHello"))
        case .heartbeat(let term): highestPeerTerm = max(highestPeerTerm, term)
        case .state(let report): takeReport(report, actions: &actions)
        case .role(let message, let stamp): takeRole(message, stamp, at: now, actions: &actions)
        case .acknowledged(let sequence):
            guard outgoing.acknowledge(sequence) else { return actions.append(.count("session.badAcknowledgement")) }
            refreshOverdue(at: now, actions: &actions)
            finishLending(actions: &actions)
        case .countersInstalled(let number): actions.append(.noteCountersInstalled(number: number))
        case .strays(let names):
            guard flow == .sending else { return actions.append(.count("session.straysFromWrongSide")) }
            actions.append(.noteStrays(names))
        case .snapshotRequested:
            // The peer may know of a new role before we do: the wish waits until we are the source.
            isSnapshotWanted = true
            answerSnapshotWish(&actions)
        case .counters(let number, let isLast, let counters):
            guard flow == .receiving || flow == .borrowing else {
                return actions.append(.count("session.countersFromWrongSide"))
            }
            actions.append(.installCounters(number: number, isLast: isLast, counters))
        case .snapshotBegin, .record, .snapshotEnd, .mark: takeRecords(frame, actions: &actions)
        }
    }

    private mutating func takeReport(_ report: StateReport, actions: inout [Action]) {
        guard report != peerReport else { return }
        peerReport = report
        highestPeerTerm = max(highestPeerTerm, report.term)
        peerClaim = (report.isActive, report.term)
        peer?.journal = report.journal
        let wasActive = isLocalActive
        judgeClaims(actions: &actions)
        actions.append(.notePeer(report))
        if wasActive != isLocalActive { sendState(&actions) }
        evaluateFlow(actions: &actions)
    }

    /// Hands on a role message unless it comes from an earlier life, or is an order of an earlier term, of the peer.
    private mutating func takeRole(
        _ message: RoleMessage, _ stamp: RoleStamp, at now: Instant, actions: inout [Action]
    ) {
        guard stamp.bootID == peer?.bootID else { return actions.append(.count("role.staleBoot")) }
        guard stamp.term >= highestPeerTerm || !message.isOrder else {
            return actions.append(.count("role.staleTerm"))
        }
        guard local.interfaces.isEmpty || local.interfaces.contains(where: { $0.group == stamp.group }) else {
            return actions.append(.count("role.wrongGroup"))
        }
        highestPeerTerm = max(highestPeerTerm, stamp.term)
        if let due = nextHeartbeat, now.since(due) > ReplicationLimits.lateness, message.isOrder {
            // This process slept, and so did the order; the peer has gone on since.
            return actions.append(.count("role.late"))
        }
        actions.append(.deliverRole(message, group: stamp.group, term: stamp.term))
    }

    /// Records come in unbroken order inside a snapshot or behind one; anything else asks for a snapshot.
    private mutating func takeRecords(_ frame: Frame, actions: inout [Action]) {
        guard flow == .receiving || flow == .borrowing else {
            return actions.append(.count("session.recordFromWrongSide"))
        }
        if case .snapshotBegin(let sequence, let count) = frame {
            expectedSequence = sequence &+ 1
            isSnapshotRequested = false
            return actions.append(.beginSnapshot(count: count, sequence: sequence))
        }
        guard let expected = expectedSequence else { return actions.append(.count("session.recordOutsideSnapshot")) }
        switch frame {
        case .record(let sequence, let bytes) where sequence == expected:
            expectedSequence = expected &+ 1
            actions.append(.applyRecord(bytes, sequence: sequence))
        case .snapshotEnd(let sequence, let digest) where sequence == expected:
            expectedSequence = expected &+ 1
            actions.append(.endSnapshot(digest: digest, sequence: sequence))
        case .mark(let sequence, let digest) where sequence &+ 1 == expected:
            actions.append(.checkMark(digest: digest, sequence: sequence))
        case .record(let sequence, _) where sequence < expected: actions.append(.count("session.duplicateRecord"))
        default:
            actions.append(.count("session.recordOutOfOrder"))
            expectedSequence = nil
            requestSnapshot(&actions)
        }
    }

    mutating func requestSnapshot(_ actions: inout [Action]) {
        guard flow == .receiving || flow == .borrowing, !isSnapshotRequested else { return }
        isSnapshotRequested = true
        expectedSequence = nil
        send(.snapshotRequested, &actions)
    }
}
