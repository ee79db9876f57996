// SPDX-License-Identifier: Apache-2.0

public import ByteCodec
public import Primitives

/// What can be asked of charon through VICI.
public enum ViciRequest: Sendable, Hashable {
    /// The daemon's release.
    case version
    /// All IKE SAs with their children.
    case listSAs
    /// All loaded connections.
    case listConnections
    /// End an IKE SA by charon's number; without a word to the peer if forced and half open.
    case terminateIKE(uniqueID: UInt32, force: Bool)
    /// Rekey a child SA by charon's number.
    case rekeyChild(uniqueID: UInt32)
    /// Initiate a child of a connection, without waiting for the result.
    case initiate(child: String, ike: String?)
}

/// What charon answered.
public enum ViciReply: Sendable, Hashable {
    /// The daemon's name and release, such as `charon` and `5.9.8`.
    case version(daemon: String, release: String)
    /// The IKE SAs.
    case securityAssociations([ListedIKE])
    /// The connections.
    case connections([ListedConnection])
    /// Done as asked.
    case done
    /// charon's reason for not doing it.
    case refused(String)
}

/// The client's half of one VICI stream: bytes in, replies out, one request at a time.
public struct ViciSession: Sendable {
    /// What happened.
    public enum Event: Sendable {
        /// A request is to be made; the number comes back with its reply.
        case requested(ViciRequest, number: UInt64)
        /// Bytes came from charon.
        case received([UInt8])
        /// `nextDeadline` has passed.
        case deadlineReached
    }

    /// What to do.
    public enum Action: Sendable, Hashable {
        /// Write these bytes to the stream.
        case write([UInt8])
        /// A request was answered.
        case deliver(ViciReply, number: UInt64)
        /// Close the stream: its content cannot be trusted any more; open requests fail with it.
        case fail(ViciFailure)
    }

    /// Why a session ended.
    public enum ViciFailure: Error, Sendable, Hashable {
        /// The bytes did not decode.
        case malformed(DecodeError)
        /// A packet that the protocol does not allow here.
        case unexpected(packetType: UInt8)
        /// More requests than `Limits.viciRequestCount` wait.
        case tooManyRequests
        /// No answer in time.
        case timedOut
    }

    /// Starts idle.
    public init() {}

    /// The time at which `deadlineReached` is due.
    public var nextDeadline: Instant? { nil }

    /// Takes one event and appends what is to be done.
    public mutating func handle(_ event: Event, at now: Instant, actions: inout [Action]) {}
}
