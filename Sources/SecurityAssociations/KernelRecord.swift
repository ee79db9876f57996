// SPDX-License-Identifier: Apache-2.0

public import ByteCodec
public import Primitives

/// One statement about the Active's kernel: what travels to the standby with `ike-daemon none`.
///
///     u8 format │ u8 kind │ key │ attributes: u8 type, u16 length, value …
///
/// Integers are big endian. Attributes 1 to 63 say what an SA or policy is; their bytes, with kind and key, make its
/// digest. Attributes from 64 on move while it is in use. Unknown attributes are skipped and counted.
public enum KernelRecord: Equatable, Sendable {
    /// The SA stands in the kernel like this.
    case sa(ReplicatedSA)
    /// The policy stands in the kernel like this.
    case policy(ReplicatedPolicy)
    /// It is gone.
    case removed(RecordKey)
    /// Sequence numbers that moved.
    case numbers([SANumbers])

    /// The format that this version writes; another one is refused.
    public static let format: UInt8 = 1

    enum Kind: UInt8 {
        case sa = 1
        case policy = 2
        case removedSA = 3
        case removedPolicy = 4
        case numbers = 5
    }

    /// Bounds of what is read.
    public enum Limits {
        /// SAs in one numbers record.
        public static let numbers = 128
        /// Bytes of a security label.
        public static let securityContextByteCount = 1024
    }
}

/// The sequence numbers of one SA.
public struct SANumbers: Hashable, Sendable {
    /// The SA.
    public var key: SAKey
    /// Its numbers.
    public var replay: KernelReplay

    /// Makes numbers.
    public init(key: SAKey, replay: KernelReplay) {
        self.key = key
        self.replay = replay
    }
}

/// What a record's decoding found besides its content.
public struct RecordFindings: Hashable, Sendable {
    /// Attributes of later versions.
    public var unknownAttributes = 0

    /// Nothing found.
    public init() {}
}

/// The digest of one record's lasting content: FNV-1a and a finalizer, so that sums of digests are as good as each.
public func recordDigest(_ bytes: ArraySlice<UInt8>) -> UInt64 {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    hash = (hash ^ hash >> 30) &* 0xbf58_476d_1ce4_e5b9
    hash = (hash ^ hash >> 27) &* 0x94d0_49bb_1331_11eb
    return hash ^ hash >> 31
}

/// A record as bytes, and the digest of what lasts in it.
public struct EncodedRecord: Equatable, Sendable {
    /// The bytes; those of an SA hold its keys.
    public var bytes: SecretBytes
    /// The digest; 0 for what has no lasting content.
    public var digest: UInt64
}

extension KernelRecord {
    /// What the record is about; nil for numbers.
    public var key: RecordKey? {
        switch self {
        case .sa(let sa): .sa(sa.key)
        case .policy(let policy): .policy(policy.key)
        case .removed(let key): key
        case .numbers: nil
        }
    }
}

extension KernelRecord {
    /// The record's bytes and digest.
    public func encoded() -> EncodedRecord {
        // Large enough that the buffer never grows: growing would leave keys behind in freed memory.
        var writer = ByteWriter(capacity: 2048)
        writer.write(Self.format)
        var lasting = 0
        switch self {
        case .sa(let sa):
            writer.write(Kind.sa.rawValue)
            sa.key.encode(into: &writer)
            sa.encodeLasting(into: &writer)
            lasting = writer.count
            sa.encodeMoving(into: &writer)
        case .policy(let policy):
            writer.write(Kind.policy.rawValue)
            policy.key.encode(into: &writer)
            policy.encodeLasting(into: &writer)
            lasting = writer.count
            writer.writeAttribute(64) { $0.write(policy.ageSeconds) }
        case .removed(.sa(let key)):
            writer.write(Kind.removedSA.rawValue)
            key.encode(into: &writer)
        case .removed(.policy(let key)):
            writer.write(Kind.removedPolicy.rawValue)
            key.encode(into: &writer)
        case .numbers(let numbers):
            precondition(numbers.count <= Limits.numbers)
            writer.write(Kind.numbers.rawValue)
            writer.write(UInt16(numbers.count))
            for entry in numbers {
                entry.key.encode(into: &writer)
                entry.replay.encode(into: &writer)
            }
        }
        let digest = lasting > 0 ? recordDigest(writer.bytes[1..<lasting]) : 0
        return EncodedRecord(bytes: SecretBytes(taking: writer.finish()), digest: digest)
    }

