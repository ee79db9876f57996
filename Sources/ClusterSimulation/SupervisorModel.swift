// SPDX-License-Identifier: Apache-2.0

import Primitives

/// The supervisor: starts the others, and cleans up behind a dead failover.
///
/// Mirrors Daemon/Supervisor: `SupervisorMachine` (`childEnded`, `failoverDied`, `cleanUpAfterFailover`) and
/// `DeathCleaner`; the configuration is always good.
final class SupervisorModel: ProcessModel {
    private var isHolding = false
    private var isPeerHot = false
    private var crashes: [UInt64] = []
    private var replicationCrashes: [UInt64] = []
    private var isStopping = false
    /// A third crash of failover within the window ended the daemon; systemd starts it anew after a while.
    private static let crashWindow = 10 * second
    private static let crashLimit = 3
    private static let systemdPause = 2 * second

    init(node: Node) { super.init(name: "supervisor", node: node) }

    private var kernel: Kernel { node.kernel }

    override func begin() {
        super.begin()
        (isHolding, isPeerHot, crashes, replicationCrashes, isStopping) = (false, false, [], [], false)
        // `ExecStopPost` and every start sweep what a former life has left: fence first.
        if kernel.hasAddress { kernel.setFence(true) }
        kernel.deleteAddress()
        kernel.setMAC(false)
        after(simulation.microseconds(10_000...50_000)) { [self] in
            node.failover.begin(isResuming: false)
            node.replication.begin()
        }
    }

    /// Failover's word on what it holds and whether the peer is HOT.
    func noteHolding(_ isHeld: Bool, isPeerHot: Bool) {
        isHolding = isHeld
        self.isPeerHot = isPeerHot
    }

    /// A child died; the kernel says so at once.
    func childEnded(_ kind: ProcessKind) {
        guard isAlive else { return }
        after(simulation.microseconds(200...2_000)) { [self] in
            guard !isStopping else { return }
            switch kind {
            case .failover: failoverDied()
            case .replication: replicationDied()
            case .supervisor, .charon: break
            }
        }
    }

    /// Mirrors `childEnded`: too many crashes are followed by a pause.
    private func replicationDied() {
        replicationCrashes = replicationCrashes.filter { simulation.now - $0 < Self.crashWindow } + [simulation.now]
        guard replicationCrashes.count >= Self.crashLimit else { return node.replication.begin() }
        after(second) { [self] in if !node.replication.isAlive { node.replication.begin() } }
    }

    private func failoverDied() {
        crashes = crashes.filter { simulation.now - $0 < Self.crashWindow } + [simulation.now]
        guard crashes.count < Self.crashLimit else {
            cleanUpAfterFailover()
            simulation.note("\(node.name): failover crashed \(crashes.count) times; giving up")
            return node.restartDaemon(after: Self.systemdPause)
        }
        let isResuming = isHolding && !isPeerHot
        if !isResuming { cleanUpAfterFailover() }
        node.failover.begin(isResuming: isResuming)
        isPeerHot = false
    }

    private func cleanUpAfterFailover() {
        kernel.setFence(true)
        guard isHolding else { return }
        kernel.deleteAddress()
        if isPeerHot {
            let replication = node.replication
            tell(replication) { replication.failoverDied() }
        }
        kernel.setMAC(false)
        isHolding = false
    }

    /// A child has finished its orderly end.
    func stopped(_ kind: ProcessKind) {
        simulation.note("\(node.name): \(kind.rawValue) has stopped")
        guard kind == .failover else { return }
        isHolding = false
    }

    /// The daemon ends in order and is started again.
    func stop() {
        guard isAlive, !isStopping else { return }
        isStopping = true
        let failover = node.failover
        failover.after(simulation.microseconds(50...500)) { failover.stop() }
        simulation.schedule(after: 3 * second, for: node.kernel) { [node] in
            node.restartDaemon(after: 100 * millisecond)
        }
    }

    /// Without its supervisor failover releases in order; replication ends behind it; systemd restarts the unit.
    override func hasDied() {
        let failover = node.failover
        failover.after(simulation.microseconds(50...500)) { failover.stop() }
        simulation.schedule(after: 500 * millisecond, for: node.kernel) { [node] in
            if !node.supervisor.isAlive { node.restartDaemon(after: Self.systemdPause) }
        }
    }
}
