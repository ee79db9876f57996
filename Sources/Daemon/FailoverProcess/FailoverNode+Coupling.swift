// SPDX-License-Identifier: Apache-2.0

import Configuration
import FirstHop

/// Groups that follow others: each side hears of the other's state as soon as that changes.
extension FailoverNode {
    /// A follower must be known to be ready before its leader starts, and a leader has its role before a follower has.
    var followersFirst: [GroupRunner] {
        groups.values.filter { $0.configured.follows != nil } + groups.values.filter { $0.configured.follows == nil }
    }

    /// The groups that follow `group`; those that are being removed do not count any more.
    func followers(of group: GroupRunner) -> [GroupRunner] {
        guard !followerKeys.isEmpty, let name = group.configured.name else { return [] }
        return (followerKeys[name] ?? []).compactMap { groups[$0] }
    }

    /// The group that `group` follows.
    func leader(of group: GroupRunner) -> GroupRunner? {
        group.configured.follows.flatMap { leaderKeys[$0] }.flatMap { groups[$0] }
    }

    /// Takes over from the model who follows whom; it is looked up with every hello.
    func readCouplings() {
        followerKeys = [:]
        leaderKeys = [:]
        for interface in model.interfaces {
            for group in interface.groups {
                let key = GroupRunner.Key(interface: interface.name, number: group.number)
                if let leader = group.follows {
                    followerKeys[leader, default: []].append(key)
                } else if let name = group.name {
                    leaderKeys[name] = key
                }
            }
        }
    }

    func stepped(_ group: GroupRunner) {
        guard group.configured.follows == nil else {
            if let leader = leader(of: group) { tellReadiness(to: leader) }
            return
        }
        for follower in followers(of: group) {
            let (state, isCutOff) = (group.machine.state, group.machine.isCutOff)
            if follower.machine.leaderState != state { follower.handle(.leaderChanged(state)) }
            if follower.machine.isCutOff != isCutOff { follower.handle(.leaderIsolationChanged(isCutOff: isCutOff)) }
        }
    }

    func willStep(_ group: GroupRunner, by event: GroupEvent) {
        if event.isOfLeader { return }
        leader(of: group)?.handle(.deadlineReached)
    }

    /// After a change of the configuration: who follows whom may be new.
    func couple() {
        for group in groups.values where group.configured.follows == nil {
            tellReadiness(to: group)
            stepped(group)
        }
    }

    private func tellReadiness(to leader: GroupRunner) {
        let areReady = followers(of: leader).allSatisfy(\.machine.isReadyToFollow)
        if leader.machine.areFollowersReady != areReady { leader.handle(.followersChanged(areReady: areReady)) }
    }
}
