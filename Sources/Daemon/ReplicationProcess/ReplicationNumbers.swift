// SPDX-License-Identifier: Apache-2.0

import LinuxIO
import Primitives
import Replication
import SecurityAssociations
import StrongSwan

/// What the process knows of sequence numbers that are out of bounds.
struct NumberWatch {
    /// Numbers that had grown old when the role was taken are not all raised yet: the fence waits.
    var isRaising = false
    /// Until when the fence waits for SAs that charon is installing.
    var lateUntil: Instant?
    /// The peer was HOT since this node has the role: it has numbers that can be outrun.
    var hadHotPeer = false
    /// SAs of an Active that the peer would have to raise before it sends.
    var exceededCount = 0
    /// SAs near the end of their numbers.
    var exhaustedCount = 0
    /// The numbers' faults in sentences, for the screens.
    var warnings: [String] {
        var warnings: [String] = []
        if exceededCount > 0 {
            warnings.append(
                "\(exceededCount) SAs have sent more than the margin beyond what the peer acknowledged: "
                    + "a takeover raises their numbers before it sends")
        }
        if exhaustedCount > 0 {
            warnings.append("\(exhaustedCount) SAs are near the end of their sequence numbers and need new keys")
        }
        return warnings
    }
}

extension ReplicationProcess {
    /// Numbers raised in one step of a takeover without a recent report.
    private static var raisedPerStep: Int { 256 }
    private static var raisePause: Interval { .milliseconds(10) }
    /// Between two looks at charon's queue; longer than it works on one record.
    private static var queuePause: Interval { .milliseconds(20) }

    /// The role is taken without a recent word of the former Active: what it may have sent since is counted first.
    ///
    /// Failover keeps its fence until `isRaising` is over, or the address would send with numbers that were used.
    func raiseStaleNumbers(isBehind: Bool) {
        let now = reactor.now
        if let replicator {
            guard replicator.machine.areNumbersStale(at: now) else { return }
            log(Self.staleLine)
            return replicator.handle(.staleRoleTaken)
        }
        guard let kernel, isBehind || kernel.counters.areStale(at: now) else { return }
        log(Self.staleLine)
        kernel.refreshSAs()
        kernel.counters.beginStaleTakeover(at: now)
        numbers.isRaising = true
        continueRaising()
    }

    /// The role was taken, or SAs were on their way to charon, before this process was started, and failover's fence is up.
    ///
    /// What is in charon's queue comes into the kernel with number 0; behind it all numbers are raised, and then the
    /// fence may fall.
    func raiseUnknownNumbers() {
        guard replicator == nil, kernel != nil, charon != nil else { return }
        log(Self.unknownLine)
        numbers.isRaising = true
        raiseBehindQueue(looks: 0)
    }

    /// Records of children came a moment ago: failover keeps its fence until the kernel has their SAs, and not for long.
    func awaitLateSAs() {
        guard replicator == nil, !keeper.undelivered.isEmpty, let charon, charon.fault == nil else { return }
        count("counters.lateSAs")
        let until = reactor.now + ReplicationLimits.lateSAWait
        numbers.lateUntil = until
        reactor.schedule(at: until) { [unowned self] in settle() }
    }

    /// Whether SAs with number 0 may come before this moment is over.
    var areSAsLate: Bool { numbers.lateUntil.map { reactor.now < $0 } ?? false && !keeper.undelivered.isEmpty }

    private func raiseBehindQueue(looks: Int) {
        guard numbers.isRaising, let kernel else { return }
        // Between two looks charon has worked off what it read last.
        guard looks < 2 else {
            kernel.refreshSAs()
            kernel.counters.beginUnknownTakeover(at: reactor.now)
            return continueRaising()
        }
        let isEmpty = charon?.hasUnread != true
        reactor.schedule(at: reactor.now + Self.queuePause) { [unowned self] in
            raiseBehindQueue(looks: isEmpty ? looks + 1 : 0)
        }
    }

    // MARK: Overlaps

