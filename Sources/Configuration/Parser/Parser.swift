// SPDX-License-Identifier: Apache-2.0

/// Reads lines into a draft and keeps the modes.
///
/// ```
/// line ──column 0 and opens a global mode?──► leave all modes ─┐
///   └─ else the innermost mode that knows its first keyword ───┴─► statement ──► draft
/// ```
struct Parser {
    var draft = Draft()
    var remarks: [Remark] = []
    /// The modes from outside to inside, global first, each with the column at which it was opened.
    var modes: [(mode: Mode, indentation: Int)] = [(.global, -1)]
    private var skipped: [Foreign: Skipped] = [:]
    private var saidPrompts = false

    /// What was skipped on behalf of one owner.
    private struct Skipped {
        var position: Position
        var names: [String] = []
        var lineCount = 0
    }

    /// A diagnostic without its file.
    struct Remark {
        var position: Position
        var severity: Diagnostic.Severity
        var message: String
    }

    var mode: Mode { modes[modes.count - 1].mode }

    mutating func warn(_ position: Position, _ message: String) {
        remarks.append(Remark(position: position, severity: .warning, message: message))
    }

    mutating func refuse(_ fault: Fault) {
        remarks.append(Remark(position: fault.position, severity: .error, message: fault.message))
    }

    mutating func read(_ lines: [Line]) {
        for line in lines where !isNoise(line) {
            do {
                try read(line)
            } catch {
                refuse(error)
            }
        }
        reportSkipped()
    }

    private mutating func read(_ line: Line) throws(Fault) {
        var statement = Statement(line)
        guard let first = statement.next else { return }
        if line.tokens.count == 1, !first.isQuoted, first.text == "end" || first.text == "exit" {
            modes.removeLast(first.text == "end" ? modes.count - 1 : min(1, modes.count - 1))
            return
        }
        if line.indentation == 0, opensGlobalMode(statement) { modes.removeLast(modes.count - 1) }
        if case .skipped(let isFlat) = mode {
            if line.indentation > modes[modes.count - 1].indentation { return }
            if isFlat, !modes.contains(where: { knows(statement, in: $0.mode) }) {
                return try checkNearMiss(statement)
            }
            modes.removeLast()
        }
        try settle(statement)
        if let (owner, name) = Foreign.owner(of: statement, in: mode) {
            skip(statement, owner, name, at: line.indentation)
            return
        }
        let depth = modes.count
        do {
            try parse(&statement)
            for index in modes.indices.dropFirst(depth) { modes[index].indentation = line.indentation }
        } catch {
            // The lines under a faulty statement would only repeat the fault.
            if opensMode(Statement(line)) { modes.append((.skipped(isFlat: true), line.indentation)) }
            throw error
        }
    }

    /// Leaves modes until one knows the statement.
    private mutating func settle(_ statement: Statement) throws(Fault) {
        guard let index = modes.lastIndex(where: { knows(statement, in: $0.mode) }) else {
            throw unknown(statement)
        }
        modes.removeLast(modes.count - 1 - index)
    }

    private func knows(_ statement: Statement, in mode: Mode) -> Bool {
        guard let first = statement.next, !first.isQuoted else { return false }
        if Foreign.owner(of: statement, in: mode) != nil { return true }
        return Keywords.match(first.text, among: mode.statements) != .none
    }

    private func opensGlobalMode(_ statement: Statement) -> Bool {
        guard let first = statement.next, !first.isQuoted, !statement.isNegated else { return false }
        if Foreign.owner(of: statement, in: .global) != nil { return Foreign.opensMode(statement) }
        guard case .one(let word) = Keywords.match(first.text, among: Mode.global.statements) else { return false }
        if word == "key" { return Self.isKeyChain(statement) }
        return Mode.openers.contains(word) || (word == "crypto" && opensMode(statement))
    }

    /// Whether other lines may belong under this one.
    private func opensMode(_ statement: Statement) -> Bool {
        guard let first = statement.next, !statement.isNegated else { return false }
        let openers = Mode.openers + ["association", "protocol", "local-port", "remote-port"]
        if case .one(let word) = Keywords.match(first.text, among: mode.statements), openers.contains(word) {
            return true
        }
        // crypto map NAME NUMBER …
        return statement.line.tokens.count > 3 && Int(statement.line.tokens[3].text) != nil
            && "crypto".hasPrefix(first.text.lowercased())
    }

