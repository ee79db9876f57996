// SPDX-License-Identifier: Apache-2.0

import ByteCodec
import FirstHop
import Primitives
import Replication
import SecurityAssociations
import Testing

/// A hello as the tests send it.
func sampleHello(node: String = "R3", boot: UInt64 = 7, active: Bool = false) -> SessionHello {
    var hello = SessionHello(bootID: boot, nodeName: node, term: 3, scheme: "VPN")
    hello.isActive = active
    hello.interfaces = [
        .init(address: IPv4Address(10, 1, 0, 3), group: 10, virtualAddress: IPv4Address(10, 1, 0, 100))
    ]
    hello.agreedItems = [.init(name: "standby 10 timers", value: "3000 10000")]
    return hello
}

let sampleFrames: [Frame] = [
    .hello(sampleHello()),
    .snapshotBegin(sequence: 1, count: 2),
    .record(sequence: 2, bytes: SecretBytes([3, 1, 0xff])),
    .snapshotEnd(sequence: 3, digest: 0x0102_0304_0506_0708),
    .acknowledged(sequence: .max),
    .mark(sequence: 9, digest: 1),
    .snapshotRequested,
    .counters(
        number: 5, isLast: true,
        [.init(identity: SAIdentity(destination: IPAddress(10, 1, 0, 5), spi: 0xc01b_75e7), sequence: 1 << 33)]),
    .countersInstalled(number: 5),
    .state(
        StateReport(
            state: .standbyHot, term: 4, isActive: false,
            journal: JournalState(count: 3, digest: 9, isAuthoritative: true))),
    .role(.requestRole(priority: 105), stamp: RoleStamp(bootID: 7, group: 10, term: 3)),
    .heartbeat(term: 3),
    .strays([.init(initiator: 1, responder: .max), .init(initiator: 1 << 63, responder: 2)]),
]

@Suite struct FrameTests {
    func frames(of assembler: inout FrameAssembler) throws(DecodeError) -> [FrameAssembler.Piece] {
        var pieces: [FrameAssembler.Piece] = []
        while let piece = try assembler.next() { pieces.append(piece) }
        return pieces
    }

    @Test("a frame full of IPv6 SAs stays within its limit and reads back")
    func ipv6Counters() throws {
        let counters = (0..<ReplicationLimits.sentCountersPerFrame).map { number in
            Frame.Counter(
                identity: SAIdentity(destination: IPAddress(high: 1, low: 2), spi: UInt32(number)), sequence: .max)
        }
        let frame = Frame.counters(number: 1, isLast: true, counters)
        var assembler = FrameAssembler()
        assembler.append(frame.encoded())
        #expect(try assembler.next() == .frame(frame))
    }

    @Test("every frame survives the wire", arguments: sampleFrames)
    func roundTrip(frame: Frame) throws {
        var assembler = FrameAssembler()
        assembler.append(frame.encoded())
        #expect(try assembler.next() == .frame(frame))
        #expect(try assembler.next() == nil)
        #expect(assembler.waitingByteCount == 0)
    }

    @Test("frames arrive whole whatever the pieces", arguments: [1, 2, 3, 7, 50, 4096])
    func pieces(size: Int) throws {
        let stream = sampleFrames.flatMap { $0.encoded() }
        var assembler = FrameAssembler()
        var found: [FrameAssembler.Piece] = []
        for start in stride(from: 0, to: stream.count, by: size) {
            assembler.append(Array(stream[start..<min(start + size, stream.count)]))
            found += try frames(of: &assembler)
        }
        #expect(found == sampleFrames.map { .frame($0) })
    }

    @Test("a long stream does not grow the buffer")
    func bounded() throws {
        var assembler = FrameAssembler()
        let bytes = Frame.record(sequence: 1, bytes: SecretBytes(Array(repeating: 1, count: 4000))).encoded()
        for _ in 0..<1000 {
            assembler.append(bytes)
            _ = try frames(of: &assembler)
            #expect(assembler.waitingByteCount == 0)
        }
    }

