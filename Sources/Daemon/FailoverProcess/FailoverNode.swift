// SPDX-License-Identifier: Apache-2.0

import Configuration
import Control
import FirstHop
import LinuxIO
import Netlink
import Primitives

/// Names a hello socket.
struct PortKey: Hashable {
    var interface: String
    var family: IPAddress.Family
}

/// The failover process's state: its groups, its tracked objects, and its channels to the other processes.
final class FailoverNode: GroupSurroundings {
    let reactor: Reactor
    let kernel: KernelNetwork
    let packets: PacketSocket
    var model = Model()
    var groups: [GroupRunner.Key: GroupRunner] = [:]
    var retiring: [GroupRunner] = []
    let trackedKernel: TrackedKernel
    let probes = ProbeTable()
    /// With `--record`.
    private(set) var recording: RecordingTap?
    private(set) lazy var tracks = TrackRunner(on: reactor) { [unowned self] in tracksChanged($0) }
    var ports: [PortKey: HelloPort] = [:]
    var counters: [String: UInt64] = [:]
    /// What the supervisor counts, as it said last.
    private var supervisorCounters: [String: UInt64] = [:]
    /// Keys of hellos as they were read from their files, by path.
    var fileKeys: [String: SecretBytes] = [:]
    var keyChainTimer: TimerToken?
    /// Chains whose lifetimes leave no key, as was said already.
    var overdueKeyChains: Set<String> = []
    /// Replication's last word about the scheme's group.
    var redundancy = RedundancyStatus(isStateful: false)
    /// Whether the replication process works off what it is told.
    var replicationWatch = ReplicationWatch()
    var replicationTimer: (token: TimerToken, deadline: Instant)?
    /// The next hop toward the latest VPN peer, as replication told it.
    private var neighbour: (address: IPv4Address, interfaceIndex: UInt32)?
    var isStopping = false
    /// Groups that follow another one, by its name; and the groups that may be followed.
    var followerKeys: [String: [GroupRunner.Key]] = [:]
    var leaderKeys: [String: GroupRunner.Key] = [:]
    /// Which group a virtual address belongs to, and who listens for others that claim one, by interface.
    var owners: [OwnedAddress: GroupRunner.Key] = [:]
    var addressWatches: [String: AddressWatch] = [:]
    var claimTimer: TimerToken?

    let supervisor: ProcessChannel
    private(set) var replication: ProcessChannel?
    private var replicationProcess: Int32?
    private var front: ProcessChannel?
    private var subscription: NetlinkSubscription?
    /// Rings when IPv6 routes change, where a leased fence must follow them.
    var routeBell: NetlinkDoorbell?
    private var isReconcileScheduled = false
    /// What the dead process held is to be adopted: nothing of it is disturbed until that is done.
    private(set) var isResuming = false
    private(set) var isConfigured = false
    private var earlyRoles: [(RoleMessage, group: UInt16, term: UInt64)] = []
    private static let earlyRoleLimit = 16
    /// How long changes of the kernel are gathered before what is wanted is compared with what is there.
    static let reconcilePause = Interval.milliseconds(30)
    /// How long a kernel that refused something is left alone.
    static let refusalPause = Interval.milliseconds(250)
    private var switchovers: [GroupRunner.Key: UInt32] = [:]

    /// Opens what the process needs and waits for the configuration.
    init(supervisor: ProcessChannel, isRecording: Bool = false, on reactor: Reactor) throws {
        self.supervisor = supervisor
        self.reactor = reactor
        kernel = try KernelNetwork()
        packets = try PacketSocket()
        trackedKernel = try TrackedKernel(kernel)
        if isRecording {
            let tap = RecordingTap(on: reactor) { [unowned self] in count($0) }
            tap.send = { [unowned self] line in
                guard let front else { return false }
                front.send(line)
                return true
            }
            recording = tap
        }
        kernel.onRefusal = { [unowned self] what, error in
            count("kernel.refused")
            log("%HAVPN-4-KERNEL: cannot \(what): \(error)")
            // No event will follow what did not happen.
            scheduleReconcile(after: Self.refusalPause)
        }
        kernel.onSettingsKept = { [unowned self] in
            supervisor.send(.settings(before: kernel.settingsBefore.map { InterfaceSettings(index: $0, values: $1) }))
        }
        trackedKernel.onRefusal = { [unowned self] what, error, isNews in
            count("track.kernelRefused")
            if isNews { log("%TRACKING-4-KERNEL: cannot \(what): \(error)") }
        }
        let heard =
            RouteGroups.link | RouteGroups.ipv4Address | RouteGroups.ipv4Rule | RouteGroups.ipv6Address
            | RouteGroups.ipv6Rule
        subscription = try NetlinkSubscription(.route, groups: heard, on: reactor) { [unowned self] event in
            kernelChanged(event)
        }
        kernel.readTables()
        supervisor.onMessage = { [unowned self] message, descriptor in receive(message, descriptor) }
        supervisor.onClosed = { [unowned self] in stop() }
    }

