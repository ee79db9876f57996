// SPDX-License-Identifier: Apache-2.0

public import Primitives

/// A shared key and the digest that it makes of a message (reference first-hop §1.4).
public struct HSRPKey: Hashable, Sendable, Codable {
    /// What the message calls it by; 0 for a key that stands in no chain.
    public let number: UInt32
    private let secret: SecretBytes

    /// Bytes of a key: with more, its padding would not fit one block of the digest.
    public static let byteCounts = 1...55

    /// Takes a key of `byteCounts` bytes, else nil.
    public init?(number: UInt32 = 0, _ secret: SecretBytes) {
        guard Self.byteCounts.contains(secret.count) else { return nil }
        self.number = number
        self.secret = secret
    }

    /// Keyed MD5 after RFC 1828: the padded key, the message with its digest left zero, and the key again.
    func digest(of covered: [UInt8]) -> [UInt8] {
        secret.withBytes { key in
            var hash = MD5()
            hash.update(key)
            hash.update(CollectionOfOne(0x80))
            hash.update(repeatElement(0, count: Self.byteCounts.upperBound - key.count))
            // The length in bits, little endian; it takes two bytes at most.
            let bitCount = key.count * 8
            hash.update([UInt8(bitCount & 255), UInt8(bitCount >> 8), 0, 0, 0, 0, 0, 0])
            hash.update(covered)
            hash.update(key)
            return hash.finish()
        }
    }

    /// Tells whether this key made a digest, in a time that does not depend on where they differ.
    func made(_ digest: HSRPDigest) -> Bool {
        let own = self.digest(of: digest.covered)
        guard own.count == digest.value.count else { return false }
        return zip(own, digest.value).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
    }
}

extension HSRPKey {
    private enum CodingKeys: String, CodingKey { case number, secret }

    /// Reads a number and a length, and is a key of zeros.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        let secret = try container.decode(SecretBytes.self, forKey: .secret)
        guard let key = Self(number: try container.decode(UInt32.self, forKey: .number), secret) else {
            throw DecodingError.dataCorruptedError(
                forKey: .secret, in: container, debugDescription: "length \(secret.count)")
        }
        self = key
    }

    /// What stands for the key in a recording: zeros of the same number and length.
    var standIn: HSRPKey {
        guard let key = Self(number: number, SecretBytes([UInt8](repeating: 0, count: secret.count))) else {
            preconditionFailure("as long as the key itself")
        }
        return key
    }
}

/// The digest in a message, with what it covers.
public struct HSRPDigest: Hashable, Sendable, Codable {
    /// Which key made it.
    public var keyNumber: UInt32
    /// The address that the sender sent from; of an IPv6 address only the last four bytes find room.
    public var sender: IPv4Address
    /// 16 bytes.
    public internal(set) var value: [UInt8]
    /// The UDP payload with zeros in the digest's place.
    var covered: [UInt8] = []

    /// The four bytes by which a digest names its sender.
    static func short(_ address: IPAddress) -> IPv4Address {
        switch address {
        case .ipv4(let address): address
        case .ipv6(let address): IPv4Address(UInt32(truncatingIfNeeded: address.low))
        }
    }

    /// Makes a digest as a message carries it.
    init(keyNumber: UInt32, sender: IPv4Address, value: [UInt8]) {
        self.keyNumber = keyNumber
        self.sender = sender
        self.value = value
    }
}

extension HSRPMessage {
    /// Puts a digest of everything else into the message, which must not be changed afterwards.
    public mutating func sign(with key: HSRPKey, from sender: IPAddress) {
        var digest = HSRPDigest(
            keyNumber: key.number, sender: HSRPDigest.short(sender), value: [UInt8](repeating: 0, count: MD5.byteCount))
        authentication = .digest(digest)
        digest.covered = bytes
        digest.value = key.digest(of: digest.covered)
        authentication = .digest(digest)
    }
}
