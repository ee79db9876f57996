// SPDX-License-Identifier: Apache-2.0

import Configuration
import Control
import FirstHop
import LinuxIO
import Netlink
import Primitives
import Tracking

extension FailoverNode {
    /// Brings groups and objects to what the model says; what did not change keeps sockets, timers and state.
    func applyModel() {
        kernel.readsIPv6 = model.interfaces.contains { $0.groups.contains { $0.family == .ipv6 } }
        kernel.readTables()
        readCouplings()
        applyTracks()
        var wanted: [GroupRunner.Key: (Model.Interface, Model.Group)] = [:]
        for interface in model.interfaces {
            for group in interface.groups {
                wanted[.init(interface: interface.name, number: group.number)] = (interface, group)
            }
        }
        for (key, runner) in groups {
            if let (interface, group) = wanted[key], keepsMachine(runner, interface, group) { continue }
            groups[key] = nil
            retiring.append(runner)
            runner.retire()
        }
        for (key, (interface, group)) in wanted {
            if let runner = groups[key] {
                runner.proofKey = proofKey(of: group)
                runner.reconfigure(interface, group, settings: settings(for: interface, group))
            } else if !retiring.contains(where: { $0.key == key }) {
                start(key, interface, group)
            }
        }
        fencesChanged()
        observeInterfaces()
        couple()
        followRoutes()
        followKeyChains()
        recomputePriorities()
        closeUnusedPorts()
        holdingChanged()
    }

    private func keepsMachine(_ runner: GroupRunner, _ interface: Model.Interface, _ group: Model.Group) -> Bool {
        runner.configured.virtualAddress == group.virtualAddress
            && runner.configured.learnsVirtualAddress == group.learnsVirtualAddress
            && runner.interface.usesBurnedInAddress == interface.usesBurnedInAddress
            && runner.interface.version == interface.version && runner.configured.virtualMAC == group.virtualMAC
            && (runner.configured.follows == nil) == (group.follows == nil)
    }

    func fencesChanged() {
        // A group that is leaving keeps its fence until it is gone; one that still has to start has one soon.
        let running = (Array(groups.values) + retiring).flatMap(\.fenced)
        let all = Set(running + model.interfaces.flatMap(\.groups).flatMap(\.tunnelEnds))
        supervisor.send(.fences(addresses: all.sorted()))
        followClaims()
    }

    private func start(_ key: GroupRunner.Key, _ interface: Model.Interface, _ group: Model.Group) {
        let isScheme = group.name != nil && group.name == model.rulingGroup
        let runner = GroupRunner(
            key: key, interface: interface, configured: group,
            settings: settings(for: interface, group), priority: effective(group).priority,
            redundancy: RedundancyStatus(isStateful: isScheme && redundancy.isStateful),
            seed: Reactor.now().nanoseconds, startsWithDaemon: !isConfigured && !isResuming, surroundings: self)
        groups[key] = runner
        for address in group.tunnelEnds {
            if !(isResuming && kernel.isOwnAddress(address)) { kernel.raiseFence(address) }
            kernel.makeStandingFence(address)
        }
    }

