// SPDX-License-Identifier: Apache-2.0

public import ByteCodec
public import Primitives

/// What names one SA in a kernel: destination, SPI and protocol (RFC 4301 §4.1).
public struct SAIdentity: Hashable, Sendable, Comparable, Codable, CustomStringConvertible {
    /// The address that the SA's packets are sent to.
    public let destination: IPv4Address
    /// The security parameter index in host order; 0xc01b75e7 prints as on the wire.
    public let spi: UInt32
    /// The IP protocol: 50 for ESP.
    public let protocolNumber: UInt8

    /// Makes an identity; ESP unless told otherwise.
    public init(destination: IPv4Address, spi: UInt32, protocolNumber: UInt8 = 50) {
        self.destination = destination
        self.spi = spi
        self.protocolNumber = protocolNumber
    }

    /// The encoded size in bytes.
    public static let byteCount = 9

    /// Appends destination, SPI and protocol in network order.
    public func encode(into writer: inout ByteWriter) {
        writer.write(destination)
        writer.write(spi)
        writer.write(protocolNumber)
    }

    /// Reads what `encode` wrote.
    public init(parsing reader: inout ByteReader) throws(DecodeError) {
        destination = try reader.readIPv4()
        spi = try reader.read()
        protocolNumber = try reader.read()
    }

    /// Orders by destination, then SPI, then protocol.
    public static func < (left: SAIdentity, right: SAIdentity) -> Bool {
        (left.destination.value, left.spi, left.protocolNumber)
            < (right.destination.value, right.spi, right.protocolNumber)
    }

    /// The text `10.1.0.5 esp 0xc01b75e7`.
    public var description: String {
        "\(destination) \(protocolNumber == 50 ? "esp" : String(protocolNumber)) 0x\(String(spi, radix: 16))"
    }
}
