// SPDX-License-Identifier: Apache-2.0

import FirstHop
import Replication
import StrongSwan

/// The promises, looked at after every step that could break one.
final class Checker {
    private unowned(unsafe) let simulation: Simulation
    /// The first promise that was broken; the run ends with it.
    private(set) var violation: String?
    private var unheldSince: [UInt64?]
    private var emittingBefore: [Bool]
    /// When two senders were excused last: an interruption of theirs begins nothing new.
    private var excusedOverlapAt: UInt64?
    /// Whether a node has emitted since it became Active.
    private var hasEmitted: [Bool]
    /// What each failover machine decided last.
    private var decisions: [Decision]

    /// What a machine wants of its kernel since when, and whether it could not know then of another sender.
    private struct Decision {
        enum Wish: Int { case nothing, role, sending }

        var wish = Wish.nothing
        var at: UInt64 = 0
        var isIgnorant = false
    }

    init(_ simulation: Simulation) {
        self.simulation = simulation
        unheldSince = simulation.nodes.map { _ in nil }
        emittingBefore = simulation.nodes.map { _ in false }
        hasEmitted = simulation.nodes.map { _ in false }
        decisions = simulation.nodes.map { _ in Decision() }
    }

    func fail(_ text: String) {
        guard violation == nil else { return }
        violation = text
        simulation.note("VIOLATION: \(text)")
        for node in simulation.nodes { simulation.note(describe(node)) }
    }

    private func describe(_ node: Node) -> String {
        let machine = node.failover.machine
        let kernel = node.kernel
        let children = node.charon.ikes.map { ike in
            "\(ike.tunnel ?? -1):\(ike.children.map { "\($0.spis.outbound)\($0.isReplaced ? "r" : "")" })"
        }
        let redundancy = node.replication.redundancy
        let missing = redundancy.missing.isEmpty ? "" : " (\(redundancy.missing.joined(separator: "; ")))"
        return "\(node.name): \(machine.state.name) term \(machine.term), \(redundancy.state)\(missing), "
            + "fence \(kernel.isFenceUp), address \(kernel.hasAddress), SAs \(kernel.outbound), charon \(children)"
    }

    // MARK: One sender

    /// A fence, an address, an SA, a link or a machine changed.
    func kernelChanged() {
        let nodes = simulation.nodes
        for node in nodes {
            let isEmitting = node.kernel.isEmitting
            let isNew = isEmitting && !emittingBefore[node.index]
            emittingBefore[node.index] = isEmitting
            if isEmitting, node.failover.isActive { hasEmitted[node.index] = true }
            if isNew { for other in nodes where other !== node { checkOneSender(node, other) } }
            checkHolder(node)
        }
    }

    private func checkOneSender(_ node: Node, _ other: Node) {
        guard isEmitting(node, beside: other) else { return }
        if let at = excusedOverlapAt, simulation.now < at + patience(node, other) {
            return watchOverlap(node, other, excusedAt: at)
        }
        guard isExcused(node, other) else {
            return fail("two senders: \(other.name), and now \(node.name)")
        }
        simulation.note("two senders, which neither of them can know: \(other.name) and \(node.name)")
        simulation.tunnels.noteSplit()
        watchOverlap(node, other, excusedAt: simulation.now)
    }

    private func isEmitting(_ node: Node, beside other: Node) -> Bool {
        node.kernel.isEmitting && other.kernel.isEmitting
            && node.kernel.outbound.contains { other.kernel.hasOutbound($0.spi) }
    }

    /// What excuses two senders may end before they do: then they have a moment to find out.
    private func watchOverlap(_ node: Node, _ other: Node, excusedAt: UInt64) {
        excusedOverlapAt = excusedAt
        simulation.schedule(after: 50 * millisecond) { [self] in
            guard isEmitting(node, beside: other) else { return }
            let now = simulation.now
            if isExcused(node, other) { return watchOverlap(node, other, excusedAt: now) }
            guard now < excusedAt + patience(node, other) else {
                return fail("two senders: \(other.name) and \(node.name), for \((now - excusedAt) / millisecond) ms")
            }
            watchOverlap(node, other, excusedAt: excusedAt)
        }
    }

    /// Two that hear each other wait for the association, and then tell each other by hellos; where a process cannot be
    /// asked only a lease ends its role.
    private func patience(_ node: Node, _ other: Node) -> UInt64 {
        let hello = UInt64(simulation.settings.helloMilliseconds) * millisecond
        let isMute = [node, other].contains(where: isMute)
        // Who sees by its clock that it slept fences itself before it asks.
        if !isMute, let woken = [node, other].first(where: hasSeenPause) {
            return 100 * millisecond + 4 * woken.kernel.delay
        }
        return 4_500 * millisecond + 6 * hello + (isMute ? simulation.settings.leaseNanoseconds : 0)
    }

