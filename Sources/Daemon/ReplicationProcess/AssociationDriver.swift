// SPDX-License-Identifier: Apache-2.0

import ByteCodec
import Configuration
import LinuxIO
import Primitives
import Replication
import SecureChannel

/// The association to the peer as a stream of frames; it opens, connects and secures itself, whatever is missing.
final class AssociationDriver {
    /// What the process hears.
    enum Event {
        case up
        case down(reason: String)
        case frame(Frame)
        case writable
        /// Something for a screen changed: a fault, a path, whether the peer's kernel answers.
        case changed
    }

    /// Bounds of one association.
    enum Limits {
        /// Small frames are gathered into messages of about this size.
        static let gatheredByteCount = 8_192
        /// The pause before the endpoint is opened again where that failed.
        static let retry = Interval.seconds(2)
        /// Bytes that wait for the transport; a peer that reads nothing and makes us answer is aborted.
        static let unsentByteCount = 262_144
        /// The longest message.
        static let messageByteCount = 32_768
    }

    /// Called with each event.
    var onEvent: (Event) -> Void = { _ in }
    /// Increments a named counter.
    var count: (String) -> Void = { _ in }
    /// Writes a log line.
    var log: (String) -> Void = { _ in }

    /// What hinders the association, in a clause for the screens; nil where nothing is known.
    private(set) var fault: String?
    /// The peer's kernel may run although the association is gone.
    ///
    /// Until an attempt has shown otherwise it does.
    private(set) var mayPeerKernelLive = true
    /// When the association came up; nil while it is down.
    private(set) var upSince: Instant?
    private(set) var establishedCount = 0
    private(set) var sentMessages = 0
    private(set) var receivedMessages = 0
    private(set) var sentBytes = 0
    private(set) var receivedBytes = 0

    let settings: SCTPSettings
    private let reactor: Reactor
    private var endpoint: SCTPEndpoint?
    private var link: SecureLink
    private var linkTimer: TimerToken?
    private var linkActions: [SecureLink.Action] = []
    private var assembler = FrameAssembler()
    private var retry: TimerToken?
    private var strangerLoggedAt: Instant?
    /// The peer's address whose path is used first; nil where the kernel chose.
    private var preferred: IPv4Address?
    /// Bytes for the wire that the kernel has not taken: at most one message of frames, and answers of TLS.
    private var unsent: [UInt8] = []

    init(_ association: Model.Association, _ mode: SecureLink.Mode, on reactor: Reactor) {
        settings = Self.settings(association)
        link = SecureLink(
            mode, local: association.localAddresses.first ?? .any, remote: association.remoteAddresses.first ?? .any)
        self.reactor = reactor
        if !link.isReady { fault = "this node's identity is being read" }
    }

    private static func settings(_ association: Model.Association) -> SCTPSettings {
        var settings = SCTPSettings(
            localAddresses: association.localAddresses, localPort: UInt16(association.localPort),
            remoteAddresses: association.remoteAddresses, remotePort: UInt16(association.remotePort))
        let tuning = association.tuning
        if let value = tuning.minimumTimeoutMilliseconds { settings.minimumTimeoutMilliseconds = UInt32(value) }
        if let value = tuning.maximumTimeoutMilliseconds { settings.maximumTimeoutMilliseconds = UInt32(value) }
        if let value = tuning.pathRetransmissions { settings.pathRetransmissions = UInt16(value) }
        if let value = tuning.associationRetransmissions { settings.associationRetransmissions = UInt16(value) }
        return settings
    }

    /// Opens the endpoint, now or as soon as it can be; without the identity that it needs nothing happens.
    func open() {
        retry = nil
        guard endpoint == nil, link.isReady else { return }
        do {
            endpoint = try SCTPEndpoint(settings, on: reactor) { [weak self] event in self?.take(event) }
            note(fault: "no answer from the peer yet")
        } catch {
            note(fault: "\(error)", level: 3)
            retry = reactor.schedule(at: reactor.now + Limits.retry) { [weak self] in self?.open() }
        }
    }

    /// Takes this node's key: the endpoint opens if it waited for it, and an association that stands keeps the old one.
    func take(_ identity: NodeIdentity) {
        guard identity.fingerprint != link.identity?.fingerprint else { return }
        link.identity = identity
        let moment = isUp ? ", from the next association on" : ""
        log("%TLS-5-IDENTITY: this node is \(identity.fingerprint)\(moment)")
        if link.mode == .pinned([identity.fingerprint]) {
            log("%TLS-4-IDENTITY: `security peer` names this node's own key; it must name the other node's")
        }
        open()
    }

    /// Shows why this node's key is not to be had; one that was read before stays in use.
    func noteIdentityMissing(_ reason: String) {
        log("%TLS-3-IDENTITY: \(reason)")
        if !link.isReady { fault = reason }
    }

    /// Takes the known keys; an association with one that is not among them any more ends.
    func take(peers: [Fingerprint]) { handle(.peersChanged(peers)) }

    /// This node's key; nil with `security none` or before it was read.
    var identity: Fingerprint? { link.identity?.fingerprint }

    /// The peer's key; nil while the association is not secured.
    var peerIdentity: Fingerprint? { link.peer }

    /// Whether frames pass encrypted.
    var isSecured: Bool { link.isSecured }

    /// Ends the association for good.
    func close() {
        if let retry { reactor.cancel(retry) }
        if let linkTimer { reactor.cancel(linkTimer) }
        retry = nil
        linkTimer = nil
        endpoint?.close()
        endpoint = nil
        upSince = nil
    }

    /// Aborts the association; the endpoint tries again after its pause.
    func abort(reason: String) {
        note(fault: reason)
        endpoint?.abort()
    }

