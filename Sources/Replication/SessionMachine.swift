// SPDX-License-Identifier: Apache-2.0

public import ByteCodec
public import FirstHop
public import Primitives
public import SecurityAssociations

/// The conversation of two replication processes over one association.
///
///     down ──association──► greeting ──peer's hello──► established
///      ▲                        │ 3 s, refusal              │
///      └────────────────────────┴──────── lost ─────────────┘
///
/// In `established` records flow from the node whose journal is the source; the receiving side asks for the snapshot,
/// so that neither side acts on a role that the other has not heard of:
///
///     local Active  peer Active   journals                      flow
///     yes           no            ours authoritative            sending
///     yes           no            only the peer's               borrowing, then sending
///     no            yes           the peer's authoritative      receiving
///     no            yes           only ours                     lending (one snapshot), then receiving
///     otherwise                                                 idle
public struct SessionMachine: Sendable {
    /// Where the conversation stands.
    public enum Phase: Hashable, Sendable {
        /// No association.
        case down
        /// Our hello is on its way, the peer's has not come.
        case greeting
        /// Both hellos are accepted.
        case established
    }

    /// Which way records flow.
    public enum Flow: Hashable, Sendable, Encodable {
        /// None: no source, or two.
        case idle
        /// This node is Active and the source.
        case sending
        /// This node is standby and takes the Active's records.
        case receiving
        /// This node is Active without a journal and takes the standby's copy.
        case borrowing
        /// This node is standby and gives its copy to an Active that lost its own.
        case lending
    }

    /// What happened.
    public enum Event: Equatable, Sendable, Codable {
        /// An authenticated packet of a VPN peer came in since the last time this was said.
        case peerTrafficSeen
        /// The transport connected.
        case associationCameUp
        /// The transport ended.
        case associationWentDown(reason: String)
        /// A frame came.
        case frameReceived(Frame)
        /// Role, term, journal or configuration of this node changed.
        case localChanged(SessionHello, state: RedundancyState)
        /// The journal grew by a record; one with a key replaces what waits under the same key.
        case recordMade(SecretBytes, key: RecordKey? = nil)
        /// The journal's digest behind the last record.
        case digestTaken(UInt64)
        /// The answer to `makeSnapshot`.
        case snapshotMade([SecretBytes], digest: UInt64)
        /// The answer to `makeSnapshot` where records are read piece by piece: `recordMade` follows, then `copyEnded`.
        case copyBegun(count: UInt32)
        /// The copy is whole.
        case copyEnded(digest: UInt64)
        /// What was received up to `through` is in the daemon and the kernel.
        case recordsDelivered(through: UInt64)
        /// A digest differed, or the local copy was lost.
        case copyFoundWrong
        /// The kernel's outbound sequence numbers were read.
        case countersTaken([Frame.Counter])
        /// A report of the peer is in this node's kernel.
        case countersInstalled(number: UInt64)
        /// The IKE daemon of this standby has children of these IKE SAs that the Active's records lack.
        case straysFound([Frame.IKEName])
        /// Failover has something to say to its peer.
        case roleMessageMade(RoleMessage, group: UInt16, term: UInt64)
        /// `nextDeadline` passed.
        case deadlinePassed
    }

