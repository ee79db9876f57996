// SPDX-License-Identifier: Apache-2.0

public import ByteCodec
public import Primitives

/// What the shell is to do, in this order.
public enum GroupAction: Hashable, Sendable, Encodable {
    /// Send a message from the interface's address; from the virtual MAC only if `fromVirtualMAC`.
    case send(HSRPMessage, fromVirtualMAC: Bool)
    /// Prohibit routing from the virtual address.
    case raiseFence
    /// Allow it again.
    case lowerFence
    /// Bring the virtual MAC's interface up.
    case raiseMAC
    /// Bring it down.
    case lowerMAC
    /// Add the virtual address with a lease.
    case addAddress(IPAddress, leaseSeconds: Int)
    /// Prolong the lease; re-adds the address where it is gone.
    case renewLease(IPAddress, leaseSeconds: Int)
    /// Delete the virtual address.
    case deleteAddress(IPAddress)
    /// Send gratuitous ARP, both forms.
    case announce(IPAddress)
    /// Probe a neighbour on the segment, once, and answer with `probeFinished` as soon as it is known.
    case probe
    /// Say something to the peer over the association.
    case sendRole(RoleMessage, term: UInt64)
    /// Tell replication the role.
    case publishRole(isActive: Bool, term: UInt64)
    /// The state changed: log line and event.
    case stateChanged(from: HSRPState, to: HSRPState, reason: String)
    /// Hand in everything that was received, then `drained`, before anything is sent.
    case drainReceived
    /// Find out whether anything at all was received on the interface since it came up or was marked; answer with
    /// `receptionProven` or `nothingReceived`.
    case proveReception
    /// From here on it counts whether anything is received.
    case markReception
    /// Add one to a named counter.
    case count(StaticName)
    /// Write a log line.
    case log(LogLevel, String)
    /// Write a warning under a mnemonic of its own (`HSRP-4-…`).
    case warn(StaticName, String)
    /// The operator's switchover was refused or failed.
    case switchoverRefused(code: StaticName, message: String)
    /// The operator's switchover is done: the peer is Active, so many milliseconds after the request.
    case switchoverFinished(milliseconds: Int)
    /// After `stopRequested`: everything is released and said.
    case stopped

    /// How much a log line matters.
    public enum LogLevel: UInt8, Sendable, Codable {
        /// Normal, worth a line.
        case notice
        /// Something is wrong, and goes on working.
        case warning
    }
}

/// Another router of the group, as its hellos show it.
public struct KnownRouter: Hashable, Sendable {
    /// Its interface address.
    public var address: IPAddress
    /// Its priority.
    public var priority: UInt8
    /// When its last hello in that role came.
    public var heardAt: Instant
}
