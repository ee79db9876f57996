// SPDX-License-Identifier: Apache-2.0

import Configuration
import LinuxIO
import Primitives
import StrongSwan

/// The local charon as replication sees it: records and role commands in order, listings on demand, and whether it is fit.
///
/// Whatever is missing (the socket, VICI, a loaded connection) is a sentence in `fault`; it is looked for again each
/// second and recovers by itself.
final class CharonDriver {
    /// What a comparison may do at this moment.
    enum PlanPermission {
        /// Compare charon with the journal, of which copies have changed the state of some standing SAs.
        case compare(CharonJournal, copied: StateRefresh)
        /// charon holds the live SAs: nothing is to be compared.
        case nothing
        /// The journal is not complete: ask again later.
        case later
    }

    /// How long a listing may take before its askers go on without.
    static let listWait = Interval.milliseconds(1500)
    /// How long a charon is left to load the connections that the journal names: it drops records of any other.
    static let connectionWait = Interval.seconds(3)
    /// How often it is asked meanwhile.
    static let connectionPause = Interval.milliseconds(50)

    /// Records of charon were lost before they were read here.
    var onRecordsLost: () -> Void = {}
    /// charon is gone or started anew: what it held is not known any more.
    var onLost: () -> Void = {}
    /// A record of charon arrived.
    var onRecord: (HAMessage) -> Void = { _ in }
    /// Everything up to this record was read by charon.
    var onDelivered: (UInt64) -> Void = { _ in }
    /// charon has read a role command.
    var onRoleTold: (Bool) -> Void = { _ in }
    /// The active charon lost its SAs.
    var onActiveLoss: () -> Void = {}
    /// Which listed children the kernel has lost.
    var lackingInKernel: ([ListedIKE]) -> Set<ChildSPIPair> = { _ in [] }
    /// A comparison was made.
    var onCompared: (ReconciliationPlan, [ListedIKE]) -> Void = { _, _ in }
    /// Fitness, listing or connections changed.
    var onChanged: () -> Void = {}
    /// What a comparison may do.
    var permission: () -> PlanPermission = { .later }
    /// charon is to install SAs: what the kernel holds beside those it lists must go before.
    var removeLeftovers: ([ListedIKE]) -> Void = { _ in }
    /// Asks the supervisor for a VICI stream.
    var requestVici: () -> Void = {}
    /// Increments a named counter.
    var count: (String) -> Void = { _ in }
    /// Writes a log line.
    var log: (String) -> Void = { _ in }

    /// Why charon is unfit; nil if it is fit.
    private(set) var fault: String? = "the IKE daemon has not been looked for yet"
    /// charon's release, once VICI told it.
    private(set) var release: String?
    /// The loaded connections.
    private(set) var connections: [ListedConnection] = []
    /// The SAs as listed last.
    private(set) var listing: [ListedIKE] = []
    /// The ha plugin was heard since charon started.
    private(set) var isPluginHeard = false
    /// The wire version of the ha plugin, once known.
    private(set) var version: HAVersion?

    /// charon has not read yet what a process before this one sent it.
    private(set) var hasForeignQueue = false
    /// Looks in a row, a second apart, that found charon's queue empty.
    private var emptyLooks = 0

    private let settings: Model.StrongSwanSettings
    private let reactor: Reactor
    private var endpoint: CharonEndpoint?
    private var vici: ViciClient?
    private var delivery = CharonDelivery()
    /// There is no charon.
    var isGone: Bool { delivery.isLost }
    private var timer: TimerToken?
    private var timerDeadline: Instant?
    private var openLists: [Int: ([ListedIKE]?) -> Void] = [:]
    private var lastList = 0
    private var awaitedPlan: CharonDelivery.PlanReason?
    private var isComparing = false
    /// Until when connections are waited for; in the past where some never came.
    private var connectionDeadline: Instant?
    private var isConnectionLookDue = false

    init(_ settings: Model.StrongSwanSettings, on reactor: Reactor) {
        self.settings = settings
        self.reactor = reactor
    }

    // MARK: Descriptors

    /// Takes the ha-plugin socket.
    func adopt(plugin holder: DescriptorHolder) {
        do {
            let fresh = try CharonEndpoint(
                holder.take(), charon: settings.haLocal, own: settings.haRemote, on: reactor)
            fresh.onMessage = { [weak self] message in self?.take(message) }
            fresh.onLoss = { [weak self] in self?.onRecordsLost() }
            fresh.onCount = { [weak self] name in self?.count(name) }
            endpoint = fresh
            hasForeignQueue = hasUnread
        } catch {
            log("%CRYPTO-3-HA_PLUGIN: the ha-plugin socket cannot be used (\(error))")
        }
    }