    private func unknown(_ statement: Statement) -> Fault {
        let word = statement.next?.text ?? ""
        let known = modes.reversed().flatMap(\.mode.statements)
        var message = "unknown statement `\(word)` \(mode.title)"
        if let meant = Keywords.nearest(to: word, among: known) {
            message += "; did you mean `\(meant)`?"
        } else if let home = Mode.home(of: word) {
            message += "; it belongs under \(home)"
        } else {
            message += "; expected \(Keywords.list(mode.statements.map { "`\($0)`" }))"
            if mode != .global { message += ", or one of the enclosing modes" }
        }
        return statement.fault(message)
    }

    /// Under a mode of other software anything may stand, yet a misspelt statement of ours must not vanish.
    private func checkNearMiss(_ statement: Statement) throws(Fault) {
        guard let word = statement.next?.text, word.utf8.count > 3,
            let meant = Keywords.nearest(to: word, among: Mode.openers + ["hostname"])
        else { return }
        throw statement.fault("unknown statement `\(word)`; did you mean `\(meant)`?")
    }

    private mutating func skip(_ statement: Statement, _ owner: Foreign, _ name: String, at indentation: Int) {
        var entry = skipped[owner] ?? Skipped(position: statement.position)
        entry.lineCount += 1
        if !entry.names.contains(name) { entry.names.append(name) }
        skipped[owner] = entry
        // Only what other software opens at the outermost level has lines of its own.
        if mode == .global, !statement.isNegated {
            modes.append((.skipped(isFlat: Foreign.opensMode(statement)), indentation))
        }
    }

    private mutating func reportSkipped() {
        for owner in Foreign.allCases {
            guard let entry = skipped[owner] else { continue }
            var names = entry.names.prefix(8).map { "`\($0)`" }
            if entry.names.count > 8 { names.append("\(entry.names.count - 8) other statements") }
            let lines = entry.lineCount == 1 ? "" : " (\(entry.lineCount) lines)"
            warn(
                entry.position,
                "skipped \(Keywords.list(names, joining: "and"))\(lines): this belongs to \(owner.rawValue)")
        }
    }

    /// Prompts, headings and log lines of a pasted session.
    private mutating func isNoise(_ line: Line) -> Bool {
        let first = line.tokens[0]
        guard !first.isQuoted else { return false }
        let text = first.text
        if text == "Building" || text == "Current", line.tokens.count > 1,
            line.tokens[1].text.hasPrefix("configuration")
        {
            return true
        }
        if text.hasPrefix("%") || text.hasPrefix("*") { return true }
        guard let end = text.firstIndex(where: { $0 == "#" || $0 == ">" }), end != text.startIndex else { return false }
        let isConfigurationPrompt = text[..<end].hasSuffix(")")
        if isConfigurationPrompt, line.tokens.count > 1 || text.index(after: end) != text.endIndex, !saidPrompts {
            saidPrompts = true
            warn(
                Position(line: line.number, column: first.column),
                "commands typed at a prompt are skipped: only the text of a configuration is read")
        }
        return true
    }

    private mutating func parse(_ statement: inout Statement) throws(Fault) {
        switch mode {
        case .global: try parseGlobal(&statement)
        case .keyChain(let name): try parseKeyLine(&statement, name)
        case .key(let chain, let number): try parseKeySetting(&statement, chain, number)
        case .interface(let name): try parseInterface(&statement, name)
        case .track(let number): try parseTrack(&statement, number)
        case .operation(let number): try parseOperation(&statement, number)
        case .notify(let path): try parseNotify(&statement, path)
        case .zone: try parseZone(&statement)
        case .association: try parseAssociation(&statement)
        case .sctp: try parseSCTP(&statement)
        case .sctpLocal: try parseLocal(&statement)
        case .sctpRemote: try parseRemote(&statement)
        case .redundancy: try parseRedundancy(&statement)
        case .cryptoMap(let name, let sequence): try parseEntry(&statement, name, sequence)
        case .ikeDaemon: try parseIKEDaemon(&statement)
        case .skipped: break
        }
    }

    /// Opens a mode under the present one.
    mutating func enter(_ mode: Mode) { modes.append((mode, 0)) }
}
