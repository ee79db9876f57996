// SPDX-License-Identifier: Apache-2.0

import ByteCodec
import Primitives

extension GroupMachine {
    /// A message of this group from the LAN: check, remember who it was, and step the table.
    mutating func receive(
        _ message: HSRPMessage, from source: IPAddress, at now: Instant, actions: inout [GroupAction]
    ) {
        guard state != .initial else { return }
        if let reason = refusal(of: message, from: source, at: now) {
            actions.append(.count(reason.counter))
            warn(of: reason, message, from: source, at: now, actions: &actions)
            return
        }
        actions.append(.count("hello.received"))
        hasHeardAnybody = true
        lastHeardAt = now
        guard !settings.isFollower else { return note(message, from: source, at: now, actions: &actions) }
        checkAddress(in: message, from: source, at: now, actions: &actions)
        switch message.operation {
        case .hello: receiveHello(message, from: source, at: now, actions: &actions)
        case .coup: receiveCoup(message, from: source, at: now, actions: &actions)
        case .resign: receiveResign(from: source, at: now, actions: &actions)
        }
    }

    private mutating func refusal(of message: HSRPMessage, from source: IPAddress, at now: Instant) -> HelloRefusal? {
        precondition(message.group == settings.group, "dispatched by group")
        // Version 1 does not tell who has sent a frame with our own address: one that came back, as far as anybody can see.
        if source == settings.interfacePrefix.address {
            return message.identifier == settings.identifier || message.version == .one ? .looped : .duplicateAddress
        }
        if !settings.interfacePrefix.contains(source) { return .offLink }
        if message.version != settings.version { return .otherVersion }
        // The identifier tells our own frame even where the address has changed on its way round.
        if message.identifier == settings.identifier, settings.identifier != MACAddress(0) { return .looped }
        guard believes(message.authentication, from: source, at: now) else { return .badAuthentication }
        return refusalOfProof(in: message, from: source)
    }

    /// With the association up, an Active of a life that nobody knows and of an older term is a recording: the peer would
    /// have told its term there.
    private mutating func refusalOfProof(in message: HSRPMessage, from source: IPAddress) -> HelloRefusal? {
        guard let mode = settings.proofMode else { return nil }
        guard let proof = message.proof else { return mode == .enforce ? .badProof : nil }
        guard proof.isGenuine else { return .badProof }
        let isOutdated = message.state == .active && proof.term < highestTerm && redundancy.isAssociationUp
        return replayGuard.admits(proof, from: source, isPlausible: !isOutdated) ? nil : .replayed
    }

    /// Whether a message proves what this group asks for; by whose key it is signed matters less than that it is one of
    /// ours, for two routers may number the same key differently.
    private func believes(
        _ authentication: HSRPAuthentication, from source: IPAddress, at now: Instant
    ) -> Bool {
        switch (settings.authentication, authentication) {
        case (.text(let own), .text(let text)): return own == text
        case (.keys, .digest(let digest)):
            // The address stands in what is signed: a recorded message must come from where it came from. An IPv6
            // address has no room there.
            guard source.family == .ipv6 || digest.sender == source.ipv4 else { return false }
            return believedKeys(at: now).contains { $0.made(digest) }
        default: return false
        }
    }

    /// The keys in force, and those before them for a while.
    func believedKeys(at now: Instant) -> [HSRPKey] {
        guard case .keys(_, let keys) = settings.authentication else { return [] }
        let former = formerKeys.map { now < $0.until ? $0.keys : [] } ?? []
        return Array((keys + former).prefix(GroupAuthentication.keyLimit))
    }

