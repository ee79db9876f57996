// SPDX-License-Identifier: Apache-2.0

import FirstHop
import Netlink
import Primitives
import Testing

@testable import Daemon

private let six = IPAddress(high: 0x2001_0db8_0001_0000, low: 0x100)

@Suite("Frames between processes")
struct ProcessMessageTests {
    /// Different from what a reader starts with, in each flag.
    static let everyFlag: RedundancyStatus = {
        var status = RedundancyStatus(isStateful: true)
        (status.isAssociationUp, status.isLocalHot, status.isPeerHot, status.isPeerPopulated) = (true, true, true, true)
        (status.isIKEDaemonFit, status.mayPeerKernelLive) = (false, true)
        (status.isRoleTaken, status.hasUndelivered, status.areNumbersStale) = (true, true, true)
        return status
    }()

    static let samples: [ProcessMessage] = [
        .configuration(revision: 7, text: Array("hostname R3\n".utf8)),
        .configuration(revision: 0, text: []),
        .descriptor(.vici, peer: .replication),
        .descriptor(.processChannel, peer: .front),
        .descriptor(.identity, peer: .supervisor),
        .identityRequested, .identityMissing(reason: "does not exist"), .identityMissing(reason: ""),
        .replicationStarted(process: 4711), .counted([:]), .counted(["notify.dropped": 3, "notify.started": .max]),
        .groupChanged(
            GroupChange(
                interface: "eth1", group: 4095, name: "", from: .standby, to: .active, reason: "\u{1F680} \"x\"",
                term: 7)),
        .settings(before: []),
        .settings(before: [
            InterfaceSettings(index: 2, values: [:]),
            InterfaceSettings(index: .max, values: [.arpIgnore: 0, .arpAnnounce: .max, .reversePathFilter: 2]),
        ]),
        .keyFileRequested(path: "/etc/havpn/hello.key"), .keyFile(path: "/etc/havpn/hello.key"),
        .keyFileMissing(path: "/etc/havpn/hello.key", reason: "does not exist"), .keyFileMissing(path: "", reason: ""),
        .stop, .failoverDied, .resume, .ready, .viciRequested, .reloadRequested, .stopped,
        .configurationAccepted(revision: .max, text: [0, 1, 255]),
        .configurationRefused(revision: 1, text: "line 3: no such thing — really"),
        .holding(addresses: [], isPeerHot: false),
        .holding(
            addresses: [HeldAddress(interfaceIndex: 9, address: IPAddress(10, 1, 0, 100), prefixLength: 24)],
            isPeerHot: true),
        .holding(
            addresses: [HeldAddress(IPAddress(high: 0xfe80 << 48, low: 1), on: 3), HeldAddress(six, on: 3)],
            isPeerHot: false),
        .fences(addresses: [IPAddress(10, 1, 0, 100), IPAddress(10, 2, 0, 100), six]),
        .redundancyChanged(RedundancyStatus(isStateful: true)),
        .redundancyChanged(everyFlag),
        .watchAsked(number: .max), .watchAnswered(number: 7),
        .roleChanged(isActive: true, isFenced: true, group: 10, term: 1 << 40),
        .role(.prepareTakeover, group: 10, term: 3),
        .role(.declined(reason: .busy), group: 4095, term: 3),
        .role(.answer(nonce: .max, isActive: true), group: 0, term: 0),
        .query(number: 5, text: Array("{}".utf8)),
        .answer(number: 5, isLast: true, text: [UInt8](repeating: 65, count: ProcessMessage.maximumAnswerByteCount)),
        .event(text: Array("{\"event\":\"x\"}".utf8)),
        .recorded(text: Array("{\"at\":1}".utf8)), .descriptor(.recording, peer: .supervisor),
    ]

    @Test("every frame comes back as it went", arguments: samples)
    func roundTrip(message: ProcessMessage) throws {
        #expect(try ProcessMessage(parsing: message.encoded()) == message)
    }

    @Test("a cut frame is an error or another valid frame, never a trap", arguments: samples)
    func cutShort(message: ProcessMessage) {
        let bytes = message.encoded()
        for length in 0..<min(bytes.count, 200) {
            _ = try? ProcessMessage(parsing: Array(bytes[..<length]))
        }
        #expect(throws: (any Error).self) { try ProcessMessage(parsing: []) }
    }

    @Test("random bytes never trap the parser")
    func randomBytes() {
        var state: UInt64 = 3
        for _ in 0..<50_000 {
            var bytes: [UInt8] = []
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            bytes.append(UInt8(state >> 58))
            for _ in 0..<Int(state >> 59) {
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                bytes.append(UInt8(state >> 56))
            }
            _ = try? ProcessMessage(parsing: bytes)
        }
    }

    @Test("unknown types, purposes, roles, flags and lengths are refused")
    func refused() {
        let faulty: [[UInt8]] = [
            [0], [255], [2, 9, 0], [2, 1, 9], [3, 0], [19, 2, 0, 0], [19, 0, 255, 255], [20, 4, 1],
            [19, 0, 0, 1, 0, 0, 0, 1, 10, 1, 0, 1, 33],
        ]
        for bytes in faulty {
            #expect(throws: (any Error).self) { try ProcessMessage(parsing: bytes) }
        }
    }
}
