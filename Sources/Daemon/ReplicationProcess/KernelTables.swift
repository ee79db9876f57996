// SPDX-License-Identifier: Apache-2.0

import LinuxIO
import Netlink
import Primitives
import Replication
import SecurityAssociations
import StrongSwan

/// This node's SAs, policies and reverse routes as the kernel has them, and the writes into it.
///
/// Every request is answered inside the send call, so nothing here waits. Where the kernel lacks XFRM the fault says so
/// and everything else goes on.
final class KernelTables {
    /// Called when an outbound SA came and its number stands where it must.
    var onOutboundAdded: (SAIdentity) -> Void = { _ in }
    /// Called when an SA of ours came or went.
    var onSAsChanged: () -> Void = {}
    /// An Active has raised the number of an SA that came into its kernel late.
    var onInheritedRaised: () -> Void = {}
    /// Called when a VPN peer behind NAT sent from another address or port.
    var onPeerMoved: () -> Void = {}
    /// Called when policies or routes changed that reverse routes depend on.
    var onRoutesAffected: () -> Void = {}
    /// Called with each word of the kernel about a link.
    var onLinkReported: (LinkInfo) -> Void = { _ in }
    /// Increments a named counter.
    var count: (String) -> Void = { _ in }

    /// Why SAs cannot be read or written; nil while all is well.
    private(set) var fault: String?
    /// The outbound sequence numbers.
    var counters: OutboundCounters
    /// All SAs with one end on a virtual address, as last read.
    private(set) var sas: [SAIdentity: KernelSA] = [:]

    let scheme: Scheme
    let reactor: Reactor
    private(set) var xfrm: NetlinkSocket?
    private(set) var route: NetlinkSocket?
    /// An inherited SA may stand below what others have sent with it.
    private var owesInherited = false
    /// What a standby lets pass of its own packets.
    var bypass = BypassPlan()
    /// What the policies want routes for.
    var tunnels = TunnelPolicies()
    /// The policies that stood before this process did are known.
    var arePoliciesRead = false
    var policyReader: XFRMRecordReader
    var policyReading: PolicyReading?
    /// Networks whose reverse routes stand by our own will.
    private var injected: Set<IPPrefix> = []
    private var nextHops: [IPAddress: ReverseRoutePlan.NextHop?] = [:]
    private var xfrmEvents: NetlinkSubscription?
    private var routeEvents: NetlinkSubscription?
    private var isStandby: () -> Bool
    private var isInherited: (SAIdentity) -> Bool

    init(
        scheme: Scheme, life: UInt64, on reactor: Reactor, isStandby: @escaping () -> Bool,
        isInherited: @escaping (SAIdentity) -> Bool
    ) {
        self.scheme = scheme
        self.reactor = reactor
        self.isStandby = isStandby
        self.isInherited = isInherited
        counters = OutboundCounters(settings: scheme.marginSettings, life: life)
        policyReader = XFRMRecordReader(ends: scheme.virtualAddresses)
    }

    /// Opens the sockets that are not open yet; called again until it works.
    func open() {
        do {
            if xfrm == nil { xfrm = try NetlinkSocket(.xfrm) }
            if route == nil { route = try NetlinkSocket(.route) }
            // The kernel replicator hears the kernel itself; hearing all twice would cost twice.
            if xfrmEvents == nil, scheme.strongSwan != nil || !scheme.isStateful {
                let sas = scheme.strongSwan == nil ? 0 : XFRMGroups.sa | XFRMGroups.mapping
                let groups = sas | XFRMGroups.policy | XFRMGroups.expire
                xfrmEvents = try NetlinkSubscription(.xfrm, groups: groups, on: reactor) { [weak self] event in
                    self?.takeXFRM(event)
                }
                readPolicies()
            }
            if routeEvents == nil {
                let groups = RouteGroups.ipv4Route | RouteGroups.link
                routeEvents = try NetlinkSubscription(.route, groups: groups, on: reactor) { [weak self] event in
                    self?.takeRoute(event)
                }
            }
            fault = nil
        } catch {
            fault = "the kernel gives no access to its SAs (\(error))"
        }
    }

    // MARK: SAs

    /// Reads all SAs anew.
    func refreshSAs() {
        guard let xfrm else { return }
        do {
            let messages = try xfrm.dump(XFRMRequest.dumpSAs())
            let all = messages.compactMap { try? KernelSA(parsing: $0) }
            let ours = all.filter(isOurs)
            sas = Dictionary(ours.map { ($0.identity, $0) }) { first, _ in first }
            counters.observe(ours.filter(isOutbound))
        } catch {
            count("kernel.dumpFailed")
        }
    }

