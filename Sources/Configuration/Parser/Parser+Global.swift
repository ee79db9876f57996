// SPDX-License-Identifier: Apache-2.0

extension Parser {
    mutating func parseGlobal(_ statement: inout Statement) throws(Fault) {
        switch try statement.keyword(Mode.global.statements) {
        case "hostname": try parseHostname(&statement)
        case "track": try parseTrackObject(&statement)
        case "ip": try parseIPLine(&statement)
        case "key": try parseKeyChainLine(&statement)
        case "notify": try parseNotifyLine(&statement)
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
