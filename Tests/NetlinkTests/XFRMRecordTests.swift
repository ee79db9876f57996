// SPDX-License-Identifier: Apache-2.0

import ByteCodec
import Foundation
import Primitives
import SecurityAssociations
import Testing

@testable import Netlink

/// What a Linux 6.1 kernel said about SAs and policies made with `ip xfrm` and test keys.
private struct Fixture {
    var sas: [NetlinkMessage] = []
    var policies: [NetlinkMessage] = []
    var events: [NetlinkMessage] = []

    init() throws {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        let text = try String(
            contentsOf: folder.appendingPathComponent("Fixtures/xfrm-linux-6.1.txt"), encoding: .utf8)
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ")
            let digits = Array(words[1].utf8)
            let bytes = stride(from: 0, to: digits.count, by: 2).map {
                UInt8(String(decoding: digits[$0...$0 + 1], as: UTF8.self), radix: 16) ?? 0
            }
            let messages = try NetlinkMessage.split(bytes)
            switch words[0] {
            case "sa": sas += messages
            case "policy": policies += messages
            default: events += messages
            }
        }
    }
}

private let ends: Set<IPAddress> = [
    IPAddress(IPv4Address(10, 1, 0, 100)), IPAddress(high: 0x2001_0db8_0001_0000, low: 0x100),
]
private let now: UInt64 = 1_900_000_000

private func reader() -> XFRMRecordReader { XFRMRecordReader(ends: ends) }

private func records(_ messages: [NetlinkMessage]) throws -> [KernelRecord] {
    var reader = reader()
    return try messages.compactMap { message in
        guard case .stands(let record)? = try reader.read(message, nowSeconds: now) else { return nil }
        return record
    }
}

private func sa(_ spi: UInt32) throws -> ReplicatedSA {
    for case .sa(let sa) in try records(try Fixture().sas) where sa.key.spi == spi { return sa }
    throw DecodeError.invalid(field: "no such SA", value: UInt64(spi))
}

@Suite("SAs and policies of a real kernel, whole")
struct XFRMRecordTests {
    @Test("all ESP SAs with one of our ends are read; other ends, other protocols and larval ones are not")
    func selection() throws {
        let found = try records(try Fixture().sas).compactMap { record -> UInt32? in
            guard case .sa(let sa) = record else { return nil }
            return sa.key.spi
        }
        #expect(Set(found) == Set((1...6).map { 0xc000_0000 + $0 }))
        var other = XFRMRecordReader(ends: [IPAddress(IPv4Address(10, 9, 9, 9))])
        for message in try Fixture().sas + (try Fixture().policies) {
            #expect(try other.read(message, nowSeconds: now) == nil)
        }
    }

