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
        var configured = Model.TrackedObject(number: 1, interface: "eth0")
        configured.delayUpSeconds = 1
        var told: [String] = []
        let track = TrackRunner(configured, on: reactor) { _, from, to in told.append("\(from.name)->\(to.name)") }
        track.handle(.observed(isUp: false))
        #expect(told == ["Up->Down"])
        track.handle(.observed(isUp: true))
        #expect(told == ["Up->Down"])
        let end = Reactor.now() + .milliseconds(3000)
        while told.count < 2, Reactor.now() < end { try reactor.runOnce(waitingAtMost: 100) }
        #expect(told == ["Up->Down", "Down->Up"])
        track.cancel()
    }

    @Test("a reload changes a running object's delays and keeps its state")
    func trackReload() throws {
        let reactor = try Reactor()
        let track = TrackRunner(Model.TrackedObject(number: 1, interface: "eth0"), on: reactor) { _, _, _ in }
        track.handle(.observed(isUp: false))
        var changed = track.configured
        changed.delayUpSeconds = 60
        track.reconfigure(changed)
        #expect(track.object.state == .down)
        track.handle(.observed(isUp: true))
        #expect(track.object.state == .down)
        #expect(track.object.nextDeadline != nil)
        track.cancel()
    }
}