    /// What the process must do.
    public enum Action: Equatable, Sendable, Encodable {
        /// Abort the association; try again later.
        case closeAssociation(reason: String)
        /// The peer's hello was accepted.
        case noteEstablished(SessionHello)
        /// The session is over.
        case noteEnded(reason: String)
        /// Answer with `snapshotMade`.
        case makeSnapshot
        /// The flow of records changed.
        case noteFlow(Flow)
        /// Start an empty copy.
        case beginSnapshot(count: UInt32, sequence: UInt64)
        /// Add to the copy.
        case applyRecord(SecretBytes, sequence: UInt64)
        /// The copy is whole: compare the digest.
        case endSnapshot(digest: UInt64, sequence: UInt64)
        /// Compare the digest.
        case checkMark(digest: UInt64, sequence: UInt64)
        /// Put the Active's numbers, plus the margin, into the kernel.
        case installCounters(number: UInt64, isLast: Bool, [Frame.Counter])
        /// The peer has installed a report.
        case noteCountersInstalled(number: UInt64)
        /// Hand a current role message to failover.
        case deliverRole(RoleMessage, group: UInt16, term: UInt64)
        /// The peer's report changed.
        case notePeer(StateReport)
        /// The peer is Active by a later term than failover was told of.
        case noteActiveTerm(UInt64)
        /// The peer was Active in that term beside this node, whose VPN peers were heard later: this node stays, and takes
        /// a later term.
        case noteOutrankedTerm(UInt64)
        /// Both nodes were Active while they did not hear of each other.
        case noteOverlap
        /// The standby's IKE daemon made children of these IKE SAs, which VPN peers use and this Active lacks.
        case noteStrays([Frame.IKEName])
        /// The peer's process stopped or resumed talking while its kernel answers.
        case noteSilence(Bool)
        /// The oldest unacknowledged record became too old, or no longer is.
        case noteOverdue(Bool)
        /// Increment a named counter.
        case count(StaticName)
        /// Write a log line.
        case log(String)
    }

    /// Where the conversation stands.
    public internal(set) var phase = Phase.down
    /// Which way records flow.
    public internal(set) var flow = Flow.idle
    /// The peer's hello, while established.
    public internal(set) var peer: SessionHello?
    /// What differs between the nodes' configurations though it should not, one sentence each.
    public internal(set) var differences: [String] = []
    /// The peer's last report, while established.
    public internal(set) var peerReport: StateReport?
    /// The peer's process is silent although the association stands.
    public internal(set) var isPeerSilent = false
    /// The number of the last report of outbound sequence numbers; the next one has the next number.
    public internal(set) var lastCounterReport: UInt64 = 0
    /// The oldest unacknowledged record is too old.
    public internal(set) var isOverdue = false

    var local: SessionHello
    var localState: RedundancyState
    var outgoing = OutgoingFrames()
    var helloDeadline: Instant?
    var nextHeartbeat: Instant?
    var lastHeard = Instant(nanoseconds: 0)
    /// The highest term that the peer has used in this session.
    var highestPeerTerm: UInt64 = 0
    /// The highest term in which this node was Active, and the highest in which the peer was; both outlive sessions.
    var ownActiveTerm: UInt64 = 0
    var peerActiveTerm: UInt64 = 0
    /// The peer's last word on its role, believed or not.
    var peerClaim = (isActive: false, term: UInt64(0))
    /// When a VPN peer was last heard, and the hello that told it.
    var trafficAt: Instant?
    /// When this node became Active.
    var activeSince: Instant?
    var sentHello: SessionHello?
    var expectedSequence: UInt64?
    var isSnapshotRequested = false
    var isSnapshotWanted = false

    /// Starts without an association.
    public init(local: SessionHello, state: RedundancyState) {
        self.local = local
        localState = state
    }

    /// The highest term of either node that is known here: a role of an older one counts for nothing.
    public var highestTerm: UInt64 { max(ownActiveTerm, peerActiveTerm, highestPeerTerm) }

    /// Records that the peer has not acknowledged, sent or not.
    public var unacknowledgedCount: Int { outgoing.unacknowledgedCount }

    /// A copy is being read: what waits for the transport tells when to read more.
    public var isCopying: Bool { outgoing.isCopying }

    /// When the oldest of them was made; nil when there is none, or only a snapshot.
    public var oldestUnacknowledged: Instant? { outgoing.oldestUnacknowledged }

    /// Bytes of records that wait for the transport.
    public var backlogByteCount: Int { outgoing.backlogByteCount }

    /// Whether the peer holds everything this node has, as far as the session can tell.
    public var isPeerHot: Bool {
        guard phase == .established, flow == .sending, !isPeerSilent, !isOverdue,
            peerReport?.state == .standbyHot, let end = outgoing.snapshotEndSequence
        else { return false }
        return outgoing.acknowledgedSequence >= end
    }

