// SPDX-License-Identifier: Apache-2.0

import ByteCodec

/// The tree of sections, values and lists that a VICI message is (strongSwan `vici_message.h`).
struct ViciSection: Sendable, Hashable {
    /// One entry of a section.
    enum Element: Sendable, Hashable {
        case section(ViciSection)
        case value(String)
        case list([String])
    }

    private enum Token {
        static let sectionStart: UInt8 = 1
        static let sectionEnd: UInt8 = 2
        static let keyValue: UInt8 = 3
        static let listStart: UInt8 = 4
        static let listItem: UInt8 = 5
        static let listEnd: UInt8 = 6
    }

    /// The entries in order; names may repeat.
    private(set) var entries: [(name: String, element: Element)] = []

    init() {}

    /// Decodes a whole message.
    init(decoding bytes: ArraySlice<UInt8>) throws(DecodeError) {
        var reader = ByteReader(bytes)
        var budget = Limits.viciElementCount
        try read(from: &reader, depth: 0, budget: &budget)
    }

    /// The text of the first value of this name.
    func value(_ name: String) -> String? {
        for case (name, .value(let text)) in entries { return text }
        return nil
    }

    /// The items of the first list of this name; empty without one.
    func list(_ name: String) -> [String] {
        for case (name, .list(let items)) in entries { return items }
        return []
    }

    /// The first section of this name.
    func section(_ name: String) -> ViciSection? {
        for case (name, .section(let section)) in entries { return section }
        return nil
    }

    /// All sections with their names.
    var sections: [(name: String, section: ViciSection)] {
        entries.compactMap { entry in
            if case .section(let section) = entry.element { (entry.name, section) } else { nil }
        }
    }

    /// Adds an entry; the name must have at most 255 bytes, each value at most 65535.
    mutating func append(_ name: String, _ element: Element) { entries.append((name, element)) }

    /// Appends the message to `writer`.
    func encode(into writer: inout ByteWriter) {
        for (name, element) in entries {
            switch element {
            case .value(let text):
                writer.write(Token.keyValue)
                writer.write(viciName: name)
                writer.write(chunk: text.utf8)
            case .list(let items):
                writer.write(Token.listStart)
                writer.write(viciName: name)
                for item in items {
                    writer.write(Token.listItem)
                    writer.write(chunk: item.utf8)
                }
                writer.write(Token.listEnd)
            case .section(let section):
                writer.write(Token.sectionStart)
                writer.write(viciName: name)
                section.encode(into: &writer)
                writer.write(Token.sectionEnd)
            }
        }
    }

    private mutating func read(from reader: inout ByteReader, depth: Int, budget: inout Int) throws(DecodeError) {
        guard depth <= Limits.viciNestingDepth else { throw .overLimit(field: "vici nesting", value: UInt64(depth)) }
        while !reader.isAtEnd {
            try spend(&budget)
            let token: UInt8 = try reader.read()
            switch token {
            case Token.sectionStart:
                let name = try reader.readViciName()
                var inner = ViciSection()
                try inner.read(from: &reader, depth: depth + 1, budget: &budget)
                entries.append((name, .section(inner)))
            case Token.sectionEnd where depth > 0: return
            case Token.keyValue:
                let name = try reader.readViciName()
                entries.append((name, .value(String(decoding: try reader.readChunk(), as: UTF8.self))))
            case Token.listStart:
                let name = try reader.readViciName()
                entries.append((name, .list(try Self.readItems(from: &reader, budget: &budget))))
            default: throw .invalid(field: "vici element", value: UInt64(token))
            }
        }
        guard depth == 0 else { throw .truncated(wanted: 1, left: 0) }
    }

    private static func readItems(from reader: inout ByteReader, budget: inout Int) throws(DecodeError) -> [String] {
        var items: [String] = []
        while true {
            let token: UInt8 = try reader.read()
            switch token {
            case Token.listItem:
                guard budget > 0 else { throw .overLimit(field: "vici elements", value: 0) }
                budget -= 1
                items.append(String(decoding: try reader.readChunk(), as: UTF8.self))
            case Token.listEnd: return items
            default: throw .invalid(field: "vici list element", value: UInt64(token))
            }
        }
    }

    private func spend(_ budget: inout Int) throws(DecodeError) {
        guard budget > 0 else {
            throw .overLimit(field: "vici elements", value: UInt64(Limits.viciElementCount))
        }
        budget -= 1
    }

    static func == (left: ViciSection, right: ViciSection) -> Bool {
        left.entries.elementsEqual(right.entries) { $0.name == $1.name && $0.element == $1.element }
    }

    func hash(into hasher: inout Hasher) {
        for entry in entries {
            hasher.combine(entry.name)
            hasher.combine(entry.element)
        }
    }
}

extension ByteReader {
    /// Reads a name: an 8-bit length and bytes.
    mutating func readViciName() throws(DecodeError) -> String {
        let count = Int(try read(UInt8.self))
        return String(decoding: try readBytes(count), as: UTF8.self)
    }
}

extension ByteWriter {
    /// Appends a name, cut at 255 bytes.
    mutating func write(viciName name: String) {
        let bytes = name.utf8.prefix(255)
        write(UInt8(bytes.count))
        write(bytes: bytes)
    }
}
