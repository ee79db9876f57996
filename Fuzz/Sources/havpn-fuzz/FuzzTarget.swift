// SPDX-License-Identifier: Apache-2.0

import ByteCodec
import Configuration
import Control
import FirstHop
import Netlink
import Primitives
import Replication
import SecurityAssociations
import Tracking

@testable import StrongSwan

/// What can be fuzzed: every decoder of bytes that somebody else chose, and the machines that take what they yield.
///
/// A target fails by trapping, by a broken promise (`precondition`) or by the sanitizer.
enum FuzzTarget: String, CaseIterable {
    case hello
    case signed
    case frames
    case greeting
    case role
    case session
    case records
    case replica
    case keeper
    case process
    case text
    case haPlugin = "ha-plugin"
    case vici
    case netlink
    case echo
    case xfrm
    case control
    case configuration

    /// Feeds one input.
    func run(_ bytes: [UInt8]) {
        switch self {
        case .hello: hear(bytes)
        case .signed: hearSigned(bytes)
        case .frames: assemble(bytes)
        case .greeting: greet(bytes)
        case .role: readRole(bytes)
        case .session: converse(bytes)
        case .records: readRecord(bytes)
        case .replica: replicate(bytes)
        case .keeper: keep(bytes)
        case .process: readProcessMessage(bytes)
        case .text: readText(bytes)
        case .haPlugin: record(bytes)
        case .vici: list(bytes)
        case .netlink: readRouteMessages(bytes)
        case .echo: _ = try? EchoMessage(parsingReply: bytes)
        case .xfrm: readTransformMessages(bytes)
        case .control: readRequests(bytes)
        case .configuration: configure(bytes)
        }
    }

    /// A hello decodes to what encodes to the same message again, and an Active hears it without harm.
    private func hear(_ bytes: [UInt8]) {
        // Version 1 begins with a zero, version 2 with the type of its first piece.
        let version: HSRPVersion = bytes.first == 0 ? .one : .two
        guard case .message(let message)? = try? HSRPDatagram(parsing: bytes[...], version: version) else { return }
        let again = try? HSRPDatagram(parsing: message.bytes[...], version: version)
        // What a digest or a proof covers is the whole payload, of which fields that mean nothing are not kept.
        switch (message.authentication, message.proof) {
        case (.digest, _), (_, .some):
            precondition(again != nil, "a signed hello does not survive its own encoding")
        case (.absent, nil), (.text, nil):
            precondition(again == .message(message), "a hello does not survive its own encoding")
        }
        let isIPv4 = message.virtualAddress.family == .ipv4
        func host(_ number: UInt8) -> IPAddress {
            isIPv4 ? IPAddress(10, 1, 0, number) : IPAddress(high: 0xfe80 << 48, low: UInt64(number))
        }
        var settings = GroupSettings(
            version: version, group: message.group,
            interfacePrefix: IPPrefix(address: host(3), length: isIPv4 ? 24 : 64), virtualAddress: host(100))
        if !isIPv4 { settings.furtherAddresses = [IPAddress(high: 0x2001_0db8 << 32, low: 100)] }
        settings.preempt = true
        settings.learnsTimers = true
        if case .digest = message.authentication, let key = HSRPKey(SecretBytes([1, 2, 3])) {
            settings.authentication = .keys(sending: key, accepting: [key])
        }
        var machine = GroupMachine(
            settings: settings, priority: 100, redundancy: RedundancyStatus(isStateful: false), seed: 1)
        var actions: [GroupAction] = []
        machine.handle(.interfaceChanged(isUp: true), at: Instant(nanoseconds: 0), actions: &actions)
        for second in 1..<60 {
            let now = Instant(nanoseconds: 0) + .seconds(second)
            actions.removeAll()
            machine.handle(.messageReceived(message, from: host(9)), at: now, actions: &actions)
            if let deadline = machine.nextDeadline { precondition(deadline >= now) }
        }
    }