    /// Brings the outbound numbers to where a standby's must stand; true when every write was taken.
    ///
    /// An Active does so for an inherited SA that has just come.
    @discardableResult
    func advanceCounters(at now: Instant, only identity: SAIdentity? = nil) -> Bool {
        guard isStandby() || identity.map(isInherited) ?? false else { return false }
        let isDone = write(counters.writes(at: now, only: identity))
        if !isDone, !isStandby() { owesInherited = true }
        return isDone
    }

    /// An Active raises inherited SAs that came unseen, or whose numbers the kernel refused; costs nothing without such.
    func raiseOwed(at now: Instant) {
        guard owesInherited else { return }
        owesInherited = !write(counters.writes(at: now).filter { isInherited($0.identity) })
        if !owesInherited { onInheritedRaised() }
    }

    /// An Active raises numbers that had grown old when it took the role; true when all of them are in the kernel.
    func raiseStaleNumbers(at now: Instant, limit: Int) -> Bool {
        let writes = counters.writes(at: now)
        return write(Array(writes.prefix(limit))) && writes.count <= limit
    }

    private func write(_ writes: [OutboundCounters.Write]) -> Bool {
        guard !writes.isEmpty else { return true }
        guard let xfrm else { return false }
        let requests = writes.map { XFRMRequest.setReplay($0.identity, $0.replay, mark: $0.mark) }
        guard let codes = try? xfrm.batch(requests) else {
            count("kernel.counterWriteFailed")
            return false
        }
        for (write, code) in zip(writes, codes) {
            if code == 0 { counters.noteWritten(write) } else { count("kernel.counterRefused") }
            // What is gone sends nothing.
            if code == SystemCode.noSuchProcess { counters.forget(write.identity) }
        }
        return codes.allSatisfy { $0 == 0 || $0 == SystemCode.noSuchProcess }
    }

    /// Takes the SAs that came while this process was busy, before it is said that it watches.
    func receiveWaiting() { xfrmEvents?.receiveWaiting() }

    /// How many of the children that charon lists as installed lack one of their SAs here.
    ///
    /// A child that was rekeyed keeps only its inbound SA, and for a while.
    func missingSAs(of listing: [ListedIKE]) -> Set<ChildSPIPair> {
        let held = Set(sas.keys.map(\.spi))
        let installed = listing.flatMap(\.children).filter { $0.state == "INSTALLED" }.map(\.spis)
        return Set(installed.filter { !held.contains($0.inbound) || !held.contains($0.outbound) })
    }

    /// Removes our SAs that belong to none of the pairs: an IKE daemon that died has left them behind.
    func removeSAs(except pairs: Set<ChildSPIPair>) {
        refreshSAs()
        let kept = Set(pairs.flatMap { [$0.inbound, $0.outbound] })
        remove(leftovers: sas.values.filter { !kept.contains($0.identity.spi) })
    }

    /// Removes SAs that an IKE daemon which died has left behind.
    func remove(leftovers: [KernelSA]) {
        guard let xfrm, !leftovers.isEmpty else { return }
        _ = try? xfrm.batch(leftovers.map { XFRMRequest.delete($0.identity, mark: $0.mark) })
        for _ in leftovers { count("kernel.leftoverRemoved") }
        refreshSAs()
    }

    /// Changes whenever an inbound SA has received something, or came or went.
    var inboundState: UInt64 {
        sas.values.reduce(0) { sum, sa in
            isOutbound(sa) ? sum : sum &+ sa.replay.inbound &+ sa.usage.packets
        }
    }

    private func isOurs(_ sa: KernelSA) -> Bool {
        isOutbound(sa) || scheme.virtualAddresses.contains(sa.identity.destination)
    }

    private func isOutbound(_ sa: KernelSA) -> Bool { scheme.virtualAddresses.contains(sa.source) }

    private func takeXFRM(_ event: NetlinkSubscription.Event) {
        guard case .message(let message) = event else {
            count(event == .overrun ? "kernel.overrun" : "kernel.malformed")
            refreshSAs()
            advanceCounters(at: reactor.now)
            owesInherited = !isStandby()
            raiseOwed(at: reactor.now)
            onSAsChanged()
            return readPolicies()
        }
        guard let change = try? XFRMEvent(parsing: message) else { return }
        switch change {
        case .added(let sa) where isOurs(sa):
            sas[sa.identity] = sa
            guard isOutbound(sa) else { return onSAsChanged() }
            // An SA that is new to this kernel stands at zero; one of the peer's may not stay there for a moment.
            counters.observe(sa)
            if advanceCounters(at: reactor.now, only: sa.identity), !isStandby() { onInheritedRaised() }
            onOutboundAdded(sa.identity)
            onSAsChanged()
        case .deleted(let identity) where sas[identity] != nil: remove(identity)
        case .expired(let sa, isHard: true) where sas[sa.identity] != nil: remove(sa.identity)
        case .flushed:
            refreshSAs()
            onSAsChanged()
        case .policiesChanged: takePolicy(message)
        case .mapped(let identity, _, _) where sas[identity] != nil: onPeerMoved()
        default: break
        }
    }

