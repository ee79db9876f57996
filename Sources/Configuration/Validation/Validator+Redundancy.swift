// SPDX-License-Identifier: Apache-2.0

private import Primitives

extension Validator {
    /// Brings together what was said of a map's group in several places.
    mutating func resolveMaps() {
        for var map in model.cryptoMaps {
            let said = draft.mapRedundancies.filter { $0.map == map.name }
            guard let first = said.first else { continue }
            for other in said.dropFirst() where other.group != first.group {
                refuse(
                    at: other.position,
                    "crypto map `\(map.name)` belongs to group `\(first.group)` already (line \(first.position.line))")
            }
            map.redundancyGroup = first.group
            map.isStateful = said.contains { $0.isStateful }
            if map.isStateful, let plain = said.first(where: { !$0.isStateful }),
                let stateful = said.first(where: { $0.isStateful })
            {
                warn(
                    at: plain.position,
                    "`stateful` is missing here but said in line \(stateful.position.line): it holds for the whole map")
            }
            guard let group = groups.first(where: { $0.group.name == first.group }) else {
                refuse(
                    at: first.position,
                    "no group has the name `\(first.group)`; expected a name given by `standby GROUP name`"
                        + hint(first.group))
                store(map)
                continue
            }
            if !map.interfaces.contains(group.interface) { map.interfaces.append(group.interface) }
            store(map)
            if map.entries.isEmpty {
                warn(
                    .mapRedundancy(map.name),
                    "crypto map `\(map.name)` has no entry; write `crypto map \(map.name) 10 ipsec-isakmp` "
                        + "with `set peer`")
            }
            if group.group.follows != nil {
                refuse(
                    at: first.position,
                    "group `\(first.group)` follows another one; expected a group with an election of its own")
            }
            if group.group.family == .ipv6, group.group.tunnelEnds.isEmpty {
                refuse(
                    at: first.position,
                    "group `\(first.group)` has no address that a tunnel may end at: its link-local one counts on one "
                        + "link alone; write `standby \(group.group.number) ipv6 ADDRESS/LENGTH`")
            }
            if map.isStateful { checkStateful(map, group.interface, group.group) }
        }
        for map in model.cryptoMaps {
            for entry in map.entries where entry.peers.isEmpty && !entry.acceptsAnyPeer {
                warn(
                    .entry(map.name, entry.sequence),
                    "no peer is named, so the entry means any; write `set peer ADDRESS` or `set peer any`")
            }
        }
    }

    private mutating func checkStateful(_ map: Model.CryptoMap, _ interface: String, _ group: Model.Group) {
        if case .text = group.authentication {
            warn(
                draft.places[.authentication(interface, group.number)] == nil
                    ? .group(interface, group.number) : .authentication(interface, group.number),
                "group \(group.number) carries SAs but its hellos are authenticated by clear text alone: whoever can "
                    + "send on this segment can move the role; write "
                    + "`standby \(group.number) authentication md5 key-string KEY`")
        }
        if group.preemptSyncDelaySeconds != nil {
            warn(
                .syncDelay(interface, group.number),
                "after this delay the node takes the role even if it does not hold the SAs: tunnels would be lost")
        }
        if model.scheme == nil {
            warn(
                .mapRedundancy(map.name),
                "`stateful` does nothing until `redundancy inter-device` says `scheme standby \(group.name ?? "NAME")`")
        } else if model.scheme != group.name {
            refuse(
                .mapRedundancy(map.name),
                "expected the group of the scheme, `\(model.scheme ?? "")`, for a stateful crypto map")
        }
    }

    mutating func checkScheme() {
        guard let scheme = model.scheme else {
            if model.association != nil {
                warn(
                    .association,
                    "nothing is replicated until `redundancy inter-device` says `scheme standby NAME`")
            }
            return
        }
        guard let group = groups.first(where: { $0.group.name == scheme }) else {
            refuse(
                .scheme,
                "no group has the name `\(scheme)`; expected a name given by `standby GROUP name`\(hint(scheme))")
            return
        }
        if group.group.follows != nil {
            refuse(.scheme, "`\(scheme)` follows another group; expected a group with an election of its own")
        }
        if model.association == nil {
            warn(.scheme, "there is no peer to be redundant with; write `ipc zone default` and `association 1`")
        }
    }

    mutating func checkAssociation() {
        guard let association = model.association else { return }
        if association.localAddresses.isEmpty {
            refuse(.association, "the association has no local address; write `local-ip ADDRESS` under `local-port`")
        }
        if association.remoteAddresses.isEmpty {
            refuse(.association, "the association has no peer; write `remote-ip ADDRESS` under `remote-port`")
        }
        for address in association.localAddresses where association.remoteAddresses.contains(address) {
            refuse(.remoteAddresses, "\(address) is the address of this node; expected one of the peer's")
        }
        checkAssociationAddresses(association)
        let tuning = association.tuning
        if association.remoteAddresses.count > 1, let path = tuning.pathRetransmissions,
            let whole = tuning.associationRetransmissions, whole <= path
        {
            warn(.tuning, "with several paths `assoc-retransmit` should be greater than `path-retransmit`, \(path)")
        }
    }

    private mutating func checkAssociationAddresses(_ association: Model.Association) {
        let ends: [(Place, [IPv4Address])] = [
            (.localAddresses, association.localAddresses), (.remoteAddresses, association.remoteAddresses),
        ]
        for (place, addresses) in ends {
            for address in addresses {
                if groups.contains(where: { $0.group.virtualAddress == IPAddress(address) }) {
                    refuse(place, "\(address) is a virtual address; expected one that stays with its node")
                }
                let first = address.value >> 24
                if first == 0 || first >= 224 { refuse(place, "expected a unicast address, found \(address)") }
            }
        }
        guard association.localAddresses.count == 1, let local = association.localAddresses.first else { return }
        let shared = groups.first { group in
            group.group.virtualAddress?.ipv4.map { $0.value >> 8 == local.value >> 8 } ?? false
        }
        if let shared {
            warn(
                .localAddresses,
                "the association seems to run over the segment of group \(shared.group.number) alone: one cable would "
                    + "take away both witnesses; add a second address on another segment")
        }
    }
}
