// SPDX-License-Identifier: Apache-2.0

import ByteCodec
import Configuration
import LinuxIO
import Netlink
import Primitives
import Replication
import SecurityAssociations

/// `ike-daemon none`: this node's kernel as the source of records while Active, as their addressee while standby.
///
///     XFRM events ─┐                        ┌─► records for the peer (Active)
///     full reading ┴─► table of digests ────┤
///     peer's records ─► ReplicaMachine ─────┴─► netlink writes in batches (standby)
///
/// Everything long is done in steps of a few milliseconds: one piece of a table, one batch of writes.
final class KernelReplicator {
    /// What the process hears.
    struct Hooks {
        /// Something for the peer; nil key for numbers.
        var record: (SecretBytes, RecordKey?) -> Void = { _, _ in }
        /// A copy for the peer starts or ends.
        var copyBegun: (_ count: UInt32) -> Void = { _ in }
        var copyEnded: (_ digest: UInt64) -> Void = { _ in }
        /// The peer's records up to this number are in the kernel.
        var acknowledge: (UInt64) -> Void = { _ in }
        /// The copy is wrong, or was lost.
        var copyWanted: () -> Void = {}
        /// Facts changed: evaluate.
        var changed: () -> Void = {}
        /// A policy of ours came into the kernel, stands in a piece of a reading, or went.
        var policyCame: (ReplicatedPolicy) -> Void = { _ in }
        var policyRead: (ReplicatedPolicy) -> Void = { _ in }
        var policyWent: (PolicyKey) -> Void = { _ in }
        /// A reading of all policies begins, perhaps anew, and ends.
        var readingBegan: () -> Void = {}
        var readingEnded: () -> Void = {}
        /// All policies went.
        var policiesFlushed: () -> Void = {}
        /// Bytes that wait for the transport.
        var backlogByteCount: () -> Int = { 0 }
        /// Until when nothing long may be begun.
        var longWorkStart: () -> Instant? = { nil }
        /// The role, nil while it is unknown.
        var isActive: () -> Bool? = { nil }
        var count: (String) -> Void = { _ in }
        var log: (String) -> Void = { _ in }
    }

    /// Bounds of one step.
    enum Limits {
        /// Writes in one batch, least and most.
        static let batch = 8...128
        /// The time that one batch should take.
        static let batchTime = Interval.milliseconds(3)
        /// The pause between two pieces of an unhurried reading.
        static let readingPause = Interval.milliseconds(4)
        /// How long a piece of such a reading takes per SA, for the age of a report.
        static let readingMicrosecondsPerSA = 125
        /// A copy is read on while less than this waits for the transport.
        static let copyBacklogByteCount = 128 << 10
        /// Keys removed while a table is read; with more, the reading starts again.
        static let removedWhileReading = 65_536
        /// Seconds between two full readings on a standby.
        static let standbyReadingSeconds = 60
        /// Seconds between the end of one reading and the next, while Active.
        static let activeReadingSeconds = 1
    }

    var hooks = Hooks()
    var machine: ReplicaMachine
    /// Why SAs cannot be read or written; nil while all is well.
    private(set) var fault: String?
    let reactor: Reactor
    private let scheme: Scheme
    var reader: XFRMRecordReader
    var reading: Reading?
    var lastReading: Instant?
    var lastReadingNumber = 0
    /// The peer's copy waits for the end of a hand-over.
    var isCopyPostponed = false
    var areKeysHidden = false
    private var countedUnknown = 0
    private var writer: NetlinkSocket?
    private var events: NetlinkSubscription?
    private var ownPort: UInt32 = 0
    private var batchLimit = 16
    private var isWorkScheduled = false
    private var retryTimer: TimerToken?

    init(_ scheme: Scheme, life: UInt64, on reactor: Reactor) {
        self.scheme = scheme
        self.reactor = reactor
        let ends = scheme.virtualAddresses
        reader = XFRMRecordReader(ends: ends)
        let interval = scheme.maps.map(\.inboundReplayInterval).max() ?? 1000
        machine = ReplicaMachine(
            table: KernelTable(ends: ends, inboundInterval: UInt64(interval)), settings: scheme.marginSettings,
            life: life)
    }

    /// Opens the sockets that are not open yet and reads the tables; called again until it works.
    func open() {
        guard writer == nil || events == nil else { return }
        do {
            if events == nil {
                let groups = XFRMGroups.sa | XFRMGroups.policy | XFRMGroups.expire
                events = try NetlinkSubscription(.xfrm, groups: groups, on: reactor) { [weak self] event in
                    self?.take(event)
                }
            }
            if writer == nil {
                let socket = try NetlinkSocket(.xfrm)
                ownPort = socket.portID
                writer = socket
            }
            fault = nil
            startReading(.hurried)
        } catch {
            fault = "the kernel gives no access to its SAs (\(error))"
        }
    }

