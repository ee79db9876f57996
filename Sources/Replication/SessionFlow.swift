// SPDX-License-Identifier: Apache-2.0

import Primitives

extension SessionMachine {
    /// Whether an event says nothing new, so that it changes nothing.
    public func isKnown(_ event: Event) -> Bool {
        guard case .localChanged(let hello, let state) = event else { return false }
        return hello == local && state == localState
    }

    /// Takes the node's new role, term, journal and state, and tells the peer.
    mutating func changeLocal(
        _ hello: SessionHello, _ state: RedundancyState, at now: Instant, actions: inout [Action]
    ) {
        let roleChanged = hello.isActive != local.isActive
        guard hello != local || state != localState else { return }
        if roleChanged { (activeSince, trafficAt) = (hello.isActive ? now : nil, nil) }
        local = hello
        localState = state
        judgeClaims(actions: &actions)
        guard phase == .established else { return }
        sendState(&actions)
        // A new role starts its own flow, also when it has the same name as the one before.
        if roleChanged { changeFlow(to: .idle, actions: &actions) }
        evaluateFlow(actions: &actions)
    }

    /// Whether this node is Active: not if the peer was in a later term.
    ///
    /// A failover process that hangs still counts as Active here, whatever the peer has done since.
    var isLocalActive: Bool { local.isActive && local.term >= peerActiveTerm }

    /// The later term is Active; who claims the role by an older one hangs, or has not heard of the other yet.
    mutating func judgeClaims(actions: inout [Action]) {
        if local.isActive { ownActiveTerm = max(ownActiveTerm, local.term) }
        guard let peer else { return }
        if peerClaim.isActive, peerClaim.term > peerActiveTerm {
            peerActiveTerm = peerClaim.term
            actions.append(.noteActiveTerm(peerActiveTerm))
        }
        let isBelieved = peerClaim.isActive && peerClaim.term >= ownActiveTerm
        if isBelieved != peer.isActive { self.peer?.isActive = isBelieved }
    }

    mutating func sendState(_ actions: inout [Action]) {
        send(
            .state(
                StateReport(
                    state: localState, term: local.term, isActive: isLocalActive, journal: local.journal)),
            &actions)
    }

    /// Decides by both roles and both journals who is the source.
    mutating func evaluateFlow(actions: inout [Action]) {
        // Without the same kind of records there is nothing that one could give the other.
        guard phase == .established, let peer, peer.hasKernelRecords == local.hasKernelRecords else {
            return changeFlow(to: .idle, actions: &actions)
        }
        // An Active of an older term has not stepped down yet: it is neither a source nor a copy, but may still lend.
        guard peer.isActive == peerClaim.isActive else { return changeFlow(to: .idle, actions: &actions) }
        if local.isActive, !isLocalActive {
            let isLender = peer.isActive && !peer.journal.isAuthoritative && local.journal.isAuthoritative
            return changeFlow(to: isLender ? .lending : .idle, actions: &actions)
        }
        let wanted: Flow =
            switch (local.isActive, peer.isActive) {
            case (true, false):
                if local.journal.isAuthoritative {
                    .sending
                } else if peer.journal.isAuthoritative {
                    .borrowing
                } else {
                    .idle
                }
            case (false, true):
                if peer.journal.isAuthoritative {
                    .receiving
                } else if local.journal.isAuthoritative {
                    .lending
                } else {
                    .idle
                }
            case (true, true), (false, false): .idle
            }
        changeFlow(to: wanted, actions: &actions)
    }

    mutating func changeFlow(to wanted: Flow, actions: inout [Action]) {
        guard wanted != flow else { return }
        flow = wanted
        outgoing.stopRecords()
        isOverdue = false
        isSnapshotRequested = false
        expectedSequence = nil
        actions.append(.noteFlow(wanted))
        if wanted == .receiving || wanted == .borrowing { requestSnapshot(&actions) }
        answerSnapshotWish(&actions)
    }

    mutating func answerSnapshotWish(_ actions: inout [Action]) {
        guard isSnapshotWanted, flow == .sending || flow == .lending else { return }
        isSnapshotWanted = false
        actions.append(.makeSnapshot)
    }

    /// A lent copy that arrived makes the peer's next report authoritative; nothing more is sent meanwhile.
    mutating func finishLending(actions: inout [Action]) {
        guard flow == .lending, let end = outgoing.snapshotEndSequence, outgoing.acknowledgedSequence >= end else {
            return
        }
        actions.append(.log("%RF_INTERDEV-6-LENT: the Active took over this node's copy of the records"))
    }
}
