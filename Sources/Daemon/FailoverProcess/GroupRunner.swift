// SPDX-License-Identifier: Apache-2.0

import ByteCodec
import Configuration
import Control
import FirstHop
import LinuxIO
import Netlink
import Primitives
import Recording
import SecureChannel

/// What a group needs from the process around it.
protocol GroupSurroundings: AnyObject {
    var kernel: KernelNetwork { get }
    var packets: PacketSocket { get }
    var reactor: Reactor { get }
    var recording: RecordingTap? { get }
    func count(_ name: String)
    func log(_ line: String)
    func sendRole(_ message: RoleMessage, term: UInt64, of group: GroupRunner)
    func publishRole(isActive: Bool, term: UInt64, of group: GroupRunner)
    func report(from: HSRPState, to: HSRPState, reason: String, of group: GroupRunner)
    func holdingChanged()
    /// Addresses that had a fence are a group's no more.
    func removeFences(of addresses: [IPAddress])
    /// A group has learned its address.
    func fencesChanged()
    /// The group's machine was stepped, or has just raised its fence: groups that are coupled to it hear of its state.
    func stepped(_ group: GroupRunner)
    /// The group's machine is about to be stepped: after a stall the group that it follows comes first.
    func willStep(_ group: GroupRunner, by event: GroupEvent)
    /// The next hop toward the latest VPN peer, where that is behind this interface.
    func neighbour(behind interfaceIndex: UInt32) -> IPv4Address?
    /// Hands in what replication has said and nobody has read.
    func readReplication()
    func switchoverEnded(_ outcome: SwitchoverOutcome, of group: GroupRunner)
    func groupStopped(_ group: GroupRunner)
}

/// How an operator's switchover ended.
enum SwitchoverOutcome {
    case finished(milliseconds: Int)
    case refused(code: String, message: String)
}

/// One group: its machine, its place in the kernel, and the interpreter of its actions.
final class GroupRunner {
    /// Names a group on this node.
    struct Key: Hashable {
        var interface: String
        var number: Int
    }

    let key: Key
    /// The interface's configuration as it runs now; version and use of the burned-in address never change.
    private(set) var interface: Model.Interface
    /// The group's configuration as it runs now.
    private(set) var configured: Model.Group
    private(set) var machine: GroupMachine
    /// The interface's index while it exists.
    private(set) var interfaceIndex: UInt32?
    /// Where the virtual address goes: the macvlan, or the interface itself with `use-bia`.
    private(set) var carrierIndex: UInt32?
    private(set) var port: HelloPort?
    /// The key by which messages are proved, if they are.
    var proofKey: SecretBytes?
    /// Set while the group is being removed.
    private(set) var isRetiring = false

    /// What packets from the addresses of an IPv6 group may take while the fence is down.
    private var leasedRoutes: Set<LeasedRoute> = []
    /// Others who claim its addresses, by ARP and in messages of another group.
    var claims = ClaimWatch()
    var groupClaims = ClaimWatch()
    unowned let surroundings: any GroupSurroundings
    private var pending: [GroupEvent] = []
    private var isHandling = false
    private var timer: (token: TimerToken, deadline: Instant)?
    private var hasFailedToSend = false
    private var probe: SegmentProbe?
    private var reports: [(from: HSRPState, to: HSRPState, reason: String)] = []
    private var lines: [String] = []
    /// Packets that the interface had received when it became usable.
    private var receivedBefore: UInt64?
    private var repairedAt: Instant?
    private var fenceRepairedAt: Instant?
    private var theftLoggedAt: Instant?
    /// The least time between two repairs that do not wait for reconciling.
    private static let repairPause = Interval.milliseconds(20)

    init(
        key: Key, interface: Model.Interface, configured: Model.Group, settings: GroupSettings, priority: UInt8,
        redundancy: RedundancyStatus, seed: UInt64, startsWithDaemon: Bool, surroundings: any GroupSurroundings
    ) {
        self.key = key
        self.configured = configured
        self.interface = interface
        self.surroundings = surroundings
        machine = GroupMachine(
            settings: settings, priority: priority, redundancy: redundancy, seed: seed,
            startsWithDaemon: startsWithDaemon)
        let start = MachineStart.GroupStart(
            settings: settings, priority: priority, redundancy: redundancy, seed: seed,
            startsWithDaemon: startsWithDaemon)
        surroundings.recording?.start(recordedName, .group(start))
    }

