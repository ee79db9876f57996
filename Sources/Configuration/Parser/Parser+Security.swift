// SPDX-License-Identifier: Apache-2.0

private import Primitives

/// `security …` under `redundancy inter-device`.
extension Parser {
    mutating func parseSecurity(_ statement: inout Statement) throws(Fault) {
        if statement.isNegated, statement.isAtEnd {
            draft.security = SecurityDraft()
            return
        }
        let place = statement
        switch try statement.keyword(["none", "identity", "peer", "ipsec"]) {
        case "none":
            try statement.finish()
            draft.security.isNone = !statement.isNegated
            draft.places[.securityNone] = place.position
        case "identity": try parseIdentity(&statement)
        case "peer": try parsePeer(&statement)
        default:
            throw place.fault(
                "`security ipsec` is not available; write `security identity FILE` and `security peer sha256:…`")
        }
    }

    private mutating func parseIdentity(_ statement: inout Statement) throws(Fault) {
        if statement.isNegated {
            statement.skipRest()
            draft.security.identityPath = nil
            return
        }
        let place = statement
        let path = try statement.word(
            "the file that `havpnctl keygen` made", maximumByteCount: Limits.identityPathByteCount)
        guard path.hasPrefix("/") else { throw place.fault("expected an absolute path, found `\(path)`") }
        try statement.finish()
        let known = draft.security.identityPath
        note(.securityIdentity, place.position, replaces: known != nil && known != path)
        draft.security.identityPath = path
    }

    private mutating func parsePeer(_ statement: inout Statement) throws(Fault) {
        if statement.isNegated, statement.isAtEnd {
            draft.security.peers = []
            return
        }
        let place = statement
        let text = try statement.word("the peer's fingerprint", maximumByteCount: Limits.lineByteCount)
        guard let fingerprint = Fingerprint(text: text) else {
            throw place.fault(
                "expected the fingerprint of the peer's key, `sha256:` and 64 lower-case hexadecimal digits, as "
                    + "`havpnctl fingerprint FILE` prints it on the peer")
        }
        try statement.finish()
        draft.places[.securityPeer] = place.position
        draft.security.peers.removeAll { $0 == fingerprint }
        guard !statement.isNegated else { return }
        guard draft.security.peers.count < Limits.securityPeerCount else {
            throw place.fault("expected at most \(Limits.securityPeerCount) `security peer` lines")
        }
        draft.security.peers.append(fingerprint)
    }
}
