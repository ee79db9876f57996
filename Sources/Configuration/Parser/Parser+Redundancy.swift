// SPDX-License-Identifier: Apache-2.0

private import Primitives

/// `redundancy inter-device` and `ike-daemon`.
extension Parser {
    mutating func parseRedundancyLine(_ statement: inout Statement) throws(Fault) {
        _ = try statement.keyword(["inter-device"])
        try statement.finish()
        if statement.isNegated {
            draft.model.scheme = nil
            draft.security = SecurityDraft()
        } else {
            enter(.redundancy)
        }
    }

    mutating func parseRedundancy(_ statement: inout Statement) throws(Fault) {
        switch try statement.keyword(Mode.redundancy.statements) {
        case "scheme":
            if statement.isNegated {
                statement.skipRest()
                draft.model.scheme = nil
                return
            }
            _ = try statement.keyword(["standby"])
            let place = statement.position
            let name = try statement.word("the name of a group", maximumByteCount: Limits.groupNameByteCount)
            try statement.finish()
            note(.scheme, place, replaces: draft.model.scheme != nil && draft.model.scheme != name)
            draft.model.scheme = name
        default: try parseSecurity(&statement)
        }
    }

    mutating func parseIKEDaemonLine(_ statement: inout Statement) throws(Fault) {
        if statement.isNegated {
            statement.skipRest()
            draft.model.ikeDaemon = Model().ikeDaemon
            return
        }
        let kind = try statement.keyword(["strongswan", "none"])
        try statement.finish()
        guard kind == "strongswan" else {
            draft.model.ikeDaemon = .none
            return
        }
        draft.editStrongSwan { _ in }
        enter(.ikeDaemon)
    }

    mutating func parseIKEDaemon(_ statement: inout Statement) throws(Fault) {
        let word = try statement.keyword(Mode.ikeDaemon.statements)
        let fresh = Model.StrongSwanSettings()
        if statement.isNegated {
            statement.skipRest()
            draft.editStrongSwan { settings in
                if word == "vici" {
                    settings.viciPath = fresh.viciPath
                } else {
                    settings.haLocal = fresh.haLocal
                    settings.haRemote = fresh.haRemote
                }
            }
            return
        }
        let place = statement
        if word == "vici" {
            let path = try statement.word(
                "the path of charon's VICI socket", maximumByteCount: Limits.socketPathByteCount)
            guard path.hasPrefix("/") else { throw place.fault("expected an absolute path, found `\(path)`") }
            try statement.finish()
            draft.editStrongSwan { $0.viciPath = path }
            return
        }
        _ = try statement.keyword(["local"])
        let local = try statement.address("charon's own end of the ha plugin")
        _ = try statement.keyword(["remote"])
        let remote = try statement.address("havpnd's end of the ha plugin")
        try statement.finish()
        guard local.value >> 24 == 127, remote.value >> 24 == 127 else {
            throw place.fault(
                "expected addresses of the loopback network 127.0.0.0/8: keys travel between them in clear")
        }
        // charon compares its ends as strings; only the lower one makes every conflict end passive (ipsec-ha §1.7).
        guard "\(local)" < "\(remote)" else {
            throw place.fault(
                "expected a local address that sorts before the remote one as text, found `\(local)` and `\(remote)`")
        }
        draft.places[.haPlugin] = place.position
        draft.editStrongSwan { settings in
            settings.haLocal = local
            settings.haRemote = remote
        }
    }
}
