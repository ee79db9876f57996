// SPDX-License-Identifier: Apache-2.0

/// Makes a machine's event or start of what a recording says of it.
///
/// What an older recording does not mention is false, zero, empty or nothing: a new member of an event must mean by that
/// what was meant before there was one.
struct LenientDecoder: Decoder {
    let value: RecordedValue
    var codingPath: [any CodingKey] = []
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<Key: CodingKey>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key> {
        switch value {
        case .object(let members):
            KeyedDecodingContainer(Members<Key>(members: members, codingPath: codingPath))
        case .null: KeyedDecodingContainer(Members<Key>(members: [:], codingPath: codingPath))
        default: throw mismatch(RecordedValue.self, "an object")
        }
    }

    func unkeyedContainer() throws -> any UnkeyedDecodingContainer {
        switch value {
        case .list(let values): Elements(values: values, codingPath: codingPath)
        case .null: Elements(values: [], codingPath: codingPath)
        default: throw mismatch(RecordedValue.self, "a list")
        }
    }

    func singleValueContainer() throws -> any SingleValueDecodingContainer { self }

    fileprivate func mismatch(_ type: any Any.Type, _ wanted: String) -> DecodingError {
        .typeMismatch(type, .init(codingPath: codingPath, debugDescription: "\(wanted) is wanted"))
    }
}

extension LenientDecoder: SingleValueDecodingContainer {
    func decodeNil() -> Bool { value == .null }

    func decode(_ type: Bool.Type) throws -> Bool {
        switch value {
        case .flag(let flag): flag
        case .null: false
        default: throw mismatch(type, "true or false")
        }
    }

    func decode(_ type: String.Type) throws -> String {
        switch value {
        case .text(let text): text
        case .null: ""
        default: throw mismatch(type, "a text")
        }
    }

    func decode(_ type: Double.Type) throws -> Double { throw mismatch(type, "no fraction") }
    func decode(_ type: Float.Type) throws -> Float { throw mismatch(type, "no fraction") }
    func decode<Value: Decodable>(_ type: Value.Type) throws -> Value { try Value(from: self) }

    func decode<Value: Decodable & FixedWidthInteger>(_ type: Value.Type) throws -> Value {
        let number: Value? =
            switch value {
            case .number(let number): Value(exactly: number)
            case .negative(let number): Value(exactly: number)
            case .null: 0
            default: nil
            }
        guard let number else { throw mismatch(Value.self, "a number of \(Value.bitWidth) bits") }
        return number
    }
}

/// The members of an object.
private struct Members<Key: CodingKey>: KeyedDecodingContainerProtocol {
    let members: [String: RecordedValue]
    let codingPath: [any CodingKey]

    var allKeys: [Key] { members.keys.sorted().compactMap { Key(stringValue: $0) } }

    func contains(_ key: Key) -> Bool { members[key.stringValue] != nil }

    func decodeNil(forKey key: Key) -> Bool { decoder(key).decodeNil() }

    func decode<Value: Decodable>(_ type: Value.Type, forKey key: Key) throws -> Value { try Value(from: decoder(key)) }

    func nestedContainer<Nested: CodingKey>(
        keyedBy type: Nested.Type, forKey key: Key
    ) throws -> KeyedDecodingContainer<Nested> {
        try decoder(key).container(keyedBy: type)
    }

    func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer {
        try decoder(key).unkeyedContainer()
    }

    func superDecoder() throws -> any Decoder { LenientDecoder(value: .object(members), codingPath: codingPath) }
    func superDecoder(forKey key: Key) throws -> any Decoder { decoder(key) }

    private func decoder(_ key: Key) -> LenientDecoder {
        LenientDecoder(value: members[key.stringValue] ?? .null, codingPath: codingPath + [key])
    }
}

/// The elements of a list.
private struct Elements: UnkeyedDecodingContainer {
    let values: [RecordedValue]
    let codingPath: [any CodingKey]
    var currentIndex = 0

    var count: Int? { values.count }
    var isAtEnd: Bool { currentIndex == values.count }

    init(values: [RecordedValue], codingPath: [any CodingKey]) {
        self.values = values
        self.codingPath = codingPath
    }

    mutating func decodeNil() throws -> Bool {
        guard !isAtEnd, values[currentIndex] == .null else { return false }
        currentIndex += 1
        return true
    }

    mutating func decode<Value: Decodable>(_ type: Value.Type) throws -> Value { try Value(from: next()) }

    mutating func nestedContainer<Key: CodingKey>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key> {
        try next().container(keyedBy: type)
    }

    mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer { try next().unkeyedContainer() }
    mutating func superDecoder() throws -> any Decoder { try next() }

    private mutating func next() throws -> LenientDecoder {
        guard !isAtEnd else {
            throw DecodingError.valueNotFound(
                RecordedValue.self, .init(codingPath: codingPath, debugDescription: "the list is too short"))
        }
        currentIndex += 1
        return LenientDecoder(value: values[currentIndex - 1], codingPath: codingPath)
    }
}