    /// SAs and policies that stand here.
    var count: Int { machine.table.count }

    /// This node's kernel is known whole, so that an Active may be believed.
    var isComplete: Bool { machine.areTablesRead && visibleFault == nil }

    /// The fault for the screens.
    var visibleFault: String? {
        if let fault { return fault }
        if areKeysHidden {
            return "the kernel hides the keys of SAs (lockdown=confidentiality): they cannot be replicated"
        }
        return nil
    }

    /// What hinders a standby from holding what the Active has.
    var standbyFault: String? {
        if let visibleFault { return visibleFault }
        let refused = machine.refusedCount
        return refused > 0 ? "the kernel refused \(refused) SAs or policies of the Active" : nil
    }

    // MARK: Roles and time

    /// The role changed.
    func change(isActive: Bool) {
        machine.handle(.peerForgotten)
        if isActive {
            machine.beginTelling()
            startReading(machine.areTablesRead ? .unhurried : .hurried)
        } else {
            machine.handle(.roleLost)
            // What this node sent until now must be known before anything is written over it.
            machine.forgetTables()
            startReading(.hurried)
        }
    }

    /// Nothing of the other side is awaited any more.
    func forgetPeer() { machine.handle(.peerForgotten) }

    /// Once a second.
    func tick(at now: Instant) {
        if fault != nil { open() }
        var settings = scheme.marginSettings
        let readingTime = Interval(nanoseconds: UInt64(machine.table.saCount * Limits.readingMicrosecondsPerSA) * 1000)
        settings.exposure = settings.exposure + readingTime
        machine.settings = settings
        guard reading == nil, let lastReading else { return }
        let isActive = hooks.isActive() ?? false
        let pause = isActive ? Limits.activeReadingSeconds : Limits.standbyReadingSeconds
        guard now >= lastReading + .seconds(pause) else { return }
        if isActive {
            startReading(.unhurried)
        } else if machine.isIdle {
            machine.forgetTables()
            startReading(.hurried)
        }
    }

    /// Tells numbers that moved, unless earlier ones still wait.
    func reportNumbers() {
        guard hooks.backlogByteCount() < Limits.copyBacklogByteCount else { return }
        var rest = machine.takeMoved()[...]
        while !rest.isEmpty {
            let part = rest.prefix(KernelRecord.Limits.numbers)
            rest = rest.dropFirst(part.count)
            hooks.record(KernelRecord.numbers(Array(part)).encoded().bytes, nil)
        }
    }

    // MARK: What the kernel says

    private func take(_ event: NetlinkSubscription.Event) {
        guard case .message(let message) = event else {
            hooks.count(event == .overrun ? "kernel.overrun" : "kernel.malformed")
            return startReading(hooks.isActive() == false ? .hurried : .unhurried)
        }
        guard message.portID != ownPort || ownPort == 0 else { return }
        guard let finding = read(message) else { return }
        switch finding {
        case .stands(let record): note(record, isEvent: true)
        case .removed(let key): noteRemoved(key)
        case .expired(let key):
            // On a standby the Active's word is awaited: both kernels count, and theirs decides.
            if hooks.isActive() != false { noteRemoved(key) }
        case .skipped: break
        case .flushed:
            if message.type == XFRMMessage.flushPolicy { hooks.policiesFlushed() }
            startReading(.hurried)
        }
        scheduleChange()
    }

    /// Reads one message; what cannot be replicated is counted.
    func read(_ message: NetlinkMessage) -> XFRMFinding? {
        do {
            let finding = try reader.read(message, nowSeconds: UInt64(max(WallClock.now().seconds, 0)))
            for _ in countedUnknown..<reader.unknownAttributes { hooks.count("kernel.unknownAttribute") }
            countedUnknown = reader.unknownAttributes
            if case .skipped(let counter) = finding {
                hooks.count(counter.description)
                if counter == "kernel.keysHidden" { noteKeysHidden() }
            }
            return finding
        } catch {
            hooks.count("kernel.malformed")
            return nil
        }
    }

    private func noteKeysHidden() {
        guard !areKeysHidden else { return }
        areKeysHidden = true
        hooks.log(
            "%CRYPTO-3-KERNEL: the kernel hides the keys of SAs (lockdown=confidentiality); "
                + "boot without it, or let strongSwan replicate (ike-daemon strongswan)")
    }

