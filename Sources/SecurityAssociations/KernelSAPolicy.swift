// SPDX-License-Identifier: Apache-2.0

public import Primitives

/// Which packets an SA or a policy is for (`struct xfrm_selector`); length 0 means any address.
public struct KernelSelector: Hashable, Sendable {
    /// Where the packets come from.
    public var source: IPPrefix
    /// Where the packets go.
    public var destination: IPPrefix
    /// The IP protocol, 0 for any.
    public var protocolNumber: UInt8
    /// The source port, 0 for any.
    public var sourcePort: UInt16
    /// The destination port, 0 for any.
    public var destinationPort: UInt16

    /// Makes a selector; by default the one that matches everything.
    public init(
        source: IPPrefix = IPPrefix(address: .any(.ipv4), length: 0),
        destination: IPPrefix = IPPrefix(address: .any(.ipv4), length: 0),
        protocolNumber: UInt8 = 0, sourcePort: UInt16 = 0, destinationPort: UInt16 = 0
    ) {
        self.source = source
        self.destination = destination
        self.protocolNumber = protocolNumber
        self.sourcePort = sourcePort
        self.destinationPort = destinationPort
    }
}

/// One policy in this node's kernel (`struct xfrm_userpolicy_info` and its first template).
public struct KernelPolicy: Hashable, Sendable {
    /// Which packets.
    public var selector: KernelSelector
    /// In which direction.
    public var direction: Direction
    /// Lower numbers win.
    public var priority: UInt32
    /// The kernel's own number of it.
    public var index: UInt32
    /// XFRM_POLICY_BLOCK.
    public var isBlocking: Bool
    /// What is demanded of the packets; nil for a bypass.
    public var template: Template?
    /// XFRMA_MARK, nil without.
    public var mark: KernelSA.Mark?
    /// XFRMA_IF_ID, nil without.
    public var interfaceID: UInt32?

    /// Makes a policy without template, mark and interface.
    public init(selector: KernelSelector, direction: Direction, priority: UInt32, index: UInt32 = 0) {
        self.selector = selector
        self.direction = direction
        self.priority = priority
        self.index = index
        isBlocking = false
    }

    /// XFRM_POLICY_….
    public enum Direction: UInt8, Sendable, CaseIterable, Codable {
        /// Packets for this machine.
        case inbound = 0
        /// Packets that leave it.
        case outbound = 1
        /// Packets that pass through after decapsulation.
        case forward = 2
    }

    /// `struct xfrm_user_tmpl`.
    public struct Template: Hashable, Sendable {
        /// The tunnel's source.
        public var source: IPAddress
        /// The tunnel's destination.
        public var destination: IPAddress
        /// 50 for ESP.
        public var protocolNumber: UInt8
        /// The number that ties the policy to its SAs.
        public var requestID: UInt32
        /// Transport or tunnel.
        public var mode: KernelSA.Mode

        /// Makes a template for ESP.
        public init(
            source: IPAddress, destination: IPAddress, requestID: UInt32, mode: KernelSA.Mode = .tunnel,
            protocolNumber: UInt8 = 50
        ) {
            self.source = source
            self.destination = destination
            self.requestID = requestID
            self.mode = mode
            self.protocolNumber = protocolNumber
        }
    }
}
