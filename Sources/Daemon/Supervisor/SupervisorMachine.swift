// SPDX-License-Identifier: Apache-2.0

import Primitives

/// What the supervisor decides: who runs, who is told what, and who cleans up after the dead (DESIGN §1).
///
///                  accepted                        stop, or a third crash of failover
///     ┌──────────┐ by front ┌─────────┐ ready ┌───────┐      ┌──────────┐ stopped ┌─────────────┐      ┌───────┐
///     │ starting ├─────────►│ opening ├──────►│ ready ├─────►│ failover ├────────►│ replication ├─────►│ front ├─► exit
///     └────┬─────┘          └─────────┘       └───────┘      │ stops    │ or 3 s  │ stops 0.5 s │      │ stops │
///          └─ refused: exit 1                                └──────────┘         └─────────────┘      └───────┘
///
/// The frames it has seen from failover last (`holding`, `fences`) are what it cleans up with.
struct SupervisorMachine {
    /// What has happened.
    enum Event: Hashable {
        /// The file was read at start or for a reload.
        case configurationRead([UInt8])
        /// The file could not be read.
        case configurationUnreadable(reason: String)
        /// SIGHUP.
        case reloadRequested
        /// SIGTERM.
        case stopRequested
        /// A frame from a child.
        case received(ProcessMessage, from: ProcessRole)
        /// A child has ended, and its last frames have been read.
        case childEnded(ProcessRole, how: String)
        /// The ha-plugin socket stands, or none is needed.
        case haPluginStood
        /// `nextDeadline` has come.
        case timerDue
    }

    /// What is to be done, in this order.
    enum Action: Hashable {
        /// Start a child; its channel to the supervisor is at once usable.
        case spawn(ProcessRole)
        /// Make a channel between two children and pass its ends.
        case connect(ProcessRole, ProcessRole)
        /// Pass the listening control socket to front.
        case passControl
        /// Pass the ha-plugin socket to replication, now or as soon as it stands.
        case passHAPlugin
        /// Connect to charon's VICI socket for replication, now or as soon as it can be.
        case openVICI
        /// Open the file with this node's key for replication, now or as soon as it can be.
        case openIdentity
        /// Open the file with a key of hellos for failover, now or as soon as it can be, if the configuration names it.
        case openKeyFile(String)
        /// Take what the supervisor itself needs from an accepted configuration.
        case adopt([UInt8])
        /// Tell failover, which is new, what is known of the tracked objects that the supervisor watches.
        case tellProbes
        /// Let programs hear of a change.
        case tellPrograms(GroupChange)
        /// Read the file.
        case readConfiguration
        /// Send a frame.
        case send(ProcessMessage, to: ProcessRole)
        /// Prohibit routing from these addresses.
        case raiseFences([IPAddress])
        /// Delete these addresses.
        case removeAddresses([HeldAddress])
        /// Set the virtual MACs down on which these addresses stood.
        case lowerVirtualMACs([HeldAddress])
        /// Put back what interfaces were before failover changed them.
        case restoreSettings([InterfaceSettings])
        /// Kill a child that did not end by itself.
        case kill(ProcessRole)
        /// Tell systemd.
        case notify(String)
        /// Write a log line.
        case log(String)
        /// Print front's refusal of the first configuration.
        case printRefusal(String)
        /// End the process with this status.
        case exit(Int32)
    }

    /// Times and counts.
    enum Limits {
        /// For failover to release in order.
        static let failoverStop = Interval.seconds(3)
        /// For replication to get its last records acknowledged.
        static let replicationStop = Interval.milliseconds(500)
        /// For front, and for everybody to be gone at last.
        static let frontStop = Interval.milliseconds(300)
        /// For front to parse a configuration.
        static let parse = Interval.seconds(5)
        /// The window in which crashes are counted.
        static let crashWindow = Interval.seconds(10)
        /// Crashes in the window after which failover is not started again, and others only after a pause.
        static let crashes = 3
        /// The pause.
        static let restartPause = Interval.seconds(1)
    }

    enum Phase: Hashable {
        case starting
        case opening
        case ready
        case stoppingFailover
        case stoppingReplication
        case stoppingFront
        case stoppingRest
        case ended
    }

    private(set) var phase = Phase.starting
    /// Counters by name.
    private(set) var counters: [String: UInt64] = [:]
    private(set) var isPeerHot = false