    /// Sends by the path to this address of the peer while it is usable.
    func prefer(_ address: IPv4Address) {
        guard address != preferred, endpoint?.prefer(address) == true else { return }
        if preferred != nil { log("%SCTP-5-PATH: sending by the path to \(address)") }
        preferred = address
    }

    /// Whether frames pass.
    var isUp: Bool { upSince != nil }

    /// The kernel's view of the association.
    func status() -> SCTPStatus? { endpoint?.status() }

    /// Sends what `next` yields until it yields nothing or the kernel takes no more.
    ///
    /// No more is sealed than the kernel takes now, so that a word about the role waits behind one message at most.
    func pump(_ next: () -> Frame?) {
        while isUp, link.isOpen, flush() {
            var bytes: [UInt8] = []
            while bytes.count < Limits.gatheredByteCount, let frame = next() { bytes += frame.encoded() }
            guard !bytes.isEmpty else { return }
            unsent = link.seal(bytes)
        }
    }

    /// Gives the kernel what waits; tells whether it took all of it.
    private func flush() -> Bool {
        guard let endpoint else { return false }
        while !unsent.isEmpty {
            let message = Array(unsent.prefix(Limits.messageByteCount))
            switch endpoint.send(message) {
            case .sent:
                sentMessages += 1
                sentBytes += message.count
                unsent.removeFirst(message.count)
            case .wouldBlock, .closed: return false
            }
        }
        return true
    }

    private func take(_ event: SCTPEvent) {
        switch event {
        case .up:
            assembler = FrameAssembler()
            unsent = []
            mayPeerKernelLive = true
            handle(.associationCameUp)
        case .down(let reason): goDown(reason)
        case .message(let bytes):
            receivedMessages += 1
            receivedBytes += bytes.count
            handle(.bytesReceived(bytes))
        case .writable: if flush(), isUp { onEvent(.writable) }
        case .pathChanged(let address, let isUsable):
            log("%SCTP-5-PATH: path to \(address) is \(isUsable ? "up" : "down")")
            onEvent(.changed)
        case .unreachable(let isAnswered):
            // Silence tells nothing: one packet may be lost, and a kernel that has just aborted lives.
            if isAnswered { mayPeerKernelLive = true }
            note(fault: isAnswered ? "the peer's machine refuses the association" : "the peer does not answer")
            onEvent(.changed)
        case .strangerRefused(let address):
            count("association.stranger")
            logStranger(address)
        }
    }

    private func goDown(_ reason: SCTPEvent.DownReason) {
        let wasUp = isUp
        let wasRefused = link.isRefused
        upSince = nil
        unsent = []
        preferred = nil
        handle(.associationWentDown)
        mayPeerKernelLive = reason != .communicationLost
        let text = Self.text(reason)
        // Where it was refused, the reason of that says more.
        if reason != .closedHere, !wasRefused { note(fault: wasUp ? text : text + " during the TLS handshake") }
        onEvent(.down(reason: text))
    }

    // MARK: Security

    private func handle(_ event: SecureLink.Event) {
        link.handle(event, at: reactor.now, actions: &linkActions)
        unsent += link.takeOutgoing()
        if unsent.count > Limits.unsentByteCount {
            count("tls.answersOverLimit")
            abort(reason: "the peer reads nothing")
        } else {
            _ = flush()
        }
        armLinkTimer()
        while !linkActions.isEmpty { perform(linkActions.removeFirst()) }
    }

    private func armLinkTimer() {
        if let linkTimer { reactor.cancel(linkTimer) }
        linkTimer = link.nextDeadline.map { deadline in
            reactor.schedule(at: deadline) { [weak self] in self?.handle(.deadlinePassed) }
        }
    }

    private func perform(_ action: SecureLink.Action) {
        switch action {
        case .noteOpened:
            upSince = reactor.now
            establishedCount += 1
            note(fault: nil)
            onEvent(.up)
        case .deliver(let bytes): if isUp { receive(bytes) }
        case .noteFault(let text): fault = text
        case .abort(let reason): abort(reason: reason)
        case .count(let name): count(name)
        case .log(let line): log(line)
        }
    }

    private func receive(_ bytes: [UInt8]) {
        assembler.append(bytes)
        let skipped = assembler.skippedAttributes
        do {
            while let piece = try assembler.next() {
                switch piece {
                case .frame(let frame): onEvent(.frame(frame))
                case .unknown: count("session.unknownFrame")
                }
                guard isUp else { return }
            }
        } catch {
            count("session.malformed")
            log("%RF_INTERDEV-4-MALFORMED: the peer sent a frame that does not decode (\(error))")
            abort(reason: "the peer sent a frame that does not decode")
        }
        for _ in skipped..<assembler.skippedAttributes { count("session.unknownAttribute") }
    }

    /// Strangers may come as often as they like, the log has one line for all of them in a while.
    private func logStranger(_ address: IPv4Address) {
        let now = reactor.now
        guard strangerLoggedAt.map({ now >= $0 + SecureLink.Limits.refusalLog }) ?? true else { return }
        strangerLoggedAt = now
        log("%SCTP-4-STRANGER: an association from \(address) was refused")
    }

    /// Remembers what hinders the association and logs it where it is new.
    private func note(fault text: String?, level: Int = 5) {
        guard text != fault else { return }
        fault = text
        if let text { log("%SCTP-\(level)-ASSOCIATION: \(text)") } else { log("%SCTP-5-ASSOCIATION: established") }
    }

    private static func text(_ reason: SCTPEvent.DownReason) -> String {
        switch reason {
        case .shutDown: "the peer closed the association"
        case .aborted: "the peer's kernel aborted the association"
        case .communicationLost: "nothing is heard from the peer on any path"
        case .restarted: "the peer started anew"
        case .closedHere: "the association was closed here"
        }
    }
}
