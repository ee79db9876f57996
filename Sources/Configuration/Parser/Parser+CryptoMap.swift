// SPDX-License-Identifier: Apache-2.0

/// `crypto map …` in global, interface and crypto-map mode.
extension Parser {
    /// What follows `crypto`, wherever it stands; `interface` is the interface whose mode it is.
    mutating func parseCrypto(_ statement: inout Statement, interface: String?) throws(Fault) {
        _ = try statement.keyword(["map"])
        let position = statement.position
        let name = try statement.word("the name of a crypto map", maximumByteCount: Limits.cryptoMapNameByteCount)
        if draft.places[.map(name)] == nil { draft.places[.map(name)] = position }
        guard let next = statement.next else { return applyMap(statement, name, interface) }
        if !next.isQuoted, let first = next.text.utf8.first, (48...57).contains(first) {
            return try parseEntryLine(&statement, name)
        }
        let word = try statement.keyword(["redundancy", "local-address", "client", "isakmp", "gdoi"])
        guard word == "redundancy" else {
            statement.skipRest()
            warn(position, "`crypto map \(name) \(word)` is skipped: this belongs to \(Foreign.ipsec.rawValue)")
            return
        }
        if isReplayInterval(statement) {
            try parseReplayInterval(&statement, name)
        } else {
            try parseMapRedundancy(&statement, name, interface)
        }
    }

    private mutating func applyMap(_ statement: Statement, _ name: String, _ interface: String?) {
        if statement.isNegated {
            if let interface {
                draft.editMap(name) { $0.interfaces.removeAll { $0 == interface } }
                draft.mapRedundancies.removeAll { $0.map == name && $0.interface == interface }
            } else {
                draft.model.cryptoMaps.removeAll { $0.name == name }
                draft.mapRedundancies.removeAll { $0.map == name }
            }
            return
        }
        draft.editMap(name) { map in
            if let interface, !map.interfaces.contains(interface) { map.interfaces.append(interface) }
        }
    }

    private mutating func parseEntryLine(_ statement: inout Statement, _ name: String) throws(Fault) {
        let position = statement.position
        let sequence = try statement.integer(1...65535, "the number of a crypto map entry")
        if statement.isNegated {
            statement.skipRest()
            draft.editMap(name) { $0.entries.removeAll { $0.sequence == sequence } }
            return
        }
        if !statement.isAtEnd {
            _ = try statement.keyword(["ipsec-isakmp", "ipsec-manual", "gdoi"])
            statement.skipRest()
        }
        draft.editEntry(name, sequence) { _ in }
        if draft.places[.entry(name, sequence)] == nil { draft.places[.entry(name, sequence)] = position }
        // An entry is a global mode, whatever mode it was written in.
        modes.removeLast(modes.count - 1)
        enter(.cryptoMap(name, sequence: sequence))
    }

    /// `replay-interval` is a keyword only in front of `inbound` or `outbound`: a group may bear the name.
    private func isReplayInterval(_ statement: Statement) -> Bool {
        guard let word = statement.next, !word.isQuoted, !word.text.isEmpty,
            "replay-interval".hasPrefix(word.text.lowercased())
        else { return false }
        guard let side = statement.second else { return statement.isNegated }
        return !side.isQuoted && Keywords.match(side.text, among: ["inbound", "outbound"]) != .none
    }

    private mutating func parseReplayInterval(_ statement: inout Statement, _ name: String) throws(Fault) {
        let position = statement.position
        statement.skip()
        let fresh = Model.CryptoMap(name: name)
        var inbound: Int?
        var outbound: Int?
        if statement.isNegated {
            statement.skipRest()
            inbound = fresh.inboundReplayInterval
            outbound = fresh.outboundReplayInterval
        }
        while !statement.isAtEnd {
            if try statement.keyword(["inbound", "outbound"]) == "inbound" {
                inbound = try statement.integer(0...10_000, "the inbound interval in packets")
            } else {
                outbound = try statement.integer(1000...10_000_000, "the outbound interval in packets")
            }
        }
        draft.places[.replayInterval(name)] = position
        draft.editMap(name) { map in
            if let inbound { map.inboundReplayInterval = inbound }
            if let outbound { map.outboundReplayInterval = outbound }
        }
    }

    private mutating func parseMapRedundancy(
        _ statement: inout Statement, _ name: String, _ interface: String?
    ) throws(Fault) {
        if statement.isNegated {
            statement.skipRest()
            draft.mapRedundancies.removeAll { $0.map == name && $0.interface == interface }
            return
        }
        let position = statement.position
        let group = try statement.word("the name of a group", maximumByteCount: Limits.groupNameByteCount)
        let isStateful = !statement.isAtEnd
        if isStateful { _ = try statement.keyword(["stateful"]) }
        try statement.finish()
        applyMap(statement, name, interface)
        draft.mapRedundancies.append(
            MapRedundancy(map: name, group: group, isStateful: isStateful, interface: interface, position: position))
        if draft.places[.mapRedundancy(name)] == nil { draft.places[.mapRedundancy(name)] = position }
    }

    // MARK: crypto map NAME NUMBER

    mutating func parseEntry(_ statement: inout Statement, _ name: String, _ sequence: Int) throws(Fault) {
        switch try statement.keyword(["set", "reverse-route", "crypto"]) {
        case "crypto": try parseCrypto(&statement, interface: nil)
        case "reverse-route":
            let position = statement.position
            if !statement.isAtEnd {
                warn(position, "what follows `reverse-route` has no effect: routes lead toward the peer by themselves")
                statement.skipRest()
            }
            let wanted = !statement.isNegated
            draft.editEntry(name, sequence) { $0.reverseRoute = wanted }
        default: try parseSetPeer(&statement, name, sequence)
        }
    }

    private mutating func parseSetPeer(
        _ statement: inout Statement, _ name: String, _ sequence: Int
    ) throws(Fault) {
        _ = try statement.keyword(["peer"])
        if statement.isNegated, statement.isAtEnd {
            draft.editEntry(name, sequence) { entry in
                entry.peers = []
                entry.acceptsAnyPeer = false
            }
            return
        }
        let wanted = !statement.isNegated
        if let next = statement.next, !next.isQuoted, next.text == "any" {
            statement.skip()
            try statement.finish()
            draft.editEntry(name, sequence) { $0.acceptsAnyPeer = wanted }
            return
        }
        let peer = try statement.anyAddress("the peer, or `any`")
        _ = statement.optionalKeyword(["default"])
        try statement.finish()
        draft.editEntry(name, sequence) { entry in
            entry.peers.removeAll { $0 == peer }
            if wanted { entry.peers.append(peer) }
        }
    }
}