    private func remove(_ identity: SAIdentity) {
        sas[identity] = nil
        counters.forget(identity)
        onSAsChanged()
    }

    private func takeRoute(_ event: NetlinkSubscription.Event) {
        if case .message(let message) = event, let info = try? RouteInfo(parsing: message), info.isOwn {
            // Somebody else's deletion, or the kernel's with the virtual address, which then brings another word.
            guard message.type == RouteMessage.deleteRoute, injected.contains(info.destination) else { return }
            count("routes.repaired")
        }
        nextHops = [:]
        if case .message(let message) = event, message.type == RouteMessage.newLink,
            let link = try? LinkInfo(parsing: message)
        {
            onLinkReported(link)
        }
        onRoutesAffected()
    }

    // MARK: Reverse routes

    /// Reads all policies.
    func policies() -> [KernelPolicy] {
        guard let xfrm, let messages = try? xfrm.dump(XFRMRequest.dumpPolicies()) else { return [] }
        return messages.compactMap { try? KernelPolicy(parsing: $0) }
    }

    /// Makes the reverse routes those that the policies ask for, or none; returns how many were changed.
    ///
    /// A standby's bypass follows every few seconds: what changes it seldom does.
    @discardableResult
    func reconcileReverseRoutes(isActive: Bool) -> Int {
        guard let route else { return 0 }
        var wanted: Set<ReverseRoutePlan.Route> = []
        if isActive {
            reconcileBypass(isActive: true)
            // The end of the reading calls again.
            guard arePoliciesRead else { return 0 }
            var hops: [IPAddress: ReverseRoutePlan.NextHop] = [:]
            for peer in Set(tunnels.needs.map(\.peer)) { hops[peer] = nextHop(toward: peer, route) }
            wanted = ReverseRoutePlan.routes(for: tunnels.needs, nextHops: hops)
        }
        injected = Set(wanted.map(\.destination))
        let (replace, delete) = ReverseRoutePlan.difference(standing: standingRoutes(route), wanted: wanted)
        let requests =
            delete.map { RouteRequest.delete(destination: $0) }
            + replace.map {
                RouteRequest.replace(
                    destination: $0.destination, gateway: $0.nextHop.gateway,
                    interfaceIndex: $0.nextHop.interfaceIndex, preferredSource: $0.source)
            }
        guard !requests.isEmpty else { return 0 }
        guard let codes = try? route.batch(requests) else {
            count("routes.writeFailed")
            return 0
        }
        for code in codes where code != 0 && code != SystemCode.noSuchProcess { count("routes.refused") }
        return requests.count
    }

    /// The next hop toward the latest VPN peer: the one whose SA came last, or one that the policies name.
    func neighbour() -> ReverseRoutePlan.NextHop? {
        guard let route else { return nil }
        let latest = sas.values.filter { scheme.virtualAddresses.contains($0.identity.destination) }
            .max { $0.usage.addedAtSeconds < $1.usage.addedAtSeconds }
        guard let peer = latest?.source ?? tunnels.needs.map(\.peer).min() else { return nil }
        return nextHop(toward: peer, route)
    }

    /// The interface by which an address is reached.
    func interface(toward address: IPv4Address) -> UInt32? {
        route.flatMap { nextHop(toward: IPAddress(address), $0) }?.interfaceIndex
    }

    private func standingRoutes(_ socket: NetlinkSocket) -> Set<ReverseRoutePlan.Route> {
        guard let messages = try? socket.dump(RouteRequest.dump(tag: OwnTag.routeProtocol)) else { return [] }
        let routes = messages.compactMap { message -> ReverseRoutePlan.Route? in
            guard let info = try? RouteInfo(parsing: message), info.isOwn, info.table == RouteRequest.mainTable,
                let interface = info.interfaceIndex
            else { return nil }
            let hop = ReverseRoutePlan.NextHop(
                gateway: info.gateway ?? .any(info.destination.address.family), interfaceIndex: interface)
            return ReverseRoutePlan.Route(
                destination: info.destination, nextHop: hop, source: info.preferredSource)
        }
        return Set(routes)
    }

    /// The next hop toward a peer; a peer on a connected network is its own.
    ///
    /// The kernel is asked once, until another route changes.
    private func nextHop(toward peer: IPAddress, _ socket: NetlinkSocket) -> ReverseRoutePlan.NextHop? {
        if let known = nextHops[peer] { return known }
        var hop: ReverseRoutePlan.NextHop?
        if let answer = try? socket.request(RouteRequest.lookUp(peer)).first,
            let info = try? RouteInfo(parsing: answer), let interface = info.interfaceIndex
        {
            hop = ReverseRoutePlan.NextHop(gateway: info.gateway ?? peer, interfaceIndex: interface)
        }
        nextHops[peer] = .some(hop)
        return hop
    }
}
