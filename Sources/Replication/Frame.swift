// SPDX-License-Identifier: Apache-2.0

public import FirstHop
public import Primitives
public import SecurityAssociations

/// One message between the two nodes' replication processes.
///
/// On the wire: u32 length of type and body, u8 type, body of at most `ReplicationLimits.frameByteCount` bytes. Bytes
/// behind the known fields of a body are ignored, so that a later version may append some.
public enum Frame: Equatable, Sendable, Codable, CustomStringConvertible {
    /// The first frame of each side.
    case hello(SessionHello)
    /// The receiver forgets what it holds; `count` records follow. `sequence` numbers this frame.
    case snapshotBegin(sequence: UInt64, count: UInt32)
    /// One record of the journal, opaque here; part of a snapshot or a delta.
    case record(sequence: UInt64, bytes: SecretBytes)
    /// The snapshot is complete; the receiver's digest must be equal now.
    case snapshotEnd(sequence: UInt64, digest: UInt64)
    /// Everything up to `sequence` is in the receiver's daemon and kernel.
    case acknowledged(sequence: UInt64)
    /// The sender's digest after record `sequence`.
    case mark(sequence: UInt64, digest: UInt64)
    /// The receiver wants a snapshot: its digest differs, or it lost its state.
    case snapshotRequested
    /// Outbound sequence numbers; `number` counts reports.
    case counters(number: UInt64, isLast: Bool, [Counter])
    /// Report `number` is installed in the standby's kernel.
    case countersInstalled(number: UInt64)
    /// What the sender is at this moment.
    case state(StateReport)
    /// A role message of the failover processes.
    case role(RoleMessage, stamp: RoleStamp)
    /// The sender's process runs.
    case heartbeat(term: UInt64)
    /// A standby's IKE daemon made children of these IKE SAs that the Active's records lack; VPN peers use them.
    case strays([IKEName])

    /// An IKE SA by its two SPIs.
    public struct IKEName: Hashable, Sendable, Codable {
        /// The initiator's SPI.
        public var initiator: UInt64
        /// The responder's SPI.
        public var responder: UInt64

        /// Names an IKE SA.
        public init(initiator: UInt64, responder: UInt64) {
            self.initiator = initiator
            self.responder = responder
        }
    }

    /// One SA's absolute outbound sequence number.
    public struct Counter: Hashable, Sendable, Codable {
        /// The SA.
        public var identity: SAIdentity
        /// The last number used, 64 bits also without ESN.
        public var sequence: UInt64

        /// Makes a counter.
        public init(identity: SAIdentity, sequence: UInt64) {
            self.identity = identity
            self.sequence = sequence
        }
    }

    /// Names frames without their content: records hold keys.
    public var description: String {
        switch self {
        case .hello(let hello): "hello from \(hello.nodeName)"
        case .snapshotBegin(let sequence, let count): "snapshot begin \(sequence), \(count) records"
        case .record(let sequence, let bytes): "record \(sequence), \(bytes.count) bytes"
        case .snapshotEnd(let sequence, _): "snapshot end \(sequence)"
        case .acknowledged(let sequence): "acknowledged \(sequence)"
        case .mark(let sequence, _): "mark \(sequence)"
        case .snapshotRequested: "snapshot requested"
        case .counters(let number, _, let counters): "counters \(number), \(counters.count) SAs"
        case .countersInstalled(let number): "counters installed \(number)"
        case .state(let report): "state \(report.state)"
        case .role(let message, let stamp): "role \(message) term \(stamp.term)"
        case .heartbeat(let term): "heartbeat term \(term)"
        case .strays(let names): "strays of \(names.count) IKE SAs"
        }
    }
}

/// What a node is, told whenever it changes.
public struct StateReport: Hashable, Sendable, Codable {
    /// The redundancy state.
    public var state: RedundancyState
    /// The term.
    public var term: UInt64
    /// Whether the sender is Active in the scheme's group.
    public var isActive: Bool
    /// What its journal holds.
    public var journal: JournalState

    /// Makes a report.
    public init(state: RedundancyState, term: UInt64, isActive: Bool, journal: JournalState) {
        self.state = state
        self.term = term
        self.isActive = isActive
        self.journal = journal
    }
}

/// What makes a role message current: who sent it, for which group, in which term.
public struct RoleStamp: Hashable, Sendable, Codable {
    /// The sender's boot id.
    public var bootID: UInt64
    /// The group's number.
    public var group: UInt16
    /// The term in which the message was sent.
    public var term: UInt64

    /// Makes a stamp.
    public init(bootID: UInt64, group: UInt16, term: UInt64) {
        self.bootID = bootID
        self.group = group
        self.term = term
    }
}
