// SPDX-License-Identifier: Apache-2.0

extension CharonJournal {
    /// The SAs that a charon fed with the snapshot holds.
    public var expected: LiveSet {
        var live = LiveSet()
        live.ikeSAs.reserveCapacity(nodes.count)
        live.childSAs.reserveCapacity(nodes.count)
        for (spis, node) in nodes where node.parent == nil {
            if node.successors.isEmpty {
                guard !node.isEnded else { continue }
                live.ikeSAs[spis] = node.identity
                for record in node.children.values { live.add(record, holder: spis) }
                continue
            }
            let members = subtree(of: spis)
            var holders: [IKESPIPair: IKESPIPair] = [:]
            // Members come before their successors, so backwards every successor's holder is known.
            for member in members.reversed() {
                guard let node = nodes[member] else { continue }
                let successor = node.successors.lazy.compactMap { holders[$0] }.first
                guard let holder = successor ?? (node.isEnded ? nil : member) else { continue }
                holders[member] = holder
                if holder == member { live.ikeSAs[member] = node.identity }
                for record in node.children.values { live.add(record, holder: holder) }
            }
        }
        return live
    }

    /// The oldest ancestor still known.
    func root(of spis: IKESPIPair) -> IKESPIPair {
        var top = spis
        while let parent = nodes[top]?.parent { top = parent }
        return top
    }

    /// `spis` and everything that descends from it, ancestors first.
    func subtree(of spis: IKESPIPair) -> [IKESPIPair] {
        var members = [spis]
        var index = 0
        while index < members.count {
            members += nodes[members[index]]?.successors ?? []
            index += 1
        }
        return members
    }

    func hasLiveMember(_ spis: IKESPIPair) -> Bool {
        subtree(of: spis).contains { nodes[$0].map { !$0.isEnded } ?? false }
    }

    func familyMember(withChild inbound: UInt32, near spis: IKESPIPair) -> IKESPIPair? {
        if nodes[spis]?.children[inbound] != nil { return spis }
        return subtree(of: root(of: spis)).first { nodes[$0]?.children[inbound] != nil }
    }
}

extension LiveSet {
    fileprivate mutating func add(_ child: CharonRecord, holder: IKESPIPair) {
        guard let spis = child.message.childSPIs else { return }
        childSAs[spis] = holder
    }
}

extension HAMessage {
    /// Both SPIs of a CHILD_ADD.
    var childSPIs: ChildSPIPair? {
        guard let inboundSPI, let outboundSPI else { return nil }
        return ChildSPIPair(inbound: inboundSPI, outbound: outboundSPI)
    }
}
