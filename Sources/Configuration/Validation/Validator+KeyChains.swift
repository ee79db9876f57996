// SPDX-License-Identifier: Apache-2.0

private import FirstHop

extension Validator {
    /// Chains that groups name must exist and have keys; others may belong to a routing protocol.
    mutating func checkKeyChains() {
        for chain in model.keyChains where chain.keys.count > KeyChain.maximumKeyCount {
            refuse(
                .keyChain(chain.name),
                "the chain has \(chain.keys.count) keys; expected at most \(KeyChain.maximumKeyCount)")
        }
        var checked: Set<String> = []
        for (interface, group) in groups {
            guard case .keyChain(let name) = group.authentication else { continue }
            guard let chain = model.keyChains.first(where: { $0.name == name }) else {
                let close = Keywords.nearest(to: name, among: model.keyChains.map(\.name))
                refuse(
                    .authentication(interface, group.number),
                    "no key chain has the name `\(name)`; write `key chain \(name)` with `key 1` and `key-string KEY`"
                        + (close.map { "; did you mean `\($0)`?" } ?? ""))
                continue
            }
            if checked.insert(name).inserted { check(chain) }
        }
    }

    private mutating func check(_ chain: KeyChain) {
        if chain.keys.isEmpty {
            refuse(.keyChain(chain.name), "the chain has no key; write `key 1` and `key-string KEY` under it")
        }
        for key in chain.keys where key.secret == nil {
            refuse(.key(chain.name, key.number), "the key has no `key-string`; write `key-string KEY` under it")
        }
        for key in chain.keys {
            guard let accepted = key.acceptLifetime else { continue }
            let sent = key.sendLifetime ?? KeyChain.Lifetime(start: .min)
            if sent.start < accepted.start || (accepted.end.map { end in sent.end.map { $0 > end } ?? true } ?? false) {
                warn(
                    .key(chain.name, key.number),
                    "the key is sent at times at which it is not accepted; let `accept-lifetime` start before "
                        + "`send-lifetime` and end behind it")
            }
        }
    }
}
