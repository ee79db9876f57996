// SPDX-License-Identifier: Apache-2.0

/// A word of a line.
struct Token: Hashable, Sendable {
    var text: String
    /// The byte where it starts, from 1.
    var column: Int
    /// It stood between quotation marks: a value, never a keyword.
    var isQuoted = false
}

/// A line with at least one token.
struct Line: Hashable, Sendable {
    /// From 1.
    var number: Int
    var tokens: [Token]
    /// White space before the first token, a tab counted to the next multiple of 8.
    var indentation: Int
}

/// Cuts a text into lines and words: white space separates, `"` quotes, `!` after white space starts a comment.
struct Tokenizer {
    private let text: ArraySlice<UInt8>
    private(set) var lines: [Line] = []
    private(set) var faults: [Fault] = []

    init(_ bytes: [UInt8]) {
        let mark: [UInt8] = [0xef, 0xbb, 0xbf]
        text = bytes.starts(with: mark) ? bytes.dropFirst(mark.count) : bytes[...]
        var number = 0
        for line in text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
            number += 1
            do {
                try read(line, number)
            } catch {
                faults.append(error)
            }
        }
    }

    private mutating func read(_ bytes: ArraySlice<UInt8>, _ number: Int) throws(Fault) {
        var bytes = bytes
        if bytes.last == UInt8(ascii: "\r") { bytes.removeLast() }
        guard bytes.count <= Limits.lineByteCount else {
            throw Fault(
                position: Position(line: number, column: Limits.lineByteCount + 1),
                message: "the line is longer than \(Limits.lineByteCount) bytes")
        }
        var tokens: [Token] = []
        var rest = bytes
        while true {
            rest = rest.drop(while: Self.isSpace)
            guard let first = rest.first, first != UInt8(ascii: "!") else { break }
            let place = Position(line: number, column: rest.startIndex - bytes.startIndex + 1)
            tokens.append(try Self.token(&rest, at: place))
        }
        guard let first = tokens.first else { return }
        lines.append(Line(number: number, tokens: tokens, indentation: Self.width(bytes.prefix(first.column - 1))))
    }

    private static func token(_ rest: inout ArraySlice<UInt8>, at place: Position) throws(Fault) -> Token {
        let isQuoted = rest.first == UInt8(ascii: "\"")
        let word: ArraySlice<UInt8>
        if isQuoted {
            rest.removeFirst()
            guard let end = rest.firstIndex(of: UInt8(ascii: "\"")) else {
                throw Fault(position: place, message: "expected a closing quotation mark (\") on this line")
            }
            word = rest[..<end]
            rest = rest[(end + 1)...]
            if let next = rest.first, !isSpace(next) {
                throw Fault(position: place, message: "expected white space after the closing quotation mark")
            }
        } else {
            word = rest.prefix { !isSpace($0) }
            rest = rest[word.endIndex...]
        }
        guard let text = String(validating: word, as: UTF8.self), !text.unicodeScalars.contains(where: isControl) else {
            throw Fault(position: place, message: "expected printable UTF-8 text")
        }
        return Token(text: text, column: place.column, isQuoted: isQuoted)
    }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") }

    private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
        scalar.value < 0x20 || (0x7f...0x9f).contains(scalar.value)
    }

    private static func width(_ blanks: ArraySlice<UInt8>) -> Int {
        blanks.reduce(0) { $1 == UInt8(ascii: "\t") ? ($0 / 8 + 1) * 8 : $0 + 1 }
    }
}