    /// Both nodes were Active: what both may have used is not used on, once it is settled who stays.
    func noteOverlap() {
        count("role.overlap")
        if let replicator {
            let count = replicator.machine.table.saCount
            return log("%CRYPTO-4-OVERLAP: \(count) SAs may have been used by both nodes and should get new keys")
        }
        charon?.list { [weak self] listing in
            guard let self, role?.isActive == true, let listing else { return }
            overdueRekeys.noteShared(in: listing, held: heldAtLoss)
            guard overdueRekeys.sharedCount > 0 else { return }
            log("%CRYPTO-4-OVERLAP: \(overdueRekeys.sharedCount) child SAs may have been used by both nodes: rekeying")
            rekeyOverdue(listing)
        }
    }

    /// Tells the session when VPN peers were heard; two Actives that meet are judged by it.
    func watchTraffic() {
        let state = replicator?.machine.table.inboundMoves ?? kernel?.inboundState ?? 0
        defer { lastInboundState = state }
        guard let last = lastInboundState, state > last else { return }
        drive(.peerTrafficSeen)
    }

    private static var staleLine: String {
        "%CRYPTO-4-SEQUENCE: sequence numbers of the former Active are old or not in the kernel yet: they are raised before "
            + "anything is sent"
    }

    private static var unknownLine: String {
        "%CRYPTO-4-SEQUENCE: this process was started behind the takeover: all sequence numbers are raised before "
            + "anything is sent"
    }

    private func continueRaising() {
        guard numbers.isRaising, let kernel else { return }
        if kernel.raiseStaleNumbers(at: reactor.now, limit: Self.raisedPerStep) {
            numbers.isRaising = false
            return settleSoon()
        }
        reactor.schedule(at: reactor.now + Self.raisePause) { [unowned self] in continueRaising() }
    }

    /// Looks, while Active, for SAs that outran the margin or near their end; the latter are rekeyed, a few at a time.
    func watchNumbers() {
        guard isReplicating else { return }
        var fresh = numbers
        fresh.hadHotPeer = numbers.hadHotPeer || session.isPeerHot
        if let replicator {
            fresh.exceededCount = replicator.machine.table.exceededCount(by: replicator.machine.settings)
            fresh.exhaustedCount = replicator.machine.table.exhaustedCount(by: replicator.machine.settings)
        } else if let kernel {
            if session.flow != .sending { kernel.refreshSAs() }
            kernel.counters.judgeExhaustion()
            fresh.exceededCount = kernel.counters.exceeded.count
            let exhausted = kernel.counters.exhausted
            fresh.exhaustedCount = exhausted.count
            rekey(outbound: exhausted)
        }
        if !fresh.hadHotPeer { fresh.exceededCount = 0 }
        if fresh.exceededCount > numbers.exceededCount {
            counts["counters.marginExceeded", default: 0] += fresh.exceededCount - numbers.exceededCount
        }
        let isNews =
            (fresh.exceededCount > 0) != (numbers.exceededCount > 0)
            || (fresh.exhaustedCount > 0) != (numbers.exhaustedCount > 0)
        numbers = fresh
        guard isNews else { return }
        for warning in fresh.warnings { log("%CRYPTO-4-SEQUENCE: \(warning)") }
        if fresh.warnings.isEmpty { log("%CRYPTO-5-SEQUENCE: all sequence numbers are within their bounds again") }
    }

    /// Rekeys children whose numbers end; charon holds a child once asked in another state than INSTALLED.
    private func rekey(outbound identities: [SAIdentity]) {
        guard !identities.isEmpty else { return }
        let spis = Set(identities.map(\.spi))
        let children = (charon?.listing ?? []).flatMap(\.children)
        for child in children.filter({ $0.state == "INSTALLED" && spis.contains($0.spis.outbound) })
            .prefix(Limits.overdueRekeyCount)
        {
            count("counters.rekeyed")
            charon?.rekey(child: child.uniqueID)
        }
    }
}
