// SPDX-License-Identifier: Apache-2.0

import ByteCodec
import FirstHop
import Foundation
import Primitives

/// The HSRP messages of a classic little-endian pcap file of Ethernet frames.
struct Capture {
    struct Packet {
        /// Time since the first packet.
        let milliseconds: Int
        let source: IPAddress
        let sourceMAC: MACAddress
        let datagram: HSRPDatagram
        let payload: [UInt8]
        let frame: [UInt8]
    }

    let packets: [Packet]

    /// Where the captures lie: beside the repository, or where HAVPN_CAPTURES says.
    private static var folder: String {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let beside = root.deletingLastPathComponent().appendingPathComponent("shared/captures").path
        return ProcessInfo.processInfo.environment["HAVPN_CAPTURES"] ?? beside
    }

    /// Whether there are captures; they are not part of the repository.
    static var areThere: Bool { FileManager.default.fileExists(atPath: folder) }

    init(name: String) throws {
        let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: Self.folder + "/" + name)))
        var reader = ByteReader(bytes)
        let magic: UInt32 = try reader.readHost()
        guard magic == 0xa1b2_c3d4 else { throw DecodeError.invalid(field: "pcap magic", value: UInt64(magic)) }
        try reader.skip(20)
        var packets: [Packet] = []
        var first: Int?
        while !reader.isAtEnd {
            let seconds: UInt32 = try reader.readHost()
            let microseconds: UInt32 = try reader.readHost()
            let length: UInt32 = try reader.readHost()
            try reader.skip(4)
            let frame = Array(try reader.readBytes(Int(length)))
            let time = Int(seconds) * 1000 + Int(microseconds) / 1000
            first = first ?? time
            packets.append(try Self.packet(frame, at: time - (first ?? time)))
        }
        self.packets = packets
    }

    private static func packet(_ frame: [UInt8], at milliseconds: Int) throws -> Packet {
        var reader = ByteReader(frame)
        try reader.skip(6)
        let mac = MACAddress(octets: Array(try reader.readBytes(6))) ?? MACAddress(0)
        try reader.skip(2 + 12)
        let source = IPAddress(try reader.readIPv4())
        try reader.skip(4 + 4)
        let segmentLength: UInt16 = try reader.read()
        try reader.skip(2)
        let payload = Array(try reader.readBytes(Int(segmentLength) - 8))
        return Packet(
            milliseconds: milliseconds, source: source, sourceMAC: mac,
            datagram: try HSRPDatagram(parsing: payload[...], version: .one), payload: payload, frame: frame)
    }
}
