// SPDX-License-Identifier: Apache-2.0

import ByteCodec
import FirstHop
import Foundation
import Primitives
import Testing

/// Two captures of real IOS routers, replayed from each router's point of view.
///
/// A machine configured like the router hears what the other routers sent, when they sent it, and must say what the
/// real one said: the same 20 bytes, from the same MAC, changing state when it did.
@Suite(.enabled(if: Capture.areThere, "HAVPN_CAPTURES names the folder of the captures"))
struct CaptureTests {
    /// A run of equal hellos of one state, or one Coup.
    private struct Phase: Hashable, CustomStringConvertible {
        let operation: HSRPMessage.Operation
        let state: HSRPState
        let payload: [UInt8]
        let isFromVirtualMAC: Bool
        var description: String { "\(operation) \(state.name)" }
    }

    /// How far the machine's time of a change may lie from the router's: IOS itself jitters by half a second.
    private static let toleranceMilliseconds = 700

    private static func phases(_ sent: [(at: Int, phase: Phase)]) -> [(at: Int, phase: Phase, last: Int)] {
        var result: [(at: Int, phase: Phase, last: Int)] = []
        for item in sent {
            if let last = result.last, last.phase == item.phase {
                result[result.count - 1].last = item.at
            } else {
                result.append((item.at, item.phase, item.at))
            }
        }
        return result
    }

    private static func messagesSent(_ done: [(at: Int, action: GroupAction)]) -> [(at: Int, phase: Phase)] {
        done.compactMap { time, action in
            guard case .send(let message, let fromVirtualMAC) = action else { return nil }
            return (
                time,
                Phase(
                    operation: message.operation, state: message.state, payload: message.bytes,
                    isFromVirtualMAC: fromVirtualMAC)
            )
        }
    }

    /// Replays a capture toward one of its routers.
    ///
    /// - Parameters:
    ///   - enabledAt: when the router's interface came up, in milliseconds of the capture.
    ///   - before: hellos that the router must have heard before the capture began.
    private func replay(
        _ name: String, as last: UInt8, priority: UInt8, preempt: Bool, enabledAt: Int,
        before: [(at: Int, from: UInt8, state: HSRPState, priority: UInt8)] = []
    ) throws {
        let capture = try Capture(name: name)
        let own = IPAddress(192, 168, 0, last)
        let virtual = IPAddress(192, 168, 0, 1)
        // Times before the capture are negative; the virtual clock starts a minute early.
        let offset = 60_000
        var settings = GroupSettings(
            group: 1, interfacePrefix: IPPrefix(address: own, length: 24), virtualAddress: virtual)
        settings.preempt = preempt
        var router = Router()
        router.machine = GroupMachine(
            settings: settings, priority: priority, redundancy: RedundancyStatus(isStateful: false), seed: UInt64(last))

        var heard: [(at: Int, from: IPAddress, message: HSRPMessage)] = before.map { item in
            let message = HSRPMessage(
                version: .one, operation: .hello, state: item.state, helloMilliseconds: 3000, holdMilliseconds: 10_000,
                priority: item.priority, group: 1, authentication: .text(.cisco), virtualAddress: virtual)
            return (item.at, IPAddress(192, 168, 0, item.from), message)
        }
        for packet in capture.packets where packet.source != own {
            if case .message(let message) = packet.datagram {
                heard.append((packet.milliseconds, packet.source, message))
            }
        }
        var done: [(at: Int, action: GroupAction)] = []
        _ = router.run(until: enabledAt + offset)
        done += router.at(enabledAt + offset, .interfaceChanged(isUp: true)).map { (enabledAt + offset, $0) }
        for item in heard where item.at >= enabledAt {
            done += router.run(until: item.at + offset)
            done += router.at(item.at + offset, .messageReceived(item.message, from: item.from))
                .map { (item.at + offset, $0) }
        }
        let end = (capture.packets.last?.milliseconds ?? 0)
        done += router.run(until: end + offset)

        let ours = Self.phases(Self.messagesSent(done).map { ($0.at - offset, $0.phase) })
        let theirs = Self.phases(
            capture.packets.filter { $0.source == own }.compactMap { packet in
                guard case .message(let message) = packet.datagram else { return nil }
                let isVirtual = packet.sourceMAC == .hsrpVersion1(group: 1)
                return (
                    packet.milliseconds,
                    Phase(
                        operation: message.operation, state: message.state, payload: packet.payload,
                        isFromVirtualMAC: isVirtual)
                )
            })
        // Phases that were over before the capture began are nobody's to compare.
        let compared = ours.filter { $0.last >= 0 || $0.phase == theirs.first?.phase }
        #expect(compared.map(\.phase) == theirs.map(\.phase), "\(name) as .\(last)")
        for (ours, theirs) in zip(compared, theirs).dropFirst() {
            #expect(
                abs(ours.at - theirs.at) <= Self.toleranceMilliseconds,
                "\(theirs.phase): ours at \(ours.at) ms, the router's at \(theirs.at) ms")
        }
    }

    @Test("election: .10, priority 200, speaks, becomes Standby and Active")
    func electionWinner() throws {
        try replay("HSRP_election.pcap", as: 10, priority: 200, preempt: true, enabledAt: -10_000)
    }

    @Test("election: .20 speaks once, listens, speaks again and yields to .30")
    func electionListener() throws {
        try replay("HSRP_election.pcap", as: 20, priority: 100, preempt: true, enabledAt: -7_704)
    }

    @Test("election: .30 speaks, listens, speaks again and becomes Standby")
    func electionStandby() throws {
        try replay("HSRP_election.pcap", as: 30, priority: 100, preempt: true, enabledAt: -8_592)
    }

    @Test("coup: .10 comes up, takes the role by Coup and keeps it")
    func coupWinner() throws {
        try replay("HSRP_coup.pcap", as: 10, priority: 200, preempt: true, enabledAt: 20_700)
    }

    @Test("coup: .20, Standby, falls silent when .30 speaks")
    func coupStandby() throws {
        let before = stride(from: -30_000, to: 0, by: 3_000).map {
            (at: $0, from: UInt8(30), state: HSRPState.active, priority: UInt8(100))
        }
        try replay("HSRP_coup.pcap", as: 20, priority: 100, preempt: true, enabledAt: -29_000, before: before)
    }

    @Test("coup: .30, Active, yields to the Coup, speaks and becomes Standby")
    func coupLoser() throws {
        try replay("HSRP_coup.pcap", as: 30, priority: 100, preempt: true, enabledAt: -30_000)
    }

    @Test("our frames are the router's frames, byte for byte but for the IP identification")
    func framesAreEqual() throws {
        for name in ["HSRP_election.pcap", "HSRP_coup.pcap"] {
            for packet in try Capture(name: name).packets {
                guard case .message(let message) = packet.datagram else { continue }
                var ours = Frames.hsrp(message, from: packet.source, sourceMAC: packet.sourceMAC)
                var theirs = Array(packet.frame.prefix(ours.count))
                for offset in [18, 19, 24, 25] {
                    ours[offset] = 0
                    theirs[offset] = 0
                }
                #expect(ours == theirs)
            }
        }
    }
}
