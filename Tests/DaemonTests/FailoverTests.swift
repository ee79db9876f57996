// SPDX-License-Identifier: Apache-2.0

import Configuration
import LinuxIO
import Primitives
import Testing
import Tracking

@testable import Daemon

@Suite struct FailoverTests {
    @Test(
        "the virtual MAC's interface has a readable name where it fits, and a unique one without a dot everywhere",
        arguments: [
            ("eth1", 7, 10, "hsrp-eth1-10"), ("eth1.20", 7, 1, "hsrp-eth1_20-1"),
            ("enp130s0f1", 12, 255, "hsrp-12-255"),
            ("a-very-long-one", 4_294_967, 0, "hsrp-4294967-0"),
        ] as [(String, UInt32, Int, String)])
    func macvlanNames(interface: String, index: UInt32, group: Int, expected: String) {
        let name = GroupRunner.macvlanName(interface: interface, index: index, group: group)
        #expect(name == expected)
        #expect(name.utf8.count <= 15)
    }

    @Test("a tracked object with a delay is told by its own timer, once")
    func trackTimer() throws {
        let reactor = try Reactor()
        var told: [TrackingMachine.Action] = []
        let track = TrackRunner(on: reactor) { told += $0 }
        var configured = Model.TrackedObject(number: 1, kind: .interface("eth0", .lineProtocol))
        configured.delayUpSeconds = 1
        track.configure([configured])
        let fell = TrackingMachine.Action.stateChanged(object: 1, from: .up, to: .down, reason: "cut")
        track.handle(.observed(1, Observation(isUp: false, reason: "cut")))
        #expect(told == [fell])
        track.handle(.observed(1, Observation(isUp: true)))
        #expect(told == [fell])
        let end = Reactor.now() + .milliseconds(3000)
        while told.count < 2, Reactor.now() < end { try reactor.runOnce(waitingAtMost: 100) }
        #expect(told == [fell, .stateChanged(object: 1, from: .down, to: .up, reason: nil)])
        track.cancel()
    }

    @Test("a reload changes a running object's delays and keeps its state")
    func trackReload() throws {
        let reactor = try Reactor()
        let track = TrackRunner(on: reactor) { _ in }
        var configured = Model.TrackedObject(number: 1, kind: .interface("eth0", .lineProtocol))
        track.configure([configured])
        track.handle(.observed(1, Observation(isUp: false)))
        configured.delayUpSeconds = 60
        track.configure([configured])
        #expect(track.state(of: 1) == .down)
        track.handle(.observed(1, Observation(isUp: true)))
        #expect(track.state(of: 1) == .down)
        #expect(track.machine.nextDeadline != nil)
        track.cancel()
    }
}
