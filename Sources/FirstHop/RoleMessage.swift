// SPDX-License-Identifier: Apache-2.0

public import ByteCodec

/// What two nodes say to each other about the role, in band over the association (DESIGN §3 and §6).
public enum RoleMessage: Hashable, Sendable, Codable {
    /// The Active asks a HOT peer to raise MAC and address behind its fence.
    case prepareTakeover
    /// The peer has done so, announced, and receives; it emits nothing yet.
    case ready
    /// The old Active emits no more ESP: the peer may lower its fence now.
    case fenced
    /// The sender holds the role no longer: fence raised, address gone.
    case released
    /// Somebody who acts for a dead failover process asks the peer to become Active now; address and fence are settled.
    case takeOver
    /// A HOT peer with the better claim asks the Active to give the role.
    case requestRole(priority: UInt8)
    /// The request is refused; the code says why.
    case declined(reason: DeclineReason)
    /// Asks whether what was heard on the LAN is true; answered by `answer` with the same nonce.
    case question(nonce: UInt64)
    /// The answer to `question`: whether the sender is Active with a lease renewed in time.
    case answer(nonce: UInt64, isActive: Bool)

    /// A `question` that asks an Active to show that its segment works; an older peer takes it for a `question`.
    case evidenceQuestion(nonce: UInt64)
    /// The answer of an Active to `evidenceQuestion`; an older peer takes it for an `answer`.
    case evidence(nonce: UInt64, RoleEvidence)
    /// Asks an Active without evidence for the role, because the sender's segment works; as `requestRole` for an older
    /// peer, which never shows a lack of evidence.
    case segmentRequest(priority: UInt8)

    /// Whether the message moves the role of whoever hears it.
    public var isOrder: Bool {
        switch self {
        case .prepareTakeover, .fenced, .released, .takeOver: true
        case .ready, .requestRole, .declined, .question, .answer, .evidenceQuestion, .evidence, .segmentRequest: false
        }
    }

    /// The nonce of an `answer` that the peer gives unasked, at a takeover and at the start of a session.
    public static let proclamation: UInt64 = 0
    /// The nonce of an `answer` that our own replication gives to a restarted failover process, for its term alone.
    public static let briefing = UInt64.max

    /// Whether our own replication speaks, and of terms alone.
    public var isBriefing: Bool {
        if case .answer(Self.briefing, _) = self { true } else { false }
    }

    private static let segmentReason: UInt8 = 1
    private static let evidenceWanted: UInt8 = 1

    /// Why a node does not give or take the role.
    public enum DeclineReason: UInt8, Sendable, CaseIterable, Codable {
        /// The node is not Active and so has nothing to give.
        case notActive = 1
        /// The asking node's tables are not complete.
        case peerNotHot = 2
        /// The node is itself the better one.
        case betterPriority = 3
        /// The node is unfit: tracking, the interface or the IKE daemon.
        case unfit = 4
        /// A change of role is under way already.
        case busy = 5
    }

    /// Appends the message's bytes: a type byte and its fields.
    public func encode(into writer: inout ByteWriter) {
        switch self {
        case .prepareTakeover: writer.write(UInt8(1))
        case .ready: writer.write(UInt8(2))
        case .fenced: writer.write(UInt8(3))
        case .released: writer.write(UInt8(4))
        case .takeOver: writer.write(UInt8(5))
        case .requestRole(let priority):
            writer.write(UInt8(6))
            writer.write(priority)
        case .declined(let reason):
            writer.write(UInt8(7))
            writer.write(reason.rawValue)
        case .question(let nonce):
            writer.write(UInt8(8))
            writer.write(nonce)
        case .answer(let nonce, let isActive):
            writer.write(UInt8(9))
            writer.write(nonce)
            writer.write(UInt8(isActive ? 1 : 0))
        // What follows the fields of a type is ignored by a node that does not know it.
        case .segmentRequest(let priority):
            writer.write(UInt8(6))
            writer.write(priority)
            writer.write(Self.segmentReason)
        case .evidenceQuestion(let nonce):
            writer.write(UInt8(8))
            writer.write(nonce)
            writer.write(Self.evidenceWanted)
        case .evidence(let nonce, let evidence):
            writer.write(UInt8(9))
            writer.write(nonce)
            writer.write(UInt8(1))
            evidence.encode(into: &writer)
        }
    }

