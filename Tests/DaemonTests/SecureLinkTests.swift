// SPDX-License-Identifier: Apache-2.0

import Primitives
import SecureChannel
import Testing

@testable import Daemon

/// One link, its clock, and what it wanted.
private final class Bench {
    var link: SecureLink
    var now = Instant(nanoseconds: 1_000_000_000)
    private(set) var actions: [SecureLink.Action] = []
    private(set) var wire: [UInt8] = []

    init(_ mode: SecureLink.Mode, isClient: Bool, identity: NodeIdentity?) {
        let low = IPv4Address(10, 1, 0, 3)
        let high = IPv4Address(10, 1, 0, 4)
        link = SecureLink(mode, local: isClient ? low : high, remote: isClient ? high : low)
        link.identity = identity
    }

    func step(_ event: SecureLink.Event) {
        link.handle(event, at: now, actions: &actions)
        wire += link.takeOutgoing()
    }

    func wait(_ interval: Interval) {
        now = now + interval
        step(.deadlinePassed)
    }

    func send(_ bytes: [UInt8]) { wire += link.seal(bytes) }

    func takeWire() -> [UInt8] {
        defer { wire = [] }
        return wire
    }

    func takeActions() -> [SecureLink.Action] {
        defer { actions = [] }
        return actions
    }

    var counts: [String] {
        actions.compactMap { action in
            if case .count(let name) = action { name } else { nil }
        }
    }

    var logs: [String] {
        actions.compactMap { action in
            if case .log(let line) = action { line } else { nil }
        }
    }

    var received: [UInt8] {
        actions.flatMap { action -> [UInt8] in
            if case .deliver(let bytes) = action { bytes } else { [] }
        }
    }

    var isAborted: Bool {
        actions.contains { action in
            if case .abort = action { true } else { false }
        }
    }
}

/// A client and a server.
private final class Couple {
    let client: Bench
    let server: Bench
    let keys: [NodeIdentity]

    init(clientKnows: [Fingerprint]? = nil, serverKnows: [Fingerprint]? = nil) throws {
        keys = try (0..<2).map { _ in try NodeIdentity(pem: CryptoLibrary.makeIdentity().pem) }
        client = Bench(.pinned(clientKnows ?? [keys[1].fingerprint]), isClient: true, identity: keys[0])
        server = Bench(.pinned(serverKnows ?? [keys[0].fingerprint]), isClient: false, identity: keys[1])
    }

    func connect() {
        client.step(.associationCameUp)
        server.step(.associationCameUp)
        exchange()
    }

    func disconnect() {
        client.step(.associationWentDown)
        server.step(.associationWentDown)
        _ = client.takeWire()
        _ = server.takeWire()
    }

    func exchange() {
        while !client.wire.isEmpty || !server.wire.isEmpty {
            let toServer = client.takeWire()
            if !toServer.isEmpty { server.step(.bytesReceived(toServer)) }
            let toClient = server.takeWire()
            if !toClient.isEmpty { client.step(.bytesReceived(toClient)) }
        }
    }
}

@Suite("Securing the association")
struct SecureLinkTests {
    @Test("plain: frames pass at once, as they are")
    func plain() {
        let bench = Bench(.plain, isClient: true, identity: nil)
        #expect(bench.link.isReady && !bench.link.isOpen)
        bench.step(.associationCameUp)
        #expect(bench.takeActions() == [.noteOpened])
        #expect(bench.link.isOpen && !bench.link.isSecured && bench.link.nextDeadline == nil)
        bench.send([1, 2])
        #expect(bench.takeWire() == [1, 2])
        bench.step(.bytesReceived([3]))
        #expect(bench.takeActions() == [.deliver([3])])
        bench.step(.associationWentDown)
        #expect(!bench.link.isOpen)
    }

    @Test("plain: a peer that starts TLS is pointed out")
    func plainAgainstTLS() {
        let bench = Bench(.plain, isClient: true, identity: nil)
        bench.step(.associationCameUp)
        bench.step(.bytesReceived([22, 3, 1, 2, 0]))
        #expect(bench.logs.count == 1 && bench.logs[0].contains("security none"))
    }

    @Test("the server says the first word of our own, the client answers; each knows the other")
    func opened() throws {
        let couple = try Couple()
        couple.connect()
        #expect(couple.server.link.isSecured && couple.server.link.peer == couple.keys[0].fingerprint)
        #expect(!couple.client.link.isOpen)
        couple.client.send([9])
        #expect(couple.client.takeWire().isEmpty, "nothing leaves before the link is open")
        couple.server.send([1])
        couple.exchange()
        #expect(couple.client.link.isSecured && couple.client.link.peer == couple.keys[1].fingerprint)
        #expect(couple.client.received == [1])
        couple.client.send([2])
        couple.exchange()
        #expect(couple.server.received == [2])
        #expect(couple.server.counts == ["tls.handshakes", "tls.established"])
        #expect(couple.client.counts == ["tls.handshakes", "tls.established"])
        #expect(couple.client.link.nextDeadline == nil)
    }

    @Test("without a key no association is wanted, and one that comes all the same is refused")
    func noIdentity() {
        let bench = Bench(.pinned([]), isClient: true, identity: nil)
        #expect(!bench.link.isReady)
        bench.step(.associationCameUp)
        #expect(bench.counts == ["tls.noIdentity"] && !bench.link.isOpen)
    }

