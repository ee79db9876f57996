// SPDX-License-Identifier: Apache-2.0

import Configuration
import Control
import Primitives
import SecurityAssociations
import StrongSwan

/// The crypto screens, made from charon's listing, this node's kernel and the configuration.
struct CryptoViews {
    let scheme: Scheme?
    let isActive: Bool
    let sas: SAIndex
    let policies: [KernelPolicy]
    let connections: [ListedConnection]

    private func mapName(of peer: IPAddress?) -> String? { peer.flatMap { scheme?.mapName(for: $0) } }

    // MARK: IKE

    /// What `show crypto isakmp sa` lists.
    func isakmp(_ listing: [ListedIKE]) -> AnyIterator<ISAKMPView.SA> {
        let sas = ours(listing).sorted { $0.uniqueID < $1.uniqueID }.lazy.map { ike in
            var sa = ISAKMPView.SA()
            sa.destination = ike.isInitiator ? ike.remoteHost : ike.localHost
            sa.source = ike.isInitiator ? ike.localHost : ike.remoteHost
            sa.state = Self.state(of: ike)
            sa.connectionID = Int(ike.uniqueID)
            sa.status = status(of: ike)
            sa.version = Int(ike.version)
            sa.initiatorSPI = spiText(ike.spis.initiator)
            sa.responderSPI = spiText(ike.spis.responder)
            sa.name = ike.name
            sa.lifeMilliseconds = ike.rekeySeconds.map { Int(clamping: $0) * 1000 }
            return sa
        }
        return AnyIterator(sas.makeIterator())
    }

    /// IKE SAs of the virtual address; without one, all.
    private func ours(_ listing: [ListedIKE]) -> [ListedIKE] {
        guard let addresses = scheme?.virtualAddresses, !addresses.isEmpty else { return listing }
        return listing.filter { IPAddress(text: $0.localHost).map(addresses.contains) ?? false }
    }

    private static func state(of ike: ListedIKE) -> String {
        guard ike.state != "CONNECTING" else { return ike.version == 1 ? "MM_NO_STATE" : "IN-NEG" }
        return ike.version == 1 ? "QM_IDLE" : "READY"
    }

    private func status(of ike: ListedIKE) -> String {
        ike.state == "PASSIVE" || !isActive ? "STDBY" : "ACTIVE"
    }

    // MARK: IPsec

    /// What `show crypto ipsec sa` lists; without a listing, what the kernel alone knows.
    func ipsec(_ listing: [ListedIKE]?) -> AnyIterator<IPsecView.Pair> {
        let listed = ours(listing ?? [])
        let shown = Set(listed.flatMap(\.children).map(\.spis.outbound))
        let children = listed.lazy.flatMap { ike in
            ike.children.filter { $0.spis.inbound != 0 }.map { pair($0, of: ike) }
        }
        let others = policies.lazy.compactMap { policy in
            kernelSA(of: policy).flatMap { shown.contains($0.identity.spi) ? nil : pair(policy, outbound: $0) }
        }
        var (first, second) = (children.makeIterator(), others.makeIterator())
        return AnyIterator { first.next() ?? second.next() }
    }

    private func pair(_ child: ListedChild, of ike: ListedIKE) -> IPsecView.Pair {
        var pair = IPsecView.Pair()
        pair.interface = scheme?.interface
        pair.map = mapName(of: IPAddress(text: ike.remoteHost))
        pair.status = isActive ? "ACTIVE" : "STANDBY"
        pair.localAddress = ike.localHost
        pair.peerAddress = ike.remoteHost
        pair.local = child.localSelectors.first ?? ""
        pair.remote = child.remoteSelectors.first ?? ""
        pair.inbound = esp(child.spis.inbound, isInbound: true, lifeSeconds: child.lifeSeconds)
        pair.outbound = esp(child.spis.outbound, isInbound: false, lifeSeconds: child.lifeSeconds)
        return pair
    }

    private func esp(_ spi: UInt32, isInbound: Bool, lifeSeconds: Int64?) -> ESP {
        var view = ESP()
        view.spi = Self.text(spi)
        view.lifeMilliseconds = lifeSeconds.map { Int(clamping: $0) * 1000 }
        guard let sa = isInbound ? sas.inboundBySPI[spi] : sas.outboundBySPI[spi] else { return view }
        view.packets = Int(clamping: sa.usage.packets)
        view.bytes = Int(clamping: sa.usage.bytes)
        view.sequence = Int(clamping: isInbound ? sa.replay.inbound : sa.replay.outbound)
        if sa.limits.hardBytes != .max {
            view.lifeKilobytes = Int(clamping: (sa.limits.hardBytes - min(sa.usage.bytes, sa.limits.hardBytes)) / 1024)
        }
        return view
    }

    /// The outbound SA of a tunnel policy from one of our addresses, which has its request id.
    private func kernelSA(of policy: KernelPolicy) -> KernelSA? {
        guard policy.direction == .outbound, let template = policy.template,
            scheme?.virtualAddresses.contains(template.source) == true,
            let outbound = sas.outboundByRequest[template.requestID], outbound.source == template.source
        else { return nil }
        return outbound
    }

    private func pair(_ policy: KernelPolicy, outbound: KernelSA) -> IPsecView.Pair {
        var pair = IPsecView.Pair()
        pair.interface = scheme?.interface
        pair.map = mapName(of: policy.template?.destination)
        pair.status = isActive ? "ACTIVE" : "STANDBY"
        pair.localAddress = outbound.source.description
        pair.peerAddress = policy.template?.destination.description ?? ""
        pair.local = policy.selector.source.description
        pair.remote = policy.selector.destination.description
        pair.inbound = sas.inboundByRequest[outbound.requestID].map {
            esp($0.identity.spi, isInbound: true, lifeSeconds: nil)
        }
        pair.outbound = esp(outbound.identity.spi, isInbound: false, lifeSeconds: nil)
        return pair
    }

