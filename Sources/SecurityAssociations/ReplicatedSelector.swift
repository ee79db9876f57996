// SPDX-License-Identifier: Apache-2.0

internal import ByteCodec
public import Primitives

/// Which packets an SA or a policy is for, whole (`struct xfrm_selector`) but for the interface, which is each node's own.
public struct ReplicatedSelector: Hashable, Sendable, Codable {
    /// Where the packets go.
    public var destination: IPAddress
    /// Where the packets come from.
    public var source: IPAddress
    /// Prefix lengths.
    public var destinationLength: UInt8
    /// Prefix lengths.
    public var sourceLength: UInt8
    /// The destination port and which bits of it count.
    public var destinationPort: UInt16 = 0
    /// Which bits of the destination port count.
    public var destinationPortMask: UInt16 = 0
    /// The source port.
    public var sourcePort: UInt16 = 0
    /// Which bits of the source port count.
    public var sourcePortMask: UInt16 = 0
    /// The IP protocol, 0 for any.
    public var protocolNumber: UInt8 = 0
    /// The user id, 0 for any.
    public var user: UInt32 = 0
    /// The family was AF_UNSPEC, as with XFRM_STATE_AF_UNSPEC.
    public var isUnspecified: Bool

    /// Makes a selector; by default the one that matches all of IPv4.
    public init(
        source: IPAddress = .any(.ipv4), sourceLength: UInt8 = 0, destination: IPAddress = .any(.ipv4),
        destinationLength: UInt8 = 0, isUnspecified: Bool = false
    ) {
        self.source = source
        self.sourceLength = sourceLength
        self.destination = destination
        self.destinationLength = destinationLength
        self.isUnspecified = isUnspecified
    }

    func encode(into writer: inout ByteWriter) {
        writer.write(UInt8(isUnspecified ? 1 : 0))
        writer.write(source)
        writer.write(sourceLength)
        writer.write(destination)
        writer.write(destinationLength)
        writer.write(sourcePort)
        writer.write(sourcePortMask)
        writer.write(destinationPort)
        writer.write(destinationPortMask)
        writer.write(protocolNumber)
        writer.write(user)
    }

    init(parsing reader: inout ByteReader) throws(DecodeError) {
        isUnspecified = try reader.read(UInt8.self) == 1
        source = try reader.readAddress()
        sourceLength = try reader.read()
        destination = try reader.readAddress()
        destinationLength = try reader.read()
        sourcePort = try reader.read()
        sourcePortMask = try reader.read()
        destinationPort = try reader.read()
        destinationPortMask = try reader.read()
        protocolNumber = try reader.read()
        user = try reader.read()
        guard Int(sourceLength) <= source.bitCount, Int(destinationLength) <= destination.bitCount,
            source.family == destination.family
        else { throw .invalid(field: "selector length", value: UInt64(max(sourceLength, destinationLength))) }
    }
}
