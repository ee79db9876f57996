// SPDX-License-Identifier: Apache-2.0

import FirstHop
import Primitives
import Replication
import SecurityAssociations
import StrongSwan

/// The replication process: the real session, redundancy machine, journal keeper and counters, and the shell around them.
///
/// Mirrors Daemon/ReplicationProcess: this file `ReplicationProcess` and `AssociationDriver`, the extensions
/// `ReplicationSession`, `ReplicationSettle` and `ReplicationCharon`.
final class ReplicationModel: ProcessModel {
    struct Role: Equatable {
        var isActive: Bool
        var term: UInt64
    }

    /// What the session is told of this node.
    struct News: Equatable {
        var role: Role?
        var journal: JournalState
        var state: RedundancyState
    }

    static let authorityWait = Interval.seconds(3)
    static let lossWait = Interval.seconds(5)
    static let hotLossWait = Interval.seconds(55)

    var role: Role?
    var session: SessionMachine
    var redundancy = RedundancyMachine()
    var keeper = JournalKeeper()
    var counters: OutboundCounters
    var bootID: UInt64 = 0
    private(set) var isListening = false
    private(set) lazy var charon = CharonDriverModel(process: self)

    var sessionActions: [SessionMachine.Action] = []
    var isDrainingActions = false
    var wasSessionUp = false
    var isPeerPopulated = false
    var isVerified = false
    var failedVerifications = 0
    var drainingUntil: Instant?
    var isSettlingSoon = false
    var isTakeoverComplete = true
    var isCharonSource = false
    var lossSuspicion: LossSuspicion?
    var inheritedSPIs: Set<UInt32> = []
    var owesInherited = false
    var ownChildren: [ChildSPIPair: IKESPIPair] = [:]
    var sharing = SharingMark()
    var undeliveredSince: Instant?
    var authorityDeadline: Instant?
    var isResyncAsked = false
    var lossDeadline: Instant?
    var hasLostSAs = false
    var uncovered: Set<IKESPIPair> = []
    var leftovers = LeftoverSearch()
    var isRaising = false
    var lateUntil: Instant?
    var isReportingSoon = false
    var overdueRekeys = OverdueRekeys()
    var lastInboundState: UInt64?
    var heldAtLoss: Set<UInt32>?
    var isCoverageKnown = true
    var tickCount = 0
    var isSettling = false
    var needsSettling = false
    var reportedJournal = JournalState()
    var toldNews: News?
    var judgedFacts: RedundancyFacts?
    var deliveredSequence: UInt64?
    var mayPeerKernelLive = true
    private var assembler = FrameAssembler()
    private var unsent: [UInt8]?
    private var isAssociated = false

    init(node: Node) {
        session = SessionMachine(
            local: SessionHello(bootID: 1, nodeName: "", term: 0, scheme: "VPN"), state: .disabled)
        counters = OutboundCounters(settings: node.simulation.settings.margin)
        super.init(name: "replication", node: node)
    }

    var kernel: Kernel { node.kernel }

    // MARK: Start and end

    override func begin() {
        super.begin()
        role = nil
        bootID = simulation.random.next() | 1
        session = SessionMachine(
            local: SessionHello(bootID: bootID, nodeName: node.name, term: 0, scheme: "VPN"), state: .disabled)
        redundancy = RedundancyMachine()
        keeper = JournalKeeper()
        keeper.isAuthoritative = !simulation.settings.isStateful
        counters = OutboundCounters(settings: simulation.settings.margin, life: bootID)
        sessionActions = []
        (isDrainingActions, wasSessionUp, isPeerPopulated, isVerified) = (false, false, false, false)
        (failedVerifications, drainingUntil, isSettlingSoon, isTakeoverComplete) = (0, nil, false, true)
        (isCharonSource, lossSuspicion) = (false, nil)
        (undeliveredSince, authorityDeadline, isResyncAsked, lossDeadline) = (nil, nil, false, nil)
        (uncovered, isCoverageKnown, inheritedSPIs, leftovers) = ([], true, [], LeftoverSearch())
        (isRaising, overdueRekeys, lastInboundState, heldAtLoss) = (false, OverdueRekeys(), nil, nil)
        (isReportingSoon, lateUntil, owesInherited) = (false, nil, false)
        (hasLostSAs, tickCount, isSettling, needsSettling) = (false, 0, false, false)
        (reportedJournal, deliveredSequence, mayPeerKernelLive) = (JournalState(), nil, true)
        (toldNews, judgedFacts, ownChildren, sharing) = (nil, nil, [:], SharingMark())
        (assembler, unsent, isAssociated, isListening) = (FrameAssembler(), nil, false, false)
        charon.begin()
        after(simulation.microseconds(5_000...30_000)) { [self] in
            isListening = true
            refreshSAs()
            charon.tick()
            node.readPlugin()
            tryToConnect()
            settle()
            scheduleTick()
            let failover = node.failover
            failover.after(0) { failover.replicationCame() }
        }
    }

