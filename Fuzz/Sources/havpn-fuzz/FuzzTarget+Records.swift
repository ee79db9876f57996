// SPDX-License-Identifier: Apache-2.0

import ByteCodec
import FirstHop
import Primitives
import Replication
import SecurityAssociations
import StrongSwan

@testable import ProcessFrames

extension FuzzTarget {
    /// The key that a group believes, and one of the same length that it does not.
    static let key = HSRPKey(SecretBytes(Array("SECRET".utf8)))
    static let foreignKey = HSRPKey(SecretBytes(Array("FOREIG".utf8)))

    /// A message with a digest that is true: it is believed, and so is its stand-in, which a recording holds.
    ///
    /// The first byte says by whose key; a digest by another one is believed neither way.
    func hearSigned(_ bytes: [UInt8]) {
        guard let first = bytes.first, let key = Self.key, let foreign = Self.foreignKey else { return }
        let payload = bytes.dropFirst()
        let version: HSRPVersion = payload.first == 0 ? .one : .two
        guard case .message(var message)? = try? HSRPDatagram(parsing: payload, version: version) else { return }
        let source = IPAddress(10, 1, 0, 9)
        // A proof covers the digest that is made here.
        message.proof = nil
        message.sign(with: first & 1 == 0 ? key : foreign, from: first & 2 == 0 ? source : IPAddress(10, 1, 0, 8))
        // What is signed is what comes out of the wire again.
        guard case .message(let again)? = try? HSRPDatagram(parsing: message.bytes[...], version: version) else {
            preconditionFailure("a signed message does not survive its own encoding")
        }
        precondition(again == message, "a signed message is another one behind the wire")
        var settings = GroupSettings(
            version: version, group: message.group,
            interfacePrefix: IPPrefix(address: IPAddress(10, 1, 0, 3), length: 24),
            virtualAddress: IPAddress(10, 1, 0, 100))
        settings.authentication = .keys(sending: key, accepting: [key])
        var machine = GroupMachine(
            settings: settings, priority: 100, redundancy: RedundancyStatus(isStateful: false), seed: 1)
        var recorded = GroupMachine(
            settings: StandIns.replace(in: settings), priority: 100, redundancy: RedundancyStatus(isStateful: false),
            seed: 1)
        let events: [GroupEvent] = [.interfaceChanged(isUp: true), .messageReceived(again, from: source)]
        for (second, event) in events.enumerated() {
            let now = Instant(nanoseconds: 0) + .seconds(second)
            let standIns = StandIns(of: machine, hearing: event, at: now)
            var (actions, replayed): ([GroupAction], [GroupAction]) = ([], [])
            machine.handle(event, at: now, actions: &actions)
            recorded.handle(standIns.replace(in: event), at: now, actions: &replayed)
            precondition(actions.map(standIns.replace) == replayed, "a stand-in is believed otherwise than its key")
            precondition(
                second == 0 || first & 3 == 0 || actions.contains(.count("hello.badAuthentication"))
                    || actions.contains { if case .count = $0 { true } else { false } }, "a false digest is believed")
        }
    }

    /// The peer's hello decodes to what encodes to the same hello again.
    func greet(_ bytes: [UInt8]) {
        var (reader, skipped) = (ByteReader(bytes), 0)
        guard let hello = try? SessionHello(parsing: &reader, skipped: &skipped) else { return }
        // Names cut to their limit, and items that fill a frame, are the sender's business.
        guard hello.protocolVersion == ReplicationLimits.protocolVersion, bytes.count < 8192 else { return }
        var writer = ByteWriter()
        hello.encode(into: &writer)
        var again = ByteReader(writer.bytes)
        precondition((try? SessionHello(parsing: &again, skipped: &skipped)) == hello, "a hello changes on the wire")
    }

    /// Words about the role, one behind the other, and the pair's status.
    func readRole(_ bytes: [UInt8]) {
        var reader = ByteReader(bytes)
        while !reader.isAtEnd, let message = try? RoleMessage(parsing: &reader) {
            var writer = ByteWriter()
            message.encode(into: &writer)
            var again = ByteReader(writer.bytes)
            precondition((try? RoleMessage(parsing: &again)) == message, "a word changes on the wire")
        }
        guard let status = try? RedundancyStatus(parsing: &reader) else { return }
        var writer = ByteWriter()
        status.encode(into: &writer)
        var again = ByteReader(writer.bytes)
        precondition((try? RedundancyStatus(parsing: &again)) == status, "a status changes between processes")
    }

    /// A record of the Active's kernel decodes to what encodes to the same record, with the same digest.
    func readRecord(_ bytes: [UInt8]) {
        var findings = RecordFindings()
        guard let record = try? KernelRecord(parsing: bytes[...], findings: &findings) else { return }
        let encoded = record.encoded()
        let again = encoded.bytes.withBytes { try? KernelRecord(parsing: $0[...], findings: &findings) }
        precondition(again == record, "a record changes on the wire")
        precondition(again?.digest == encoded.digest, "a record's digest changes on the wire")
    }

