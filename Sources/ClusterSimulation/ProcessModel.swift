// SPDX-License-Identifier: Apache-2.0

import Primitives

/// Something on a node that runs, hangs, dies and is started again: one of our processes, charon, or the kernel.
///
/// Events belong to the life in which they were scheduled; what reaches a hung process waits for it in order.
class ProcessModel {
    unowned(unsafe) let node: Node
    let name: String
    private(set) var isAlive = false
    /// Counts lives; an event of an earlier life is dropped.
    private(set) var generation = 0
    private(set) var isStalled = false
    private var deferred: [EventQueue.Item] = []
    private var wakeAt: UInt64?
    private var wokenAt: UInt64?
    /// When it last began to hang, or died.
    private var stoppedAt: UInt64 = 0
    /// When the last word to each other process arrives.
    private var lastTold: [(to: ProcessModel, at: UInt64)] = []
    /// Actions that the process still performs before it dies; nil while no death is planned.
    var actionsUntilDeath: Int?

    /// What reaches a hung process is bounded by its socket buffers; beyond this it is lost.
    static let deferredLimit = 5_000

    init(name: String, node: Node) {
        self.name = name
        self.node = node
    }

    var simulation: Simulation { node.simulation }

    /// The node's monotonic clock.
    var now: Instant { node.clock.local(at: simulation.now) }

    func begin() {
        isAlive = true
        wokenAt = simulation.now
        generation += 1
        wakeAt = nil
        actionsUntilDeath = nil
    }

    /// Dies at once; sockets close with it.
    func die() {
        guard isAlive else { return }
        if !isStalled { stoppedAt = simulation.now }
        isAlive = false
        generation += 1
        isStalled = false
        deferred = []
        wakeAt = nil
        simulation.note("\(node.name): \(name) dies")
        hasDied()
    }

    /// What the kernel and the supervisor notice of a death.
    func hasDied() {}

    func stall() {
        guard isAlive else { return }
        if !isStalled { stoppedAt = simulation.now }
        isStalled = true
        wokenAt = nil
    }

    /// Has run without a break for longer than any lease.
    var hasRunLongEnough: Bool {
        isAlive && !isStalled && (wokenAt.map { simulation.now > $0 + 4 * second } ?? false)
    }

    func hasWoken(within span: UInt64) -> Bool { wokenAt.map { simulation.now < $0 + span } ?? false }

    /// When it last ran.
    var lastAwakeAt: UInt64 { isAlive && !isStalled ? simulation.now : stoppedAt }

    func resume() {
        guard isStalled else { return }
        isStalled = false
        wokenAt = simulation.now
        // Mirrors Reactor.swift `runOnce`: descriptors first, timers behind them.
        deferred = deferred.filter { !$0.isTimer } + deferred.filter(\.isTimer)
        while !deferred.isEmpty, isAlive, !isStalled { simulation.deliver(deferred.removeFirst()) }
    }

    /// Takes what waits in the sockets before anything else is done.
    func takeReceived() {
        let received = deferred.filter { !$0.isTimer }
        deferred.removeAll { !$0.isTimer }
        for item in received { take(item) }
    }

    /// Runs an event that is due, or keeps it while the process hangs.
    func take(_ item: EventQueue.Item) {
        guard isAlive, item.generation == generation else { return }
        guard isStalled else { return item.body() }
        if deferred.count < Self.deferredLimit { deferred.append(item) }
    }

    /// Does something later in this life.
    func after(_ delay: UInt64, _ body: @escaping () -> Void) {
        simulation.schedule(after: delay, for: self, body)
    }

    /// Says something to another process of the node; a socketpair keeps the order.
    func tell(_ other: ProcessModel, within delay: UInt64? = nil, _ body: @escaping () -> Void) {
        var at = simulation.now + (delay ?? simulation.microseconds(20...200))
        if let place = lastTold.firstIndex(where: { $0.to === other }) {
            at = max(at, lastTold[place].at)
            lastTold[place].at = at
        } else {
            lastTold.append((other, at))
        }
        simulation.schedule(at: at, for: other, body)
    }

    /// Makes sure that `wake` is called at the deadline; earlier and needless calls are harmless.
    func arm(_ deadline: Instant?) {
        guard let deadline else { return }
        let at = max(node.clock.global(for: deadline), simulation.now)
        if let wakeAt, wakeAt <= at { return }
        wakeAt = at
        simulation.schedule(at: at, for: self, isTimer: true) { [self] in
            if let wakeAt, wakeAt <= simulation.now { self.wakeAt = nil }
            wake()
        }
    }

    func wake() {}

    /// True if the process dies instead of performing its next action.
    func diesBeforeAction() -> Bool {
        guard let left = actionsUntilDeath else { return false }
        guard left == 0 else {
            actionsUntilDeath = left - 1
            return false
        }
        simulation.crashedAt = simulation.now
        die()
        return true
    }
}

/// A node's clock: it runs at its own rate and stands still while the whole machine is paused.
struct NodeClock {
    /// Parts per million by which the clock is fast, or slow if negative.
    let rate: Int64
    private var localBase: UInt64
    private var globalBase: UInt64 = 0

    init(rate: Int64, start: UInt64) {
        self.rate = rate
        localBase = start
    }

    private var factor: UInt64 { UInt64(1_000_000 + rate) }

    func local(at time: UInt64) -> Instant {
        let elapsed = time - globalBase
        return Instant(nanoseconds: localBase + elapsed / 1_000_000 * factor + elapsed % 1_000_000 * factor / 1_000_000)
    }

    /// The first global time at which the clock shows `instant` or more.
    func global(for instant: Instant) -> UInt64 {
        guard instant.nanoseconds > localBase else { return globalBase }
        let elapsed = instant.nanoseconds - localBase
        return globalBase + elapsed / factor * 1_000_000 + (elapsed % factor * 1_000_000 + factor - 1) / factor + 1
    }

    /// The machine slept from `start` to `end` and no clock of it saw that.
    mutating func skip(from start: UInt64, to end: UInt64) {
        localBase = local(at: start).nanoseconds
        globalBase = end
    }
}
