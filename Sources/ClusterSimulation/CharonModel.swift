// SPDX-License-Identifier: Apache-2.0

import ByteCodec
import Primitives
import SecurityAssociations
import StrongSwan

/// charon as far as its neighbours notice: it keeps IKE and child SAs, installs them into the kernel, tells of them
/// through the ha plugin, obeys records and role commands, and answers VICI.
final class CharonModel: ProcessModel {
    struct IKE {
        var spis: IKESPIPair
        var uniqueID: UInt32
        var tunnel: Int?
        /// An IKE_UPDATE was seen, without which the SA stays half open.
        var isComplete = false
        var children: [Child] = []
    }

    struct Child {
        var spis: ChildSPIPair
        var madeAt: UInt64
        /// Replaced by a rekey; its deletion follows.
        var isReplaced = false
    }

    private(set) var ikes: [IKE] = []
    /// charon serves the segment: it answers peers and rekeys.
    private(set) var isServing = false
    private var queuedByteCount = 0
    private var dropCount: UInt64 = 0
    private var busyUntil: UInt64 = 0
    private var lastUniqueID: UInt32 = 0
    private var messageID: UInt32 = 0
    /// The receive buffer, and what the kernel accounts for one datagram.
    private static let bufferByteCount = 212_992
    private static let datagramByteCount = 1_280

    init(node: Node) { super.init(name: "charon", node: node) }

    override func begin() {
        super.begin()
        (ikes, isServing, queuedByteCount, dropCount, busyUntil) = ([], false, 0, 0, 0)
        // The ha plugin asks its neighbour for everything one second after the start.
        after(second) { [self] in
            say(.resync([1], version: .three))
            live()
        }
    }

    /// systemd starts a charon that died.
    func startAnew() { if !isAlive { begin() } }

    override func hasDied() {
        simulation.tunnels.charonDied(on: node)
        let driver = node.replication.charon
        node.replication.after(simulation.microseconds(100...1_000)) { driver.streamEnded() }
    }

    /// Whether a child with this SPI was made, or replaced, a moment ago.
    func isNew(outbound spi: UInt32) -> Bool {
        guard let child = ikes.flatMap(\.children).first(where: { $0.spis.outbound == spi }) else { return false }
        return child.isReplaced || child.madeAt + 2_500 * millisecond > simulation.now
    }

    func has(_ spis: IKESPIPair) -> Bool { ikes.contains { $0.spis == spis } }

    /// Whether it could answer the peer: the SA did not come by halves.
    func canServe(_ spis: IKESPIPair) -> Bool { ikes.contains { $0.spis == spis && $0.isComplete } }

    func has(_ child: ChildSPIPair) -> Bool { ikes.contains { $0.children.contains { $0.spis == child } } }

    // MARK: From havpnd

    /// The socket's queue, as /proc/net/udp shows it; nil while there is none.
    var receiveQueue: (byteCount: Int, dropCount: UInt64)? { isAlive ? (queuedByteCount, dropCount) : nil }

    /// A datagram to the ha plugin.
    func receive(_ message: HAMessage) {
        guard isAlive else { return }
        let isLost = simulation.losesNextMessage()
        guard !isLost, queuedByteCount + Self.datagramByteCount <= Self.bufferByteCount else {
            dropCount += 1
            return
        }
        queuedByteCount += Self.datagramByteCount
        busyUntil = max(busyUntil, simulation.now) + simulation.microseconds(50...400)
        simulation.schedule(at: busyUntil, for: self) { [self] in
            queuedByteCount -= Self.datagramByteCount
            process(message)
        }
    }

    private func process(_ message: HAMessage) {
        switch message.kind {
        case .segmentDrop: serve(true)
        case .segmentTake: serve(false)
        case .resync: repeatAll()
        case .status: break
        default:
            guard let spis = message.identity?.spis else { return }
            processRecord(message, spis)
        }
    }

    private func serve(_ isOn: Bool) {
        guard isOn != isServing else { return }
        isServing = isOn
        simulation.note("\(node.name): charon is \(isOn ? "active" : "passive"), \(ikes.count) IKE SAs")
    }

