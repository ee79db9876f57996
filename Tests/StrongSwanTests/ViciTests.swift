// SPDX-License-Identifier: Apache-2.0

import ByteCodec
import Primitives
import Testing

@testable import StrongSwan

@Suite struct ViciTests {
    private func message(_ entries: (String, ViciSection.Element)...) -> ViciSection {
        var section = ViciSection()
        for (name, element) in entries { section.append(name, element) }
        return section
    }

    private var association: ViciSection {
        let child = message(
            ("name", .value("net")), ("uniqueid", .value("2")), ("state", .value("INSTALLED")),
            ("protocol", .value("ESP")), ("spi-in", .value("c4fbb71a")), ("spi-out", .value("c5aeaa0c")),
            ("bytes-in", .value("420")), ("packets-in", .value("5")), ("rekey-time", .value("3489")),
            ("life-time", .value("3952")), ("install-time", .value("8")), ("local-ts", .list(["10.2.0.2/32"])),
            ("remote-ts", .list(["10.0.0.6/32"])))
        let ike = message(
            ("uniqueid", .value("1")), ("version", .value("2")), ("state", .value("PASSIVE")),
            ("local-host", .value("10.1.0.100")), ("local-port", .value("500")), ("local-id", .value("10.1.0.100")),
            ("remote-host", .value("10.1.0.5")), ("remote-port", .value("4500")), ("remote-id", .value("10.1.0.5")),
            ("initiator", .value("yes")), ("initiator-spi", .value("1caff9b35460e65c")),
            ("responder-spi", .value("6b79ef59b41abdbf")), ("child-sas", .section(message(("net-2", .section(child))))))
        return message(("branch", .section(ike)))
    }

    @Test("packets of every type come back from their bytes, in any pieces")
    func packets() throws {
        let packets: [ViciPacket] = [
            .commandRequest(name: "list-sas", message(("ike", .value("branch")))), .commandResponse(association),
            .commandUnknown, .eventRegister(name: "list-sa"), .eventUnregister(name: "list-sa"), .eventConfirm,
            .eventUnknown, .event(name: "list-sa", association), .commandResponse(message(("empty", .list([])))),
        ]
        let stream = packets.flatMap(\.bytes)
        for size in [1, 3, 7, 100, stream.count] {
            var assembler = ViciAssembler()
            var received: [ViciPacket] = []
            for start in stride(from: 0, to: stream.count, by: size) {
                assembler.append(Array(stream[start..<min(start + size, stream.count)]))
                while let packet = try assembler.next() { received.append(packet) }
            }
            #expect(received == packets)
        }
    }

    @Test("the bytes are those of the protocol's own example")
    func bytes() throws {
        // vici/README.md: key1 = value1, section1 = { sub-section = { key2 = value2 }, list1 = [ item1, item2 ] }
        let inner = message(
            ("sub-section", .section(message(("key2", .value("value2"))))), ("list1", .list(["item1", "item2"])))
        let example = message(("key1", .value("value1")), ("section1", .section(inner)))
        var writer = ByteWriter()
        example.encode(into: &writer)
        func short(_ token: UInt8, _ text: String) -> [UInt8] { [token, UInt8(text.utf8.count)] + Array(text.utf8) }
        func long(_ text: String) -> [UInt8] { short(0, text) }
        var bytes = short(3, "key1") + long("value1") + short(1, "section1") + short(1, "sub-section")
        bytes += short(3, "key2") + long("value2") + [2] + short(4, "list1")
        bytes += [5] + long("item1") + [5] + long("item2") + [6] + [2]
        #expect(writer.bytes == bytes)
        #expect(try ViciSection(decoding: bytes[...]) == example)
    }