    private var living: Set<ProcessRole> = []
    private var crashes: [ProcessRole: [Instant]] = [:]
    private var restarts: [ProcessRole: Instant] = [:]
    private var revision: UInt32 = 0
    private var pending: UInt32?
    private var parseDeadline: Instant?
    private var accepted: (revision: UInt32, text: [UInt8])?
    private var held: [HeldAddress] = []
    private var fences: [IPAddress] = []
    /// What interfaces were before the first failover process changed them, by index.
    private var settings: [UInt32: InterfaceSettings] = [:]
    private var isFailoverReady = false
    private var isHAPluginUp = false
    private var stopDeadline: Instant?
    private var exitStatus: Int32 = 0
    private var isReloadWanted = false

    /// When `timerDue` is wanted.
    var nextDeadline: Instant? {
        ([stopDeadline, parseDeadline] + restarts.values.map(Optional.some)).compactMap(\.self).min()
    }

    private var isStopping: Bool {
        switch phase {
        case .starting, .opening, .ready: false
        default: true
        }
    }

    /// Takes one event.
    mutating func handle(_ event: Event, at now: Instant, actions: inout [Action]) {
        switch event {
        case .configurationRead(let text): propose(text, at: now, &actions)
        case .configurationUnreadable(let reason):
            // Front tells whoever asked for the reload.
            let text = "cannot read the configuration: \(reason)"
            if living.contains(.front) {
                actions.append(.send(.configurationRefused(revision: revision, text: text), to: .front))
            }
            refuse(text, &actions)
        case .reloadRequested: requestReload(&actions)
        case .stopRequested: stop(status: 0, at: now, &actions)
        case .received(let message, let role): receive(message, role, at: now, &actions)
        case .childEnded(let role, let how): childEnded(role, how, at: now, &actions)
        case .haPluginStood:
            isHAPluginUp = true
            becomeReady(&actions)
        case .timerDue: timerDue(at: now, &actions)
        }
    }

    // MARK: Configuration

    private mutating func propose(_ text: [UInt8], at now: Instant, _ actions: inout [Action]) {
        guard !isStopping else { return }
        if phase == .starting { spawn(.front, &actions) }
        guard living.contains(.front) else { return refuse("front is not running; try again", &actions) }
        revision += 1
        pending = revision
        parseDeadline = now + Limits.parse
        actions.append(.send(.configuration(revision: revision, text: text), to: .front))
    }

    private mutating func requestReload(_ actions: inout [Action]) {
        guard !isStopping, phase != .starting else { return }
        // One at a time; a wish that comes meanwhile is served afterwards.
        guard pending == nil else {
            isReloadWanted = true
            return
        }
        actions += [.notify("RELOADING=1"), .readConfiguration]
    }

    private mutating func accept(_ number: UInt32, _ text: [UInt8], _ actions: inout [Action]) {
        guard number == pending else { return }
        let isFirst = accepted == nil
        accepted = (number, text)
        actions.append(.adopt(text))
        if isFirst {
            phase = .opening
            start(.failover, &actions)
            start(.replication, &actions)
        } else {
            for role in [ProcessRole.failover, .replication] where living.contains(role) {
                actions.append(.send(.configuration(revision: number, text: text), to: role))
            }
            actions.append(.log("%HAVPN-5-CONFIG: configuration \(number) is in force"))
        }
        endProposal(&actions)
    }

    private mutating func refuse(_ reason: String, _ actions: inout [Action]) {
        guard accepted != nil else {
            actions.append(.printRefusal(reason))
            for role in living { actions.append(.kill(role)) }
            return end(status: 1, &actions)
        }
        actions.append(.log("%HAVPN-3-CONFIG: refused, the running configuration stays: \(reason)"))
        endProposal(&actions)
    }

    private mutating func endProposal(_ actions: inout [Action]) {
        pending = nil
        parseDeadline = nil
        if phase == .ready { actions.append(.notify("READY=1")) }
        guard isReloadWanted else { return }
        isReloadWanted = false
        requestReload(&actions)
    }

    // MARK: Frames