    /// What an operator must hear of, as IOS words it, and not with every hello.
    private mutating func warn(
        of refusal: HelloRefusal, _ message: HSRPMessage, from source: IPAddress, at now: Instant,
        actions: inout [GroupAction]
    ) {
        guard let mnemonic = refusal.mnemonic else { return }
        if let last = warnedAt[refusal], now.since(last) < GroupTiming.warningInterval { return }
        warnedAt[refusal] = now
        let text =
            switch refusal {
            case .badAuthentication:
                "Bad authentication from \(source), group \(settings.group), remote state \(message.state.name)"
            case .badProof:
                "\(message.proof == nil ? "No proof" : "Wrong proof") from \(source), group \(settings.group), "
                    + "remote state \(message.state.name)"
            case .replayed:
                "an old message came again in the name of \(source), group \(settings.group), "
                    + "remote state \(message.state.name)"
            case .otherVersion:
                "version \(message.version.rawValue) hello of \(source), group \(settings.group), is ignored: "
                    + "this interface speaks version \(settings.version.rawValue)"
            case .duplicateAddress:
                "Duplicate address \(source), group \(settings.group), sourced by \(message.identifier.dottedDescription)"
            case .looped, .offLink: ""
            }
        actions.append(.warn(mnemonic, text))
    }

    /// An Active with another virtual address than ours is believed all the same, as in IOS, and named.
    private mutating func checkAddress(
        in message: HSRPMessage, from source: IPAddress, at now: Instant, actions: inout [GroupAction]
    ) {
        guard let own = virtualAddress, !message.virtualAddress.isAny, message.virtualAddress != own else {
            return
        }
        actions.append(.count("hello.otherAddress"))
        guard message.state == .active else { return }
        if let last = otherAddressWarnedAt, now.since(last) < GroupTiming.warningInterval { return }
        otherAddressWarnedAt = now
        actions.append(
            .warn(
                "HSRP-4-DIFFVIP1",
                "group \(settings.group) active router's virtual IP address \(message.virtualAddress) of \(source) is "
                    + "different to the locally configured address \(own)"))
    }

    /// (priority, address) as RFC 2281 compares routers.
    private func isBetter(_ message: HSRPMessage, from source: IPAddress) -> Bool {
        (message.priority, source) > (priority, settings.interfacePrefix.address)
    }

    private mutating func receiveHello(
        _ message: HSRPMessage, from source: IPAddress, at now: Instant, actions: inout [GroupAction]
    ) {
        let better = isBetter(message, from: source)
        let router = KnownRouter(address: source, priority: message.priority, heardAt: now)
        if isPeer(source) {
            isPeerHeardSinceGone = true
            if message.state != .active { noteInactivePeer(at: now, actions: &actions) }
        }
        if standbyRouter?.address == source, message.state != .standby { standbyRouter = nil }
        if activeRouter?.address == source, message.state != .active { activeRouter = nil }
        switch message.state {
        case .active:
            receiveActiveHello(message, from: router, isBetter: better, at: now, actions: &actions)
        case .standby:
            standbyRouter = router
            guard !isPrepared, !isActiveStartedAnew(source) else { return }
            let event: TableEvent = better ? .higherStandby(message) : .lowerStandby(message)
            apply(event, reason: "hello of \(source)", at: now, actions: &actions)
        case .speak:
            guard better, !isPrepared, !isActiveStartedAnew(source) else { return }
            apply(.higherSpeaker, reason: "hello of \(source)", at: now, actions: &actions)
        case .initial, .learn, .listen:
            actions.append(.count("hello.unexpectedState"))
        }
    }

    /// Whether this is our Standby's own Active, which died and stands for election with the better priority.
    ///
    /// It has lost the SAs, and this node may have them: priority does not send it away before the Active counts as silent.
    private func isActiveStartedAnew(_ source: IPAddress) -> Bool {
        state == .standby && redundancy.isStateful && isPeer(source) && activeSeen?.address == source
    }

    private mutating func receiveActiveHello(
        _ message: HSRPMessage, from router: KnownRouter, isBetter: Bool, at now: Instant, actions: inout [GroupAction]
    ) {
        if state == .active, let staleHellosUntil, now < staleHellosUntil, isPeer(router.address) {
            actions.append(.count("hello.stale"))
            return
        }
        let event: TableEvent = isBetter ? .higherActive(message) : .lowerActive(message)
        let reason = "\(router.address) priority \(message.priority) is Active"
        if state == .active {
            meetOtherActive(event, router, isBetter: isBetter, reason: reason, at: now, actions: &actions)
            return
        }
        activeRouter = router
        activeSeen = (router.address, now)
        hasLoggedLostHellos = false
        if case .questioning = phase { phase = .settled }
        finishSwitchover(at: now, actions: &actions)
        apply(event, reason: reason, at: now, actions: &actions)
    }

