// SPDX-License-Identifier: Apache-2.0

private import Primitives
import Tracking

extension Model.TrackedObject {
    /// The object's canonical text, a separating line in front.
    var canonicalLines: [String] {
        var lines = ["!", "track \(number) \(kind.words)"]
        switch kind {
        case .list(let list): lines += list.canonicalLines
        case .script(let settings): lines += settings.canonicalLines
        default: break
        }
        if defaultState == .down { lines.append(" default-state down") }
        var delay = ""
        if delayDownSeconds > 0 { delay += " down \(delayDownSeconds)" }
        if delayUpSeconds > 0 { delay += " up \(delayUpSeconds)" }
        if !delay.isEmpty { lines.append(" delay\(delay)") }
        return lines
    }
}

extension ObjectKind {
    /// What follows `track NUMBER`.
    fileprivate var words: String {
        switch self {
        case .interface(let name, let aspect): "interface \(quoted(name)) \(aspect.rawValue)"
        case .route(.ipv4(let prefix)): "ip route \(prefix) reachability"
        case .route(.ipv6(let prefix)): "ipv6 route \(prefix) reachability"
        case .list(let list): "list \(list.rule.name)"
        case .script(let settings): "script \(quoted(settings.path))"
        case .process(let name): "process \(quoted(name))"
        case .file(let path): "file \(quoted(path))"
        case .echo(let operation, let aspect): "ip sla \(operation) \(aspect.rawValue)"
        }
    }
}

extension ObjectList {
    fileprivate var canonicalLines: [String] {
        var lines: [String] = []
        for member in members {
            var line = " object \(member.object)"
            if member.isNegated { line += " not" }
            if case .weight = rule { line += " weight \(member.weight)" }
            lines.append(line)
        }
        switch rule {
        case .and, .or: break
        case .weight(let thresholds): lines.append(" threshold weight \(thresholds.words)")
        case .percentage(let thresholds): lines.append(" threshold percentage \(thresholds.words)")
        }
        return lines
    }
}

extension ObjectList.Thresholds {
    fileprivate var words: String { "up \(up) down \(down)" }
}

extension ScriptSettings {
    fileprivate var canonicalLines: [String] {
        let standard = ScriptSettings(path: path)
        var lines: [String] = []
        if intervalSeconds != standard.intervalSeconds { lines.append(" interval \(intervalSeconds)") }
        if timeoutSeconds != standard.timeoutSeconds { lines.append(" timeout \(timeoutSeconds)") }
        if rise != standard.rise { lines.append(" rise \(rise)") }
        if fall != standard.fall { lines.append(" fall \(fall)") }
        if let user { lines.append(" user \(quoted(user))") }
        return lines
    }
}

extension EchoOperation {
    /// The operation's canonical text, a separating line in front.
    var canonicalLines: [String] {
        var echo = " icmp-echo \(destination)"
        switch source {
        case .route: break
        case .interface(let name): echo += " source-interface \(quoted(name))"
        case .address(let address): echo += " source-ip \(address)"
        }
        var lines = ["!", "ip sla \(number)", echo]
        if let thresholdMilliseconds { lines.append("  threshold \(thresholdMilliseconds)") }
        if let timeoutMilliseconds { lines.append("  timeout \(timeoutMilliseconds)") }
        let standard = EchoOperation(number: number, destination: destination)
        if frequencySeconds != standard.frequencySeconds { lines.append("  frequency \(frequencySeconds)") }
        if isScheduled { lines.append("ip sla schedule \(number) life forever start-time now") }
        return lines
    }
}
