// SPDX-License-Identifier: Apache-2.0

extension CharonJournal {
    /// Rewrites what is told of the SA and of those that it replaced: their VPN peer is at another end now.
    ///
    /// charon installs a child where its IKE SA's end is at that moment, and moves none later. So an empty charon must
    /// hear the new end from the start, under the number that the old one had.
    mutating func moveRemote(to end: IKEEndpoint, spis: IKESPIPair) -> Ignored? {
        guard let node = nodes[spis], !node.isEnded else { return .unknownSA }
        var isChanged = false
        var next: IKESPIPair? = spis
        while let member = next {
            if rewrite(member, end) { isChanged = true }
            next = nodes[member]?.parent
        }
        return isChanged ? nil : .duplicate
    }

    private mutating func rewrite(_ spis: IKESPIPair, _ end: IKEEndpoint) -> Bool {
        var isChanged = false
        for place in [\JournalNode.firstUpdate, \.lastUpdate] {
            guard let record = nodes[spis]?[keyPath: place], record.message.remoteEndpoint != end,
                let message = record.message.replacing(remote: end)
            else { continue }
            let moved = CharonRecord(sequence: record.sequence, message: message)
            discount(record)
            nodes[spis]?[keyPath: place] = moved
            account(for: moved)
            isChanged = true
        }
        if isChanged { renewAdoption(of: spis) }
        return isChanged
    }
}