    /// What a recording calls the group's machine.
    private var recordedName: String { "group \(key.interface) \(key.number)" }

    /// `standby use-bia`: no macvlan.
    var usesBurnedInAddress: Bool { interface.usesBurnedInAddress }

    /// The MAC that goes with the virtual address.
    var virtualMAC: MACAddress? {
        guard usesBurnedInAddress else { return machine.settings.virtualMAC }
        return interfaceIndex.flatMap { surroundings.kernel.links[$0]?.mac }
    }

    /// The addresses as they are held, if they are.
    var held: [HeldAddress] {
        guard machine.holdsAddress, let carrierIndex else { return [] }
        return machine.virtualAddresses.map { HeldAddress($0, on: carrierIndex) }
    }

    /// The addresses that have a fence: those that tunnels may end at.
    var fenced: [IPAddress] {
        configured.family == .ipv6 ? configured.tunnelEnds : machine.virtualAddresses
    }

    /// Whether the kernel has the virtual address here, put there by us or by the process before.
    var isAddressPresent: Bool {
        guard let carrierIndex else { return false }
        return (surroundings.kernel.addresses[carrierIndex] ?? [])
            .contains { $0.isOwn && $0.address == machine.virtualAddress }
    }

    // MARK: Events

    /// Steps the machine and performs what it says; what happens meanwhile waits its turn.
    func handle(_ event: GroupEvent) {
        surroundings.willStep(self, by: event)
        pending.append(event)
        guard !isHandling else { return }
        isHandling = true
        let held = self.held
        let address = machine.virtualAddress
        while !pending.isEmpty {
            let next = pending.removeFirst()
            let now = Reactor.now()
            noteLateness(next, at: now)
            let standIns = surroundings.recording.map { _ in StandIns(of: machine, hearing: next, at: now) }
            var actions: [GroupAction] = []
            machine.handle(next, at: now, actions: &actions)
            for action in actions { perform(action) }
            if let standIns { record(next, actions, standIns, at: now) }
        }
        isHandling = false
        surroundings.stepped(self)
        rearm()
        if machine.virtualAddress != address { surroundings.fencesChanged() }
        if self.held != held { surroundings.holdingChanged() }
        guard event.isOfLeader else { return tell() }
        // The leader may be in the middle of giving its role away.
        surroundings.reactor.schedule(at: Reactor.now()) { [weak self] in self?.tell() }
    }

    private func record(_ event: GroupEvent, _ actions: [GroupAction], _ standIns: StandIns, at now: Instant) {
        surroundings.recording?.step(recordedName) { recorder, number in
            recorder.step(
                number, standIns.replace(in: event), at: now, actions: actions.map { standIns.replace(in: $0) })
        }
    }

    /// The interface was found, lost or changed; `isUsable` also takes its address.
    func place(on link: LinkInfo?, isUsable: Bool, port: HelloPort?, settings: GroupSettings) {
        let held = self.held
        if link?.index != interfaceIndex {
            if machine.state != .initial { handle(.interfaceChanged(isUp: false)) }
            // An interface that only got another name still carries what was made on it.
            removeCarrier()
            interfaceIndex = link?.index
            carrierIndex = nil
            receivedBefore = nil
        }
        self.port = port
        if let carrierIndex, surroundings.kernel.links[carrierIndex] == nil {
            surroundings.count("kernel.linkRepaired")
            self.carrierIndex = nil
        }
        if let link, carrierIndex == nil {
            makeCarrier(on: link)
            if machine.holdsAddress { reconcile() }
        }
        if !isUsable { receivedBefore = nil } else if receivedBefore == nil { receivedBefore = link?.receivedPackets }
        if self.held != held { surroundings.holdingChanged() }
        if settings != machine.settings { handle(.settingsChanged(settings)) }
        handle(.interfaceChanged(isUp: isUsable && carrierIndex != nil && port != nil))
    }

    /// The configuration changed in something that needs no new machine.
    func reconfigure(_ interface: Model.Interface, _ new: Model.Group, settings: GroupSettings) {
        let before = fenced
        let added = new.furtherAddresses.filter { !configured.furtherAddresses.contains($0) }
        self.interface = interface
        // Nothing leaves from an address before the group's own fence says so.
        for address in added where machine.virtualAddress != nil {
            surroundings.kernel.raiseFence(address)
            surroundings.kernel.makeStandingFence(address)
        }
        configured = new
        if settings != machine.settings { handle(.settingsChanged(settings)) }
        if !machine.isFenceUp, !added.isEmpty {
            leaseRoutes()
            for address in added { surroundings.kernel.lowerFence(address) }
        }
        let removed = before.filter { !fenced.contains($0) }
        for address in removed { surroundings.kernel.endLeases(leasedRoutes, for: address) }
        if !removed.isEmpty { surroundings.removeFences(of: removed) }
    }

