// SPDX-License-Identifier: Apache-2.0

import Primitives

/// A line being read word by word; each reader says what it expected.
struct Statement {
    let line: Line
    /// The line began with `no`.
    let isNegated: Bool
    private var index: Int

    init(_ line: Line) {
        self.line = line
        let first = line.tokens[0]
        isNegated = line.tokens.count > 1 && !first.isQuoted && first.text == "no"
        index = isNegated ? 1 : 0
    }

    var isAtEnd: Bool { index == line.tokens.count }

    /// Where the next token stands, or the place after the last one.
    var position: Position {
        if index < line.tokens.count { return Position(line: line.number, column: line.tokens[index].column) }
        let last = line.tokens[line.tokens.count - 1]
        return Position(line: line.number, column: last.column + last.text.utf8.count + (last.isQuoted ? 2 : 0))
    }

    /// The next token, nil at the end.
    var next: Token? { isAtEnd ? nil : line.tokens[index] }

    /// The token after the next.
    var second: Token? { index + 1 < line.tokens.count ? line.tokens[index + 1] : nil }

    /// The whole line in one form, for messages.
    var text: String { line.tokens.map(\.text).joined(separator: " ") }

    mutating func skip() { index = min(index + 1, line.tokens.count) }

    mutating func skipRest() { index = line.tokens.count }

    /// Reads one of `known`.
    mutating func keyword(_ known: [String]) throws(Fault) -> String {
        let expected = Keywords.list(known.map { "`\($0)`" })
        guard let next else { throw fault("expected \(expected) at the end of the line") }
        guard !next.isQuoted else { throw fault("expected \(expected) without quotation marks") }
        switch Keywords.match(next.text, among: known) {
        case .one(let word):
            index += 1
            return word
        case .several(let words):
            throw fault("`\(next.text)` may mean \(Keywords.list(words.map { "`\($0)`" })); write more of it")
        case .none:
            let hint = Keywords.nearest(to: next.text, among: known).map { "; did you mean `\($0)`?" } ?? ""
            throw fault("expected \(expected), found `\(next.text)`\(hint)")
        }
    }

    /// Reads one of `known` if the next word is one; otherwise reads nothing.
    mutating func optionalKeyword(_ known: [String]) -> String? {
        guard let next, !next.isQuoted, case .one(let word) = Keywords.match(next.text, among: known) else {
            return nil
        }
        index += 1
        return word
    }

    /// Reads a whole number within `range`.
    mutating func integer(_ range: ClosedRange<Int>, _ what: String) throws(Fault) -> Int {
        let expected = "expected \(what), a number from \(range.lowerBound) to \(range.upperBound)"
        guard let next else { throw fault("\(expected), at the end of the line") }
        guard next.text.utf8.count <= 10, next.text.utf8.allSatisfy({ (48...57).contains($0) }),
            let value = Int(next.text), range.contains(value)
        else { throw fault("\(expected), found `\(next.text)`") }
        index += 1
        return value
    }

    /// Reads an IPv4 address.
    mutating func address(_ what: String) throws(Fault) -> IPv4Address {
        guard let next else { throw fault("expected \(what), an IPv4 address, at the end of the line") }
        guard let address = IPv4Address(text: next.text) else {
            if next.text.contains(":") {
                throw fault("expected \(what), an IPv4 address; an IPv6 address cannot stand here")
            }
            throw fault("expected \(what), an IPv4 address such as 10.1.0.3, found `\(next.text)`")
        }
        index += 1
        return address
    }

    /// Reads an address of either family.
    mutating func anyAddress(_ what: String) throws(Fault) -> IPAddress {
        guard let next else { throw fault("expected \(what), an address, at the end of the line") }
        guard let address = IPAddress(text: next.text) else {
            throw fault("expected \(what), an address such as 10.1.0.3 or 2001:db8::3, found `\(next.text)`")
        }
        index += 1
        return address
    }

    /// Reads a value of 1 to `maximumByteCount` bytes.
    mutating func word(_ what: String, maximumByteCount: Int) throws(Fault) -> String {
        guard let next else { throw fault("expected \(what) at the end of the line") }
        guard (1...maximumByteCount).contains(next.text.utf8.count) else {
            throw fault("expected \(what) of 1 to \(maximumByteCount) bytes, found \(next.text.utf8.count)")
        }
        index += 1
        return next.text
    }

    /// Reads the name of a kernel interface.
    mutating func interfaceName() throws(Fault) -> String {
        guard let next else {
            throw fault("expected the name of an interface, such as eth1, at the end of the line")
        }
        let isName =
            (1...Limits.interfaceNameByteCount).contains(next.text.utf8.count) && next.text != "." && next.text != ".."
            && next.text.utf8.allSatisfy { $0 > 0x20 && $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: ":") }
        guard isName else {
            throw fault(
                "expected the kernel's name of an interface, such as eth1 "
                    + "(at most \(Limits.interfaceNameByteCount) bytes, no `/` or `:`), found `\(next.text)`")
        }
        index += 1
        return next.text
    }

    /// Nothing more may follow.
    func finish() throws(Fault) {
        guard let next else { return }
        throw fault("expected the end of the line, found `\(next.text)`")
    }

    func fault(_ message: String) -> Fault { Fault(position: position, message: message) }

    /// A fault for what the language knows and this release does not do.
    func unavailable(_ what: String, write: String) -> Fault {
        fault("`\(what)` is not available in this release; write `\(write)`")
    }
}
