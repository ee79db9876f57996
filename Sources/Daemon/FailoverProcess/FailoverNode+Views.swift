// SPDX-License-Identifier: Apache-2.0

import Configuration
import Control
import FirstHop
import Netlink
import Primitives
import Tracking

extension FailoverNode {
    /// `show standby`.
    func standbyView(at now: Instant) -> StandbyView {
        var view = StandbyView()
        for interface in model.interfaces {
            for group in interface.groups {
                let key = GroupRunner.Key(interface: interface.name, number: group.number)
                view.groups.append(groupView(interface, group, groups[key], at: now))
            }
        }
        return view
    }

    private func groupView(
        _ interface: Model.Interface, _ group: Model.Group, _ runner: GroupRunner?, at now: Instant
    ) -> StandbyView.Group {
        var view = StandbyView.Group()
        view.interface = interface.name
        view.group = group.number
        view.name = group.name
        view.version = Int(interface.version.rawValue)
        view.usesBurnedInAddress = interface.usesBurnedInAddress
        view.configuredPriority = group.priority
        view.priority = group.priority
        view.preempt = group.preempt
        view.preemptMinimumDelayMilliseconds = group.preemptMinimumDelaySeconds * 1000
        view.preemptReloadDelayMilliseconds = group.preemptReloadDelaySeconds.map { $0 * 1000 }
        view.preemptSyncDelayMilliseconds = group.preemptSyncDelaySeconds.map { $0 * 1000 }
        view.helloMilliseconds = group.helloMilliseconds
        view.holdMilliseconds = group.holdMilliseconds
        view.authentication = authenticationText(group)
        view.follows = group.follows
        view.followers = model.interfaces.flatMap { interface in
            interface.groups.filter { group.name != nil && $0.follows == group.name }.map { follower in
                let runner = groups[.init(interface: interface.name, number: follower.number)]
                return .init(
                    interface: interface.name, group: follower.number,
                    state: runner?.machine.state.name ?? "Initial",
                    virtualAddress: follower.virtualAddress?.description, virtualMAC: runner?.virtualMAC?.description)
            }
        }
        view.virtualAddress = group.virtualAddress?.description
        view.secondaryVirtualAddresses = group.secondaryAddresses.map(\.description)
        view.globalVirtualAddresses = group.globalAddresses.map(\.description)
        view.trackedObjects = group.tracks.map { track in
            let state = tracks.state(of: track.object)?.name ?? "Undefined"
            guard case .decrement(let decrement) = track.effect else {
                return .init(id: track.object, state: state, decrement: nil)
            }
            return .init(id: track.object, state: state, decrement: decrement)
        }
        if let runner {
            describe(runner, in: &view, at: now)
        }
        return view
    }

    private func authenticationText(_ group: Model.Group) -> String? {
        switch group.authentication {
        case .text("cisco"): nil
        case .text: "text"
        case .keyString: "MD5, key-string"
        case .keyChain(let name): "MD5, key-chain \"\(name)\""
        case .keyFile(let path): "MD5, key-file \"\(path)\""
        }
    }

    private func describe(_ runner: GroupRunner, in view: inout StandbyView.Group, at now: Instant) {
        let machine = runner.machine
        view.state = machine.state.name
        view.priority = Int(machine.priority)
        view.virtualAddress = machine.virtualAddress?.description
        view.virtualMAC = runner.virtualMAC?.description
        view.helloMilliseconds = machine.hello.milliseconds
        view.holdMilliseconds = machine.hold.milliseconds
        view.stateChanges = machine.stateChangeCount
        view.lastStateChangeMilliseconds = machine.lastStateChangeAt.map { now.since($0).milliseconds }
        view.helloDueMilliseconds = machine.helloDeadline.map { $0.since(now).milliseconds }
        view.preemptDelayRemainingMilliseconds = machine.preemptDeadline.map { $0.since(now).milliseconds }
        view.startDelayRemainingMilliseconds = machine.startDeadline.map { $0.since(now).milliseconds }
        view.fence = machine.isFenceUp ? "raised" : "lowered"
        view.term = machine.settings.isFollower ? nil : Int(clamping: machine.highestTerm)
        view.declines = reasonToDecline(runner)
        let own = StandbyView.Router(
            address: machine.settings.interfacePrefix.address.description, local: true,
            priority: Int(machine.priority))
        view.activeRouter =
            machine.state == .active
            ? own : router(machine.activeRouter, expiring: machine.activeDeadline, at: now)
        view.otherActive = otherActive(of: machine, at: now)
        view.standbyRouter =
            machine.state == .standby
            ? own : router(machine.standbyRouter, expiring: machine.standbyDeadline, at: now)
    }

    private func otherActive(of machine: GroupMachine, at now: Instant) -> StandbyView.Router? {
        guard machine.state == .active, let other = machine.otherActive, now.since(other.heardAt) < machine.hold
        else { return nil }
        return router(other, expiring: other.heardAt + machine.hold, at: now)
    }

    private func router(_ known: KnownRouter?, expiring: Instant?, at now: Instant) -> StandbyView.Router? {
        known.map {
            StandbyView.Router(
                address: $0.address.description, local: false, priority: Int($0.priority),
                expiresMilliseconds: expiring.map { $0.since(now).milliseconds })
        }
    }

    private func reasonToDecline(_ runner: GroupRunner) -> String? {
        guard let link = kernel.link(named: runner.key.interface) else { return "the interface does not exist" }
        if !link.isLineProtocolUp { return "the interface is down" }
        if runner.machine.settings.interfacePrefix.address.isAny {
            return "the interface has no \(runner.configured.family == .ipv4 ? "IPv4" : "link-local") address"
        }
        if runner.machine.virtualAddress == nil, !runner.configured.learnsVirtualAddress {
            return "the group has no virtual address"
        }
        if runner.machine.settings.authentication == .missing || !hasProofKey(runner) {
            return "its key file could not be read yet"
        }
        if let follower = followers(of: runner).first(where: { !$0.machine.isReadyToFollow }) {
            return "group \(follower.key.number) on \(follower.key.interface), which follows it, is not ready"
        }
        if runner.machine.state == .active { return nil }
        if runner.machine.startDeadline != nil { return "the interface came up, and its start delay runs" }
        if runner.machine.preemptDeadline != nil { return "the preemption delay runs" }
        return runner.machine.remark
    }
}
