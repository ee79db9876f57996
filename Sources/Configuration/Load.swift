// SPDX-License-Identifier: Apache-2.0

/// Parses and validates a configuration text.
///
/// - Parameters:
///   - text: The bytes of the file, at most `Limits.textByteCount`.
///   - fileName: The name that diagnostics begin with.
/// - Returns: The model, if no diagnostic is an error, and all diagnostics in the order of the text.
public func load(_ text: [UInt8], fileName: String) -> LoadResult {
    guard text.count <= Limits.textByteCount else {
        let message = "the file is too long; expected at most \(Limits.textByteCount) bytes"
        let place = Position(line: 1, column: 1)
        return LoadResult(
            model: nil,
            diagnostics: [Diagnostic(fileName: fileName, position: place, severity: .error, message: message)])
    }
    let tokenizer = Tokenizer(text)
    var parser = Parser()
    for fault in tokenizer.faults { parser.refuse(fault) }
    parser.read(tokenizer.lines)
    var remarks = parser.remarks
    let validator = Validator(parser.draft)
    // A text that was not understood in full would draw remarks about what it lacks.
    if !remarks.contains(where: { $0.severity == .error }) { remarks += validator.remarks }
    if !remarks.contains(where: { $0.severity == .error }),
        print(validator.model, secrets: true).utf8.count > Limits.textByteCount
    {
        let message = "the configuration is longer than \(Limits.textByteCount) bytes when its keywords are written out"
        remarks.append(.init(position: Position(line: 1, column: 1), severity: .error, message: message))
    }
    let isRefused = remarks.contains { $0.severity == .error }
    remarks.sort { $0.position < $1.position }
    var diagnostics = remarks.map {
        Diagnostic(fileName: fileName, position: $0.position, severity: $0.severity, message: $0.message)
    }
    if diagnostics.count > Limits.diagnosticCount {
        // Errors first: a flood of warnings must not hide what refuses the text.
        let left = diagnostics.count - Limits.diagnosticCount
        let errors = diagnostics.filter { $0.severity == .error }
        let warnings = diagnostics.filter { $0.severity == .warning }
        diagnostics = Array((errors + warnings).prefix(Limits.diagnosticCount))
        let last = diagnostics[diagnostics.count - 1]
        diagnostics.append(
            Diagnostic(
                fileName: fileName, position: last.position, severity: isRefused ? .error : .warning,
                message: "and \(left) more"))
    }
    return LoadResult(model: isRefused ? nil : validator.model, diagnostics: diagnostics)
}