    /// When `deadlinePassed` is due; spurious calls are harmless.
    public var nextDeadline: Instant? {
        var next = Instant.earliest(helloDeadline, nextHeartbeat)
        if phase == .established, !isPeerSilent { next = .earliest(next, lastHeard + ReplicationLimits.silence) }
        if !isOverdue, let oldest = outgoing.oldestUnacknowledged {
            next = .earliest(next, oldest + ReplicationLimits.acknowledgementTimeout)
        }
        return next
    }

    /// Takes the next frame for the transport; ask again whenever it is writable and after every event.
    public mutating func nextFrame() -> Frame? {
        guard phase != .down else { return nil }
        return outgoing.next()
    }

    /// Advances the conversation.
    public mutating func handle(_ event: Event, at now: Instant, actions: inout [Action]) {
        switch (phase, event) {
        case (_, .peerTrafficSeen): trafficAt = now
        case (_, .associationCameUp): comeUp(at: now, actions: &actions)
        case (.down, .associationWentDown): break
        case (_, .associationWentDown(let reason)): end(reason, actions: &actions)
        case (.down, .frameReceived): actions.append(.count("session.frameWithoutAssociation"))
        case (.greeting, .frameReceived(.hello(let hello))): greet(hello, at: now, actions: &actions)
        case (.greeting, .frameReceived): actions.append(.count("session.frameBeforeHello"))
        case (.established, .frameReceived(let frame)): receive(frame, at: now, actions: &actions)
        case (_, .localChanged(let hello, let state)): changeLocal(hello, state, at: now, actions: &actions)
        case (.established, .recordMade(let bytes, let key)): addRecord(bytes, key, at: now, actions: &actions)
        case (.established, .copyBegun(let count)) where flow == .sending:
            outgoing.isWindowed = true
            outgoing.beginCopy(count: count)
        case (.established, .copyEnded(let digest)) where flow == .sending: _ = outgoing.endCopy(digest: digest)
        case (.established, .digestTaken(let digest)) where flow == .sending: outgoing.add(mark: digest)
        case (.established, .snapshotMade(let records, let digest)) where flow == .sending || flow == .lending:
            begin(snapshot: records, digest, &actions)
        case (.established, .recordsDelivered(let sequence)): send(.acknowledged(sequence: sequence), &actions)
        case (.established, .copyFoundWrong): requestSnapshot(&actions)
        case (.established, .countersTaken(let counters)) where flow == .sending || flow == .lending:
            report(counters)
        case (.established, .countersInstalled(let number)): send(.countersInstalled(number: number), &actions)
        case (.established, .straysFound(let names)) where flow == .receiving: report(strays: names, &actions)
        case (.established, .roleMessageMade(let message, let group, let term)):
            send(.role(message, stamp: RoleStamp(bootID: local.bootID, group: group, term: term)), &actions)
        case (_, .roleMessageMade): actions.append(.count("role.unsentWithoutSession"))
        case (_, .deadlinePassed): passDeadlines(at: now, actions: &actions)
        case (_, .recordMade), (_, .digestTaken), (_, .snapshotMade), (_, .recordsDelivered), (_, .copyFoundWrong),
            (_, .countersTaken), (_, .countersInstalled), (_, .copyBegun), (_, .copyEnded), (_, .straysFound):
            // Without a session, or as the wrong side of it, local work has no addressee; a snapshot will carry it.
            break
        }
    }

    private mutating func comeUp(at now: Instant, actions: inout [Action]) {
        if phase != .down { end("the peer restarted the association", actions: &actions) }
        outgoing = OutgoingFrames()
        phase = .greeting
        helloDeadline = now + ReplicationLimits.helloTimeout
        var hello = local
        hello.isActive = isLocalActive
        hello.trafficMilliseconds = trafficAge(at: now)
        sentHello = hello
        send(.hello(hello), &actions)
    }

