// SPDX-License-Identifier: Apache-2.0

/// `show crypto isakmp sa`: IKE SAs with the role of this node; replication fills it.
public struct ISAKMPView: Codable, Hashable, Sendable {
    /// The SAs, in the order of their connection numbers.
    public var isakmpSAs: [SA] = []

    /// An empty view.
    public init() {}

    /// One IKE SA of either version.
    public struct SA: Codable, Hashable, Sendable {
        /// The responder's address, IOS's `dst`.
        public var destination = ""
        /// The initiator's address, IOS's `src`.
        public var source = ""
        /// QM_IDLE for an established IKEv1 SA, READY for IKEv2, MM_NO_STATE … while it is made.
        public var state = ""
        /// The IKE daemon's own number of it.
        public var connectionID = 0
        /// ACTIVE or STDBY.
        public var status = ""
        /// 1 or 2.
        public var version = 2
        /// 16 hex digits.
        @Nullable public var initiatorSPI: String? = nil
        /// 16 hex digits.
        @Nullable public var responderSPI: String? = nil
        /// The connection's name in the IKE daemon.
        @Nullable public var name: String? = nil
        /// What remains until it is rekeyed or ends, null when unknown.
        @Nullable public var lifeMilliseconds: Int? = nil

        /// An SA with default values.
        public init() {}
    }
}

/// `show crypto ipsec sa`: pairs of ESP SAs as this node's kernel holds them; replication fills it.
public struct IPsecView: Codable, Hashable, Sendable {
    /// The pairs.
    public var ipsecSAs: [Pair] = []

    /// An empty view.
    public init() {}

    /// An inbound and an outbound SA with the same selectors.
    public struct Pair: Codable, Hashable, Sendable {
        /// The interface that carries the virtual address.
        @Nullable public var interface: String? = nil
        /// The crypto map that matches the peer.
        @Nullable public var map: String? = nil
        /// ACTIVE or STANDBY.
        public var status = "ACTIVE"
        /// The tunnel's end on this side, the virtual address.
        public var localAddress = ""
        /// The tunnel's other end.
        public var peerAddress = ""
        /// Networks behind this side.
        public var local = ""
        /// Networks behind the peer.
        public var remote = ""
        /// The transform in strongSwan's words, such as `AES_GCM_16-256`; null when unknown.
        @Nullable public var transform: String? = nil
        /// `tunnel` or `transport`.
        public var mode = "tunnel"
        /// From the peer to us.
        @Nullable public var inbound: ESP? = nil
        /// From us to the peer.
        @Nullable public var outbound: ESP? = nil

        /// A pair with default values.
        public init() {}
    }
}

/// One ESP SA in this node's kernel.
public struct ESP: Codable, Hashable, Sendable {
    /// `0x` and eight hex digits.
    public var spi = "0x00000000"
    /// Packets that this node's kernel processed with it.
    public var packets = 0
    /// Bytes of them.
    public var bytes = 0
    /// Packets dropped by replay or integrity checks.
    public var drops = 0
    /// The sequence number that stands in this node's kernel.
    public var sequence = 0
    /// What remains of its life in bytes, null without a limit.
    @Nullable public var lifeKilobytes: Int? = nil
    /// What remains of its life, null without a limit.
    @Nullable public var lifeMilliseconds: Int? = nil

    /// An SA with default values.
    public init() {}
}

/// `show crypto session [detail]`: a peer, its IKE SA and its flows; replication fills it.
public struct SessionView: Codable, Hashable, Sendable {
    /// The sessions; configured peers without SAs appear as DOWN.
    public var sessions: [Session] = []

    /// An empty view.
    public init() {}

    /// One session.
    public struct Session: Codable, Hashable, Sendable {
        /// The interface that carries the virtual address.
        @Nullable public var interface: String? = nil
        /// The crypto map that matches the peer.
        @Nullable public var map: String? = nil
        /// UP-ACTIVE, UP-STANDBY or DOWN.
        public var status = "DOWN"
        /// Our end of the tunnel.
        @Nullable public var localAddress: String? = nil
        /// The peer's address.
        public var peerAddress = ""
        /// The peer's IKE port.
        public var peerPort = 500
        /// The identity that the peer proved, null when unknown.
        @Nullable public var peerIdentity: String? = nil
        /// How long this node has been active with it, null on a standby.
        @Nullable public var uptimeMilliseconds: Int? = nil
        /// The IKE SA, null where only the kernel knows the ESP SAs.
        @Nullable public var ike: IKE? = nil
        /// The selectors and their SAs.
        public var flows: [Flow] = []

        /// A session that is down.
        public init() {}
    }

    /// The IKE SA of a session.
    public struct IKE: Codable, Hashable, Sendable {
        /// 1 or 2.
        public var version = 2
        /// 16 hex digits.
        public var initiatorSPI = ""
        /// 16 hex digits.
        public var responderSPI = ""
        /// ACTIVE or STDBY.
        public var status = "ACTIVE"
        /// The IKE daemon's own number of it.
        @Nullable public var connectionID: Int? = nil
        /// Our IKE port.
        public var localPort = 500
        /// The peer's IKE port.
        public var remotePort = 500
        /// IOS's letters: C mode configuration, D dead peer detection, N NAT traversal, X extended authentication,
        /// F fragmentation.
        public var capabilities = ""
        /// What remains of its life, null when unknown.
        @Nullable public var lifeMilliseconds: Int? = nil

        /// An IKE SA with default values.
        public init() {}
    }

    /// One pair of selectors.
    public struct Flow: Codable, Hashable, Sendable {
        /// The network behind us, with its prefix length.
        public var local = ""
        /// The network behind the peer, with its prefix length.
        public var remote = ""
        /// From the peer to us, null while there is no SA.
        @Nullable public var inbound: ESP? = nil
        /// From us to the peer, null while there is no SA.
        @Nullable public var outbound: ESP? = nil

        /// A flow without SAs.
        public init() {}
    }
}
