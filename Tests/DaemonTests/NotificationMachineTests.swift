// SPDX-License-Identifier: Apache-2.0

import Configuration
import FirstHop
import Primitives
import Testing

@testable import Daemon

private typealias Action = NotificationMachine.Action

/// A machine with its clock; every start succeeds as the next process number.
private struct Bench {
    var machine = NotificationMachine()
    var now = Instant(nanoseconds: 0)
    var process: Int32 = 100

    init(_ notifications: [Model.Notification]) { _ = step(.configured(notifications)) }

    mutating func step(_ event: NotificationMachine.Event) -> [Action] {
        var actions: [Action] = []
        machine.handle(event, at: now, actions: &actions)
        for case .start(let settings, _, _) in actions {
            process += 1
            machine.handle(.started(path: settings.path, process: process), at: now, actions: &actions)
        }
        return actions
    }

    mutating func end(_ process: Int32, isSuccess: Bool = true) -> [Action] {
        step(
            .ended(
                process: process, how: isSuccess ? "exited with status 0" : "exited with status 1", isSuccess: isSuccess
            ))
    }
}

private func change(_ number: Int, name: String = "VPN") -> GroupChange {
    GroupChange(
        interface: "eth1", group: 10, name: name, from: .standby, to: .active, reason: "\(number)", term: UInt64(number)
    )
}

private let first = Model.Notification(path: "/etc/havpn/a")
private let second: Model.Notification = {
    var notification = Model.Notification(path: "/etc/havpn/b")
    notification.group = "VPN"
    notification.timeoutSeconds = 3
    return notification
}()

@Suite("Notifications") struct NotificationMachineTests {
    @Test("each program hears of each change in order, one run at a time; programs do not wait for each other")
    func order() {
        var bench = Bench([first, second])
        #expect(
            bench.step(.changed(change(1))) == [
                .start(first, change(1), dropped: 0), .start(second, change(1), dropped: 0),
            ])
        #expect(bench.step(.changed(change(2))).isEmpty && bench.step(.changed(change(3))).isEmpty)
        #expect(bench.end(102) == [.start(second, change(2), dropped: 0)])
        #expect(bench.end(101) == [.start(first, change(2), dropped: 0)])
        #expect(bench.end(104) == [.start(first, change(3), dropped: 0)])
        #expect(bench.end(105).isEmpty)
        #expect(!bench.machine.isIdle)
        #expect(bench.end(103) == [.start(second, change(3), dropped: 0)])
        _ = bench.end(106)
        #expect(bench.machine.isIdle && bench.machine.nextDeadline == nil)
        #expect(bench.machine.counters == ["notify.started": 6])
    }

    @Test("a program that names a group hears of that one alone")
    func filter() {
        var bench = Bench([second])
        #expect(bench.step(.changed(change(1, name: "LAN"))).isEmpty)
        #expect(bench.step(.changed(change(1, name: ""))).isEmpty)
        #expect(bench.step(.changed(change(2))) == [.start(second, change(2), dropped: 0)])
    }

    @Test(
        "a run that does not end in time is killed with its group, again until it is gone, and then the next one starts"
    )
    func timeout() {
        var bench = Bench([second])
        _ = bench.step(.changed(change(1)))
        _ = bench.step(.changed(change(2)))
        #expect(bench.machine.nextDeadline == bench.now + .seconds(3))
        bench.now = bench.now + .seconds(3)
        #expect(bench.step(.deadlineReached).first == .killGroup(process: 101))
        bench.now = bench.now + .seconds(5)
        #expect(bench.step(.deadlineReached) == [.killGroup(process: 101)])
        #expect(bench.step(.ending(process: 101)) == [.killGroup(process: 101)])
        // Not counted as failed besides: it was us who killed it.
        #expect(bench.end(101, isSuccess: false) == [.start(second, change(2), dropped: 0)])
        #expect(bench.machine.counters == ["notify.started": 2, "notify.timedOut": 1])
    }

    @Test("at the limit of the queue the oldest change is dropped, counted, and told with the next one")
    func overflow() {
        var bench = Bench([first])
        _ = bench.step(.changed(change(0)))
        for number in 1...(NotificationMachine.Limits.queued + 3) {
            #expect(bench.step(.changed(change(number))).isEmpty)
        }
        #expect(bench.machine.counters["notify.dropped"] == 3)
        var process: Int32 = 101
        var heard: [String] = []
        while case .start(_, let change, let dropped)? = bench.end(process).first {
            heard.append(change.reason)
            #expect(dropped == (heard.count == 1 ? 3 : 0))
            process += 1
        }
        #expect(heard == (4...67).map(String.init))
    }

    @Test("what fails or cannot be started is logged and counted, and the next change is told all the same")
    func failures() {
        var bench = Bench([first])
        _ = bench.step(.changed(change(1)))
        _ = bench.step(.changed(change(2)))
        let failed = bench.end(101, isSuccess: false)
        #expect(
            failed == [
                .log("%HAVPN-4-NOTIFY: /etc/havpn/a exited with status 1"), .start(first, change(2), dropped: 0),
            ])
        #expect(
            bench.step(.notStarted(path: "/etc/havpn/a", reason: "no such file")) == [
                .log("%HAVPN-4-NOTIFY: /etc/havpn/a: no such file")
            ])
        #expect(bench.machine.counters == ["notify.started": 2, "notify.failed": 1, "notify.refused": 1])
    }

    @Test("a reload kills what is no longer named, and leaves the rest with its queue")
    func reload() {
        var bench = Bench([first, second])
        _ = bench.step(.changed(change(1)))
        _ = bench.step(.changed(change(2)))
        var slower = second
        slower.timeoutSeconds = 60
        #expect(bench.step(.configured([slower])) == [.killGroup(process: 101)])
        #expect(bench.end(101, isSuccess: false).isEmpty)
        #expect(bench.end(102) == [.start(slower, change(2), dropped: 0)])
        #expect(bench.machine.nextDeadline == bench.now + .seconds(60))
        // A start that was under way when its program was removed.
        var machine = NotificationMachine()
        var actions: [Action] = []
        machine.handle(.started(path: "/etc/havpn/a", process: 7), at: bench.now, actions: &actions)
        #expect(actions == [.killGroup(process: 7)])
    }
}
