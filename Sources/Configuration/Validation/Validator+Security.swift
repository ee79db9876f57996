// SPDX-License-Identifier: Apache-2.0

private import Primitives

extension Validator {
    /// Makes one answer of what the `security` lines said.
    mutating func resolveSecurity() {
        let said = draft.security
        if said.isNone {
            if said.identityPath != nil || !said.peers.isEmpty {
                refuse(
                    .securityNone,
                    "`security none` contradicts `security identity` and `security peer`; "
                        + "remove it to have the association encrypted")
            }
            return set(.none)
        }
        switch (said.identityPath, said.peers.isEmpty) {
        case (let path?, false): set(.pinned(identityPath: path, peers: said.peers))
        case (_?, true):
            refuse(
                .securityIdentity,
                "no peer is known; write `security peer sha256:…` with what `havpnctl fingerprint FILE` prints "
                    + "for the peer's identity")
        case (nil, false):
            refuse(
                .securityPeer,
                "this node has no identity of its own; make one with `havpnctl keygen --out FILE` and write "
                    + "`security identity FILE`")
        case (nil, true): checkUnsecured()
        }
    }

    private mutating func checkUnsecured() {
        guard model.association != nil else { return }
        refuse(
            .association,
            "the association must say how it is secured; write `security identity FILE` and `security peer sha256:…` "
                + "under `redundancy inter-device`, or `security none` to let all keys travel in clear")
    }
}
