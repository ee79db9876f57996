// SPDX-License-Identifier: Apache-2.0

import Primitives
import Testing

@testable import SecureChannel

@Suite("TLS between keys that know each other")
struct SecureStreamTests {
    @Test("two nodes that know each other open, the client after the server's first record, and talk both ways")
    func good() throws {
        let pair = try Pair()
        pair.exchange()
        #expect(pair.server.events == [.opened(peer: pair.clientIdentity.fingerprint)])
        // The client's handshake is over, but it has no proof that the server accepts it.
        #expect(pair.client.events.isEmpty && !pair.client.stream.isOpen)
        pair.server.stream.seal([1, 2, 3])
        pair.exchange()
        #expect(pair.client.events == [.opened(peer: pair.serverIdentity.fingerprint), .received([1, 2, 3])])
        let long = (0..<100_000).map { UInt8(truncatingIfNeeded: $0) }
        pair.client.stream.seal(long)
        pair.server.stream.seal([4])
        pair.exchange()
        #expect(pair.server.received == long)
        #expect(pair.client.received == [1, 2, 3, 4])
    }

    @Test("nothing that is sealed can be read on the wire, and sealing keeps nothing back")
    func sealed() throws {
        let pair = try Pair.open()
        let secret = [UInt8]("this is the key of an SA".utf8)
        for _ in 0..<10 {
            pair.server.stream.seal(secret)
            let wire = pair.server.stream.takeOutgoing()
            #expect(wire.count > secret.count && wire.count < secret.count + 64)
            #expect(wire.firstRange(of: secret) == nil)
            pair.client.take(wire)
        }
        #expect(pair.client.received.count == 1 + 10 * secret.count)
        #expect(pair.server.stream.takeOutgoing().isEmpty)
    }

    @Test("a server refuses a key that it does not know before it says anything but TLS")
    func strangerAsClient() throws {
        let stranger = try makeIdentity()
        let pair = try Pair(client: stranger, serverKnows: [try makeIdentity().fingerprint])
        pair.exchange()
        #expect(pair.server.events == [.ended(.unknownPeer(stranger.fingerprint))])
        #expect(!pair.server.stream.isOpen && !pair.client.stream.isOpen)
        #expect(pair.client.events == [.ended(.refusedByPeer)])
    }

    @Test("a client refuses a server that it does not know and tells it so")
    func strangerAsServer() throws {
        let stranger = try makeIdentity()
        let pair = try Pair(server: stranger, clientKnows: [try makeIdentity().fingerprint])
        pair.exchange()
        #expect(pair.client.events == [.ended(.unknownPeer(stranger.fingerprint))])
        #expect(pair.server.events == [.ended(.refusedByPeer)])
    }

    @Test("with no known key nobody is let in")
    func noPeers() throws {
        let pair = try Pair(clientKnows: [])
        pair.exchange()
        #expect(pair.client.events.first == .ended(.unknownPeer(pair.serverIdentity.fingerprint)))
    }

    @Test("of several known keys each is accepted: rotation without a pause")
    func rotation() throws {
        let old = try makeIdentity()
        let new = try makeIdentity()
        for client in [old, new] {
            let pair = try Pair.open(client: client, serverKnows: [old.fingerprint, new.fingerprint])
            #expect(pair.server.events.first == .opened(peer: client.fingerprint))
        }
    }

    @Test("a client without a certificate is refused")
    func withoutCertificate() throws {
        let server = try makeIdentity()
        let stream = try SecureStream(.server, identity: server, peers: [server.fingerprint])
        let end = End(stream)
        let client = try BareClient()
        client.exchange(with: end)
        #expect(end.events == [.ended(.noCertificate)])
    }

    @Test("TLS 1.2 is refused")
    func oldVersion() throws {
        let server = try makeIdentity()
        let end = End(try SecureStream(.server, identity: server, peers: [server.fingerprint]))
        let client = try BareClient(isOld: true)
        client.exchange(with: end)
        #expect(end.events == [.ended(.malformed("UNSUPPORTED_PROTOCOL"))])
    }

    @Test("bytes that are no TLS end the session", arguments: [SecureStream.Side.client, .server])
    func garbage(side: SecureStream.Side) throws {
        let identity = try makeIdentity()
        var generator = SystemRandomNumberGenerator()
        for length in [1, 5, 6, 100, 5000, 65_536] {
            let end = End(try SecureStream(side, identity: identity, peers: [identity.fingerprint]))
            // A hello of ours without TLS: a length, a type.
            end.take([0, 0, 0, 200, 1] + (0..<length).map { _ in UInt8.random(in: 0...255, using: &generator) })
            guard case .ended(.malformed) = end.events.first else {
                Issue.record("\(length): \(end.events)")
                continue
            }
            #expect(!end.stream.isOpen)
            end.take([22, 3, 1])
            #expect(end.events.count == 1)
        }
    }

    @Test("a handshake cut anywhere waits or fails, in any pieces, and never opens")
    func truncated() throws {
        let serverIdentity = try makeIdentity()
        let flight = try SecureStream(.client, identity: serverIdentity, peers: []).takeOutgoing()
        for length in stride(from: 0, to: flight.count, by: 7) {
            let end = End(
                try SecureStream(.server, identity: serverIdentity, peers: [serverIdentity.fingerprint]))
            end.take(Array(flight[..<length]))
            #expect(end.events.isEmpty && !end.stream.isOpen, "\(length) of \(flight.count): \(end.events)")
        }
        let pair = try Pair.open(pieceByteCount: 1)
        pair.client.stream.seal([7])
        pair.exchange()
        #expect(pair.server.received == [7])
    }

    @Test("a flipped bit or two swapped records end an open session, and nothing false is read")
    func tampered() throws {
        for position in [0, 3, 5, 20, 29] {
            let pair = try Pair.open()
            pair.server.stream.seal([9, 9, 9, 9, 9, 9, 9, 9])
            var wire = pair.server.stream.takeOutgoing()
            wire[position] ^= 1
            pair.client.take(wire)
            // A longer length waits for bytes that another record brings.
            pair.server.stream.seal([UInt8](repeating: 1, count: 500))
            pair.client.take(pair.server.stream.takeOutgoing())
            guard case .ended(.malformed)? = pair.client.events.last else {
                Issue.record("\(position): \(pair.client.events)")
                continue
            }
            #expect(pair.client.received == [0])
        }
        let pair = try Pair.open()
        pair.server.stream.seal([1])
        let first = pair.server.stream.takeOutgoing()
        pair.server.stream.seal([2])
        pair.client.take(pair.server.stream.takeOutgoing() + first)
        #expect(pair.client.received == [0])
        guard case .ended(.malformed)? = pair.client.events.last else {
            Issue.record("\(pair.client.events)")
            return
        }
    }

    @Test("a record sent twice ends the session")
    func replayed() throws {
        let pair = try Pair.open()
        pair.server.stream.seal([1])
        let wire = pair.server.stream.takeOutgoing()
        pair.client.take(wire + wire)
        #expect(pair.client.received == [0, 1])
        guard case .ended(.malformed)? = pair.client.events.last else {
            Issue.record("\(pair.client.events)")
            return
        }
    }

    @Test("a handshake takes a few milliseconds; a stream lets go of what it held")
    func released() throws {
        weak var stream: SecureStream?
        do {
            let pair = try Pair.open()
            stream = pair.client.stream
            #expect(stream != nil)
        }
        #expect(stream == nil)
    }
}
