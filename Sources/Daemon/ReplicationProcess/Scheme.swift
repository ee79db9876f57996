// SPDX-License-Identifier: Apache-2.0

import Configuration
import FirstHop
import Primitives
import Replication
import SecurityAssociations

/// What replication needs to know of a configuration: the group that rules it, its crypto maps and its times.
struct Scheme: Equatable {
    /// The group's name.
    let name: String
    /// The interface that carries the group.
    let interface: String
    /// The interface's HSRP version.
    let version: HSRPVersion
    /// The group.
    let group: Model.Group
    /// The crypto maps bound to the group.
    let maps: [Model.CryptoMap]
    /// The map of each peer that one names; looked up for every flow of a screen.
    private let mapNames: [IPAddress: String]
    /// The map that takes any peer.
    private let anyMapName: String?
    /// The association with the peer; nil where none is configured.
    let association: Model.Association?
    /// How the association is secured.
    let security: Model.Security
    /// Where the IKE daemon is; nil with `ike-daemon none`.
    let strongSwan: Model.StrongSwanSettings?
    /// Every group of the node with its virtual address.
    let helloInterfaces: [SessionHello.Interface]

    /// Nil without a ruling group, or when it does not exist.
    init?(_ model: Model) {
        guard let name = model.rulingGroup else { return nil }
        let all = model.interfaces.flatMap { interface in interface.groups.map { (interface.name, $0) } }
        guard let (interface, group) = all.first(where: { $0.1.name == name }) else { return nil }
        self.name = name
        self.interface = interface
        version = model.interfaces.first { $0.name == interface }?.version ?? .one
        self.group = group
        maps = model.cryptoMaps.filter { $0.redundancyGroup == name }
        let named = maps.flatMap { map in map.entries.flatMap(\.peers).map { ($0, map.name) } }
        mapNames = Dictionary(named) { first, _ in first }
        anyMapName = maps.first { map in map.entries.contains { $0.acceptsAnyPeer || $0.peers.isEmpty } }?.name
        association = model.association
        security = model.security
        if case .strongSwan(let settings) = model.ikeDaemon { strongSwan = settings } else { strongSwan = nil }
        let own = model.association?.localAddresses.first ?? .any
        helloInterfaces = all.map { pair in
            SessionHello.Interface(
                address: own, group: UInt16(pair.1.number), virtualAddress: pair.1.virtualAddress?.ipv4 ?? .any)
        }
    }

    /// A map of the group says `stateful`: SAs are replicated.
    var isStateful: Bool { maps.contains(where: \.isStateful) }

    /// The association is encrypted.
    var isSecured: Bool { linkMode != .plain }

    /// The known keys of the peer, where the association is encrypted.
    var linkMode: SecureLink.Mode {
        if case .pinned(_, let peers) = security { .pinned(peers) } else { .plain }
    }

    /// The ends of our tunnels.
    var virtualAddresses: Set<IPAddress> { Set(group.tunnelEnds) }

    /// How far ahead the standby's outbound counters stand.
    var marginSettings: SequenceMargin.Settings {
        SequenceMargin.Settings(
            outboundInterval: UInt64(maps.map(\.outboundReplayInterval).max() ?? 100_000),
            reportInterval: .milliseconds(Self.reportMilliseconds), hold: .milliseconds(group.holdMilliseconds),
            lease: .milliseconds(min(max((group.holdMilliseconds + 999) / 1000, 1), 3) * 1000),
            burstPacketsPerSecond: SequenceMargin.burstPacketsPerSecond)
    }

    /// How often the Active reports its outbound sequence numbers.
    static let reportMilliseconds = 1000

    /// The map that names the peer; a map for any peer comes last.
    func mapName(for peer: IPAddress) -> String? { mapNames[peer] ?? anyMapName }

    /// Whether routes toward what lies behind the peer are to be injected while Active.
    func hasReverseRoute(for peer: IPAddress) -> Bool {
        let entries = maps.flatMap(\.entries)
        if let exact = entries.first(where: { $0.peers.contains(peer) }) { return exact.reverseRoute }
        return entries.contains { ($0.acceptsAnyPeer || $0.peers.isEmpty) && $0.reverseRoute }
    }

    /// What must be the same on both nodes, in the words of the configuration.
    var agreedItems: [SessionHello.AgreedItem] {
        let prefix = "standby \(group.number)"
        let addresses =
            [group.virtualAddress].compactMap { $0?.description } + group.secondaryAddresses.map(\.description)
            + group.globalAddresses.map(\.description)
        var items: [SessionHello.AgreedItem] = [
            .init(name: "\(prefix) ip", value: addresses.isEmpty ? "none" : addresses.joined(separator: " ")),
            .init(name: "\(prefix) timers", value: "msec \(group.helloMilliseconds) msec \(group.holdMilliseconds)"),
            .init(name: "standby version", value: "\(version.rawValue)"),
            .init(name: "ike-daemon", value: strongSwan == nil ? "none" : "strongswan"),
        ]
        for map in maps {
            let name = "crypto map \(map.name)"
            items.append(.init(name: "\(name) redundancy", value: map.isStateful ? "stateful" : "stateless"))
            let interval = "inbound \(map.inboundReplayInterval) outbound \(map.outboundReplayInterval)"
            items.append(.init(name: "\(name) redundancy replay-interval", value: interval))
            for entry in map.entries {
                let peers = entry.peers.map(\.description).sorted().joined(separator: " ")
                let value = (entry.acceptsAnyPeer ? "any" : peers) + (entry.reverseRoute ? " reverse-route" : "")
                items.append(.init(name: "\(name) \(entry.sequence) peers", value: value))
            }
        }
        return items
    }
}
