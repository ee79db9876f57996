// SPDX-License-Identifier: Apache-2.0

import ByteCodec
import FirstHop

/// A change of a group's state, as programs hear of it.
struct GroupChange: Hashable, Sendable {
    var interface: String
    var group: UInt16
    /// The group's name, empty without one.
    var name: String
    var from: HSRPState
    var to: HSRPState
    var reason: String
    /// The highest term known.
    var term: UInt64

    /// Bytes of a reason that travel.
    static let reasonByteCount = 512

    func encode(into writer: inout ByteWriter) {
        writer.write(group)
        writer.write(term)
        for text in [interface, name, from.name, to.name, reason] {
            writer.write(chunk: Array(text.utf8.prefix(Self.reasonByteCount)))
        }
    }

    init(parsing reader: inout ByteReader) throws(DecodeError) {
        group = try reader.read()
        term = try reader.read()
        interface = String(decoding: try reader.readChunk(), as: UTF8.self)
        name = String(decoding: try reader.readChunk(), as: UTF8.self)
        from = try Self.state(&reader)
        to = try Self.state(&reader)
        reason = String(decoding: try reader.readChunk(), as: UTF8.self)
    }

    init(
        interface: String, group: UInt16, name: String, from: HSRPState, to: HSRPState, reason: String, term: UInt64
    ) {
        self.interface = interface
        self.group = group
        self.name = name
        self.from = from
        self.to = to
        self.reason = reason
        self.term = term
    }

    private static func state(_ reader: inout ByteReader) throws(DecodeError) -> HSRPState {
        let name = String(decoding: try reader.readChunk(), as: UTF8.self)
        guard let state = HSRPState.allCases.first(where: { $0.name == name }) else {
            throw .invalid(field: "group state", value: UInt64(name.utf8.count))
        }
        return state
    }
}
