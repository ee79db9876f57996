// SPDX-License-Identifier: Apache-2.0

import FirstHop
import StrongSwan

/// The VPN peer with its tunnels, the hosts behind both ends, and the wire between: who emits what, and who accepts it.
///
/// Hosts inside send to every node, as if routing were undecided; what a node's kernel may emit it does emit.
final class Tunnels {
    private struct Tunnel {
        var ike: IKESPIPair?
        var ikeMadeAt: UInt64 = 0
        var children: [ChildSPIPair] = []
        var childMadeAt: UInt64 = 0
        var unansweredSince: UInt64?
        /// The only node that held its newest child died.
        var isChildLost = false
        /// Nobody can be blamed for its loss: its only holder died, could not tell the other node of it, or did not know of it.
        var mayBeLost = false
    }

    private unowned(unsafe) let simulation: Simulation
    private var tunnels: [Tunnel]
    private var nextIKE: UInt64 = 1
    private var nextSPI: UInt32 = 0xc000_0000
    /// The numbers that were on the wire, per SPI, in rising order.
    private var used: [UInt32: [ClosedRange<UInt64>]] = [:]
    /// How long the peer asks a gateway that does not know its SA before it starts anew.
    private static let deadPeerTimeout = 20 * second
    /// What the hosts inside send through each tunnel.
    var packetsPerSecond: UInt64

    init(_ simulation: Simulation) {
        self.simulation = simulation
        packetsPerSecond = simulation.settings.packetsPerSecond
        tunnels = Array(repeating: Tunnel(), count: simulation.settings.tunnelCount)
    }

    func start() { tick() }

    // MARK: What the peer knows

    func ike(of tunnel: Int) -> IKESPIPair? { tunnels[tunnel].ike }

    /// All tunnels stand.
    var areEstablished: Bool { tunnels.allSatisfy { $0.ike != nil && !$0.children.isEmpty } }

    /// Whether the peer's packets reach the node's charon, and its answers the peer.
    func isReachable(_ node: Node) -> Bool {
        node.kernel.isEmitting && node.kernel.isMACUp && simulation.lan.owner == node.index
    }

    func newIKE() -> IKESPIPair {
        nextIKE += 1
        return IKESPIPair(initiator: nextIKE, responder: nextIKE << 32 | 0xbeef)
    }

    func newChild() -> ChildSPIPair {
        nextSPI += 2
        return ChildSPIPair(inbound: nextSPI, outbound: nextSPI + 1)
    }

    func established(_ tunnel: Int, _ spis: IKESPIPair, by node: Node) {
        tunnels[tunnel].ike = spis
        tunnels[tunnel].ikeMadeAt = simulation.now
        let isHeard = simulation.nodes.allSatisfy { $0.replication.isAlive && !$0.replication.isStalled }
        let wire = simulation.association
        tunnels[tunnel].mayBeLost = !isHeard || !simulation.checker.isAssociated(node) || !wire.carries || wire.isSlow
        tunnels[tunnel].unansweredSince = nil
    }

    func childAdded(_ tunnel: Int, _ pair: ChildSPIPair) {
        // The one before lives until its deletion, and no longer.
        tunnels[tunnel].children = tunnels[tunnel].children.suffix(1) + [pair]
        tunnels[tunnel].childMadeAt = simulation.now
        tunnels[tunnel].isChildLost = false
    }

    func noteAnswered(_ tunnel: Int) {
        tunnels[tunnel].unansweredSince = nil
        guard tunnels[tunnel].mayBeLost, let ike = tunnels[tunnel].ike else { return }
        let isSafe =
            simulation.nodes.allSatisfy { $0.charon.canServe(ike) && $0.replication.isAlive }
            && simulation.nodes.contains { $0.replication.keeper.isAuthoritative }
        tunnels[tunnel].mayBeLost = !isSafe
    }

    /// A serving gateway does not know the tunnel's SA.
    func noteUnanswered(_ tunnel: Int) {
        let since = tunnels[tunnel].unansweredSince ?? simulation.now
        tunnels[tunnel].unansweredSince = since
        guard simulation.now >= since + Self.deadPeerTimeout else { return }
        simulation.note("the peer gives tunnel \(tunnel) up")
        guard tunnels[tunnel].mayBeLost else { return simulation.checker.fail("tunnel \(tunnel) is lost") }
        tunnels[tunnel] = Tunnel()
    }

