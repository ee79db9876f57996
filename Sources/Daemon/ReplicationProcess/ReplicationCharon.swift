// SPDX-License-Identifier: Apache-2.0

import Configuration
import Control
import FirstHop
import LinuxIO
import Primitives
import Replication
import SecurityAssociations
import StrongSwan

extension ReplicationProcess {
    /// SAs are replicated: there is a peer and a `stateful` map.
    var isReplicating: Bool { model.scheme != nil && model.association != nil && scheme?.isStateful == true }

    func makeCharon(_ settings: Model.StrongSwanSettings) -> CharonDriver {
        let driver = CharonDriver(settings, on: reactor)
        driver.onRecord = { [unowned self] message in record(message) }
        driver.onRecordsLost = { [unowned self] in noteRecordsLost() }
        driver.lackingInKernel = { [unowned self] in lackingInKernel(of: $0) }
        driver.onLost = { [unowned self] in
            isVerified = false
            if role?.isActive == true { keeper.noteNothingUndelivered() }
        }
        driver.onDelivered = { [unowned self] sequence in noteDelivered(sequence) }
        driver.onRoleTold = { [unowned self] isActive in noteRoleTold(isActive) }
        driver.onActiveLoss = { [unowned self] in noteActiveLoss() }
        driver.onCompared = { [unowned self] plan, listing in noteCompared(plan, listing) }
        driver.onChanged = { [unowned self] in
            refreshAgreedItems()
            settle()
        }
        driver.permission = { [unowned self] in permission }
        driver.removeLeftovers = { [unowned self] listing in
            kernel?.removeSAs(except: Set(listing.flatMap(\.children).map(\.spis)))
        }
        driver.requestVici = { [unowned self] in supervisor.send(.viciRequested) }
        driver.count = { [unowned self] name in count(name) }
        driver.log = { [unowned self] line in log(line) }
        if let holder = heldPlugin {
            heldPlugin = nil
            driver.adopt(plugin: holder)
        }
        reactor.schedule(at: reactor.now) { [weak driver] in driver?.tick() }
        return driver
    }

    // MARK: Roles

    /// Takes failover's word on the role: charon, routes and the peer follow.
    func change(to fresh: Role, isFenced: Bool = false) {
        // Failover's fence waits for this process: what reached the kernel while it was busy comes first.
        if fresh.isActive, role?.isActive == false, hasUndelivered { kernel?.receiveWaiting() }
        let former = role
        guard fresh != former else { return }
        role = fresh
        guard fresh.isActive != former?.isActive else { return }
        drainingUntil = nil
        hasLostSAs = false
        lossDeadline = nil
        // Who takes the role without having compared may hold SAs that no journal names.
        isCoverageKnown = isVerified || !isReplicating || charon == nil
        noteInheritance(isActive: fresh.isActive)
        overdueRekeys.forget()
        isVerified = false
        // A HOT standby's numbers stand: its takeover looks at none of them.
        let isBehind = redundancy.state != .standbyHot && kernel?.counters.isBehind ?? false
        // A node that has not heard its role yet has received as a standby: the copy under way stays good.
        if fresh.isActive || former != nil {
            keeper.forgetPeer()
            kernel?.counters.forgetPeer()
        }
        kernel?.counters.forgetRole()
        noteSource(isActive: fresh.isActive, hadRole: former != nil)
        numbers = NumberWatch()
        lastInboundState = nil
        if fresh.isActive, former != nil {
            raiseStaleNumbers(isBehind: isBehind)
            awaitLateSAs()
        }
        if fresh.isActive, former == nil, isFenced { raiseUnknownNumbers() }
        if former != nil { beginQuiet(isActive: fresh.isActive) }
        if replicator != nil { return changeWithKernel(fresh, hadRole: former != nil) }
        // Routes first: a packet from the inside finds its way only with them.
        kernel?.reconcileReverseRoutes(isActive: fresh.isActive)
        tellStatusLines(isActive: fresh.isActive, hadRole: former != nil)
        if fresh.isActive { becomeActive() } else { becomeStandby(wasActive: former?.isActive) }
    }

    /// A process that was started anew finds a charon that serves already, or one that has lost its SAs unseen.
    private func noteSource(isActive: Bool, hadRole: Bool) {
        // Without replication nobody tells charon its role, and a reload may begin it while charon serves.
        isCharonSource = isActive && (!hadRole || !isReplicating)
        lossSuspicion = isCharonSource ? .notSeen : nil
    }

