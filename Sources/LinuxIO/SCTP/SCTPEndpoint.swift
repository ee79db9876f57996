// SPDX-License-Identifier: Apache-2.0

internal import CLinux
internal import CSCTP
internal import Glibc
public import Primitives

/// This node's end of the SCTP association with its peer (DESIGN §4).
///
/// A one-to-many socket listens on and connects from the same port, so that crossing attempts of the two nodes become
/// one association, which is then peeled off to a socket of its own. The endpoint connects again by itself.
///
///     ┌──────────┐ connect, every retry  ┌────────────┐  peer's addresses as configured  ┌──────────────┐
///     │ listening├──────────────────────►│ COMM_UP    ├─────────────────────────────────►│ peeled off   │
///     │          │◄──────────────────────┤ of anybody │  else: abort                     │ `up` … `down`│
///     └────▲─────┘                       └────────────┘                                  └──────┬───────┘
///          └────────────────────────────────────────────────────────────────────────────────────┘
public final class SCTPEndpoint {
    private let settings: SCTPSettings
    private let reactor: Reactor
    private let handler: (SCTPEvent) -> Void
    private let listener: Descriptor
    private var listenerToken: WatchToken?
    private var association: SCTPAssociation?
    private var associationToken: WatchToken?
    private var retry: TimerToken?
    private var attemptedAt: Instant?
    private var buffer = [UInt8](repeating: 0, count: 65_536)

    /// Opens the endpoint, listens, and starts to connect.
    ///
    /// Throws `SCTPError.notSupported` on a kernel without SCTP; the caller tries again later.
    public init(
        _ settings: SCTPSettings, on reactor: Reactor, handler: @escaping (SCTPEvent) -> Void
    ) throws(SCTPError) {
        self.settings = settings
        self.reactor = reactor
        self.handler = handler
        listener = try Self.open(settings)
        do {
            listenerToken = try reactor.watch(listener.rawValue) { [unowned self] _ in serveListener() }
        } catch {
            throw .system(error)
        }
        retry = reactor.schedule(at: Reactor.now()) { [unowned self] in attempt() }
    }

    deinit { close() }

    /// Tells whether this kernel has SCTP, or can load it.
    public static var isSupported: Bool {
        let number = socket(AF_INET, Int32(SOCK_SEQPACKET.rawValue | SOCK_CLOEXEC.rawValue), Int32(IPPROTO_SCTP))
        guard number >= 0 else { return false }
        Glibc.close(number)
        return true
    }

    /// Tells whether the association is established.
    public var isUp: Bool { association != nil }

    /// Sends one message of at most 65536 bytes; `closed` without an association.
    ///
    /// After `wouldBlock` the event `writable` follows.
    public func send(_ bytes: [UInt8]) -> MessageSocket.Sent {
        precondition(bytes.count <= SCTPAssociation.Limits.messageByteCount)
        guard let association else { return .closed }
        let sent = association.send(bytes)
        if case .wouldBlock = sent, let associationToken { reactor.setWritable(associationToken, true) }
        return sent
    }

    /// The state for screens; nil without an association.
    public func status() -> SCTPStatus? { association?.status(localAddresses: settings.localAddresses) }

    /// Sends by the path to this address of the peer while it is usable; false without an association.
    public func prefer(_ address: IPv4Address) -> Bool { association?.prefer(address) ?? false }

    /// Stops reading messages or resumes it, for back pressure toward the peer.
    public func setReading(_ isOn: Bool) {
        if let associationToken { reactor.setReadable(associationToken, isOn) }
    }

    /// Aborts the association, for a peer that breaks the protocol; the endpoint connects anew after its pause.
    public func abort() {
        guard association != nil else { return }
        end(.closedHere)
    }

    /// Aborts the association and stops listening; no event follows.
    public func close() {
        if let retry { reactor.cancel(retry) }
        if let associationToken { reactor.unwatch(associationToken) }
        if let listenerToken { reactor.unwatch(listenerToken) }
        retry = nil
        associationToken = nil
        listenerToken = nil
        association = nil
    }

    // MARK: Listening and connecting