    /// Two Actives: our peer is asked first, as the role belongs to the later term; for others the order of HSRP counts.
    private mutating func meetOtherActive(
        _ event: TableEvent, _ router: KnownRouter, isBetter: Bool, reason: String, at now: Instant,
        actions: inout [GroupAction]
    ) {
        actions.append(.count("hello.otherActive"))
        otherActive = router
        owesAnnouncement = true
        holdFence(behind: router.address, at: now)
        if yieldsAwake(to: router.address, at: now, actions: &actions) { return }
        switch phase {
        case .draining:
            hasSeenOtherActive = true
        case .awaitingReady, .questioning, .reuniting:
            break
        case .settled, .prepared, .requesting:
            if !isBetter, isDeaf(router.address, at: now) {
                coup(at: now, actions: &actions)
                return
            }
            if asksPeer(router.address) {
                ask(.otherActive(isBetter: isBetter), at: now, actions: &actions)
                return
            }
            if awaitsReunion(with: router.address) {
                phase = .reuniting(.otherActive(isBetter: isBetter), until: now + GroupTiming.reunionWait)
                return
            }
            activeRouter = isBetter ? router : nil
            apply(event, reason: reason, at: now, actions: &actions)
            if isBetter { activeSeen = (router.address, now) }
        }
    }

    /// Whether the peer, with which nothing but this segment is left, was told by Coup a moment ago who stays.
    private func isDeaf(_ address: IPAddress, at now: Instant) -> Bool {
        guard redundancy.isStateful, !redundancy.isAssociationUp, isPeer(address), let last = unheededCoups.last
        else { return false }
        return !isFenceUp && now.since(last) < hold
    }

    /// Tells a worse Active to yield.
    ///
    /// A peer that goes on all the same does not hear this node: then this one yields.
    mutating func coup(at now: Instant, actions: inout [GroupAction]) {
        if isFenceUp || unheededCoups.last.map({ now.since($0) >= hold }) ?? false { unheededCoups = [] }
        // One that hears this node for the first time waits for the association first.
        let isPatient = unheededCoups.first.map { now.since($0) <= GroupTiming.reunionWait + hello } ?? true
        guard unheededCoups.count < GroupTiming.unheededCoups || isPatient else {
            unheededCoups = []
            stepDown(reason: "the peer is Active as well, and does not hear this node", at: now, actions: &actions)
            return
        }
        if unheededCoups.count == GroupTiming.unheededCoups { unheededCoups.removeLast() }
        unheededCoups.append(now)
        actions.append(.send(message(.coup), fromVirtualMAC: true))
        announceAgain(at: now, actions: &actions)
    }

    /// A peer that is heard as Active lives and renews its lease: one sender, and that is not us as long as it is heard.
    private mutating func holdFence(behind address: IPAddress, at now: Instant) {
        guard isPeer(address) else { return }
        isPeerHeardSinceGone = true
        mayWakeUntil = now + hold
        guard isFenceUp, phase != .draining || fenceHeldUntil != nil else { return }
        fenceHeldUntil = fenceDeadline(behind: now)
    }