    private mutating func receive(
        _ message: ProcessMessage, _ role: ProcessRole, at now: Instant, _ actions: inout [Action]
    ) {
        switch (role, message) {
        case (.front, .configurationAccepted(let number, let text)): accept(number, text, &actions)
        case (.front, .configurationRefused(let number, let text)):
            if number == pending { refuse(text, &actions) }
        case (.front, .reloadRequested): requestReload(&actions)
        case (.failover, .holding(let addresses, let isHot)):
            let isNews = isHot != isPeerHot || addresses.count != held.count
            held = addresses
            isPeerHot = isHot
            if isNews { actions.append(.notify(status)) }
        case (.failover, .fences(let addresses)): fences = addresses
        case (.failover, .groupChanged(let change)): actions.append(.tellPrograms(change))
        case (.failover, .settings(let before)): keep(before, &actions)
        case (.failover, .ready):
            isFailoverReady = true
            actions.append(.tellProbes)
            becomeReady(&actions)
        case (.replication, .viciRequested): actions.append(.openVICI)
        case (.replication, .identityRequested): actions.append(.openIdentity)
        case (.failover, .keyFileRequested(let path)): actions.append(.openKeyFile(path))
        case (_, .ready): break
        case (_, .stopped): stopped(role, at: now, &actions)
        default: counters["supervisor.unexpected", default: 0] += 1
        }
    }

    /// A restarted failover finds its predecessor's values: what was said first is what the interface was.
    private mutating func keep(_ before: [InterfaceSettings], _ actions: inout [Action]) {
        let named = Set(before.map(\.index))
        restoreSettings(where: { !named.contains($0) }, &actions)
        for one in before where settings[one.index] == nil { settings[one.index] = one }
    }

    private mutating func restoreSettings(where isWanted: (UInt32) -> Bool, _ actions: inout [Action]) {
        let restored = settings.values.filter { isWanted($0.index) }.sorted { $0.index < $1.index }
        guard !restored.isEmpty else { return }
        for one in restored { settings[one.index] = nil }
        actions.append(.restoreSettings(restored))
    }

    private mutating func becomeReady(_ actions: inout [Action]) {
        guard phase == .opening, isFailoverReady, isHAPluginUp else { return }
        phase = .ready
        actions += [.notify("READY=1"), .notify(status)]
    }

    private var status: String {
        let peer = isPeerHot ? "peer is HOT" : "no peer is HOT"
        return "STATUS=holding \(held.count) of \(fences.count) virtual addresses; \(peer)"
    }

    // MARK: Starting children

    /// Starts a child and gives it everything that it needs but its configuration's acceptance.
    private mutating func start(_ role: ProcessRole, isResuming: Bool = false, _ actions: inout [Action]) {
        restarts[role] = nil
        spawn(role, &actions)
        if role == .replication { actions.append(.passHAPlugin) }
        let others: [ProcessRole] = [.front, .failover, .replication]
        for other in others where other != role && living.contains(other) { actions.append(.connect(role, other)) }
        if isResuming { actions.append(.send(.resume, to: role)) }
        if let accepted {
            actions.append(
                .send(.configuration(revision: accepted.revision, text: accepted.text), to: role))
        }
    }

    private mutating func spawn(_ role: ProcessRole, _ actions: inout [Action]) {
        living.insert(role)
        actions.append(.spawn(role))
        if role == .front { actions.append(.passControl) }
    }

    // MARK: Deaths

    private mutating func childEnded(
        _ role: ProcessRole, _ how: String, at now: Instant, _ actions: inout [Action]
    ) {
        guard living.remove(role) != nil else { return }
        if isStopping { return endedWhileStopping(role, at: now, &actions) }
        actions.append(.log("%HAVPN-3-PROCESS: \(role) \(how)"))
        counters["supervisor.\(role)Died", default: 0] += 1
        crashes[role] = (crashes[role] ?? []).filter { now.since($0) < Limits.crashWindow } + [now]
        let isTooMuch = (crashes[role]?.count ?? 0) >= Limits.crashes
        switch role {
        case .failover: failoverDied(isTooMuch: isTooMuch, at: now, &actions)
        case .front where phase == .starting: refuse("front \(how)", &actions)
        default:
            if role == .front, pending != nil { refuse("front \(how)", &actions) }
            if isTooMuch {
                restarts[role] = now + Limits.restartPause
            } else {
                start(role, &actions)
            }
        }
    }

    private mutating func failoverDied(isTooMuch: Bool, at now: Instant, _ actions: inout [Action]) {
        guard !isTooMuch else {
            cleanUpAfterFailover(&actions)
            actions.append(.log("%HAVPN-2-PROCESS: failover crashed \(Limits.crashes) times; giving up"))
            return stop(status: 1, at: now, &actions)
        }
        // Before a configuration was in force it held nothing.
        let wasHolding = !held.isEmpty
        let isResuming = wasHolding && !isPeerHot
        if !isResuming { cleanUpAfterFailover(&actions) }
        start(.failover, isResuming: isResuming, &actions)
        isPeerHot = false
    }

