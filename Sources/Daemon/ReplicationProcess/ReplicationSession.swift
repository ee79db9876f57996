// SPDX-License-Identifier: Apache-2.0

import ByteCodec
import Configuration
import Control
import FirstHop
import LinuxIO
import Primitives
import Replication
import SecurityAssociations
import StrongSwan

extension ReplicationProcess {
    func makeAssociation(_ scheme: Scheme) -> AssociationDriver? {
        guard let settings = scheme.association else { return nil }
        let driver = AssociationDriver(settings, scheme.linkMode, on: reactor)
        driver.onEvent = { [unowned self] event in take(event) }
        driver.count = { [unowned self] name in count(name) }
        driver.log = { [unowned self] line in log(line) }
        reactor.schedule(at: reactor.now) { [weak driver] in driver?.open() }
        return driver
    }

    /// Sends by the first path whose link has carrier.
    func preferPath() {
        guard let association, let kernel else { return }
        let remotes = association.settings.remoteAddresses
        if let first = paths.first(of: remotes, by: kernel.interface) { association.prefer(first) }
    }

    private func take(_ event: AssociationDriver.Event) {
        switch event {
        case .up:
            preferPath()
            drive(.associationCameUp)
        case .down(let reason): drive(.associationWentDown(reason: reason))
        case .frame(let frame):
            if attention.isExceeded(receivedBytes: association?.receivedBytes ?? 0) { endAttention() }
            drive(.frameReceived(frame))
            if case .role = frame { return settleSoon() }
        case .writable, .changed: break
        }
        settle()
    }

    /// Hands an event to the session and carries out what it asks for, in order.
    func drive(_ event: SessionMachine.Event) {
        step(event)
        guard !isDrainingActions else { return }
        isDrainingActions = true
        while !sessionActions.isEmpty {
            let batch = sessionActions
            sessionActions = []
            for action in batch { perform(action) }
        }
        isDrainingActions = false
    }

    /// Gives the transport what waits.
    func pump() { association?.pump { takeFrame() } }

    private func perform(_ action: SessionMachine.Action) {
        switch action {
        case .closeAssociation(let reason): association?.abort(reason: reason)
        case .noteEstablished(let hello): noteEstablished(hello)
        case .noteEnded(let reason): noteEnded(reason)
        case .noteFlow(let flow): noteFlow(flow)
        case .makeSnapshot where replicator != nil: replicator?.startCopy()
        case .makeSnapshot:
            let records = isReplicating ? keeper.journal.snapshot().map(\.message.bytes) : []
            drive(.snapshotMade(records, digest: keeper.journal.digest))
        case .beginSnapshot(let count, let sequence):
            endAttention()
            log("%RF_INTERDEV-6-BULK: \(count) records are coming from the peer")
            if let replicator { return replicator.handle(.copyBegan(sequence: sequence)) }
            isVerified = false
            keeper.beginCopy()
        case .applyRecord(let bytes, let sequence): apply(bytes, sequence)
        case .endSnapshot(let digest, let sequence): endSnapshot(digest, sequence)
        case .checkMark(let digest, let sequence) where replicator != nil:
            replicator?.handle(.markReceived(digest: digest, sequence: sequence))
        case .checkMark(let digest, _): if !keeper.check(digest: digest) { noteWrongCopy() }
        case .installCounters(let number, let isLast, let counters): install(number, isLast, counters)
        case .noteCountersInstalled(let number): kernel?.counters.confirm(report: number)
        case .deliverRole(let message, let group, let term):
            hurry()
            failover?.send(.role(message, group: group, term: term))
        case .noteActiveTerm(let term): tell(term: term, isPeerActive: true)
        case .noteOutrankedTerm(let term): tell(term: term, isPeerActive: false)
        case .noteOverlap: noteOverlap()
        case .noteStrays(let names): noteStrays(names)
        // Failover hears that the peer talks again before it hears what the peer says.
        case .noteSilence: settle()
        case .notePeer, .noteOverdue: break
        case .count(let name): count(name.description)
        case .log(let line): log(line)
        }
    }

    private func noteEstablished(_ hello: SessionHello) {
        wasSessionUp = true
        log("%RF_INTERDEV-6-PEER: session with \(hello.nodeName), term \(hello.term), is up")
        if role?.isActive == true { checkAuthority(at: reactor.now) }
    }

    private func noteEnded(_ reason: String) {
        heldAtLoss = kernel.map { Set($0.sas.keys.map(\.spi)) }
        keeper.forgetPeer()
        kernel?.counters.forgetPeer()
        replicator?.forgetPeer()
        log("%RF_INTERDEV-4-PEER_LOST: session with the peer is down: \(reason)")
    }

