// SPDX-License-Identifier: Apache-2.0

import SecurityAssociations

extension CharonJournal {
    mutating func addIKE(_ record: CharonRecord, spis: IKESPIPair) -> Ignored? {
        guard let identity = record.message.identity else { return .unknownSA }
        guard let node = nodes[spis] else {
            guard hasRoom(for: record) else { return .overLimit }
            var node = JournalNode(identity: identity, first: record)
            if let old = record.message.rekeyedIdentity?.spis, old != spis, nodes[old] != nil {
                node.parent = old
                nodes[old]?.successors.append(spis)
            }
            nodes[spis] = node
            account(for: record)
            return nil
        }
        if node.additions.contains(where: { $0.message.bytes == record.message.bytes }) { return .duplicate }
        // Only later versions derive new keys for a standing SA (IKE_INTERMEDIATE).
        guard record.message.version != .three, !node.isEnded else { return .conflicting }
        guard node.additions.count <= Limits.keyUpdateCount, hasRoom(for: record) else { return .overLimit }
        nodes[spis]?.additions.append(record)
        account(for: record)
        return nil
    }

    mutating func updateIKE(_ record: CharonRecord, spis: IKESPIPair) -> Ignored? {
        let message = record.message
        guard let name = message.configurationName else {
            guard message.isPeerMove, let end = message.remoteEndpoint else {
                return replaceLast(\.virtualAddressUpdate, with: record, spis: spis)
            }
            return moveRemote(to: end, spis: spis)
        }
        // The first full update stays: children behind it in the order need the connection that it names.
        guard let node = nodes[spis], node.firstUpdate != nil else {
            if let refusal = replaceLast(\.firstUpdate, with: record, spis: spis) { return refusal }
            nodes[spis]?.adoption = AdoptionKey(message, connection: name)
            adoptPredecessor(of: spis)
            return nil
        }
        if node.firstUpdate?.message.bytes == message.bytes {
            // Back to how it was first: the later update is void.
            guard let later = node.lastUpdate, !node.isEnded else { return .duplicate }
            discount(later)
            nodes[spis]?.lastUpdate = nil
            return nil
        }
        return replaceLast(\.lastUpdate, with: record, spis: spis)
    }

    /// Makes the newest other live IKEv1 SA between the same ends a predecessor, as charon does.
    private mutating func adoptPredecessor(of spis: IKESPIPair) {
        guard let node = nodes[spis], node.identity.version == 1, node.parent == nil, let key = node.adoption else {
            return
        }
        let old = (adoptable[key] ?? []).compactMap { nodes[$0] }
            .filter { !$0.isEnded && $0.successors.isEmpty && root(of: $0.identity.spis) != spis }
            .max { ($0.children.isEmpty ? 0 : 1, $0.firstSequence) < ($1.children.isEmpty ? 0 : 1, $1.firstSequence) }
        adoptable[key, default: []].insert(spis)
        guard let old = old?.identity.spis else { return }
        nodes[spis]?.parent = old
        nodes[old]?.successors.append(spis)
        // A passive charon destroys the old one at once; the active one says so only seconds later.
        markEnded(old)
        dropNeedlessRoots(from: root(of: old))
    }

    /// Lets IKEv1 SAs that are made from now on find this one at its peer's new end.
    mutating func renewAdoption(of spis: IKESPIPair) {
        guard let node = nodes[spis], let old = node.adoption,
            let update = (node.lastUpdate ?? node.firstUpdate)?.message,
            let name = update.configurationName
        else { return }
        forgetAdoption(of: spis, under: old)
        let key = AdoptionKey(update, connection: name)
        nodes[spis]?.adoption = key
        if node.identity.version == 1 { adoptable[key, default: []].insert(spis) }
    }

    mutating func replaceLast(
        _ place: WritableKeyPath<JournalNode, CharonRecord?>, with record: CharonRecord, spis: IKESPIPair
    ) -> Ignored? {
        guard let node = nodes[spis], !node.isEnded else { return .unknownSA }
        let replaced = node[keyPath: place]
        if let replaced, replaced.message.bytes == record.message.bytes { return .duplicate }
        guard replaced != nil || hasRoom(for: record) else { return .overLimit }
        discount(replaced)
        nodes[spis]?[keyPath: place] = record
        account(for: record)
        return nil
    }

    mutating func addChild(_ record: CharonRecord, spis: IKESPIPair) -> Ignored? {
        guard let inbound = record.message.inboundSPI, let node = nodes[spis], !node.isEnded else { return .unknownSA }
        // charon has already replaced this SA and would not find it.
        guard node.successors.isEmpty else { return .unknownSA }
        let holder = familyMember(withChild: inbound, near: spis)
        let replaced = holder.flatMap { nodes[$0]?.children[inbound] }
        if let replaced, replaced.message.bytes == record.message.bytes { return .duplicate }
        guard hasRoom(for: record) else { return .overLimit }
        if let holder { nodes[holder]?.children[inbound] = nil }
        discount(replaced)
        nodes[spis]?.children[inbound] = record
        account(for: record)
        return nil
    }

    mutating func removeChild(_ record: CharonRecord, spis: IKESPIPair) -> Ignored? {
        guard let inbound = record.message.inboundSPI, nodes[spis] != nil,
            let holder = familyMember(withChild: inbound, near: spis)
        else { return .unknownSA }
        discount(nodes[holder]?.children.removeValue(forKey: inbound))
        dropNeedlessRoots(from: root(of: spis))
        return nil
    }

    mutating func endIKE(_ record: CharonRecord, spis: IKESPIPair) -> Ignored? {
        guard let node = nodes[spis], !node.isEnded else { return .unknownSA }
        markEnded(spis)
        nodes[spis]?.end = record
        account(for: record)
        var top = root(of: spis)
        var dead: IKESPIPair? = spis
        while let pair = dead, let node = nodes[pair], node.isEnded, !hasLiveMember(pair) {
            dead = node.parent
            if pair == top { top = node.parent ?? pair }
            if let parent = node.parent { nodes[parent]?.successors.removeAll { $0 == pair } }
            for member in subtree(of: pair) { forget(member) }
        }
        dropNeedlessRoots(from: top)
        return nil
    }

    private mutating func markEnded(_ spis: IKESPIPair) {
        guard let node = nodes[spis] else { return }
        nodes[spis]?.isEnded = true
        for place in JournalNode.placesOfLiveOnly {
            discount(node[keyPath: place])
            nodes[spis]?[keyPath: place] = nil
        }
    }

    /// Drops ended ancestors under which no live child was derived, from the top down.
    private mutating func dropNeedlessRoots(from top: IKESPIPair) {
        var waiting = [top]
        while let pair = waiting.popLast() {
            guard let node = nodes[pair], node.isEnded, node.children.isEmpty else { continue }
            for successor in node.successors { nodes[successor]?.parent = nil }
            waiting += node.successors
            forget(pair)
        }
    }

    private mutating func forgetAdoption(of spis: IKESPIPair, under key: AdoptionKey) {
        adoptable[key]?.remove(spis)
        if adoptable[key]?.isEmpty ?? false { adoptable[key] = nil }
    }

    private mutating func forget(_ spis: IKESPIPair) {
        guard let node = nodes.removeValue(forKey: spis) else { return }
        for record in node.records { discount(record) }
        if let key = node.adoption { forgetAdoption(of: spis, under: key) }
    }
}
