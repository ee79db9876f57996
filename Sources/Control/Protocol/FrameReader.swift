// SPDX-License-Identifier: Apache-2.0

/// Cuts a byte stream into the control socket's frames: a 32-bit big-endian length and that many bytes.
public struct FrameReader: Sendable {
    /// The largest frame that is let through.
    public let maximumByteCount: Int
    private var buffer: [UInt8] = []
    private var start = 0

    /// Starts at the beginning of a stream.
    public init(maximumByteCount: Int) { self.maximumByteCount = maximumByteCount }

    /// Bytes received that no frame has used yet.
    public var bufferedByteCount: Int { buffer.count - start }

    /// Adds bytes that were received.
    public mutating func append(_ bytes: some Collection<UInt8>) {
        if start > 0, start >= buffer.count / 2 {
            buffer.removeFirst(start)
            start = 0
        }
        buffer.append(contentsOf: bytes)
    }

    /// The next whole frame, or nil until more bytes come; throws `oversized` as soon as the length says so.
    public mutating func next() throws(ControlError) -> [UInt8]? {
        guard bufferedByteCount >= 4 else { return nil }
        let length = buffer[start..<start + 4].reduce(0) { $0 << 8 | Int($1) }
        guard length <= maximumByteCount else { throw .oversized(length) }
        guard bufferedByteCount - 4 >= length else { return nil }
        let frame = [UInt8](buffer[start + 4..<start + 4 + length])
        start += 4 + length
        return frame
    }

    /// The bytes of one frame around `text`, which must be shorter than 4 GiB.
    public static func frame(_ text: [UInt8]) -> [UInt8] {
        let length = UInt32(text.count)
        return (0..<4).map { UInt8(truncatingIfNeeded: length >> UInt32(24 - 8 * $0)) } + text
    }
}