    @Test("every field that another kernel needs is there")
    func fields() throws {
        let plain = try sa(0xc000_0001)
        #expect(plain.aead?.name == "rfc4106(gcm(aes))" && plain.aead?.truncationBits == 128)
        #expect(plain.aead?.secret.hasSameBytes(as: SecretBytes((1...20).map { UInt8($0) })) == true)
        #expect(plain.replayWindow == 32 && plain.requestID == 7 && plain.mode == 1)
        let extended = try sa(0xc000_0002)
        #expect(extended.isExtended && extended.replay.windowPackets == 128 && extended.replay.bitmap.count == 4)
        let rich = try sa(0xc000_0003)
        #expect(rich.encryption?.name == "cbc(aes)" && rich.authentication?.name == "hmac(sha256)")
        #expect(rich.authentication?.truncationBits == 128 && rich.aead == nil)
        #expect(rich.key.mark == KernelSA.Mark(value: 0x11, mask: 0xff))
        #expect(rich.outputMark == KernelSA.Mark(value: 0x22, mask: 0xff00))
        #expect(rich.interfaceID == 0x2a && rich.replay.outbound == 0x1234 && rich.flags & 1 == 1)
        #expect(rich.extraFlags != 0)
        #expect(
            rich.encapsulation
                == ReplicatedSA.Encapsulation(
                    kind: 2, sourcePort: 4500, destinationPort: 4501,
                    originalAddress: IPAddress(IPv4Address(192, 0, 2, 7))))
        let limited = try sa(0xc000_0004)
        #expect(limited.mode == 0 && limited.selector.protocolNumber == 17 && limited.selector.sourcePort == 500)
        #expect(limited.limits.seconds == [3000, 3600, 0, 0])
        #expect(limited.limits.amounts == [.max, 1_000_000, 9000, .max])
        let six = try sa(0xc000_0005)
        #expect(six.key.destination == IPAddress(high: 0x2001_0db8_0001_0000, low: 0x100))
    }

    @Test("policies are read in all directions, with templates, marks and interfaces")
    func policies() throws {
        let found = try records(try Fixture().policies).compactMap { record -> ReplicatedPolicy? in
            guard case .policy(let policy) = record else { return nil }
            return policy
        }
        #expect(found.count == 5)
        let inbound = try #require(found.first { $0.key.direction == .inbound })
        #expect(inbound.key.mark == KernelSA.Mark(value: 0x11, mask: 0xff) && inbound.key.interfaceID == 0x2a)
        let forward = try #require(found.first { $0.key.direction == .forward })
        #expect(forward.templates.first?.isOptional == true && forward.flags == 3)
        #expect(forward.limits.seconds[1] == 3600)
        let blocking = try #require(found.first { $0.action == 1 })
        #expect(blocking.templates.count == 2 && blocking.key.selector.sourcePort == 1)
    }

    @Test("kernel → record → bytes → record → request: nothing is lost, and the digest is the same")
    func roundTrip() throws {
        let fixture = try Fixture()
        for record in try records(fixture.sas + fixture.policies) {
            let encoded = record.encoded()
            var findings = RecordFindings()
            let copy = try encoded.bytes.withBytes { (bytes) throws(DecodeError) in
                try KernelRecord(parsing: bytes[...], findings: &findings)
            }
            #expect(copy == record && findings.unknownAttributes == 0)
            let request: NetlinkRequest
            switch record {
            case .sa(let sa): request = XFRMRequest.install(sa, nowSeconds: now)
            case .policy(let policy): request = XFRMRequest.install(policy, nowSeconds: now)
            default: continue
            }
            let message = NetlinkMessage(
                type: request.type, flags: 0, sequence: 0, portID: 0, payload: request.payload[...])
            var reader = reader()
            guard case .stands(let again)? = try reader.read(message, nowSeconds: now) else {
                Issue.record("the request for \(record.key as Any) does not read back")
                continue
            }
            #expect(again.digest == encoded.digest && reader.unknownAttributes == 0)
            if case .sa(let sent) = record, case .sa(let read) = again { #expect(sent.replay == read.replay) }
        }
    }

    @Test("events name what went: by request, with its mark, or by its hard limit")
    func events() throws {
        var reader = reader()
        var findings: [XFRMFinding] = []
        for message in try Fixture().events {
            if let finding = try reader.read(message, nowSeconds: now) { findings.append(finding) }
        }
        var key = SAKey(destination: IPAddress(IPv4Address(10, 1, 0, 100)), spi: 0xc000_0003)
        key.mark = KernelSA.Mark(value: 0x11, mask: 0xff)
        #expect(findings.contains(.removed(.sa(key))))
        let expired = SAKey(destination: IPAddress(IPv4Address(10, 1, 0, 100)), spi: 0xc000_0010)
        #expect(findings.contains(.expired(.sa(expired))) || !findings.contains { $0.isExpiredSA })
        let gone = findings.contains { finding in
            guard case .removed(.policy(let key)) = finding else { return false }
            return key.direction == .inbound && key.interfaceID == 0x2a && key.mark.value == 0x11
        }
        #expect(gone)
        let over = findings.contains { finding in
            guard case .expired(.policy(let key)) = finding else { return false }
            return key.direction == .forward
        }
        #expect(over)
    }

    @Test("hidden keys, per-processor SAs and unknown modes are skipped with a name; unknown attributes are counted")
    func skipped() throws {
        let message = try #require(
            try Fixture().sas.first { Array($0.payload.dropFirst(72).prefix(4)) == [0xc0, 0, 0, 1] })
        var reader = reader()
        var payload = Array(message.payload)
        let name = Array("rfc4106(gcm(aes))".utf8)
        let at = try #require((0..<payload.count - 17).first { Array(payload[$0..<$0 + 17]) == name })
        payload.replaceSubrange(at + 72..<at + 92, with: [UInt8](repeating: 0, count: 20))
        func read(_ payload: [UInt8]) throws -> XFRMFinding? {
            try reader.read(
                NetlinkMessage(
                    type: XFRMMessage.newSA, flags: 0, sequence: 0, portID: 0, payload: payload[...]), nowSeconds: now)
        }
        #expect(try read(payload) == .skipped("kernel.keysHidden"))
        let whole = Array(message.payload)
        #expect(try read(whole + [8, 0, 35, 0, 1, 0, 0, 0]) == .skipped("kernel.perProcessorSkipped"))
        var mode = whole
        mode[214] = 5
        #expect(try read(mode) == .skipped("kernel.modeSkipped"))
        #expect(reader.unknownAttributes == 0)
        let device = try read(whole + [12, 0, 28, 0, 1, 0, 0, 0, 1, 0, 0, 0])
        #expect(try device == read(whole) && reader.unknownAttributes == 0)
        _ = try read(whole + [8, 0, 60, 0, 1, 0, 0, 0])
        #expect(reader.unknownAttributes == 1)
    }

    @Test("a message that is cut or changed anywhere is an error or a value, never a trap")
    func hostile() throws {
        let fixture = try Fixture()
        var generator = SystemRandomNumberGenerator()
        for message in fixture.sas + fixture.policies + fixture.events {
            for length in 0..<message.payload.count {
                var cut = message
                cut.payload = message.payload.prefix(length)
                var reader = reader()
                _ = try? reader.read(cut, nowSeconds: now)
                var bytes = Array(message.payload)
                bytes[length] = UInt8.random(in: 0...255, using: &generator)
                cut.payload = bytes[...]
                guard case .stands(let record)? = try? reader.read(cut, nowSeconds: now) else { continue }
                _ = record.encoded()
            }
        }
    }
}

extension XFRMFinding {
    fileprivate var isExpiredSA: Bool {
        if case .expired(.sa) = self { true } else { false }
    }
}