    /// Reads one message.
    public init(parsing reader: inout ByteReader) throws(DecodeError) {
        let type: UInt8 = try reader.read()
        switch type {
        case 1: self = .prepareTakeover
        case 2: self = .ready
        case 3: self = .fenced
        case 4: self = .released
        case 5: self = .takeOver
        case 6:
            let priority: UInt8 = try reader.read()
            let reason: UInt8 = reader.isAtEnd ? 0 : try reader.read()
            self = reason == Self.segmentReason ? .segmentRequest(priority: priority) : .requestRole(priority: priority)
        case 7:
            let code: UInt8 = try reader.read()
            guard let reason = DeclineReason(rawValue: code) else {
                throw .invalid(field: "decline reason", value: UInt64(code))
            }
            self = .declined(reason: reason)
        case 8:
            let nonce: UInt64 = try reader.read()
            let wish: UInt8 = reader.isAtEnd ? 0 : try reader.read()
            self = wish == Self.evidenceWanted ? .evidenceQuestion(nonce: nonce) : .question(nonce: nonce)
        case 9:
            let nonce: UInt64 = try reader.read()
            let isActive = try reader.read(UInt8.self) == 1
            if isActive, !reader.isAtEnd {
                self = .evidence(nonce: nonce, try RoleEvidence(parsing: &reader))
            } else {
                self = .answer(nonce: nonce, isActive: isActive)
            }
        default: throw .invalid(field: "role message type", value: UInt64(type))
        }
    }
}

extension RoleMessage {
    /// Whether something is made of it if the peer does not answer.
    public var isQuestion: Bool {
        switch self {
        case .question, .evidenceQuestion, .requestRole, .segmentRequest: true
        default: false
        }
    }
}

/// What replication tells failover about the pair; failover's machines decide on it.
public struct RedundancyStatus: Hashable, Sendable, Codable {
    /// The group carries a `stateful` crypto map, so that "ready or not at all" applies.
    public var isStateful: Bool
    /// The association to the peer is up and its session has passed its hello.
    public var isAssociationUp: Bool
    /// This node, being standby, holds everything the Active has.
    public var isLocalHot: Bool
    /// The peer, being standby, holds everything this node has.
    public var isPeerHot: Bool
    /// The peer, when Active, has SAs that a takeover by a node that is not HOT would lose.
    public var isPeerPopulated: Bool
    /// The IKE daemon answers and has a connection loaded; true where none is configured.
    public var isIKEDaemonFit: Bool
    /// After the association was lost: the peer's kernel may still run (it aborted, or answers heartbeats).
    public var mayPeerKernelLive: Bool
    /// Replication holds this node for Active: what another Active has sent is not sent again, whatever comes late.
    public var isRoleTaken: Bool
    /// SAs of the Active are on their way to the IKE daemon, and may reach the kernel behind a takeover.
    public var hasUndelivered: Bool
    /// What the Active has sent is not known closely enough: numbers must be raised before this node sends.
    public var areNumbersStale: Bool

    /// The status before replication has said anything: it may hang, and a peer with SAs may live.
    public init(isStateful: Bool) {
        self.isStateful = false
        isAssociationUp = false
        isLocalHot = false
        isPeerHot = false
        isPeerPopulated = false
        isIKEDaemonFit = true
        mayPeerKernelLive = false
        isRoleTaken = false
        hasUndelivered = false
        areNumbersStale = false
        setStateful(isStateful)
    }

    /// The configuration says whether the group is stateful; what the peer has is unknown until replication says it.
    public mutating func setStateful(_ isStateful: Bool) {
        if isStateful, !self.isStateful { (isPeerPopulated, mayPeerKernelLive) = (true, true) }
        self.isStateful = isStateful
    }

    /// The association is lost, and nothing answers on any of its paths.
    public var isPeerMachineGone: Bool { !isAssociationUp && !mayPeerKernelLive }

    /// Appends the status as two bytes of flags.
    public func encode(into writer: inout ByteWriter) {
        let flags = [
            isStateful, isAssociationUp, isLocalHot, isPeerHot, isPeerPopulated, isIKEDaemonFit, mayPeerKernelLive,
            isRoleTaken, hasUndelivered, areNumbersStale,
        ]
        writer.write(flags.reversed().reduce(UInt16(0)) { $0 << 1 | ($1 ? 1 : 0) })
    }

    /// Reads what `encode` wrote.
    public init(parsing reader: inout ByteReader) throws(DecodeError) {
        let flags: UInt16 = try reader.read()
        self.init(isStateful: flags & 1 != 0)
        isAssociationUp = flags & 2 != 0
        isLocalHot = flags & 4 != 0
        isPeerHot = flags & 8 != 0
        isPeerPopulated = flags & 16 != 0
        isIKEDaemonFit = flags & 32 != 0
        mayPeerKernelLive = flags & 64 != 0
        isRoleTaken = flags & 128 != 0
        hasUndelivered = flags & 256 != 0
        areNumbersStale = flags & 512 != 0
    }
}
