// SPDX-License-Identifier: Apache-2.0

public import Primitives

/// Addresses and timing of the association to the peer.
public struct SCTPSettings: Hashable, Sendable {
    /// This node's addresses, the primary one first; those not on the machine yet are bound all the same.
    public var localAddresses: [IPv4Address]
    /// This node's port.
    public var localPort: UInt16
    /// The peer's addresses; an association from any other address is aborted.
    public var remoteAddresses: [IPv4Address]
    /// The peer's port.
    public var remotePort: UInt16
    /// Retransmission timeout before the first measurement.
    public var initialTimeoutMilliseconds: UInt32 = 100
    /// Least retransmission timeout.
    public var minimumTimeoutMilliseconds: UInt32 = 50
    /// Greatest retransmission timeout.
    public var maximumTimeoutMilliseconds: UInt32 = 200
    /// Interval of heartbeats on an idle path; the kernel adds one timeout to it.
    public var heartbeatMilliseconds: UInt32 = 200
    /// Unanswered sends after which a path is down.
    public var pathRetransmissions: UInt16 = 2
    /// Unanswered sends after which the association is lost.
    public var associationRetransmissions: UInt16 = 6
    /// INITs of one attempt to connect.
    public var initialAttempts: UInt16 = 4
    /// The pause between two attempts to connect, a quarter less or more each time.
    public var retryMilliseconds: Int = 1000
    /// Bytes that the kernel queues for sending.
    public var sendBufferByteCount: Int32 = 131_072
    /// Bytes that the kernel queues for reading.
    public var receiveBufferByteCount: Int32 = 1 << 20

    /// Makes settings with the default timing, which finds a dead machine in 1 to 2 s.
    public init(
        localAddresses: [IPv4Address], localPort: UInt16, remoteAddresses: [IPv4Address], remotePort: UInt16
    ) {
        self.localAddresses = localAddresses
        self.localPort = localPort
        self.remoteAddresses = remoteAddresses
        self.remotePort = remotePort
    }
}

/// Why the association could not be opened or used.
public enum SCTPError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The kernel has no SCTP; `modprobe sctp` may help.
    case notSupported
    /// A system call failed.
    case system(SystemError)

    /// A text for logs.
    public var description: String {
        switch self {
        case .notSupported: "this kernel has no SCTP (modprobe sctp)"
        case .system(let error): error.description
        }
    }
}

/// What happens to the association.
public enum SCTPEvent: Hashable, Sendable {
    /// It is established; the peer's addresses are as configured.
    case up
    /// It is gone; the endpoint tries to establish it again by itself.
    case down(DownReason)
    /// One whole message.
    case message([UInt8])
    /// A path became usable or unusable.
    case pathChanged(IPv4Address, isUsable: Bool)
    /// The kernel takes messages again after `send` returned `wouldBlock`.
    case writable
    /// An attempt to connect failed; `isAnswered` tells that the peer's kernel lives, for it refused.
    case unreachable(isAnswered: Bool)
    /// Somebody else's association was aborted.
    case strangerRefused(IPv4Address)

    /// Why an association ended.
    public enum DownReason: Hashable, Sendable {
        /// The peer closed it in order.
        case shutDown
        /// The peer's kernel aborted it: the process died or gave up, the machine lives.
        case aborted
        /// Nothing was heard on any path for too long.
        case communicationLost
        /// The peer started anew; `up` follows at once.
        case restarted
        /// This side closed it.
        case closedHere
    }
}

/// The state of the association for screens.
public struct SCTPStatus: Hashable, Sendable {
    /// The protocol's state name, such as `ESTABLISHED`.
    public var state: String
    /// Chunks sent and not yet acknowledged.
    public var unacknowledgedChunks: Int
    /// Chunks received and not yet read.
    public var pendingChunks: Int
    /// Chunks sent again since the association came up.
    public var retransmittedChunks: UInt64
    /// Packets sent.
    public var sentPackets: UInt64
    /// Packets received.
    public var receivedPackets: UInt64
    /// The peer's address by whose path is sent first.
    public var primary: IPv4Address
    /// One entry per address of the peer.
    public var paths: [Path]

    /// One path.
    public struct Path: Hashable, Sendable {
        /// This node's address nearest to the peer's: the kernel chooses it by route.
        public var local: IPv4Address
        /// The peer's address.
        public var remote: IPv4Address
        /// ACTIVE, INACTIVE, PF or UNCONFIRMED.
        public var state: String
        /// Smoothed round trip in milliseconds.
        public var roundTripMilliseconds: Int
        /// Retransmission timeout in milliseconds.
        public var timeoutMilliseconds: Int

        /// Tells whether the path carries packets.
        public var isActive: Bool { state == "ACTIVE" }
    }
}
