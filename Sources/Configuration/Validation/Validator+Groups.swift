// SPDX-License-Identifier: Apache-2.0

private import FirstHop
private import Primitives

extension Validator {
    mutating func checkGroups() {
        if groups.isEmpty {
            warn(
                at: Position(line: 1, column: 1), "no group is configured (`standby` under `interface`): nothing to do")
        }
        var names: [String: Place] = [:]
        var addresses: [String: Place] = [:]
        for (interface, group) in groups {
            if let name = group.name {
                let place = Place.groupName(interface, group.number)
                if let earlier = names[name] {
                    refuse(
                        place,
                        "the name `\(name)` is taken by line \(draft.position(of: earlier).line); names must differ")
                }
                names[name] = names[name] ?? place
            }
            let place = Place.address(interface, group.number)
            // A link-local address counts on its link alone.
            for address in Set([group.virtualAddress].compactMap(\.self) + group.furtherAddresses).sorted() {
                let key = address.isLinkLocal ? "\(address)%\(interface)" : address.description
                if let earlier = addresses[key] {
                    refuse(
                        place,
                        "the virtual address \(address) is taken by line \(draft.position(of: earlier).line)")
                }
                addresses[key] = addresses[key] ?? place
            }
            if group.learnsVirtualAddress {
                checkLearner(interface, group)
            } else if group.virtualAddress == nil, let secondary = group.secondaryAddresses.first {
                refuse(
                    place,
                    "`\(secondary)` is secondary to nothing; write the group's primary address, "
                        + "`standby \(group.number) ip ADDRESS`")
            } else if group.virtualAddress == nil {
                warn(
                    .group(interface, group.number),
                    "group \(group.number) on \(interface) has no virtual address and stays in Initial; "
                        + "write `standby \(group.number) ip ADDRESS`")
            }
        }
        for (interface, group) in groups { checkFollow(interface, group) }
        for interface in model.interfaces {
            checkNumbers(interface)
            checkFamily(interface)
            checkProofs(interface)
            checkVirtualMACs(interface)
        }
    }

    /// A proof stands behind what version 2 has, where routers that do not know it pass over it.
    private mutating func checkProofs(_ interface: Model.Interface) {
        for group in interface.groups where group.proof != nil {
            let place = Place.proof(interface.name, group.number)
            if interface.version == .one {
                refuse(place, "`hmac` needs `standby version 2` on \(interface.name)")
            }
            guard case .text = group.authentication else {
                refuse(
                    place,
                    "`hmac` and `authentication md5` exclude each other: routers differ in what of such a message their "
                        + "digest covers")
                continue
            }
        }
    }

    /// The kernel delivers a frame to one macvlan: two groups of an interface cannot share a MAC.
    private mutating func checkVirtualMACs(_ interface: Model.Interface) {
        var taken: [MACAddress: Int] = [:]
        for group in interface.groups where interface.version.groupNumbers.contains(group.number) {
            if interface.usesBurnedInAddress {
                guard group.virtualMAC != nil else { continue }
                warn(.virtualMAC(interface.name, group.number), "`mac-address` has no effect beside `standby use-bia`")
                continue
            }
            let mac = group.virtualMAC ?? interface.version.virtualMAC(group: UInt16(group.number), group.family)
            if let other = taken[mac] {
                let place = group.virtualMAC == nil ? other : group.number
                refuse(
                    .virtualMAC(interface.name, place),
                    "groups \(other) and \(group.number) on \(interface.name) would both have the MAC \(mac.dottedDescription)"
                )
            }
            taken[mac] = group.number
        }
    }

    private mutating func checkNumbers(_ interface: Model.Interface) {
        for group in interface.groups where !interface.version.groupNumbers.contains(group.number) {
            refuse(
                .group(interface.name, group.number),
                "expected a group number from 0 to 255, found `\(group.number)`; greater ones need "
                    + "`standby version 2` on \(interface.name), and on every router of the segment")
        }
    }

    private mutating func checkFamily(_ interface: Model.Interface) {
        for group in interface.groups where group.family == .ipv6 {
            let place = Place.address(interface.name, group.number)
            if interface.version == .one {
                refuse(
                    place,
                    "IPv6 needs version 2; write `standby version 2` on \(interface.name), and on every router of the "
                        + "segment")
            }
        }
    }

    /// What takes the role at once, or replicates, must know its address from the start.
    private mutating func checkLearner(_ interface: String, _ group: Model.Group) {
        guard let name = group.name else { return }
        let isTied =
            model.cryptoMaps.contains { $0.redundancyGroup == name }
            || draft.mapRedundancies.contains { $0.group == name }
        guard model.scheme == name || isTied else { return }
        refuse(
            .group(interface, group.number),
            "the group of a crypto map or of the scheme cannot learn its address; write `standby \(group.number) ip ADDRESS`"
        )
    }

    private mutating func checkFollow(_ interface: String, _ group: Model.Group) {
        guard let name = group.follows else { return }
        let place = Place.follow(interface, group.number)
        if group.learnsVirtualAddress {
            refuse(place, "a group that follows cannot learn its address; write `standby \(group.number) ip ADDRESS`")
        }
        let standard = Model.Group(number: group.number)
        if group.priority != standard.priority || group.preempt || !group.tracks.isEmpty {
            warn(
                place,
                "priority, preempt and track have no effect in a group that follows; write them for `\(name)`")
        }
        guard let leader = groups.first(where: { $0.group.name == name }) else {
            refuse(place, "no group has the name `\(name)`; expected the name of another group\(hint(name))")
            return
        }
        if leader.interface == interface, leader.group.number == group.number {
            refuse(place, "a group cannot follow itself; expected the name of another group")
        } else if leader.group.follows != nil {
            refuse(place, "`\(name)` itself follows another group; expected a group with an election of its own")
        }
    }

    /// "; did you mean …?" for a group name.
    func hint(_ name: String) -> String {
        let close = Keywords.nearest(to: name, among: groups.compactMap(\.group.name))
        return close.map { "; did you mean `\($0)`?" } ?? ""
    }
}
