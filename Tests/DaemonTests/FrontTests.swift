// SPDX-License-Identifier: Apache-2.0

import Configuration
import Control
import LinuxIO
import Testing

@testable import Daemon

@Suite("Front")
struct FrontTests {
    @Test("a good configuration goes on in canonical form")
    func accepted() throws {
        let front = try FrontHarness("accepted")
        front.configure(FrontHarness.text.replacing("standby 10 name", with: "st 10 na"))
        try front.until { front.received.count == 2 }
        guard case .configurationAccepted(1, let text) = front.received[1] else {
            Issue.record("\(front.received)")
            return
        }
        #expect(load(text, fileName: "canonical").model == load([UInt8](FrontHarness.text.utf8), fileName: "x").model)
    }

    @Test("a faulty configuration is refused with its faults and replaces nothing")
    func refused() throws {
        let front = try FrontHarness("refused")
        front.configure(FrontHarness.text)
        front.configure("interfce eth1\n", revision: 2)
        try front.until { front.received.count == 3 }
        guard case .configurationRefused(2, let text) = front.received[2] else {
            Issue.record("\(front.received)")
            return
        }
        #expect(text.hasPrefix("test.conf:1:1: error: unknown statement `interfce`"))
        #expect(front.node.model?.hostname == "R3")
        #expect(try front.ask(ControlRequest(.showRunningConfiguration)).contains("hostname R3"))
    }

    @Test("questions go to the process that knows, answers come back whole")
    func forwarding() throws {
        let front = try FrontHarness("forwarding")
        try front.connect(.failover)
        try front.connect(.replication)
        var view = StandbyView()
        view.groups = [StandbyView.Group()]
        let standby = encodeJSON(view)
        front.onQuery[.failover] = { $0.command == .showStandby ? standby : nil }
        front.onQuery[.replication] = { $0.command == .showRedundancy ? encodeJSON(RedundancyView()) : nil }
        #expect(try front.ask(ControlRequest(.showStandby)) == String(decoding: standby, as: UTF8.self))
        #expect(try front.ask(ControlRequest(.showRedundancy)).contains(#""state":"DISABLED""#))
    }

    @Test("show redundancy tells the state of the scheme's group as well")
    func redundancy() throws {
        let front = try FrontHarness("redundancy")
        try front.connect(.failover)
        try front.connect(.replication)
        var standby = StandbyView()
        standby.groups = [StandbyView.Group(), StandbyView.Group()]
        standby.groups[1].name = "VPN"
        standby.groups[1].state = "Active"
        var redundancy = RedundancyView()
        redundancy.scheme = "VPN"
        let answers = (encodeJSON(standby), encodeJSON(redundancy))
        front.onQuery[.failover] = { _ in answers.0 }
        front.onQuery[.replication] = { _ in answers.1 }
        #expect(try front.ask(ControlRequest(.showRedundancy)).contains(#""groupState":"Active""#))
        front.disconnect(.failover)
        #expect(try front.ask(ControlRequest(.showRedundancy)).contains(#""groupState":null"#))
        front.disconnect(.replication)
        try front.until { front.node.others.isEmpty }
        #expect(try front.ask(ControlRequest(.showRedundancy)).contains(#""code":"unavailable""#))
    }

    @Test("a process that is not there, or dies meanwhile, is an error, not a silence")
    func unavailable() throws {
        let front = try FrontHarness("unavailable")
        #expect(try front.ask(ControlRequest(.showStandby)).contains(#""code":"unavailable""#))
        try front.connect(.failover)
        let client = try front.client()
        client.send(ControlRequest(.showTrack))
        try front.until { front.count("control.requests") == 2 }
        front.disconnect(.failover)
        #expect(try front.answer(to: client).contains(#""code":"unavailable""#))
    }

    @Test("secrets are hidden; root may see them")
    func secrets() throws {
        let front = try FrontHarness("secrets")
        #expect(try front.ask(ControlRequest(.showRunningConfiguration)).contains(#""code":"unavailable""#))
        front.configure(FrontHarness.text)
        try front.until { front.node.model != nil }
        let hidden = try front.ask(ControlRequest(.showRunningConfiguration))
        #expect(hidden.contains("<hidden>") && !hidden.contains("pa55word"))
        var request = ControlRequest(.showRunningConfiguration)
        request.secrets = true
        let shown = try front.ask(request)
        // As root the data is shown, as anybody else the request is denied.
        #expect(shown.contains("pa55word") || shown.contains(#""code":"not-permitted""#))
    }