    /// An Active that says anything to a standby whose kernel takes everything: the queue ends, and says so.
    ///
    /// Each step is a byte for what happens and, for a record, a 16-bit length and its bytes.
    func replicate(_ bytes: [UInt8]) {
        let margin = SequenceMargin.Settings(
            outboundInterval: 100_000, reportInterval: .seconds(1), hold: .seconds(3), lease: .seconds(1))
        let table = KernelTable(ends: [IPAddress(10, 1, 0, 100)], inboundInterval: 1000)
        var machine = ReplicaMachine(table: table, settings: margin)
        var actions: [ReplicaMachine.Action] = []
        var (reader, sequence) = (ByteReader(bytes), UInt64(0))
        var now = Instant(nanoseconds: 0)
        func hear(_ event: ReplicaMachine.Event) { machine.handle(event, at: now, actions: &actions) }
        hear(.tablesRead)
        while let what = try? reader.read(UInt8.self) {
            sequence += 1
            now = now + .milliseconds(300)
            switch what & 7 {
            case 0: hear(.copyBegan(sequence: sequence))
            case 1: hear(.copyEnded(digest: UInt64(what >> 3), sequence: sequence))
            case 2: hear(.markReceived(digest: machine.table.digest, sequence: sequence))
            case 3: hear(.peerForgotten)
            case 4: write(&machine, code: 12, at: now, &actions)
            case 5: write(&machine, code: 22, at: now, &actions)
            default:
                guard let record = try? reader.readChunk() else { return }
                hear(.recordReceived(SecretBytes(record), sequence: sequence))
            }
            actions.removeAll()
            write(&machine, code: 0, at: now, &actions)
        }
        for _ in 0..<1000 where machine.hasWork(at: now) {
            now = now + .seconds(10)
            write(&machine, code: 0, at: now, &actions)
        }
        precondition(!machine.hasWork(at: now), "a kernel that takes everything never has everything")
    }

    private func write(
        _ machine: inout ReplicaMachine, code: Int32, at now: Instant, _ actions: inout [ReplicaMachine.Action]
    ) {
        guard machine.hasWork(at: now) else { return }
        let first = actions.count
        machine.handle(.batchWanted(limit: 64), at: now, actions: &actions)
        for case .write(let operations) in actions[first...] {
            machine.handle(.written(operations.map { _ in code }), at: now, actions: &actions)
        }
    }

    /// A peer's copy of charon's journal, in any order and of any records.
    ///
    /// Each step is a byte for what happens and, for a record, a 16-bit length and its bytes.
    func keep(_ bytes: [UInt8]) {
        var keeper = JournalKeeper()
        var (reader, wire) = (ByteReader(bytes), UInt64(0))
        while let what = try? reader.read(UInt8.self) {
            wire += 1
            switch what & 7 {
            case 0: keeper.beginCopy()
            case 1: _ = keeper.endCopy(digest: UInt64(what >> 3), wire: wire)
            case 2: precondition(keeper.check(digest: keeper.journal.digest), "a journal differs from itself")
            case 3: keeper.forgetPeer()
            case 4:
                let last = keeper.acknowledge(through: keeper.journal.lastSequence)
                precondition(last.map { $0 <= wire } ?? true, "what never came is acknowledged")
            case 5: keeper.settle()
            default:
                guard let record = try? reader.readChunk() else { return }
                _ = keeper.apply(SecretBytes(record), wire: wire)
            }
        }
        precondition(keeper.undelivered.isEmpty || !keeper.isAcknowledged || keeper.journal.recordCount > 0)
    }

    /// A frame between two of our processes decodes to what encodes to the same frame.
    func readProcessMessage(_ bytes: [UInt8]) {
        guard let message = try? ProcessMessage(parsing: bytes) else { return }
        let again = try? ProcessMessage(parsing: message.encoded())
        // Texts that are no UTF-8, and reasons over their limit, are mended once.
        precondition(again != nil, "a frame does not survive its own encoding")
        precondition((try? ProcessMessage(parsing: again?.encoded() ?? [])) == again, "a frame changes each time")
    }

    /// Texts that name something: what is read prints as itself, or as what reads to the same.
    func readText(_ bytes: [UInt8]) {
        let text = String(decoding: bytes, as: UTF8.self)
        if let address = IPv4Address(text: text) { precondition(address.description == text) }
        if let address = IPv6Address(text: text) { precondition(IPv6Address(text: address.description) == address) }
        if let fingerprint = Fingerprint(text: text) { precondition(fingerprint.description == text) }
    }
}
