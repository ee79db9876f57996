// SPDX-License-Identifier: Apache-2.0

extension Simulation {
    /// Plans a fault and its end, counted from `start`.
    func plan(_ timed: TimedFault, from start: UInt64) {
        let at = start + timed.atMilliseconds * millisecond
        schedule(at: at) { [unowned self] in
            note("FAULT: \(timed.fault)")
            begin(timed.fault, lasting: timed.lengthMilliseconds * millisecond)
        }
        schedule(at: at + timed.lengthMilliseconds * millisecond) { [unowned self] in
            note("over: \(timed.fault)")
            end(timed.fault)
        }
    }

    private func begin(_ fault: Fault, lasting length: UInt64) {
        switch fault {
        case .lanCut(let from, let isBothWays): setLAN(from: from, isBothWays: isBothWays, isCut: true)
        case .lanNoise(let loss, let duplicates, let delay):
            (lan.lossPercent, lan.duplicatePercent, lan.extraDelayMicroseconds) = (loss, duplicates, delay)
        case .syncCut(let from, let isBothWays): setAssociation(from: from, isBothWays: isBothWays, isCut: true)
        case .syncNoise(let loss): association.lossPercent = loss
        case .deadPort(let node): lan.isPortDead[node] = true
        case .lanLink(let node): nodes[node].kernel.setCarrier(false)
        case .insideLink(let node): nodes[node].setInside(false)
        case .crash(let node, let kind, let actions):
            guard !nodes[node].isPaused else { return }
            if actions == 0 {
                nodes[node].process(kind).die()
            } else {
                nodes[node].process(kind).actionsUntilDeath = actions
            }
        case .killDaemon(let node): nodes[node].killDaemon(restartAfter: length)
        case .stall(let node, let kind): nodes[node].process(kind).stall()
        case .stallAll(let node): for process in nodes[node].ownProcesses { process.stall() }
        case .pause(let node): nodes[node].pause(unseen: true)
        case .standstill(let node): nodes[node].pause(unseen: false)
        case .powerOff(let node): nodes[node].powerOff()
        case .slowKernel(let node, let milliseconds): nodes[node].kernel.delay = milliseconds * millisecond
        case .failingKernel(let node, let percent): nodes[node].kernel.refusedPercent = percent
        case .theft(let node): nodes[node].kernel.lose()
        case .reload(let node): nodes[node].failover.reload(preempts: !settings.preempts)
        case .burst(let rate): tunnels.packetsPerSecond = rate
        case .switchover:
            for node in nodes where node.failover.isActive { node.failover.after(0) { node.failover.switchover() } }
        }
    }

    private func end(_ fault: Fault) {
        switch fault {
        case .lanCut(let from, let isBothWays): setLAN(from: from, isBothWays: isBothWays, isCut: false)
        case .lanNoise: (lan.lossPercent, lan.duplicatePercent, lan.extraDelayMicroseconds) = (0, 0, 0)
        case .syncCut(let from, let isBothWays): setAssociation(from: from, isBothWays: isBothWays, isCut: false)
        case .syncNoise: association.lossPercent = 0
        case .deadPort(let node): lan.isPortDead[node] = false
        case .lanLink(let node): nodes[node].kernel.setCarrier(true)
        case .insideLink(let node): nodes[node].setInside(true)
        case .stall(let node, let kind): nodes[node].process(kind).resume()
        case .stallAll(let node): for process in nodes[node].ownProcesses { process.resume() }
        case .pause(let node), .standstill(let node): nodes[node].unpause()
        case .powerOff(let node): nodes[node].powerOn()
        case .slowKernel(let node, _): nodes[node].kernel.delay = 0
        case .failingKernel(let node, _): nodes[node].kernel.refusedPercent = 0
        case .burst: tunnels.packetsPerSecond = settings.packetsPerSecond
        case .crash(let node, .charon, _): if nodes[node].isPowered { nodes[node].charon.startAnew() }
        case .reload(let node): nodes[node].failover.reload(preempts: settings.preempts)
        case .crash, .killDaemon, .theft, .switchover: break
        }
    }

    private func setAssociation(from node: Int, isBothWays: Bool, isCut: Bool) {
        association.isCut[node][1 - node] = isCut
        if isBothWays { association.isCut[1 - node][node] = isCut }
        association.pathsChanged()
    }

    private func setLAN(from node: Int, isBothWays: Bool, isCut: Bool) {
        for other in nodes.indices where other != node {
            lan.isCut[node][other] = isCut
            if isBothWays { lan.isCut[other][node] = isCut }
        }
    }
}