    @Test("an unknown key is refused, counted and named, the alert leaves first, then the association ends")
    func unknownPeer() throws {
        let couple = try Couple(serverKnows: [])
        couple.connect()
        let stranger = couple.keys[0].fingerprint
        #expect(couple.server.counts == ["tls.handshakes", "tls.unknownPeer"])
        #expect(couple.server.logs.count == 1 && couple.server.logs[0].contains("\(stranger)"))
        let faults = couple.server.actions.filter { if case .noteFault = $0 { true } else { false } }
        #expect(faults.count == 1 && "\(faults)".contains("\(stranger)"))
        #expect(couple.client.logs.count == 1)
        #expect(couple.client.logs[0].contains("`security peer \(stranger)`"), "what the peer's operator has to write")
        #expect(!couple.server.isAborted)
        couple.server.wait(.milliseconds(199))
        #expect(!couple.server.isAborted)
        couple.server.wait(.milliseconds(1))
        #expect(couple.server.isAborted && couple.server.link.nextDeadline == nil)
        couple.server.step(.bytesReceived([1]))
        #expect(couple.server.received.isEmpty)
    }

    @Test("the same refusal again and again is one line; another one is logged ten seconds later")
    func rateLimited() throws {
        let couple = try Couple(serverKnows: [])
        for _ in 0..<20 {
            couple.connect()
            couple.disconnect()
            couple.server.wait(.seconds(1))
        }
        #expect(couple.server.logs.count == 1)
        #expect(couple.server.counts.filter { $0 == "tls.unknownPeer" }.count == 20)
        for number in 0..<25 {
            couple.server.step(.associationCameUp)
            couple.server.step(.bytesReceived([UInt8(number), 3, 1]))
            couple.server.step(.bytesReceived([UInt8](repeating: 200, count: 50)))
            couple.server.step(.associationWentDown)
            couple.client.link.identity = try NodeIdentity(pem: CryptoLibrary.makeIdentity().pem)
            couple.connect()
            couple.disconnect()
            couple.server.wait(.seconds(1))
        }
        #expect((2...5).contains(couple.server.logs.count), "\(couple.server.logs)")
    }

    @Test("a handshake that does not end is given up after three seconds", arguments: [true, false])
    func timeout(isClient: Bool) throws {
        let couple = try Couple()
        let bench = isClient ? couple.client : couple.server
        bench.step(.associationCameUp)
        #expect(bench.link.nextDeadline == bench.now + .seconds(3))
        bench.wait(.milliseconds(2999))
        #expect(!bench.link.isRefused)
        bench.wait(.milliseconds(1))
        #expect(bench.link.isRefused && bench.counts == ["tls.handshakes", "tls.timeout"])
        #expect(bench.logs[0].contains("`remote-ip`"))
        bench.wait(.milliseconds(200))
        #expect(bench.isAborted)
    }

    @Test("a client whose server says nothing of its own is given up, too")
    func silentServer() throws {
        let couple = try Couple()
        couple.connect()
        #expect(!couple.client.link.isOpen)
        couple.client.wait(.seconds(3))
        #expect(couple.client.counts == ["tls.handshakes", "tls.timeout"])
        #expect(!couple.client.logs[0].contains("remote-ip"))
    }

    @Test("a peer without TLS is malformed, and the hint names the statement")
    func plainPeer() throws {
        let couple = try Couple()
        couple.server.step(.associationCameUp)
        couple.server.step(.bytesReceived([0, 0, 0, 40, 1, 0, 1, 0, 2, 0, 1]))
        #expect(couple.server.counts == ["tls.handshakes", "tls.malformed"])
        #expect(couple.server.logs[0].contains("security none"))
    }

    @Test("the association's end ends the session; the next one starts from nothing")
    func restarted() throws {
        let couple = try Couple()
        couple.connect()
        couple.server.send([1])
        couple.exchange()
        #expect(couple.client.link.isSecured)
        couple.disconnect()
        #expect(!couple.client.link.isOpen && couple.client.link.peer == nil)
        couple.server.send([7])
        #expect(couple.server.takeWire().isEmpty)
        couple.connect()
        couple.server.send([2])
        couple.exchange()
        #expect(couple.client.received == [1, 2])
    }

    @Test("new keys may be added without harm; taking the present one away ends the session")
    func rotation() throws {
        let couple = try Couple()
        couple.connect()
        couple.server.send([1])
        couple.exchange()
        let next = try NodeIdentity(pem: CryptoLibrary.makeIdentity().pem)
        couple.server.step(.peersChanged([couple.keys[0].fingerprint, next.fingerprint]))
        #expect(couple.server.link.isSecured)
        // The new key counts from the next association on.
        couple.client.link.identity = next
        #expect(couple.client.link.isSecured)
        couple.disconnect()
        couple.connect()
        #expect(couple.server.link.peer == next.fingerprint)
        couple.server.step(.peersChanged([next.fingerprint]))
        #expect(couple.server.link.isSecured)
        _ = couple.server.takeActions()
        couple.server.step(.peersChanged([couple.keys[0].fingerprint]))
        #expect(couple.server.link.isRefused && couple.server.counts == ["tls.peerRemoved"])
        couple.server.wait(.milliseconds(200))
        #expect(couple.server.isAborted)
    }

    @Test("keys that change during a handshake end it, for it looked at the old ones")
    func changedDuringHandshake() throws {
        let couple = try Couple()
        couple.server.step(.associationCameUp)
        couple.server.step(.peersChanged([couple.keys[1].fingerprint]))
        #expect(couple.server.counts == ["tls.handshakes", "tls.peersChanged"] && couple.server.link.isRefused)
    }
}