    /// How long ago VPN peers were heard in this role; nil as long as one that has just begun tells nothing.
    private func trafficAge(at now: Instant) -> UInt32? {
        if let trafficAt {
            return UInt32(clamping: min(now.since(trafficAt).milliseconds, Int(SessionHello.neverHeard) - 1))
        }
        if let activeSince, now.since(activeSince) < ReplicationLimits.trafficSettling { return nil }
        return SessionHello.neverHeard
    }

    mutating func end(_ reason: String, actions: inout [Action]) {
        let wasEstablished = phase == .established
        phase = .down
        peer = nil
        peerReport = nil
        isPeerSilent = false
        isOverdue = false
        helloDeadline = nil
        nextHeartbeat = nil
        expectedSequence = nil
        isSnapshotRequested = false
        isSnapshotWanted = false
        outgoing = OutgoingFrames()
        changeFlow(to: .idle, actions: &actions)
        if wasEstablished { actions.append(.noteEnded(reason: reason)) }
    }

    mutating func send(_ frame: Frame, _ actions: inout [Action]) {
        if !outgoing.add(urgent: frame) { actions.append(.count("session.urgentOverLimit")) }
    }

    private mutating func addRecord(_ bytes: SecretBytes, _ key: RecordKey?, at now: Instant, actions: inout [Action]) {
        guard flow == .sending else { return }
        guard bytes.count <= ReplicationLimits.recordByteCount else {
            return actions.append(.count("session.recordOverLimit"))
        }
        if !outgoing.add(record: bytes, key: key, at: now) {
            actions.append(.count("session.backlogOverLimit"))
            actions.append(.makeSnapshot)
        }
    }

    private mutating func begin(snapshot records: [SecretBytes], _ digest: UInt64, _ actions: inout [Action]) {
        let sendable = records.filter { $0.count <= ReplicationLimits.recordByteCount }
        if sendable.count < records.count { actions.append(.count("session.recordOverLimit")) }
        outgoing.begin(snapshot: sendable, digest: digest)
    }

    private mutating func report(_ counters: [Frame.Counter]) {
        lastCounterReport += 1
        var frames: [Frame] = []
        var rest = counters[...]
        repeat {
            let part = rest.prefix(ReplicationLimits.sentCountersPerFrame)
            rest = rest.dropFirst(part.count)
            frames.append(.counters(number: lastCounterReport, isLast: rest.isEmpty, Array(part)))
        } while !rest.isEmpty
        outgoing.replace(counters: frames)
    }

    private mutating func report(strays names: [Frame.IKEName], _ actions: inout [Action]) {
        var rest = names[...]
        while !rest.isEmpty {
            send(.strays(Array(rest.prefix(ReplicationLimits.straysPerFrame))), &actions)
            rest = rest.dropFirst(ReplicationLimits.straysPerFrame)
        }
    }

    private mutating func passDeadlines(at now: Instant, actions: inout [Action]) {
        if let helloDeadline, now >= helloDeadline {
            let seconds = ReplicationLimits.helloTimeout.milliseconds / 1000
            actions.append(.count("session.helloTimeout"))
            actions.append(.closeAssociation(reason: "the peer said no hello within \(seconds) s"))
            end("no hello", actions: &actions)
            return
        }
        if let due = nextHeartbeat, now >= due {
            nextHeartbeat = now + ReplicationLimits.heartbeatInterval
            send(.heartbeat(term: local.term), &actions)
        }
        if phase == .established, !isPeerSilent, now >= lastHeard + ReplicationLimits.silence {
            isPeerSilent = true
            actions.append(.count("session.peerSilent"))
            actions.append(.noteSilence(true))
        }
        refreshOverdue(at: now, actions: &actions)
    }

    mutating func refreshOverdue(at now: Instant, actions: inout [Action]) {
        let oldest = outgoing.oldestUnacknowledged
        let overdue = oldest.map { now >= $0 + ReplicationLimits.acknowledgementTimeout } ?? false
        guard overdue != isOverdue else { return }
        isOverdue = overdue
        actions.append(.noteOverdue(overdue))
    }
}