    private static func text(_ spi: UInt32) -> String {
        let digits = String(spi, radix: 16)
        return "0x" + String(repeating: "0", count: 8 - digits.count) + digits
    }

    // MARK: Sessions

    /// A piece of what `show crypto session` lists.
    enum SessionPart {
        /// A session with all its flows.
        case session(SessionView.Session)
        /// A session whose flows follow, however many.
        case beginning(SessionView.Session)
        /// A flow of the last `beginning`.
        case flow(SessionView.Flow)
    }

    /// What `show crypto session` lists: the peers with SAs, then the configured ones without.
    func sessions(_ listing: [ListedIKE]?) -> AnyIterator<SessionPart> {
        let listed = ours(listing ?? []).sorted { $0.uniqueID < $1.uniqueID }
        var peers = Set(listed.map(\.remoteHost))
        let kernelOnly = policiesWithoutSession(listed, besides: peers)
        peers.formUnion(kernelOnly.map(\.peer.description))
        let silent = configuredPeers.filter { !peers.contains($0.description) }

        var first = listed.lazy.map { SessionPart.session(session($0)) }.makeIterator()
        var second = kernelOnly.lazy.flatMap(parts).makeIterator()
        var third = silent.lazy.map { SessionPart.session(down($0)) }.makeIterator()
        return AnyIterator { first.next() ?? second.next() ?? third.next() }
    }

    private func session(_ ike: ListedIKE) -> SessionView.Session {
        var session = base(peer: ike.remoteHost)
        let isUp = ike.state != "CONNECTING"
        session.status = isUp ? (isActive ? "UP-ACTIVE" : "UP-STANDBY") : "DOWN"
        session.localAddress = ike.localHost
        session.peerPort = Int(ike.remotePort)
        session.peerIdentity = ike.remoteID
        if isActive { session.uptimeMilliseconds = ike.establishedSeconds.map { Int(clamping: $0) * 1000 } }
        var shown = SessionView.IKE()
        shown.version = Int(ike.version)
        shown.initiatorSPI = spiText(ike.spis.initiator)
        shown.responderSPI = spiText(ike.spis.responder)
        shown.status = status(of: ike)
        shown.connectionID = Int(ike.uniqueID)
        shown.localPort = Int(ike.localPort)
        shown.remotePort = Int(ike.remotePort)
        shown.lifeMilliseconds = ike.rekeySeconds.map { Int(clamping: $0) * 1000 }
        session.ike = shown
        session.flows = ike.children.filter { $0.spis.inbound != 0 }.map { child in
            let pair = pair(child, of: ike)
            return flow(pair)
        }
        return session
    }

    private func flow(_ pair: IPsecView.Pair) -> SessionView.Flow {
        var flow = SessionView.Flow()
        flow.local = pair.local
        flow.remote = pair.remote
        flow.inbound = pair.inbound
        flow.outbound = pair.outbound
        return flow
    }

    private struct KernelOnly {
        let peer: IPAddress
        var flows: [(policy: KernelPolicy, outbound: KernelSA)]
    }

    /// SAs that only the kernel knows, by peer: charon is away, or never made them.
    private func policiesWithoutSession(_ listed: [ListedIKE], besides peers: Set<String>) -> [KernelOnly] {
        let shown = Set(listed.flatMap(\.children).map(\.spis.outbound))
        var groups: [KernelOnly] = []
        var places: [IPAddress: Int] = [:]
        for policy in policies {
            guard let outbound = kernelSA(of: policy), let peer = policy.template?.destination,
                !shown.contains(outbound.identity.spi)
            else { continue }
            if let place = places[peer] {
                groups[place].flows.append((policy, outbound))
            } else if !peers.contains(peer.description) {
                places[peer] = groups.count
                groups.append(KernelOnly(peer: peer, flows: [(policy, outbound)]))
            }
        }
        return groups
    }

    private func parts(of group: KernelOnly) -> AnySequence<SessionPart> {
        var session: SessionView.Session? = base(peer: group.peer.description)
        session?.status = isActive ? "UP-ACTIVE" : "UP-STANDBY"
        session?.localAddress = group.flows.first?.outbound.source.description
        var flows = group.flows.makeIterator()
        return AnySequence {
            AnyIterator {
                if let begun = session.take() { return SessionPart.beginning(begun) }
                return flows.next().map { SessionPart.flow(flow(pair($0.policy, outbound: $0.outbound))) }
            }
        }
    }

    private func base(peer: String) -> SessionView.Session {
        var session = SessionView.Session()
        session.interface = scheme?.interface
        session.map = mapName(of: IPAddress(text: peer))
        session.peerAddress = peer
        return session
    }

    private var configuredPeers: [IPAddress] {
        Set((scheme?.maps ?? []).flatMap(\.entries).flatMap(\.peers)).sorted()
    }

    /// A configured peer without SAs, with the flows that its connection would make.
    private func down(_ peer: IPAddress) -> SessionView.Session {
        var session = base(peer: peer.description)
        session.localAddress = scheme?.virtualAddresses.first?.description
        let children = connections.filter { $0.remoteAddresses.contains(peer.description) }.flatMap(\.children)
        session.flows = children.map { child in
            var flow = SessionView.Flow()
            flow.local = child.localSelectors.first ?? ""
            flow.remote = child.remoteSelectors.first ?? ""
            return flow
        }
        return session
    }
}