    /// Whether nobody but its lease can end what `node` does.
    private func isMute(_ node: Node) -> Bool { !node.failover.isAlive || node.failover.isStalled }

    private func hasSeenPause(_ node: Node) -> Bool {
        let hold = UInt64(simulation.settings.holdMilliseconds) * millisecond
        guard !node.isPauseUnseen, let at = node.unpausedAt, at - node.pausedAt > hold else { return false }
        return simulation.now < at + 2 * second
    }

    private func isExcused(_ newcomer: Node, _ other: Node) -> Bool {
        if hasFailingKernel(newcomer, other) || hasFailingKernel(other, newcomer) { return true }
        return couldNotKnow(newcomer, of: other) || isCarryingOut(newcomer, beside: other)
    }

    /// A failover machine took a step: it knows what it knows now, however late its kernel follows.
    func decided(_ node: Node) {
        let failover = node.failover
        let wish: Decision.Wish = !failover.isActive ? .nothing : failover.machine.isFenceUp ? .role : .sending
        let before = decisions[node.index].wish
        guard wish != before else { return }
        let isIgnorant =
            wish.rawValue > before.rawValue
            && simulation.nodes.contains { $0 !== node && couldNotKnow(node, of: $0) }
        decisions[node.index] = Decision(wish: wish, at: simulation.now, isIgnorant: isIgnorant)
    }

    /// Whether failover has not had its moment to put a stolen fence back, because it hangs, is dead, or has just come.
    func isFenceStolen(on node: Node) -> Bool {
        guard let at = node.kernel.stolenAt else { return false }
        let moment = node.kernel.delay + 100 * millisecond
        if simulation.now < at + moment || node.failover.lastAwakeAt < at + moment { return true }
        return !node.kernel.isFenceUp && node.failover.hasWoken(within: moment)
    }

    /// Whether a slow or refusing kernel still carries out what `node` decided when it could not know better, or before
    /// `other` decided the same without knowing of it; for some seconds, or this would excuse whatever it does later.
    private func isCarryingOut(_ node: Node, beside other: Node) -> Bool {
        let (own, others) = (decisions[node.index], decisions[other.index])
        guard simulation.now < own.at + 4 * second else { return false }
        guard own.isIgnorant || (others.isIgnorant && others.at > own.at) else { return false }
        if simulation.now <= own.at + 4 * node.kernel.delay { return true }
        return node.kernel.refusedAt.map { $0 >= own.at && simulation.now < $0 + 300 * millisecond } ?? false
    }

    /// Whether a fault of `other`'s machine, or of a kernel, lets it send beside `node`, whatever daemons do.
    ///
    /// A machine that slept unseen has a hello's time to learn what happened meanwhile.
    private func hasFailingKernel(_ node: Node, _ other: Node) -> Bool {
        let now = simulation.now
        if let at = other.unpausedAt, !other.isPauseUnseen {
            // It sees by its clock that it slept, and its first step raises the fence; where it takes none, its lease ends.
            let isMute = isMute(other) && other.failover.lastAwakeAt <= at
            let lease = other.pausedAt + simulation.settings.leaseNanoseconds
            if now < (isMute ? lease : at + other.kernel.delay + 20 * millisecond) { return true }
        } else if let at = other.unpausedAt {
            let hello = UInt64(simulation.settings.helloMilliseconds) * millisecond
            // Where a failover process hangs as well, nobody but its lease can end its role, and nobody answers the other.
            let isMute = isMute(other) || node.failover.isStalled || other.failover.hasWoken(within: 2 * hello)
            let wait = isMute ? simulation.settings.leaseNanoseconds : 2 * hello
            if now < at + wait { return true }
        }
        if simulation.settings.isIPv6, isFenceStolen(on: other) { return true }
        // What was decided before it woke a slow kernel carries out behind that: fence, address, and then the role.
        if node.kernel.delay > 0, other.failover.hasWoken(within: 3 * node.kernel.delay) { return true }
        if let at = other.kernel.disobeyedAt, now < at + simulation.settings.leaseNanoseconds { return true }
        return false
    }