    /// Takes a connected VICI stream.
    func adopt(vici holder: DescriptorHolder) {
        do {
            let fresh = try ViciClient(holder.take(), on: reactor)
            fresh.onEnd = { [weak self] ending in self?.loseVici(ending) }
            vici?.close()
            vici = fresh
            fresh.request(.version) { [weak self] reply in self?.takeVersion(reply) }
            lookAtConnections()
        } catch {
            log("%CRYPTO-3-VICI: the VICI stream cannot be used (\(error))")
        }
    }

    /// Lets go of both sockets.
    func close() {
        if let timer { reactor.cancel(timer) }
        timer = nil
        endpoint?.close()
        vici?.close()
        endpoint = nil
        vici = nil
    }

    private func loseVici(_ ending: ViciClient.Ending) {
        vici = nil
        release = nil
        connections = []
        connectionDeadline = nil
        isPluginHeard = false
        isComparing = false
        hasForeignQueue = false
        let text =
            switch ending {
            case .closed: "the IKE daemon closed its VICI stream"
            case .failed(let failure): "the IKE daemon's VICI stream failed (\(failure))"
            case .system(let error): "the IKE daemon's VICI stream broke (\(error))"
            }
        note(fault: text)
        let open = openLists
        openLists = [:]
        for completion in open.values { completion(nil) }
        onLost()
        drive(.charonLost)
    }

    // MARK: Orders

    /// Brings a record of the peer to charon.
    func deliver(_ record: CharonRecord) { drive(.recordArrived(record)) }

    /// Tells charon the node's role.
    func decide(isActive: Bool) {
        drive(.roleDecided(isActive: isActive))
        // The new role may permit the comparison that the takeover waits for.
        if delivery.isAwaitingPlan { answerPlan() }
    }

    /// The journal was replaced by a copy of the peer's.
    func noteCopy() {
        drive(.copyReplaced)
        answerPlan()
    }

    /// Asks for a comparison of charon with the journal.
    func wantComparison() {
        drive(.planWanted)
        answerPlan()
    }

    /// Makes an active charon send its cache and rekey its children, because nobody has a journal.
    func askForResync() {
        guard let version else { return }
        send(.resync([1], version: version))
    }

    /// Lists the SAs; nil if charon does not answer.
    func list(_ completion: @escaping ([ListedIKE]?) -> Void) {
        guard let vici else { return completion(nil) }
        lastList += 1
        let number = lastList
        openLists[number] = completion
        vici.request(.listSAs) { [weak self] reply in
            guard let self else { return }
            if case .securityAssociations(let sas) = reply {
                listing = sas
                finishList(number, sas)
            } else {
                finishList(number, nil)
            }
        }
        reactor.schedule(at: reactor.now + Self.listWait) { [weak self] in self?.finishList(number, nil) }
    }

    private func finishList(_ number: Int, _ sas: [ListedIKE]?) { openLists.removeValue(forKey: number)?(sas) }

    /// Whether datagrams wait for charon, of this process or of one before it.
    var hasUnread: Bool { (endpoint?.observeQueue()?.byteCount ?? 0) > 0 }

    /// Ends IKE SAs without a word to their peers.
    func terminate(_ uniqueIDs: [UInt32]) {
        for number in uniqueIDs { vici?.request(.terminateIKE(uniqueID: number, force: true)) { _ in } }
    }

    /// Rekeys a child SA.
    func rekey(child uniqueID: UInt32) { vici?.request(.rekeyChild(uniqueID: uniqueID)) { _ in } }

    /// charon has read a command of this process, and so everything of those before it.
    func noteQueueRead() { hasForeignQueue = false }

    private func lookAtForeignQueue() {
        guard hasForeignQueue else { return }
        emptyLooks = hasUnread ? 0 : emptyLooks + 1
        // It may be at work on what it read last.
        guard emptyLooks >= 2 else { return }
        hasForeignQueue = false
        onChanged()
    }

    /// Looks at fitness; called each second.
    func tick() {
        lookAtForeignQueue()
        guard vici != nil else {
            note(fault: "the IKE daemon does not answer at \(settings.viciPath)")
            return requestVici()
        }
        lookAtConnections()
    }

    private func lookAtConnections() {
        vici?.request(.listConnections) { [weak self] reply in
            guard let self, case .connections(let list) = reply else { return }
            let isNew = list != connections
            connections = list
            if isNew { onChanged() }
            note(fault: list.isEmpty ? "the IKE daemon has no connection loaded" : nil)
            answerPlan()
        }
    }

