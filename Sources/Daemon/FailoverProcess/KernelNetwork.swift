// SPDX-License-Identifier: Apache-2.0

import ByteCodec
import LinuxIO
import Netlink
import Primitives

/// What failover knows of the kernel's interfaces and addresses, and the few things it changes there.
///
/// Every change is idempotent: what is there already, or gone already, is success. A refusal is counted and logged,
/// and reconciling tries again.
final class KernelNetwork {
    /// Links by index.
    private(set) var links: [UInt32: LinkInfo] = [:]
    /// Addresses by interface index.
    private(set) var addresses: [UInt32: [AddressInfo]] = [:]
    /// Told about each refusal.
    var onRefusal: (_ what: String, _ error: NetlinkError) -> Void = { _, _ in }

    /// Whether IPv6 addresses and rules are read as well.
    var readsIPv6 = false
    private var families: [IPAddress.Family] { readsIPv6 ? [.ipv4, .ipv6] : [.ipv4] }

    /// What `configureParent` found before it changed anything, by interface.
    private(set) var settingsBefore: [UInt32: [InterfaceSetting: UInt32]] = [:]
    /// Told before an interface is changed for the first time, so that somebody who outlives this process can put it back.
    var onSettingsKept: () -> Void = {}

    let socket: NetlinkSocket

    /// Opens the socket; needs CAP_NET_ADMIN for changes.
    init() throws(SystemError) { socket = try NetlinkSocket(.route) }

    // MARK: Reading

    /// Reads links and addresses anew.
    func readTables() {
        guard let linkMessages = read(LinkRequest.dump(), "links") else { return }
        var addressMessages: [NetlinkMessage] = []
        for family in families {
            guard let messages = read(AddressRequest.dump(family), "addresses") else { return }
            addressMessages += messages
        }
        links = [:]
        addresses = [:]
        for message in linkMessages {
            if let link = try? LinkInfo(parsing: message) { links[link.index] = link }
        }
        for message in addressMessages {
            if let address = try? AddressInfo(parsing: message) { note(address, isThere: true) }
        }
    }

    /// Takes over what an event says; true if it concerns links, addresses or rules at all.
    func note(_ message: NetlinkMessage) {
        switch message.type {
        case RouteMessage.newLink:
            // A bridge tells about its ports in another family's messages, which say too little.
            guard message.payload.first == AddressFamily.unspecified, let link = try? LinkInfo(parsing: message)
            else { return }
            links[link.index] = link
        case RouteMessage.deleteLink:
            guard message.payload.first == AddressFamily.unspecified, let link = try? LinkInfo(parsing: message)
            else { return }
            links[link.index] = nil
            addresses[link.index] = nil
            settingsBefore[link.index] = nil
        case RouteMessage.newAddress, RouteMessage.deleteAddress:
            guard let address = try? AddressInfo(parsing: message) else { return }
            note(address, isThere: message.type == RouteMessage.newAddress)
        default: break
        }
    }

    private func note(_ address: AddressInfo, isThere: Bool) {
        var known = addresses[address.interfaceIndex] ?? []
        known.removeAll { $0.address == address.address && $0.prefixLength == address.prefixLength }
        if isThere { known.append(address) }
        addresses[address.interfaceIndex] = known
    }

    /// The link of that name.
    func link(named name: String) -> LinkInfo? { links.values.first { $0.name == name } }

    /// Whether an address tagged ours is on any interface.
    func isOwnAddress(_ address: IPAddress) -> Bool {
        addresses.values.contains { $0.contains { $0.isOwn && $0.address == address } }
    }

    /// Rules of ours that stand in the kernel now.
    func ownFences() -> [RuleInfo] {
        ownRules().filter(\.isOwnFence)
    }

    /// Rules of ours, fences and the standing parts of IPv6 fences.
    func ownRules() -> [RuleInfo] {
        families.flatMap { read(RuleRequest.dump($0), "rules") ?? [] }.compactMap { try? RuleInfo(parsing: $0) }
            .filter { $0.isOwnFence || $0.isOwnStanding }
    }

    /// `net.ipv4.conf.all.rp_filter`; 0 if the kernel does not say.
    func reversePathFilterOfAll() -> UInt32 {
        var request = NetlinkRequest(type: RouteMessage.getInterfaceConfiguration, fixed: [AddressFamily.ipv4])
        let indexAttribute: UInt16 = 1
        let reversePathAttribute: UInt16 = 3
        request.append(indexAttribute, host: UInt32.max)
        guard let message = try? socket.request(request).first else { return 0 }
        let attributes = AttributeReader(message.payload.dropFirst(4))
        let found = try? attributes.first(reversePathAttribute)?.host(UInt32.self)
        return (found ?? nil) ?? 0
    }

    func read(_ request: NetlinkRequest, _ what: String) -> [NetlinkMessage]? {
        do {
            return try socket.dump(request)
        } catch {
            onRefusal("read \(what)", error)
            return nil
        }
    }

    // MARK: Changing

    /// Prohibits routing from an address; tells whether that was allowed until now.
    @discardableResult
    func raiseFence(_ address: IPAddress) -> Bool {
        change("raise the fence of \(address)", tolerating: [SystemCode.exists]) { () throws(NetlinkError) in
            try socket.request(RuleRequest.addFence(address: address, preference: FencePreference.value))
        }
    }

    /// Allows routing from an address again.
    func lowerFence(_ address: IPAddress, preference: UInt32 = FencePreference.value) {
        change("lower the fence of \(address)", tolerating: [SystemCode.notFound]) { () throws(NetlinkError) in
            try socket.request(RuleRequest.deleteFence(address: address, preference: preference))
        }
    }

