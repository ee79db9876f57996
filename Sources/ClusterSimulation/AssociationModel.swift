// SPDX-License-Identifier: Apache-2.0

/// The SCTP association between the two nodes' replication processes, as their kernels keep it.
///
/// Bytes arrive in order and once; a lost packet arrives after a retransmission timeout. A path that carries nothing in
/// one direction ends the association on both sides after 0.7 to 2 s, a dead process at once (the kernel aborts).
final class AssociationModel {
    private unowned(unsafe) let simulation: Simulation
    /// `isCut[from][to]`.
    var isCut = [[false, false], [false, false]]
    var lossPercent = 0
    /// Each end's number of the session it believes in; nil while it has none.
    private(set) var session: [Int?] = [nil, nil]
    private var sessionCount = 0
    /// When the last bytes in each direction arrive: what follows cannot overtake.
    private var lastArrival: [UInt64] = [0, 0]
    private var waiting: [[[UInt8]]] = [[], []]
    private var waitingByteCount = [0, 0]
    private var brokenSince: UInt64?

    /// Bytes that the kernel queues for sending (SCTPSettings).
    private static let sendBufferByteCount = 131_072
    static let retryPause = second

    init(_ simulation: Simulation) { self.simulation = simulation }

    private func isMachineUp(_ node: Int) -> Bool {
        simulation.nodes[node].isPowered && !simulation.nodes[node].isPaused
    }

    /// The wire is cut, or was a moment ago: a new session takes that long.
    var isDoubtful: Bool {
        isCut[0][1] || isCut[1][0] || (healedAt.map { simulation.now < $0 + 2 * second } ?? false)
    }

    /// A packet was lost, and what follows waits for it.
    var isSlow: Bool { lossPercent > 0 || (lostAt.map { simulation.now < $0 + second } ?? false) }

    private var wasCut = false
    private var healedAt: UInt64?
    private var lostAt: UInt64?

    /// Whether its wire works both ways.
    var carries: Bool { !isCut[0][1] && !isCut[1][0] && isMachineUp(0) && isMachineUp(1) }

    // MARK: Coming and going

    /// A process tries to connect; mirrors SCTPEndpoint.swift `attempt` and `serveListener`.
    func connect(from node: Int) {
        let process = simulation.nodes[node].replication
        guard session[node] == nil, process.isAlive else { return }
        let other = 1 - node
        guard carries, !simulation.chance(lossPercent) else {
            return process.after(600 * millisecond) { process.unreachable(isAnswered: false) }
        }
        let peer = simulation.nodes[other].replication
        guard peer.isAlive, peer.isListening else {
            return process.after(simulation.microseconds(300...2_000)) { process.unreachable(isAnswered: true) }
        }
        sessionCount += 1
        let number = sessionCount
        let wasUp = session[other] != nil
        session = [number, number]
        waiting = [[], []]
        waitingByteCount = [0, 0]
        let delay = simulation.microseconds(500...2_000)
        lastArrival = [simulation.now + delay, simulation.now + delay]
        simulation.note("association \(number) is established")
        process.after(delay) { [self] in if session[node] == number { process.associationUp() } }
        peer.after(delay) { [self] in
            guard session[other] == number else { return }
            if wasUp { peer.associationDown(isMachineAlive: true) }
            peer.associationUp()
        }
    }

    /// A process closed its end or died: its kernel aborts.
    func abort(from node: Int) {
        guard session[node] != nil else { return }
        session[node] = nil
        waiting[node] = []
        let other = 1 - node
        guard session[other] != nil, carries else { return }
        let peer = simulation.nodes[other].replication
        let number = session[other]
        let at = max(simulation.now + simulation.microseconds(200...1_000), lastArrival[node])
        simulation.schedule(at: at, for: peer) { [self] in end(other, number, isMachineAlive: true) }
    }

    private func end(_ node: Int, _ number: Int?, isMachineAlive: Bool) {
        guard let number, session[node] == number else { return }
        session[node] = nil
        waiting[node] = []
        simulation.nodes[node].replication.associationDown(isMachineAlive: isMachineAlive)
    }

    /// A machine lost power: its kernel forgets without a word.
    func forget(_ node: Int) {
        session[node] = nil
        waiting[node] = []
        pathsChanged()
    }

    /// A cut began or ended, a machine stopped or goes on.
    func pathsChanged() {
        if wasCut, !isCut[0][1], !isCut[1][0] { healedAt = simulation.now }
        wasCut = isCut[0][1] || isCut[1][0]
        guard !carries else { return heal() }
        guard brokenSince == nil else { return }
        let since = simulation.now
        brokenSince = since
        for node in 0...1 where session[node] != nil {
            let process = simulation.nodes[node].replication
            let number = session[node]
            simulation.schedule(after: simulation.microseconds(700_000...1_900_000)) { [self] in
                guard brokenSince == since, session[node] == number, isMachineUp(node) else { return }
                session[node] = nil
                waiting[node] = []
                guard process.isAlive else { return }
                simulation.schedule(after: 0, for: process) { process.associationDown(isMachineAlive: false) }
            }
        }
    }

    private func heal() {
        brokenSince = nil
        for node in 0...1 {
            let other = 1 - node
            guard let number = session[node] else { continue }
            if session[other] == number {
                let bytes = waiting[node]
                waiting[node] = []
                waitingByteCount[node] = 0
                if !bytes.isEmpty { lostAt = simulation.now }
                for message in bytes { carry(message, from: node, number, extra: simulation.microseconds(0...200_000)) }
                let process = simulation.nodes[node].replication
                simulation.schedule(after: 0, for: process) { process.associationWritable() }
            } else {
                // The other side has forgotten it and refuses what comes next.
                let process = simulation.nodes[node].replication
                simulation.schedule(after: simulation.microseconds(1_000...200_000), for: process) { [self] in
                    guard carries else { return }
                    end(node, number, isMachineAlive: true)
                }
            }
        }
    }

    // MARK: Bytes

    /// Takes bytes for the other side; false when the send buffer is full.
    func send(_ bytes: [UInt8], from node: Int) -> Bool {
        guard let number = session[node] else { return true }
        if isCut[node][1 - node] || !carries || !waiting[node].isEmpty {
            guard waitingByteCount[node] < Self.sendBufferByteCount else { return false }
            waiting[node].append(bytes)
            waitingByteCount[node] += bytes.count
            return true
        }
        carry(bytes, from: node, number, extra: 0)
        return true
    }

    private func carry(_ bytes: [UInt8], from node: Int, _ number: Int, extra: UInt64) {
        var delay = simulation.microseconds(100...600) + extra
        let isLost = simulation.losesNextMessage()
        // Retransmitted after a timeout of 50 to 200 ms.
        if isLost { lostAt = simulation.now }
        if isLost || simulation.chance(lossPercent) { delay += simulation.microseconds(50_000...200_000) }
        let at = max(simulation.now + delay, lastArrival[node] + 1)
        lastArrival[node] = at
        let other = 1 - node
        let process = simulation.nodes[other].replication
        simulation.schedule(at: at, for: process) { [self] in
            if session[other] == number { process.receive(bytes) }
        }
    }
}