    /// Leaves in order; `groupStopped` follows.
    func retire() {
        guard !isRetiring else { return }
        isRetiring = true
        handle(.stopRequested)
    }

    // MARK: The kernel

    /// The macvlan's name: readable where it fits into 15 bytes, else by the interface's index.
    static func macvlanName(interface: String, index: UInt32, group: Int) -> String {
        let readable = "hsrp-\(interface.map { $0 == "." ? "_" : $0 }.map(String.init).joined())-\(group)"
        return readable.utf8.count <= 15 ? readable : "hsrp-\(index)-\(group)"
    }

    private func makeCarrier(on link: LinkInfo) {
        let kernel = surroundings.kernel
        guard !usesBurnedInAddress else {
            carrierIndex = link.index
            return
        }
        let name = Self.macvlanName(interface: link.name, index: link.index, group: key.number)
        guard
            let index = kernel.makeMacvlan(name: name, parentIndex: link.index, mac: machine.settings.virtualMAC)
        else { return }
        carrierIndex = index
        kernel.alignMacvlan(index)
        guard configured.family == .ipv4 else { return }
        kernel.configureParent(link.index, [.arpIgnore: 1, .arpAnnounce: 2])
        let isStrictAnywhere = kernel.reversePathFilterOfAll() != 0
        if isStrictAnywhere {
            surroundings.log(
                "%HAVPN-4-RPFILTER: net.ipv4.conf.all.rp_filter is set: a planned switchover loses inbound packets; "
                    + "set it to 0")
        }
        kernel.configure(index, [.arpIgnore: 1, .reversePathFilter: isStrictAnywhere ? 2 : 0])
    }

    // MARK: The leased IPv6 fence

    /// The routes toward VPN peers have changed, or may have: what is leased follows.
    func followRoutes(_ routes: Set<LeasedRoute>) {
        guard routes != leasedRoutes else { return }
        let kernel = surroundings.kernel
        for address in fenced { kernel.endLeases(leasedRoutes.subtracting(routes), for: address) }
        leasedRoutes = routes
        if !machine.isFenceUp { leaseRoutes() }
    }

    private func leaseRoutes() {
        guard !leasedRoutes.isEmpty else { return }
        let seconds = machine.settings.leaseSeconds
        for address in fenced { surroundings.kernel.lease(leasedRoutes, for: address, seconds: seconds) }
    }

    /// Takes away what the group has in the kernel, the fence excepted.
    func removeCarrier() {
        for address in fenced { surroundings.kernel.endLeases(leasedRoutes, for: address) }
        leasedRoutes = []
        guard !usesBurnedInAddress, let carrierIndex else { return }
        surroundings.kernel.deleteLink(carrierIndex)
        self.carrierIndex = nil
    }

    /// Compares the fences that should stand with those that do, and repairs.
    func reconcileFence(_ fences: Set<IPAddress>) {
        let kernel = surroundings.kernel
        for address in fenced {
            kernel.makeStandingFence(address)
            guard fences.contains(address) != machine.isFenceUp else { continue }
            surroundings.count("kernel.fenceRepaired")
            if machine.isFenceUp { kernel.raiseFence(address) } else { kernel.lowerFence(address) }
        }
    }

    /// Compares what else should be in the kernel with what is there, and repairs.
    func reconcile() {
        let kernel = surroundings.kernel
        guard let carrierIndex else { return }
        if !usesBurnedInAddress { kernel.alignMacvlan(carrierIndex) }
        if !usesBurnedInAddress, let link = kernel.links[carrierIndex], link.isUp != machine.keepsMACUp {
            surroundings.count("kernel.linkRepaired")
            kernel.setUp(carrierIndex, machine.keepsMACUp)
        }
        for address in machine.virtualAddresses { reconcile(address, on: carrierIndex) }
    }