    private func becomeActive() {
        sharing = SharingMark(through: keeper.journal.lastSequence)
        if isReplicating {
            isTakeoverComplete = charon?.fault != nil
            charon?.decide(isActive: true)
            if !keeper.isAuthoritative { authorityDeadline = reactor.now + Self.authorityWait }
        } else {
            isTakeoverComplete = true
        }
    }

    private func becomeStandby(wasActive: Bool?) {
        // What was made here and no peer has is looked for in the records of the next Active.
        ownChildren = wasActive == true ? keeper.children(behind: sharing.through) : [:]
        keeper.dropWaiting()
        authorityDeadline = nil
        isResyncAsked = false
        isTakeoverComplete = true
        kernel?.refreshSAs()
        // A process that was started anew does not know whether it had the role.
        if wasActive != false { kernel?.counters.noteSuccessor(at: reactor.now) }
        kernel?.advanceCounters(at: reactor.now)
        if isReplicating {
            charon?.decide(isActive: false)
        } else if wasActive != nil {
            endLocalSAs()
        }
    }

    /// Without replication the SAs of the virtual address are worth nothing here any more; the fence keeps charon quiet.
    private func endLocalSAs() {
        guard let scheme else { return }
        charon?.list { [weak self] listing in
            let ours = (listing ?? []).filter { ike in
                IPAddress(text: ike.localHost).map(scheme.virtualAddresses.contains) ?? false
            }
            self?.charon?.terminate(ours.map(\.uniqueID))
        }
    }

    func tellStatusLines(isActive: Bool, hadRole: Bool) {
        guard let scheme, hadRole else { return }
        let change = isActive ? "from STANDBY to ACTIVE" : "from ACTIVE to STANDBY"
        for address in scheme.virtualAddresses {
            log("%CRYPTO-5-IKE_SA_HA_STATUS: IKE sa's if any, for vip \(address) will change \(change)")
            log("%CRYPTO-5-IPSEC_SA_HA_STATUS: IPSec sa's if any, for vip \(address) will change \(change)")
        }
    }

    /// What the former Active used and this kernel may get only now: its numbers must not be used again.
    ///
    /// A HOT standby has it all in its kernel, and does not look.
    func noteInheritance(isActive: Bool) {
        inheritedSPIs = isActive ? keeper.undelivered : []
        guard isActive, !(isVerified && keeper.isAcknowledged) else { return }
        inheritedSPIs.formUnion(keeper.journal.expected.childSAs.keys.map(\.outbound))
    }

    // MARK: What charon says

    private func record(_ message: HAMessage) {
        guard isReplicating else { return }
        guard role?.isActive != false else { return count("charon.recordWhileStandby") }
        let (record, counter) = keeper.record(message)
        if let counter { count(counter) }
        guard let record else { return }
        count("journal.recorded")
        drive(.recordMade(record.message.bytes))
        settle()
    }

    /// Datagrams of charon overran our queue: what it says again makes the journal whole, at the price of rekeys.
    private func noteRecordsLost() {
        guard isReplicating, role?.isActive == true else { return }
        log("%CRYPTO-3-HA_PLUGIN: records of the IKE daemon were lost; it is asked to send all again")
        charon?.askForResync()
    }

    private func noteDelivered(_ sequence: UInt64) {
        deliveredSequence = sequence
        acknowledge(through: sequence)
        if !isVerified, failedVerifications < 2, keeper.isAcknowledged, keeper.isEqual { charon?.wantComparison() }
        settle()
    }

    private func noteRoleTold(_ isActive: Bool) {
        if isActive == role?.isActive {
            isTakeoverComplete = true
            // One that was told before it could be filled is seen by its first listing.
            if isActive, !isCharonSource { lossSuspicion = .seen }
            isCharonSource = isActive
            if isActive { noteQueueRead() }
        }
        settle()
    }

    /// charon has read the role command, and so every record before it: what they install is in the kernel.
    private func noteQueueRead() {
        guard hasUndelivered else { return }
        kernel?.receiveWaiting()
        keeper.noteNothingUndelivered()
        charon?.noteQueueRead()
    }

    /// SAs that another node may have used are on their way to charon: by this process, or by one before it.
    var hasUndelivered: Bool { !keeper.undelivered.isEmpty || charon?.hasForeignQueue == true }

