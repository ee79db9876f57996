// SPDX-License-Identifier: Apache-2.0

public import ByteCodec

/// ICMP echo and echo reply (RFC 792), without anything but the names that pair them.
public struct EchoMessage: Hashable, Sendable {
    /// Names who asks.
    public var identifier: UInt16
    /// Names the question.
    public var sequence: UInt16

    /// Makes a message.
    public init(identifier: UInt16, sequence: UInt16) {
        self.identifier = identifier
        self.sequence = sequence
    }

    /// Bytes behind the header, as many as IOS sends by default.
    private static let dataByteCount = 28

    /// The request, checksum included.
    public var request: [UInt8] {
        var writer = ByteWriter(capacity: 8 + Self.dataByteCount)
        writer.write(bytes: [8, 0, 0, 0])
        writer.write(identifier)
        writer.write(sequence)
        writer.pad(Self.dataByteCount)
        let sum = internetChecksum(writer.bytes)
        writer.overwrite(at: 2, with: sum)
        return writer.bytes
    }

    /// Reads an echo reply from a whole IPv4 packet, as a raw socket delivers it; nil for any other message.
    public init?(parsingReply packet: [UInt8]) throws(DecodeError) {
        var reader = ByteReader(packet)
        let first: UInt8 = try reader.read()
        let headerByteCount = Int(first & 15) * 4
        guard first >> 4 == 4, headerByteCount >= 20 else { throw .invalid(field: "IP header", value: UInt64(first)) }
        try reader.skip(headerByteCount - 1)
        var message = ByteReader(reader.readRemaining())
        let type: UInt8 = try message.read()
        let code: UInt8 = try message.read()
        try message.skip(2)
        identifier = try message.read()
        sequence = try message.read()
        guard type == 0, code == 0, internetChecksum(packet.dropFirst(headerByteCount)) == 0 else { return nil }
    }
}
