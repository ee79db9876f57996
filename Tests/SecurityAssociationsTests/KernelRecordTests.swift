// SPDX-License-Identifier: Apache-2.0

import ByteCodec
import Primitives
import Testing

@testable import SecurityAssociations

private func sample(spi: UInt32 = 0x1001) -> ReplicatedSA {
    var sa = ReplicatedSA(
        key: SAKey(destination: IPAddress(IPv4Address(10, 1, 0, 100)), spi: spi),
        source: IPAddress(IPv4Address(10, 1, 0, 5)))
    sa.aead = ReplicatedSA.Algorithm(
        name: "rfc4106(gcm(aes))", secret: SecretBytes([UInt8](repeating: 0x5a, count: 20)), truncationBits: 128)
    sa.replay.outbound = 7
    sa.usage.ageSeconds = 99
    return sa
}

private func parse(_ bytes: [UInt8]) throws -> (KernelRecord?, Int) {
    var findings = RecordFindings()
    let record = try KernelRecord(parsing: bytes[...], findings: &findings)
    return (record, findings.unknownAttributes)
}

@Suite("Records of the kernel's tables")
struct KernelRecordTests {
    @Test("all kinds survive the wire")
    func roundTrips() throws {
        var policyKey = PolicyKey(direction: .outbound, selector: ReplicatedSelector())
        policyKey.selector.destinationLength = 24
        policyKey.interfaceID = 9
        var policy = ReplicatedPolicy(key: policyKey)
        policy.templates = [.init(source: IPAddress(high: 1, low: 2), destination: IPAddress(high: 3, low: 4))]
        policy.securityContext = [1, 2, 3]
        let replay = KernelReplay(
            outbound: 1 << 40, inbound: 5, windowPackets: 64, bitmap: [1, 2], usesExtendedStructure: true)
        let records: [KernelRecord] = [
            .sa(sample()), .policy(policy), .removed(.sa(sample().key)), .removed(.policy(policyKey)),
            .numbers([SANumbers(key: sample().key, replay: replay)]), .numbers([]),
        ]
        for record in records {
            let bytes = record.encoded().bytes.withBytes { $0 }
            #expect(try parse(bytes).0 == record)
        }
    }

    @Test("the digest is of what lasts: numbers and ages leave it alone, a key or a flag changes it")
    func digest() {
        let digest = KernelRecord.sa(sample()).digest
        var moved = sample()
        moved.replay.outbound = 100_000
        moved.replay.inbound = 3
        moved.usage.bytes = 12
        moved.usage.ageSeconds = 5
        #expect(KernelRecord.sa(moved).digest == digest)
        var other = sample()
        other.aead?.secret = SecretBytes([UInt8](repeating: 0x5b, count: 20))
        #expect(KernelRecord.sa(other).digest != digest)
        var flagged = sample()
        flagged.flags = 1
        #expect(KernelRecord.sa(flagged).digest != digest)
        var window = sample()
        window.replay.windowPackets = 64
        #expect(KernelRecord.sa(window).digest != digest)
        #expect(KernelRecord.sa(sample(spi: 2)).digest != digest)
    }

    @Test("attributes of later versions are skipped and counted, unknown kinds are nil, other formats refused")
    func versions() throws {
        let bytes = KernelRecord.sa(sample()).encoded().bytes.withBytes { $0 }
        let (record, unknown) = try parse(bytes + [200, 0, 2, 7, 7])
        #expect(record == .sa(sample()) && unknown == 1)
        #expect(try parse([KernelRecord.format, 99, 1, 2]).0 == nil)
        #expect(throws: DecodeError.self) { try parse([9, 1]) }
    }

    @Test("cut, changed and random records are errors or values, never a trap")
    func hostile() throws {
        let bytes = KernelRecord.sa(sample()).encoded().bytes.withBytes { $0 }
        var generator = SystemRandomNumberGenerator()
        for length in 0..<bytes.count {
            _ = try? parse(Array(bytes.prefix(length)))
            for _ in 0..<20 {
                var changed = bytes
                changed[length] = UInt8.random(in: 0...255, using: &generator)
                if let record = try? parse(changed).0 { _ = record.encoded() }
            }
        }
        for kind in UInt8(0)...7 {
            for _ in 0..<2000 {
                let random = (0..<Int.random(in: 0..<80, using: &generator)).map { _ in
                    UInt8.random(in: 0...255, using: &generator)
                }
                if let record = try? parse([1, kind] + random).0 { _ = record.encoded() }
            }
        }
    }

    @Test("counts above their limits are refused before anything is allocated")
    func limits() {
        #expect(throws: DecodeError.self) { try parse([1, 5, 0xff, 0xff]) }
        var sa = sample()
        sa.aead?.secret = SecretBytes([UInt8](repeating: 1, count: 513))
        let long = KernelRecord.sa(sa).encoded().bytes.withBytes { $0 }
        #expect(throws: DecodeError.self) { try parse(long) }
    }

    @Test("keys that are all zeros are told from keys")
    func hiddenKeys() {
        var sa = sample()
        #expect(!sa.areKeysHidden && sa.hasKeys)
        sa.aead?.secret = SecretBytes([UInt8](repeating: 0, count: 20))
        #expect(sa.areKeysHidden)
        sa.aead = nil
        #expect(!sa.hasKeys && !sa.areKeysHidden)
    }

    @Test("no text of a record shows a key")
    func secrecy() {
        let sa = sample()
        #expect(!"\(sa)".contains("90, 90") && !"\(sa)".contains("5a5a"))
        #expect(!"\(KernelRecord.sa(sa))".contains("90, 90"))
        #expect("\(KernelRecord.sa(sa).encoded())".contains("secret bytes"))
    }
}
