// SPDX-License-Identifier: Apache-2.0

/// A place in a configuration text.
public struct Position: Hashable, Comparable, Sendable {
    /// The line, from 1.
    public var line: Int
    /// The byte in the line, from 1.
    public var column: Int

    /// Makes a place.
    public init(line: Int, column: Int) {
        self.line = line
        self.column = column
    }

    /// Orders places as they are read.
    public static func < (left: Position, right: Position) -> Bool {
        (left.line, left.column) < (right.line, right.column)
    }
}

/// Something to say about a configuration text.
public struct Diagnostic: Hashable, Sendable, CustomStringConvertible {
    /// Whether the text may be used all the same.
    public enum Severity: String, Sendable {
        /// The text is refused.
        case error
        /// The text is accepted.
        case warning
    }

    /// The file's name as the user gave it.
    public var fileName: String
    /// Where it is.
    public var position: Position
    /// Whether it refuses the text.
    public var severity: Severity
    /// A sentence that says what was expected.
    public var message: String

    /// `FILE:LINE:COLUMN: error: MESSAGE`, the form that editors understand.
    public var description: String {
        "\(fileName):\(position.line):\(position.column): \(severity.rawValue): \(message)"
    }
}

/// What became of a configuration text.
public struct LoadResult: Hashable, Sendable {
    /// The model, nil if any diagnostic is an error.
    public var model: Model?
    /// Errors and warnings in the order of the text.
    public var diagnostics: [Diagnostic]

    /// The errors alone.
    public var errors: [Diagnostic] { diagnostics.filter { $0.severity == .error } }
    /// The warnings alone.
    public var warnings: [Diagnostic] { diagnostics.filter { $0.severity == .warning } }
}

/// Why a statement is refused.
struct Fault: Error {
    var position: Position
    var message: String
}