    private func reconcile(_ address: IPAddress, on carrierIndex: UInt32) {
        let kernel = surroundings.kernel
        let present = (kernel.addresses[carrierIndex] ?? []).first { $0.address == address }
        if machine.holdsAddress {
            // With nobody asked there is no doubt about an address; who put it there otherwise may have left one.
            if let present, !present.isTentative, !present.isDuplicate { return }
            surroundings.count("kernel.addressRepaired")
            let held = HeldAddress(address, on: carrierIndex)
            if present != nil { kernel.deleteAddress(held) }
            kernel.holdAddress(held, leaseSeconds: machine.settings.leaseSeconds)
        } else if let present {
            surroundings.count("kernel.addressSwept")
            kernel.deleteAddress(
                HeldAddress(interfaceIndex: carrierIndex, address: address, prefixLength: present.prefixLength))
        }
    }

    /// A rule that was ours is gone; our own deletions come by as well, when the fence is no longer wanted.
    func fenceWasDeleted(of address: IPAddress) {
        guard machine.isFenceUp, mayRepair(since: &fenceRepairedAt) else { return }
        if surroundings.kernel.raiseFence(address) { noteTheft("the fence of \(address)", "kernel.fenceRepaired") }
    }

    /// An address is gone; so it may be because its lease is over, and then the role is.
    func addressWasDeleted(_ gone: AddressInfo) {
        let stolen = HeldAddress(
            interfaceIndex: gone.interfaceIndex, address: gone.address, prefixLength: gone.prefixLength)
        guard held.contains(stolen), mayRepair(since: &repairedAt) else { return }
        handle(.deadlineReached)
        guard held.contains(stolen) else { return }
        // Whoever took the address may have taken the fence before it, without which it sends.
        if machine.isFenceUp { for address in fenced { surroundings.kernel.raiseFence(address) } }
        surroundings.kernel.holdAddress(stolen, leaseSeconds: machine.settings.leaseSeconds)
        noteTheft("\(stolen.address)", "kernel.addressRepaired")
    }

    /// Somebody who deletes as fast as we restore must not get all of the processor; reconciling comes a moment later.
    private func mayRepair(since last: inout Instant?) -> Bool {
        let now = Reactor.now()
        if let last, now.since(last) < Self.repairPause { return false }
        last = now
        return true
    }

    private func noteTheft(_ what: String, _ counter: String) {
        surroundings.count(counter)
        let now = Reactor.now()
        if let last = theftLoggedAt, now.since(last) < GroupTiming.warningInterval { return }
        theftLoggedAt = now
        surroundings.log(
            "%HAVPN-4-STOLEN: \(key.interface) Grp \(key.number) another program has deleted \(what); it is back")
    }

    // MARK: Actions

    private func perform(_ action: GroupAction) {
        let kernel = surroundings.kernel
        switch action {
        case .send(let message, let fromVirtualMAC): send(message, fromVirtualMAC: fromVirtualMAC)
        case .raiseFence:
            for address in fenced { kernel.raiseFence(address) }
            // A coupled address is gone before the peer hears that it may take this one.
            surroundings.stepped(self)
        case .lowerFence:
            leaseRoutes()
            for address in fenced { kernel.lowerFence(address) }
        case .raiseMAC: if !usesBurnedInAddress, let carrierIndex { kernel.setUp(carrierIndex, true) }
        case .lowerMAC: if !usesBurnedInAddress, let carrierIndex { kernel.setUp(carrierIndex, false) }
        case .addAddress(let address, let seconds), .renewLease(let address, let seconds):
            guard let carrierIndex else { return }
            kernel.holdAddress(HeldAddress(address, on: carrierIndex), leaseSeconds: seconds)
            if address == machine.virtualAddress, !machine.isFenceUp { leaseRoutes() }
        case .deleteAddress(let address):
            guard let carrierIndex else { return }
            kernel.deleteAddress(HeldAddress(address, on: carrierIndex))
        case .announce(let address): announce(address)
        case .probe: startProbe()
        case .sendRole(let message, let term): surroundings.sendRole(message, term: term, of: self)
        case .publishRole(let isActive, let term):
            surroundings.publishRole(isActive: isActive, term: term, of: self)
        case .stateChanged(let from, let to, let reason): reports.append((from, to, reason))
        case .drainReceived:
            port?.readWaiting()
            surroundings.readReplication()
            pending.append(.drained)
        case .proveReception:
            guard let interfaceIndex, let now = kernel.receivedPackets(interfaceIndex) else {
                // A kernel that does not count cannot prove anything; the group must not wait for ever.
                return pending.append(.receptionProven)
            }
            pending.append(now > receivedBefore ?? 0 ? .receptionProven : .nothingReceived)
        case .markReception:
            guard let interfaceIndex else { return }
            receivedBefore = kernel.receivedPackets(interfaceIndex)
        case .count(let name): surroundings.count(name.description)
        case .log(let level, let text):
            lines.append("%HSRP-\(level == .warning ? 4 : 6)-NOTE: \(key.interface) Grp \(key.number) \(text)")
        case .warn(let mnemonic, let text): lines.append("%\(mnemonic): \(text)")
        case .switchoverRefused(let code, let message):
            surroundings.switchoverEnded(.refused(code: code.description, message: message), of: self)
        case .switchoverFinished(let milliseconds):
            surroundings.switchoverEnded(.finished(milliseconds: milliseconds), of: self)
        case .stopped: surroundings.groupStopped(self)
        }
    }

