// SPDX-License-Identifier: Apache-2.0

import FirstHop
import Primitives
import Tracking

/// The failover process: the real group machine and tracked object, and the shell around them.
///
/// Mirrors Daemon/FailoverProcess: `FailoverNode`, `FailoverNode+Model` and `GroupRunner`, for one group.
final class FailoverModel: ProcessModel {
    private(set) var machine: GroupMachine
    private var track: TrackedObject
    private var pending: [GroupEvent] = []
    private var actions: [GroupAction] = []
    private var nextAction = 0
    /// Requests to a slow kernel that are under way: everything waits behind them.
    private var waits = 0
    private var isWaiting: Bool { waits > 0 }
    private var isHandling = false
    private var redundancy: RedundancyStatus
    private var isConfigured = false
    private var isStopping = false
    private var hasFailedToSend = false
    private var isReconcileScheduled = false
    private var earlyRoles: [(RoleMessage, term: UInt64)] = []
    private var toldHolding = (isHeld: false, isPeerHot: false)
    private var watch = ReplicationWatch()

    init(node: Node) {
        let settings = node.simulation.settings
        redundancy = RedundancyStatus(isStateful: settings.isStateful)
        machine = GroupMachine(
            settings: settings.group(of: node.index), priority: settings.priorities[node.index],
            redundancy: redundancy, seed: 0)
        track = TrackedObject(downDelay: .zero, upDelay: .seconds(settings.trackUpDelaySeconds))
        super.init(name: "failover", node: node)
    }

    private var kernel: Kernel { node.kernel }

    /// Whether this node counts as Active for the world: alive, or hung without knowing it.
    var isActive: Bool { isAlive && machine.state == .active }

    // MARK: Start and end

    /// Starts anew; `isResuming` adopts the address that a former life left.
    func begin(isResuming: Bool) {
        begin()
        let settings = simulation.settings
        redundancy = RedundancyStatus(isStateful: settings.isStateful)
        machine = GroupMachine(
            settings: settings.group(of: node.index), priority: settings.priorities[node.index],
            redundancy: redundancy, seed: simulation.random.next())
        track = TrackedObject(downDelay: .zero, upDelay: .seconds(settings.trackUpDelaySeconds))
        (pending, actions, nextAction, earlyRoles) = ([], [], 0, [])
        (waits, isHandling, isConfigured, isStopping) = (0, false, false, false)
        (hasFailedToSend, isReconcileScheduled, toldHolding) = (false, false, (false, false))
        watch = ReplicationWatch()
        let replication = node.replication
        tell(replication) { replication.brief() }
        // Connecting, the configuration and the first look at the kernel's tables.
        after(simulation.microseconds(5_000...30_000)) { [self] in configure(isResuming: isResuming) }
    }

    private func configure(isResuming: Bool) {
        let isAdopting = isResuming && kernel.hasAddress
        if !isAdopting { kernel.setFence(true) }
        observe()
        let early = earlyRoles
        earlyRoles = []
        for (role, term) in early where role.isBriefing { handle(.roleMessageReceived(role, term: term)) }
        if isAdopting { handle(.resumed(isFenced: kernel.isFenceUp)) }
        if isResuming, machine.isFenceUp { kernel.setFence(true) }
        if kernel.hasAddress, !machine.holdsAddress { kernel.deleteAddress() }
        isConfigured = true
        publishRole()
        redundancyChanged(redundancy)
        for (role, term) in early where !role.isBriefing { hear(role, term: term) }
    }

    /// Hands over in order and ends.
    func stop() {
        guard isAlive, !isStopping else { return }
        isStopping = true
        handle(.stopRequested)
    }

    override func hasDied() { node.supervisor.childEnded(.failover) }

    // MARK: Events

    override func wake() {
        if let due = track.nextDeadline, due <= now { observeInside(.deadlineReached) }
        if let due = watch.nextDeadline, due <= now { watchReplication(.deadlineReached) }
        handle(.deadlineReached)
    }

    /// Mirrors FailoverNode+Watch.swift.
    private func watchReplication(_ event: ReplicationWatch.Event) {
        var actions: [ReplicationWatch.Action] = []
        watch.handle(event, at: now, actions: &actions)
        for action in actions {
            switch action {
            case .ask(let number): tellReplication(.watchAsked(number: number), within: Self.watchDelay)
            case .noteSilence(let isSilent):
                simulation.note("\(node.name): its replication \(isSilent ? "does not answer" : "answers again")")
                handle(.replicationSilenceChanged(isSilent: isSilent))
            }
        }
        arm(watch.nextDeadline)
    }

    func replicationAnswered(number: UInt32) { watchReplication(.answered(number: number)) }

