// SPDX-License-Identifier: Apache-2.0

import Primitives
import SecurityAssociations
import StrongSwan

/// What a node's kernel holds of ours: fence, virtual address with its lease, virtual MAC's interface, SAs.
///
/// An ESP packet leaves a node iff the fence is down and the virtual address is there, whoever asks for it. From an IPv6
/// address it leaves whether that is there or not, as long as the fence is down and the leased routes stand.
final class Kernel: ProcessModel {
    private(set) var isFenceUp = false
    private(set) var hasAddress = false
    private(set) var isMACUp = false
    /// The interface toward the LAN has carrier.
    private(set) var hasCarrier = true
    /// Each request takes so long; 0 in a healthy kernel.
    var delay: UInt64 = 0
    /// So many of 100 requests are refused.
    var refusedPercent = 0
    /// When the kernel last refused something.
    private(set) var refusedAt: UInt64?
    /// When it last refused to raise the fence or to delete the address, which it has not done since.
    private(set) var disobeyedAt: UInt64?
    /// When another program last deleted address and fence.
    private(set) var stolenAt: UInt64?
    /// When the kernel last refused to raise an SA's number, which it has not done since: what it sends with that SA is
    /// its own fault, as long as it is asked again.
    private(set) var unraisedAt: [UInt32: UInt64] = [:]
    /// The last number sent of each outbound SA, in the order of installation.
    private(set) var outbound: [(spi: UInt32, last: UInt64, usableAt: UInt64)] = []
    /// charon installs the policies that use an SA behind it, and is that long about it at least.
    private static let policyDelay: UInt64 = 250_000
    private var inbound: Set<UInt32> = []
    /// Rises when a VPN peer's packet comes in.
    var inboundState: UInt64 = 0
    private var expiry: UInt64 = 0
    private var routeExpiry: UInt64 = 0
    private var expiryCheckAt: UInt64?

    init(node: Node) { super.init(name: "kernel", node: node) }

    /// Whether ESP leaves this node.
    var isEmitting: Bool {
        guard node.isPowered, !node.isPaused, hasCarrier, !isFenceUp else { return false }
        return simulation.settings.isIPv6 ? simulation.now < routeExpiry : hasAddress
    }

    func clear() {
        isFenceUp = false
        hasAddress = false
        isMACUp = false
        expiryCheckAt = nil
        routeExpiry = 0
        outbound = []
        inbound = []
        unraisedAt = [:]
        disobeyedAt = nil
    }

    /// Refuses some requests of a failing kernel.
    private func refuses(_ what: String) -> Bool {
        guard simulation.chance(refusedPercent) else { return false }
        refusedAt = simulation.now
        node.failover.noteRefusal()
        simulation.note("\(node.name): the kernel refuses to \(what)")
        return true
    }

    func setFence(_ isUp: Bool) {
        guard !refuses(isUp ? "raise the fence" : "lower the fence") else {
            if isUp, !isFenceUp { disobeyedAt = simulation.now }
            return
        }
        guard isUp != isFenceUp else { return }
        if isUp { disobeyedAt = nil }
        isFenceUp = isUp
        simulation.note("\(node.name): fence \(isUp ? "up" : "down")")
        changed()
    }

    /// Another program deletes what it takes for its own; the events of that take their moment.
    func lose() {
        guard node.isPowered else { return }
        stolenAt = simulation.now
        (isFenceUp, hasAddress) = (false, false)
        simulation.note("\(node.name): address and fence are stolen")
        changed()
    }

    func holdAddress(leaseSeconds: Int) {
        guard !refuses("hold the address") else { return }
        simulation.checker.leaseRenewed(on: node)
        // The kernel looks for expired addresses now and then: 0.1 to 0.3 s late (measured).
        let local = node.clock.local(at: simulation.now) + .seconds(leaseSeconds)
        expiry = node.clock.global(for: local) + simulation.microseconds(100_000...290_000)
        if !hasAddress {
            hasAddress = true
            simulation.note("\(node.name): has the address")
            changed()
        }
        if expiryCheckAt == nil { checkExpiry(at: expiry) }
    }

    /// IPv6: lets the virtual address's packets through for so long.
    func leaseRoutes(seconds: Int) {
        guard simulation.settings.isIPv6, !refuses("lease routes") else { return }
        routeExpiry = node.clock.global(for: node.clock.local(at: simulation.now) + .seconds(seconds))
        simulation.checker.kernelChanged()
        simulation.schedule(at: routeExpiry, for: self) { [self] in
            guard routeExpiry <= simulation.now else { return }
            simulation.note("\(node.name): the leased routes are over")
            simulation.checker.kernelChanged()
        }
    }

    func deleteAddress() {
        guard hasAddress else { return }
        guard !refuses("delete the address") else {
            if !isFenceUp { disobeyedAt = simulation.now }
            return
        }
        hasAddress = false
        simulation.note("\(node.name): address deleted")
        changed()
    }

    func setMAC(_ isUp: Bool) {
        guard isUp != isMACUp, !refuses("set the virtual MAC") else { return }
        isMACUp = isUp
        changed()
    }

    func setCarrier(_ isUp: Bool) {
        guard isUp != hasCarrier else { return }
        hasCarrier = isUp
        simulation.note("\(node.name): LAN link \(isUp ? "up" : "down")")
        simulation.checker.kernelChanged()
        node.failover.noteLink()
    }

