// SPDX-License-Identifier: Apache-2.0

private import Primitives

extension Validator {
    mutating func checkGroups() {
        if groups.isEmpty {
            warn(
                at: Position(line: 1, column: 1), "no group is configured (`standby` under `interface`): nothing to do")
        }
        var names: [String: Place] = [:]
        var addresses: [IPv4Address: Place] = [:]
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
            if let address = group.virtualAddress {
                let place = Place.address(interface, group.number)
                if let earlier = addresses[address] {
                    refuse(
                        place,
                        "the virtual address \(address) is taken by line \(draft.position(of: earlier).line)")
                }
                addresses[address] = addresses[address] ?? place
            } else {
                warn(
                    .group(interface, group.number),
                    "group \(group.number) on \(interface) has no virtual address and stays in Initial; "
                        + "write `standby \(group.number) ip ADDRESS`")
            }
        }
        for (interface, group) in groups { checkFollow(interface, group) }
    }

    private mutating func checkFollow(_ interface: String, _ group: Model.Group) {
        guard let name = group.follows else { return }
        let place = Place.follow(interface, group.number)
        warn(
            place,
            "`standby \(group.number) follow` is kept, but this release does not couple groups: it stays in Initial")
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

    mutating func checkTracks() {
        let defined = Set(model.trackedObjects.map(\.number))
        for (interface, group) in groups {
            for track in group.tracks where !defined.contains(track.object) {
                warn(
                    .groupTrack(interface, group.number, object: track.object),
                    "object \(track.object) is not defined and counts as Up; "
                        + "write `track \(track.object) interface NAME line-protocol`")
            }
            checkDecrements(interface, group)
        }
    }

    /// The peer's priority is unknown here, but below the default of 100 there is always somebody to take over.
    private mutating func checkDecrements(_ interface: String, _ group: Model.Group) {
        let standard = Model.Group(number: 0).priority
        var sum = 0
        for track in group.tracks {
            guard case .decrement(let amount) = track.effect else { return }
            sum += amount
        }
        guard sum > 0, let first = group.tracks.first else { return }
        let place = Place.groupTrack(interface, group.number, object: first.object)
        if group.priority == 0 {
            warn(place, "the priority is 0 already, so that a decrement changes nothing; write `shutdown` instead")
        } else if group.priority > standard, group.priority - sum >= standard {
            warn(
                place,
                "even with all objects down the priority is \(group.priority - sum), which a peer with the default "
                    + "priority of \(standard) never exceeds: no failover; write a greater decrement or `shutdown`")
        }
    }
}