    /// Mirrors strongSwan's `ha_dispatcher.c` as tests of the StrongSwan room have it (ModelCharon).
    private func processRecord(_ message: HAMessage, _ spis: IKESPIPair) {
        let index = ikes.firstIndex { $0.spis == spis }
        switch message.kind {
        case .ikeAdd:
            guard index == nil else { return }
            var ike = newIKE(spis)
            if let old = message.rekeyedIdentity?.spis, let place = ikes.firstIndex(where: { $0.spis == old }) {
                ike.children = ikes[place].children
                ike.tunnel = ikes[place].tunnel
                ikes.remove(at: place)
            }
            ikes.append(ike)
        case .ikeUpdate:
            guard let index, let name = message.configurationName else { return }
            ikes[index].isComplete = true
            ikes[index].tunnel = Int(name)
        case .ikeDelete: if let index { remove(at: index) }
        case .childAdd:
            guard let index, let inbound = message.inboundSPI, let outbound = message.outboundSPI else { return }
            let pair = ChildSPIPair(inbound: inbound, outbound: outbound)
            guard ikes[index].isComplete, node.kernel.addSAs(pair) else { return }
            ikes[index].children.append(Child(spis: pair, madeAt: simulation.now))
        case .childDelete:
            guard let inbound = message.inboundSPI else { return }
            for place in ikes.indices { removeChild(inbound, at: place) }
        default: break
        }
    }

    private func newIKE(_ spis: IKESPIPair) -> IKE {
        lastUniqueID += 1
        return IKE(spis: spis, uniqueID: lastUniqueID)
    }

    private func remove(at index: Int) {
        for child in ikes[index].children { node.kernel.removeSAs(child.spis) }
        ikes.remove(at: index)
    }

    private func removeChild(_ inbound: UInt32, at place: Int) {
        guard let child = ikes[place].children.firstIndex(where: { $0.spis.inbound == inbound }) else { return }
        node.kernel.removeSAs(ikes[place].children[child].spis)
        ikes[place].children.remove(at: child)
    }

    func terminate(_ uniqueIDs: [UInt32]) {
        for number in uniqueIDs {
            if let index = ikes.firstIndex(where: { $0.uniqueID == number }) { remove(at: index) }
        }
    }

    /// RESYNC to an active charon: it sends its cache and rekeys every child.
    private func repeatAll() {
        simulation.note("\(node.name): charon says all of \(ikes.count) IKE SAs again")
        for ike in ikes where ike.isComplete {
            guard let tunnel = ike.tunnel else { continue }
            say(Datagrams.ikeAdd(ike.spis, replacing: nil))
            say(Datagrams.ikeUpdate(ike.spis, tunnel: tunnel))
        }
        after(simulation.microseconds(100_000...1_000_000)) { [self] in
            for place in ikes.indices where ikes[place].isComplete && canReachPeer { rekeyChild(at: place) }
        }
    }

    // MARK: Toward havpnd

    private func say(_ message: HAMessage) { node.takePlugin(message) }

    /// What VICI lists.
    var listing: [ListedIKE] {
        ikes.map { ike in
            ListedIKE(
                uniqueID: ike.uniqueID, name: ike.tunnel.map(String.init) ?? "", version: 2,
                state: !ike.isComplete ? "CONNECTING" : isServing ? "ESTABLISHED" : "PASSIVE",
                localHost: "10.1.0.100", localPort: 500, remoteHost: "10.1.0.5", remotePort: 500,
                localID: "10.1.0.100", remoteID: "10.1.0.5", spis: ike.spis, isInitiator: false,
                children: ike.children.map(Self.listed))
        }
    }

    private static func listed(_ child: Child) -> ListedChild {
        ListedChild(
            uniqueID: child.spis.inbound, name: "net", state: child.isReplaced ? "REKEYED" : "INSTALLED",
            securityProtocol: "ESP", spis: child.spis, localSelectors: [], remoteSelectors: [], bytesIn: 0,
            packetsIn: 0, bytesOut: 0, packetsOut: 0)
    }

    // MARK: Its own life, while it serves

    private var canReachPeer: Bool { isServing && simulation.tunnels.isReachable(node) }

