// SPDX-License-Identifier: Apache-2.0

import Configuration
import Testing

/// Loads a text from a test.
func read(_ text: String) -> LoadResult { load([UInt8](text.utf8), fileName: "test.conf") }

/// Loads a text that must be accepted.
func model(_ text: String, sourceLocation: SourceLocation = #_sourceLocation) throws -> Model {
    let result = read(text)
    return try #require(result.model, "\(result.diagnostics)", sourceLocation: sourceLocation)
}

/// The messages of a text's errors.
func errors(_ text: String) -> [String] { read(text).errors.map(\.message) }

/// The messages of a text's warnings.
func warnings(_ text: String) -> [String] { read(text).warnings.map(\.message) }
