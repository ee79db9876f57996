// SPDX-License-Identifier: Apache-2.0

import ByteCodec

/// One packet of the VICI protocol, without its 32-bit length (strongSwan `vici/README.md`).
enum ViciPacket: Sendable, Hashable {
    case commandRequest(name: String, ViciSection)
    case commandResponse(ViciSection)
    case commandUnknown
    case eventRegister(name: String)
    case eventUnregister(name: String)
    case eventConfirm
    case eventUnknown
    case event(name: String, ViciSection)

    /// Decodes the payload of one packet.
    init(decoding payload: ArraySlice<UInt8>) throws(DecodeError) {
        var reader = ByteReader(payload)
        let type: UInt8 = try reader.read()
        switch type {
        case 0: self = .commandRequest(name: try reader.readViciName(), try .init(decoding: reader.readRemaining()))
        case 1: self = .commandResponse(try .init(decoding: reader.readRemaining()))
        case 2: self = .commandUnknown
        case 3: self = .eventRegister(name: try reader.readViciName())
        case 4: self = .eventUnregister(name: try reader.readViciName())
        case 5: self = .eventConfirm
        case 6: self = .eventUnknown
        case 7: self = .event(name: try reader.readViciName(), try .init(decoding: reader.readRemaining()))
        default: throw .invalid(field: "vici packet type", value: UInt64(type))
        }
    }

    /// The number of the packet's type.
    var type: UInt8 {
        switch self {
        case .commandRequest: 0
        case .commandResponse: 1
        case .commandUnknown: 2
        case .eventRegister: 3
        case .eventUnregister: 4
        case .eventConfirm: 5
        case .eventUnknown: 6
        case .event: 7
        }
    }

    /// The packet with its length in front, as it goes over the stream.
    var bytes: [UInt8] {
        var writer = ByteWriter(capacity: 128)
        writer.pad(4)
        writer.write(type)
        switch self {
        case .commandRequest(let name, let message), .event(let name, let message):
            writer.write(viciName: name)
            message.encode(into: &writer)
        case .commandResponse(let message): message.encode(into: &writer)
        case .eventRegister(let name), .eventUnregister(let name): writer.write(viciName: name)
        case .commandUnknown, .eventConfirm, .eventUnknown: break
        }
        let length = UInt32(writer.count - 4)
        writer.overwrite(at: 0, with: length)
        return writer.bytes
    }
}

/// Cuts a stream of bytes into VICI packets.
struct ViciAssembler: Sendable {
    private var buffer: [UInt8] = []
    private var start = 0

    /// Adds bytes from the stream.
    mutating func append(_ bytes: [UInt8]) {
        if start > 0 {
            buffer.removeFirst(start)
            start = 0
        }
        buffer += bytes
    }

    /// The next whole packet, or nil until more bytes come.
    mutating func next() throws(DecodeError) -> ViciPacket? {
        guard buffer.count - start >= 4 else { return nil }
        var reader = ByteReader(buffer[start...])
        let length = Int(try reader.read(UInt32.self))
        guard length > 0, length <= Limits.viciPacketByteCount else {
            throw .overLimit(field: "vici packet", value: UInt64(length))
        }
        guard reader.remaining >= length else { return nil }
        start += 4 + length
        return try ViciPacket(decoding: try reader.readBytes(length))
    }
}