    private func send(_ message: HSRPMessage, fromVirtualMAC: Bool) {
        let source = machine.settings.interfacePrefix.address
        var message = message
        if let proofKey { message.prove(from: source) { MessageCode.make(of: $0, key: proofKey) } }
        do {
            if fromVirtualMAC, !usesBurnedInAddress, let interfaceIndex, let virtualMAC {
                let frame = Frames.hsrp(message, from: source, sourceMAC: virtualMAC)
                try surroundings.packets.send(frame, interfaceIndex: interfaceIndex)
            } else {
                try port?.send(message, from: source)
            }
            surroundings.count("hello.sent")
            if hasFailedToSend {
                hasFailedToSend = false
                pending.append(.sendSucceeded)
            }
        } catch {
            hasFailedToSend = true
            pending.append(.sendFailed)
        }
    }

    private func announce(_ address: IPAddress) {
        guard let interfaceIndex, let virtualMAC else { return }
        for frame in Frames.announcements(of: address, mac: virtualMAC) {
            do {
                try surroundings.packets.send(frame, interfaceIndex: interfaceIndex)
            } catch {
                surroundings.count("announce.failed")
            }
        }
    }

    /// Asks the configured neighbour, or the next hop toward the latest VPN peer; never our own peer.
    private func startProbe() {
        probe?.end()
        probe = nil
        // An IPv6 group has no probe in this release: nobody is asked, and nothing moves for want of an answer.
        guard let interfaceIndex, let mac = surroundings.kernel.links[interfaceIndex]?.mac,
            let own = machine.settings.interfacePrefix.address.ipv4,
            let target = configured.probe ?? surroundings.neighbour(behind: interfaceIndex),
            machine.settings.peerAddresses?.contains(IPAddress(target)) != true
        else { return pending.append(.probeFinished(.impossible)) }
        do {
            probe = try SegmentProbe(
                target, from: own, mac: mac, interfaceIndex: interfaceIndex, on: surroundings.reactor
            ) { [weak self] in
                self?.probe = nil
                self?.handle(.probeFinished(.answered))
            }
            surroundings.count("probe.sent")
            surroundings.reactor.schedule(at: Reactor.now() + machine.probeWait) { [weak probe] in probe?.end() }
        } catch {
            // A frame that cannot leave brings no answer.
            surroundings.count("probe.notSent")
            pending.append(.probeFinished(.unanswered))
        }
    }

    // MARK: Time and telling

    private func noteLateness(_ event: GroupEvent, at now: Instant) {
        guard event == .deadlineReached, let due = machine.helloDeadline, due <= now else { return }
        surroundings.count(HelloLateness.counter(nanoseconds: now.since(due).nanoseconds))
        if now.since(due) > machine.hello / 10 { surroundings.count("hello.late") }
    }

    private func rearm() {
        let next = machine.nextDeadline
        if let timer {
            guard timer.deadline != next else { return }
            surroundings.reactor.cancel(timer.token)
        }
        timer = nil
        guard let next else { return }
        let token = surroundings.reactor.schedule(at: next) { [weak self] in
            self?.timer = nil
            self?.handle(.deadlineReached)
        }
        timer = (token, next)
    }

    /// Logs and events come last: nothing on the way to address and fence waits for them.
    private func tell() {
        let told = reports
        let written = lines
        reports = []
        lines = []
        for change in told {
            surroundings.report(from: change.from, to: change.to, reason: change.reason, of: self)
        }
        for line in written { surroundings.log(line) }
    }
}
