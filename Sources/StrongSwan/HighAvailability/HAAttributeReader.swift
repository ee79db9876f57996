// SPDX-License-Identifier: Apache-2.0

import ByteCodec

/// Walks the attributes of one message; an unknown number ends the walk, as it does in charon.
struct HAAttributeReader {
    let version: HAVersion
    private(set) var unknownNumber: UInt8?
    private(set) var attributeCount = 0
    private var reader: ByteReader

    /// Starts behind the two bytes of the header.
    init(_ attributes: ArraySlice<UInt8>, version: HAVersion) {
        self.version = version
        reader = ByteReader(attributes)
    }

    /// The next attribute with the bytes of its value (the length field of chunks included), or nil at the end.
    mutating func next() throws(DecodeError) -> (attribute: HAAttribute, value: ArraySlice<UInt8>)? {
        guard unknownNumber == nil, !reader.isAtEnd else { return nil }
        let number: UInt8 = try reader.read()
        guard let attribute = HAAttribute(number: number, version: version) else {
            unknownNumber = number
            return nil
        }
        attributeCount += 1
        guard attributeCount <= Limits.attributeCount else {
            throw .overLimit(field: "ha attributes", value: UInt64(attributeCount))
        }
        return (attribute, try reader.readBytes(try valueByteCount(of: attribute)))
    }

    private func valueByteCount(of attribute: HAAttribute) throws(DecodeError) -> Int {
        var ahead = reader
        switch attribute.shape {
        case .identity: return 18
        case .identification:
            try ahead.skip(1)
            return 2 + Int(try ahead.read(UInt8.self))
        case .host:
            try ahead.skip(2)
            return 3 + (try addressByteCount(family: try ahead.read()))
        case .text:
            let rest = ahead.readRemaining()
            guard let end = rest.firstIndex(of: 0) else { throw .truncated(wanted: rest.count + 1, left: rest.count) }
            return end - rest.startIndex + 1
        case .number(let byteCount): return byteCount
        case .chunk: return 2 + Int(try ahead.read(UInt16.self))
        case .trafficSelector:
            let type: UInt8 = try ahead.read()
            switch type {
            case 7: return 7 + 2 * 4
            case 8: return 7 + 2 * 16
            default: throw .invalid(field: "ha traffic selector type", value: UInt64(type))
            }
        }
    }

    private func addressByteCount(family: UInt8) throws(DecodeError) -> Int {
        switch family {
        case 2: return 4
        case 10: return 16
        default: throw .invalid(field: "ha address family", value: UInt64(family))
        }
    }
}
