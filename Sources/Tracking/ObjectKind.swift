// SPDX-License-Identifier: Apache-2.0

public import Primitives

/// What an object watches (reference first-hop §3.1).
public enum ObjectKind: Hashable, Sendable {
    /// `interface NAME line-protocol | ip routing | ipv6 routing`.
    case interface(String, InterfaceAspect)
    /// `ip route PREFIX reachability`, `ipv6 route PREFIX reachability`.
    case route(IPPrefix)
    /// `list boolean and|or`, `list threshold weight|percentage`.
    case list(ObjectList)
    /// `script PATH`.
    case script(ScriptSettings)
    /// `process NAME`: the kernel's name of it, at most 15 bytes.
    case process(String)
    /// `file PATH`.
    case file(String)
    /// `ip sla OPERATION reachability | state`.
    case echo(operation: Int, EchoAspect)

    /// The kind in IOS's words, as `show track` and log lines print it: `interface line-protocol`.
    public var name: String {
        switch self {
        case .interface(_, let aspect): "interface \(aspect.rawValue)"
        case .route(.ipv4): "ip route reachability"
        case .route(.ipv6): "ipv6 route reachability"
        case .list(let list): "list \(list.rule.name)"
        case .script: "script"
        case .process: "process"
        case .file: "file"
        case .echo(_, let aspect): "ip sla \(aspect.rawValue)"
        }
    }

    /// What of that kind is watched: an interface's name, a network, a path; empty for a list.
    public var target: String {
        switch self {
        case .interface(let name, _): name
        case .route(let destination): destination.description
        case .list: ""
        case .script(let settings): settings.path
        case .process(let name): name
        case .file(let path): path
        case .echo(let operation, _): "\(operation)"
        }
    }

    /// Whether the kernel must be asked about it beyond what events say.
    public var isRouting: Bool {
        switch self {
        case .interface(_, .ipRouting), .interface(_, .ipv6Routing), .route: true
        default: false
        }
    }

    /// Kind and target as a log line names them: `interface eth0 line-protocol`.
    public var sentence: String {
        let words = name.split(separator: " ")
        let places = target.isEmpty ? [] : [Substring(target)]
        switch self {
        case .interface, .list, .script, .process, .file:
            return (words.prefix(1) + places + words.dropFirst()).joined(separator: " ")
        case .route, .echo: return (words.prefix(2) + places + words.dropFirst(2)).joined(separator: " ")
        }
    }
}

/// What of an interface is watched.
public enum InterfaceAspect: String, Hashable, Sendable, CaseIterable {
    /// Administratively up, carrier, operational.
    case lineProtocol = "line-protocol"
    /// The line protocol, an IPv4 address of the node's own, and forwarding.
    case ipRouting = "ip routing"
    /// The same for IPv6.
    case ipv6Routing = "ipv6 routing"
}

/// Whatever is known of an object at a moment.
public struct Observation: Hashable, Sendable {
    /// Whether it works.
    public var isUp: Bool
    /// Why, in a few words that stand in brackets behind the state: `no IP address`; nil where the state says it all.
    public var reason: String?

    /// Makes an observation.
    public init(isUp: Bool, reason: String? = nil) {
        self.isUp = isUp
        self.reason = reason
    }
}

/// One object as it is configured.
public struct ObjectSettings: Hashable, Sendable {
    /// 1 to 1000.
    public var number: Int
    /// What it watches.
    public var kind: ObjectKind
    /// How long it must be down before clients hear of it.
    public var downDelay: Interval
    /// How long it must be up again.
    public var upDelay: Interval
    /// What it counts as before anything is known.
    public var defaultState: TrackedObject.State

    /// Makes an object.
    public init(
        number: Int, kind: ObjectKind, downDelay: Interval = .zero, upDelay: Interval = .zero,
        defaultState: TrackedObject.State = .up
    ) {
        self.number = number
        self.kind = kind
        self.downDelay = downDelay
        self.upDelay = upDelay
        self.defaultState = defaultState
    }
}
