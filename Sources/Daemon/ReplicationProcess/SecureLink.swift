// SPDX-License-Identifier: Apache-2.0

import Primitives
import SecureChannel

/// What stands between the association and the frames: TLS between keys that know each other, or nothing at all.
///
///     down ──association──► handshaking ──both known──► open ──key taken away, TLS error──► refused ──abort──► down
///                                └── 3 s, unknown key, no TLS ─────────────────────────────────┘
///
/// Before `opened` no frame leaves this node and none is read. One association stands at a time, so there is one
/// handshake at a time. It knows no socket: bytes for the wire lie in `takeOutgoing` after every call.
struct SecureLink {
    /// Times and bounds.
    enum Limits {
        /// From the association to the end of the handshake.
        static let handshake = Interval.seconds(3)
        /// For the alert to leave before the association is aborted.
        static let farewell = Interval.milliseconds(200)
        /// Between two log lines about refused peers that differ.
        static let refusalLog = Interval.seconds(10)
    }

    /// How the association is secured.
    enum Mode: Hashable {
        /// `security none`.
        case plain
        /// `security identity` and these `security peer` keys.
        case pinned([Fingerprint])
    }

    /// What happened.
    enum Event {
        /// The transport connected.
        case associationCameUp
        /// The transport ended.
        case associationWentDown
        /// The transport carried bytes.
        case bytesReceived([UInt8])
        /// The set of known keys changed.
        case peersChanged([Fingerprint])
        /// `nextDeadline` passed.
        case deadlinePassed
    }

    /// What is to be done, in this order.
    enum Action: Hashable {
        /// Frames may pass.
        case noteOpened
        /// Bytes of the peer's frames.
        case deliver([UInt8])
        /// What hinders the association, for the screens.
        case noteFault(String)
        /// Abort the association once the bytes that wait have left.
        case abort(reason: String)
        /// Increment a named counter.
        case count(String)
        /// Write a log line.
        case log(String)
    }

    private enum State: Hashable {
        case down
        case handshaking(deadline: Instant)
        case open
        case refused(abortAt: Instant, reason: String)
    }

    /// How the association is secured.
    private(set) var mode: Mode
    /// This node's key; the next association uses a new one.
    var identity: NodeIdentity?
    /// The peer's key, while open.
    private(set) var peer: Fingerprint?

    private let side: SecureStream.Side
    private var state = State.down
    private var stream: SecureStream?
    private var hasHeardPeer = false
    private var loggedReason: String?
    private var loggedAt: Instant?

    /// Makes a link; the node with the lower first address is the client of TLS.
    init(_ mode: Mode, local: IPv4Address, remote: IPv4Address) {
        self.mode = mode
        side = local < remote ? .client : .server
    }

    /// Whether an association may be opened.
    var isReady: Bool { mode == .plain || identity != nil }

    /// Whether frames may pass.
    var isOpen: Bool { state == .open }

    /// Whether frames pass encrypted.
    var isSecured: Bool { isOpen && mode != .plain }

    /// When `deadlinePassed` is due; spurious calls are harmless.
    var nextDeadline: Instant? {
        switch state {
        case .down, .open: nil
        case .handshaking(let deadline): deadline
        case .refused(let instant, _): instant
        }
    }

    /// Whether the association is about to be aborted.
    var isRefused: Bool { if case .refused = state { true } else { false } }

    /// Makes bytes for the wire of frames; none while the link is not open.
    mutating func seal(_ bytes: [UInt8]) -> [UInt8] {
        guard isOpen else { return [] }
        guard let stream else { return bytes }
        stream.seal(bytes)
        return stream.takeOutgoing()
    }

    /// Bytes of TLS itself that the transport must carry.
    mutating func takeOutgoing() -> [UInt8] { stream?.takeOutgoing() ?? [] }

    /// Takes one event.
    mutating func handle(_ event: Event, at now: Instant, actions: inout [Action]) {
        switch (state, event) {
        case (_, .associationCameUp): comeUp(at: now, &actions)
        case (_, .associationWentDown): end()
        case (.down, .bytesReceived), (.refused, .bytesReceived): break
        case (_, .bytesReceived(let bytes)): receive(bytes, at: now, &actions)
        case (_, .peersChanged(let peers)): change(to: peers, at: now, &actions)
        case (.handshaking(let deadline), .deadlinePassed) where now >= deadline: timeOut(at: now, &actions)
        case (.refused(let instant, let reason), .deadlinePassed) where now >= instant:
            end()
            actions.append(.abort(reason: reason))
        case (_, .deadlinePassed): break
        }
    }

