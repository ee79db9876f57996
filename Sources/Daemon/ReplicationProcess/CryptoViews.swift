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

    // MARK: IKE

    /// `show crypto isakmp sa`.
    func isakmp(_ listing: [ListedIKE]) -> ISAKMPView {
        var view = ISAKMPView()
        view.isakmpSAs = ours(listing).sorted { $0.uniqueID < $1.uniqueID }.map { ike in
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
        return view
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

    /// `show crypto ipsec sa`; without a listing, what the kernel alone knows.
    func ipsec(_ listing: [ListedIKE]?) -> IPsecView {
        var view = IPsecView()
        for ike in ours(listing ?? []) {
            for child in ike.children where child.spis.inbound != 0 { view.ipsecSAs.append(pair(child, of: ike)) }
        }
        let shown = Set(view.ipsecSAs.compactMap { $0.outbound?.spi })
        view.ipsecSAs += kernelPairs.filter { !shown.contains($0.outbound?.spi ?? "") }
        return view
    }

    private func pair(_ child: ListedChild, of ike: ListedIKE) -> IPsecView.Pair {
        var pair = IPsecView.Pair()
        let peer = IPAddress(text: ike.remoteHost)
        pair.interface = scheme?.interface
        pair.map = peer.flatMap { scheme?.map(for: $0)?.name }
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

    /// Outbound tunnel policies from our addresses with the SAs of their request id.
    private var kernelPairs: [IPsecView.Pair] {
        guard let scheme else { return [] }
        return policies.compactMap { policy in
            guard policy.direction == .outbound, let template = policy.template,
                scheme.virtualAddresses.contains(template.source),
                let outbound = sas.outboundByRequest[template.requestID], outbound.source == template.source
            else { return nil }
            let inbound = sas.inboundByRequest[template.requestID]
            var pair = IPsecView.Pair()
            pair.interface = scheme.interface
            pair.map = scheme.map(for: template.destination)?.name
            pair.status = isActive ? "ACTIVE" : "STANDBY"
            pair.localAddress = template.source.description
            pair.peerAddress = template.destination.description
            pair.local = policy.selector.source.description
            pair.remote = policy.selector.destination.description
            pair.inbound = inbound.map { esp($0.identity.spi, isInbound: true, lifeSeconds: nil) }
            pair.outbound = esp(outbound.identity.spi, isInbound: false, lifeSeconds: nil)
            return pair
        }
    }

    private static func text(_ spi: UInt32) -> String {
        let digits = String(spi, radix: 16)
        return "0x" + String(repeating: "0", count: 8 - digits.count) + digits
    }

    // MARK: Sessions

    /// `show crypto session`: the peers with SAs, then the configured ones without.
    func sessions(_ listing: [ListedIKE]?) -> SessionView {
        var view = SessionView()
        for ike in ours(listing ?? []).sorted(by: { $0.uniqueID < $1.uniqueID }) { view.sessions.append(session(ike)) }
        addKernelOnly(to: &view)
        let peers = Set(view.sessions.map(\.peerAddress))
        for peer in configuredPeers where !peers.contains(peer.description) { view.sessions.append(down(peer)) }
        return view
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

    /// SAs that only the kernel knows: charon is away, or never made them.
    private func addKernelOnly(to view: inout SessionView) {
        let shown = Set(view.sessions.flatMap(\.flows).compactMap { $0.outbound?.spi })
        for pair in kernelPairs where !shown.contains(pair.outbound?.spi ?? "") {
            if let index = view.sessions.firstIndex(where: { $0.peerAddress == pair.peerAddress && $0.ike == nil }) {
                view.sessions[index].flows.append(flow(pair))
                continue
            }
            guard !view.sessions.contains(where: { $0.peerAddress == pair.peerAddress }) else { continue }
            var session = base(peer: pair.peerAddress)
            session.status = isActive ? "UP-ACTIVE" : "UP-STANDBY"
            session.localAddress = pair.localAddress
            session.flows = [flow(pair)]
            view.sessions.append(session)
        }
    }

    private func base(peer: String) -> SessionView.Session {
        var session = SessionView.Session()
        session.interface = scheme?.interface
        session.map = IPAddress(text: peer).flatMap { scheme?.map(for: $0)?.name }
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