    /// What the machine needs to know, from configuration and interface.
    func settings(for interface: Model.Interface, _ group: Model.Group) -> GroupSettings {
        let link = kernel.link(named: interface.name)
        let nowhere = IPPrefix(address: .any(group.family), length: group.family.bitCount)
        let prefix = link.flatMap { ownPrefix(of: $0, group) } ?? nowhere
        var settings = GroupSettings(
            version: interface.version, group: UInt16(truncatingIfNeeded: group.number), interfacePrefix: prefix,
            virtualAddress: group.virtualAddress)
        settings.furtherAddresses = group.furtherAddresses
        settings.identifier = link?.mac ?? MACAddress(0)
        settings.configuredVirtualMAC = group.virtualMAC
        settings.announcementCount = interface.announcementCount
        settings.announcementInterval = .seconds(interface.announcementIntervalSeconds)
        settings.isFollower = group.follows != nil
        settings.preempt = group.preempt
        settings.startMinimumDelay = .seconds(interface.startMinimumDelaySeconds)
        settings.startReloadDelay = interface.startReloadDelaySeconds.map { .seconds($0) }
        settings.preemptMinimumDelay = .seconds(group.preemptMinimumDelaySeconds)
        settings.preemptReloadDelay = group.preemptReloadDelaySeconds.map { .seconds($0) }
        settings.preemptSyncDelay = group.preemptSyncDelaySeconds.map { .seconds($0) }
        settings.hello = .milliseconds(group.helloMilliseconds)
        settings.hold = .milliseconds(group.holdMilliseconds)
        let standard = Model.Group(number: group.number)
        settings.learnsTimers =
            !group.timersInMilliseconds && group.helloMilliseconds == standard.helloMilliseconds
            && group.holdMilliseconds == standard.holdMilliseconds
        settings.usesOwnHoldTime = group.timersInMilliseconds && interface.version == .one
        settings.authentication = authentication(of: group)
        settings.proofMode = proofKey(of: group) == nil ? nil : group.proof?.mode
        if case .keyString(_, let timeoutSeconds) = group.authentication {
            settings.keyTimeout = .seconds(timeoutSeconds)
        }
        settings.allowsFastStart = true
        settings.provesReception = true
        if let association = model.association, group.name == model.scheme {
            // Where the association runs on other wires, the peer's address here is unknown: whoever speaks is it.
            let here = association.remoteAddresses.map(IPAddress.init).filter(prefix.contains)
            settings.peerAddresses = here.isEmpty ? nil : here
        }
        return settings
    }

    /// The interface's own address: in the virtual address's network if there is one, never the virtual one.
    ///
    /// Hellos of IPv6 come from a link-local address, which must be known to be nobody else's.
    private func ownPrefix(of link: LinkInfo, _ group: Model.Group) -> IPPrefix? {
        let own = (kernel.addresses[link.index] ?? [])
            .filter { !$0.isOwn && $0.address != group.virtualAddress && $0.address.family == group.family }
            .filter { group.family == .ipv4 || $0.address.isLinkLocal && !$0.isTentative && !$0.isDuplicate }
            .map { IPPrefix(address: $0.address, length: Int($0.prefixLength)) }
        guard let virtual = group.virtualAddress else { return own.first }
        return own.first { $0.contains(virtual) } ?? own.first
    }

    // MARK: Interfaces

    /// Compares every interface that matters with what is known; called on any event.
    func observeInterfaces() {
        observeLinks()
        for runner in followersFirst where !runner.isRetiring {
            let link = kernel.link(named: runner.key.interface)
            let settings = settings(for: runner.interface, runner.configured)
            let isUsable =
                (link?.isLineProtocolUp ?? false) && !settings.interfacePrefix.address.isAny
                && settings.authentication != .missing && hasProofKey(runner)
                && (settings.virtualAddress != nil || runner.configured.learnsVirtualAddress)
            runner.proofKey = proofKey(of: runner.configured)
            runner.place(
                on: link, isUsable: isUsable, port: port(for: link, runner.configured.family, isUsable),
                settings: settings)
        }
        followClaims()
        kernel.forgetSettings(except: Set((Array(groups.values) + retiring).compactMap(\.interfaceIndex)))
    }

    /// A group that must believe nothing without a proof does not run before it can check one; others run without.
    func hasProofKey(_ runner: GroupRunner) -> Bool {
        runner.configured.proof?.mode != .enforce || proofKey(of: runner.configured) != nil
    }