    // MARK: The supervisor and the other processes

    private func receive(_ message: ProcessMessage, _ descriptor: DescriptorHolder?) {
        switch message {
        case .configuration(_, let text): configure(text)
        case .descriptor(.processChannel, let peer): connect(peer, descriptor)
        case .resume: isResuming = true
        case .observed(let report): hear(report)
        case .counted(let values): supervisorCounters = values
        case .replicationStarted(let process): replicationProcess = process
        case .stop: stop()
        case .keyFile(let path): takeKey(path, descriptor)
        case .keyFileMissing(let path, let reason): noteKeyMissing(path, reason)
        default: count("channel.unexpected")
        }
    }

    private func connect(_ peer: ProcessRole, _ descriptor: DescriptorHolder?) {
        guard let descriptor, let channel = try? ProcessChannel(descriptor.take(), peer: peer, on: reactor) else {
            return count("channel.unexpected")
        }
        switch peer {
        case .replication: connectReplication(channel)
        case .front:
            front = channel
            channel.onMessage = { [unowned self] message, _ in answer(message) }
            channel.onClosed = { [unowned self, unowned channel] in
                if front === channel { front = nil }
            }
        case .supervisor, .failover: count("channel.unexpected")
        }
    }

    private func connectReplication(_ channel: ProcessChannel) {
        replication = channel
        watchReplication(.processChanged)
        channel.onMessage = { [unowned self] message, _ in
            switch message {
            case .redundancyChanged(let status): redundancyChanged(status)
            case .neighbour(let address, let interfaceIndex): neighbour = (address, interfaceIndex)
            case .role(let role, let group, let term):
                hear(role, group: group, term: term)
            case .watchAnswered(let number): watchReplication(.answered(number: number))
            default: count("channel.unexpected")
            }
        }
        channel.onClosed = { [unowned self, unowned channel] in
            // A restarted replication may have connected before its predecessor's end was seen.
            guard replication === channel else { return }
            replication = nil
            replicationProcess = nil
            watchReplication(.processChanged)
            // Nobody can say any more whether the peer's kernel lives: the safe side is that it does.
            var lost = redundancy
            lost.isAssociationUp = false
            lost.isLocalHot = false
            lost.isPeerHot = false
            lost.mayPeerKernelLive = true
            lost.isRoleTaken = false
            redundancyChanged(lost)
        }
        publishRole()
    }

    /// The peer's word, or replication's own about the terms; what comes before the configuration waits for it.
    private func hear(_ role: RoleMessage, group: UInt16, term: UInt64) {
        guard isConfigured else {
            guard earlyRoles.count < Self.earlyRoleLimit else { return count("role.tooEarly") }
            return earlyRoles.append((role, group, term))
        }
        deliver(role, group: group, term: term)
    }

    private func deliver(_ role: RoleMessage, group: UInt16, term: UInt64) {
        guard let runner = schemeGroup, runner.key.number == Int(group) else { return count("role.otherGroup") }
        runner.handle(.roleMessageReceived(role, term: term))
    }

    private func redundancyChanged(_ status: RedundancyStatus) {
        let wasHot = redundancy.isPeerHot
        redundancy = status
        schemeGroup?.handle(.redundancyChanged(status))
        if wasHot != status.isPeerHot { holdingChanged() }
        watchReplication(.vigilanceChanged(isNeeded: status.isRoleTaken && status.hasUndelivered))
    }

    private func configure(_ text: [UInt8]) {
        let result = load(text, fileName: "configuration")
        guard let new = result.model else {
            count("configuration.refused")
            return log("%HAVPN-3-CONFIG: \(result.errors.first?.description ?? "no model")")
        }
        model = new
        // Also where the path is the same, for the file may be a new one.
        for path in new.keyFilePaths.sorted() { supervisor.send(.keyFileRequested(path: path)) }
        redundancy.setStateful(Self.isStateful(new))
        applyModel()
        guard !isConfigured else {
            schemeGroup?.handle(.redundancyChanged(redundancy))
            return publishRole()
        }
        // Whatever the supervisor sent along with the configuration comes first.
        reactor.schedule(at: Reactor.now()) { [unowned self] in
            // The terms come first: a role that is resumed is resumed by a later one.
            let early = earlyRoles
            earlyRoles = []
            for (role, group, term) in early where role.isBriefing { deliver(role, group: group, term: term) }
            resumeOrSweep()
            isConfigured = true
            publishRole()
            schemeGroup?.handle(.redundancyChanged(redundancy))
            for (role, group, term) in early where !role.isBriefing { deliver(role, group: group, term: term) }
            supervisor.send(.ready)
        }
    }

