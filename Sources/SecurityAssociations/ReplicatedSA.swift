// SPDX-License-Identifier: Apache-2.0

public import Primitives

/// Everything of one SA that another kernel needs to go on with it, keys included (reference ipsec-ha §2.2).
///
/// Left out on purpose: the offload device, statistics and the key manager's sequence number, which are each node's own.
public struct ReplicatedSA: Equatable, Sendable {
    /// What names the SA.
    public var key: SAKey
    /// The address that the SA's packets come from.
    public var source: IPAddress
    /// XFRM_MODE_…; any mode, as a number.
    public var mode: UInt8
    /// The number that ties the SA to its policies.
    public var requestID: UInt32 = 0
    /// The SA's own selector.
    public var selector = ReplicatedSelector()
    /// XFRM_STATE_… flags.
    public var flags: UInt8 = 0
    /// XFRMA_SA_EXTRA_FLAGS, 0 without.
    public var extraFlags: UInt32 = 0
    /// `replay_window` of the fixed structure.
    public var replayWindow: UInt8 = 0
    /// When the kernel reports or removes the SA.
    public var limits = ReplicatedLimits()
    /// XFRMA_ALG_AEAD; `truncationBits` is the check value's length.
    public var aead: Algorithm?
    /// XFRMA_ALG_CRYPT.
    public var encryption: Algorithm?
    /// XFRMA_ALG_AUTH_TRUNC.
    public var authentication: Algorithm?
    /// XFRMA_ALG_COMP.
    public var compression: Algorithm?
    /// UDP encapsulation for a peer behind NAT, with its original address.
    public var encapsulation: Encapsulation?
    /// XFRMA_COADDR.
    public var careOfAddress: IPAddress?
    /// XFRMA_SET_MARK and XFRMA_SET_MARK_MASK.
    public var outputMark: KernelSA.Mark?
    /// XFRMA_IF_ID, 0 without.
    public var interfaceID: UInt32 = 0
    /// XFRMA_TFCPAD, 0 without.
    public var trafficPadding: UInt32 = 0
    /// XFRMA_SA_DIR, 0 without.
    public var direction: UInt8 = 0
    /// XFRMA_NAT_KEEPALIVE_INTERVAL in seconds, 0 without.
    public var keepaliveSeconds: UInt32 = 0
    /// XFRMA_MTIMER_THRESH in seconds, 0 without.
    public var mappingThreshold: UInt32 = 0
    /// XFRMA_SEC_CTX as it is; works only with the same security policy on both nodes.
    public var securityContext: [UInt8] = []
    /// Sequence numbers: what moves with every packet.
    public var replay = KernelReplay()
    /// Bytes and packets so far, and the ages; clocks of two nodes need not agree.
    public var usage = Usage()

    /// Makes an SA in tunnel mode without algorithms.
    public init(key: SAKey, source: IPAddress, mode: UInt8 = 1) {
        self.key = key
        self.source = source
        self.mode = mode
    }

    /// XFRM_STATE_ESN: 64-bit sequence numbers.
    public var isExtended: Bool { flags & 128 != 0 }

    /// The SA has what encrypts or at least authenticates; one that waits for its keys (ALLOCSPI) has not.
    public var hasKeys: Bool { aead != nil || encryption != nil || authentication != nil }

    /// The kernel hides keys: each is all zeros (lockdown=confidentiality).
    public var areKeysHidden: Bool {
        let keys = [aead, encryption, authentication].compactMap(\.self).filter { $0.secret.count > 0 }
        return !keys.isEmpty && keys.allSatisfy { $0.secret.isAllZero }
    }

    /// One algorithm with its key.
    public struct Algorithm: Equatable, Sendable {
        /// The kernel's name, such as `rfc4106(gcm(aes))`; at most 63 bytes.
        public var name: String
        /// The key, salt included.
        public var secret: SecretBytes
        /// The length of the check value in bits; 0 where the algorithm has none.
        public var truncationBits: UInt32

        /// Makes an algorithm.
        public init(name: String, secret: SecretBytes, truncationBits: UInt32 = 0) {
            self.name = name
            self.secret = secret
            self.truncationBits = truncationBits
        }

        /// Bounds of what is read.
        public enum Limits {
            /// Bytes of a name, `CRYPTO_MAX_ALG_NAME` of the kernel's structures without the final zero.
            public static let nameByteCount = 63
            /// Bytes of a key; the kernel's largest has 64 and the salt.
            public static let keyByteCount = 512
        }
    }

    /// `struct xfrm_encap_tmpl`.
    public struct Encapsulation: Hashable, Sendable {
        /// 2 is ESP in UDP.
        public var kind: UInt16
        /// The source port.
        public var sourcePort: UInt16
        /// The destination port.
        public var destinationPort: UInt16
        /// The peer's address before translation.
        public var originalAddress: IPAddress

        /// Makes an encapsulation.
        public init(kind: UInt16, sourcePort: UInt16, destinationPort: UInt16, originalAddress: IPAddress) {
            self.kind = kind
            self.sourcePort = sourcePort
            self.destinationPort = destinationPort
            self.originalAddress = originalAddress
        }
    }

    /// `struct xfrm_lifetime_cur` with ages in place of points in time.
    public struct Usage: Hashable, Sendable {
        /// Bytes so far.
        public var bytes: UInt64 = 0
        /// Packets so far.
        public var packets: UInt64 = 0
        /// Seconds since the SA was made.
        public var ageSeconds: UInt64 = 0
        /// Seconds since its first use; nil before.
        public var useAgeSeconds: UInt64?

        /// A fresh SA.
        public init() {}
    }
}

/// `struct xfrm_lifetime_cfg`; the largest number means no limit, 0 for times.
public struct ReplicatedLimits: Hashable, Sendable {
    /// soft_byte_limit, hard_byte_limit, soft_packet_limit, hard_packet_limit.
    public var amounts: [UInt64] = Self.noAmounts
    /// soft_add, hard_add, soft_use, hard_use in seconds.
    public var seconds: [UInt64] = Self.noSeconds

    /// No limits.
    public init() {}

    /// Whether nothing is limited.
    public var isEmpty: Bool { self == ReplicatedLimits() }

    /// Four amounts without limit.
    public static let noAmounts: [UInt64] = [.max, .max, .max, .max]
    /// Four times without limit.
    public static let noSeconds: [UInt64] = [0, 0, 0, 0]
}