    /// An SA or policy was seen: a peer hears what is new in it.
    func note(_ record: KernelRecord, isEvent: Bool) {
        guard let key = record.key else { return }
        if case .policy(let policy) = record { isEvent ? hooks.policyCame(policy) : hooks.policyRead(policy) }
        if isEvent {
            reading?.removed.remove(key)
        } else if reading?.removed.contains(key) == true {
            return
        }
        let (encoded, isNew) = machine.observe(record)
        guard hooks.isActive() == true, isNew || (!isEvent && reading?.isForCopy == true) else { return }
        hooks.record(encoded.bytes, key)
    }

    private func noteRemoved(_ key: RecordKey) {
        if case .policy(let key) = key { hooks.policyWent(key) }
        if reading != nil { reading?.removed.insert(key) }
        guard machine.noteRemoved(key), hooks.isActive() == true else { return }
        hooks.record(KernelRecord.removed(key).encoded().bytes, key)
    }

    /// Evaluates once for all events of this wake.
    private var isChangeScheduled = false

    func scheduleChange() {
        guard !isChangeScheduled else { return }
        isChangeScheduled = true
        reactor.schedule(at: reactor.now) { [weak self] in
            self?.isChangeScheduled = false
            self?.hooks.changed()
        }
    }

    // MARK: What the peer says

    /// Hands an event of the session to the machine.
    func handle(_ event: ReplicaMachine.Event) {
        machine.handle(event)
        scheduleWork()
    }

    /// Does the work that is due, one batch at a time.
    func scheduleWork() {
        guard !isWorkScheduled else { return }
        let now = reactor.now
        if machine.hasWork(at: now) {
            isWorkScheduled = true
            reactor.schedule(at: now) { [weak self] in self?.work() }
        } else if let deadline = machine.nextDeadline, retryTimer == nil {
            retryTimer = reactor.schedule(at: deadline) { [weak self] in
                self?.retryTimer = nil
                self?.scheduleWork()
            }
        }
    }

    private func work() {
        isWorkScheduled = false
        var actions: [ReplicaMachine.Action] = []
        machine.handle(.batchWanted(limit: batchLimit), at: reactor.now, actions: &actions)
        perform(actions)
        scheduleWork()
        hooks.changed()
    }

    fileprivate func perform(_ actions: [ReplicaMachine.Action]) {
        for action in actions {
            switch action {
            case .write(let operations): write(operations)
            case .acknowledge(let sequence): hooks.acknowledge(sequence)
            case .requestCopy: hooks.copyWanted()
            case .count(let name): hooks.count(name.description)
            case .log(let line): hooks.log(line)
            }
        }
    }

    private func write(_ operations: [ReplicaMachine.Operation]) {
        let start = Reactor.now()
        let seconds = UInt64(max(WallClock.now().seconds, 0))
        let requests = operations.map { $0.request(nowSeconds: seconds) }
        let codes = writer.flatMap { try? $0.batch(requests) }
        if codes == nil { hooks.count("kernel.batchFailed") }
        var actions: [ReplicaMachine.Action] = []
        let result = codes ?? [Int32](repeating: SystemCode.noBuffers, count: operations.count)
        machine.handle(.written(result), at: reactor.now, actions: &actions)
        for operation in operations {
            switch operation {
            case .installPolicy(let policy): hooks.policyCame(policy)
            case .deletePolicy(let key): hooks.policyWent(key)
            default: break
            }
        }
        adapt(to: Reactor.now().since(start), count: operations.count)
        perform(actions)
    }

    /// Makes batches as large as the time of one step allows.
    private func adapt(to time: Interval, count: Int) {
        if time > Limits.batchTime {
            batchLimit = max(batchLimit / 2, Limits.batch.lowerBound)
        } else if count >= batchLimit, time < Limits.batchTime / 2 {
            batchLimit = min(batchLimit * 2, Limits.batch.upperBound)
        }
    }
}

extension ReplicaMachine {
    /// Takes an event that asks for nothing at once.
    fileprivate mutating func handle(_ event: Event) {
        var actions: [Action] = []
        handle(event, at: Reactor.now(), actions: &actions)
    }
}

extension ReplicaMachine.Operation {
    /// The request that carries it out.
    fileprivate func request(nowSeconds: UInt64) -> NetlinkRequest {
        switch self {
        case .installSA(let sa): XFRMRequest.install(sa, nowSeconds: nowSeconds)
        case .deleteSA(let key): XFRMRequest.delete(key)
        case .installPolicy(let policy): XFRMRequest.install(policy, nowSeconds: nowSeconds)
        case .deletePolicy(let key): XFRMRequest.delete(key)
        case .writeNumbers(let numbers): XFRMRequest.setReplay(numbers)
        }
    }
}