    private static func open(_ settings: SCTPSettings) throws(SCTPError) -> Descriptor {
        var raw = havpn_sctp_settings()
        raw.local_port = settings.localPort
        raw.initial_timeout = settings.initialTimeoutMilliseconds
        raw.minimum_timeout = settings.minimumTimeoutMilliseconds
        raw.maximum_timeout = settings.maximumTimeoutMilliseconds
        raw.heartbeat_interval = settings.heartbeatMilliseconds
        raw.path_retransmissions = settings.pathRetransmissions
        raw.association_retransmissions = settings.associationRetransmissions
        raw.initial_attempts = settings.initialAttempts
        raw.send_buffer = settings.sendBufferByteCount
        raw.receive_buffer = settings.receiveBufferByteCount
        let addresses = settings.localAddresses.map(\.value)
        var step: UnsafePointer<CChar>?
        let number = havpn_sctp_open(&raw, addresses, addresses.count, &step)
        guard number >= 0 else {
            let code = errno
            if code == EPROTONOSUPPORT || code == ESOCKTNOSUPPORT { throw .notSupported }
            throw .system(SystemError("sctp \(step.map { String(cString: $0) } ?? "open")", code: code))
        }
        return Descriptor(owning: number)
    }

    private func attempt() {
        retry = nil
        guard association == nil, listenerToken != nil else { return }
        attemptedAt = Reactor.now()
        let addresses = settings.remoteAddresses.map(\.value)
        // EALREADY and EISCONN: an attempt, perhaps the peer's, is under way. The rest is routing, which may heal.
        _ = havpn_sctp_connect(listener.rawValue, addresses, addresses.count, settings.remotePort)
        scheduleRetry()
    }

    private func scheduleRetry() {
        if let retry { reactor.cancel(retry) }
        // Not in step with the peer, and not with a stranger who knows the interval.
        let pause = settings.retryMilliseconds * Int.random(in: 75...125) / 100
        retry = reactor.schedule(at: Reactor.now() + .milliseconds(pause)) { [unowned self] in attempt() }
    }

    private func serveListener() {
        for _ in 0..<SCTPAssociation.Limits.receivesPerWake {
            var received = havpn_sctp_received()
            let length = havpn_sctp_receive(listener.rawValue, &buffer, buffer.count, &received)
            guard length > 0 else { return }
            switch received.kind {
            case HAVPN_SCTP_UP: admit(received.association)
            case HAVPN_SCTP_CANNOT_START:
                // A refusal comes within a round trip, silence takes at least the first timeout.
                let waited = attemptedAt.map { Reactor.now().since($0).milliseconds } ?? 0
                handler(.unreachable(isAnswered: waited < Int(settings.initialTimeoutMilliseconds)))
            // Data before the peeling-off travels with the association; what is read here is a stranger's.
            default: break
            }
            if listenerToken == nil { return }
        }
    }

    private func admit(_ identifier: Int32) {
        let peer = Self.peerAddresses(listener.rawValue, association: identifier)
        // None: it is gone already, aborted while the notification waited.
        guard !peer.addresses.isEmpty else { return }
        let isPeer =
            peer.port == settings.remotePort
            && peer.addresses.allSatisfy(settings.remoteAddresses.contains)
        guard isPeer, association == nil else {
            _ = havpn_sctp_abort(listener.rawValue, identifier)
            return handler(.strangerRefused(peer.addresses.first ?? .any))
        }
        let number = havpn_sctp_peel(listener.rawValue, identifier)
        guard number >= 0 else { return }
        let peeled = SCTPAssociation(Descriptor(owning: number), remotePort: settings.remotePort)
        guard let token = try? reactor.watch(number, handler: { [unowned self] in serveAssociation($0) }) else {
            return
        }
        association = peeled
        associationToken = token
        if let retry { reactor.cancel(retry) }
        retry = nil
        handler(.up)
    }

    static func peerAddresses(_ descriptor: Int32, association: Int32) -> (addresses: [IPv4Address], port: UInt16) {
        var values = [UInt32](repeating: 0, count: 16)
        var port: UInt16 = 0
        let count = havpn_sctp_peer_addresses(descriptor, association, &values, values.count, &port)
        return (values.prefix(max(0, min(Int(count), values.count))).map(IPv4Address.init), port)
    }

    // MARK: The association

    private func serveAssociation(_ readiness: Readiness) {
        if readiness.contains(.writable), let associationToken {
            reactor.setWritable(associationToken, false)
            handler(.writable)
        }
        guard readiness.contains(.readable), let association else { return }
        association.receive(into: &buffer) { finding in
            switch finding {
            case .message(let bytes): handler(.message(bytes))
            case .path(let address, let isUsable): handler(.pathChanged(address, isUsable: isUsable))
            case .restarted:
                handler(.down(.restarted))
                if self.association === association { handler(.up) }
            case .ended(let reason): end(reason)
            }
            return self.association === association
        }
    }

    private func end(_ reason: SCTPEvent.DownReason) {
        if let associationToken { reactor.unwatch(associationToken) }
        associationToken = nil
        association = nil
        scheduleRetry()
        handler(.down(reason))
    }
}
