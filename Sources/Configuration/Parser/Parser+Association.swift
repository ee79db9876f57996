// SPDX-License-Identifier: Apache-2.0

private import Primitives

/// `ipc zone default` and what stands under it (reference ipsec-ha §5.1).
extension Parser {
    mutating func parseZoneLine(_ statement: inout Statement) throws(Fault) {
        _ = try statement.keyword(["zone"])
        _ = try statement.keyword(["default"])
        try statement.finish()
        if statement.isNegated {
            draft.association = nil
            draft.isAssociationShut = false
        } else {
            enter(.zone)
        }
    }

    mutating func parseZone(_ statement: inout Statement) throws(Fault) {
        _ = try statement.keyword(["association"])
        let position = statement.position
        let number = try statement.integer(1...255, "the number of the association")
        try statement.finish()
        if statement.isNegated {
            if draft.association?.number == number { draft.association = nil }
            return
        }
        if let known = draft.association, known.number != number {
            throw Fault(
                position: position,
                message: "there can be one association, and line \(draft.position(of: .association).line) "
                    + "has number \(known.number)")
        }
        if draft.association == nil {
            draft.association = Model.Association()
            draft.places[.association] = position
        }
        draft.association?.number = number
        enter(.association)
    }

    mutating func parseAssociation(_ statement: inout Statement) throws(Fault) {
        let position = statement.position
        if try statement.keyword(Mode.association.statements) == "shutdown" {
            try statement.finish()
            draft.isAssociationShut = !statement.isNegated
            return
        }
        _ = try statement.keyword(["sctp"])
        try statement.finish()
        if statement.isNegated {
            throw Fault(
                position: position, message: "an association needs `protocol sctp`; remove it by `no association`")
        }
        enter(.sctp)
    }

    mutating func parseSCTP(_ statement: inout Statement) throws(Fault) {
        let word = try statement.keyword(Mode.sctp.statements)
        switch word {
        case "local-port", "remote-port":
            let isLocal = word == "local-port"
            if !statement.isNegated || !statement.isAtEnd {
                let port = try statement.integer(1...65535, "the \(isLocal ? "local" : "remote") port")
                try statement.finish()
                let value = statement.isNegated ? 5000 : port
                if isLocal { draft.association?.localPort = value } else { draft.association?.remotePort = value }
            }
            if !statement.isNegated { enter(isLocal ? .sctpLocal : .sctpRemote) }
        default: try parseTuning(&statement, word)
        }
    }

    mutating func parseLocal(_ statement: inout Statement) throws(Fault) {
        let word = try statement.keyword(Mode.sctpLocal.statements)
        guard word == "local-ip" else { return try parseTuning(&statement, word) }
        let position = statement.position
        let addresses = try parseAddresses(&statement, "a local address")
        note(
            .localAddresses, position,
            replaces: draft.association?.localAddresses != [] && draft.association?.localAddresses != addresses)
        draft.association?.localAddresses = addresses
    }

    mutating func parseRemote(_ statement: inout Statement) throws(Fault) {
        _ = try statement.keyword(["remote-ip"])
        let position = statement.position
        let addresses = try parseAddresses(&statement, "an address of the peer")
        note(
            .remoteAddresses, position,
            replaces: draft.association?.remoteAddresses != [] && draft.association?.remoteAddresses != addresses)
        draft.association?.remoteAddresses = addresses
    }

    private func parseAddresses(_ statement: inout Statement, _ what: String) throws(Fault) -> [IPv4Address] {
        if statement.isNegated {
            statement.skipRest()
            return []
        }
        var addresses: [IPv4Address] = []
        repeat {
            let place = statement
            guard addresses.count < Limits.associationAddressCount else {
                throw place.fault("expected at most \(Limits.associationAddressCount) addresses on this line")
            }
            let address = try statement.address(what)
            guard !addresses.contains(address) else { throw place.fault("`\(address)` is named twice") }
            addresses.append(address)
        } while !statement.isAtEnd
        return addresses
    }

    private mutating func parseTuning(_ statement: inout Statement, _ word: String) throws(Fault) {
        var tuning = draft.association?.tuning ?? Model.Association.Tuning()
        let position = statement.position
        if statement.isNegated {
            statement.skipRest()
            switch word {
            case "retransmit-timeout":
                tuning.minimumTimeoutMilliseconds = nil
                tuning.maximumTimeoutMilliseconds = nil
            case "path-retransmit": tuning.pathRetransmissions = nil
            case "assoc-retransmit": tuning.associationRetransmissions = nil
            default: break
            }
            draft.association?.tuning = tuning
            return
        }
        switch word {
        case "retransmit-timeout":
            let least = try statement.integer(10...60000, "the least retransmission timeout in milliseconds")
            let place = statement
            let greatest = try statement.integer(10...60000, "the greatest retransmission timeout in milliseconds")
            guard greatest >= least else {
                throw place.fault("expected a greatest timeout of at least the least one, \(least) ms")
            }
            tuning.minimumTimeoutMilliseconds = least
            tuning.maximumTimeoutMilliseconds = greatest
        case "path-retransmit":
            tuning.pathRetransmissions = try statement.integer(1...10, "the retransmissions before a path has failed")
        case "assoc-retransmit":
            tuning.associationRetransmissions = try statement.integer(
                1...20, "the retransmissions before the association has failed")
        default:
            statement.skipRest()
            warn(position, "`\(word)` has no effect here")
        }
        try statement.finish()
        draft.places[.tuning] = position
        draft.association?.tuning = tuning
    }
}
