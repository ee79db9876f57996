// SPDX-License-Identifier: Apache-2.0

import Configuration
import Control
import FirstHop
import LinuxIO
import Netlink
import Primitives
import Replication
import SecurityAssociations
import StrongSwan

/// The process that keeps the peer's copy of our SAs true, or ours of the peer's.
///
///     failover ──role──►┌──────────────────┐◄──ha plugin, VICI──► charon
///     front ──queries──►│ ReplicationProcess│◄──XFRM, routes─────► kernel
///     supervisor ──────►└──────────────────┘◄──SCTP─────────────► peer
///
/// It is single-threaded; each event runs to its end in `settle`, which tells failover, front and the peer what changed.
final class ReplicationProcess {
    /// The role of the scheme's group, as failover told it last.
    struct Role: Equatable {
        var isActive: Bool
        var group: UInt16
        var term: UInt64
    }

    /// How often SAs are compared with the journal, in seconds.
    static let comparisonSeconds = 5
    /// How long an Active without a journal waits for the peer's copy.
    static let authorityWait = Interval.seconds(3)
    /// The real-time priority while words about the role pass or are waited for: below failover's.
    static let urgentPriority: Int32 = 5
    /// For how long after a word about the role the next one is waited for in real time.
    static let urgentTime = Interval.milliseconds(250)
    /// How long behind a change of the role readings and copies of all SAs wait.
    static let quietTime = Interval.seconds(2)
    /// How long an Active whose IKE daemon lost its SAs waits for a peer to take the role.
    static let lossWait = Interval.seconds(5)
    /// And so much longer for a HOT peer, which has them: it gets the role as soon as it can run, or this node's failover hangs.
    static let hotLossWait = Interval.seconds(55)
    /// How long charon is left to move the SAs of a VPN peer that the kernel heard at another end.
    static let moveWait = Interval.milliseconds(100)

    let reactor: Reactor
    let supervisor: ProcessChannel
    var failover: ProcessChannel?
    var front: ProcessChannel?

    var model = Model()
    var scheme: Scheme?
    var isConfigured = false
    let bootID: UInt64
    var role: Role?
    var session: SessionMachine
    var redundancy = RedundancyMachine()
    var keeper = JournalKeeper()
    var association: AssociationDriver?
    var paths = PathPreference()
    var charon: CharonDriver?
    var kernel: KernelTables?
    /// With `ike-daemon none`, what replicates in place of charon.
    var replicator: KernelReplicator?
    var copyRequestedAt: Instant?
    var isCopyRequestScheduled = false

    /// With `--record`.
    var recording: RecordingTap?
    var recordedFacts: RedundancyFacts?
    var counts: [String: Int] = [:]
    var sessionActions: [SessionMachine.Action] = []
    var isDrainingActions = false
    var wasSessionUp = false
    var isPeerPopulated = false
    var isVerified = false
    var failedVerifications = 0
    var drainingUntil: Instant?
    var urgentUntil: Instant?
    var quietUntil: Instant?
    var attention = Attention()
    var isSettlingSoon = false
    var isReportingSoon = false
    var isTakeoverComplete = true
    /// A charon was told that this node is Active: from then on it is the source of the journal.
    var isCharonSource = false
    /// The active charon may have lost its SAs, and no listing has told yet.
    var lossSuspicion: LossSuspicion?
    /// Outbound SAs of the former Active that may reach this kernel only behind the takeover.
    var inheritedSPIs: Set<UInt32> = []
    /// Children that were made in a role that is over, until the next Active's records show whether it has them.
    var ownChildren: [ChildSPIPair: IKESPIPair] = [:]
    var sharing = SharingMark()
    var undeliveredSince: Instant?
    var authorityDeadline: Instant?
    var isResyncAsked = false
    /// charon is asked soon where a VPN peer is that moved.
    var isMoveExpected = false
    var lossDeadline: Instant?
    var hasLostSAs = false
    /// IKE SAs that the last comparison found at charon and not in the journal.
    var uncovered: Set<IKESPIPair> = []
    /// Children that passed their soft end while this node was standby.
    var overdueRekeys = OverdueRekeys()
    var leftovers = LeftoverSearch()
    var numbers = NumberWatch()
    /// Outbound SPIs that stood here when the session ended.
    var heldAtLoss: Set<UInt32>?
    /// What inbound SAs had received when that was looked at last.
    var lastInboundState: UInt64?
    var toldNeighbour: ReverseRoutePlan.NextHop?
    /// False behind a borrowed journal, until charon was seen to hold nothing beyond it.
    var isCoverageKnown = true
    var machineTimer: TimerToken?
    var machineDeadline: Instant?
    var routesTimer: TimerToken?
    var tickCount = 0
    var isSettling = false
    var needsSettling = false
    var historyTimes: [String] = []
    var reportedJournal = JournalState()
    var agreedItems: [SessionHello.AgreedItem] = []
    var deliveredSequence: UInt64?

