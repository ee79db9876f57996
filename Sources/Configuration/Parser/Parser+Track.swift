// SPDX-License-Identifier: Apache-2.0

private import Primitives
import Tracking

/// `track NUMBER …` and the lines under it (reference first-hop §3.1).
extension Parser {
    mutating func parseTrackObject(_ statement: inout Statement) throws(Fault) {
        let position = statement.position
        let number = try statement.integer(1...1000, "the number of a tracked object")
        if statement.isNegated {
            statement.skipRest()
            draft.model.trackedObjects.removeAll { $0.number == number }
            draft.places[.track(number)] = nil
            return
        }
        let known = draft.model.trackedObjects.first { $0.number == number }
        if statement.isAtEnd, known != nil {
            enter(.track(number))
            return
        }
        let kind = try parseTrackKind(&statement, number)
        try statement.finish()
        if let known {
            guard known.kind.isContinued(by: kind) else {
                throw Fault(
                    position: position,
                    message: "object \(number) is `\(known.kind.sentence)` already "
                        + "(line \(draft.position(of: .track(number)).line)); use another number")
            }
        } else {
            draft.model.trackedObjects.append(Model.TrackedObject(number: number, kind: kind))
            draft.places[.track(number)] = position
        }
        enter(.track(number))
    }

    private func parseTrackKind(_ statement: inout Statement, _ number: Int) throws(Fault) -> ObjectKind {
        let place = statement
        if let word = statement.next?.text, ["stub-object", "application", "service"].contains(word) {
            throw statement.unavailable(
                "track \(number) \(word)", write: "track \(number) interface NAME line-protocol")
        }
        switch try statement.keyword(["interface", "ip", "ipv6", "list", "script", "process", "file", "rtr"]) {
        case "interface": return try parseTrackedInterface(&statement)
        case "script": return try parseTrackedScript(&statement)
        case "process": return try parseTrackedProcess(&statement)
        case "file": return try parseTrackedFile(&statement)
        case "rtr": return try parseTrackedEcho(&statement)
        case "ip":
            if try statement.keyword(["route", "sla"]) == "sla" { return try parseTrackedEcho(&statement) }
            return try parseTrackedRoute(&statement, .ipv4(try statement.prefix("the network whose route is tracked")))
        case "ipv6":
            _ = try statement.keyword(["route"])
            return try parseTrackedRoute(
                &statement, .ipv6(try statement.ipv6Prefix("the network whose route is tracked")))
        default: return try parseTrackedList(&statement, place)
        }
    }

    private func parseTrackedInterface(_ statement: inout Statement) throws(Fault) -> ObjectKind {
        let name = try statement.interfaceName()
        let aspect: InterfaceAspect
        switch try statement.keyword(["line-protocol", "ip", "ipv6"]) {
        case "line-protocol": return .interface(name, .lineProtocol)
        case "ip": aspect = .ipRouting
        default: aspect = .ipv6Routing
        }
        _ = try statement.keyword(["routing"])
        return .interface(name, aspect)
    }

    private func parseTrackedRoute(
        _ statement: inout Statement, _ destination: IPPrefix
    ) throws(Fault) -> ObjectKind {
        if statement.next?.text.hasPrefix("metric") == true {
            throw statement.unavailable("metric threshold", write: "reachability")
        }
        _ = try statement.keyword(["reachability"])
        return .route(destination)
    }

    private func parseTrackedList(_ statement: inout Statement, _ place: Statement) throws(Fault) -> ObjectKind {
        if try statement.keyword(["boolean", "threshold"]) == "boolean" {
            return .list(ObjectList(rule: try statement.keyword(["and", "or"]) == "and" ? .and : .or))
        }
        let isWeight = try statement.keyword(["weight", "percentage"]) == "weight"
        return .list(ObjectList(rule: isWeight ? .weight(.unset) : .percentage(.unset)))
    }

    // MARK: Under a tracked object

    mutating func parseTrack(_ statement: inout Statement, _ number: Int) throws(Fault) {
        guard let index = draft.model.trackedObjects.firstIndex(where: { $0.number == number }) else { return }
        var object = draft.model.trackedObjects[index]
        let place = statement
        switch try statement.keyword(Mode.track(number).statements) {
        case "delay": try parseDelay(&statement, &object)
        case "object": try parseMember(&statement, &object, try object.list(for: "object", at: place))
        case "threshold": try parseThreshold(&statement, &object, try object.list(for: "threshold", at: place))
        case "default-state": try parseDefaultState(&statement, &object, place)
        case let word: try parseScriptSetting(&statement, &object, word, place)
        }
        try statement.finish()
        draft.model.trackedObjects[index] = object
    }

