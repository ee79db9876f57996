// SPDX-License-Identifier: Apache-2.0

extension Parser {
    mutating func parseGlobal(_ statement: inout Statement) throws(Fault) {
        switch try statement.keyword(Mode.global.statements) {
        case "hostname": try parseHostname(&statement)
        case "track": try parseTrackObject(&statement)
        case "interface": try parseInterfaceLine(&statement)
        case "ipc": try parseZoneLine(&statement)
        case "redundancy": try parseRedundancyLine(&statement)
        case "crypto": try parseCrypto(&statement, interface: nil)
        default: try parseIKEDaemonLine(&statement)
        }
    }

    /// Warns where a statement replaces an earlier one with another value.
    mutating func note(_ place: Place, _ position: Position, replaces: Bool) {
        if replaces, let earlier = draft.places[place] {
            warn(position, "this replaces what line \(earlier.line) says")
        }
        draft.places[place] = position
    }

    private mutating func parseHostname(_ statement: inout Statement) throws(Fault) {
        if statement.isNegated {
            draft.model.hostname = Model().hostname
            draft.places[.hostname] = nil
            return
        }
        let position = statement.position
        let name = try statement.word("the node's name", maximumByteCount: Limits.hostnameByteCount)
        guard name.utf8.allSatisfy({ Self.isHostnameByte($0) }) else {
            throw Fault(
                position: position,
                message: "expected a host name of letters, digits, `-`, `.` and `_`, found `\(name)`")
        }
        try statement.finish()
        note(.hostname, position, replaces: draft.model.hostname != name)
        draft.model.hostname = name
    }

    private static func isHostnameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"):
            true
        default: false
        }
    }

    // MARK: track

    private mutating func parseTrackObject(_ statement: inout Statement) throws(Fault) {
        let position = statement.position
        let number = try statement.integer(1...1000, "the number of a tracked object")
        if statement.isNegated {
            try statement.finish()
            draft.model.trackedObjects.removeAll { $0.number == number }
            draft.places[.track(number)] = nil
            return
        }
        let known = draft.model.trackedObjects.first { $0.number == number }
        if statement.isAtEnd, known != nil {
            enter(.track(number))
            return
        }
        if let kind = statement.next, ["ip", "ipv6", "list", "rtr", "stub-object", "application"].contains(kind.text) {
            throw statement.unavailable(
                "track \(number) \(kind.text)", write: "track \(number) interface NAME line-protocol")
        }
        _ = try statement.keyword(["interface"])
        let interface = try statement.interfaceName()
        if let kind = statement.next, kind.text == "ip" || kind.text == "ipv6" {
            throw statement.unavailable(
                "track \(number) interface \(interface) \(kind.text) routing",
                write: "track \(number) interface \(interface) line-protocol")
        }
        _ = try statement.keyword(["line-protocol"])
        try statement.finish()
        if let known, known.interface != interface {
            throw Fault(
                position: position,
                message: "object \(number) already watches \(known.interface) "
                    + "(line \(draft.position(of: .track(number)).line)); use another number")
        }
        if known == nil {
            draft.model.trackedObjects.append(Model.TrackedObject(number: number, interface: interface))
            draft.places[.track(number)] = position
        }
        enter(.track(number))
    }

    /// `delay [up S] [down S]` under a tracked object.
    mutating func parseTrack(_ statement: inout Statement, _ number: Int) throws(Fault) {
        _ = try statement.keyword(["delay"])
        guard let index = draft.model.trackedObjects.firstIndex(where: { $0.number == number }) else { return }
        var object = draft.model.trackedObjects[index]
        if statement.isNegated {
            object.delayUpSeconds = 0
            object.delayDownSeconds = 0
            statement.skipRest()
        } else {
            repeat {
                let direction = try statement.keyword(["up", "down"])
                let seconds = try statement.integer(0...180, "the delay in seconds")
                if direction == "up" { object.delayUpSeconds = seconds } else { object.delayDownSeconds = seconds }
            } while !statement.isAtEnd
        }
        draft.model.trackedObjects[index] = object
    }

    // MARK: interface

    private mutating func parseInterfaceLine(_ statement: inout Statement) throws(Fault) {
        let position = statement.position
        let name = try statement.interfaceName()
        try statement.finish()
        if statement.isNegated {
            draft.model.interfaces.removeAll { $0.name == name }
            draft.mapRedundancies.removeAll { $0.interface == name }
            for index in draft.model.cryptoMaps.indices {
                draft.model.cryptoMaps[index].interfaces.removeAll { $0 == name }
            }
            return
        }
        draft.editInterface(name) { _ in }
        if draft.places[.interface(name)] == nil { draft.places[.interface(name)] = position }
        enter(.interface(name))
    }

    mutating func parseInterface(_ statement: inout Statement, _ name: String) throws(Fault) {
        switch try statement.keyword(Mode.interface(name).statements) {
        case "standby": try parseStandby(&statement, name)
        default: try parseCrypto(&statement, interface: name)
        }
    }
}
