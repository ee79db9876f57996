// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials

/// What can go wrong with a message of the control socket.
public enum ControlError: Error, Hashable, Sendable {
    /// The text is not JSON, or not the object that was expected; says where.
    case malformed(String)
    /// A frame announces more bytes than are allowed.
    case oversized(Int)
}

/// Encodes `view` as one JSON object with sorted keys and no line break.
public func encodeJSON(_ view: some Encodable) -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    do {
        return [UInt8](try encoder.encode(view))
    } catch {
        // Views hold only strings, integers, arrays and dictionaries, which always encode.
        preconditionFailure("a view did not encode: \(error)")
    }
}

/// Decodes one JSON object.
public func decodeJSON<View: Decodable>(_ type: View.Type = View.self, from text: [UInt8]) throws(ControlError) -> View
{
    do {
        return try JSONDecoder().decode(View.self, from: Data(text))
    } catch {
        throw .malformed("\(error)")
    }
}
