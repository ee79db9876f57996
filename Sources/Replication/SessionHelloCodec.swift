// SPDX-License-Identifier: Apache-2.0

public import ByteCodec

extension SessionHello {
    private enum Attribute: UInt8 {
        case version = 1
        case capabilities = 2
        case bootID = 3
        case nodeName = 4
        case term = 5
        case scheme = 6
        case interface = 7
        case agreedItem = 8
        case isActive = 9
        case journal = 10
        case traffic = 11
    }

    /// Appends the hello's attributes.
    public func encode(into writer: inout ByteWriter) {
        func append(_ type: Attribute, _ body: (inout ByteWriter) -> Void) {
            var value = ByteWriter()
            body(&value)
            writer.write(type.rawValue)
            writer.write(chunk: value.bytes)
        }
        append(.version) { $0.write(protocolVersion) }
        append(.capabilities) { $0.write(capabilities) }
        append(.bootID) { $0.write(bootID) }
        append(.nodeName) { $0.write(bytes: nodeName.cutToLimit().utf8) }
        append(.term) { $0.write(term) }
        append(.scheme) { $0.write(bytes: scheme.cutToLimit().utf8) }
        append(.isActive) { $0.write(UInt8(isActive ? 1 : 0)) }
        append(.journal) { journal.encode(into: &$0) }
        if let trafficMilliseconds { append(.traffic) { $0.write(trafficMilliseconds) } }
        for interface in interfaces.prefix(ReplicationLimits.helloInterfaces) {
            append(.interface) {
                $0.write(interface.address)
                $0.write(interface.group)
                $0.write(interface.virtualAddress)
            }
        }
        for item in agreedItems.prefix(ReplicationLimits.helloItems) where fits(item, after: writer.count) {
            append(.agreedItem) {
                $0.write(chunk: Array(item.name.utf8))
                $0.write(chunk: Array(item.value.utf8))
            }
        }
    }

    private func fits(_ item: AgreedItem, after count: Int) -> Bool {
        count + item.name.utf8.count + item.value.utf8.count + 7 <= ReplicationLimits.frameByteCount
    }

    /// Reads a hello; version, boot id, term and scheme must be there, unknown attributes are skipped and counted.
    public init(parsing reader: inout ByteReader, skipped: inout Int) throws(DecodeError) {
        var version: UInt16?
        var boot: UInt64?
        var term: UInt64?
        var scheme: String?
        var hello = SessionHello(bootID: 0, nodeName: "", term: 0, scheme: "")
        while !reader.isAtEnd {
            let type: UInt8 = try reader.read()
            var value = ByteReader(try reader.readChunk())
            guard let attribute = Attribute(rawValue: type) else {
                skipped += 1
                continue
            }
            switch attribute {
            case .version: version = try value.read()
            case .bootID: boot = try value.read()
            case .term: term = try value.read()
            case .scheme: scheme = try value.readText()
            default: try hello.read(attribute, from: &value)
            }
        }
        guard let version else { throw .invalid(field: "hello without version", value: 0) }
        // A hello of another version may lack anything else; the session refuses it by its version.
        hello.protocolVersion = version
        if version == ReplicationLimits.protocolVersion, boot == nil || term == nil || scheme == nil {
            throw .invalid(field: "hello without boot id, term or scheme", value: 0)
        }
        hello.bootID = boot ?? 0
        hello.term = term ?? 0
        hello.scheme = scheme ?? ""
        self = hello
    }

    private mutating func read(_ attribute: Attribute, from value: inout ByteReader) throws(DecodeError) {
        switch attribute {
        case .capabilities: capabilities = try value.read()
        case .nodeName: nodeName = try value.readText()
        case .isActive: isActive = try value.read(UInt8.self) == 1
        case .journal: journal = try JournalState(parsing: &value)
        case .traffic: trafficMilliseconds = try value.read()
        case .interface:
            guard interfaces.count < ReplicationLimits.helloInterfaces else {
                throw .overLimit(field: "hello interfaces", value: UInt64(interfaces.count))
            }
            interfaces.append(
                Interface(
                    address: try value.readIPv4(), group: try value.read(), virtualAddress: try value.readIPv4()))
        case .agreedItem:
            guard agreedItems.count < ReplicationLimits.helloItems else {
                throw .overLimit(field: "hello items", value: UInt64(agreedItems.count))
            }
            var name = ByteReader(try value.readChunk())
            var text = ByteReader(try value.readChunk())
            agreedItems.append(AgreedItem(name: try name.readText(), value: try text.readText()))
        case .version, .bootID, .term, .scheme: break
        }
    }
}

extension ByteReader {
    /// Reads what is left as text of at most the limit's length; control characters become `?`, so that a log line
    /// or a screen cannot be forged by a peer.
    ///
    /// A byte that is no UTF-8 becomes a character of three bytes, so the limit holds once more for the text.
    mutating func readText() throws(DecodeError) -> String {
        let bytes = readRemaining()
        guard bytes.count <= ReplicationLimits.textByteCount else {
            throw .overLimit(field: "text", value: UInt64(bytes.count))
        }
        let visible = bytes.map { $0 < 0x20 || $0 == 0x7f ? UInt8(ascii: "?") : $0 }
        return String(decoding: visible, as: UTF8.self).cutToLimit()
    }
}