    /// The digest of what lasts, without keeping the bytes.
    public var digest: UInt64 { encoded().digest }

    /// Reads a record; nil for a kind that this version does not know.
    public init?(parsing bytes: ArraySlice<UInt8>, findings: inout RecordFindings) throws(DecodeError) {
        var reader = ByteReader(bytes)
        let format: UInt8 = try reader.read()
        guard format == Self.format else { throw .invalid(field: "record format", value: UInt64(format)) }
        guard let kind = Kind(rawValue: try reader.read()) else { return nil }
        switch kind {
        case .sa: self = .sa(try ReplicatedSA(parsing: &reader, findings: &findings))
        case .policy: self = .policy(try ReplicatedPolicy(parsing: &reader, findings: &findings))
        case .removedSA: self = .removed(.sa(try SAKey(parsing: &reader)))
        case .removedPolicy: self = .removed(.policy(try PolicyKey(parsing: &reader)))
        case .numbers: self = .numbers(try Self.parseNumbers(&reader))
        }
    }

    private static func parseNumbers(_ reader: inout ByteReader) throws(DecodeError) -> [SANumbers] {
        let count = Int(try reader.read(UInt16.self))
        guard count <= Limits.numbers else { throw .overLimit(field: "numbers", value: UInt64(count)) }
        var numbers: [SANumbers] = []
        numbers.reserveCapacity(count)
        for _ in 0..<count {
            numbers.append(SANumbers(key: try SAKey(parsing: &reader), replay: try KernelReplay(parsing: &reader)))
        }
        return numbers
    }
}

extension KernelReplay {
    func encode(into writer: inout ByteWriter) {
        writer.write(UInt8(usesExtendedStructure ? 1 : 0))
        writer.write(outbound)
        writer.write(inbound)
        writer.write(windowPackets)
        // A window in which nothing was received, that of every outbound SA, needs no bits.
        let isEmpty = bitmap.allSatisfy { $0 == 0 }
        writer.write(UInt8(bitmap.count))
        writer.write(UInt8(isEmpty ? 0 : 1))
        if !isEmpty { for word in bitmap { writer.write(word) } }
    }

    init(parsing reader: inout ByteReader) throws(DecodeError) {
        let usesExtended = try reader.read(UInt8.self) == 1
        self.init(
            outbound: try reader.read(), inbound: try reader.read(), windowPackets: try reader.read(),
            usesExtendedStructure: usesExtended)
        let count = Int(try reader.read(UInt8.self))
        guard count <= Limits.bitmapWords else { throw .overLimit(field: "replay bitmap", value: UInt64(count)) }
        let hasBits = try reader.read(UInt8.self) == 1
        bitmap = [UInt32](repeating: 0, count: count)
        if hasBits { for index in 0..<count { bitmap[index] = try reader.read() } }
        let largest = usesExtended ? UInt64.max : UInt64(UInt32.max)
        guard outbound <= largest, inbound <= largest else {
            throw .invalid(field: "sequence number of 32 bits", value: max(outbound, inbound))
        }
    }
}

extension ByteWriter {
    mutating func writeAttribute(_ type: UInt8, _ body: (inout ByteWriter) -> Void) {
        write(type)
        write(UInt16(0))
        let start = count
        body(&self)
        let length = count - start
        precondition(length <= Int(UInt16.max))
        overwrite(at: start - 2, with: UInt16(length))
    }
}