    /// Steps the machine and performs what it says; what happens meanwhile waits its turn.
    func handle(_ event: GroupEvent) {
        pending.append(event)
        work()
    }

    private func work() {
        guard !isHandling, !isWaiting else { return }
        isHandling = true
        while isAlive, !isWaiting {
            if nextAction < actions.count {
                if diesBeforeAction() { break }
                nextAction += 1
                perform(actions[nextAction - 1])
            } else if !pending.isEmpty {
                let event = pending.removeFirst()
                actions.removeAll(keepingCapacity: true)
                nextAction = 0
                machine.handle(event, at: now, actions: &actions)
                simulation.checker.decided(node)
            } else {
                break
            }
        }
        isHandling = false
        guard isAlive, !isWaiting else { return }
        arm(.earliest(query(&machine) { $0.nextDeadline }, track.nextDeadline))
        holdingChanged()
    }

    /// Replication's view of the pair.
    func redundancyChanged(_ status: RedundancyStatus) {
        redundancy = status
        guard isConfigured else { return }
        handle(.redundancyChanged(status))
        holdingChanged()
        watchReplication(.vigilanceChanged(isNeeded: status.isRoleTaken && status.hasUndelivered))
    }

    /// Replication is gone: nobody can say any more whether the peer's kernel lives.
    func replicationLost() {
        watchReplication(.processChanged)
        var lost = redundancy
        lost.isAssociationUp = false
        lost.isLocalHot = false
        lost.isPeerHot = false
        lost.mayPeerKernelLive = true
        lost.isRoleTaken = false
        redundancyChanged(lost)
    }

    /// The peer's word, or our own replication's about the terms.
    func hear(_ role: RoleMessage, term: UInt64) {
        guard isConfigured else {
            if earlyRoles.count < 16 { earlyRoles.append((role, term)) }
            return
        }
        handle(.roleMessageReceived(role, term: term))
    }

    /// A reload changes `preempt` and nothing else.
    func reload(preempts: Bool) {
        guard isAlive, isConfigured else { return }
        var settings = simulation.settings.group(of: node.index)
        settings.preempt = preempts
        after(millisecond) { [self] in handle(.settingsChanged(settings)) }
    }

    func switchover() { handle(.switchoverRequested(force: false)) }

    // MARK: The kernel

    /// A link changed; the netlink event takes a moment.
    func noteLink() {
        guard isAlive else { return }
        after(simulation.microseconds(100...1_000) + kernel.delay) { [self] in
            guard isConfigured else { return }
            observe()
            scheduleReconcile()
        }
    }

    /// Something of ours changed in the kernel, by us or by others.
    func noteKernel() {
        guard isAlive else { return }
        after(simulation.microseconds(20...100)) { [self] in scheduleReconcile() }
    }

    /// No event will follow what did not happen.
    func noteRefusal() {
        guard isAlive else { return }
        scheduleReconcile(after: 250 * millisecond)
    }

    private func scheduleReconcile(after pause: UInt64 = 30 * millisecond) {
        guard !isReconcileScheduled else { return }
        isReconcileScheduled = true
        simulation.schedule(at: simulation.now + pause, for: self, isTimer: true) { [self] in
            isReconcileScheduled = false
            guard isConfigured else { return }
            handle(.deadlineReached)
            guard !isWaiting else { return scheduleReconcile(after: kernel.delay + millisecond) }
            reconcile()
            observe()
        }
    }

    private func reconcile() {
        if kernel.isFenceUp != machine.isFenceUp { kernel.setFence(machine.isFenceUp) }
        if kernel.isMACUp != machine.keepsMACUp { kernel.setMAC(machine.keepsMACUp) }
        if machine.holdsAddress, !kernel.hasAddress {
            kernel.holdAddress(leaseSeconds: machine.settings.leaseSeconds)
        } else if !machine.holdsAddress, kernel.hasAddress {
            kernel.deleteAddress()
        }
    }

    private func observe() {
        observeInside(.observed(Observation(isUp: node.isInsideUp)))
        handle(.interfaceChanged(isUp: kernel.hasCarrier))
    }

    private func observeInside(_ event: TrackedObject.Event) {
        var changes: [TrackedObject.Action] = []
        track.handle(event, at: now, actions: &changes)
        arm(track.nextDeadline)
        guard !changes.isEmpty else { return }
        let settings = simulation.settings
        let effective = EffectivePriority(
            configured: Int(settings.priorities[node.index]),
            tracks: [.init(state: track.state, decrement: settings.decrement)])
        simulation.note("\(node.name): priority \(effective.priority)\(effective.isFit ? "" : ", unfit")")
        if machine.priority != effective.priority { handle(.priorityChanged(effective.priority)) }
        handle(.fitnessChanged(isFit: effective.isFit))
    }

    // MARK: Actions

