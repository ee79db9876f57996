// SPDX-License-Identifier: Apache-2.0

import ByteCodec
import Primitives
import Testing

@Suite("Reader and writer")
struct ReaderWriterTests {
    @Test("what is written is read back, in both byte orders")
    func roundTrip() throws {
        var writer = ByteWriter()
        writer.write(UInt8(1))
        writer.write(UInt16(0x0203))
        writer.writeHost(UInt32(0x0405_0607))
        writer.write(IPv4Address(10, 1, 0, 100))
        writer.write(chunk: [8, 9])
        writer.pad(2)
        #expect(writer.bytes == [1, 2, 3, 7, 6, 5, 4, 10, 1, 0, 100, 0, 2, 8, 9, 0, 0])
        var reader = ByteReader(writer.bytes)
        #expect(try reader.read(UInt8.self) == 1)
        #expect(try reader.read(UInt16.self) == 0x0203)
        #expect(try reader.readHost(UInt32.self) == 0x0405_0607)
        #expect(try reader.readIPv4() == IPv4Address(10, 1, 0, 100))
        #expect(try Array(reader.readChunk()) == [8, 9])
        let unfinished = reader
        #expect(throws: DecodeError.self) { try unfinished.finish() }
        try reader.skip(2)
        try reader.finish()
    }

    @Test("no read passes the end, and a negative count is refused", arguments: [2, 4, -1, Int.max])
    func truncated(count: Int) {
        #expect(throws: DecodeError.self) {
            var reader = ByteReader([1])
            _ = try reader.readBytes(count)
        }
    }

    @Test("a chunk that announces more than there is is refused")
    func longChunk() {
        #expect(throws: DecodeError.self) {
            var reader = ByteReader([0, 9, 1])
            _ = try reader.readChunk()
        }
    }

    @Test("the Internet checksum of a header that carries its own is zero")
    func checksum() {
        let header: [UInt8] = [0x45, 0, 0, 0x30, 0, 0, 0, 0, 1, 17, 0, 0, 10, 1, 0, 3, 224, 0, 0, 2]
        let sum = internetChecksum(header)
        var whole = header
        whole[10] = UInt8(sum >> 8)
        whole[11] = UInt8(sum & 255)
        #expect(internetChecksum(whole) == 0)
        #expect(internetChecksum([0xff]) == 0x00ff)
    }
}
