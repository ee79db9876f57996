// SPDX-License-Identifier: Apache-2.0

private import Primitives
import Tracking

/// Objects that need something done: scripts, `ip sla`; processes and files.
extension Parser {
    func parseTrackedScript(_ statement: inout Statement) throws(Fault) -> ObjectKind {
        .script(ScriptSettings(path: try parsePath(&statement, "a program")))
    }

    func parseTrackedFile(_ statement: inout Statement) throws(Fault) -> ObjectKind {
        .file(try parsePath(&statement, "a file"))
    }

    func parseTrackedProcess(_ statement: inout Statement) throws(Fault) -> ObjectKind {
        let place = statement
        let most = Tracking.Limits.processNameByteCount
        let name = try statement.word("the name of a process", maximumByteCount: Limits.pathByteCount)
        guard name.utf8.count <= most else {
            let cut = String(decoding: name.utf8.prefix(most), as: UTF8.self)
            throw place.fault("the kernel keeps \(most) bytes of a process's name; write `\(cut)`")
        }
        return .process(name)
    }

    /// `ip sla N [reachability | state]`, or IOS's former `rtr N …`.
    func parseTrackedEcho(_ statement: inout Statement) throws(Fault) -> ObjectKind {
        let number = try statement.integer(1...2_147_483_647, "the number of an `ip sla` operation")
        guard !statement.isAtEnd else { return .echo(operation: number, .reachability) }
        return .echo(
            operation: number, try statement.keyword(["reachability", "state"]) == "state" ? .state : .reachability)
    }

    func parsePath(_ statement: inout Statement, _ what: String) throws(Fault) -> String {
        let place = statement
        let path = try statement.word("the path of \(what)", maximumByteCount: Limits.pathByteCount)
        guard path.hasPrefix("/") else { throw place.fault("expected an absolute path, found `\(path)`") }
        return path
    }

    // MARK: Under a tracked object

    /// `interval`, `timeout`, `rise`, `fall`, `user` under a script.
    func parseScriptSetting(
        _ statement: inout Statement, _ object: inout Model.TrackedObject, _ word: String, _ place: Statement
    ) throws(Fault) {
        guard case .script(var settings) = object.kind else {
            throw place.fault(
                "`\(word)` belongs under `track NUMBER script PATH`; object \(object.number) is "
                    + "`\(object.kind.sentence)`")
        }
        let fresh = ScriptSettings(path: settings.path)
        let isNegated = statement.isNegated
        if isNegated { statement.skipRest() }
        switch word {
        case "interval":
            settings.intervalSeconds =
                isNegated ? fresh.intervalSeconds : try statement.integer(1...3600, "the interval in seconds")
        case "timeout":
            settings.timeoutSeconds =
                isNegated ? fresh.timeoutSeconds : try statement.integer(1...3600, "the timeout in seconds")
        case "rise": settings.rise = isNegated ? 1 : try statement.integer(1...255, "how many successes in a row")
        case "fall": settings.fall = isNegated ? 1 : try statement.integer(1...255, "how many failures in a row")
        default:
            let place = statement
            settings.user =
                isNegated ? nil : try statement.word("a user's name", maximumByteCount: Limits.userNameByteCount)
            guard settings.user != "root" else {
                throw place.fault("scripts never run as root; name another user, `nobody` is the default")
            }
        }
        object.kind = .script(settings)
    }

    /// `default-state up|down`: what a script or an operation counts as before its first result.
    func parseDefaultState(
        _ statement: inout Statement, _ object: inout Model.TrackedObject, _ place: Statement
    ) throws(Fault) {
        switch object.kind {
        case .script, .echo: break
        default:
            throw place.fault("`default-state` belongs under `track NUMBER script` and `track NUMBER ip sla` alone")
        }
        if statement.isNegated {
            object.defaultState = .up
            return statement.skipRest()
        }
        object.defaultState = try statement.keyword(["up", "down"]) == "up" ? .up : .down
    }
}