    @Test("an unknown type is skipped and named")
    func unknownType() throws {
        var assembler = FrameAssembler()
        assembler.append([0, 0, 0, 3, 200, 1, 2] + Frame.heartbeat(term: 1).encoded())
        #expect(try frames(of: &assembler) == [.unknown(type: 200), .frame(.heartbeat(term: 1))])
    }

    @Test("an unknown hello attribute is skipped and counted")
    func unknownAttribute() throws {
        var bytes = Frame.hello(sampleHello()).encoded()
        bytes += [99, 0, 2, 1, 1]
        let length = bytes.count - 4
        bytes[2] = UInt8(length >> 8)
        bytes[3] = UInt8(length & 255)
        var assembler = FrameAssembler()
        assembler.append(bytes)
        #expect(try assembler.next() == .frame(.hello(sampleHello())))
        #expect(assembler.skippedAttributes == 1)
    }

    @Test("an oversized or empty frame is a typed error")
    func lengths() {
        var oversized = FrameAssembler()
        oversized.append([0, 1, 0, 0, 1])
        #expect(throws: DecodeError.overLimit(field: "frame length", value: 65_536)) { try oversized.next() }
        var huge = FrameAssembler()
        huge.append([255, 255, 255, 255, 1])
        #expect(throws: DecodeError.self) { try huge.next() }
        var empty = FrameAssembler()
        empty.append([0, 0, 0, 0])
        #expect(throws: DecodeError.invalid(field: "frame length", value: 0)) { try empty.next() }
    }

    @Test("every truncated body is an error or a frame, never a trap", arguments: sampleFrames)
    func truncated(frame: Frame) {
        let body = frame.encoded().dropFirst(4)
        var skipped = 0
        for count in 1..<body.count {
            _ = try? Frame.parse(body.prefix(count), skipped: &skipped)
        }
    }

    @Test("random bytes never trap")
    func fuzz() {
        var state: UInt64 = 11
        for _ in 0..<20_000 {
            var bytes: [UInt8] = []
            for _ in 0..<64 {
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                bytes.append(UInt8(truncatingIfNeeded: state >> 33))
            }
            bytes[0] = bytes[0] % 14
            var skipped = 0
            _ = try? Frame.parse(bytes[...], skipped: &skipped)
        }
    }

    @Test("a hello with too many items, or text with control characters, is bounded and tamed")
    func hostileHello() throws {
        var writer = ByteWriter()
        sampleHello().encode(into: &writer)
        var many = writer.bytes
        for _ in 0..<200 { many += [8, 0, 4, 0, 0, 0, 0] }
        var skipped = 0
        #expect(throws: DecodeError.self) {
            var reader = ByteReader(many)
            _ = try SessionHello(parsing: &reader, skipped: &skipped)
        }
        var reader = ByteReader(writer.bytes + [4, 0, 3, 0x1b, 0x0a, 65])
        #expect(try SessionHello(parsing: &reader, skipped: &skipped).nodeName == "??A")
    }

    @Test("a name of bytes that are no UTF-8 keeps the limit, though each of them becomes three")
    func repairedText() throws {
        var writer = ByteWriter()
        sampleHello().encode(into: &writer)
        writer.write(UInt8(4))
        writer.write(chunk: [UInt8](repeating: 0xfb, count: ReplicationLimits.textByteCount))
        var (reader, skipped) = (ByteReader(writer.bytes), 0)
        let hello = try SessionHello(parsing: &reader, skipped: &skipped)
        #expect(hello.nodeName.utf8.count == ReplicationLimits.textByteCount)
        var again = ByteWriter()
        hello.encode(into: &again)
        reader = ByteReader(again.bytes)
        #expect(try SessionHello(parsing: &reader, skipped: &skipped) == hello)
    }

    @Test("our own hello stays within one frame however long the configuration")
    func longHello() {
        var hello = sampleHello()
        let long = String(repeating: "é", count: 400)
        hello.agreedItems = Array(repeating: .init(name: long, value: long), count: 500)
        #expect(Frame.hello(hello).encoded().count <= ReplicationLimits.frameByteCount + 5)
    }

    @Test("a record's description does not show its bytes")
    func descriptions() {
        #expect("\(Frame.record(sequence: 4, bytes: SecretBytes([1, 2, 3])))" == "record 4, 3 bytes")
    }
}
