// SPDX-License-Identifier: Apache-2.0

/// Statements of IOS that other software has taken over on Linux: skipped, with a warning that says who owns them.
enum Foreign: String, CaseIterable {
    case network = "the system's network configuration"
    case routing = "the routing daemon (FRR, BIRD)"
    case ipsec = "strongSwan (swanctl.conf)"
    case filter = "the packet filter (nftables) or strongSwan's traffic selectors"
    case system = "the operating system"

    /// The owner of a statement and the part of it that names it, nil if nobody is known; only whole words count.
    static func owner(of statement: Statement, in mode: Mode) -> (owner: Foreign, name: String)? {
        guard let word = statement.next, !word.isQuoted else { return nil }
        let first = word.text
        let second = statement.second?.text ?? ""
        let found: Foreign?
        switch mode {
        case .global where isOperation(statement): found = nil
        case .interface where isOperation(statement): found = nil
        case .global: found = global(first, second)
        case .interface: found = interface(first, second)
        case .cryptoMap: found = cryptoMap(first, second)
        default: found = nil
        }
        let pairs: Set = ["ip", "ipv6", "crypto", "set", "match", "router"]
        return found.map { ($0, pairs.contains(first) && !second.isEmpty ? "\(first) \(second)" : first) }
    }

    /// Modes whose lines are skipped even without indentation.
    static func opensMode(_ statement: Statement) -> Bool {
        guard let first = statement.next?.text, !statement.isNegated else { return false }
        switch first {
        case "router", "line", "route-map", "class-map", "policy-map", "control-plane", "archive", "redundancy":
            return true
        case "ip": return statement.second?.text == "access-list"
        case "crypto": return statement.second?.text != "map"
        default: return false
        }
    }

    /// `ip sla NUMBER`, `ip sla schedule …` and IOS's former `ip sla monitor …` are ours.
    private static func isOperation(_ statement: Statement) -> Bool {
        guard statement.next?.text == "ip", statement.second?.text == "sla" else { return false }
        var rest = statement
        rest.skip()
        rest.skip()
        guard let third = rest.next?.text else { return false }
        return Int(third) != nil || third == "schedule" || third == "monitor"
    }

    private static func global(_ first: String, _ second: String) -> Foreign? {
        switch first {
        case "ip", "ipv6": second == "access-list" ? .filter : second == "sla" ? .system : .network
        case "router", "route-map", "bfd", "mpls", "vrf": .routing
        case "access-list": .filter
        case "crypto":
            // What follows `crypto map NAME` is ours or is sorted out there.
            ["isakmp", "ipsec", "ikev2", "keyring", "pki", "dynamic-map", "ca", "key", "engine", "logging", "gdoi"]
                .contains(second) ? .ipsec : nil
        case "key": second == "config-key" ? .system : nil
        case "redundancy": second.isEmpty ? .system : nil
        case _ where systemWords.contains(first): .system
        default: nil
        }
    }

    private static let systemWords: Set = [
        "version", "service", "boot", "boot-start-marker", "boot-end-marker", "enable", "aaa", "username", "logging",
        "ntp", "snmp-server", "line", "control-plane", "clock", "multilink", "archive", "vtp", "spanning-tree", "vlan",
        "class-map", "policy-map", "tacacs-server", "radius-server", "mmi", "license", "platform", "memory-size",
        "call-home", "alias", "privilege", "scheduler", "exception", "cdp", "lldp", "subscriber", "upgrade", "card",
        "controller", "voice-card", "dial-peer", "gatekeeper", "mgcp", "hw-module", "login", "password", "monitor",
        "resource", "template", "memory", "cts", "file", "process",
    ]

    private static func interface(_ first: String, _ second: String) -> Foreign? {
        switch first {
        case "ip", "ipv6": ["ospf", "eigrp", "rip", "router"].contains(second) ? .routing : .network
        case "bfd", "mpls", "vrf", "isis": .routing
        case "speed", "duplex", "mtu", "description", "shutdown", "bandwidth", "delay", "encapsulation", "negotiation",
            "load-interval", "media-type", "mac-address", "carrier-delay", "keepalive", "arp", "switchport", "vlan",
            "channel-group", "flowcontrol", "hold-queue", "half-duplex", "full-duplex", "cdp", "lldp",
            "service-policy", "tunnel", "clock", "serial", "snmp", "logging", "spanning-tree", "nat":
            .network
        default: nil
        }
    }

    private static func cryptoMap(_ first: String, _ second: String) -> Foreign? {
        switch first {
        case "set" where !second.isEmpty && !"peer".hasPrefix(second): .ipsec
        case "match", "description", "qos", "responder-only": .ipsec
        default: nil
        }
    }
}
