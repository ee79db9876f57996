// SPDX-License-Identifier: Apache-2.0

private import Primitives
private import Tracking

extension Validator {
    mutating func checkTracks() {
        let defined = Set(model.trackedObjects.map(\.number))
        for (interface, group) in groups {
            for track in group.tracks where !defined.contains(track.object) {
                warn(.groupTrack(interface, group.number, object: track.object), Self.undefined(track.object))
            }
            if group.follows == nil { checkDecrements(interface, group) }
        }
        for object in model.trackedObjects {
            guard case .list(let list) = object.kind else { continue }
            checkList(object.number, list, defined)
        }
        checkNesting()
        checkProbes()
    }

    private static func undefined(_ object: Int) -> String {
        "object \(object) is not defined and counts as Up; write `track \(object) interface NAME line-protocol`"
    }

    private mutating func checkList(_ number: Int, _ list: ObjectList, _ defined: Set<Int>) {
        let place = Place.track(number)
        if list.members.isEmpty {
            refuse(place, "the list has no member; write `object NUMBER` under `track \(number)`")
        }
        if list.members.count > Tracking.Limits.membersPerListCount {
            refuse(
                place,
                "the list has \(list.members.count) members; expected at most \(Tracking.Limits.membersPerListCount)")
        }
        for member in list.members where !defined.contains(member.object) {
            warn(.trackMember(number, object: member.object), Self.undefined(member.object))
        }
        switch list.rule {
        case .and, .or: break
        case .weight(let thresholds):
            let whole = list.members.reduce(0) { $0 + $1.weight }
            if thresholds == .unset {
                refuse(place, "the list has no threshold; write `threshold weight up NUMBER down NUMBER`")
            } else if thresholds.up > whole, !list.members.isEmpty {
                warn(place, "the list can never be Up: its weights come to \(whole), below \(thresholds.up)")
            }
        case .percentage(let thresholds):
            if thresholds == .unset {
                refuse(place, "the list has no threshold; write `threshold percentage up NUMBER down NUMBER`")
            }
        }
    }

    /// Lists inside lists: no cycle, and no more of them than the machine follows.
    private mutating func checkNesting() {
        var lists: [Int: [Int]] = [:]
        for object in model.trackedObjects {
            if case .list(let list) = object.kind { lists[object.number] = list.members.map(\.object) }
        }
        var depths: [Int: Int] = [:]
        for number in lists.keys.sorted() {
            var path: [Int] = []
            if let cycle = Self.depth(of: number, lists, &depths, &path) {
                let loop = (cycle + [cycle[0]]).map(String.init).joined(separator: " -> ")
                refuse(
                    .trackMember(cycle[cycle.count - 1], object: cycle[0]),
                    "the list contains itself (\(loop)); expected lists without a cycle")
                return
            }
        }
        for (number, depth) in depths.sorted(by: { $0.key < $1.key }) where depth > Tracking.Limits.listDepth {
            refuse(
                .track(number),
                "the list holds lists in \(depth) levels; expected at most \(Tracking.Limits.listDepth)")
        }
    }

    /// Fills in how many lists stand inside each other below a number; returns a cycle if there is one.
    private static func depth(
        of number: Int, _ lists: [Int: [Int]], _ depths: inout [Int: Int], _ path: inout [Int]
    ) -> [Int]? {
        guard let members = lists[number], depths[number] == nil else { return nil }
        if let start = path.firstIndex(of: number) { return Array(path[start...]) }
        path.append(number)
        var deepest = 0
        for member in members {
            if let cycle = depth(of: member, lists, &depths, &path) { return cycle }
            deepest = max(deepest, depths[member] ?? 0)
        }
        path.removeLast()
        depths[number] = deepest + 1
        return nil
    }

    /// IOS's classic mistake: a decrement that is too small.
    ///
    /// The peer's priority is unknown here. Below the default of 100 somebody with the default takes over; from there on
    /// nobody does but a peer that was raised.
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
            let left = group.priority - sum
            warn(
                place,
                "with all objects down the priority is still \(left), and a peer takes the role only from a lower one "
                    + "than its own: one with the default of \(standard) never does; write decrements that come to "
                    + "\(group.priority - standard + 1) or more, or `shutdown`, unless the peer's priority is above "
                    + "\(left)")
        }
    }
}
