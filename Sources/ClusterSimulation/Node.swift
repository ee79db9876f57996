// SPDX-License-Identifier: Apache-2.0

import Primitives
import StrongSwan

/// One gateway: a machine with a kernel, our processes and charon.
final class Node {
    let index: Int
    unowned(unsafe) let simulation: Simulation
    var clock: NodeClock
    private(set) var isPowered = false
    private(set) var isPaused = false
    /// Whether the clocks stand still in the present pause, or stood in the last.
    private(set) var isPauseUnseen = false
    /// The tracked link toward the inside has carrier.
    private(set) var isInsideUp = true
    private(set) lazy var kernel = Kernel(node: self)
    private(set) lazy var supervisor = SupervisorModel(node: self)
    private(set) lazy var failover = FailoverModel(node: self)
    private(set) lazy var replication = ReplicationModel(node: self)
    private(set) lazy var charon = CharonModel(node: self)
    /// What charon said while nobody read the ha-plugin socket, which the supervisor holds.
    private var unread: [HAMessage] = []
    private static let unreadLimit = 10_000
    /// When the machine went on after its last pause.
    private(set) var unpausedAt: UInt64?
    /// When it stood still last.
    private(set) var pausedAt: UInt64 = 0
    private var deferred: [EventQueue.Item] = []

    init(index: Int, simulation: Simulation) {
        self.index = index
        self.simulation = simulation
        let rate = simulation.settings.clockRates[index]
        clock = NodeClock(rate: rate, start: UInt64(index + 1) * 1_000 * second)
    }

    var name: String { "R\(index + 3)" }

    var address: IPAddress { ClusterSettings.address(of: index) }

    /// Processes of ours that faults can name.
    func process(_ kind: ProcessKind) -> ProcessModel {
        switch kind {
        case .supervisor: supervisor
        case .failover: failover
        case .replication: replication
        case .charon: charon
        }
    }

    /// Our own processes.
    var ownProcesses: [ProcessModel] { [supervisor, failover, replication] }

    /// Hands an event to a process of this node.
    func take(_ item: EventQueue.Item) {
        guard isPowered, let owner = item.owner else { return }
        guard isPaused else { return owner.take(item) }
        if deferred.count < ProcessModel.deferredLimit { deferred.append(item) }
    }

    // MARK: The ha-plugin socket

    /// A datagram of charon, for replication now or in its next life.
    func takePlugin(_ message: HAMessage) {
        guard replication.isAlive, replication.isListening, unread.isEmpty else {
            if unread.count < Self.unreadLimit { unread.append(message) }
            return
        }
        let driver = replication.charon
        replication.after(30_000) { driver.take(message) }
    }

    /// Replication reads what waits in the socket.
    func readPlugin() {
        let waiting = unread
        unread = []
        for message in waiting { takePlugin(message) }
    }

    // MARK: Ends of the daemon

    /// Every process of ours dies at once; systemd starts the daemon again after a while.
    func killDaemon(restartAfter pause: UInt64) {
        guard isPowered else { return }
        // The supervisor last: it must not clean up behind the others.
        for process in ownProcesses { process.die() }
        restartDaemon(after: pause)
    }

    func restartDaemon(after pause: UInt64) {
        for process in ownProcesses { process.die() }
        simulation.schedule(after: pause, for: kernel) { [self] in
            guard !supervisor.isAlive else { return }
            // systemd starts a unit anew when no process of its former life is left.
            for process in ownProcesses { process.die() }
            supervisor.begin()
        }
    }

    // MARK: Power and pauses

    func powerOn() {
        guard !isPowered else { return }
        isPowered = true
        simulation.note("\(name): power on")
        kernel.begin()
        supervisor.begin()
        kernel.setFence(true)
        charon.begin()
        simulation.association.pathsChanged()
    }

    /// Everything is lost at once; the others hear nothing of it.
    func powerOff() {
        guard isPowered else { return }
        if isPaused { unpause() }
        simulation.note("\(name): power off")
        isPowered = false
        // The kernel is gone first: nothing that dies can say so.
        for process in [kernel] + ownProcesses + [charon] { process.die() }
        kernel.clear()
        unread = []
        simulation.association.forget(index)
        simulation.checker.kernelChanged()
    }

    /// The virtual machine stands still, its kernel too; `unseen` by its clocks, or not.
    func pause(unseen: Bool) {
        guard isPowered, !isPaused else { return }
        simulation.note("\(name): the machine \(unseen ? "is paused" : "stands still")")
        (isPaused, isPauseUnseen) = (true, unseen)
        pausedAt = simulation.now
        simulation.association.pathsChanged()
        simulation.checker.kernelChanged()
    }

    func unpause() {
        guard isPaused else { return }
        simulation.note("\(name): the machine goes on")
        isPaused = false
        unpausedAt = simulation.now
        let waiting = deferred
        deferred = []
        if isPauseUnseen {
            clock.skip(from: pausedAt, to: simulation.now)
            kernel.noteSkip(simulation.now - pausedAt)
            for item in waiting { simulation.deliver(item) }
        } else {
            // Processes whose time has come may run before the kernel has taken in what waited outside.
            let delay = simulation.microseconds(0...2_000)
            for item in waiting where item.owner !== kernel { simulation.deliver(item) }
            for item in waiting where item.owner === kernel {
                simulation.schedule(after: delay, for: kernel) { [simulation] in simulation.deliver(item) }
            }
        }
        simulation.association.pathsChanged()
        simulation.checker.kernelChanged()
    }

    func setInside(_ isUp: Bool) {
        guard isUp != isInsideUp else { return }
        isInsideUp = isUp
        simulation.note("\(name): inside link \(isUp ? "up" : "down")")
        failover.noteLink()
    }
}

/// The processes of ours that can crash or hang.
public enum ProcessKind: String, Hashable, Sendable, CaseIterable {
    /// The parent of the others.
    case supervisor
    /// HSRP, address and fence.
    case failover
    /// Records, counters and the association.
    case replication
    /// The IKE daemon.
    case charon
}
