// SPDX-License-Identifier: Apache-2.0

import ByteCodec
import FirstHop
import Primitives

/// The segment on which hellos travel, with a switch that learns where the virtual MAC is.
final class LAN {
    private unowned(unsafe) let simulation: Simulation
    /// `isCut[from][to]`.
    var isCut: [[Bool]]
    var lossPercent = 0
    /// Nodes whose port passes nothing, although their interfaces have carrier.
    var isPortDead: [Bool]
    var duplicatePercent = 0
    /// Up to so much later, and so out of order.
    var extraDelayMicroseconds: UInt64 = 0
    /// The node that last sent a frame from the virtual MAC.
    private(set) var owner: Int?

    init(_ simulation: Simulation) {
        self.simulation = simulation
        let count = simulation.settings.priorities.count
        isCut = Array(repeating: Array(repeating: false, count: count), count: count)
        isPortDead = Array(repeating: false, count: count)
        heardAt = Array(repeating: Array(repeating: 0, count: count), count: count)
        words = Array(repeating: Array(repeating: .none, count: count), count: count)
    }

    /// Carries a message, as bytes, to every other node.
    func send(_ message: HSRPMessage, from node: Node, fromVirtualMAC: Bool) {
        if fromVirtualMAC { learn(node) }
        let bytes = message.bytes
        let isActive = message.state == .active && message.operation != .resign
        guard node.kernel.hasCarrier else { return }
        for other in simulation.nodes where other !== node {
            if !isActive { words[other.index][node.index] = .none }
            let isLost = simulation.losesNextMessage()
            guard !isLost, !isCut[node.index][other.index], !isPortDead[node.index], !isPortDead[other.index],
                !simulation.chance(lossPercent)
            else {
                simulation.note("lost: \(message.operation) \(message.state.name) of \(node.name)")
                if isActive, words[other.index][node.index] == .none { words[other.index][node.index] = .lost }
                continue
            }
            if isActive { words[other.index][node.index] = .carried }
            deliver(bytes, message.version, from: node, to: other)
            if simulation.chance(duplicatePercent) { deliver(bytes, message.version, from: node, to: other) }
        }
    }

    /// Whether a frame of this node gets through to a neighbour that is none of the nodes, or back.
    func reachesNeighbours(_ node: Node) -> Bool {
        hearsNeighbours(node) && !simulation.chance(lossPercent)
    }

    /// Whether anything that neighbours send for each other comes to this node: of many frames no loss takes all.
    func hearsNeighbours(_ node: Node) -> Bool { node.kernel.hasCarrier && !isPortDead[node.index] }

    /// Gratuitous ARP: what matters of it is whose port the switch and the neighbours learn.
    func announce(from node: Node) { learn(node) }

    private func learn(_ node: Node) {
        guard node.kernel.hasCarrier, !isPortDead[node.index] else { return }
        owner = node.index
    }

    /// When each node last had something of each other node in its socket: `heardAt[by][from]`.
    private(set) var heardAt: [[UInt64]]

    private enum Word { case none, lost, carried }
    /// What became of each node's hellos in its present role of Active: `words[by][from]`.
    private var words: [[Word]]

    /// Whether `other` became Active, and every word of that to `node` was lost.
    func hasLostRole(of other: Node, for node: Node) -> Bool { words[node.index][other.index] == .lost }

    private func deliver(_ bytes: [UInt8], _ version: HSRPVersion, from sender: Node, to node: Node) {
        var delay = simulation.microseconds(50...500)
        if extraDelayMicroseconds > 0 { delay += simulation.microseconds(0...extraDelayMicroseconds) }
        let source = sender.address
        simulation.schedule(after: delay, for: node.kernel) { [self] in
            guard node.kernel.hasCarrier else { return }
            heardAt[node.index][sender.index] = simulation.now
            let failover = node.failover
            guard failover.isAlive else { return }
            let item = EventQueue.Item(owner: failover, generation: failover.generation) {
                guard case .message(let message)? = try? HSRPDatagram(parsing: bytes[...], version: version) else {
                    return
                }
                failover.handle(.messageReceived(message, from: source))
            }
            simulation.deliver(item)
        }
    }
}