    private mutating func end() {
        state = .down
        stream = nil
        peer = nil
        hasHeardPeer = false
    }

    private mutating func comeUp(at now: Instant, _ actions: inout [Action]) {
        end()
        guard case .pinned(let peers) = mode else {
            state = .open
            return actions.append(.noteOpened)
        }
        guard let identity else { return refuse("this node has no identity", "tls.noIdentity", at: now, &actions) }
        do {
            stream = try SecureStream(side, identity: identity, peers: peers)
            state = .handshaking(deadline: now + Limits.handshake)
            actions.append(.count("tls.handshakes"))
        } catch {
            refuse("TLS cannot start: \(error)", "tls.noIdentity", at: now, &actions)
        }
    }

    private mutating func receive(_ bytes: [UInt8], at now: Instant, _ actions: inout [Action]) {
        guard let stream else {
            if mode == .plain, !hasHeardPeer { checkForTLS(bytes, &actions) }
            hasHeardPeer = true
            return actions.append(.deliver(bytes))
        }
        hasHeardPeer = true
        for event in stream.receive(bytes) {
            switch event {
            case .opened(let peer):
                state = .open
                self.peer = peer
                loggedReason = nil
                actions += [.count("tls.established"), .log("%TLS-5-ESTABLISHED: TLS 1.3 with \(peer)"), .noteOpened]
            case .received(let bytes): actions.append(.deliver(bytes))
            case .ended(let end): refuse(end, at: now, &actions)
            }
        }
    }

    /// Without TLS here, a handshake of the peer would look like a broken frame.
    private func checkForTLS(_ bytes: [UInt8], _ actions: inout [Action]) {
        // A handshake record of any version (RFC 8446 §5.1).
        guard bytes.starts(with: [22, 3]) else { return }
        actions.append(
            .log("%TLS-4-UNEXPECTED: the peer starts TLS, but this node's configuration says `security none`"))
    }

    private mutating func change(to peers: [Fingerprint], at now: Instant, _ actions: inout [Action]) {
        guard mode != .plain, mode != .pinned(peers) else { return }
        mode = .pinned(peers)
        switch state {
        // The handshake looks at the old set; the next one will look at the new one.
        case .handshaking: refuse("the configuration changed", "tls.peersChanged", at: now, &actions)
        case .open:
            guard let peer, !peer.isAmong(peers) else { return }
            refuse("the key \(peer) is not among `security peer` any more", "tls.peerRemoved", at: now, &actions)
        case .down, .refused: break
        }
    }

    private mutating func timeOut(at now: Instant, _ actions: inout [Action]) {
        let seconds = Limits.handshake.milliseconds / 1000
        let hint =
            hasHeardPeer ? "" : ": it said nothing; the first `remote-ip` must be the first `local-ip` of the peer"
        refuse("the peer did not finish the TLS handshake within \(seconds) s\(hint)", "tls.timeout", at: now, &actions)
    }

    // MARK: Refusing

    private mutating func refuse(_ end: SecureStreamEnd, at now: Instant, _ actions: inout [Action]) {
        switch end {
        case .unknownPeer(let fingerprint):
            let reason = "the peer's key is \(fingerprint), which no `security peer` names"
            refuse(reason, "tls.unknownPeer", at: now, &actions)
        case .noCertificate: refuse("the peer showed no key", "tls.noCertificate", at: now, &actions)
        case .refusedByPeer:
            let own = identity.map { "`security peer \($0.fingerprint)`" } ?? "a `security peer` line"
            refuse(
                "the peer does not know this node's key; its configuration needs \(own)", "tls.refusedByPeer", at: now,
                &actions)
        case .closed: refuse("the peer ended TLS", "tls.closed", at: now, &actions)
        case .malformed(let text):
            let hint = isOpen ? "" : "; does its configuration say `security none`?"
            refuse(
                "the peer's bytes are not the TLS 1.3 that was expected (\(text))\(hint)", "tls.malformed", at: now,
                &actions)
        }
    }

    private mutating func refuse(
        _ reason: String, _ counter: String, at now: Instant, _ actions: inout [Action]
    ) {
        // The alert lies in the stream and leaves first, so that the peer's operator reads why.
        state = .refused(abortAt: now + Limits.farewell, reason: reason)
        peer = nil
        actions += [.count(counter), .noteFault(reason)]
        // Each attempt to connect fails in the same way: one line says it all, and strangers cannot fill the log.
        guard reason != loggedReason, loggedAt.map({ now >= $0 + Limits.refusalLog }) ?? true else { return }
        loggedReason = reason
        loggedAt = now
        actions.append(.log("%TLS-4-REFUSED: \(reason)"))
    }
}
