// SPDX-License-Identifier: Apache-2.0

import FirstHop
import LinuxIO
import Primitives

extension FailoverNode {
    /// Carries out what the watch over the replication process asks for.
    func watchReplication(_ event: ReplicationWatch.Event) {
        var actions: [ReplicationWatch.Action] = []
        replicationWatch.handle(event, at: Reactor.now(), actions: &actions)
        for action in actions {
            switch action {
            case .ask(let number): replication?.send(.watchAsked(number: number))
            case .noteSilence(let isSilent):
                if isSilent { count("replication.silent") }
                log("%HAVPN-4-REPLICATION: the replication process \(isSilent ? "does not answer" : "answers again")")
                schemeGroup?.handle(.replicationSilenceChanged(isSilent: isSilent))
            }
        }
        armReplicationTimer()
    }

    private func armReplicationTimer() {
        let deadline = replicationWatch.nextDeadline
        guard deadline != replicationTimer?.deadline else { return }
        if let replicationTimer { reactor.cancel(replicationTimer.token) }
        replicationTimer = deadline.map { at in
            let token = reactor.schedule(at: at) { [unowned self] in
                replicationTimer = nil
                watchReplication(.deadlineReached)
            }
            return (token, at)
        }
    }
}