    private func assemble(_ bytes: [UInt8]) {
        var assembler = FrameAssembler()
        // The first byte says in pieces of which size the rest comes.
        let size = Int(bytes.first ?? 0) + 1
        var rest = bytes.dropFirst()
        while !rest.isEmpty {
            assembler.append(Array(rest.prefix(size)))
            rest = rest.dropFirst(size)
            do {
                while let piece = try assembler.next() {
                    guard case .frame(let frame) = piece else { continue }
                    var second = FrameAssembler()
                    second.append(frame.encoded())
                    precondition((try? second.next()) == .frame(frame), "a frame does not survive its own encoding")
                }
            } catch { return }
        }
    }

    /// A peer that says anything at any time: queues stay within their limits.
    private func converse(_ bytes: [UInt8]) {
        let hello = SessionHello(bootID: 1, nodeName: "A", term: 1, scheme: "VPN")
        var session = SessionMachine(local: hello, state: .standbyCold)
        var actions: [SessionMachine.Action] = []
        var now = Instant(nanoseconds: 0)
        session.handle(.associationCameUp, at: now, actions: &actions)
        var assembler = FrameAssembler()
        assembler.append(bytes)
        while let piece = try? assembler.next() {
            guard case .frame(let frame) = piece else { continue }
            now = now + .milliseconds(7)
            actions.removeAll()
            session.handle(.frameReceived(frame), at: now, actions: &actions)
            while session.nextFrame() != nil {}
            if let deadline = session.nextDeadline, deadline <= now {
                session.handle(.deadlinePassed, at: now, actions: &actions)
            }
        }
    }

    /// Datagrams of a charon, each behind a 16-bit length, go into one journal.
    private func record(_ bytes: [UInt8]) {
        var journal = CharonJournal()
        var rest = bytes[...]
        while rest.count > 2 {
            let length = Int(rest[rest.startIndex]) << 8 | Int(rest[rest.startIndex + 1])
            let datagram = rest.dropFirst(2).prefix(length)
            rest = rest.dropFirst(2 + length)
            guard let message = try? HAMessage(decoding: datagram) else { continue }
            _ = journal.append(message)
        }
        let records = journal.snapshot()
        precondition(records.count == journal.recordCount)
        var copy = CharonJournal()
        for record in records { _ = copy.append(record.message, sequence: record.sequence) }
        precondition(copy.digest == journal.digest, "a snapshot does not carry the journal")
    }

    private func list(_ bytes: [UInt8]) {
        var session = ViciSession()
        var actions: [ViciSession.Action] = []
        let now = Instant(nanoseconds: 0)
        session.handle(.requested(.listSAs, number: 1), at: now, actions: &actions)
        session.handle(.received(bytes), at: now, actions: &actions)
    }

    private func readRouteMessages(_ bytes: [UInt8]) {
        guard let messages = try? NetlinkMessage.split(bytes) else { return }
        for message in messages {
            _ = try? LinkInfo(parsing: message)
            _ = try? AddressInfo(parsing: message)
            _ = try? RouteInfo(parsing: message)
            _ = try? RouteMatch(parsing: message)
            _ = try? RuleInfo(parsing: message)
            _ = try? ProcessEvent(parsing: message)
            _ = try? NetlinkAcknowledgement(parsing: message)
        }
    }

    private func readTransformMessages(_ bytes: [UInt8]) {
        guard let messages = try? NetlinkMessage.split(bytes) else { return }
        for message in messages {
            _ = try? XFRMEvent(parsing: message)
            _ = try? KernelSA(parsing: message)
            _ = try? KernelPolicy(parsing: message)
        }
    }

    private func readRequests(_ bytes: [UInt8]) {
        var reader = FrameReader(maximumByteCount: 65_536)
        reader.append(bytes)
        while let text = try? reader.next() { _ = try? decodeJSON(ControlRequest.self, from: text) }
    }

    /// What loads prints as a text that loads to the same model.
    private func configure(_ bytes: [UInt8]) {
        guard let model = load(bytes, fileName: "fuzz").model else { return }
        let again = load([UInt8](print(model, secrets: true).utf8), fileName: "again")
        precondition(again.model == model, "a printed configuration loads to another model")
    }
}
