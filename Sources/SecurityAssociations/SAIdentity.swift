// SPDX-License-Identifier: Apache-2.0

public import ByteCodec
public import Primitives

/// What names one SA in a kernel: destination, SPI and protocol (RFC 4301 §4.1).
public struct SAIdentity: Hashable, Sendable, Comparable, Codable, CustomStringConvertible {
    /// The address that the SA's packets are sent to.
    public let destination: IPAddress
    /// The security parameter index in host order; 0xc01b75e7 prints as on the wire.
    public let spi: UInt32
    /// The IP protocol: 50 for ESP.
    public let protocolNumber: UInt8

    /// Makes an identity; ESP unless told otherwise.
    public init(destination: IPAddress, spi: UInt32, protocolNumber: UInt8 = 50) {
        self.destination = destination
        self.spi = spi
        self.protocolNumber = protocolNumber
    }

    /// The encoded size in bytes of the longest identity.
    public static let maximumByteCount = 25

    /// Appends destination, SPI and protocol in network order: 9 bytes for IPv4; an IPv6 destination stands behind
    /// them, and 0.0.0.0, which no SA has, in its place.
    public func encode(into writer: inout ByteWriter) {
        writer.write(destination.ipv4 ?? .any)
        writer.write(spi)
        writer.write(protocolNumber)
        if let address = destination.ipv6 { writer.write(address) }
    }

    /// Reads what `encode` wrote.
    public init(parsing reader: inout ByteReader) throws(DecodeError) {
        let short = try reader.readIPv4()
        spi = try reader.read()
        protocolNumber = try reader.read()
        destination = short == .any ? IPAddress(try reader.readIPv6()) : IPAddress(short)
    }

    /// Orders by destination, then SPI, then protocol.
    public static func < (left: SAIdentity, right: SAIdentity) -> Bool {
        (left.destination, left.spi, left.protocolNumber) < (right.destination, right.spi, right.protocolNumber)
    }

    /// The text `10.1.0.5 esp 0xc01b75e7`.
    public var description: String {
        "\(destination) \(protocolNumber == 50 ? "esp" : String(protocolNumber)) 0x\(String(spi, radix: 16))"
    }
}
