// SPDX-License-Identifier: Apache-2.0

public import Primitives

/// Everything of one policy that another kernel needs (`struct xfrm_userpolicy_info` and its attributes).
public struct ReplicatedPolicy: Equatable, Sendable {
    /// What names the policy.
    public var key: PolicyKey
    /// Lower numbers win.
    public var priority: UInt32 = 0
    /// 0 allow, 1 block.
    public var action: UInt8 = 0
    /// XFRM_POLICY_LOCALOK, XFRM_POLICY_ICMP.
    public var flags: UInt8 = 0
    /// XFRM_SHARE_….
    public var share: UInt8 = 0
    /// When the kernel reports or removes the policy.
    public var limits = ReplicatedLimits()
    /// What is demanded of the packets, in order.
    public var templates: [Template] = []
    /// XFRMA_SEC_CTX as it is.
    public var securityContext: [UInt8] = []
    /// Seconds since the policy was made.
    public var ageSeconds: UInt64 = 0

    /// Makes a policy that lets packets pass.
    public init(key: PolicyKey) { self.key = key }

    /// Bounds of what is read.
    public enum Limits {
        /// XFRM_MAX_DEPTH.
        public static let templates = 6
    }

    /// `struct xfrm_user_tmpl`.
    public struct Template: Hashable, Sendable {
        /// The tunnel's destination.
        public var destination: IPAddress
        /// The tunnel's source.
        public var source: IPAddress
        /// The one SPI that is meant, 0 for any.
        public var spi: UInt32 = 0
        /// 50 for ESP.
        public var protocolNumber: UInt8 = 50
        /// The number that ties the policy to its SAs.
        public var requestID: UInt32 = 0
        /// XFRM_MODE_….
        public var mode: UInt8 = 1
        /// XFRM_SHARE_….
        public var share: UInt8 = 0
        /// Packets may pass without.
        public var isOptional = false
        /// Allowed algorithms, a bit each.
        public var authenticationAlgorithms: UInt32 = .max
        /// Allowed algorithms, a bit each.
        public var encryptionAlgorithms: UInt32 = .max
        /// Allowed algorithms, a bit each.
        public var compressionAlgorithms: UInt32 = .max

        /// Makes a template for an ESP tunnel.
        public init(source: IPAddress, destination: IPAddress) {
            self.source = source
            self.destination = destination
        }
    }
}