    /// Whether `node`, which begins to send, could not know that `other` does: both witnesses were lost.
    private func couldNotKnow(_ node: Node, of other: Node) -> Bool {
        // Where the association's wire is cut as well, a machine that is not heard on the LAN either counts as gone, and
        // its lease is not waited for.
        let isGone = node.failover.machine.isPeerMachineGone
        if simulation.association.isDoubtful, !isAssociated(node), isGone { return true }
        guard !other.isPaused else { return false }
        let hold = UInt64(simulation.settings.holdMilliseconds) * millisecond
        // Who lived unheard for that long has renewed its lease behind its last sign, whatever became of it since.
        let isDeaf =
            other.failover.lastAwakeAt >= simulation.lan.heardAt[node.index][other.index] + hold * 98 / 100
            || (!isAssociated(node) && simulation.lan.hasLostRole(of: other, for: node))
        // An answer that is later than 50 ms counts as none.
        return isDeaf && (!isAssociated(node) || simulation.association.isSlow || simulation.association.isDoubtful)
    }

    /// Behind a slow kernel failover does not know of the session before its turn comes.
    func isAssociated(_ node: Node) -> Bool {
        node.replication.isAlive && !node.replication.isStalled && node.replication.session.phase == .established
            && !node.replication.session.isPeerSilent
            && (node.kernel.delay == 0 || node.failover.machine.redundancy.isAssociationUp)
    }

    // MARK: The address

    /// Starts or ends the time in which a node's address has no holder.
    private func checkHolder(_ node: Node) {
        let isOrphan = node.isPowered && node.kernel.hasAddress && !holds(node)
        guard isOrphan else {
            unheldSince[node.index] = nil
            return
        }
        guard unheldSince[node.index] == nil else { return }
        let since = simulation.now
        unheldSince[node.index] = since
        let limit = simulation.settings.leaseNanoseconds * 102 / 100
        simulation.schedule(after: limit, for: node.kernel) { [self] in
            guard unheldSince[node.index] == since, node.kernel.hasAddress, !holds(node) else { return }
            guard node.unpausedAt.map({ $0 < since }) ?? true else { return }
            fail("\(node.name) has the address \(limit / millisecond) ms after nobody held it")
        }
    }

    /// Who renews the lease holds the address.
    func leaseRenewed(on node: Node) { unheldSince[node.index] = nil }

    /// A lease ran out, and with it the role: nobody who lives and has a healthy kernel lets that happen.
    func leaseEnded(on node: Node) {
        hasEmitted[node.index] = false
        let isHealthy = node.kernel.delay == 0 && node.kernel.refusedAt == nil
        if holds(node), isHealthy, node.failover.hasRunLongEnough {
            fail("\(node.name) lives and holds the address, and its lease ran out")
        }
    }

    private func holds(_ node: Node) -> Bool {
        node.failover.isAlive && !node.failover.isStalled && node.failover.machine.holdsAddress
    }

    // MARK: The role

    func stateChanged(of node: Node, from: HSRPState, to: HSRPState, reason: String) {
        guard simulation.settings.isStateful else { return }
        if from == .active { checkYielding(node) }
        guard to == .active else { return }
        defer { simulation.tunnels.taken(by: node) }
        // A process that was started anew goes on in the role that its node has had all the time, and takes nothing.
        let roleTerm = node.failover.machine.roleTerm
        if node.replication.role == ReplicationModel.Role(isActive: true, term: roleTerm) { return }
        if reason == "resumed after a restart" { return }
        // Behind its held fence it takes the address alone; that nobody sends beside it is looked at when the fence falls.
        if reason == "the Active is silent", node.failover.machine.isFenceUp { return }
        for other in simulation.nodes where other !== node {
            let machine = other.failover.machine
            guard other.isPowered, !other.isPaused, other.failover.isAlive, !other.failover.isStalled,
                machine.state == .active, !machine.isFenceUp, !other.kernel.outbound.isEmpty
            else { continue }
            if node.failover.machine.redundancy.isLocalHot { continue }
            guard !isExcused(node, other) else { continue }
            fail("\(node.name) takes the role from \(other.name), which lives, without being HOT")
        }
    }

