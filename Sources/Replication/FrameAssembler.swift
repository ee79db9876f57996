// SPDX-License-Identifier: Apache-2.0

public import ByteCodec

/// Cuts the peer's byte stream into frames; the transport may deliver any pieces.
///
/// After an error the stream has no known border any more: the association must be dropped.
public struct FrameAssembler: Sendable {
    /// What one step over the stream found.
    public enum Piece: Equatable, Sendable {
        /// A frame.
        case frame(Frame)
        /// A frame of a type that this version does not know; skipped.
        case unknown(type: UInt8)
    }

    private var buffer: [UInt8] = []
    private var start = 0
    /// Unknown attributes skipped inside known frames so far.
    public private(set) var skippedAttributes = 0

    /// Starts with an empty stream.
    public init() {}

    /// The number of bytes that wait for the rest of their frame.
    public var waitingByteCount: Int { buffer.count - start }

    /// Takes bytes as they came.
    public mutating func append(_ bytes: [UInt8]) {
        if start == buffer.count {
            buffer.removeAll(keepingCapacity: true)
            start = 0
        } else if start > ReplicationLimits.frameByteCount {
            buffer.removeFirst(start)
            start = 0
        }
        buffer.append(contentsOf: bytes)
    }

    /// The next whole frame, nil while it is incomplete; call until nil after each `append`.
    public mutating func next() throws(DecodeError) -> Piece? {
        guard waitingByteCount >= 4 else { return nil }
        var reader = ByteReader(buffer[start...])
        let length = Int(try reader.read(UInt32.self))
        guard length >= 1 else { throw .invalid(field: "frame length", value: 0) }
        guard length - 1 <= ReplicationLimits.frameByteCount else {
            throw .overLimit(field: "frame length", value: UInt64(length))
        }
        guard waitingByteCount >= 4 + length else { return nil }
        let body = buffer[start + 4..<start + 4 + length]
        start += 4 + length
        if let frame = try Frame.parse(body, skipped: &skippedAttributes) { return .frame(frame) }
        return .unknown(type: body.first ?? 0)
    }
}
