// SPDX-License-Identifier: Apache-2.0

/// The two SPIs that name an IKE SA; for IKEv1 its cookies.
public struct IKESPIPair: Hashable, Sendable, CustomStringConvertible {
    /// The initiator's SPI in packet order, as swanctl prints it.
    public var initiator: UInt64
    /// The responder's SPI in packet order.
    public var responder: UInt64

    /// Makes a pair.
    public init(initiator: UInt64, responder: UInt64) {
        self.initiator = initiator
        self.responder = responder
    }

    /// Both SPIs in sixteen hexadecimal digits each, joined by an underscore.
    public var description: String { "\(spiText(initiator))_\(spiText(responder))" }
}

/// The text of an IKE SPI: sixteen lower-case hexadecimal digits.
public func spiText(_ spi: UInt64) -> String {
    let digits = String(spi, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
}

/// IKE_ID: what the ha plugin calls an IKE SA by (reference ipsec-ha §1.4).
public struct IKEIdentity: Hashable, Sendable {
    /// The IKE version, 1 or 2.
    public var version: UInt8
    /// The two SPIs.
    public var spis: IKESPIPair
    /// Tells whether the gateway (not its VPN peer) initiated the SA.
    public var isInitiator: Bool

    /// Makes an identity.
    public init(version: UInt8, spis: IKESPIPair, isInitiator: Bool) {
        self.version = version
        self.spis = spis
        self.isInitiator = isInitiator
    }
}

/// The SPIs of a child SA, in host order: 0xc01b75e7 prints as the kernel prints it.
public struct ChildSPIPair: Hashable, Sendable {
    /// The SPI of packets toward the gateway.
    public var inbound: UInt32
    /// The SPI of packets from the gateway.
    public var outbound: UInt32

    /// Makes a pair.
    public init(inbound: UInt32, outbound: UInt32) {
        self.inbound = inbound
        self.outbound = outbound
    }
}

/// An address and port of an IKE end.
public struct IKEEndpoint: Hashable, Sendable {
    /// The UDP port.
    public var port: UInt16
    /// Four or sixteen octets.
    public var octets: [UInt8]

    /// Makes an endpoint; `octets` must be 4 or 16.
    public init(port: UInt16, octets: [UInt8]) {
        precondition(octets.count == 4 || octets.count == 16)
        self.port = port
        self.octets = octets
    }
}
