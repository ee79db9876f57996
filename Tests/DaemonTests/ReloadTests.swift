// SPDX-License-Identifier: Apache-2.0

import FirstHop
import LinuxIO
import Primitives
import Testing

@testable import Daemon

/// A reload disturbs what it names and nothing else, on a real kernel.
@Suite("Reload by difference", .serialized, .enabled(if: NetworkNamespace.isAvailable))
struct ReloadTests {
    private static let bystander = """
        interface eth2
         standby 20 ip 10.2.0.100
         standby 20 timers msec 50 msec 200

        """
    private static let before = FailoverBench.text + bystander

    /// What would show that a group was touched.
    private struct Traces: Equatable {
        var runner: ObjectIdentifier
        var port: ObjectIdentifier?
        var carrier: UInt32?
        var state: HSRPState
        var changes: Int
        var term: UInt64

        init(_ runner: GroupRunner) {
            self.runner = ObjectIdentifier(runner)
            port = runner.port.map(ObjectIdentifier.init)
            carrier = runner.carrierIndex
            state = runner.machine.state
            changes = runner.machine.stateChangeCount
            term = runner.machine.roleTerm
        }
    }

    /// A line more under eth1, and whether its group goes on undisturbed.
    private static let changes: [(lines: String, goesOn: Bool)] = [
        (" standby 10 priority 120", true), (" standby 10 preempt", true),
        (" standby 10 preempt delay minimum 60", true),
        (" standby 10 preempt delay reload 60", true), (" standby 10 preempt\n standby 10 preempt delay sync 60", true),
        (" standby delay minimum 60 reload 90", true), (" standby 10 timers msec 60 msec 250", true),
        (" standby 10 authentication text other", true),
        (" standby 10 authentication md5 key-string secret timeout 60", true), (" standby 10 name VPN", true),
        (" standby 10 probe 10.1.0.5", true), (" standby 10 track 1 decrement 20", true),
        (" standby 10 track 1 shutdown\ntrack 1 interface eth2 line-protocol", true),
        (" standby 11 ip 10.1.0.101", true), ("hostname other", true), ("track 7 interface eth2 line-protocol", true),
        (" standby 10 ip 10.1.0.101 secondary", true),
        (" standby 10 ip 10.1.0.101", false), (" standby version 2", false), (" standby use-bia", false),
        (" no standby 10", false), (" standby 10 follow LEAD\ninterface eth2\n standby 20 name LEAD", false),
    ]

    @Test("each statement disturbs at most the group that it names", arguments: changes)
    func eachStatement(lines: String, goesOn: Bool) throws {
        try FailoverBench.run { bench in
            try bench.configure(Self.before)
            try bench.wait { bench.node.groups.values.allSatisfy { $0.machine.state == .active } }
            let (own, other) = (Traces(try bench.group()), Traces(try bench.group(20, on: "eth2")))
            try bench.configure(Self.bystander + FailoverBench.text + lines + "\n")
            try bench.run(milliseconds: 150)
            #expect(Traces(try bench.group(20, on: "eth2")) == other)
            let now = bench.node.groups[.init(interface: "eth1", number: 10)].map(Traces.init)
            #expect((now == own) == goesOn, "\(String(describing: now))")
            #expect(bench.node.counters["kernel.refused"] == nil)
            // And back.
            try bench.configure(Self.before)
            try bench.wait { bench.state() == .active }
            #expect(Traces(try bench.group(20, on: "eth2")) == other)
            #expect(try bench.holdsAddress())
        }
    }

    /// The text that brings the group into a state, and what must still be so behind a reload that says nothing new.
    private static let situations: [(more: String, state: HSRPState)] = [
        (" standby delay minimum 600\n", .initial), (" standby 10 timers 1 30\n", .listen),
        (" standby 10 track 1 shutdown\ntrack 1 interface gone line-protocol\n", .initial), ("", .active),
        (" standby 10 authentication md5 key-file /etc/havpn/none\n", .initial),
    ]

    @Test("a reload in every state and delay, the same text or one about others, moves nothing", arguments: situations)
    func everyState(more: String, state: HSRPState) throws {
        try FailoverBench.run { bench in
            try bench.configure(FailoverBench.text + more)
            try bench.wait { bench.state() == state }
            try bench.run(milliseconds: 30)
            let before = Traces(try bench.group())
            let deadline = try bench.group().machine.startDeadline
            for text in ["", Self.bystander, "hostname x\n"] {
                try bench.configure(FailoverBench.text + more + text)
                try bench.run(milliseconds: 30)
                #expect(Traces(try bench.group()) == before)
                #expect(try bench.group().machine.startDeadline == deadline)
            }
        }
    }

    @Test("a hundred reloads in a row, every second one another text, move nothing and cost no hello")
    func storm() throws {
        try FailoverBench.run { bench in
            try bench.configure(Self.before)
            try bench.wait { bench.node.groups.values.allSatisfy { $0.machine.state == .active } }
            let before = bench.node.groups.mapValues(Traces.init)
            let late = bench.node.counters["hello.late", default: 0]
            let start = Reactor.now()
            for number in 0..<100 {
                try bench.configure(
                    Self.before + (number.isMultiple(of: 2) ? "track 9 interface eth9 line-protocol\n" : ""))
                try bench.run(milliseconds: 5)
            }
            let took = Reactor.now().since(start)
            #expect(bench.node.groups.mapValues(Traces.init) == before)
            #expect(bench.node.tracks.entries.isEmpty)
            // Two groups, a hello each 50 ms: none may be later than a tenth of that more often than a busy machine explains.
            let more = bench.node.counters["hello.late", default: 0] - late
            #expect(more <= UInt64(took.milliseconds / 50), "\(more) late hellos in \(took.milliseconds) ms")
            #expect(try bench.holdsAddress())
        }
    }

    @Test("a text that is refused leaves everything as it is")
    func refused() throws {
        try FailoverBench.run { bench in
            try bench.becomeActive()
            let before = Traces(try bench.group())
            try bench.configure("interface eth1\n standby 10 ip nowhere\n")
            #expect(Traces(try bench.group()) == before)
            #expect(bench.node.counters["configuration.refused"] == 1)
        }
    }
}