    /// Makes the process around its channel to the supervisor; `run` does the rest.
    init(supervisor: ProcessChannel, isRecording: Bool, on reactor: Reactor) {
        self.reactor = reactor
        self.supervisor = supervisor
        bootID = UInt64.random(in: 1 ... .max)
        let hello = SessionHello(bootID: bootID, nodeName: "", term: 0, scheme: "")
        session = SessionMachine(local: hello, state: .disabled)
        if isRecording { record(from: hello) }
        supervisor.onMessage = { [weak self] message, descriptor in self?.take(message, descriptor) }
        supervisor.onClosed = { [weak self] in self?.reactor.stop() }
    }

    /// Runs until the supervisor says `stop` or goes; returns the exit status.
    ///
    /// - Parameters:
    ///   - supervisor: our end of the socketpair with the supervisor.
    ///   - isRecording: what session and redundancy machines do is recorded.
    static func run(supervisor: consuming Descriptor, isRecording: Bool) -> Int32 {
        do {
            let reactor = try Reactor()
            let channel = try ProcessChannel(supervisor, peer: .supervisor, on: reactor)
            let process = ReplicationProcess(supervisor: channel, isRecording: isRecording, on: reactor)
            channel.send(.ready)
            process.scheduleTick()
            try reactor.run()
            return 0
        } catch {
            _ = StandardError.write(line: "%HAVPN-3-REPLICATION: cannot run: \(error)")
            return 1
        }
    }

    // MARK: Frames from the other processes

    private func take(_ message: ProcessMessage, _ descriptor: DescriptorHolder?) {
        switch message {
        case .configuration(_, let text): configure(text)
        case .descriptor(let purpose, let peer): adopt(descriptor, purpose, peer)
        case .failoverDied: failoverDied()
        case .identityMissing(let reason): noteIdentityMissing(reason)
        case .stop: stop()
        default: count("channel.unexpected")
        }
        settle()
    }

    private func adopt(_ descriptor: DescriptorHolder?, _ purpose: DescriptorPurpose, _ peer: ProcessRole) {
        guard let descriptor else { return count("channel.missingDescriptor") }
        switch (purpose, peer) {
        case (.processChannel, .failover): failover = channel(descriptor, .failover)
        case (.processChannel, .front): front = channel(descriptor, .front)
        case (.haPlugin, _): charon?.adopt(plugin: descriptor) ?? { heldPlugin = descriptor }()
        case (.vici, _): charon?.adopt(vici: descriptor)
        case (.identity, _): adopt(identity: descriptor.take())
        default: count("channel.unexpected")
        }
    }

    /// The ha-plugin socket, while no configuration has come that says what to do with it.
    var heldPlugin: DescriptorHolder?

    private func channel(_ descriptor: DescriptorHolder, _ peer: ProcessRole) -> ProcessChannel? {
        do {
            let channel = try ProcessChannel(descriptor.take(), peer: peer, on: reactor)
            channel.onMessage = { [weak self] message, _ in self?.take(message, from: peer) }
            channel.onClosed = { [weak self] in self?.lose(peer) }
            if peer == .failover { brief(channel) }
            return channel
        } catch {
            log("%SYS-3-CHANNEL: no channel to the \(peer) process: \(error)")
            return nil
        }
    }

    /// A failover process that was started anew has forgotten the terms, and without them its words would be stale.
    private func brief(_ channel: ProcessChannel) {
        if let role {
            let isPeerActive = session.peer?.isActive ?? false
            let term = max(role.term, session.highestTerm)
            channel.send(
                .role(.answer(nonce: RoleMessage.briefing, isActive: isPeerActive), group: role.group, term: term))
        }
        if let status = redundancy.status { channel.send(.redundancyChanged(status)) }
        if let toldNeighbour, let gateway = toldNeighbour.gateway.ipv4 {
            channel.send(.neighbour(gateway, interfaceIndex: toldNeighbour.interfaceIndex))
        }
    }

    private func lose(_ peer: ProcessRole) {
        if peer == .failover { failover = nil }
        if peer == .front { front = nil }
    }