    /// Fence first: from then on no packet leaves that the successor would have to be ahead of.
    private mutating func cleanUpAfterFailover(_ actions: inout [Action]) {
        // Also where it held nothing: it may have died between lowering a fence and saying so.
        if !fences.isEmpty { actions.append(.raiseFences(fences)) }
        guard !held.isEmpty else { return }
        actions.append(.removeAddresses(held))
        if isPeerHot, living.contains(.replication) { actions.append(.send(.failoverDied, to: .replication)) }
        actions.append(.lowerVirtualMACs(held))
        held = []
    }

    // MARK: Stopping

    private mutating func stop(status: Int32, at now: Instant, _ actions: inout [Action]) {
        guard !isStopping else { return }
        exitStatus = status
        restarts = [:]
        parseDeadline = nil
        actions.append(.notify("STOPPING=1"))
        enter(.stoppingFailover, at: now, &actions)
    }

    private mutating func enter(_ next: Phase, at now: Instant, _ actions: inout [Action]) {
        phase = next
        stopDeadline = nil
        switch next {
        case .stoppingFailover: ask(.failover, within: Limits.failoverStop, else: .stoppingReplication, now, &actions)
        case .stoppingReplication:
            // Failover is gone, in whatever way.
            restoreSettings(where: { _ in true }, &actions)
            ask(.replication, within: Limits.replicationStop, else: .stoppingFront, now, &actions)
        case .stoppingFront: ask(.front, within: Limits.frontStop, else: .stoppingRest, now, &actions)
        case .stoppingRest:
            guard !living.isEmpty else { return end(status: exitStatus, &actions) }
            stopDeadline = now + Limits.frontStop
        default: break
        }
    }

    private mutating func ask(
        _ role: ProcessRole, within interval: Interval, else next: Phase, _ now: Instant, _ actions: inout [Action]
    ) {
        guard living.contains(role) else { return enter(next, at: now, &actions) }
        actions.append(.send(.stop, to: role))
        stopDeadline = now + interval
    }

    private mutating func stopped(_ role: ProcessRole, at now: Instant, _ actions: inout [Action]) {
        switch (phase, role) {
        case (.stoppingFailover, .failover):
            // It has released by itself: nothing is left to clean up.
            held = []
            fences = []
            enter(.stoppingReplication, at: now, &actions)
        case (.stoppingReplication, .replication): enter(.stoppingFront, at: now, &actions)
        case (.stoppingFront, .front): enter(.stoppingRest, at: now, &actions)
        default: break
        }
    }

    private mutating func endedWhileStopping(_ role: ProcessRole, at now: Instant, _ actions: inout [Action]) {
        if role == .failover { cleanUpAfterFailover(&actions) }
        switch (phase, role) {
        case (.stoppingFailover, .failover): enter(.stoppingReplication, at: now, &actions)
        case (.stoppingReplication, .replication): enter(.stoppingFront, at: now, &actions)
        case (.stoppingFront, .front): enter(.stoppingRest, at: now, &actions)
        case (.stoppingRest, _): if living.isEmpty { end(status: exitStatus, &actions) }
        default: break
        }
    }

    private mutating func end(status: Int32, _ actions: inout [Action]) {
        phase = .ended
        stopDeadline = nil
        parseDeadline = nil
        actions.append(.exit(status))
    }

    // MARK: Time

    private mutating func timerDue(at now: Instant, _ actions: inout [Action]) {
        for (role, instant) in restarts.sorted(by: { $0.key.rawValue < $1.key.rawValue }) where instant <= now {
            start(role, &actions)
        }
        if let deadline = parseDeadline, deadline <= now {
            parseDeadline = nil
            actions.append(.kill(.front))
        }
        guard let deadline = stopDeadline, deadline <= now else { return }
        stopDeadline = nil
        switch phase {
        case .stoppingFailover:
            actions.append(.kill(.failover))
            cleanUpAfterFailover(&actions)
            enter(.stoppingReplication, at: now, &actions)
        case .stoppingReplication: enter(.stoppingFront, at: now, &actions)
        case .stoppingFront: enter(.stoppingRest, at: now, &actions)
        case .stoppingRest:
            for role in living.sorted(by: { $0.rawValue < $1.rawValue }) { actions.append(.kill(role)) }
            end(status: exitStatus, &actions)
        default: break
        }
    }
}
