// SPDX-License-Identifier: Apache-2.0

extension AssociationView {
    /// The screen of `show ipc association`.
    public var text: String {
        guard let association else { return "No association is configured.\n" }
        return association.lines.joined(separator: "\n") + "\n"
    }
}

extension AssociationView.Association {
    fileprivate var lines: [String] {
        var lines = ["Association \(id)", "  State is \(state)\(detail.map { " (\($0))" } ?? "")"]
        let uptime = uptimeMilliseconds.map { ", up \(Wording.age($0))" } ?? ""
        lines.append("    established \(Wording.count(established, "time"))\(uptime)")
        lines.append("  Transport is \(transport), local port \(localPort), remote port \(remotePort)")
        lines.append("  Session is \(secured ? "encrypted" : "not encrypted")")
        if let identity { lines.append("    this node is \(identity)") }
        if let peerIdentity { lines.append("    the peer is  \(peerIdentity)") }
        lines.append("  Paths")
        lines.append("    local           remote          state        RTT")
        for path in paths {
            // The kernel may know it in whole milliseconds only.
            let time = path.roundTripMicroseconds.map { $0 == 0 ? "< 1 ms" : "\(Wording.seconds($0)) ms" } ?? "-"
            lines.append(
                "    " + path.local.padded(to: 16) + path.remote.padded(to: 16) + path.state.padded(to: 13) + time
                    + (path.primary ? " (primary)" : ""))
        }
        lines.append("  Sent \(Wording.count(messagesSent, "message")), \(Wording.count(bytesSent, "byte"))")
        lines.append(
            "  Received \(Wording.count(messagesReceived, "message")), \(Wording.count(bytesReceived, "byte"))")
        lines.append("  Retransmissions \(retransmissions)")
        lines.append("  Backlog \(Wording.count(backlogRecords, "record")), \(Wording.count(backlogBytes, "byte"))")
        return lines
    }
}
