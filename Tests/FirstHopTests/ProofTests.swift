// SPDX-License-Identifier: Apache-2.0

import ByteCodec
import FirstHop
import Primitives
import Testing

/// Proofs of genuineness between the nodes of a pair; the code itself is made by a stand-in, as the machine never sees a key.
@Suite("Proofs of hellos") struct ProofTests {
    private static func code(_ bytes: [UInt8]) -> [UInt8] {
        (0..<16).map { position in bytes.indices.reduce(UInt8(position)) { $0 &* 31 &+ bytes[$1] } }
    }

    private static func router(_ mode: ProofMode?, redundancy: RedundancyStatus = RedundancyStatus(isStateful: false))
        -> Router
    {
        var router = Router(redundancy: redundancy) {
            $0.version = .two
            $0.identifier = MACAddress(0x0200_0000_0003)
            $0.proofMode = mode
        }
        _ = router.at(0, .interfaceChanged(isUp: true))
        return router
    }

    private static func hello(
        life: UInt64 = 7, term: UInt64 = 0, count: UInt64, state: HSRPState = .active, isGenuine: Bool = true
    ) -> HSRPMessage {
        var message = Router.message(.hello, state, priority: 120, version: .two)
        message.proof = HSRPProof(life: life, term: term, count: count)
        message.proof?.isGenuine = isGenuine
        return message
    }

    @Test("a proof stands behind what other routers know, covers all of the message, and comes back whole")
    func codec() throws {
        var message = Self.hello(life: .max, term: 3, count: 5)
        message.prove(from: Router.peer, Self.code)
        let bytes = message.bytes
        #expect(bytes.count == 42 + 10 + 46)
        // What stands in front is what a router without proofs sends.
        var plain = message
        plain.proof = nil
        #expect(Array(bytes.prefix(52)) == plain.bytes)
        #expect(Array(bytes[52..<58]) == [213, 44, 1, 0, 0, 0])
        guard case .message(let read) = try HSRPDatagram(parsing: bytes[...], version: .two) else {
            Issue.record("no message")
            return
        }
        let proof = try #require(read.proof)
        #expect(proof.life == .max && proof.term == 3 && proof.count == 5 && !proof.isGenuine)
        #expect(proof.code == Self.code(proof.input(from: Router.peer)))
        #expect(proof.code != Self.code(proof.input(from: Router.stranger)))
        #expect(read.priority == 120 && read.virtualAddress == Router.virtual)
    }

    @Test("any single bit that is changed changes what the code is made of, or is refused")
    func everyBit() throws {
        var message = Self.hello(count: 5)
        message.prove(from: Router.peer, Self.code)
        let bytes = message.bytes
        let genuine = try #require(message.proof?.input(from: Router.peer))
        for bit in 0..<(bytes.count * 8) {
            var changed = bytes
            changed[bit / 8] ^= 1 << UInt8(bit % 8)
            guard case .message(let read)? = try? HSRPDatagram(parsing: changed[...], version: .two),
                let proof = read.proof
            else { continue }
            #expect(proof.input(from: Router.peer) != genuine || proof.code != message.proof?.code, "bit \(bit)")
        }
    }

    @Test("a proof that is cut, too long, of another edition, or said twice is no message")
    func malformed() {
        var message = Self.hello(count: 5)
        message.prove(from: Router.peer, Self.code)
        let bytes = message.bytes
        for count in 53..<bytes.count {
            #expect(throws: DecodeError.self) { try HSRPDatagram(parsing: bytes[..<count], version: .two) }
        }
        var other = bytes
        other[54] = 2
        #expect(throws: DecodeError.self) { try HSRPDatagram(parsing: other[...], version: .two) }
        var long = bytes + [0]
        long[53] = 45
        #expect(throws: DecodeError.self) { try HSRPDatagram(parsing: long[...], version: .two) }
        #expect(throws: DecodeError.self) { try HSRPDatagram(parsing: (bytes + bytes[52...])[...], version: .two) }
    }

