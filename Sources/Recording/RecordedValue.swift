// SPDX-License-Identifier: Apache-2.0

/// A value of JSON, with whole numbers of 64 bits kept whole.
enum RecordedValue: Hashable, Codable {
    case null
    case flag(Bool)
    case number(UInt64)
    case negative(Int64)
    case text(String)
    case list([RecordedValue])
    case object([String: RecordedValue])

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let value = try? container.decode(String.self) {
            self = .text(value)
        } else if let value = try? container.decode(Bool.self) {
            self = .flag(value)
        } else if let value = try? container.decode(UInt64.self) {
            self = .number(value)
        } else if let value = try? container.decode([String: RecordedValue].self) {
            self = .object(value)
        } else if let value = try? container.decode([RecordedValue].self) {
            self = .list(value)
        } else if let value = try? container.decode(Int64.self) {
            self = .negative(value)
        } else {
            guard container.decodeNil() else {
                throw DecodingError.dataCorruptedError(in: container, debugDescription: "no value of a recording")
            }
            self = .null
        }
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .null: try container.encodeNil()
        case .flag(let value): try container.encode(value)
        case .number(let value): try container.encode(value)
        case .negative(let value): try container.encode(value)
        case .text(let value): try container.encode(value)
        case .list(let values): try container.encode(values)
        case .object(let members): try container.encode(members)
        }
    }
}
