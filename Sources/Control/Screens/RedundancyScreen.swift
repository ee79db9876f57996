// SPDX-License-Identifier: Apache-2.0

extension RedundancyView {
    /// The screen of `show redundancy`: states, the scheme, and what is missing.
    public var text: String { statesText + "\n" + interDeviceText + remarksText }

    /// The screen of `show redundancy states`.
    public var statesText: String {
        let rows: [(String, String)] = [
            ("my state", numbered(state)),
            ("peer state", peerState.map(numbered) ?? "1  -DISABLED"),
            ("Mode", peerState == nil ? "Simplex" : "Duplex"),
            ("Communications", communications),
            ("Term", "\(term)"),
            ("Switchovers", "\(switchovers)"),
            ("Unacknowledged", unacknowledged),
            ("IKE SAs", "\(ikeSAs)"),
            ("IPsec SA pairs", "\(childSAs)"),
        ]
        return rows.map { $0.0.rightAligned(to: 15) + " = " + $0.1 + "\n" }.joined()
    }

    /// The screen of `show redundancy inter-device`.
    public var interDeviceText: String {
        var lines = ["Redundancy inter-device state: \(interDeviceState)"]
        if let scheme {
            lines.append("  Scheme: Standby")
            let group = groupState.map { " Group State: \($0)" } ?? ""
            lines.append("      Groupname: \(scheme)\(group)")
            for address in virtualAddresses { lines.append("      Virtual address: \(address)") }
        } else {
            lines.append("  Scheme: Not configured")
        }
        lines.append("  Peer present: RF_INTERDEV_PEER_\(communications == "Up" ? "COMM" : "NO_COMM")")
        let isClear = security == "none"
        lines.append(
            "  Security: \(scheme == nil ? "Not configured" : isClear ? "none (keys travel in clear)" : security)")
        lines.append("  State replication: \(stateful ? "stateful" : "not configured (no crypto map says `stateful`)")")
        if let daemon = ikeDaemon { lines.append("  IKE daemon: \(text(daemon))") }
        return lines.joined(separator: "\n") + "\n"
    }

    /// The screen of `show redundancy history`.
    public var historyText: String {
        guard !history.isEmpty else { return "No state change yet.\n" }
        return history.map { "\($0.time)  \($0.from) -> \($0.to)  \($0.reason)".trimmedEnd + "\n" }.joined()
    }

    private var remarksText: String {
        var lines: [String] = []
        if !missingForHot.isEmpty { lines += ["", "Missing for STANDBY HOT:"] + missingForHot.map { "  - \($0)" } }
        let foreign = foreignActives.map { "\($0.address) is Active in group \($0.group) on \($0.interface) as well" }
        let warnings = foreign + self.warnings
        if !warnings.isEmpty { lines += ["", "Warnings:"] + warnings.map { "  - \($0)" } }
        return lines.map { $0 + "\n" }.joined()
    }

    private var unacknowledged: String {
        let age = oldestUnacknowledgedMilliseconds.map { ", oldest \($0) ms" } ?? ""
        return Wording.count(unacknowledgedRecords, "record") + age
    }

    private func text(_ daemon: IKEDaemon) -> String {
        guard daemon.kind != "none" else { return "none" }
        guard daemon.reachable else { return "\(daemon.kind), not reachable" }
        let version = daemon.version.map { " \($0)" } ?? ""
        let connections =
            daemon.connections.isEmpty
            ? "no connection loaded" : "connections \(daemon.connections.joined(separator: ", "))"
        return "\(daemon.kind)\(version), ha plugin \(daemon.haPlugin ? "heard" : "not heard"), \(connections)"
    }

    private var interDeviceState: String {
        guard scheme != nil else { return "RF_INTERDEV_STATE_INIT" }
        if state.hasPrefix("ACTIVE") { return "RF_INTERDEV_STATE_ACT" }
        return state.hasPrefix("STANDBY") ? "RF_INTERDEV_STATE_STDBY" : "RF_INTERDEV_STATE_INIT"
    }

    /// IOS's number of a state in front of its name.
    private func numbered(_ state: String) -> String {
        let numbers = [
            "DISABLED": 1, "INITIALIZATION": 2, "NEGOTIATION": 3, "STANDBY COLD": 4, "STANDBY COLD-BULK": 7,
            "STANDBY HOT": 8, "ACTIVE-FAST": 9, "ACTIVE-DRAIN": 10, "ACTIVE": 13,
        ]
        return "\(numbers[state] ?? 0)".padded(to: 3) + "-\(state)"
    }
}