    /// Whether charon has still to load connections that the journal's SAs need.
    private func isLoading(for journal: CharonJournal) -> Bool {
        guard !journal.connectionNames.isSubset(of: connections.map(\.name)) else {
            connectionDeadline = nil
            return false
        }
        let deadline = connectionDeadline ?? reactor.now + Self.connectionWait
        connectionDeadline = deadline
        return reactor.now < deadline
    }

    private func lookAtConnectionsSoon() {
        guard !isConnectionLookDue else { return }
        isConnectionLookDue = true
        reactor.schedule(at: reactor.now + Self.connectionPause) { [weak self] in
            self?.isConnectionLookDue = false
            self?.lookAtConnections()
        }
    }

    private func takeVersion(_ reply: ViciReply) {
        guard case .version(_, let text) = reply else { return }
        release = text
        guard let learned = HAVersion(release: text) else {
            return log("%CRYPTO-4-IKE_DAEMON: charon \(text) speaks an ha-plugin version that is not known")
        }
        version = learned
        drive(.versionLearned(learned))
    }

    private func note(fault text: String?) {
        guard text != fault else { return }
        fault = text
        log(text.map { "%CRYPTO-4-IKE_DAEMON: \($0)" } ?? "%CRYPTO-5-IKE_DAEMON: the IKE daemon is fit")
        onChanged()
    }

    // MARK: The ha plugin

    private func take(_ message: HAMessage) {
        isPluginHeard = true
        if version != message.version {
            version = message.version
            drive(.versionLearned(message.version))
        }
        switch message.kind {
        case .resync:
            onLost()
            drive(.charonRestarted)
        case .segmentDrop, .segmentTake, .status: count("charon.command")
        default: onRecord(message)
        }
    }

    // MARK: Delivery

    private func drive(_ event: CharonDelivery.Event) {
        var actions: [CharonDelivery.Action] = []
        delivery.handle(event, at: reactor.now, actions: &actions)
        for action in actions { perform(action) }
        armTimer()
    }

    private func perform(_ action: CharonDelivery.Action) {
        switch action {
        case .send(let message): send(message)
        case .observeQueue: observeQueue()
        case .requestPlan(let reason):
            awaitedPlan = reason
            answerPlan()
        case .acknowledge(let sequence): onDelivered(sequence)
        case .reportRole(let isActive): onRoleTold(isActive)
        case .reportActiveLoss: onActiveLoss()
        case .count(let counter): count(counter.rawValue)
        }
    }

    private func send(_ message: HAMessage) {
        guard let endpoint, !endpoint.send(message) else { return }
        // Refused: nobody reads there. The queue's look-up finds out whether charon is gone.
        count("charon.unsent")
    }

    private func observeQueue() {
        guard let observed = endpoint?.observeQueue() else {
            onLost()
            return drive(.charonLost)
        }
        drive(.queueObserved(byteCount: observed.byteCount, dropCount: observed.dropCount))
    }

    /// Answers a plan that is waited for, if that is allowed at this moment.
    private func answerPlan() {
        guard let reason = awaitedPlan, !isComparing, let version else { return }
        switch permission() {
        case .later: break
        case .nothing:
            awaitedPlan = nil
            drive(.planMade(ReconciliationPlan(journal: CharonJournal(), listing: [], version: version)))
        case .compare(let journal, _) where isLoading(for: journal): lookAtConnectionsSoon()
        case .compare:
            isComparing = true
            list { [weak self] listing in self?.compare(listing, reason) }
        }
    }

    private func compare(_ listing: [ListedIKE]?, _ reason: CharonDelivery.PlanReason) {
        isComparing = false
        // The role or the journal may have changed while charon made its list.
        guard let listing, let version, awaitedPlan != nil, case .compare(let journal, let copied) = permission()
        else { return }
        awaitedPlan = nil
        let plan = ReconciliationPlan(
            journal: journal, listing: listing, lackingInKernel: lackingInKernel(listing),
            refresh: .after(reason, copied: copied), version: version)
        // charon does not overwrite an SA in the kernel that it does not know: it fails, and deletes half of it.
        if reason == .restarted || !plan.installedChildren.isEmpty { removeLeftovers(listing) }
        terminate(plan.strangers)
        onCompared(plan, listing)
        drive(.planMade(plan))
    }

    private func armTimer() {
        let deadline = delivery.nextDeadline
        guard deadline != timerDeadline else { return }
        if let timer { reactor.cancel(timer) }
        timerDeadline = deadline
        timer = deadline.map { at in
            reactor.schedule(at: at) { [weak self] in
                self?.timerDeadline = nil
                self?.timer = nil
                self?.drive(.deadlineReached)
            }
        }
    }
}
