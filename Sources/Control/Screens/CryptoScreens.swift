// SPDX-License-Identifier: Apache-2.0

extension ISAKMPView {
    /// The screen of `show crypto isakmp sa`.
    public var text: String {
        var lines = ["IPv4 Crypto ISAKMP SA", "dst             src             state          conn-id status"]
        for sa in isakmpSAs where !sa.destination.contains(":") {
            lines.append(
                sa.destination.padded(to: 16) + sa.source.padded(to: 16) + sa.state.padded(to: 15)
                    + "\(sa.connectionID)".rightAligned(to: 7) + " \(sa.status)")
        }
        lines += ["", "IPv6 Crypto ISAKMP SA", ""]
        for sa in isakmpSAs where sa.destination.contains(":") {
            lines += [
                " dst: \(sa.destination)", " src: \(sa.source)",
                " state: \(sa.state.padded(to: 15)) conn-id: \("\(sa.connectionID)".rightAligned(to: 6)) "
                    + "status: \(sa.status)", "",
            ]
        }
        return lines.joined(separator: "\n") + "\n"
    }
}

extension SessionView {
    /// The screen of `show crypto session`.
    public var text: String { heading + sessions.map { $0.lines(isDetailed: false) }.joined() }

    /// The screen of `show crypto session detail`.
    public var detailText: String {
        let legend = """
            Code: C - IKE Configuration mode, D - Dead Peer Detection
            K - Keepalives, N - NAT-traversal, T - cTCP encapsulation
            X - IKE Extended Authentication, F - IKE Fragmentation


            """
        return heading + legend + sessions.map { $0.lines(isDetailed: true) }.joined()
    }

    private var heading: String { "Crypto session current status\n\n" }
}

extension SessionView.Session {
    fileprivate func lines(isDetailed: Bool) -> String {
        var lines = ["Interface: \(interface ?? "(none)")"]
        if isDetailed, let uptimeMilliseconds { lines.append("Uptime: \(Wording.age(uptimeMilliseconds))") }
        lines.append("Session status: \(status)")
        lines.append("Peer: \(peerAddress) port \(peerPort)\(isDetailed ? " fvrf: (none) ivrf: (none)" : "")")
        if isDetailed {
            // IOS prints the description first while it has no identity, and last otherwise.
            let identity = "      Phase1_id: \(peerIdentity ?? "(none)")"
            lines += peerIdentity == nil ? ["      Desc: (none)", identity] : [identity, "      Desc: (none)"]
        }
        if let ike { lines += text(ike, isDetailed) }
        for flow in flows { lines += text(flow, isDetailed) }
        return lines.joined(separator: "\n") + "\n\n"
    }

    private func text(_ ike: SessionView.IKE, _ isDetailed: Bool) -> [String] {
        var lines = [
            "  IKEv\(ike.version) SA: local \(localAddress ?? "(none)")/\(ike.localPort) "
                + "remote \(peerAddress)/\(ike.remotePort) Active"
        ]
        if isDetailed {
            let capabilities = ike.capabilities.isEmpty ? "(none)" : ike.capabilities
            let identifier = ike.connectionID.map { "\($0)" } ?? "(none)"
            let life = ike.lifeMilliseconds.map(Wording.clock) ?? "(none)"
            lines.append("          Capabilities:\(capabilities) connid:\(identifier) lifetime:\(life)")
        }
        return lines
    }

    private func text(_ flow: SessionView.Flow, _ isDetailed: Bool) -> [String] {
        let count = [flow.inbound, flow.outbound].filter { $0 != nil }.count
        let family = flow.local.contains(":") ? "ipv6" : "ip"
        var lines = [
            "  IPSEC FLOW: permit \(family) \(Wording.selector(flow.local)) \(Wording.selector(flow.remote))",
            "        Active SAs: \(count), origin: crypto map",
        ]
        if isDetailed {
            lines.append("        Inbound:  #pkts dec'ed \(traffic(flow.inbound))")
            lines.append("        Outbound: #pkts enc'ed \(traffic(flow.outbound))")
        }
        return lines
    }

    private func traffic(_ esp: ESP?) -> String {
        guard let esp else { return "0 drop 0 life (KB/Sec) 0/0" }
        return "\(esp.packets) drop \(esp.drops) life (KB/Sec) \(esp.lifeText)"
    }
}

extension ESP {
    /// Kilobytes and seconds that remain.
    fileprivate var lifeText: String {
        let seconds = lifeMilliseconds.map { "\(max(0, $0) / 1000)" } ?? "unlimited"
        return "\(lifeKilobytes.map { "\($0)" } ?? "KB Vol Rekey Disabled")/\(seconds)"
    }
}

extension IPsecView {
    /// The screen of `show crypto ipsec sa`.
    public var text: String {
        guard !ipsecSAs.isEmpty else { return "There are no ipsec sas\n" }
        return ipsecSAs.map { $0.lines.joined(separator: "\n") + "\n" }.joined(separator: "\n")
    }
}

extension IPsecView.Pair {
    fileprivate var lines: [String] {
        var lines = [
            "interface: \(interface ?? "(none)")",
            "    Crypto map tag: \(map ?? "(none)"), local addr \(localAddress)",
            "",
            "   protected vrf: (none)",
            "   local  ident (addr/mask/prot/port): (\(identity(local))/0/0)",
            "   remote ident (addr/mask/prot/port): (\(identity(remote))/0/0)",
            "   current_peer \(peerAddress) port 500",
        ]
        let sent = outbound?.packets ?? 0
        let received = inbound?.packets ?? 0
        lines.append("    #pkts encaps: \(sent), #pkts encrypt: \(sent), #pkts digest: \(sent)")
        lines.append("    #pkts decaps: \(received), #pkts decrypt: \(received), #pkts verify: \(received)")
        lines.append("    #send errors \(outbound?.drops ?? 0), #recv errors \(inbound?.drops ?? 0)")
        lines += ["", "     local crypto endpt.: \(localAddress), remote crypto endpt.: \(peerAddress)"]
        lines.append("     current outbound spi: \(outbound.map { Wording.spi($0.spi) } ?? "0x0(0)")")
        lines += block("inbound", inbound) + block("outbound", outbound)
        return lines
    }

    private func identity(_ selector: String) -> String {
        let (address, mask) = Wording.network(selector)
        return mask.isEmpty ? address : "\(address)/\(mask)"
    }

    private func block(_ direction: String, _ esp: ESP?) -> [String] {
        var lines = ["", "     \(direction) esp sas:"]
        guard let esp else { return lines }
        lines.append("      spi: \(Wording.spi(esp.spi))")
        if let transform { lines.append("        transform: \(transform) ,") }
        lines.append("        in use settings ={\(mode.prefix(1).uppercased() + mode.dropFirst()), }")
        lines.append("        sequence number in the kernel: \(esp.sequence)")
        lines.append("        sa timing: remaining key lifetime (k/sec): (\(esp.lifeText))")
        lines.append("        Status: ACTIVE")
        lines.append("        HA Status: \(status)")
        return lines
    }
}