    private func port(for link: LinkInfo?, _ family: IPAddress.Family, _ isUsable: Bool) -> HelloPort? {
        guard let link else { return nil }
        let key = PortKey(interface: link.name, family: family)
        if let port = ports[key], port.interfaceIndex == link.index {
            port.follow(isLinkUp: link.isLineProtocolUp)
            return port
        }
        ports[key]?.close()
        ports[key] = nil
        guard isUsable else { return nil }
        do {
            let port = try HelloPort(interface: link.name, index: link.index, family: family, on: reactor)
            let name = link.name
            port.onDrop = { [unowned self] counter in count(counter) }
            port.onRejoined = { [unowned self] in count("hello.rejoined") }
            port.onMessage = { [unowned self] message, source in
                guard let runner = groups[.init(interface: name, number: Int(message.group))],
                    runner.configured.family == family
                else { return hearOtherGroup(message, from: source, on: name) }
                deliver(message, from: source, to: runner)
            }
            ports[key] = port
            return port
        } catch {
            count("hello.socketFailed")
            log("%HAVPN-4-HELLO: \(link.name): \(error)")
            return nil
        }
    }

    private func closeUnusedPorts() {
        let users = Array(groups.values) + retiring
        for (key, port) in ports
        where !users.contains(where: { $0.key.interface == key.interface && $0.configured.family == key.family }) {
            port.close()
            ports[key] = nil
        }
    }

    // MARK: Ends

    /// Removes what carries our tag and is not ours to hold.
    func sweep() {
        sweepFences()
        let held = Set(groups.values.flatMap(\.held))
        for address in kernel.addresses.values.flatMap({ $0 }) where address.isOwn {
            let found = HeldAddress(
                interfaceIndex: address.interfaceIndex, address: address.address, prefixLength: address.prefixLength)
            guard !held.contains(found) else { continue }
            count("kernel.addressSwept")
            kernel.deleteAddress(found)
        }
        let carriers = Set(groups.values.compactMap(\.carrierIndex))
        for link in kernel.links.values
        where link.kind == "macvlan" && link.name.hasPrefix("hsrp-") && !carriers.contains(link.index) {
            count("kernel.linkSwept")
            kernel.deleteLink(link.index)
        }
        for runner in groups.values { runner.reconcile() }
    }

    private func sweepFences() {
        let fenced = Set(groups.values.flatMap(\.fenced))
        for rule in kernel.ownRules() {
            guard let address = rule.source?.address else { continue }
            // Another release's rule is older than the one that stands beside it by now, and so it is the one that goes.
            let isPresent = fenced.contains(address) && rule.inputInterface == RuleInfo.itself
            if let table = rule.table, rule.isOwnStanding {
                if isPresent, table == FencePreference.table(of: address) { continue }
                count("kernel.fenceSwept")
                kernel.removeStandingFence(address, table: table)
                if fenced.contains(address) { kernel.makeStandingFence(address) }
            } else if !isPresent || rule.preference != FencePreference.value {
                count("kernel.fenceSwept")
                kernel.lowerFence(address, preference: rule.preference)
            }
        }
    }

    /// Hands over in order and ends; called for `stop` and when the supervisor is gone.
    func stop() {
        guard !isStopping else { return }
        isStopping = true
        guard !groups.isEmpty else { return reactor.stop() }
        for runner in followersFirst.reversed() where leader(of: runner) == nil { runner.retire() }
    }

    func groupStopped(_ group: GroupRunner) {
        group.removeCarrier()
        if isStopping {
            groups[group.key] = nil
            for follower in followers(of: group) { follower.retire() }
            if groups.isEmpty { reactor.stop() }
            return
        }
        // Not from inside the group's own handler: what follows may start its successor.
        reactor.schedule(at: Reactor.now()) { [unowned self] in
            retiring.removeAll { $0 === group }
            removeFences(of: group.fenced)
            applyModel()
            // Replication says only what changes: a group that begins now has not heard it.
            schemeGroup?.handle(.redundancyChanged(redundancy))
        }
    }

    /// Takes down the fences of addresses that are nobody's any more.
    func removeFences(of addresses: some Sequence<IPAddress>) {
        let kept = Set(model.interfaces.flatMap(\.groups).flatMap(\.tunnelEnds))
        for address in addresses where !kept.contains(address) {
            kernel.lowerFence(address)
            kernel.removeStandingFence(address)
        }
    }

    /// The last words: the supervisor puts the interfaces' settings back, the fences stay.
    func finish() {
        holdingChanged()
        recording?.finish()
        supervisor.send(.stopped)
        supervisor.flush()
    }
}