    @Test("counters of all processes are added up by name")
    func counters() throws {
        let front = try FrontHarness("counters")
        try front.connect(.failover)
        try front.connect(.replication)
        front.onQuery[.failover] = { _ in encodeJSON(CountersView(["hello.received": 3, "channel.malformed": 1])) }
        front.onQuery[.replication] = { _ in encodeJSON(CountersView(["record.sent": 4, "channel.malformed": 2])) }
        let text = try front.ask(ControlRequest(.showCounters))
        let view = try decodeJSON(CountersView.self, from: [UInt8](text.utf8))
        #expect(view.counters["hello.received"] == 3 && view.counters["record.sent"] == 4)
        #expect(view.counters["channel.malformed"] == 3)
        #expect(view.counters["control.requests"] == 1)
    }

    @Test("metrics carry counters and states")
    func metrics() throws {
        let front = try FrontHarness("metrics")
        try front.connect(.failover)
        var view = StandbyView()
        view.groups = [StandbyView.Group()]
        view.groups[0].interface = "eth1"
        let standby = encodeJSON(view)
        front.onQuery[.failover] = { $0.command == .showStandby ? standby : encodeJSON(CountersView(["a.b": 7])) }
        let text = try front.ask(ControlRequest(.metrics))
        let metrics = try decodeJSON(MetricsView.self, from: [UInt8](text.utf8)).text
        #expect(metrics.contains("havpn_events_total{name=\"a.b\"} 7\n"))
        #expect(metrics.contains("havpn_group_state{interface=\"eth1\",group=\"0\",state=\"Initial\"} 1\n"))
    }

    @Test("events are stamped, remembered and told to who follows")
    func events() throws {
        let front = try FrontHarness("events")
        try front.connect(.failover)
        let follower = try front.client()
        follower.send(ControlRequest(.monitor))
        try front.until { front.count("control.requests") == 1 }
        var event = EventView("hsrp-state", line: "%HSRP-5-STATECHANGE: eth1 Grp 10 state Standby -> Active")
        event.group = 10
        front.send(.event(text: encodeJSON(event)), from: .failover)
        front.send(.event(text: [1, 2, 3]), from: .failover)
        let line = try front.answer(to: follower)
        let seen = try decodeJSON(EventView.self, from: [UInt8](line.utf8))
        #expect(seen.group == 10 && seen.time?.hasSuffix("Z") == true)
        try front.until { front.count("event.malformed") == 1 }
        let text = try front.ask(ControlRequest(.showLogging))
        #expect(try decodeJSON(LoggingView.self, from: [UInt8](text.utf8)).events == [seen])
    }

    @Test("a reload reports what came of it")
    func reload() throws {
        let front = try FrontHarness("reload")
        front.configure(FrontHarness.text)
        try front.until { front.node.model != nil }
        let outcomes = [
            (FrontHarness.text, #""changed":false"#), (FrontHarness.text + "\n standby 10 preempt", #""changed":true"#),
            ("nonsense", #""code":"configuration-refused""#),
        ]
        for (revision, (text, expected)) in outcomes.enumerated() {
            let client = try front.client()
            client.send(ControlRequest(.reload))
            let asked = front.received.count { $0 == .reloadRequested }
            try front.until { front.received.count { $0 == .reloadRequested } == asked + 1 || client.next() }
            if client.next() {
                // Tests that do not run as root may not change anything.
                #expect(client.frames[0].contains(#""code":"not-permitted""#))
                continue
            }
            front.configure(text, revision: UInt32(revision) + 2)
            #expect(try front.answer(to: client).contains(expected))
        }
    }

    @Test("version and the end")
    func version() throws {
        let front = try FrontHarness("version")
        front.configure(FrontHarness.text, revision: 9)
        try front.until { front.node.model != nil }
        let text = try front.ask(ControlRequest(.showVersion))
        let view = try decodeJSON(VersionView.self, from: [UInt8](text.utf8))
        #expect(view.version == Release.version && view.hostname == "R3" && view.configurationRevision == 9)
        #expect(!view.kernel.isEmpty)
        front.supervisor.send(.stop)
        try front.until { front.received.contains(.stopped) }
    }

    @Test("the ring forgets the oldest events and counts them")
    func ring() {
        var ring = EventRing()
        for number in 0..<Control.Limits.loggedEventCount + 5 {
            var event = EventView("test")
            event.object = number
            ring.append(event)
        }
        #expect(ring.view.dropped == 5)
        #expect(ring.view.events.count == Control.Limits.loggedEventCount)
        #expect(ring.view.events.first?.object == 5)
        #expect(ring.view.events.last?.object == Control.Limits.loggedEventCount + 4)
    }
}
