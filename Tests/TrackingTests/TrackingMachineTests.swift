// SPDX-License-Identifier: Apache-2.0

import Primitives
import Testing
import Tracking

/// Drives all objects of a node on a virtual clock of milliseconds.
private struct Node {
    var machine = TrackingMachine()

    init(_ settings: ObjectSettings...) { _ = at(0, .configured(settings)) }

    mutating func at(_ milliseconds: Int, _ event: TrackingMachine.Event) -> [String] {
        var actions: [TrackingMachine.Action] = []
        machine.handle(event, at: Instant(nanoseconds: 0) + .milliseconds(milliseconds), actions: &actions)
        return actions.map { action in
            guard case .stateChanged(let object, let from, let to, let reason) = action else { return "" }
            return "\(object) \(from.name)->\(to.name)" + (reason.map { " (\($0))" } ?? "")
        }
    }

    mutating func see(_ milliseconds: Int, _ object: Int, _ isUp: Bool) -> [String] {
        at(milliseconds, .observed(object, Observation(isUp: isUp)))
    }
}

private func link(_ number: Int, down: Int = 0, up: Int = 0) -> ObjectSettings {
    ObjectSettings(
        number: number, kind: .interface("eth\(number)", .lineProtocol), downDelay: .seconds(down),
        upDelay: .seconds(up))
}

private func list(
    _ number: Int, _ rule: ObjectList.Rule, _ members: ObjectList.Member..., down: Int = 0, up: Int = 0
) -> ObjectSettings {
    ObjectSettings(
        number: number, kind: .list(ObjectList(rule: rule, members: members)), downDelay: .seconds(down),
        upDelay: .seconds(up))
}

@Suite("Tracked objects and lists of a node")
struct TrackingMachineTests {
    @Test("boolean and: one member that is down takes the list down, named")
    func and() {
        var node = Node(link(1), link(2), list(10, .and, .init(object: 1), .init(object: 2)))
        #expect(node.see(1, 1, true) == [])
        #expect(node.see(1, 2, true) == [])
        #expect(node.see(2, 2, false) == ["2 Up->Down", "10 Up->Down (object 2 Down)"])
        #expect(node.see(3, 1, false) == ["1 Up->Down"])
        #expect(node.machine.entries[10]?.object.observation?.reason == "object 1 Down, object 2 Down")
        #expect(node.see(4, 2, true) == ["2 Down->Up"])
        #expect(node.see(5, 1, true) == ["1 Down->Up", "10 Down->Up"])
        #expect(node.machine.entries[10]?.object.changeCount == 2)
    }

    @Test("boolean or: up while one is, and `not` turns a member round")
    func or() {
        var node = Node(link(1), link(2), list(10, .or, .init(object: 1), .init(object: 2, isNegated: true)))
        #expect(node.see(1, 1, true) == [])
        #expect(node.see(1, 2, true) == [])
        #expect(node.see(2, 1, false) == ["1 Up->Down", "10 Up->Down (object 1 Down, object 2 not Up)"])
        #expect(node.see(3, 2, false) == ["2 Up->Down", "10 Down->Up"])
    }

