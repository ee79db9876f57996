// SPDX-License-Identifier: Apache-2.0

import Primitives
import StrongSwan

/// The local charon as replication sees it, with the real delivery machine.
///
/// Mirrors Daemon/ReplicationProcess/CharonDriver.swift; VICI is a question answered a moment later, or never.
final class CharonDriverModel {
    enum PlanPermission {
        case compare(CharonJournal, copied: StateRefresh)
        case nothing
        case later
    }

    private unowned(unsafe) let process: ReplicationModel
    private(set) var fault: String?
    private(set) var version: HAVersion?
    private var delivery = CharonDelivery()
    var isGone: Bool { delivery.isLost }
    /// The life of charon to which the VICI stream leads; nil without a stream.
    private var stream: Int?
    private var openLists: [Int: ([ListedIKE]?) -> Void] = [:]
    private var lastList = 0
    private var awaitedPlan: CharonDelivery.PlanReason?
    private var isComparing = false
    private var busyUntil: UInt64 = 0
    private(set) var hasForeignQueue = false
    private var emptyLooks = 0
    private static let listWait = 1_500 * millisecond

    init(process: ReplicationModel) { self.process = process }

    private var simulation: Simulation { process.simulation }
    private var charon: CharonModel { process.node.charon }

    var nextDeadline: Instant? { query(&delivery) { $0.nextDeadline } }

    /// Things that wait for charon, for the queue's limit.
    var backlogCount: Int { query(&delivery) { $0.backlogCount } }

    func begin() {
        fault = "the IKE daemon has not been looked for yet"
        version = nil
        delivery = CharonDelivery()
        (stream, openLists, awaitedPlan, isComparing, busyUntil) = (nil, [:], nil, false, 0)
        (hasForeignQueue, emptyLooks) = (hasUnread, 0)
    }

    var hasUnread: Bool { (charon.receiveQueue?.byteCount ?? 0) > 0 }

    func noteQueueRead() { hasForeignQueue = false }

    private func lookAtForeignQueue() {
        guard hasForeignQueue else { return }
        emptyLooks = hasUnread ? 0 : emptyLooks + 1
        guard emptyLooks >= 2 else { return }
        hasForeignQueue = false
        process.settle()
    }

    // MARK: VICI

    /// Looks at fitness; called each second.
    func tick() {
        lookAtForeignQueue()
        guard stream == nil else { return lookAtConnections() }
        fault = "the IKE daemon does not answer"
        let charon = charon
        guard charon.isAlive else { return }
        let life = charon.generation
        stream = life
        ask { [self] in
            version = .three
            drive(.versionLearned(.three))
        }
        lookAtConnections()
    }

    private func lookAtConnections() {
        ask { [self] in
            guard fault != nil else { return }
            fault = nil
            process.settle()
        }
    }

    /// Puts a question to charon and runs `answer` in this process when the answer is here.
    private func ask(_ answer: @escaping () -> Void) {
        exchange { answer }
    }

    /// Requests on the stream are answered one after the other; `work` is charon's part.
    private func exchange(_ work: @escaping () -> () -> Void) {
        guard let life = stream, charon.isAlive, charon.generation == life else { return }
        busyUntil = max(busyUntil, simulation.now) + simulation.microseconds(500...2_500)
        simulation.schedule(at: busyUntil, for: charon) { [self] in
            let answer = work()
            charon.tell(process) { [self] in
                if stream == life { answer() }
            }
        }
    }

    /// charon died, and its stream ended.
    func streamEnded() {
        guard stream != nil else { return }
        stream = nil
        isComparing = false
        hasForeignQueue = false
        fault = "the IKE daemon closed its VICI stream"
        let open = openLists
        openLists = [:]
        for number in open.keys.sorted() { open[number]?(nil) }
        process.noteCharonLost()
        drive(.charonLost)
        process.settle()
    }

    func list(_ completion: @escaping ([ListedIKE]?) -> Void) {
        guard stream != nil else { return completion(nil) }
        lastList += 1
        let number = lastList
        openLists[number] = completion
        exchange { [self] in
            let listing = charon.listing
            return { [self] in finishList(number, listing) }
        }
        process.after(Self.listWait) { [self] in finishList(number, nil) }
    }

    private func finishList(_ number: Int, _ listing: [ListedIKE]?) {
        openLists.removeValue(forKey: number)?(listing)
    }

    // MARK: Orders

    func deliver(_ record: CharonRecord) { drive(.recordArrived(record)) }

    func decide(isActive: Bool) {
        drive(.roleDecided(isActive: isActive))
        if delivery.isAwaitingPlan { answerPlan() }
    }

    func noteCopy() {
        drive(.copyReplaced)
        answerPlan()
    }

    func wantComparison() {
        drive(.planWanted)
        answerPlan()
    }

    func askForResync() {
        guard let version else { return }
        send(.resync([1], version: version))
    }

    func reachDeadlines() {
        if let due = nextDeadline, due <= process.now { drive(.deadlineReached) }
    }

    /// A datagram of charon.
    func take(_ message: HAMessage) {
        switch message.kind {
        case .resync:
            process.noteCharonLost()
            drive(.charonRestarted)
        case .segmentDrop, .segmentTake, .status: break
        default: process.record(message)
        }
    }

    // MARK: Delivery

    private func drive(_ event: CharonDelivery.Event) {
        var actions: [CharonDelivery.Action] = []
        delivery.handle(event, at: process.now, actions: &actions)
        for action in actions where process.isAlive && !process.diesBeforeAction() { perform(action) }
        process.arm(nextDeadline)
    }

    private func perform(_ action: CharonDelivery.Action) {
        switch action {
        case .send(let message): send(message)
        case .observeQueue:
            guard let (byteCount, dropCount) = charon.receiveQueue else {
                process.noteCharonLost()
                return drive(.charonLost)
            }
            drive(.queueObserved(byteCount: byteCount, dropCount: dropCount))
        case .requestPlan(let reason):
            awaitedPlan = reason
            answerPlan()
        case .acknowledge(let sequence): process.noteDelivered(sequence)
        case .reportRole(let isActive): process.noteRoleTold(isActive)
        case .reportActiveLoss: process.noteActiveLoss()
        case .count: break
        }
    }

    private func send(_ message: HAMessage) { charon.receive(message) }

    private func answerPlan() {
        guard let reason = awaitedPlan, !isComparing, let version else { return }
        switch process.permission {
        case .later: break
        case .nothing:
            awaitedPlan = nil
            drive(.planMade(ReconciliationPlan(journal: CharonJournal(), listing: [], version: version)))
        case .compare:
            isComparing = true
            list { [self] listing in compare(listing, reason) }
        }
    }

    private func compare(_ listing: [ListedIKE]?, _ reason: CharonDelivery.PlanReason) {
        isComparing = false
        guard let listing, let version, awaitedPlan != nil,
            case .compare(let journal, let copied) = process.permission
        else { return }
        awaitedPlan = nil
        let plan = ReconciliationPlan(
            journal: journal, listing: listing, refresh: .after(reason, copied: copied), version: version)
        if reason == .restarted || !plan.installedChildren.isEmpty {
            process.refreshSAs()
            process.kernel.removeSAs(except: Set(listing.flatMap(\.children).map(\.spis)))
            process.refreshSAs()
        }
        if !plan.isEmpty {
            simulation.note(
                "\(process.node.name): comparison (\(reason)): \(plan.deletions.count) deletions, "
                    + "\(plan.records.count) records, \(plan.strangers.count) strangers")
        }
        charon.terminate(plan.strangers)
        process.noteCompared(plan, listing)
        drive(.planMade(plan))
    }
}