    @Test("who believes what in which mode", arguments: [nil] + ProofMode.allCases.map(Optional.some))
    func modes(mode: ProofMode?) {
        func verdict(_ message: HSRPMessage) -> String? {
            var router = Self.router(mode)
            return router.at(100, .messageReceived(message, from: Router.peer)).counted.first
        }
        let bare = Router.message(.hello, .active, priority: 120, version: .two)
        #expect(verdict(bare) == (mode == .enforce ? "hello.badProof" : "hello.received"))
        #expect(verdict(Self.hello(count: 1)) == "hello.received")
        #expect(verdict(Self.hello(count: 1, isGenuine: false)) == (mode == nil ? "hello.received" : "hello.badProof"))
        var router = Self.router(mode)
        let sent = router.run(until: 30_000).compactMap { entry in
            if case .send(let message, _) = entry.action { message.proof } else { nil }
        }
        #expect(sent.isEmpty == !(mode?.sends ?? false))
        #expect(Set(sent.map(\.life)).count <= 1)
        #expect(sent.map(\.count) == sent.indices.map { UInt64($0 + 1) })
    }

    @Test("a message counts once; what is older than the last one does not count")
    func replay() {
        var router = Self.router(.enforce)
        func verdict(_ message: HSRPMessage, from source: IPAddress = Router.peer) -> String? {
            router.at(100, .messageReceived(message, from: source)).counted.first
        }
        #expect(verdict(Self.hello(count: 5)) == "hello.received")
        #expect(verdict(Self.hello(count: 5)) == "hello.replayed")
        #expect(verdict(Self.hello(count: 4)) == "hello.replayed")
        #expect(verdict(Self.hello(count: 7)) == "hello.received")
        // Another sender has a count of its own; a wrong code moves nobody's.
        #expect(verdict(Self.hello(count: 1), from: Router.stranger) == "hello.received")
        #expect(verdict(Self.hello(count: .max, isGenuine: false)) == "hello.badProof")
        #expect(verdict(Self.hello(count: 8)) == "hello.received")
        // A new life, and the old one again.
        #expect(verdict(Self.hello(life: 8, count: 1)) == "hello.received")
        #expect(verdict(Self.hello(life: 7, count: 900)) == "hello.replayed")
        #expect(verdict(Self.hello(life: 8, count: 2)) == "hello.received")
    }

    @Test("an Active of an unknown life and an older term is a recording while the association would tell")
    func oldTerm() {
        var redundancy = RedundancyStatus(isStateful: true)
        redundancy.isAssociationUp = true
        var router = Self.router(.enforce, redundancy: redundancy)
        _ = router.at(10, .roleMessageReceived(.answer(nonce: RoleMessage.proclamation, isActive: true), term: 9))
        #expect(
            router.at(100, .messageReceived(Self.hello(term: 8, count: 1), from: Router.peer)).counted.first
                == "hello.replayed")
        #expect(
            router.at(110, .messageReceived(Self.hello(term: 9, count: 1), from: Router.peer)).counted.first
                == "hello.received")
        var alone = Self.router(.enforce)
        #expect(
            alone.at(100, .messageReceived(Self.hello(term: 1, count: 1), from: Router.peer)).counted.first
                == "hello.received")
    }

    @Test("the memory of senders and lives is bounded, and the ones heard last stay")
    func bounds() {
        var router = Self.router(.enforce)
        func verdict(_ message: HSRPMessage, from source: IPAddress) -> String? {
            router.at(100, .messageReceived(message, from: source)).counted.first
        }
        for host in UInt8(20)..<40 {
            #expect(verdict(Self.hello(count: 5, state: .speak), from: IPAddress(10, 1, 0, host)) == "hello.received")
        }
        #expect(verdict(Self.hello(count: 5, state: .speak), from: IPAddress(10, 1, 0, 39)) == "hello.replayed")
        for life in UInt64(100)..<140 {
            #expect(verdict(Self.hello(life: life, count: 1), from: Router.peer) == "hello.received")
        }
        for life in UInt64(124)..<140 {
            #expect(verdict(Self.hello(life: life, count: 1), from: Router.peer) == "hello.replayed")
        }
    }

    @Test("a refused message is warned of once a minute")
    func warnings() {
        var router = Self.router(.enforce)
        let bare = Router.message(.hello, .active, priority: 120, version: .two)
        #expect(
            router.at(100, .messageReceived(bare, from: Router.peer)).warnings
                == ["HSRP-4-BADAUTH: No proof from 10.1.0.4, group 10, remote state Active"])
        #expect(router.at(200, .messageReceived(bare, from: Router.peer)).warnings.isEmpty)
        _ = router.at(300, .messageReceived(Self.hello(count: 1), from: Router.peer))
        #expect(
            router.at(400, .messageReceived(Self.hello(count: 1), from: Router.peer)).warnings
                == ["HSRP-4-REPLAY: an old message came again in the name of 10.1.0.4, group 10, remote state Active"])
    }
}