    private func live() {
        after(simulation.microseconds(300_000...1_000_000)) { [self] in
            if canReachPeer { for tunnel in 0..<simulation.settings.tunnelCount { live(tunnel) } }
            live()
        }
    }

    private func live(_ tunnel: Int) {
        let tunnels = simulation.tunnels
        guard let current = tunnels.ike(of: tunnel) else {
            if simulation.chance(60) { connect(tunnel) }
            return
        }
        guard let place = ikes.firstIndex(where: { $0.spis == current && $0.isComplete }) else {
            return tunnels.noteUnanswered(tunnel)
        }
        tunnels.noteAnswered(tunnel)
        for child in ikes[place].children where child.isReplaced && simulation.now > child.madeAt + 4 * second {
            say(.childDelete(identity(current), inboundSPI: child.spis.inbound, version: .three))
            removeChild(child.spis.inbound, at: place)
        }
        // Traffic finds a policy without an SA.
        if ikes[place].children.isEmpty { addChild(at: place) }
        switch Int.random(in: 0..<100, using: &simulation.random) {
        case 0..<5: rekeyChild(at: place)
        case 5..<8: rekeyIKE(at: place)
        case 8..<20:
            messageID += 1
            say(Datagrams.messageID(current, messageID))
        default: break
        }
    }

    private func identity(_ spis: IKESPIPair) -> IKEIdentity { IKEIdentity(version: 2, spis: spis, isInitiator: false) }

    private func connect(_ tunnel: Int) {
        var ike = newIKE(simulation.tunnels.newIKE())
        ike.tunnel = tunnel
        ike.isComplete = true
        ikes.append(ike)
        simulation.tunnels.established(tunnel, ike.spis, by: node)
        simulation.note("\(node.name): tunnel \(tunnel) is established, \(ike.spis)")
        say(Datagrams.ikeAdd(ike.spis, replacing: nil))
        say(Datagrams.ikeUpdate(ike.spis, tunnel: tunnel))
        addChild(at: ikes.count - 1)
    }

    private func addChild(at place: Int) {
        guard let tunnel = ikes[place].tunnel else { return }
        let pair = simulation.tunnels.newChild()
        guard node.kernel.addSAs(pair) else { return }
        ikes[place].children.append(Child(spis: pair, madeAt: simulation.now))
        simulation.tunnels.childAdded(tunnel, pair)
        simulation.note("\(node.name): tunnel \(tunnel) has child \(pair.outbound)")
        say(Datagrams.childAdd(ikes[place].spis, pair))
    }

    private func rekeyChild(at place: Int) {
        for child in ikes[place].children.indices { ikes[place].children[child].isReplaced = true }
        addChild(at: place)
    }

    /// An operator or our own replication asks for a rekey of the child with this outbound SPI.
    ///
    /// An exchange that nobody answers is repeated, for a minute and longer.
    func rekey(outbound spi: UInt32, tries: Int = 60) {
        guard isAlive, tries > 0 else { return }
        guard canReachPeer else {
            return simulation.schedule(after: second, for: self) { [self] in rekey(outbound: spi, tries: tries - 1) }
        }
        let holder = ikes.firstIndex { $0.children.contains { $0.spis.outbound == spi && !$0.isReplaced } }
        if let holder { rekeyChild(at: holder) }
    }

    /// The same, for the child with this inbound SPI, which is its number in listings.
    func rekey(inbound spi: UInt32) {
        let child = ikes.flatMap(\.children).first { $0.spis.inbound == spi }
        if let child { rekey(outbound: child.spis.outbound) }
    }

    private func rekeyIKE(at place: Int) {
        guard let tunnel = ikes[place].tunnel else { return }
        let old = ikes[place].spis
        ikes[place].spis = simulation.tunnels.newIKE()
        simulation.tunnels.established(tunnel, ikes[place].spis, by: node)
        simulation.note("\(node.name): tunnel \(tunnel) has a new IKE SA, \(ikes[place].spis)")
        say(Datagrams.ikeAdd(ikes[place].spis, replacing: old))
        say(.ikeDelete(identity(old), version: .three))
        say(Datagrams.ikeUpdate(ikes[place].spis, tunnel: tunnel))
    }
}
