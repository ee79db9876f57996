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
    static let algorithmMD5: UInt8 = 1
    /// The size of the whole piece that carries a digest.
    static let digestByteCount = 30

    /// Reads one; a length beyond the end of the datagram is refused.
    init(parsing reader: inout ByteReader) throws(DecodeError) {
        type = try reader.read()
        value = try reader.readBytes(Int(try reader.read(UInt8.self)))
    }

    /// What a piece of an authentication type says, in a payload that a digest covers whole.
    func authentication(in payload: ArraySlice<UInt8>) throws(DecodeError) -> HSRPAuthentication {
        var reader = ByteReader(value)
        guard type == Self.digestType else { return .text(AuthenticationText(value: try reader.read())) }
        let algorithm: UInt8 = try reader.read()
        guard algorithm == Self.algorithmMD5 else {
            throw .invalid(field: "hsrp digest algorithm", value: UInt64(algorithm))
        }
        try reader.skip(3)
        let sender = try reader.readIPv4()
        let keyNumber: UInt32 = try reader.read()
        let place = try reader.readBytes(MD5.byteCount)
        var digest = HSRPDigest(keyNumber: keyNumber, sender: sender, value: Array(place))
        digest.covered = Array(payload)
        for index in place.indices { digest.covered[index - payload.startIndex] = 0 }
        return .digest(digest)
    }

    /// Appends a piece that carries a digest.
    static func write(_ digest: HSRPDigest, into writer: inout ByteWriter) {
        writer.write(bytes: [digestType, UInt8(digestByteCount - 2), algorithmMD5, 0, 0, 0])
        writer.write(digest.sender)
        writer.write(digest.keyNumber)
        writer.write(bytes: digest.value)
    }
}