    private static func isStateful(_ model: Model) -> Bool {
        guard let scheme = model.scheme, model.association != nil else { return false }
        return model.cryptoMaps.contains { $0.redundancyGroup == scheme && $0.isStateful }
    }

    private func resumeOrSweep() {
        kernel.readTables()
        if isResuming {
            let fences = Set(kernel.ownFences().compactMap { $0.source?.address })
            for group in groups.values where group.isAddressPresent {
                let isFenced = group.fenced.contains(where: fences.contains)
                group.handle(.resumed(isFenced: isFenced))
            }
            isResuming = false
            for group in groups.values where group.machine.isFenceUp {
                for address in group.fenced { kernel.raiseFence(address) }
            }
        }
        sweep()
    }

    // MARK: The kernel

    private func kernelChanged(_ event: NetlinkSubscription.Event) {
        switch event {
        case .message(let message):
            kernel.note(message)
            switch message.type {
            case RouteMessage.newLink, RouteMessage.deleteLink:
                observeInterfaces()
                scheduleReconcile()
            case RouteMessage.newAddress:
                // Our own renewals come by once a second and change nothing; nor do others' addresses of no group's.
                guard let address = try? AddressInfo(parsing: message), !address.isOwn,
                    kernel.readsIPv6 || address.address.family == .ipv4
                else { return }
                scheduleReconcile()
            default:
                putBackStolen(message)
                scheduleReconcile()
            }
        case .overrun:
            count("kernel.overrun")
            scheduleReconcile()
        case .malformed: count("kernel.malformed")
        }
    }

    /// Reads the kernel's tables anew a little after the first of several changes.
    ///
    /// One lost link makes a handful of messages, and the dumps would stand between the peer's `ready` and the fence
    /// (measured in the lab: 18 ms of a 40 ms hand-over).
    private func scheduleReconcile(after pause: Interval = FailoverNode.reconcilePause) {
        guard !isReconcileScheduled else { return }
        isReconcileScheduled = true
        reactor.schedule(at: Reactor.now() + pause) { [unowned self] in
            isReconcileScheduled = false
            // A process that has just woken first finds out whether what it wants is still its own to want.
            for group in followersFirst.reversed() { group.handle(.deadlineReached) }
            kernel.readTables()
            let fences = Set(kernel.ownFences().compactMap { $0.source?.address })
            // What must not be sent, of any group, comes before what could be received.
            for group in groups.values { group.reconcileFence(fences) }
            for group in groups.values { group.reconcile() }
            observeInterfaces()
        }
    }

    /// A rule or an address of ours that somebody else has deleted is back before the tables are read.
    private func putBackStolen(_ message: NetlinkMessage) {
        switch message.type {
        case RouteMessage.deleteRule:
            guard let rule = try? RuleInfo(parsing: message), rule.isOwnFence, let address = rule.source?.address
            else { return }
            for group in groups.values where group.fenced.contains(address) { group.fenceWasDeleted(of: address) }
        case RouteMessage.deleteAddress:
            guard let gone = try? AddressInfo(parsing: message) else { return }
            for group in groups.values { group.addressWasDeleted(gone) }
        default: break
        }
    }

    // MARK: What groups need

    func count(_ name: String) { counters[name, default: 0] += 1 }

    func log(_ line: String) {
        if !StandardError.write(line: line) { count("log.dropped") }
    }

    func sendRole(_ message: RoleMessage, term: UInt64, of group: GroupRunner) {
        guard let replication, group === schemeGroup else { return }
        // What takes a role away wakes many daemons of a node, and the word would wait behind all of them.
        let priority = ReplicationProcess.urgentPriority
        if let replicationProcess, (try? RealTime.raise(replicationProcess, priority: priority)) == nil {
            count("role.notUrgent")
        }
        replication.send(.role(message, group: UInt16(group.key.number), term: term))
        if message.isQuestion { watchReplication(.questionSent) }
    }

    func publishRole(isActive: Bool, term: UInt64, of group: GroupRunner) {
        guard group === schemeGroup else { return }
        let isFenced = group.machine.isFenceUp
        replication?.send(
            .roleChanged(isActive: isActive, isFenced: isFenced, group: UInt16(group.key.number), term: term))
    }

    func neighbour(behind interfaceIndex: UInt32) -> IPv4Address? {
        neighbour?.interfaceIndex == interfaceIndex ? neighbour?.address : nil
    }

