// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import ClusterSimulation

/// One fault, or a few, against a pair that is HOT; every promise is watched, and all must be well again afterwards.
@Suite struct CaseTests {
    private func check(_ faults: [TimedFault], seed: UInt64 = 1, _ comment: Comment? = nil) {
        let outcome = Run.perform(Schedule(seed: seed, faults: faults), isLogging: true)
        if let violation = outcome.violation {
            Issue.record("seed \(seed): \(violation)\n\(outcome.log.suffix(60).joined(separator: "\n"))")
        }
    }

    @Test("a pair without faults gets HOT and stays so")
    func calm() { check([]) }

    @Test("any process of the Active or of the Standby may crash, at any of its next actions", arguments: 0...1)
    func crash(node: Int) {
        for kind in ProcessKind.allCases {
            for actions in 0...6 { check([.init(.crash(node, kind, afterActions: actions), at: 500, for: 1_000)]) }
        }
    }

    @Test("all processes of a node may be killed, or hang", arguments: 0...1)
    func wholeDaemon(node: Int) {
        for length in [100, 2_000, 8_000] as [UInt64] {
            check([.init(.killDaemon(node), at: 300, for: length)])
            check([.init(.stallAll(node), at: 300, for: length)])
        }
    }

    @Test("a machine may lose power", arguments: 0...1)
    func power(node: Int) {
        for length in [100, 2_000, 8_000] as [UInt64] { check([.init(.powerOff(node), at: 300, for: length)]) }
    }

    @Test("the association may be cut, in one direction or both, for any time", arguments: 0...1)
    func association(node: Int) {
        for length in [100, 1_500, 8_000] as [UInt64] {
            for isBothWays in [false, true] {
                check([.init(.syncCut(from: node, isBothWays: isBothWays), at: 300, for: length)])
            }
        }
    }

    @Test("the LAN may be cut, in one direction or both, while the association stands", arguments: 0...1)
    func lan(node: Int) {
        for length in [100, 1_500, 8_000] as [UInt64] {
            for isBothWays in [false, true] {
                check([.init(.lanCut(from: node, isBothWays: isBothWays), at: 300, for: length)])
            }
        }
    }

    @Test("a burst that outruns the margin, the association cut for long, and then the Active dies", arguments: 1...4)
    func outrunMargin(seed: UInt64) {
        for rate in [20_000, 600_000] as [UInt64] {
            for length in [1_000, 20_000, 60_000] as [UInt64] {
                check(
                    [
                        .init(.burst(packetsPerSecond: rate), at: 300, for: length + 30_000),
                        .init(.syncCut(from: 0, isBothWays: true), at: 400, for: length),
                        .init(.powerOff(0), at: length, for: 5_000),
                    ], seed: seed)
            }
        }
    }

    /// The log of a schedule that must break no promise.
    private func log(of faults: [TimedFault]) -> [String] {
        let outcome = Run.perform(Schedule(seed: 1, faults: faults), isLogging: true)
        if let violation = outcome.violation {
            Issue.record("\(violation)\n\(outcome.log.suffix(60).joined(separator: "\n"))")
        }
        return outcome.log
    }

    @Test("hellos lost, association alive, the Active's segment answers: it stays, and says so")
    func evidence() {
        let log = log(of: [.init(.lanCut(from: 0, isBothWays: true), at: 300, for: 8_000)])
        #expect(log.contains { $0.contains("R4") && $0.contains("its neighbour answers") })
        #expect(!log.contains { $0.contains("R4: Standby -> Active") })
    }

    @Test("the Active's switch port passes nothing: the Standby, whom the segment answers, is given the role")
    func deadPort() {
        let log = log(of: [.init(.deadPort(0), at: 300, for: 12_000)])
        #expect(log.contains { $0.contains("R4: the segment answers this node and not the Active") })
        #expect(log.contains { $0.contains("R4: Standby -> Active (given by the peer)") })
    }

    @Test("nothing passes either node's switch port: nothing moves")
    func deadPorts() {
        let log = log(of: [.init(.deadPort(0), at: 300, for: 8_000), .init(.deadPort(1), at: 300, for: 8_000)])
        #expect(log.contains { $0.contains("nothing moves") })
        #expect(!log.contains { $0.contains("R4: Standby -> Active") })
    }

    @Test("both witnesses lost: the hold time decides; healed, one of the two stays", arguments: 1...4)
    func split(seed: UInt64) {
        for length in [5_000, 20_000] as [UInt64] {
            check(
                [
                    .init(.lanCut(from: 0, isBothWays: true), at: 300, for: length),
                    .init(.syncCut(from: 0, isBothWays: true), at: 300, for: length),
                ], seed: seed)
            check(
                [
                    .init(.deadPort(0), at: 300, for: length),
                    .init(.syncCut(from: 0, isBothWays: true), at: 300, for: length),
                ], seed: seed)
        }
    }

    @Test("links of either node may fall and come back", arguments: 0...1)
    func links(node: Int) {
        for length in [10, 400, 8_000] as [UInt64] {
            check([.init(.insideLink(node), at: 300, for: length)])
            check([.init(.lanLink(node), at: 300, for: length)])
        }
    }

    @Test("another program may delete address and fence, and the operator may reload", arguments: 0...1)
    func theft(node: Int) {
        for at in [500, 900, 1_300] as [UInt64] {
            check([.init(.theft(node), at: at), .init(.theft(1 - node), at: at + 700)])
            check([.init(.switchover, at: at), .init(.theft(node), at: at + 2)])
            check([.init(.reload(node), at: at, for: 4_000), .init(.insideLink(node), at: at + 300, for: 2_000)])
        }
    }

    @Test("the operator hands over, and again")
    func switchover() { check([.init(.switchover, at: 500), .init(.switchover, at: 6_000)]) }
}