    /// Whether numbers of an SA that comes now may have been used by another node.
    func isInherited(_ spi: UInt32) -> Bool { inheritedSPIs.contains(spi) || charon?.hasForeignQueue == true }

    /// Tells the Active of children that this node made and its records lack: the VPN peers use them, and nobody else.
    func reportStrays(among held: [ChildSPIPair: IKESPIPair]) {
        let strays = held.isEmpty ? [] : keeper.strays(among: held)
        guard !strays.isEmpty else { return }
        count("journal.straysReported")
        log("%CRYPTO-4-STRAYS: the Active lacks children of \(strays.count) IKE SAs that were made here")
        drive(.straysFound(strays.map { Frame.IKEName(initiator: $0.initiator, responder: $0.responder) }))
    }

    /// The standby tells of children that this Active lacks.
    func noteStrays(_ names: [Frame.IKEName]) {
        count("journal.strays")
        overdueRekeys.noteStrays(of: Set(names.map { IKESPIPair(initiator: $0.initiator, responder: $0.responder) }))
        charon?.list { [weak self] listing in
            guard let self, role?.isActive == true, let listing else { return }
            rekeyOverdue(listing)
        }
    }

    /// What a comparison of charon with the journal may do: on a standby with a complete copy, or in a takeover.
    private var permission: CharonDriver.PlanPermission {
        guard isReplicating, let role else { return .later }
        // A takeover may find a charon that has lost its SAs, or none at all for a while: it is filled before it is told to
        // be active.
        if role.isActive { return isCharonSource || !keeper.isAuthoritative ? .nothing : comparison }
        return keeper.isEqual ? comparison : .later
    }

    private var comparison: CharonDriver.PlanPermission { .compare(keeper.journal, copied: keeper.copied) }

    /// Children that charon lists and this standby's kernel has lacked for a while: somebody took them away.
    ///
    /// A kernel that refuses them is not asked at every comparison.
    private func lackingInKernel(of listing: [ListedIKE]) -> Set<ChildSPIPair> {
        guard role?.isActive == false, failedVerifications % 8 == 2 else { return [] }
        kernel?.refreshSAs()
        let missing = kernel?.missingSAs(of: listing) ?? []
        if !missing.isEmpty { count("kernel.saReinstalled") }
        return missing
    }

    private func noteCompared(_ plan: ReconciliationPlan, _ listing: [ListedIKE]) {
        keeper.noteCompared(plan)
        if role?.isActive == false { reportStrays(among: listing.servedChildren) }
        kernel?.refreshSAs()
        kernel?.advanceCounters(at: reactor.now)
        let missing = kernel?.missingSAs(of: listing).count ?? 0
        if plan.isEmpty, missing == 0 {
            keeper.noteVerified()
            isVerified = true
            failedVerifications = 0
        } else {
            failedVerifications += 1
            count("comparison.different")
            // A single difference while HOT may be a record that arrived while charon made its list.
            if failedVerifications > 2 || redundancy.state != .standbyHot { isVerified = false }
            if plan.isEmpty, failedVerifications == 2 {
                log("%CRYPTO-4-KERNEL: the kernel lacks SAs of \(missing) children that the IKE daemon lists")
            }
        }
        settle()
    }

    // MARK: Whose journal is true

    /// The active charon is gone or says that it starts anew: believed only if it does not list what the journal holds.
    private func noteActiveLoss() {
        guard isReplicating, role?.isActive == true, !keeper.journal.expected.ikeSAs.isEmpty else { return }
        lossSuspicion = .seen
        judgeActiveLoss()
    }

    /// Where nobody answers the next comparison judges, before it takes anything for deleted.
    private func judgeActiveLoss() {
        charon?.list { [weak self] listing in
            guard let self, role?.isActive == true, let listing else { return }
            judgeLoss(by: listing)
        }
    }

    private func judgeLoss(by listing: [ListedIKE]) {
        guard let suspicion = lossSuspicion else { return }
        lossSuspicion = nil
        guard suspicion.isConfirmed(by: listing, journal: keeper.journal) else { return }
        hasLostSAs = true
        lossDeadline = reactor.now + Self.lossWait
        log("%CRYPTO-3-IKE_DAEMON: the IKE daemon started anew and lost its SAs")
        settle()
    }