    @Test("truncated, unbalanced, too deep and too long messages are refused")
    func malformed() {
        var writer = ByteWriter()
        association.encode(into: &writer)
        for length in 1..<writer.count {
            #expect(throws: DecodeError.self) { try ViciSection(decoding: writer.bytes[..<length]) }
        }
        #expect(throws: DecodeError.invalid(field: "vici element", value: 2)) { try ViciSection(decoding: [2]) }
        #expect(throws: DecodeError.invalid(field: "vici element", value: 9)) { try ViciSection(decoding: [9]) }
        #expect(throws: DecodeError.self) { try ViciSection(decoding: [4, 1, 97, 3]) }
        let deep = Array(repeatElement([1, 1, 97] as [UInt8], count: 40).joined())
        #expect(throws: DecodeError.overLimit(field: "vici nesting", value: 17)) {
            try ViciSection(decoding: deep[...])
        }
        let many = Array(repeatElement([3, 1, 97, 0, 0] as [UInt8], count: Limits.viciElementCount + 1).joined())
        #expect(throws: DecodeError.overLimit(field: "vici elements", value: UInt64(Limits.viciElementCount))) {
            try ViciSection(decoding: many[...])
        }
        var assembler = ViciAssembler()
        assembler.append([0, 8, 0, 1])
        #expect(throws: DecodeError.self) { try assembler.next() }
        #expect(throws: DecodeError.invalid(field: "vici packet type", value: 8)) { try ViciPacket(decoding: [8]) }
    }

    @Test("random bytes never trap")
    func noise() {
        var random = SplitMix(seed: 5)
        let original = ViciPacket.event(name: "list-sa", association).bytes
        for _ in 0..<5_000 {
            var bytes = original
            for _ in 0..<3 {
                bytes[Int.random(in: 4..<bytes.count, using: &random)] = .random(in: 0...255, using: &random)
            }
            guard case .event(_, let section) = try? ViciPacket(decoding: bytes[4...]) else { continue }
            for entry in section.sections { _ = ListedIKE(entry) }
        }
    }

    @Test("a listing is registered for, streamed, answered; the next one need not register again")
    func listing() throws {
        var session = ViciSession()
        var actions: [ViciSession.Action] = []
        let start = Instant(nanoseconds: 1)
        session.handle(.requested(.listSAs, number: 1), at: start, actions: &actions)
        session.handle(.requested(.version, number: 2), at: start, actions: &actions)
        #expect(actions == [.write(ViciPacket.eventRegister(name: "list-sa").bytes)])
        actions = []
        session.handle(.received(ViciPacket.eventConfirm.bytes), at: start, actions: &actions)
        #expect(actions == [.write(ViciPacket.commandRequest(name: "list-sas", message()).bytes)])
        actions = []
        let answer =
            ViciPacket.event(name: "list-sa", association).bytes + ViciPacket.commandResponse(message()).bytes
        session.handle(.received(answer), at: start, actions: &actions)
        guard case .deliver(.securityAssociations(let list), number: 1) = actions.first else {
            Issue.record("no listing: \(actions)")
            return
        }
        #expect(actions.last == .write(ViciPacket.commandRequest(name: "version", message()).bytes))
        let ike = try #require(list.first)
        #expect(ike.name == "branch")
        #expect(ike.state == "PASSIVE")
        #expect(
            ike.identity
                == IKEIdentity(
                    version: 2, spis: IKESPIPair(initiator: 0x1caf_f9b3_5460_e65c, responder: 0x6b79_ef59_b41a_bdbf),
                    isInitiator: true))
        #expect(ike.remotePort == 4_500)
        #expect(ike.children.first?.spis == ChildSPIPair(inbound: 0xc4fb_b71a, outbound: 0xc5ae_aa0c))
        #expect(ike.children.first?.remoteSelectors == ["10.0.0.6/32"])
        actions = []
        let version = message(("daemon", .value("charon")), ("version", .value("5.9.8")))
        session.handle(.received(ViciPacket.commandResponse(version).bytes), at: start, actions: &actions)
        #expect(actions == [.deliver(.version(daemon: "charon", release: "5.9.8"), number: 2)])
        #expect(session.nextDeadline == nil)
        actions = []
        session.handle(.requested(.listSAs, number: 3), at: start, actions: &actions)
        #expect(actions == [.write(ViciPacket.commandRequest(name: "list-sas", message()).bytes)])
    }

    @Test("connections are listed with their children")
    func connections() throws {
        let child = message(("mode", .value("TUNNEL")), ("local-ts", .list(["10.2.0.2/32"])))
        let connection = message(
            ("local_addrs", .list(["10.1.0.100"])), ("remote_addrs", .list(["10.1.0.5"])), ("version", .value("IKEv2")),
            ("children", .section(message(("net", .section(child))))))
        let reply = ViciRequest.listConnections.reply(
            message(), events: [message(("branch", .section(connection)))])
        guard case .connections(let list) = reply, let first = list.first else {
            Issue.record("no connections")
            return
        }
        #expect(first.name == "branch")
        #expect(first.localAddresses == ["10.1.0.100"])
        #expect(first.children.map(\.name) == ["net"])
    }

    @Test("requests say what they want, and a refusal gives its reason")
    func requests() {
        let terminate = message(("ike-id", .value("7")), ("force", .value("yes")), ("timeout", .value("-1")))
        #expect(
            ViciRequest.terminateIKE(uniqueID: 7, force: true).packet == .commandRequest(name: "terminate", terminate))
        #expect(
            ViciRequest.rekeyChild(uniqueID: 3).packet
                == .commandRequest(name: "rekey", message(("child-id", .value("3")))))
        let refusal = message(("success", .value("no")), ("errmsg", .value("no matching SAs")))
        #expect(ViciRequest.rekeyChild(uniqueID: 3).reply(refusal, events: []) == .refused("no matching SAs"))
        #expect(ViciRequest.initiate(child: "net", ike: nil).reply(message(), events: []) == .done)
    }

    @Test("a malformed, unexpected or missing answer ends the session once")
    func failures() {
        func run(_ events: [ViciSession.Event], at times: [UInt64] = []) -> [ViciSession.Action] {
            var session = ViciSession()
            var actions: [ViciSession.Action] = []
            for (index, event) in events.enumerated() {
                let now = Instant(nanoseconds: (index < times.count ? times[index] : 0) * 1_000_000_000)
                session.handle(event, at: now, actions: &actions)
            }
            return actions.filter { if case .fail = $0 { true } else { false } }
        }
        let ask = ViciSession.Event.requested(.version, number: 1)
        #expect(run([.received(ViciPacket.eventConfirm.bytes)]) == [.fail(.unexpected(packetType: 5))])
        #expect(run([ask, .received(ViciPacket.eventConfirm.bytes), ask]) == [.fail(.unexpected(packetType: 5))])
        #expect(
            run([ask, .received([0, 0, 0, 0])]) == [.fail(.malformed(.overLimit(field: "vici packet", value: 0)))])
        #expect(run([ask, .deadlineReached], at: [0, 9]) == [])
        #expect(run([ask, .deadlineReached, .deadlineReached], at: [0, 10, 11]) == [.fail(.timedOut)])
        #expect(run(Array(repeating: ask, count: Limits.viciRequestCount + 1)) == [.fail(.tooManyRequests)])
    }

    @Test("charon's row of /proc/net/udp tells its queue and what was dropped")
    func receiveQueue() {
        let table = """
               sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
              312: 0200007F:119E 0100007F:119E 01 00000000:00000000 00:00000000 00000000     0        0 2212 2 0000000000000000 4
              313: 0100007F:119E 0200007F:119E 01 00000000:0000EA60 00:00000000 00000000     0        0 2213 2 0000000000000000 17

            """
        let (charon, own) = (IPv4Address(127, 0, 0, 1), IPv4Address(127, 0, 0, 2))
        let queue = ReceiveQueue(table: Array(table.utf8), local: charon, remote: own, port: 4_510)
        #expect(queue?.byteCount == 60_000)
        #expect(queue?.dropCount == 17)
        #expect(ReceiveQueue(table: Array(table.utf8), local: charon, remote: charon, port: 4_510) == nil)
        #expect(ReceiveQueue(table: [], local: charon, remote: own, port: 4_510) == nil)
    }
}