    func readReplication() { replication?.receiveWaiting() }

    /// Tells replication the role anew; not before it is known whether the role of the process before is resumed.
    private func publishRole() {
        guard isConfigured, let group = schemeGroup else { return }
        publishRole(isActive: group.machine.hasRole, term: group.machine.term, of: group)
    }

    func report(from: HSRPState, to: HSRPState, reason: String, of group: GroupRunner) {
        let key = group.key
        let line = "%HSRP-5-STATECHANGE: \(key.interface) Grp \(key.number) state \(from.name) -> \(to.name)"
        log(line)
        var event = EventView("hsrp-state", line: line)
        event.interface = key.interface
        event.group = key.number
        event.from = from.name
        event.to = to.name
        event.reason = reason
        event.term = Int(clamping: group.machine.highestTerm)
        send(event)
        if to == .active {
            reactor.schedule(at: Reactor.now() + AddressWatch.firstProbeWait) { [weak group] in
                group?.askForOtherOwners()
            }
        }
        guard !model.notifications.isEmpty else { return }
        let change = GroupChange(
            interface: key.interface, group: UInt16(clamping: key.number), name: group.configured.name ?? "",
            from: from,
            to: to, reason: reason, term: group.machine.highestTerm)
        supervisor.send(.groupChanged(change))
    }

    func send(_ event: EventView) { front?.send(.event(text: encodeJSON(event))) }

    func holdingChanged() {
        let held = (Array(groups.values) + retiring).flatMap(\.held)
        supervisor.send(.holding(addresses: held, isPeerHot: redundancy.isStateful && redundancy.isPeerHot))
    }

    /// The group that `redundancy inter-device` names, whose role rules replication.
    var schemeGroup: GroupRunner? {
        guard let name = model.rulingGroup else { return nil }
        return groups.values.first { $0.configured.name == name }
    }

    // MARK: Front

    private func answer(_ message: ProcessMessage) {
        guard case .query(let number, let text) = message else { return count("channel.unexpected") }
        guard let request = try? decodeJSON(ControlRequest.self, from: text) else {
            count("control.malformed")
            return reply(number, ErrorView(code: "malformed", message: "the request cannot be read"))
        }
        switch request.command {
        case .showStandby: reply(number, standbyView(at: Reactor.now()))
        case .showTrack: reply(number, trackView(at: Reactor.now()))
        case .showCounters: reply(number, CountersView(allCounters.mapValues { Int(clamping: $0) }))
        case .switchover: switchover(request, number)
        default:
            reply(number, ErrorView(code: "unknown-command", message: "failover does not answer this command"))
        }
    }

    private var allCounters: [String: UInt64] {
        var all = counters.merging(probes.counters) { $1 }.merging(supervisorCounters) { $1 }
        for channel in [supervisor, replication, front] {
            for (name, value) in channel?.counters ?? [:] { all[name, default: 0] += value }
        }
        return all
    }

    private func reply(_ number: UInt32, _ view: some Encodable) {
        let text = encodeJSON(view)
        var start = 0
        repeat {
            let end = min(start + ProcessMessage.maximumAnswerByteCount, text.count)
            front?.send(.answer(number: number, isLast: end == text.count, text: Array(text[start..<end])))
            start = end
        } while start < text.count
    }

    private func switchover(_ request: ControlRequest, _ number: UInt32) {
        let runner = request.group.map { name in groups.values.first { $0.configured.name == name } } ?? schemeGroup
        let leaders = groups.values.filter { $0.configured.follows == nil }
        guard let runner = runner ?? (request.group == nil && leaders.count == 1 ? leaders.first : nil) else {
            return reply(
                number, ErrorView(code: "no-such-group", message: "no group has that name; give one by --group NAME"))
        }
        guard switchovers[runner.key] == nil else {
            return reply(number, ErrorView(code: "busy", message: "a switchover is under way"))
        }
        switchovers[runner.key] = number
        runner.handle(.switchoverRequested(force: request.force ?? false))
        if request.wait == false, switchovers.removeValue(forKey: runner.key) != nil {
            reply(number, SwitchoverView(group: runner.configured.name ?? "\(runner.key.number)"))
        }
    }

    func switchoverEnded(_ outcome: SwitchoverOutcome, of group: GroupRunner) {
        guard let number = switchovers.removeValue(forKey: group.key) else { return }
        switch outcome {
        case .refused(let code, let message): reply(number, ErrorView(code: code, message: message))
        case .finished(let milliseconds):
            var view = SwitchoverView(group: group.configured.name ?? "\(group.key.number)")
            view.durationMilliseconds = milliseconds
            view.activeRouter = group.machine.activeRouter?.address.description
            reply(number, view)
        }
    }
}
