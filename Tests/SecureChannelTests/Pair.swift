// SPDX-License-Identifier: Apache-2.0

import NIOCore
import NIOEmbedded
import NIOSSL
import Primitives

@testable import SecureChannel

/// A fresh identity.
func makeIdentity() throws -> NodeIdentity { try NodeIdentity(pem: CryptoLibrary.makeIdentity().pem) }

/// One end and what it heard.
final class End {
    let stream: SecureStream
    private(set) var events: [SecureStream.Event] = []

    init(_ stream: SecureStream) { self.stream = stream }

    /// All bytes that came out of the stream.
    var received: [UInt8] {
        events.flatMap { event -> [UInt8] in
            if case .received(let bytes) = event { bytes } else { [] }
        }
    }

    func take(_ bytes: [UInt8]) { events += stream.receive(bytes) }

    func forget() { events = [] }
}

/// A client and a server whose bytes go to each other.
final class Pair {
    let clientIdentity: NodeIdentity
    let serverIdentity: NodeIdentity
    let client: End
    let server: End
    private let pieceByteCount: Int

    init(
        client: NodeIdentity? = nil, server: NodeIdentity? = nil, clientKnows: [Fingerprint]? = nil,
        serverKnows: [Fingerprint]? = nil, pieceByteCount: Int = .max
    ) throws {
        clientIdentity = try client ?? makeIdentity()
        serverIdentity = try server ?? makeIdentity()
        self.client = End(
            try SecureStream(
                .client, identity: clientIdentity, peers: clientKnows ?? [serverIdentity.fingerprint]))
        self.server = End(
            try SecureStream(
                .server, identity: serverIdentity, peers: serverKnows ?? [clientIdentity.fingerprint]))
        self.pieceByteCount = pieceByteCount
    }

    /// A pair that is open; the client has received one byte, a zero.
    static func open(
        client: NodeIdentity? = nil, server: NodeIdentity? = nil, serverKnows: [Fingerprint]? = nil,
        pieceByteCount: Int = .max
    ) throws -> Pair {
        let pair = try Pair(
            client: client, server: server, serverKnows: serverKnows, pieceByteCount: pieceByteCount)
        pair.exchange()
        pair.server.stream.seal([0])
        pair.exchange()
        return pair
    }

    /// Carries bytes until neither end has any.
    func exchange() {
        while carry(client, to: server) || carry(server, to: client) {}
    }

    private func carry(_ from: End, to: End) -> Bool {
        var bytes = from.stream.takeOutgoing()[...]
        guard !bytes.isEmpty else { return false }
        while !bytes.isEmpty {
            to.take(Array(bytes.prefix(pieceByteCount)))
            bytes = bytes.dropFirst(pieceByteCount)
        }
        return true
    }
}

/// A TLS client that is not ours.
final class BareClient {
    private let channel = EmbeddedChannel()

    init(isOld: Bool = false) throws {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.certificateVerification = .none
        configuration.trustRoots = .certificates([])
        configuration.maximumTLSVersion = isOld ? .tlsv12 : .tlsv13
        let handler = try NIOSSLClientHandler(
            context: NIOSSLContext(configuration: configuration), serverHostname: nil)
        try channel.pipeline.syncOperations.addHandler(handler)
        channel.connect(to: try SocketAddress(unixDomainSocketPath: "peer"), promise: nil)
    }

    func exchange(with end: End) {
        for _ in 0..<10 {
            while let buffer = try? channel.readOutbound(as: ByteBuffer.self) {
                end.take([UInt8](buffer.readableBytesView))
            }
            _ = try? channel.writeInbound(ByteBuffer(bytes: end.stream.takeOutgoing()))
        }
    }
}
