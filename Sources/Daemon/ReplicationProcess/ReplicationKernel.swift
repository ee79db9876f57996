// SPDX-License-Identifier: Apache-2.0

import LinuxIO
import Primitives
import Replication

/// How the process works with `ike-daemon none`.
extension ReplicationProcess {
    func makeReplicator(_ scheme: Scheme) -> KernelReplicator {
        let replicator = KernelReplicator(scheme, life: bootID, on: reactor)
        replicator.hooks.record = { [unowned self] bytes, key in drive(.recordMade(bytes, key: key)) }
        replicator.hooks.copyBegun = { [unowned self] count in drive(.copyBegun(count: count)) }
        replicator.hooks.copyEnded = { [unowned self] digest in drive(.copyEnded(digest: digest)) }
        replicator.hooks.acknowledge = { [unowned self] sequence in drive(.recordsDelivered(through: sequence)) }
        replicator.hooks.copyWanted = { [unowned self] in wantCopy() }
        replicator.hooks.changed = { [unowned self] in settle() }
        replicator.hooks.policyCame = { [unowned self] policy in kernel?.note(policy) }
        replicator.hooks.policyRead = { [unowned self] policy in kernel?.noteRead(policy) }
        replicator.hooks.policyWent = { [unowned self] key in kernel?.remove(key) }
        replicator.hooks.readingBegan = { [unowned self] in kernel?.tunnels.beginReading() }
        replicator.hooks.readingEnded = { [unowned self] in kernel?.notePoliciesRead() }
        replicator.hooks.policiesFlushed = { [unowned self] in kernel?.bypass.noteFlush() }
        replicator.hooks.backlogByteCount = { [unowned self] in session.backlogByteCount }
        replicator.hooks.longWorkStart = { [unowned self] in
            // Who asks is about to begin.
            endAttention()
            return longWorkStart
        }
        replicator.hooks.isActive = { [unowned self] in role?.isActive }
        replicator.hooks.count = { [unowned self] name in count(name) }
        replicator.hooks.log = { [unowned self] line in log(line) }
        return replicator
    }

    /// The kernel holds the SAs on both nodes, behind the fence here: a change of the role changes none of them.
    func changeWithKernel(_ fresh: Role, hadRole: Bool) {
        isTakeoverComplete = true
        // A node that has not heard its role yet has received as a standby: the copy under way stays good.
        if fresh.isActive || hadRole { replicator?.change(isActive: fresh.isActive) }
        tellStatusLines(isActive: fresh.isActive, hadRole: hadRole)
        scheduleRoutes(afterMilliseconds: 0)
    }

    /// Asks for a copy, at once or when the pause since the last one is over: a difference that stays must cost little.
    private func wantCopy() {
        guard !isCopyRequestScheduled else { return }
        let now = reactor.now
        let due = copyRequestedAt.map { $0 + ReplicationLimits.copyRetry } ?? now
        isCopyRequestScheduled = true
        reactor.schedule(at: max(due, now)) { [unowned self] in
            isCopyRequestScheduled = false
            guard replicator?.machine.isEqual == false else { return }
            copyRequestedAt = reactor.now
            drive(.copyFoundWrong)
            settle()
        }
    }
}

extension RedundancyFacts {
    /// The facts that the kernel replicator knows.
    func completed(by replicator: KernelReplicator, isDelivered: Bool) -> RedundancyFacts {
        var facts = self
        facts.isSnapshotBegun = replicator.machine.hasCopyBegun
        facts.isJournalEqual = replicator.machine.isEqual
        facts.isDelivered = isDelivered
        facts.isVerified = replicator.machine.refusedCount == 0
        // Numbers are written with the SA itself.
        facts.areCountersInstalled = true
        facts.areNumbersStale =
            replicator.machine.isRaising
            || (facts.isActive == false && replicator.machine.areNumbersStale(at: Reactor.now()))
        facts.kernelFault = replicator.standbyFault
        return facts
    }
}
