// SPDX-License-Identifier: Apache-2.0

import Primitives
import Testing
import Tracking

/// Drives the scripts of a node on a virtual clock of milliseconds.
private struct Node {
    var machine = ScriptMachine()

    init(_ scripts: [Int: ScriptSettings]) { _ = at(0, .configured(scripts)) }

    mutating func at(_ milliseconds: Int, _ event: ScriptMachine.Event) -> [String] {
        var actions: [ScriptMachine.Action] = []
        machine.handle(event, at: Instant(nanoseconds: 0) + .milliseconds(milliseconds), actions: &actions)
        return actions.map { action in
            switch action {
            case .start(let object, _): return "start \(object)"
            case .killGroup(let process): return "kill \(process)"
            case .report(let report):
                let state = report.observation.map { $0.isUp ? "up" : "down" } ?? "unknown"
                let reason = report.observation?.reason.map { " (\($0))" } ?? ""
                return "\(report.object) \(state)\(reason), last \(report.runs?.last ?? "")"
            }
        }
    }

    /// One run that begins now and ends 10 ms later.
    mutating func run(_ milliseconds: Int, _ object: Int, _ outcome: ScriptOutcome) -> [String] {
        #expect(at(milliseconds, .deadlineReached) == ["start \(object)"])
        #expect(at(milliseconds, .started(object: object, process: 77)) == [])
        #expect(at(milliseconds + 10, .ending(process: 77)) == ["kill 77"])
        return at(milliseconds + 10, .ended(process: 77, outcome))
    }

    var due: Int? { machine.nextDeadline.map { Int($0.nanoseconds / 1_000_000) } }
}

private func script(rise: Int = 1, fall: Int = 1) -> ScriptSettings {
    var settings = ScriptSettings(path: "/etc/havpn/probe")
    settings.rise = rise
    settings.fall = fall
    return settings
}

@Suite("Scripts")
struct ScriptMachineTests {
    @Test("a script runs every interval, counted from start to start, and its status says what is")
    func interval() {
        var node = Node([1: script()])
        #expect(node.due == 0)
        #expect(node.run(0, 1, .exited(0)) == ["1 up, last exit status 0"])
        #expect(node.due == 5000)
        #expect(node.at(4999, .deadlineReached) == [])
        #expect(node.run(5000, 1, .exited(3)) == ["1 down (exit status 3), last exit status 3"])
        #expect(node.run(10_000, 1, .killed(11)) == ["1 down (killed by signal 11), last killed by signal 11"])
        #expect(node.run(15_000, 1, .exited(0)) == ["1 up, last exit status 0"])
    }

    @Test("at the timeout the whole group is killed, and nothing starts before it is gone")
    func timeout() {
        var node = Node([1: script()])
        #expect(node.at(0, .deadlineReached) == ["start 1"])
        #expect(node.at(0, .started(object: 1, process: 7)) == [])
        #expect(node.due == 2000)
        #expect(node.at(2000, .deadlineReached) == ["kill 7", "1 down (timed out), last timed out"])
        #expect(node.at(5000, .deadlineReached) == [])
        #expect(node.at(7000, .deadlineReached) == ["kill 7", "1 down (timed out), last timed out"])
        #expect(node.at(7500, .ending(process: 7)) == ["kill 7"])
        #expect(node.at(7500, .ended(process: 7, .killed(9))) == [])
        #expect(node.run(7500, 1, .exited(0)) == ["1 up, last exit status 0"])
    }

    @Test("the first result counts at once; then it takes rise or fall in a row")
    func riseAndFall() {
        var node = Node([1: script(rise: 2, fall: 3)])
        #expect(node.run(0, 1, .exited(1)) == ["1 down (exit status 1), last exit status 1"])
        #expect(node.run(5000, 1, .exited(0)).first?.hasPrefix("1 down") == true)
        #expect(node.run(10_000, 1, .exited(1)).first?.hasPrefix("1 down") == true)
        #expect(node.run(15_000, 1, .exited(0)).first?.hasPrefix("1 down") == true)
        #expect(node.run(20_000, 1, .exited(0)).first?.hasPrefix("1 up") == true)
        #expect(node.run(25_000, 1, .exited(1)) == ["1 up, last exit status 1"])
        #expect(node.run(30_000, 1, .exited(1)) == ["1 up, last exit status 1"])
        #expect(node.run(35_000, 1, .exited(1)) == ["1 down (exit status 1), last exit status 1"])
    }

    @Test("what cannot run is down, says why, and is tried again")
    func notRun() {
        var node = Node([1: script()])
        #expect(node.at(0, .deadlineReached) == ["start 1"])
        let said = "1 down (cannot run: does not exist), last cannot run: does not exist"
        #expect(node.at(0, .notStarted(object: 1, reason: "does not exist")) == [said])
        #expect(node.due == 5000)
    }

    @Test("every outcome is counted under its own name")
    func counts() {
        var node = Node([1: script()])
        let outcomes: [ScriptOutcome] = [
            .exited(0), .exited(0), .exited(1), .killed(9), .notRun(reason: "no"), .timedOut,
        ]
        for (index, outcome) in outcomes.enumerated() where outcome != .timedOut {
            _ = node.run(index * 5000, 1, outcome)
        }
        _ = node.at(25_000, .deadlineReached)
        _ = node.at(25_000, .started(object: 1, process: 8))
        var actions: [ScriptMachine.Action] = []
        node.machine.handle(.deadlineReached, at: Instant(nanoseconds: 27_000_000_000), actions: &actions)
        node.machine.handle(.listenerStarted, at: Instant(nanoseconds: 27_000_000_000), actions: &actions)
        guard case .report(let report)? = actions.last, let runs = report.runs else {
            Issue.record("no report")
            return
        }
        #expect(runs.successes == 2 && runs.failures == 1 && runs.signals == 1 && runs.refusals == 1)
        #expect(runs.timeouts == 1 && runs.last == "timed out" && runs.lastMilliseconds == 2000)
    }

    @Test("several scripts do not all start at once")
    func spread() {
        var node = Node([1: script(), 2: script(), 3: script()])
        #expect(node.at(0, .deadlineReached) == ["start 1"])
        #expect(node.at(0, .notStarted(object: 1, reason: "no")).count == 1)
        #expect(node.at(200, .deadlineReached) == ["start 2", "start 3"])
    }

    @Test("a reload kills what is not wanted any more and lets the rest run on")
    func reload() {
        var node = Node([1: script(), 2: script()])
        #expect(node.at(100, .deadlineReached) == ["start 1", "start 2"])
        _ = node.at(100, .started(object: 1, process: 7))
        _ = node.at(100, .started(object: 2, process: 8))
        #expect(node.at(200, .configured([1: script(), 2: script(rise: 2)])) == ["kill 8"])
        #expect(node.at(200, .ending(process: 8)) == [])
        #expect(node.at(200, .ended(process: 8, .killed(9))) == [])
        #expect(node.at(300, .ended(process: 7, .exited(0))) == ["1 up, last exit status 0"])
        #expect(node.at(400, .stopped) == [])
        #expect(node.due == nil)
        #expect(node.at(500, .started(object: 2, process: 9)) == ["kill 9"])
    }
}