    /// A charon died: whether others have what it held is told by what they hold.
    func charonDied(on node: Node) {
        let others = simulation.nodes.filter { $0 !== node && $0.charon.isAlive }
        for index in tunnels.indices {
            let children = tunnels[index].children
            let isHeld = others.contains { other in children.contains { other.charon.has($0) } }
            if !children.isEmpty, !isHeld { tunnels[index].isChildLost = true }
            let isKnown = tunnels[index].ike.map { ike in others.contains { $0.charon.canServe(ike) } } ?? true
            if !isKnown { tunnels[index].mayBeLost = true }
        }
    }

    /// A node that may do so takes the role: what it does not hold it cannot serve.
    ///
    /// A HOT one lacks nothing but what was on
    /// its way when the other's replication stopped.
    func taken(by node: Node) {
        let isHot =
            node.failover.machine.redundancy.isLocalHot && node.replication.isAlive && !node.replication.isStalled
        let awakeAt = simulation.nodes.map(\.replication.lastAwakeAt).min() ?? 0
        for index in tunnels.indices {
            guard let ike = tunnels[index].ike, !node.charon.canServe(ike) else { continue }
            if !isHot || tunnels[index].ikeMadeAt + 100 * millisecond > awakeAt { tunnels[index].mayBeLost = true }
        }
    }

    /// A node whose charon lost its SAs has waited for a successor; where none could follow, they are lost.
    func givenUp(by node: Node) {
        let isSuccessorThere = simulation.nodes.contains { other in
            let machine = other.failover.machine
            return other !== node && other.failover.isAlive && !other.failover.isStalled
                && machine.redundancy.isLocalHot
                && [.listen, .speak, .standby].contains(machine.state) && simulation.checker.isAssociated(other)
        }
        if !isSuccessorThere { for index in tunnels.indices { tunnels[index].mayBeLost = true } }
    }

    /// The last copy of the journal is gone with its process: what charon holds is known to charon alone.
    func journalLost() { for index in tunnels.indices { tunnels[index].mayBeLost = true } }

    /// Two nodes serve that cannot know of each other: one of them will yield, with what it alone has.
    func noteSplit() { for index in tunnels.indices { tunnels[index].mayBeLost = true } }

    /// Whether the node holds every tunnel that the peer has.
    func areHeld(by node: Node) -> Bool {
        tunnels.allSatisfy { tunnel in
            guard let ike = tunnel.ike else { return true }
            let hasChild = tunnel.isChildLost || tunnel.children.contains { node.kernel.hasOutbound($0.outbound) }
            return node.charon.has(ike) && hasChild
        }
    }

    // MARK: Packets

    private func tick() {
        simulation.schedule(after: simulation.microseconds(30_000...70_000)) { [self] in
            let count = max(packetsPerSecond / 20, 1)
            for node in simulation.nodes {
                emit(from: node, count: count)
                if isReachable(node), !node.kernel.outbound.isEmpty { node.kernel.inboundState += 1 }
            }
            tick()
        }
    }

    /// The hosts inside send so many packets for each tunnel through this node.
    func emit(from node: Node, count: UInt64) {
        guard node.kernel.isEmitting else { return }
        node.kernel.send(count) { spi, range in record(spi, range, node) }
    }

    private func record(_ spi: UInt32, _ range: ClosedRange<UInt64>, _ node: Node) {
        // What a kernel sends that refuses to raise the number, or beside a node that refuses the fence, nobody can help.
        if let at = node.kernel.unraisedAt[spi], simulation.now < at + 2 * second + node.kernel.delay { return }
        let lease = simulation.settings.leaseNanoseconds
        let hasDisobeyed = simulation.nodes.contains { other in
            other.kernel.disobeyedAt.map { simulation.now < $0 + lease } ?? false
        }
        guard !hasDisobeyed else { return }
        // Between a theft of its fence and the repair a standby with an IPv6 address sends, and no daemon can help it.
        if !node.failover.isActive, simulation.checker.isFenceStolen(on: node) { return }
        let isReused = Self.add(range, to: &used[spi, default: []])
        if isReused { simulation.checker.fail("\(node.name) uses number \(range.lowerBound) of SPI \(spi) again") }
    }

    /// Adds a range behind the others, or to the last one; true if a number of it was used before.
    private static func add(_ range: ClosedRange<UInt64>, to ranges: inout [ClosedRange<UInt64>]) -> Bool {
        if let last = ranges.last, last.upperBound + 1 == range.lowerBound {
            ranges[ranges.count - 1] = last.lowerBound...range.upperBound
        } else {
            ranges.append(range)
        }
        guard ranges.count > 1 else { return false }
        let newest = ranges[ranges.count - 1]
        return ranges.dropLast().contains { $0.overlaps(newest) }
    }
}