    /// Adds an address with a lease, or prolongs it.
    func holdAddress(_ held: HeldAddress, leaseSeconds: Int) {
        change("hold \(held.address)") { () throws(NetlinkError) in
            try socket.request(
                AddressRequest.replace(
                    interfaceIndex: held.interfaceIndex, address: held.address, prefixLength: held.prefixLength,
                    validSeconds: UInt32(leaseSeconds)))
        }
    }

    /// Deletes an address.
    func deleteAddress(_ held: HeldAddress) {
        let gone = [SystemCode.addressNotAvailable, SystemCode.noDevice]
        change("delete \(held.address)", tolerating: gone) { () throws(NetlinkError) in
            try socket.request(
                AddressRequest.delete(
                    interfaceIndex: held.interfaceIndex, address: held.address, prefixLength: held.prefixLength))
        }
    }

    /// Makes a link administratively up or down.
    func setUp(_ index: UInt32, _ isUp: Bool) {
        let tolerated = isUp ? [] : [SystemCode.noDevice]
        change("set interface \(index) \(isUp ? "up" : "down")", tolerating: tolerated) { () throws(NetlinkError) in
            try socket.request(LinkRequest.setUp(index: index, isUp))
        }
    }

    /// Deletes a link.
    func deleteLink(_ index: UInt32) {
        change("delete interface \(index)", tolerating: [SystemCode.noDevice]) { () throws(NetlinkError) in
            try socket.request(LinkRequest.delete(index: index))
        }
        links[index] = nil
        addresses[index] = nil
    }

    /// Changes IPv4 settings of an interface that is not ours; the values before are kept.
    func configureParent(_ index: UInt32, _ settings: [InterfaceSetting: UInt32]) {
        if settingsBefore[index] == nil, let link = links[index] {
            settingsBefore[index] = settings.keys.reduce(into: [:]) { $0[$1] = link.setting($1) }
            onSettingsKept()
        }
        configure(index, settings)
    }

    /// No group stands on these interfaces any more: what they were before is nobody's business here.
    func forgetSettings(except indexes: Set<UInt32>) {
        guard settingsBefore.keys.contains(where: { !indexes.contains($0) }) else { return }
        settingsBefore = settingsBefore.filter { indexes.contains($0.key) }
        onSettingsKept()
    }

    /// Changes IPv4 settings of a link.
    func configure(_ index: UInt32, _ settings: [InterfaceSetting: UInt32]) {
        change("configure interface \(index)", tolerating: [SystemCode.noDevice]) { () throws(NetlinkError) in
            try socket.request(LinkRequest.configure(index: index, settings))
        }
    }

    /// Brings a macvlan to its parent's MTU, and into its parent's VRF.
    ///
    /// The kernel lowers a macvlan's MTU with its parent's, but never raises it; and it leaves it outside the VRF, where
    /// the virtual address would stand in another routing table than the interface's own.
    func alignMacvlan(_ index: UInt32) {
        guard let link = links[index], let parent = link.parentIndex.flatMap({ links[$0] }) else { return }
        if link.mtu != parent.mtu {
            change("set the MTU of \(link.name)", tolerating: [SystemCode.noDevice]) { () throws(NetlinkError) in
                try socket.request(LinkRequest.setMTU(index: index, parent.mtu))
            }
            links[index]?.mtu = parent.mtu
        }
        let domain = parent.masterIndex.flatMap { links[$0] }.flatMap { $0.kind == "vrf" ? $0.index : nil }
        if link.masterIndex != domain {
            change("move \(link.name) into the VRF of \(parent.name)", tolerating: [SystemCode.noDevice]) {
                () throws(NetlinkError) in
                try socket.request(LinkRequest.setMaster(index: index, domain))
            }
            links[index]?.masterIndex = domain
        }
    }

    /// How many packets an interface has received so far; nil if the kernel does not say.
    func receivedPackets(_ index: UInt32) -> UInt64? {
        guard let message = try? socket.request(LinkRequest.get(index: index)).first else { return nil }
        return (try? LinkInfo(parsing: message))?.receivedPackets
    }

    /// Makes a macvlan, administratively down, or finds the one that is there; nil if the kernel refuses.
    func makeMacvlan(name: String, parentIndex: UInt32, mac: MACAddress) -> UInt32? {
        if let old = link(named: name) {
            if old.kind == "macvlan", old.parentIndex == parentIndex, old.mac == mac { return old.index }
            guard old.kind == "macvlan" else {
                onRefusal("create \(name)", .refused(code: SystemCode.exists, text: "another interface has that name"))
                return nil
            }
            deleteLink(old.index)
        }
        do {
            try socket.request(LinkRequest.createMacvlan(name: name, parentIndex: parentIndex, mac: mac))
            guard let message = try socket.request(LinkRequest.get(name: name)).first,
                let link = try? LinkInfo(parsing: message)
            else { return nil }
            links[link.index] = link
            // Refused where the kernel has no IPv6: then nothing is generated either.
            _ = try? socket.request(LinkRequest.disableAddressGeneration(index: link.index))
            return link.index
        } catch {
            onRefusal("create \(name)", error)
            return nil
        }
    }

    /// Tells whether the kernel has changed something.
    @discardableResult
    func change(
        _ what: String, tolerating codes: [Int32] = [], _ body: () throws(NetlinkError) -> [NetlinkMessage]
    ) -> Bool {
        do {
            _ = try body()
            return true
        } catch {
            if let code = error.refusalCode, codes.contains(code) { return false }
            onRefusal(what, error)
            return false
        }
    }
}