    /// `delay [up S] [down S]`.
    private func parseDelay(_ statement: inout Statement, _ object: inout Model.TrackedObject) throws(Fault) {
        if statement.isNegated {
            object.delayUpSeconds = 0
            object.delayDownSeconds = 0
            return statement.skipRest()
        }
        repeat {
            let direction = try statement.keyword(["up", "down"])
            let seconds = try statement.integer(0...180, "the delay in seconds")
            if direction == "up" { object.delayUpSeconds = seconds } else { object.delayDownSeconds = seconds }
        } while !statement.isAtEnd
    }

    /// `object M [not] [weight W]`.
    private mutating func parseMember(
        _ statement: inout Statement, _ object: inout Model.TrackedObject, _ known: ObjectList
    ) throws(Fault) {
        let position = statement.position
        var list = known
        var member = ObjectList.Member(object: try statement.integer(1...1000, "the number of a tracked object"))
        list.members.removeAll { $0.object == member.object }
        if statement.isNegated {
            statement.skipRest()
        } else {
            if !statement.isAtEnd {
                switch list.rule {
                case .and, .or:
                    _ = try statement.keyword(["not"])
                    member.isNegated = true
                case .weight:
                    _ = try statement.keyword(["weight"])
                    member.weight = try statement.integer(1...255, "the member's weight")
                case .percentage: try statement.finish()
                }
            }
            list.members.append(member)
            draft.places[.trackMember(object.number, object: member.object)] = position
        }
        object.kind = .list(list)
    }

    /// `threshold weight|percentage up U [down D]`; `down` is one less than `up` unless it is given.
    private func parseThreshold(
        _ statement: inout Statement, _ object: inout Model.TrackedObject, _ known: ObjectList
    ) throws(Fault) {
        var list = known
        let place = statement
        let word = try statement.keyword(["weight", "percentage"])
        let most: Int
        switch (list.rule, word) {
        case (.weight, "weight"): most = 255 * Tracking.Limits.membersPerListCount
        case (.percentage, "percentage"): most = 100
        default:
            throw place.fault("`threshold \(word)` does not fit `\(object.kind.sentence)`")
        }
        var thresholds = ObjectList.Thresholds.unset
        if statement.isNegated {
            statement.skipRest()
        } else {
            var down: Int?
            repeat {
                let direction = try statement.keyword(["up", "down"])
                let value = try statement.integer(0...most, "the threshold")
                if direction == "up" { thresholds.up = value } else { down = value }
            } while !statement.isAtEnd
            guard thresholds.up > 0 else {
                throw place.fault("expected `threshold \(word) up NUMBER`, a number above 0, in the same line")
            }
            thresholds.down = down ?? thresholds.up - 1
            guard thresholds.down < thresholds.up else {
                throw place.fault("expected a `down` below `up`: between the two the list stays what it is")
            }
        }
        list.rule = word == "weight" ? .weight(thresholds) : .percentage(thresholds)
        object.kind = .list(list)
    }
}

extension Model.TrackedObject {
    /// The object's list, for a statement that only lists have.
    fileprivate func list(for word: String, at place: Statement) throws(Fault) -> ObjectList {
        guard case .list(let list) = kind else {
            throw place.fault("`\(word)` belongs under `track NUMBER list …`; object \(number) is `\(kind.sentence)`")
        }
        return list
    }
}

extension ObjectList.Thresholds {
    /// Before `threshold` was said; the validator refuses it.
    static let unset = ObjectList.Thresholds(up: 0, down: 0)
}

extension ObjectKind {
    /// Whether `track N KIND`, said again, means the object that is there.
    fileprivate func isContinued(by other: ObjectKind) -> Bool {
        if case .script(let script) = self, case .script(let again) = other { return script.path == again.path }
        guard case .list(let list) = self, case .list(let again) = other else { return self == other }
        switch (list.rule, again.rule) {
        case (.and, .and), (.or, .or), (.weight, .weight), (.percentage, .percentage): return true
        default: return false
        }
    }
}