    override func hasDied() {
        isListening = false
        let others = simulation.nodes.map(\.replication).filter { $0 !== self && $0.isAlive }
        if !others.contains(where: { $0.keeper.isAuthoritative }) { simulation.tunnels.journalLost() }
        simulation.association.abort(from: node.index)
        let failover = node.failover
        failover.after(simulation.microseconds(50...500)) { failover.replicationLost() }
        node.supervisor.childEnded(.replication)
    }

    private func scheduleTick() {
        after(second) { [self] in
            tick()
            scheduleTick()
        }
    }

    // MARK: Words of the other processes

    /// A failover process that was started anew has forgotten the terms.
    func brief() {
        if let role {
            let isPeerActive = session.peer?.isActive ?? false
            let term = max(role.term, session.highestTerm)
            tellFailover(.answer(nonce: RoleMessage.briefing, isActive: isPeerActive), term: term)
        }
        if let status = redundancy.status { tellFailover(status) }
    }

    func take(_ word: FailoverWord) {
        switch word {
        case .roleChanged(let isActive, let isFenced, let term):
            change(to: Role(isActive: isActive, term: term), isFenced: isFenced)
            settle()
        case .role(let message, let term):
            pass(message, term: term)
            settleSoon()
        case .watchAsked(let number):
            if hasUndelivered || !inheritedSPIs.isEmpty { receiveWaiting() }
            let failover = node.failover
            tell(failover, within: FailoverModel.watchDelay) { failover.replicationAnswered(number: number) }
        }
    }

    private func pass(_ message: RoleMessage, term: UInt64) {
        if message == .prepareTakeover { drainingUntil = now + .seconds(1) }
        drive(.roleMessageMade(message, group: ClusterSettings.groupNumber, term: term))
        pump()
    }

    /// The supervisor's word: failover died while the peer was HOT; fence and addresses are settled.
    func failoverDied() {
        guard let role else { return }
        pass(.takeOver, term: role.term)
        change(to: Role(isActive: false, term: role.term))
        settle()
    }

    func tellFailover(_ message: RoleMessage, term: UInt64) {
        let failover = node.failover
        tell(failover) { failover.hear(message, term: term) }
    }

    func tellFailover(_ status: RedundancyStatus) {
        let failover = node.failover
        tell(failover) { failover.redundancyChanged(status) }
    }

    // MARK: The association

    private func tryToConnect() {
        guard !isAssociated, isListening else { return }
        simulation.association.connect(from: node.index)
        after(AssociationModel.retryPause) { [self] in tryToConnect() }
    }

    func associationUp() {
        (assembler, unsent, isAssociated, mayPeerKernelLive) = (FrameAssembler(), nil, true, true)
        drive(.associationCameUp)
        settle()
    }

    func associationDown(isMachineAlive: Bool) {
        guard isAssociated else { return }
        simulation.note("\(node.name): the association is gone\(isMachineAlive ? "" : ", nothing is heard")")
        (unsent, isAssociated, mayPeerKernelLive) = (nil, false, isMachineAlive)
        after(AssociationModel.retryPause) { [self] in tryToConnect() }
        drive(.associationWentDown(reason: "lost"))
        settle()
    }

    func unreachable(isAnswered: Bool) {
        guard !isAssociated else { return }
        if isAnswered { mayPeerKernelLive = true }
        settle()
    }

    func associationWritable() {
        pump()
        settle()
    }

    func closeAssociation() {
        guard isAssociated else { return }
        simulation.association.abort(from: node.index)
        (unsent, isAssociated) = (nil, false)
        after(AssociationModel.retryPause) { [self] in tryToConnect() }
        drive(.associationWentDown(reason: "closed"))
    }

    func receive(_ bytes: [UInt8]) {
        guard isAssociated else { return }
        assembler.append(bytes)
        while isAssociated {
            let next = Result { try assembler.next() }
            guard case .success(let read) = next else { return simulation.checker.fail("\(node.name) hears nonsense") }
            guard let piece = read else { return }
            guard case .frame(let frame) = piece else { continue }
            drive(.frameReceived(frame))
            if case .role = frame { settleSoon() } else { settle() }
        }
    }

    /// Gives the transport what waits; mirrors AssociationDriver.swift `pump`.
    func pump() {
        guard isAssociated else { return }
        while true {
            var bytes = unsent ?? []
            unsent = nil
            while bytes.count < 8_192, let frame = session.nextFrame() {
                let encoded = frame.encoded()
                if bytes.isEmpty { bytes = encoded } else { bytes += encoded }
            }
            guard !bytes.isEmpty else { return }
            guard simulation.association.send(bytes, from: node.index) else {
                unsent = bytes
                return
            }
        }
    }

    override func wake() {
        if let until = drainingUntil, now >= until { drainingUntil = nil }
        if let due = query(&session, { $0.nextDeadline }), due <= now { drive(.deadlinePassed) }
        charon.reachDeadlines()
        settle()
    }
}