    /// Where both can speak, the later term keeps the role, if it ever was more than a held fence.
    private func checkYielding(_ node: Node) {
        // Who slept longer than a hold time yields to whom it hears, whatever the terms.
        guard hasEmitted[node.index], !node.failover.hasWoken(within: 100 * millisecond) else { return }
        hasEmitted[node.index] = false
        for other in simulation.nodes where other !== node {
            let machine = other.failover.machine
            // Who has heard of a later term than its own knows that its role is over, whoever has taken it since.
            let own = node.failover.machine
            guard other.failover.isActive, !other.failover.isStalled, !other.isPaused,
                own.highestTerm <= own.roleTerm, machine.roleTerm < node.failover.machine.roleTerm, isAssociated(node),
                isAssociated(other),
                node.failover.machine.redundancy.isAssociationUp, node.kernel.hasCarrier, node.isInsideUp,
                !simulation.association.isSlow, !simulation.association.isDoubtful
            else { continue }
            fail("\(node.name), term \(node.failover.machine.roleTerm), yields to term \(machine.roleTerm)")
        }
    }

    /// A standby says that it is HOT: the Active's children that are not brand new must be here, numbers ahead.
    ///
    /// A process that has just woken believes for a moment what it knew before, so a wrong claim must last to count.
    func claimsHot(_ node: Node) {
        guard wrongClaim(of: node) != nil else { return }
        simulation.schedule(after: second, for: node.replication) { [self] in
            guard node.replication.redundancy.state == .standbyHot, let claim = wrongClaim(of: node) else { return }
            fail(claim)
        }
    }

    private func wrongClaim(of node: Node) -> String? {
        for other in simulation.nodes where other !== node && other.charon.isAlive && other.charon.isServing {
            // What a machine made in the last moments before it stood nobody else can know.
            let awakeAt = other.isPaused ? other.pausedAt : simulation.now
            // The Active gives nothing to whom it does not hold for HOT itself.
            guard other.failover.isActive, node.replication.session.peer?.isActive == true,
                other.replication.redundancy.status?.isPeerHot == true
            else { continue }
            for child in other.charon.ikes.filter(\.isComplete).flatMap(\.children)
            where !child.isReplaced && child.madeAt + 3_500 * millisecond < awakeAt {
                guard let theirs = other.kernel.outbound.first(where: { $0.spi == child.spis.outbound }) else {
                    continue
                }
                let ours = node.kernel.outbound.first { $0.spi == child.spis.outbound }
                guard let ours else { return "\(node.name) says HOT without SPI \(child.spis.outbound)" }
                if ours.last < theirs.last {
                    return "\(node.name) says HOT with SPI \(ours.spi) at \(ours.last), not ahead of \(theirs.last)"
                }
            }
        }
        return nil
    }

    // MARK: Limits

    func queuesChanged(of process: ReplicationModel) {
        if query(&process.session, { $0.backlogByteCount }) > ReplicationLimits.queuedByteCount {
            fail("the backlog is over its limit")
        }
        if process.charon.backlogCount > StrongSwan.Limits.deliveryQueueCount + 1 { fail("delivery is over its limit") }
    }

    /// Counters of the session that must never move between two nodes of ours.
    func counted(_ name: String, on node: Node) {
        if name == "session.urgentOverLimit" { fail("\(node.name) counts \(name)") }
    }

    // MARK: When all is well again

    /// What is not as it should be some time after the last fault; nil when everything is.
    var fault: String? {
        let nodes = simulation.nodes
        let active = nodes.filter { $0.failover.isActive }
        guard active.count == 1, let holder = active.first else { return "\(active.count) nodes are Active" }
        guard holder.kernel.isEmitting else { return "the Active \(holder.name) emits nothing" }
        guard holder.kernel.isMACUp, simulation.lan.owner == holder.index else {
            return "the LAN does not find the virtual MAC at \(holder.name)"
        }
        for other in nodes where other !== holder {
            if other.kernel.hasAddress { return "\(other.name) has the address" }
            if !other.kernel.isFenceUp { return "\(other.name) has no fence" }
        }
        guard simulation.settings.isStateful else { return nil }
        guard simulation.tunnels.areEstablished else { return "not all tunnels stand" }
        guard simulation.tunnels.areHeld(by: holder) else { return "the Active \(holder.name) lacks tunnels" }
        for other in nodes where other !== holder {
            let state = other.replication.redundancy.state
            guard state == .standbyHot else { return "\(other.name) is \(state)" }
            // Of an IKE SA that came to the Active by halves nobody can make anything.
            let halves = holder.charon.ikes.filter { !$0.isComplete }.flatMap(\.children).map(\.spis.outbound)
            let lacking = holder.kernel.outbound.first { !other.kernel.hasOutbound($0.spi) && !halves.contains($0.spi) }
            if let lacking, !holder.charon.isNew(outbound: lacking.spi) {
                return "\(other.name) lacks SPI \(lacking.spi)"
            }
        }
        return nil
    }
}
