// SPDX-License-Identifier: Apache-2.0

import ByteCodec
import FirstHop
import Glibc
import Primitives
import Replication
import SecurityAssociations
import Tracking

@testable import ProcessFrames

/// Inputs to begin with, made by the encoders: what a fuzzer would take hours to find.
enum Seeds {
    /// Writes each to `FOLDER/TARGET/seed-N`.
    static func write(to folder: String) {
        for (target, inputs) in all {
            _ = mkdir("\(folder)/\(target.rawValue)", 0o755)
            for (index, bytes) in inputs.enumerated() {
                guard let file = fopen("\(folder)/\(target.rawValue)/seed-\(index)", "w") else {
                    print("cannot write to \(folder)/\(target.rawValue)")
                    exit(1)
                }
                fwrite(bytes, 1, bytes.count, file)
                fclose(file)
            }
        }
    }

    private static var all: [(FuzzTarget, [[UInt8]])] {
        let records = kernelRecords.map { $0.encoded().bytes.withBytes { $0 } }
        return [
            (.hello, messages.map(\.bytes)), (.signed, messages.flatMap { [[0] + $0.bytes, [1] + $0.bytes] }),
            (.greeting, [encoded { hello.encode(into: &$0) }]), (.frames, frames.map { [99] + $0.encoded() }),
            (.session, [Frame.hello(hello).encoded() + frames.flatMap { $0.encoded() }]),
            (.role, [words.flatMap { word in encoded { word.encode(into: &$0) } }]), (.records, records),
            (.replica, [[0] + records.flatMap(step) + [1, 2], records.flatMap(step) + [3, 4, 2]]),
            (.keeper, [[0, 1, 2, 3, 4, 5, 6, 0, 1, 255]]), (.process, processMessages.map { $0.encoded() }),
            (
                .text,
                ["10.1.0.3", "2001:db8::ffff:10.1.0.3", "::"].map { Array($0.utf8) }
                    + [
                        Array(
                            "\(Fingerprint(bytes: [UInt8](repeating: 0xa5, count: 32)).map(\.description) ?? "")".utf8)
                    ]
            ),
        ]
    }

    /// A record as the targets with steps take it.
    private static func step(_ record: [UInt8]) -> [UInt8] {
        [7] + encoded { $0.write(chunk: record) }
    }

    private static func encoded(_ body: (inout ByteWriter) -> Void) -> [UInt8] {
        var writer = ByteWriter()
        body(&writer)
        return writer.bytes
    }

    private static var messages: [HSRPMessage] {
        var all: [HSRPMessage] = []
        for version in HSRPVersion.allCases {
            for operation in [HSRPMessage.Operation.hello, .coup, .resign] {
                var message = HSRPMessage(
                    version: version, operation: operation, state: .active, helloMilliseconds: 3000,
                    holdMilliseconds: 10_000, priority: 105, group: 10, authentication: .text(.cisco),
                    virtualAddress: IPAddress(10, 1, 0, 100))
                if version == .two { message.identifier = MACAddress(0x0200_0000_0001) }
                all.append(message)
                guard let key = FuzzTarget.key else { continue }
                message.sign(with: key, from: IPAddress(10, 1, 0, 9))
                all.append(message)
            }
        }
        return all
    }

    private static var hello: SessionHello {
        var hello = SessionHello(bootID: 7, nodeName: "R3", term: 3, scheme: "VPN")
        hello.interfaces = [
            .init(address: IPv4Address(10, 1, 0, 3), group: 10, virtualAddress: IPv4Address(10, 1, 0, 100))
        ]
        hello.agreedItems = [.init(name: "standby 10 timers", value: "msec 250 msec 800")]
        hello.isActive = true
        hello.journal = JournalState(count: 4, digest: 5, isAuthoritative: true)
        return hello
    }

    private static var words: [RoleMessage] {
        [
            .prepareTakeover, .ready, .fenced, .released, .takeOver, .requestRole(priority: 105),
            .declined(reason: .busy), .question(nonce: 9), .answer(nonce: 9, isActive: true),
        ]
    }

    private static var frames: [Frame] {
        let identity = SAIdentity(destination: IPAddress(10, 1, 0, 5), spi: 0xc01b_75e7)
        let report = StateReport(state: .standbyHot, term: 3, isActive: false, journal: JournalState())
        return [
            .hello(hello), .snapshotBegin(sequence: 1, count: 1), .record(sequence: 2, bytes: SecretBytes([1, 2, 3])),
            .snapshotEnd(sequence: 3, digest: 8), .acknowledged(sequence: 3), .mark(sequence: 3, digest: 8),
            .snapshotRequested, .counters(number: 1, isLast: true, [.init(identity: identity, sequence: 139)]),
            .countersInstalled(number: 1), .state(report), .heartbeat(term: 3),
            .role(.question(nonce: 1), stamp: RoleStamp(bootID: 7, group: 10, term: 3)),
            .strays([.init(initiator: 1, responder: 2)]),
        ]
    }

    private static var kernelRecords: [KernelRecord] {
        let key = SAKey(destination: IPAddress(10, 1, 0, 5), spi: 0xc01b_75e7)
        var sa = ReplicatedSA(key: key, source: IPAddress(10, 1, 0, 100))
        sa.aead = ReplicatedSA.Algorithm(
            name: "rfc4106(gcm(aes))", secret: SecretBytes([UInt8](repeating: 7, count: 20)), truncationBits: 128)
        sa.replay = KernelReplay(
            outbound: 139, inbound: 7, windowPackets: 64, bitmap: [255, 0], usesExtendedStructure: true)
        let policyKey = PolicyKey(direction: .outbound, selector: ReplicatedSelector())
        var policy = ReplicatedPolicy(key: policyKey)
        policy.templates = [.init(source: IPAddress(high: 1, low: 2), destination: IPAddress(high: 3, low: 4))]
        return [
            .sa(sa), .policy(policy), .removed(.sa(key)), .removed(.policy(policyKey)),
            .numbers([SANumbers(key: key, replay: sa.replay)]),
        ]
    }

    private static var processMessages: [ProcessMessage] {
        var runs = ScriptRuns()
        runs.last = "exit status 1"
        var report = ProbeReport(object: 7, observation: Observation(isUp: false, reason: "timeout"))
        report.runs = runs
        let held = HeldAddress(interfaceIndex: 9, address: IPAddress(10, 1, 0, 100), prefixLength: 32)
        return [
            .configuration(revision: 1, text: Array("hostname R3\n".utf8)), .descriptor(.vici, peer: .replication),
            .observed(report), .observed(ProbeReport(object: 7, observation: nil)),
            .holding(addresses: [held], isPeerHot: true), .fences(addresses: [IPAddress(10, 1, 0, 100)]),
            .redundancyChanged(RedundancyStatus(isStateful: true)),
            .roleChanged(isActive: true, isFenced: false, group: 10, term: 3), .replicationStarted(process: 4711),
            .watchAsked(number: 1), .watchAnswered(number: 1),
            .role(.answer(nonce: 9, isActive: true), group: 10, term: 3), .query(number: 5, text: Array("{}".utf8)),
            .keyFileMissing(path: "/etc/havpn/hello.key", reason: "does not exist"),
            .configurationRefused(revision: 1, text: "r3.conf:1:1: error"), .recorded(text: Array("{}".utf8)),
        ]
    }
}
