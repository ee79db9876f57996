// SPDX-License-Identifier: Apache-2.0

private import Primitives
import Tracking

extension Model.TrackedObject {
    /// The object's canonical text, a separating line in front.
    var canonicalLines: [String] {
        var lines = ["!", "track \(number) \(kind.words)"]
        if case .list(let list) = kind { lines += list.canonicalLines }
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
