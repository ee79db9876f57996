// SPDX-License-Identifier: Apache-2.0

internal import ByteCodec
internal import Primitives

extension ReplicatedSA {
    private enum Attribute: UInt8 {
        case source = 1
        case basics = 2
        case selector = 3
        case extraFlags = 4
        case limits = 5
        case aead = 6
        case encryption = 7
        case authentication = 8
        case compression = 9
        case encapsulation = 10
        case careOfAddress = 11
        case outputMark = 12
        case interfaceID = 13
        case trafficPadding = 14
        case direction = 15
        case keepalive = 16
        case mappingThreshold = 17
        case securityContext = 18
        /// Which replay structure, with which window and how many words: another one is another SA.
        case replayShape = 19
        case replay = 64
        case usage = 65
    }

    /// Appends what the SA is.
    func encodeLasting(into writer: inout ByteWriter) {
        func append(_ type: Attribute, _ body: (inout ByteWriter) -> Void) {
            writer.writeAttribute(type.rawValue, body)
        }
        append(.source) { $0.write(source) }
        append(.basics) {
            $0.write(mode)
            $0.write(flags)
            $0.write(replayWindow)
            $0.write(requestID)
        }
        if selector != ReplicatedSelector() { append(.selector) { selector.encode(into: &$0) } }
        if !limits.isEmpty { append(.limits) { limits.encode(into: &$0) } }
        if let aead { append(.aead) { aead.encode(into: &$0) } }
        if let encryption { append(.encryption) { encryption.encode(into: &$0) } }
        if let authentication { append(.authentication) { authentication.encode(into: &$0) } }
        if let compression { append(.compression) { compression.encode(into: &$0) } }
        if let encapsulation { append(.encapsulation) { encapsulation.encode(into: &$0) } }
        if let careOfAddress { append(.careOfAddress) { $0.write(careOfAddress) } }
        if let outputMark { append(.outputMark) { outputMark.encode(into: &$0) } }
        let numbers: [(Attribute, UInt32)] = [
            (.extraFlags, extraFlags), (.interfaceID, interfaceID), (.trafficPadding, trafficPadding),
            (.direction, UInt32(direction)), (.keepalive, keepaliveSeconds), (.mappingThreshold, mappingThreshold),
        ]
        for (type, value) in numbers where value != 0 { append(type) { $0.write(value) } }
        if !securityContext.isEmpty { append(.securityContext) { $0.write(bytes: securityContext) } }
        append(.replayShape) {
            $0.write(UInt8(replay.usesExtendedStructure ? 1 : 0))
            $0.write(replay.windowPackets)
            $0.write(UInt8(replay.bitmap.count))
        }
    }

    /// Appends what moves while the SA is in use.
    func encodeMoving(into writer: inout ByteWriter) {
        writer.writeAttribute(Attribute.replay.rawValue) { replay.encode(into: &$0) }
        writer.writeAttribute(Attribute.usage.rawValue) {
            $0.write(usage.bytes)
            $0.write(usage.packets)
            $0.write(usage.ageSeconds)
            $0.write(usage.useAgeSeconds ?? .max)
        }
    }

    /// Reads key and attributes.
    init(parsing reader: inout ByteReader, findings: inout RecordFindings) throws(DecodeError) {
        self.init(key: try SAKey(parsing: &reader), source: .any(.ipv4))
        var hasSource = false
        while !reader.isAtEnd {
            let type: UInt8 = try reader.read()
            var value = ByteReader(try reader.readChunk())
            guard let attribute = Attribute(rawValue: type) else {
                findings.unknownAttributes += 1
                continue
            }
            hasSource = hasSource || attribute == .source
            try read(attribute, from: &value)
        }
        guard hasSource, source.family == key.destination.family else {
            throw .invalid(field: "SA without a source of its family", value: 0)
        }
    }

