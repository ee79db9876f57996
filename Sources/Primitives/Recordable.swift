// SPDX-License-Identifier: Apache-2.0

// How the values of this room stand in a recording: as people write them.

extension IPv4Address: Codable {
    /// Writes dotted-quad text.
    public func encode(to encoder: any Encoder) throws { try description.encode(to: encoder) }

    /// Reads dotted-quad text; no text is 0.0.0.0.
    public init(from decoder: any Decoder) throws {
        self = try decoder.readText { $0.isEmpty ? .any : IPv4Address(text: $0) }
    }
}

extension IPv4Prefix: Codable {
    /// Writes `address/length`.
    public func encode(to encoder: any Encoder) throws { try description.encode(to: encoder) }

    /// Reads `address/length`.
    public init(from decoder: any Decoder) throws {
        self = try decoder.readText { text in
            let parts = text.split(separator: "/")
            guard parts.count == 2, let address = IPv4Address(text: parts[0]), let length = Int(parts[1]),
                (0...32).contains(length)
            else { return nil }
            return IPv4Prefix(address: address, length: length)
        }
    }
}

extension IPv6Address: Codable {
    /// Writes RFC 5952 text.
    public func encode(to encoder: any Encoder) throws { try description.encode(to: encoder) }

    /// Reads the text of an address; no text is `::`.
    public init(from decoder: any Decoder) throws {
        self = try decoder.readText { $0.isEmpty ? IPv6Address(high: 0, low: 0) : IPv6Address(text: $0) }
    }
}

extension IPAddress: Codable {
    /// Writes the text of the address.
    public func encode(to encoder: any Encoder) throws { try description.encode(to: encoder) }

    /// Reads the text of either family; no text is 0.0.0.0.
    public init(from decoder: any Decoder) throws {
        self = try decoder.readText { $0.isEmpty ? .any(.ipv4) : IPAddress(text: $0) }
    }
}

extension IPPrefix: Codable {
    /// Writes `address/length`.
    public func encode(to encoder: any Encoder) throws { try description.encode(to: encoder) }

    /// Reads `address/length`.
    public init(from decoder: any Decoder) throws {
        self = try decoder.readText { text in
            let parts = text.split(separator: "/")
            guard parts.count == 2, let address = IPAddress(text: parts[0]), let length = Int(parts[1]),
                (0...address.bitCount).contains(length)
            else { return nil }
            return IPPrefix(address: address, length: length)
        }
    }
}

extension MACAddress: Codable {
    /// Writes colon notation.
    public func encode(to encoder: any Encoder) throws { try description.encode(to: encoder) }

    /// Reads colon notation; no text is zero.
    public init(from decoder: any Decoder) throws {
        self = try decoder.readText { text in
            guard !text.isEmpty else { return MACAddress(0) }
            return MACAddress(octets: text.split(separator: ":").compactMap { UInt8($0, radix: 16) })
        }
    }
}

extension Instant: Codable {
    /// Writes nanoseconds.
    public func encode(to encoder: any Encoder) throws { try nanoseconds.encode(to: encoder) }

    /// Reads nanoseconds.
    public init(from decoder: any Decoder) throws { self.init(nanoseconds: try UInt64(from: decoder)) }
}

extension Interval: Codable {
    /// Writes nanoseconds.
    public func encode(to encoder: any Encoder) throws { try nanoseconds.encode(to: encoder) }

    /// Reads nanoseconds.
    public init(from decoder: any Decoder) throws { self.init(nanoseconds: try UInt64(from: decoder)) }
}

extension SecretBytes: Codable {
    /// The longest secret that is read.
    public static let recordedByteCount = 1 << 20

    /// Writes the length alone: no key gets into a recording.
    public func encode(to encoder: any Encoder) throws { try count.encode(to: encoder) }

    /// Reads a length, and is that many zeros.
    public convenience init(from decoder: any Decoder) throws {
        let count = try Int(from: decoder)
        guard (0...Self.recordedByteCount).contains(count) else {
            throw DecodingError.dataCorrupted(
                .init(codingPath: decoder.codingPath, debugDescription: "length \(count)"))
        }
        self.init(taking: [UInt8](repeating: 0, count: count))
    }
}

extension Decoder {
    /// Reads a text that `parse` understands.
    fileprivate func readText<Value>(_ parse: (String) -> Value?) throws -> Value {
        let text = try String(from: self)
        guard let value = parse(text) else {
            throw DecodingError.dataCorrupted(.init(codingPath: codingPath, debugDescription: "cannot read \(text)"))
        }
        return value
    }
}