    /// Settles, while Active, questions that time answers.
    func checkAuthority(at now: Instant) {
        if let lossDeadline, now >= lossDeadline, !session.isPeerHot || now.since(lossDeadline) > Self.hotLossWait {
            self.lossDeadline = nil
            hasLostSAs = false
            log("%CRYPTO-3-IKE_DAEMON: no peer took the role; the lost SAs are given up")
            // What VPN peers have set up anew meanwhile stays.
            compareActive()
        }
        guard isReplicating, !keeper.isAuthoritative, session.flow != .borrowing,
            let authorityDeadline, now >= authorityDeadline || (isPeerWithoutJournal && !isResyncAsked)
        else { return }
        charon?.list { [weak self] listing in
            guard let self, let listing, role?.isActive == true, !keeper.isAuthoritative else { return }
            // Who has nothing and hears nobody has nothing to be the source of: the peer may have all, and lends it.
            let hasNothing = listing.allSatisfy { $0.state == "CONNECTING" } && keeper.journal.recordCount == 0
            if session.phase != .established, hasNothing { return }
            settleAuthority(hasUnknownSAs: !keeper.covers(listing))
        }
    }

    /// There is nothing to wait for: the peer is here and knows no more than this node.
    private var isPeerWithoutJournal: Bool {
        session.phase == .established && session.peer?.journal.isAuthoritative == false
    }

    /// Asking charon for its records costs a rekey of every child, so it waits until a peer is there to have them.
    private func settleAuthority(hasUnknownSAs: Bool) {
        if hasUnknownSAs, session.phase != .established { return }
        if hasUnknownSAs, !isResyncAsked {
            isResyncAsked = true
            authorityDeadline = reactor.now + Self.authorityWait
            charon?.askForResync()
            log("%RF_INTERDEV-4-RESYNC: nobody has the records of the IKE daemon's SAs; it sends them and rekeys")
            return
        }
        keeper.settle()
        authorityDeadline = nil
        isResyncAsked = false
        settle()
    }

    /// Looks for deletions and moves that charon did not tell, and passes them on; and for what a killed charon has left.
    func compareActive() {
        guard isReplicating, keeper.isAuthoritative, isCharonSource, !hasLostSAs, let version = charon?.version else {
            return
        }
        let settled = keeper.journal.lastSequence
        let sas = kernel?.sas ?? [:]
        charon?.list { [weak self] listing in
            guard let self, let listing, role?.isActive == true else { return }
            judgeLoss(by: listing)
            guard !hasLostSAs else { return }
            let missed = ReconciliationPlan.missedDeletions(
                journal: keeper.journal, listing: listing, settledSequence: settled, version: version)
            for message in missed {
                count("journal.missedDeletion")
                record(message)
            }
            let moves = ReconciliationPlan.missedMoves(
                journal: keeper.journal, listing: listing, settledSequence: settled, version: version)
            for message in moves {
                count("journal.peerMoved")
                record(message)
            }
            let gateways = scheme?.virtualAddresses ?? []
            let found = leftovers.leftovers(among: sas.values, listing: listing, gateways: gateways)
            kernel?.remove(leftovers: found)
            askForUncovered(listing)
            rekeyOverdue(listing)
        }
    }

    /// The kernel heard a VPN peer behind NAT at another end: charon moves its SAs in a moment, and is asked then.
    func notePeerMoved() {
        guard isReplicating, role?.isActive == true, !isMoveExpected else { return }
        isMoveExpected = true
        reactor.schedule(at: reactor.now + Self.moveWait) { [weak self] in
            self?.isMoveExpected = false
            self?.compareActive()
        }
    }

    func rekeyOverdue(_ listing: [ListedIKE]) {
        let due = overdueRekeys.next(in: listing)
        guard !due.isEmpty else { return }
        for child in due {
            count("journal.overdueRekey")
            charon?.rekey(child: child)
        }
        log("%CRYPTO-6-REKEY: \(due.count) child SAs are overdue and are rekeyed")
    }

    /// SAs that charon made while nobody read its records are in no journal: it sends all again, and rekeys.
    ///
    /// What is missing once may be a record on its way.
    private func askForUncovered(_ listing: [ListedIKE]) {
        let missing = keeper.uncovered(in: listing)
        let isLasting = !missing.isDisjoint(with: uncovered)
        uncovered = missing
        isCoverageKnown = isCoverageKnown || missing.isEmpty
        guard isLasting, session.phase == .established else { return }
        uncovered = []
        charon?.askForResync()
        log("%RF_INTERDEV-4-RESYNC: the IKE daemon has SAs whose records are missing; it sends them and rekeys")
    }
}
