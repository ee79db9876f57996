// SPDX-License-Identifier: Apache-2.0

/// The Prometheus exposition text of `metrics`.
public enum Metrics {
    /// Counters become `havpn_events_total`, states become gauges that are 1 for the state that holds.
    public static func text(counters: CountersView, standby: StandbyView?, redundancy: RedundancyView?) -> String {
        var lines = ["# TYPE havpn_events_total counter"]
        for (name, value) in counters.counters.sorted(by: { $0.key < $1.key }) {
            lines.append("havpn_events_total{name=\"\(escaped(name))\"} \(value)")
        }
        lines += HelloLateness.metrics(of: counters.counters)
        if let standby {
            lines.append("# TYPE havpn_group_state gauge")
            for group in standby.groups {
                let labels = "interface=\"\(escaped(group.interface))\",group=\"\(group.group)\""
                for state in ["Initial", "Learn", "Listen", "Speak", "Standby", "Active"] {
                    lines.append("havpn_group_state{\(labels),state=\"\(state)\"} \(state == group.state ? 1 : 0)")
                }
            }
            lines.append("# TYPE havpn_group_priority gauge")
            for group in standby.groups {
                let labels = "interface=\"\(escaped(group.interface))\",group=\"\(group.group)\""
                lines.append("havpn_group_priority{\(labels)} \(group.priority)")
            }
        }
        if let redundancy { lines += gauges(redundancy) }
        return lines.joined(separator: "\n") + "\n"
    }

    private static func gauges(_ view: RedundancyView) -> [String] {
        let isReady = view.peerState == "STANDBY HOT" || view.state == "STANDBY HOT"
        let gauges: [(String, Int)] = [
            ("havpn_association_up", view.communications == "Up" ? 1 : 0), ("havpn_standby_hot", isReady ? 1 : 0),
            ("havpn_term", view.term), ("havpn_unacknowledged_records", view.unacknowledgedRecords),
            ("havpn_ike_sas", view.ikeSAs), ("havpn_child_sas", view.childSAs),
        ]
        return gauges.flatMap { ["# TYPE \($0.0) gauge", "\($0.0) \($0.1)"] }
    }

    private static func escaped(_ text: String) -> String {
        var result = ""
        for character in text {
            if character == "\\" || character == "\"" { result.append("\\") }
            result.append(character == "\n" ? " " : character)
        }
        return result
    }
}