    private mutating func read(_ attribute: Attribute, from value: inout ByteReader) throws(DecodeError) {
        switch attribute {
        case .source: source = try value.readAddress()
        case .basics:
            mode = try value.read()
            flags = try value.read()
            replayWindow = try value.read()
            requestID = try value.read()
        case .selector: selector = try ReplicatedSelector(parsing: &value)
        case .limits: limits = try ReplicatedLimits(parsing: &value)
        case .aead: aead = try Algorithm(parsing: &value)
        case .encryption: encryption = try Algorithm(parsing: &value)
        case .authentication: authentication = try Algorithm(parsing: &value)
        case .compression: compression = try Algorithm(parsing: &value)
        case .encapsulation: encapsulation = try Encapsulation(parsing: &value)
        case .careOfAddress: careOfAddress = try value.readAddress()
        case .outputMark: outputMark = try KernelSA.Mark(parsing: &value)
        case .extraFlags: extraFlags = try value.read()
        case .interfaceID: interfaceID = try value.read()
        case .trafficPadding: trafficPadding = try value.read()
        case .direction: direction = UInt8(truncatingIfNeeded: try value.read(UInt32.self))
        case .keepalive: keepaliveSeconds = try value.read()
        case .mappingThreshold: mappingThreshold = try value.read()
        case .securityContext: securityContext = try value.readLabel()
        case .replayShape: break
        case .replay: replay = try KernelReplay(parsing: &value)
        case .usage: usage = try Usage(parsing: &value)
        }
    }
}

extension ReplicatedSA.Usage {
    init(parsing value: inout ByteReader) throws(DecodeError) {
        bytes = try value.read()
        packets = try value.read()
        ageSeconds = try value.read()
        let used: UInt64 = try value.read()
        useAgeSeconds = used == .max ? nil : used
    }
}

extension ReplicatedSA.Algorithm {
    func encode(into writer: inout ByteWriter) {
        let text = Array(name.utf8.prefix(Limits.nameByteCount))
        writer.write(UInt8(text.count))
        writer.write(bytes: text)
        writer.write(truncationBits)
        secret.withBytes { writer.write(bytes: $0) }
    }

    init(parsing reader: inout ByteReader) throws(DecodeError) {
        let length = Int(try reader.read(UInt8.self))
        guard length > 0, length <= Limits.nameByteCount else {
            throw .overLimit(field: "algorithm name", value: UInt64(length))
        }
        let text = try reader.readBytes(length)
        guard text.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) else { throw .invalid(field: "algorithm name", value: 0) }
        name = String(decoding: text, as: UTF8.self)
        truncationBits = try reader.read()
        guard reader.remaining <= Limits.keyByteCount else {
            throw .overLimit(field: "key", value: UInt64(reader.remaining))
        }
        secret = SecretBytes(reader.readRemaining())
    }
}

extension ReplicatedSA.Encapsulation {
    func encode(into writer: inout ByteWriter) {
        writer.write(kind)
        writer.write(sourcePort)
        writer.write(destinationPort)
        writer.write(originalAddress)
    }

    init(parsing reader: inout ByteReader) throws(DecodeError) {
        self.init(
            kind: try reader.read(), sourcePort: try reader.read(), destinationPort: try reader.read(),
            originalAddress: try reader.readAddress())
    }
}

extension ReplicatedLimits {
    func encode(into writer: inout ByteWriter) {
        for value in amounts + seconds { writer.write(value) }
    }

    init(parsing reader: inout ByteReader) throws(DecodeError) {
        for index in 0..<4 { amounts[index] = try reader.read() }
        for index in 0..<4 { seconds[index] = try reader.read() }
    }
}

extension ByteReader {
    /// Reads a security label, at most the limit's length.
    mutating func readLabel() throws(DecodeError) -> [UInt8] {
        guard remaining <= KernelRecord.Limits.securityContextByteCount else {
            throw .overLimit(field: "security context", value: UInt64(remaining))
        }
        return Array(readRemaining())
    }
}
