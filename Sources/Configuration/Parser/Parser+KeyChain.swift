// SPDX-License-Identifier: Apache-2.0

import FirstHop

/// `key chain NAME`, `key NUMBER` under it, and what stands under that.
extension Parser {
    /// Whether a statement opens a chain: `key` alone means a key of the chain that is open, or is the system's.
    static func isKeyChain(_ statement: Statement) -> Bool {
        guard let second = statement.second, !second.isQuoted else { return false }
        return Keywords.match(second.text, among: ["chain"]) != .none
    }

    /// What follows `key` outside a chain.
    mutating func parseKeyChainLine(_ statement: inout Statement) throws(Fault) {
        _ = try statement.keyword(["chain"])
        let position = statement.position
        let name = try statement.word("the name of a key chain", maximumByteCount: Limits.keyChainNameByteCount)
        try statement.finish()
        modes.removeLast(modes.count - 1)
        if statement.isNegated {
            draft.model.keyChains.removeAll { $0.name == name }
            return
        }
        draft.editKeyChain(name) { _ in }
        if draft.places[.keyChain(name)] == nil { draft.places[.keyChain(name)] = position }
        enter(.keyChain(name))
    }

    /// `key NUMBER` inside a chain, or the next chain.
    mutating func parseKeyLine(_ statement: inout Statement, _ chain: String) throws(Fault) {
        if Self.isKeyChain(statement) {
            statement.skip()
            return try parseKeyChainLine(&statement)
        }
        _ = try statement.keyword(["key"])
        let position = statement.position
        let number = UInt32(try statement.integer(0...2_147_483_647, "the number of a key, or `chain`"))
        try statement.finish()
        if case .key = mode { modes.removeLast() }
        if statement.isNegated {
            draft.editKeyChain(chain) { $0.keys.removeAll { $0.number == number } }
            return
        }
        draft.editKey(chain, number) { _ in }
        if draft.places[.key(chain, number)] == nil { draft.places[.key(chain, number)] = position }
        enter(.key(chain, number))
    }

    mutating func parseKeySetting(_ statement: inout Statement, _ chain: String, _ number: UInt32) throws(Fault) {
        if statement.next?.text == "key" { return try parseKeyLine(&statement, chain) }
        let position = statement.position
        let word = try statement.keyword(Mode.key(chain, number).statements)
        let isNegated = statement.isNegated
        switch word {
        case "key-string":
            let secret = isNegated ? nil : try parseKey(&statement)
            draft.editKey(chain, number) { $0.secret = secret }
        case "accept-lifetime":
            let lifetime = isNegated ? nil : try parseLifetime(&statement)
            draft.editKey(chain, number) { $0.acceptLifetime = lifetime }
        case "send-lifetime":
            let lifetime = isNegated ? nil : try parseLifetime(&statement)
            draft.editKey(chain, number) { $0.sendLifetime = lifetime }
        default:
            warn(position, "`\(word)` has no effect: hellos are authenticated by MD5")
            statement.skipRest()
        }
        if isNegated { statement.skipRest() }
        try statement.finish()
    }

    /// `START {infinite | END | duration SECONDS}`.
    private func parseLifetime(_ statement: inout Statement) throws(Fault) -> KeyChain.Lifetime {
        if statement.next?.text == "local" {
            throw statement.fault("the local time is not available; write the times in UTC, without `local`")
        }
        let start = try statement.calendarTime("the start")
        let place = statement
        if let first = statement.next?.text.utf8.first, (48...57).contains(first) {
            let end = try statement.calendarTime("the end")
            guard end > start else { throw place.fault("expected an end behind the start, found an earlier one") }
            return KeyChain.Lifetime(start: start, end: end)
        }
        guard !statement.isAtEnd else {
            throw statement.fault("expected `infinite`, `duration SECONDS` or the end at the end of the line")
        }
        if try statement.keyword(["infinite", "duration"]) == "infinite" { return KeyChain.Lifetime(start: start) }
        let duration = try statement.integer(1...2_147_483_646, "the duration in seconds")
        return KeyChain.Lifetime(start: start, end: start + duration)
    }
}