    private func noteFlow(_ flow: SessionMachine.Flow) {
        keeper.forgetPeer()
        isVerified = false
        undeliveredSince = nil
        kernel?.counters.forgetPeer()
        replicator?.forgetPeer()
        if flow == .sending || flow == .lending { reportCounters() }
    }

    /// The peer has that term: failover's own next term is a later one.
    ///
    /// An older role ends if the peer is Active; one that stays in spite of it goes on in a later term.
    private func tell(term: UInt64, isPeerActive: Bool) {
        guard let number = scheme?.group.number else { return }
        let word = RoleMessage.answer(nonce: RoleMessage.briefing, isActive: isPeerActive)
        failover?.send(.role(word, group: UInt16(number), term: term))
    }

    // MARK: Copies

    private func apply(_ bytes: SecretBytes, _ sequence: UInt64) {
        guard isReplicating else { return drive(.recordsDelivered(through: sequence)) }
        if let replicator { return replicator.handle(.recordReceived(bytes, sequence: sequence)) }
        switch keeper.apply(bytes, wire: sequence) {
        case .held: break
        case .deliver(let record):
            warnOfUndelivered()
            charon?.deliver(record)
        case .compare: charon?.wantComparison()
        case .ignored(let counter): count(counter)
        }
        acknowledgeIdle()
    }

    /// Failover hears of SAs on their way before they are: were this process to die in between, nobody else could say.
    private func warnOfUndelivered() {
        if hasUndelivered, redundancy.status?.hasUndelivered == false { settle() }
    }

    private func endSnapshot(_ digest: UInt64, _ sequence: UInt64) {
        if let replicator { return replicator.handle(.copyEnded(digest: digest, sequence: sequence)) }
        guard keeper.endCopy(digest: digest, wire: sequence) else { return noteWrongCopy() }
        guard isReplicating else { return acknowledge(through: .max) }
        if role?.isActive == true {
            // Borrowed from the standby: what charon said meanwhile comes behind it.
            keeper.settle()
            authorityDeadline = nil
            isCoverageKnown = false
            noteInheritance(isActive: true)
            acknowledge(through: .max)
            log("%RF_INTERDEV-6-BORROWED: \(keeper.journal.recordCount) records were taken over from the standby")
        } else {
            failedVerifications = 0
            reportStrays(among: ownChildren)
            ownChildren = [:]
            kernel?.counters.noteCopy(of: Set(keeper.journal.expected.childSAs.keys.map(\.outbound)))
            charon?.noteCopy()
        }
    }

    private func noteWrongCopy() {
        count("journal.digestDiffers")
        isVerified = false
        drive(.copyFoundWrong)
    }

    /// Acknowledges to the peer what charon has read.
    func acknowledge(through local: UInt64) {
        if let wire = keeper.acknowledge(through: local) { drive(.recordsDelivered(through: wire)) }
    }

    /// Acknowledges records that need no delivery because nothing waits before them.
    private func acknowledgeIdle() {
        guard let delivered = deliveredSequence, delivered >= keeper.journal.lastSequence else { return }
        acknowledge(through: delivered)
    }

    // MARK: Counters

    /// SAs that come out of charon's queue come in a row.
    private static var raisedReportPause: Interval { .milliseconds(20) }

    private func install(_ number: UInt64, _ isLast: Bool, _ counters: [Frame.Counter]) {
        guard let kernel, kernel.counters.take(report: number, isLast: isLast, counters, at: reactor.now)
        else { return }
        kernel.refreshSAs()
        kernel.advanceCounters(at: reactor.now)
        if role?.isActive != true, kernel.counters.isInstalled { drive(.countersInstalled(number: number)) }
        for identity in kernel.counters.exhausted {
            count("counters.rekeyRequired")
            log("%CRYPTO-4-SEQUENCE: \(identity) has used up its sequence numbers and needs a rekey")
        }
    }

    /// Numbers were raised far beyond what the peer knows: it must not have to wait for the next report.
    func reportCountersSoon() {
        guard !isReportingSoon else { return }
        isReportingSoon = true
        reactor.schedule(at: reactor.now + Self.raisedReportPause) { [unowned self] in
            isReportingSoon = false
            reportCounters()
            settle()
        }
    }

    /// Reads this node's outbound numbers and tells them to the peer.
    func reportCounters() {
        guard isReplicating, let kernel else { return }
        // Whoever borrows the records must go behind the numbers that were used with their SAs.
        guard session.flow == .sending || session.flow == .lending else { return }
        if let replicator { return replicator.reportNumbers() }
        kernel.refreshSAs()
        drive(.countersTaken(kernel.counters.report(number: session.lastCounterReport + 1)))
    }
}