    private func take(_ message: ProcessMessage, from peer: ProcessRole) {
        switch (peer, message) {
        case (.failover, .roleChanged(let isActive, let isFenced, let group, let term)):
            change(to: Role(isActive: isActive, group: group, term: term), isFenced: isFenced)
        case (.failover, .role(let message, let group, let term)):
            pass(message, group: group, term: term)
            return settleSoon()
        case (.failover, .watchAsked(let number)):
            // What has come into the kernel meanwhile is raised before failover believes that somebody watches.
            if hasUndelivered || !inheritedSPIs.isEmpty { kernel?.receiveWaiting() }
            failover?.send(.watchAnswered(number: number))
            return
        case (.front, .query(let number, let text)): answer(number, text)
        default: count("channel.unexpected")
        }
        settle()
    }

    /// Hands failover's word to the peer.
    private func pass(_ message: RoleMessage, group: UInt16, term: UInt64) {
        hurry()
        if message == .prepareTakeover { drainingUntil = reactor.now + .seconds(1) }
        drive(.roleMessageMade(message, group: group, term: term))
        // Before anything is evaluated or logged: the peer waits for this word.
        pump()
    }

    /// Failover died while the peer was HOT; the supervisor has raised the fence and removed the addresses.
    private func failoverDied() {
        guard let role else { return }
        pass(.takeOver, group: role.group, term: role.term)
        change(to: Role(isActive: false, group: role.group, term: role.term))
    }

    private func stop() {
        pump()
        association?.close()
        recording?.finish()
        supervisor.send(.stopped)
        supervisor.flush()
        reactor.stop()
    }

    // MARK: Configuration

    private func configure(_ text: [UInt8]) {
        guard let model = load(text, fileName: "configuration").model else {
            return count("configuration.refused")
        }
        let fresh = Scheme(model)
        self.model = model
        isConfigured = true
        let old = scheme
        scheme = fresh
        if fresh != old { rebuild(from: old) }
        requestIdentity()
    }

    /// Builds anew what the difference touches; what did not change keeps its sockets and state.
    private func rebuild(from old: Scheme?) {
        if old?.association != scheme?.association || old?.name != scheme?.name
            || old?.isSecured != scheme?.isSecured
        {
            association?.close()
            if association != nil { drive(.associationWentDown(reason: "the configuration changed")) }
            association = scheme.flatMap(makeAssociation)
        } else if case .pinned(let peers)? = scheme?.linkMode {
            association?.take(peers: peers)
        }
        if old?.strongSwan != scheme?.strongSwan {
            charon?.close()
            charon = scheme?.strongSwan.map(makeCharon)
        }
        let isOtherKernel = old?.group != scheme?.group || old?.maps != scheme?.maps
        if isOtherKernel { kernel = scheme.map(makeKernel) }
        if isOtherKernel || (old?.strongSwan == nil) != (scheme?.strongSwan == nil) {
            replicator = isReplicating && scheme?.strongSwan == nil ? scheme.map(makeReplicator) : nil
        }
        keeper.isAuthoritative = keeper.isAuthoritative || scheme?.isStateful != true || replicator != nil
        kernel?.open()
        replicator?.open()
        kernel?.refreshSAs()
        refreshAgreedItems()
        scheduleRoutes(afterMilliseconds: 0)
    }

    private func makeKernel(_ scheme: Scheme) -> KernelTables {
        let tables = KernelTables(
            scheme: scheme, life: bootID, on: reactor, isStandby: { [unowned self] in role?.isActive == false },
            isInherited: { [unowned self] in isInherited($0.spi) })
        tables.onOutboundAdded = { [unowned self] identity in keeper.noteInKernel(identity.spi) }
        tables.onSAsChanged = { [unowned self] in numbers.lateUntil == nil ? settleSoon() : settle() }
        tables.onInheritedRaised = { [unowned self] in reportCountersSoon() }
        tables.onPeerMoved = { [unowned self] in notePeerMoved() }
        tables.onRoutesAffected = { [unowned self] in scheduleRoutes(afterMilliseconds: 20) }
        tables.onLinkReported = { [unowned self] link in
            if paths.note(link.index, isUp: link.isLineProtocolUp) { preferPath() }
        }
        tables.count = { [unowned self] name in count(name) }
        return tables
    }

    // MARK: Small things

    func count(_ name: String) { counts[name, default: 0] += 1 }

    func log(_ line: String) {
        if !StandardError.write(line: line) { count("log.dropped") }
        var event = EventView("log", line: line)
        event.term = role.map { Int(clamping: $0.term) }
        publish(event)
    }

    func publish(_ event: EventView) { front?.send(.event(text: encodeJSON(event))) }
}
