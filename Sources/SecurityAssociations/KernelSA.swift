// SPDX-License-Identifier: Apache-2.0

public import Primitives

/// One SA as it stands in this node's kernel, without its keys (reference ipsec-ha §2.2).
public struct KernelSA: Hashable, Sendable {
    /// Destination, SPI and protocol.
    public var identity: SAIdentity
    /// The address that the SA's packets come from.
    public var source: IPAddress
    /// The number that ties the SA to its policies.
    public var requestID: UInt32
    /// Transport or tunnel.
    public var mode: Mode
    /// The SA's own selector; in tunnel mode usually empty, the policies hold the networks.
    public var selector: KernelSelector
    /// XFRM_STATE_… flags.
    public var flags: UInt8
    /// Sequence numbers.
    public var replay: KernelReplay
    /// Bytes and packets so far.
    public var usage: Usage
    /// When the kernel reports or removes the SA.
    public var limits: Limits
    /// UDP encapsulation for a peer behind NAT, nil without.
    public var encapsulation: Encapsulation?
    /// XFRMA_MARK, nil without.
    public var mark: Mark?
    /// XFRMA_IF_ID, nil without.
    public var interfaceID: UInt32?

    /// XFRM_STATE_ESN: 64-bit sequence numbers.
    public var isExtended: Bool { flags & 128 != 0 }

    /// Makes an SA with empty counters and no limits.
    public init(identity: SAIdentity, source: IPAddress, requestID: UInt32 = 0, mode: Mode = .tunnel) {
        self.identity = identity
        self.source = source
        self.requestID = requestID
        self.mode = mode
        selector = KernelSelector()
        flags = 0
        replay = KernelReplay()
        usage = Usage()
        limits = Limits()
    }

    /// XFRM_MODE_….
    public enum Mode: UInt8, Sendable {
        /// XFRM_MODE_TRANSPORT.
        case transport = 0
        /// XFRM_MODE_TUNNEL.
        case tunnel = 1
        /// XFRM_MODE_BEET.
        case beet = 4
    }

    /// `struct xfrm_lifetime_cur`.
    public struct Usage: Hashable, Sendable {
        /// Bytes so far.
        public var bytes: UInt64 = 0
        /// Packets so far.
        public var packets: UInt64 = 0
        /// Wall-clock seconds at which this kernel took the SA in.
        public var addedAtSeconds: UInt64 = 0
        /// Wall-clock seconds of the first use, 0 before.
        public var usedAtSeconds: UInt64 = 0

        /// Nothing used.
        public init() {}
    }

    /// `struct xfrm_lifetime_cfg`; the largest number means no limit, 0 for times.
    public struct Limits: Hashable, Sendable {
        /// Bytes after which a soft or hard expiry is due.
        public var softBytes: UInt64 = .max
        /// Bytes after which the SA is removed.
        public var hardBytes: UInt64 = .max
        /// Packets after which a soft expiry is due.
        public var softPackets: UInt64 = .max
        /// Packets after which the SA is removed.
        public var hardPackets: UInt64 = .max
        /// Seconds since `addedAtSeconds` after which a soft expiry is due.
        public var softAddSeconds: UInt64 = 0
        /// Seconds since `addedAtSeconds` after which the SA is removed.
        public var hardAddSeconds: UInt64 = 0

        /// No limits.
        public init() {}
    }

    /// `struct xfrm_encap_tmpl`.
    public struct Encapsulation: Hashable, Sendable {
        /// 2 is ESP in UDP.
        public var kind: UInt16
        /// The source port.
        public var sourcePort: UInt16
        /// The destination port.
        public var destinationPort: UInt16

        /// Makes an encapsulation.
        public init(kind: UInt16, sourcePort: UInt16, destinationPort: UInt16) {
            self.kind = kind
            self.sourcePort = sourcePort
            self.destinationPort = destinationPort
        }
    }

    /// `struct xfrm_mark`.
    public struct Mark: Hashable, Sendable, Codable {
        /// The value.
        public var value: UInt32
        /// Which bits of it count.
        public var mask: UInt32

        /// Makes a mark.
        public init(value: UInt32, mask: UInt32) {
            self.value = value
            self.mask = mask
        }
    }
}
