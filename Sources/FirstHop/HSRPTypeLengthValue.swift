// SPDX-License-Identifier: Apache-2.0

import ByteCodec

/// A piece of a message: a type, a length that leaves both out, and so many bytes (reference first-hop §1.3 and §1.4).
struct HSRPTypeLengthValue {
    var type: UInt8
    var value: ArraySlice<UInt8>

    /// Pieces of one datagram; two are usual.
    static let maximumCount = 16
    static let textType: UInt8 = 3
    static let textLength: UInt8 = 8
    static let digestType: UInt8 = 4
    /// The size of the whole piece that carries a digest.
    static let digestByteCount = 30

    /// Reads one; a length beyond the end of the datagram is refused.
    init(parsing reader: inout ByteReader) throws(DecodeError) {
        type = try reader.read()
        value = try reader.readBytes(Int(try reader.read(UInt8.self)))
    }

    /// What a piece of an authentication type says.
    func authentication() throws(DecodeError) -> HSRPAuthentication {
        guard type == Self.textType else { return .digest }
        var reader = ByteReader(value)
        return .text(AuthenticationText(value: try reader.read()))
    }
}