    /// The machine slept: the lease has slept too.
    func noteSkip(_ length: UInt64) {
        expiry += length
        if routeExpiry > 0 { routeExpiry += length }
    }

    private func checkExpiry(at time: UInt64) {
        expiryCheckAt = time
        simulation.schedule(at: time, for: self) { [self] in
            expiryCheckAt = nil
            guard hasAddress else { return }
            guard expiry <= simulation.now else { return checkExpiry(at: expiry) }
            simulation.checker.leaseEnded(on: node)
            hasAddress = false
            simulation.note("\(node.name): the lease of the address is over")
            changed()
        }
    }

    private func changed() {
        simulation.checker.kernelChanged()
        if simulation.chance(50) { simulation.tunnels.emit(from: node, count: 1) }
        node.failover.noteKernel()
    }

    // MARK: SAs

    static let peerAddress = IPAddress(10, 1, 0, 5)

    func hasOutbound(_ spi: UInt32) -> Bool { outbound.contains { $0.spi == spi } }

    /// charon installs both SAs of a child, outbound from number 0; false, with both gone, where one stands already.
    func addSAs(_ pair: ChildSPIPair) -> Bool {
        guard !hasOutbound(pair.outbound), !inbound.contains(pair.inbound) else {
            simulation.note("\(node.name): SPI \(pair.outbound) stands already; both SAs of the child go")
            removeSAs(pair)
            return false
        }
        inbound.insert(pair.inbound)
        outbound.append((pair.outbound, 0, simulation.now + Self.policyDelay))
        simulation.checker.kernelChanged()
        simulation.schedule(after: Self.policyDelay, for: self) { [self] in
            simulation.tunnels.emit(from: node, count: 1)
        }
        tell { $0.noteAdded(pair.outbound) }
        return true
    }

    func removeSAs(_ pair: ChildSPIPair) {
        inbound.remove(pair.inbound)
        guard let place = outbound.firstIndex(where: { $0.spi == pair.outbound }) else { return }
        outbound.remove(at: place)
        unraisedAt[pair.outbound] = nil
        let identity = SAIdentity(destination: Self.peerAddress, spi: pair.outbound)
        tell { $0.noteDeleted(identity) }
    }

    /// Removes what belongs to none of the pairs.
    func removeSAs(except pairs: Set<ChildSPIPair>) {
        inbound.formIntersection(pairs.map(\.inbound))
        outbound.removeAll { entry in !pairs.contains { $0.outbound == entry.spi } }
    }

    /// Mirrors KernelTables.swift `remove(leftovers:)`.
    func remove(leftovers: [KernelSA]) {
        for spi in leftovers.map(\.identity.spi) {
            simulation.note("\(node.name): left over: SPI \(spi)")
            removeSAs(ChildSPIPair(inbound: spi, outbound: spi))
        }
    }

    /// How many listed children lack one of their SAs here.
    func missingSAs(of listing: [ListedIKE]) -> Int {
        let installed = listing.flatMap(\.children).filter { $0.state == "INSTALLED" }.map(\.spis)
        return installed.filter { !inbound.contains($0.inbound) || !hasOutbound($0.outbound) }.count
    }

    /// A NEWAE write; false where the SA is gone or the kernel refuses.
    func setOutbound(_ spi: UInt32, to number: UInt64) -> Bool {
        guard let place = outbound.firstIndex(where: { $0.spi == spi }) else { return false }
        guard !refuses("set a counter") else {
            unraisedAt[spi] = simulation.now
            return false
        }
        unraisedAt[spi] = nil
        if number < outbound[place].last {
            simulation.checker.fail("\(node.name) lowers SPI \(spi) from \(outbound[place].last) to \(number)")
        }
        outbound[place].last = number
        return true
    }

    /// Sends so many packets with each SA that has its policy, and tells their numbers.
    func send(_ count: UInt64, tell: (UInt32, ClosedRange<UInt64>) -> Void) {
        for place in outbound.indices where outbound[place].usableAt <= simulation.now {
            let last = outbound[place].last
            outbound[place].last = last + count
            tell(outbound[place].spi, last + 1...last + count)
        }
    }

    func outboundSA(_ spi: UInt32) -> KernelSA? {
        outbound.first { $0.spi == spi }.map { Self.sa($0.spi, $0.last) }
    }

    func outboundSAs() -> [KernelSA] { outbound.map { Self.sa($0.spi, $0.last) } }

    /// All SAs.
    func sas() -> [KernelSA] {
        let own = ClusterSettings.virtualAddress
        return outboundSAs()
            + inbound.sorted().map {
                KernelSA(identity: SAIdentity(destination: own, spi: $0), source: Self.peerAddress)
            }
    }

    private static func sa(_ spi: UInt32, _ last: UInt64) -> KernelSA {
        var sa = KernelSA(
            identity: SAIdentity(destination: peerAddress, spi: spi), source: ClusterSettings.virtualAddress)
        sa.replay.outbound = last
        return sa
    }

    /// A netlink event, which takes its moment.
    private func tell(_ event: @escaping (ReplicationModel) -> Void) {
        let replication = node.replication
        tell(replication) { event(replication) }
    }
}
