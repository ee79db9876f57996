// SPDX-License-Identifier: Apache-2.0

public import ByteCodec
import FirstHop
import Primitives
import SecurityAssociations

extension Frame {
    /// Frame types on the wire; numbers are never reused.
    enum Kind: UInt8 {
        case hello = 1
        case snapshotBegin = 2
        case record = 3
        case snapshotEnd = 4
        case acknowledged = 5
        case mark = 6
        case snapshotRequested = 7
        case counters = 8
        case countersInstalled = 9
        case state = 10
        case role = 11
        case heartbeat = 12
        case strays = 13
    }

    /// The whole frame: length, type and body.
    public func encoded() -> [UInt8] {
        var writer = ByteWriter(capacity: 64)
        writer.write(UInt32(0))
        writer.write(kind.rawValue)
        encodeBody(into: &writer)
        let length = UInt32(writer.count - 4)
        precondition(Int(length) - 1 <= ReplicationLimits.frameByteCount, "a frame of ours is over its limit")
        writer.overwrite(at: 0, with: length)
        return writer.finish()
    }

    private var kind: Kind {
        switch self {
        case .hello: .hello
        case .snapshotBegin: .snapshotBegin
        case .record: .record
        case .snapshotEnd: .snapshotEnd
        case .acknowledged: .acknowledged
        case .mark: .mark
        case .snapshotRequested: .snapshotRequested
        case .counters: .counters
        case .countersInstalled: .countersInstalled
        case .state: .state
        case .role: .role
        case .heartbeat: .heartbeat
        case .strays: .strays
        }
    }

    private func encodeBody(into writer: inout ByteWriter) {
        switch self {
        case .hello(let hello): hello.encode(into: &writer)
        case .snapshotBegin(let sequence, let count):
            writer.write(sequence)
            writer.write(count)
        case .record(let sequence, let bytes):
            writer.write(sequence)
            bytes.withBytes { writer.write(chunk: $0) }
        case .snapshotEnd(let sequence, let digest), .mark(let sequence, let digest):
            writer.write(sequence)
            writer.write(digest)
        case .acknowledged(let number), .countersInstalled(let number), .heartbeat(let number): writer.write(number)
        case .snapshotRequested: break
        case .counters(let number, let isLast, let counters):
            writer.write(number)
            writer.write(UInt8(isLast ? 1 : 0))
            writer.write(UInt16(counters.count))
            for counter in counters {
                counter.identity.encode(into: &writer)
                writer.write(counter.sequence)
            }
        case .state(let report):
            writer.write(report.state.rawValue)
            writer.write(report.term)
            writer.write(UInt8(report.isActive ? 1 : 0))
            report.journal.encode(into: &writer)
        case .role(let message, let stamp):
            writer.write(stamp.bootID)
            writer.write(stamp.group)
            writer.write(stamp.term)
            message.encode(into: &writer)
        case .strays(let names):
            writer.write(UInt16(names.count))
            for name in names {
                writer.write(name.initiator)
                writer.write(name.responder)
            }
        }
    }

    /// Reads type and body of one frame; nil for a type that this version does not know.
    ///
    /// `skipped` counts unknown attributes inside a known frame.
    public static func parse(_ bytes: ArraySlice<UInt8>, skipped: inout Int) throws(DecodeError) -> Frame? {
        var reader = ByteReader(bytes)
        guard let kind = Kind(rawValue: try reader.read()) else { return nil }
        switch kind {
        case .hello: return .hello(try SessionHello(parsing: &reader, skipped: &skipped))
        case .snapshotBegin: return .snapshotBegin(sequence: try reader.read(), count: try reader.read())
        case .record: return .record(sequence: try reader.read(), bytes: SecretBytes(try reader.readChunk()))
        case .snapshotEnd: return .snapshotEnd(sequence: try reader.read(), digest: try reader.read())
        case .acknowledged: return .acknowledged(sequence: try reader.read())
        case .mark: return .mark(sequence: try reader.read(), digest: try reader.read())
        case .snapshotRequested: return .snapshotRequested
        case .counters: return try parseCounters(&reader)
        case .countersInstalled: return .countersInstalled(number: try reader.read())
        case .state: return .state(try StateReport(parsing: &reader))
        case .role:
            let stamp = RoleStamp(bootID: try reader.read(), group: try reader.read(), term: try reader.read())
            return .role(try RoleMessage(parsing: &reader), stamp: stamp)
        case .heartbeat: return .heartbeat(term: try reader.read())
        case .strays: return try parseStrays(&reader)
        }
    }

    private static func parseStrays(_ reader: inout ByteReader) throws(DecodeError) -> Frame {
        let count = Int(try reader.read(UInt16.self))
        guard count <= ReplicationLimits.straysPerFrame else {
            throw .overLimit(field: "strays", value: UInt64(count))
        }
        var names: [IKEName] = []
        for _ in 0..<count { names.append(IKEName(initiator: try reader.read(), responder: try reader.read())) }
        return .strays(names)
    }

    private static func parseCounters(_ reader: inout ByteReader) throws(DecodeError) -> Frame {
        let number: UInt64 = try reader.read()
        let isLast = try reader.read(UInt8.self) == 1
        let count = Int(try reader.read(UInt16.self))
        guard count <= ReplicationLimits.countersPerFrame else {
            throw .overLimit(field: "counters", value: UInt64(count))
        }
        var counters: [Counter] = []
        counters.reserveCapacity(count)
        for _ in 0..<count {
            counters.append(Counter(identity: try SAIdentity(parsing: &reader), sequence: try reader.read()))
        }
        return .counters(number: number, isLast: isLast, counters)
    }
}

extension StateReport {
    init(parsing reader: inout ByteReader) throws(DecodeError) {
        let code: UInt8 = try reader.read()
        guard let state = RedundancyState(rawValue: code) else {
            throw .invalid(field: "redundancy state", value: UInt64(code))
        }
        self.init(
            state: state, term: try reader.read(), isActive: try reader.read(UInt8.self) == 1,
            journal: try JournalState(parsing: &reader))
    }
}
