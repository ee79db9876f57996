// SPDX-License-Identifier: Apache-2.0

/// `show ipc association`: the SCTP association with the peer; replication fills it.
public struct AssociationView: Codable, Hashable, Sendable {
    /// The association, null when none is configured.
    @Nullable public var association: Association? = nil

    /// A view without an association.
    public init() {}

    /// One association.
    public struct Association: Codable, Hashable, Sendable {
        /// `association N`.
        public var id = 1
        /// CLOSED, COOKIE-WAIT, ESTABLISHED, SHUTDOWN …, as the kernel or the transport says.
        public var state = "CLOSED"
        /// `sctp`.
        public var transport = "sctp"
        /// Whether the session is encrypted and authenticated.
        public var secured = false
        /// The fingerprint of this node's key, null with `security none` or before it was read.
        @Nullable public var identity: String? = nil
        /// The fingerprint of the peer's key, null while the session is not encrypted.
        @Nullable public var peerIdentity: String? = nil
        /// The local port.
        public var localPort = 5000
        /// The peer's port.
        public var remotePort = 5000
        /// Why it is not established, null when it is.
        @Nullable public var detail: String? = nil
        /// How long it has stood, null when it does not.
        @Nullable public var uptimeMilliseconds: Int? = nil
        /// How often it was established.
        public var established = 0
        /// The pairs of addresses.
        public var paths: [Path] = []
        /// Messages sent over it.
        public var messagesSent = 0
        /// Messages received over it.
        public var messagesReceived = 0
        /// Bytes sent over it.
        public var bytesSent = 0
        /// Bytes received over it.
        public var bytesReceived = 0
        /// Chunks that the kernel had to send again.
        public var retransmissions = 0
        /// Records waiting to be sent.
        public var backlogRecords = 0
        /// Bytes waiting to be sent.
        public var backlogBytes = 0

        /// A closed association.
        public init() {}
    }

    /// One pair of addresses.
    public struct Path: Codable, Hashable, Sendable {
        /// The local address.
        public var local: String
        /// The peer's address.
        public var remote: String
        /// ACTIVE, INACTIVE or UNCONFIRMED.
        public var state: String
        /// Whether data goes this way first.
        public var primary = false
        /// The smoothed round-trip time in microseconds, null when unknown.
        @Nullable public var roundTripMicroseconds: Int? = nil

        /// Makes a path.
        public init(local: String, remote: String, state: String) {
            self.local = local
            self.remote = remote
            self.state = state
        }
    }
}
