// SPDX-License-Identifier: Apache-2.0

public import ByteCodec
public import Primitives

/// What names one SA in a kernel: destination, SPI, protocol and mark (`xfrm_state_lookup`).
public struct SAKey: Hashable, Sendable, Codable, CustomStringConvertible {
    /// The address that the SA's packets are sent to.
    public var destination: IPAddress
    /// The security parameter index in host order.
    public var spi: UInt32
    /// The IP protocol: 50 for ESP.
    public var protocolNumber: UInt8
    /// XFRMA_MARK's value and mask, both 0 without.
    public var mark: KernelSA.Mark

    /// Makes a key; ESP without a mark unless told otherwise.
    public init(
        destination: IPAddress, spi: UInt32, protocolNumber: UInt8 = 50,
        mark: KernelSA.Mark = KernelSA.Mark(value: 0, mask: 0)
    ) {
        self.destination = destination
        self.spi = spi
        self.protocolNumber = protocolNumber
        self.mark = mark
    }

    /// Appends destination, SPI, protocol and mark.
    public func encode(into writer: inout ByteWriter) {
        writer.write(destination)
        writer.write(spi)
        writer.write(protocolNumber)
        mark.encode(into: &writer)
    }

    /// Reads what `encode` wrote.
    public init(parsing reader: inout ByteReader) throws(DecodeError) {
        destination = try reader.readAddress()
        spi = try reader.read()
        protocolNumber = try reader.read()
        mark = try KernelSA.Mark(parsing: &reader)
    }

    /// The text `10.1.0.5 esp 0xc01b75e7`.
    public var description: String {
        "\(destination) \(protocolNumber == 50 ? "esp" : String(protocolNumber)) 0x\(String(spi, radix: 16))"
    }
}

/// What names one policy in a kernel: direction, selector, mark and interface (`xfrm_policy_insert`).
public struct PolicyKey: Hashable, Sendable, Codable {
    /// In which direction.
    public var direction: KernelPolicy.Direction
    /// Which packets.
    public var selector: ReplicatedSelector
    /// XFRMA_MARK's value and mask, both 0 without.
    public var mark: KernelSA.Mark
    /// XFRMA_IF_ID, 0 without.
    public var interfaceID: UInt32

    /// Makes a key without mark and interface.
    public init(direction: KernelPolicy.Direction, selector: ReplicatedSelector) {
        self.direction = direction
        self.selector = selector
        mark = KernelSA.Mark(value: 0, mask: 0)
        interfaceID = 0
    }

    /// Appends direction, selector, mark and interface.
    public func encode(into writer: inout ByteWriter) {
        writer.write(direction.rawValue)
        selector.encode(into: &writer)
        mark.encode(into: &writer)
        writer.write(interfaceID)
    }

    /// Reads what `encode` wrote.
    public init(parsing reader: inout ByteReader) throws(DecodeError) {
        let code: UInt8 = try reader.read()
        guard let direction = KernelPolicy.Direction(rawValue: code) else {
            throw .invalid(field: "policy direction", value: UInt64(code))
        }
        self.direction = direction
        selector = try ReplicatedSelector(parsing: &reader)
        mark = try KernelSA.Mark(parsing: &reader)
        interfaceID = try reader.read()
    }
}

/// What a record is about; a later record of the same key replaces an earlier one.
public enum RecordKey: Hashable, Sendable, Codable {
    /// An SA.
    case sa(SAKey)
    /// A policy.
    case policy(PolicyKey)
}

extension KernelSA.Mark {
    /// Whether there is a mark at all.
    public var isNone: Bool { value == 0 && mask == 0 }

    func encode(into writer: inout ByteWriter) {
        writer.write(value)
        writer.write(mask)
    }

    init(parsing reader: inout ByteReader) throws(DecodeError) {
        self.init(value: try reader.read(), mask: try reader.read())
    }
}