    @Test("weights: between the thresholds a list stays what it is")
    func weights() {
        let thresholds = ObjectList.Thresholds(up: 30, down: 10)
        var node = Node(
            link(1), link(2), link(3),
            list(
                10, .weight(thresholds), .init(object: 1, weight: 10), .init(object: 2, weight: 20),
                .init(object: 3, weight: 5)))
        for object in 1...3 { #expect(node.see(1, object, true) == []) }
        #expect(node.see(2, 1, false) == ["1 Up->Down"])
        #expect(node.see(3, 3, false) == ["3 Up->Down"])
        #expect(node.see(4, 2, false) == ["2 Up->Down", "10 Up->Down (weight 0 of 35)"])
        #expect(node.see(5, 2, true) == ["2 Down->Up"])
        #expect(node.see(6, 1, true) == ["1 Down->Up", "10 Down->Up (weight 30 of 35)"])
    }

    @Test("percentage: the share of members that are up, undefined ones included")
    func percentage() {
        var node = Node(
            link(1), link(2),
            list(
                10, .percentage(.init(up: 67, down: 66)), .init(object: 1), .init(object: 2), .init(object: 99)))
        #expect(node.see(1, 1, true) == [])
        #expect(node.see(1, 2, true) == [])
        #expect(node.machine.entries[10]?.object.observation?.reason == "100% up")
        #expect(node.see(2, 1, false) == ["1 Up->Down", "10 Up->Down (66% up)"])
    }

    @Test("a list sees its members after their delays, and then has its own")
    func delays() {
        var node = Node(link(1, down: 2), list(10, .and, .init(object: 1), down: 3, up: 1))
        #expect(node.see(0, 1, true) == [])
        #expect(node.see(1000, 1, false) == [])
        #expect(node.at(3000, .deadlineReached) == ["1 Up->Down"])
        #expect(node.machine.nextDeadline == Instant(nanoseconds: 6_000_000_000))
        #expect(node.at(6000, .deadlineReached) == ["10 Up->Down (object 1 Down)"])
        #expect(node.see(7000, 1, true) == ["1 Down->Up"])
        #expect(node.see(7500, 1, false) == [])
        #expect(node.at(8000, .deadlineReached) == ["10 Down->Up"])
        #expect(node.machine.nextDeadline == Instant(nanoseconds: 9_500_000_000))
    }

    @Test("what is learned at the start is told without delay, by lists too")
    func start() {
        var node = Node(link(1, down: 9), link(2, down: 9), list(10, .and, .init(object: 1), .init(object: 2), down: 9))
        #expect(node.see(0, 1, false) == ["1 Up->Down", "10 Up->Down (object 1 Down)"])
        #expect(node.see(0, 2, true) == [])
        #expect(node.see(1, 1, true) == ["1 Down->Up", "10 Down->Up"])
        #expect(node.see(2, 1, false) == [])
        #expect(node.at(9002, .deadlineReached) == ["1 Up->Down"])
        #expect(node.at(18_002, .deadlineReached) == ["10 Up->Down (object 1 Down)"])
    }

    @Test("lists of lists follow at once, the innermost first")
    func nested() {
        var node = Node(
            link(1), link(2), list(10, .and, .init(object: 1)),
            list(20, .or, .init(object: 10), .init(object: 2)), list(30, .and, .init(object: 20, isNegated: true)))
        #expect(node.machine.state(of: 30) == .down)
        #expect(node.see(1, 1, true) == [])
        #expect(node.see(1, 2, false) == ["2 Up->Down"])
        let all = ["1 Up->Down", "10 Up->Down (object 1 Down)", "20 Up->Down (object 10 Down, object 2 Down)"]
        #expect(node.see(2, 1, false) == all + ["30 Down->Up"])
    }

    @Test("a reload keeps the states of what watches the same, and evaluates lists anew")
    func reload() {
        var node = Node(link(1), link(2), list(10, .and, .init(object: 1), .init(object: 2)))
        #expect(node.see(1, 1, false) == ["1 Up->Down", "10 Up->Down (object 1 Down)"])
        #expect(node.see(1, 2, true) == [])
        let other = ObjectSettings(number: 2, kind: .interface("eth7", .ipRouting))
        #expect(node.at(2, .configured([link(1, up: 5), other, list(10, .or, .init(object: 2))])) == ["10 Down->Up"])
        #expect(node.machine.state(of: 1) == .down && node.machine.entries[2]?.object.observation == nil)
        #expect(node.see(3, 1, true) == [])
        #expect(node.at(5003, .deadlineReached) == ["1 Down->Up"])
        #expect(node.at(6000, .configured([])) == [])
        #expect(node.machine.entries.isEmpty && node.machine.nextDeadline == nil)
    }

    @Test("news about nobody, and the same news again, change nothing")
    func silence() {
        var node = Node(link(1))
        #expect(node.see(0, 7, false) == [])
        #expect(node.see(0, 1, false) == ["1 Up->Down"])
        #expect(node.see(1, 1, false) == [])
        #expect(node.machine.entries[1]?.object.changeCount == 1)
    }

    @Test("a cycle, which configurations cannot have, ends by itself")
    func cycle() {
        var node = Node(link(1), list(10, .and, .init(object: 11, isNegated: true)), list(11, .and, .init(object: 10)))
        _ = node.see(1, 1, false)
        #expect(node.machine.entries.count == 3)
    }

    @Test("kinds are called what IOS calls them")
    func names() {
        let kinds: [(ObjectKind, String, String)] = [
            (.interface("eth0", .ipv6Routing), "interface ipv6 routing", "interface eth0 ipv6 routing"),
            (
                .route(.ipv4(IPv4Prefix(address: IPv4Address(10, 2, 0, 0), length: 24))), "ip route reachability",
                "ip route 10.2.0.0/24 reachability"
            ),
            (
                .route(.ipv6(IPv6Prefix(address: .any, length: 0))), "ipv6 route reachability",
                "ipv6 route ::/0 reachability"
            ),
            (.list(ObjectList(rule: .weight(.init(up: 1, down: 0)))), "list threshold weight", "list threshold weight"),
        ]
        for (kind, name, sentence) in kinds {
            #expect(kind.name == name)
            #expect(kind.sentence == sentence)
        }
    }
}