    private mutating func receiveCoup(
        _ message: HSRPMessage, from source: IPAddress, at now: Instant, actions: inout [GroupAction]
    ) {
        guard state == .active else {
            guard message.state == .active, isPeer(source) else { return }
            // Our peer's claim against another Active: it lives, whatever else of it is lost.
            let router = KnownRouter(address: source, priority: message.priority, heardAt: now)
            let isBetter = isBetter(message, from: source)
            return receiveActiveHello(message, from: router, isBetter: isBetter, at: now, actions: &actions)
        }
        holdFence(behind: source, at: now)
        if yieldsAwake(to: source, at: now, actions: &actions) { return }
        guard isBetter(message, from: source) else {
            actions.append(.count("coup.lowerPriority"))
            return
        }
        switch phase {
        case .awaitingReady, .questioning, .reuniting:
            break
        case .draining:
            hasSeenOtherActive = true
        case .settled, .prepared, .requesting:
            if asksPeer(source) {
                ask(.coup, at: now, actions: &actions)
            } else if awaitsReunion(with: source) {
                phase = .reuniting(.coup, until: now + GroupTiming.reunionWait)
            } else {
                apply(.couped, reason: "Coup of \(source) priority \(message.priority)", at: now, actions: &actions)
            }
        }
    }

    private mutating func receiveResign(from source: IPAddress, at now: Instant, actions: inout [GroupAction]) {
        // The repeated Resign of whom we have followed already.
        guard state != .active else { return }
        guard let seen = activeSeen, seen.address == source else {
            actions.append(.count("resign.notFromActive"))
            return
        }
        if isCatchingUp {
            // Who is Active by now is in what was received behind it, or is found out like a silent Active's death.
            activeRouter = nil
            activeDeadline = now
            return
        }
        if isPrepared {
            completePreparedTakeover(reason: "Resign of \(source)", at: now, actions: &actions)
            return
        }
        if state == .standby, asksPeer(source) {
            if case .questioning(.activeResigned, _, _) = phase { return }
            ask(.activeResigned, at: now, actions: &actions)
            return
        }
        activeRouter = nil
        activeSeen = nil
        if isPeer(source) { forgetPeerActive() }
        apply(.activeResigned, reason: "Resign of \(source)", at: now, actions: &actions)
    }

    /// Whether what the LAN says of this router is only a hint, because the association can be asked.
    func asksPeer(_ address: IPAddress) -> Bool {
        redundancy.isStateful && redundancy.isAssociationUp && isPeer(address)
    }

    /// Whether this router's word waits for the association, which alone knows whose SAs live.
    private func awaitsReunion(with address: IPAddress) -> Bool {
        redundancy.isStateful && !redundancy.isAssociationUp && isPeer(address)
    }

    /// The association is back: what waited for it is asked now.
    mutating func reunite(at now: Instant, actions: inout [GroupAction]) {
        guard case .reuniting(let hint, _) = phase, redundancy.isAssociationUp else { return }
        ask(hint, at: now, actions: &actions)
    }

    var isPrepared: Bool {
        if case .prepared = phase { return true }
        return false
    }

    /// A message with this node's present fields, or as from the state it has just left.
    mutating func message(_ operation: HSRPMessage.Operation, as state: HSRPState? = nil) -> HSRPMessage {
        var message = HSRPMessage(
            version: settings.version, operation: operation, state: state ?? self.state,
            helloMilliseconds: UInt32(clamping: hello.milliseconds),
            holdMilliseconds: UInt32(clamping: hold.milliseconds), priority: priority, group: settings.group,
            authentication: .absent, virtualAddress: virtualAddress ?? .any(settings.family))
        if settings.version == .two {
            message.identifier = settings.identifier
            if settings.proofMode?.sends ?? false {
                proofCount += 1
                message.proof = HSRPProof(life: life, term: term, count: proofCount)
            }
        }
        switch settings.authentication {
        case .text(let text): message.authentication = .text(text)
        case .keys(let key, _): message.sign(with: key, from: settings.interfacePrefix.address)
        case .missing: break
        }
        return message
    }

    mutating func sendHello(at now: Instant, actions: inout [GroupAction]) {
        actions.append(.send(message(.hello), fromVirtualMAC: state == .active && !isCutOff))
        lastHelloSentAt = now
        scheduleHello(at: now)
    }

    /// ±5 %, so that many groups do not fall into step.
    mutating func scheduleHello(at now: Instant) {
        let percent = Int.random(in: 95...105, using: &random)
        helloDeadline = now + hello * percent / 100
    }
}
