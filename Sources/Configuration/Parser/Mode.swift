// SPDX-License-Identifier: Apache-2.0

/// What a line belongs to.
enum Mode: Hashable {
    case global
    case keyChain(String)
    case key(String, UInt32)
    case interface(String)
    case track(Int)
    case operation(Int)
    case notify(String)
    case zone
    case association
    case sctp
    case sctpLocal
    case sctpRemote
    case redundancy
    case cryptoMap(String, sequence: Int)
    case ikeDaemon
    /// A mode of other software, or one whose first line was faulty: what is indented further is skipped, and where
    /// `isFlat` also what no other mode knows.
    case skipped(isFlat: Bool)

    /// The first keywords of the statements of the mode.
    var statements: [String] {
        switch self {
        case .global:
            ["hostname", "track", "ip", "key", "notify", "interface", "ipc", "redundancy", "crypto", "ike-daemon"]
        case .notify: ["group", "timeout", "user"]
        case .keyChain: ["key"]
        case .key: ["key-string", "accept-lifetime", "send-lifetime", "cryptographic-algorithm", "key"]
        case .interface: ["standby", "crypto"]
        case .track:
            ["delay", "object", "threshold", "interval", "timeout", "rise", "fall", "user", "default-state"]
        case .operation: ["icmp-echo", "frequency", "timeout", "threshold", "vrf"] + Self.withoutEffect
        case .zone: ["association"]
        case .association: ["protocol", "shutdown"]
        case .sctp: ["local-port", "remote-port"] + Self.tuning
        case .sctpLocal: ["local-ip"] + Self.tuning
        case .sctpRemote: ["remote-ip"]
        case .redundancy: ["scheme", "security"]
        case .cryptoMap: ["set", "reverse-route", "crypto"]
        case .ikeDaemon: ["vici", "ha-plugin"]
        case .skipped: []
        }
    }

    /// IOS accepts these under `protocol sctp` and under `local-port`.
    static let tuning = [
        "retransmit-timeout", "path-retransmit", "assoc-retransmit", "init-timeout", "max-inits", "keepalive",
    ]

    /// What IOS has under `ip sla` and nobody misses here.
    private static let withoutEffect = ["tag", "owner", "tos", "request-data-size", "verify-data", "history"]

    /// How the mode is named in messages.
    var title: String {
        switch self {
        case .global: "outside any mode"
        case .keyChain(let name): "under `key chain \(name)`"
        case .key(let chain, let number): "under `key \(number)` of key chain \(chain)"
        case .interface(let name): "under `interface \(name)`"
        case .track(let number): "under `track \(number)`"
        case .operation(let number): "under `ip sla \(number)`"
        case .notify(let path): "under `notify \(path)`"
        case .zone: "under `ipc zone default`"
        case .association: "under `association`"
        case .sctp: "under `protocol sctp`"
        case .sctpLocal: "under `local-port`"
        case .sctpRemote: "under `remote-port`"
        case .redundancy: "under `redundancy inter-device`"
        case .cryptoMap(let name, let sequence): "under `crypto map \(name) \(sequence)`"
        case .ikeDaemon: "under `ike-daemon strongswan`"
        case .skipped: "here"
        }
    }

    /// Global statements that open a mode: at column 0 they leave whatever mode there is.
    static let openers = ["track", "ip", "key", "notify", "interface", "ipc", "redundancy", "ike-daemon"]

    /// Where a statement that stands in the wrong mode belongs.
    static func home(of word: String) -> String? {
        switch word {
        case "standby": "`interface NAME`"
        case "key-string", "accept-lifetime", "send-lifetime": "`key NUMBER` of a `key chain NAME`"
        case "association": "`ipc zone default`"
        case "protocol": "`association 1`"
        case "local-port", "remote-port": "`protocol sctp`"
        case "local-ip": "`local-port PORT`"
        case "remote-ip": "`remote-port PORT`"
        case "scheme", "security": "`redundancy inter-device`"
        case "delay", "object", "threshold": "`track NUMBER …`"
        case "interval", "rise", "fall", "user", "default-state": "`track NUMBER script PATH`"
        case "icmp-echo", "frequency": "`ip sla NUMBER`"
        case "set", "reverse-route": "`crypto map NAME NUMBER ipsec-isakmp`"
        case "vici", "ha-plugin": "`ike-daemon strongswan`"
        default: nil
        }
    }
}
