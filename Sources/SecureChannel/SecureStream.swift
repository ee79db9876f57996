// SPDX-License-Identifier: Apache-2.0

internal import NIOCore
internal import NIOEmbedded
internal import NIOSSL
internal import NIOTLS
public import Primitives

/// One end of a TLS 1.3 session over any reliable stream: bytes in, bytes out, no socket and no clock.
///
/// Both ends show a certificate, and each looks at nothing of the other's but the public key, whose fingerprint must be
/// among the known peers; names and dates are ignored on purpose, for a gateway may boot without a clock (DESIGN §4).
///
///     server  handshaking ──client's Finished is good──────────────────────► open ──error, close──► ended
///     client  handshaking ──server's Finished is good──► waiting ──a record─► open
///
/// A client believes itself connected before the server has looked at its certificate. It is therefore open only when
/// the server's first record has come, and whoever uses a stream says nothing before it is open.
///
/// No session is ever resumed: each stream has keys of its own, so that a peer that is not known any more stays out.
public final class SecureStream {
    /// Who speaks first.
    public enum Side: Hashable, Sendable {
        /// Starts the handshake.
        case client
        /// Answers it.
        case server
    }

    /// What received bytes came to.
    public enum Event: Hashable, Sendable {
        /// Both ends know each other; from now on `seal` may be called.
        case opened(peer: Fingerprint)
        /// Bytes that the peer sealed.
        case received([UInt8])
        /// The session is over; what `takeOutgoing` then gives is the alert that tells the peer.
        case ended(SecureStreamEnd)
    }

    private enum State: Hashable {
        case handshaking
        case waiting
        case open
        case ended
    }

    private let side: Side
    private let channel = EmbeddedChannel()
    private let inbox = Inbox()
    private let verdict: Verdict
    private var state = State.handshaking

    /// Makes a stream that has not said anything yet; a client's first bytes lie in `takeOutgoing` at once.
    ///
    /// - Parameters:
    ///   - identity: this node's key and certificate.
    ///   - peers: the keys with which to talk; with none the handshake always fails.
    public init(_ side: Side, identity: NodeIdentity, peers: [Fingerprint]) throws(IdentityError) {
        self.side = side
        let verdict = Verdict(peers: peers)
        self.verdict = verdict
        let context = try identity.makeContext()
        do {
            let handler: any ChannelHandler
            switch side {
            case .client:
                handler = try NIOSSLClientHandler(
                    context: context, serverHostname: nil,
                    customVerificationCallback: { $1.succeed(verdict.judge($0)) })
            case .server:
                handler = NIOSSLServerHandler(
                    context: context, customVerificationCallback: { $1.succeed(verdict.judge($0)) })
            }
            try channel.pipeline.syncOperations.addHandlers([handler, inbox])
            // The channel wants an address to be active; no byte of it is used.
            channel.connect(to: try SocketAddress(unixDomainSocketPath: "peer"), promise: nil)
            channel.embeddedEventLoop.run()
        } catch {
            throw .unusable("\(error)")
        }
    }

    deinit {
        // Handler and channel hold each other until the end of the handler's time for an orderly goodbye.
        channel.close(promise: nil)
        channel.embeddedEventLoop.advanceTime(by: .seconds(1))
    }

    /// Whether `seal` may be called.
    public var isOpen: Bool { state == .open }

    /// Takes bytes from the transport, in any pieces.
    public func receive(_ sealed: [UInt8]) -> [Event] {
        // No bytes would mean the end to the library.
        guard state != .ended, !sealed.isEmpty else { return [] }
        // What is wrong with the bytes arrives in the inbox as well.
        _ = try? channel.writeInbound(ByteBuffer(bytes: sealed))
        channel.embeddedEventLoop.run()
        return digest()
    }

    /// Seals bytes; what comes of it lies in `takeOutgoing`.
    ///
    /// Nothing may be sealed before the stream is open. Nothing is kept back: to seal is to send.
    public func seal(_ bytes: [UInt8]) {
        precondition(state == .open || state == .ended)
        guard state == .open else { return }
        _ = try? channel.writeOutbound(ByteBuffer(bytes: bytes))
    }

    /// The bytes that the transport must carry next; empty when there are none.
    public func takeOutgoing() -> [UInt8] {
        var bytes: [UInt8] = []
        while let buffer = try? channel.readOutbound(as: ByteBuffer.self) { bytes += buffer.readableBytesView }
        return bytes
    }

    private func digest() -> [Event] {
        var events: [Event] = []
        if state == .handshaking, inbox.isHandshakeComplete {
            state = .waiting
            if side == .server { open(&events) }
        }
        let bytes = inbox.takeBytes()
        if !bytes.isEmpty {
            if state == .waiting { open(&events) }
            if state == .open { events.append(.received(bytes)) }
        }
        if state != .ended, let end = ending { finish(end, &events) }
        return events
    }

    private func open(_ events: inout [Event]) {
        // Without a verdict nobody was looked at, whatever the library thinks.
        guard let peer = verdict.accepted else { return finish(.noCertificate, &events) }
        state = .open
        events.append(.opened(peer: peer))
    }

    private func finish(_ end: SecureStreamEnd, _ events: inout [Event]) {
        state = .ended
        events.append(.ended(end))
    }

    /// Why it is over; nil while it is not.
    private var ending: SecureStreamEnd? {
        guard let error = inbox.error else { return inbox.isClosed ? .closed : nil }
        if let stranger = verdict.refused { return .unknownPeer(stranger) }
        return SecureStreamEnd(error)
    }
}

/// What the handler of TLS says, kept until it is asked for.
private final class Inbox: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private(set) var isHandshakeComplete = false
    private(set) var isClosed = false
    private(set) var error: (any Error)?
    private var bytes: [UInt8] = []

    func takeBytes() -> [UInt8] {
        defer { bytes = [] }
        return bytes
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        bytes += unwrapInboundIn(data).readableBytesView
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch event as? TLSUserEvent {
        case .handshakeCompleted: isHandshakeComplete = true
        case .shutdownCompleted: isClosed = true
        case nil: break
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // The first one is the cause, later ones follow from it.
        self.error = self.error ?? error
    }
}

/// Looks at the certificate that the peer shows: at its key and at nothing else.
private final class Verdict {
    private let peers: [Fingerprint]
    private(set) var accepted: Fingerprint?
    private(set) var refused: Fingerprint?

    init(peers: [Fingerprint]) { self.peers = peers }

    func judge(_ chain: [NIOSSLCertificate]) -> NIOSSLVerificationResult {
        guard let fingerprint = chain.first.flatMap(NodeIdentity.fingerprint) else { return .failed }
        guard fingerprint.isAmong(peers) else {
            refused = fingerprint
            return .failed
        }
        accepted = fingerprint
        return .certificateVerified
    }
}