    private func perform(_ action: GroupAction) {
        switch action {
        case .send(let message, let fromVirtualMAC): send(message, fromVirtualMAC: fromVirtualMAC)
        case .raiseFence: request { $0.setFence(true) }
        case .lowerFence:
            leaseRoutes()
            request { $0.setFence(false) }
        case .raiseMAC: request { $0.setMAC(true) }
        case .lowerMAC: request { $0.setMAC(false) }
        case .addAddress(_, let seconds), .renewLease(_, let seconds):
            request { $0.holdAddress(leaseSeconds: seconds) }
            if !machine.isFenceUp { leaseRoutes() }
        case .deleteAddress: request { $0.deleteAddress() }
        case .announce: simulation.lan.announce(from: node)
        case .probe: probe()
        case .sendRole(let message, let term):
            simulation.note("\(node.name): says \(message), term \(term)")
            tellReplication(.role(message, term: term))
            if message.isQuestion { watchReplication(.questionSent) }
        case .publishRole(let isActive, let term):
            tellReplication(.roleChanged(isActive: isActive, isFenced: machine.isFenceUp, term: term))
        case .stateChanged(let from, let to, let reason):
            simulation.note("\(node.name): \(from.name) -> \(to.name) (\(reason))")
            simulation.checker.stateChanged(of: node, from: from, to: to, reason: reason)
        case .proveReception:
            pending.append(simulation.lan.hearsNeighbours(node) ? .receptionProven : .nothingReceived)
        case .markReception: break
        case .drainReceived:
            takeReceived()
            pending.append(.drained)
        case .count: break
        case .log(_, let text), .warn(_, let text): simulation.note("\(node.name): \(text)")
        case .switchoverRefused(let code, _): simulation.note("\(node.name): switchover refused: \(code)")
        case .switchoverFinished(let milliseconds):
            simulation.note("\(node.name): switchover took \(milliseconds) ms")
        case .stopped: node.supervisor.after(50_000) { [node] in node.supervisor.stopped(.failover) }
        }
    }

    /// Mirrors GroupRunner.swift `leaseRoutes`.
    private func leaseRoutes() {
        guard simulation.settings.isIPv6 else { return }
        request { [seconds = machine.settings.leaseSeconds] in $0.leaseRoutes(seconds: seconds) }
    }

    /// Asks the kernel for something, which a slow one takes its time for, whatever the process does meanwhile; later
    /// actions wait.
    private func request(_ body: @escaping (Kernel) -> Void) {
        guard kernel.delay > 0 else { return body(kernel) }
        waits += 1
        let kernel = kernel
        simulation.schedule(after: kernel.delay, for: kernel) { body(kernel) }
        after(kernel.delay) { [self] in
            waits -= 1
            work()
        }
    }

    private func send(_ message: HSRPMessage, fromVirtualMAC: Bool) {
        guard kernel.hasCarrier else {
            hasFailedToSend = true
            return pending.append(.sendFailed)
        }
        simulation.lan.send(message, from: node, fromVirtualMAC: fromVirtualMAC)
        guard hasFailedToSend else { return }
        hasFailedToSend = false
        pending.append(.sendSucceeded)
    }

    /// Mirrors GroupRunner.swift `startProbe`: the VPN peer is a neighbour on the segment, and answers if frames pass.
    private func probe() {
        guard simulation.lan.reachesNeighbours(node), simulation.lan.reachesNeighbours(node) else { return }
        after(simulation.microseconds(100...1_000)) { [unowned self] in handle(.probeFinished(.answered)) }
    }

    /// A replication process was started and connected.
    func replicationCame() {
        guard isAlive, isConfigured else { return }
        watchReplication(.processChanged)
        publishRole()
    }

    private func publishRole() {
        tellReplication(.roleChanged(isActive: machine.hasRole, isFenced: machine.isFenceUp, term: machine.term))
    }

    private func tellReplication(_ word: FailoverWord, within delay: UInt64? = nil) {
        let replication = node.replication
        tell(replication, within: delay) { replication.take(word) }
    }

    /// Drawn for no question: a run is to be the same with and without it.
    static let watchDelay: UInt64 = 20_000

    private func holdingChanged() {
        let told = (machine.holdsAddress, redundancy.isStateful && redundancy.isPeerHot)
        guard told != (toldHolding.isHeld, toldHolding.isPeerHot) else { return }
        toldHolding = (told.0, told.1)
        let supervisor = node.supervisor
        tell(supervisor) { supervisor.noteHolding(told.0, isPeerHot: told.1) }
    }
}

/// What failover says to replication.
enum FailoverWord {
    case role(RoleMessage, term: UInt64)
    case roleChanged(isActive: Bool, isFenced: Bool, term: UInt64)
    case watchAsked(number: UInt32)
}
