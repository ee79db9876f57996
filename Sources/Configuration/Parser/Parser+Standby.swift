// SPDX-License-Identifier: Apache-2.0

private import FirstHop
private import Primitives

/// `standby [GROUP] …` under an interface (reference first-hop §1.7); a missing group number means group 0.
extension Parser {
    private static let interfaceKeywords = ["version", "use-bia", "delay", "arp", "redirects", "bfd"]
    private static let groupKeywords = [
        "ip", "ipv6", "priority", "preempt", "timers", "authentication", "name", "track", "follow", "probe",
        "mac-address", "hmac",
    ]

    mutating func parseStandby(_ statement: inout Statement, _ interface: String) throws(Fault) {
        var number = 0
        var known = Self.groupKeywords
        if let next = statement.next, let first = next.text.utf8.first, (48...57).contains(first) {
            let position = statement.position
            number = try statement.integer(HSRPVersion.two.groupNumbers, "a group number")
            if statement.isNegated, statement.isAtEnd {
                draft.editInterface(interface) { $0.groups.removeAll { $0.number == number } }
                return
            }
            if draft.places[.group(interface, number)] == nil { draft.places[.group(interface, number)] = position }
        } else if let word = statement.optionalKeyword(Self.interfaceKeywords) {
            return try parseInterfaceStandby(&statement, interface, word)
        } else {
            known += Self.interfaceKeywords
        }
        if draft.places[.group(interface, number)] == nil {
            draft.places[.group(interface, number)] = statement.position
        }
        let position = statement.position
        let word = try statement.keyword(known)
        try parseGroup(&statement, interface, number, word, position)
    }

    private mutating func parseInterfaceStandby(
        _ statement: inout Statement, _ interface: String, _ word: String
    ) throws(Fault) {
        switch word {
        case "version":
            try parseVersion(&statement, interface)
        case "use-bia":
            if statement.optionalKeyword(["scope"]) != nil { _ = try statement.keyword(["interface"]) }
            try statement.finish()
            let wanted = !statement.isNegated
            draft.editInterface(interface) { $0.usesBurnedInAddress = wanted }
        case "delay":
            try parseStartDelay(&statement, interface)
        case "arp":
            try parseGratuitousARP(&statement, interface)
        default:
            warn(statement.position, "`standby \(word)` has no effect in this release")
        }
    }

    /// `delay [minimum S] [reload S]`, at least one of them.
    private mutating func parseStartDelay(_ statement: inout Statement, _ interface: String) throws(Fault) {
        var minimum = 0
        var reload: Int?
        if statement.isNegated {
            statement.skipRest()
        } else {
            repeat {
                let kind = try statement.keyword(["minimum", "reload"])
                let seconds = try statement.integer(
                    0...Limits.startDelaySeconds, "the delay in seconds after the interface came up")
                if kind == "reload" { reload = seconds } else { minimum = seconds }
            } while !statement.isAtEnd
        }
        draft.editInterface(interface) {
            $0.startMinimumDelaySeconds = minimum
            $0.startReloadDelaySeconds = reload
        }
    }

    /// `arp gratuitous [count N] [interval S]`; what is left out has IOS's default.
    private mutating func parseGratuitousARP(_ statement: inout Statement, _ interface: String) throws(Fault) {
        _ = try statement.keyword(["gratuitous"])
        var changed = Model.Interface(name: interface)
        if statement.isNegated { statement.skipRest() }
        while !statement.isAtEnd {
            if try statement.keyword(["count", "interval"]) == "count" {
                changed.announcementCount = try statement.integer(0...60, "how often addresses are announced")
            } else {
                changed.announcementIntervalSeconds = try statement.integer(
                    2...60, "the time between announcements in seconds")
            }
        }
        draft.editInterface(interface) {
            $0.announcementCount = changed.announcementCount
            $0.announcementIntervalSeconds = changed.announcementIntervalSeconds
        }
    }

    private mutating func parseVersion(_ statement: inout Statement, _ interface: String) throws(Fault) {
        let position = statement.position
        var number = 1
        if !statement.isNegated || !statement.isAtEnd {
            number = try statement.integer(1...2, "the version of HSRP")
        }
        try statement.finish()
        let version: HSRPVersion = statement.isNegated || number == 1 ? .one : .two
        draft.editInterface(interface) { $0.version = version }
        draft.places[.version(interface)] = position
    }

    private mutating func parseGroup(
        _ statement: inout Statement, _ interface: String, _ number: Int, _ word: String, _ position: Position
    ) throws(Fault) {
        if statement.isNegated {
            resetGroup(&statement, interface, number, word)
            return
        }
        let before = draft.group(interface, number) ?? Model.Group(number: number)
        var group = before
        switch word {
        case "ip":
            try parseVirtualAddress(&statement, &group)
            note(
                .address(interface, number), position,
                replaces: before.virtualAddress != nil && before.virtualAddress != group.virtualAddress)
        case "ipv6": try parseIPv6(&statement, &group, position, interface)
        case "priority":
            group.priority = try statement.integer(0...255, "the priority")
            note(.priority(interface, number), position, replaces: before.priority != group.priority)
        case "preempt": try parsePreempt(&statement, &group, .syncDelay(interface, number))
        case "timers":
            try parseTimers(&statement, &group, position)
            note(
                .timers(interface, number), position,
                replaces: before.helloMilliseconds != group.helloMilliseconds
                    || before.holdMilliseconds != group.holdMilliseconds)
        case "authentication":
            try parseAuthentication(&statement, &group)
            note(
                .authentication(interface, number), position,
                replaces: before.authentication != group.authentication)
        case "hmac":
            group.proof = try parseProof(&statement)
            note(.proof(interface, number), position, replaces: before.proof != nil && before.proof != group.proof)
        case "name":
            group.name = try statement.word("the group's name", maximumByteCount: Limits.groupNameByteCount)
            note(.groupName(interface, number), position, replaces: before.name != group.name)
        case "track": try parseGroupTrack(&statement, &group, interface)
        case "follow":
            group.follows = try statement.word(
                "the name of the group to follow", maximumByteCount: Limits.groupNameByteCount)
            note(.follow(interface, number), position, replaces: before.follows != group.follows)
        case "probe":
            group.probe = try statement.address("the neighbour to probe")
            note(.probe(interface, number), position, replaces: before.probe != group.probe)
        default:
            group.virtualMAC = try parseVirtualMAC(&statement)
            draft.places[.virtualMAC(interface, number)] = position
        }
        try statement.finish()
        draft.editGroup(interface, number) { $0 = group }
    }

    private mutating func resetGroup(
        _ statement: inout Statement, _ interface: String, _ number: Int, _ word: String
    ) {
        let fresh = Model.Group(number: number)
        // `no standby 10 track 1 …` names one object, every other `no` form its whole statement.
        let object = word == "track" ? statement.next.flatMap { Int($0.text) } : nil
        let address = word.hasPrefix("ip") ? statement.next?.text : nil
        // `no standby 10 preempt delay` keeps `preempt`, as in IOS.
        let isDelayAlone = word == "preempt" && statement.optionalKeyword(["delay"]) != nil
        statement.skipRest()
        guard draft.group(interface, number) != nil else { return }
        draft.editGroup(interface, number) { group in
            switch word {
            case "ip": Self.resetIPv4(&group, named: address)
            case "ipv6": Self.resetIPv6(&group, named: address)
            case "priority": group.priority = fresh.priority
            case "preempt":
                if !isDelayAlone { group.preempt = false }
                group.preemptMinimumDelaySeconds = fresh.preemptMinimumDelaySeconds
                group.preemptReloadDelaySeconds = nil
                group.preemptSyncDelaySeconds = nil
            case "timers":
                group.helloMilliseconds = fresh.helloMilliseconds
                group.holdMilliseconds = fresh.holdMilliseconds
                group.timersInMilliseconds = false
            case "authentication": group.authentication = fresh.authentication
            case "name": group.name = nil
            case "track": group.tracks.removeAll { object == nil || $0.object == object }
            case "follow": group.follows = nil
            case "probe": group.probe = nil
            case "mac-address": group.virtualMAC = nil
            case "hmac": group.proof = nil
            default: break
            }
        }
    }

    private mutating func parseVirtualAddress(
        _ statement: inout Statement, _ group: inout Model.Group
    ) throws(Fault) {
        if statement.isAtEnd {
            // What is configured already needs not be learned.
            group.learnsVirtualAddress = group.virtualAddress == nil
            return
        }
        let place = statement
        if group.family == .ipv6 {
            throw statement.fault(
                "group \(group.number) has an IPv6 address; write a group of its own for IPv4, "
                    + "which may `follow` this one")
        }
        let address = try statement.address("the virtual address")
        let first = address.value >> 24
        guard first != 0, first != 127, first < 224 else {
            throw place.fault("expected a unicast address as virtual address, found `\(address)`")
        }
        if statement.optionalKeyword(["secondary"]) != nil {
            guard IPAddress(address) != group.virtualAddress else {
                throw place.fault("`\(address)` is the group's primary address already; expected another one")
            }
            guard !group.secondaryAddresses.contains(address) else { return }
            group.secondaryAddresses.append(address)
            return group.secondaryAddresses.sort()
        }
        // As in IOS, the last word counts: what was a secondary address becomes the primary one.
        group.secondaryAddresses.removeAll { $0 == address }
        group.virtualAddress = IPAddress(address)
        group.learnsVirtualAddress = false
    }

    /// `no standby G ip [ADDRESS [secondary]]`: a secondary address that is named, or everything.
    private static func resetIPv4(_ group: inout Model.Group, named text: String?) {
        guard group.family == .ipv4 else { return }
        if let address = text.flatMap({ IPv4Address(text: $0) }), IPAddress(address) != group.virtualAddress {
            return group.secondaryAddresses.removeAll { $0 == address }
        }
        group.virtualAddress = nil
        group.secondaryAddresses = []
        group.learnsVirtualAddress = false
    }

    private func parseVirtualMAC(_ statement: inout Statement) throws(Fault) -> MACAddress {
        let place = statement
        let text = try statement.word("the virtual MAC address", maximumByteCount: 17)
        guard let mac = MACAddress(text: text), mac.value != 0, mac.octets[0] & 1 == 0 else {
            throw place.fault(
                "expected the MAC address of one station, such as 0000.0c07.ac0a or 00:00:0c:07:ac:0a, found `\(text)`")
        }
        return mac
    }

    private mutating func parsePreempt(
        _ statement: inout Statement, _ group: inout Model.Group, _ place: Place
    ) throws(Fault) {
        group.preempt = true
        guard !statement.isAtEnd else { return }
        _ = try statement.keyword(["delay"])
        repeat {
            let position = statement.position
            let kind = try statement.keyword(["minimum", "reload", "sync"])
            let seconds = try statement.integer(0...3600, "the delay in seconds")
            switch kind {
            case "minimum": group.preemptMinimumDelaySeconds = seconds
            case "reload": group.preemptReloadDelaySeconds = seconds
            default:
                group.preemptSyncDelaySeconds = seconds
                draft.places[place] = position
            }
        } while !statement.isAtEnd
    }

    private mutating func parseTimers(
        _ statement: inout Statement, _ group: inout Model.Group, _ position: Position
    ) throws(Fault) {
        let helloInMilliseconds = statement.optionalKeyword(["msec"]) != nil
        group.helloMilliseconds =
            helloInMilliseconds
            ? try statement.integer(15...999, "the hello interval in milliseconds")
            : 1000 * (try statement.integer(1...254, "the hello interval in seconds"))
        let place = statement.position
        let holdInMilliseconds = statement.optionalKeyword(["msec"]) != nil
        group.holdMilliseconds =
            holdInMilliseconds
            ? try statement.integer(50...3000, "the hold time in milliseconds")
            : 1000 * (try statement.integer(1...255, "the hold time in seconds"))
        group.timersInMilliseconds = helloInMilliseconds || holdInMilliseconds
        guard group.holdMilliseconds > group.helloMilliseconds else {
            throw Fault(
                position: place,
                message: "expected a hold time longer than the hello interval (\(group.helloMilliseconds) ms), "
                    + "found \(group.holdMilliseconds) ms")
        }
        if group.holdMilliseconds < 3 * group.helloMilliseconds {
            warn(place, "a hold time below three hello intervals lets two lost hellos move the role")
        }
    }

    private mutating func parseGroupTrack(
        _ statement: inout Statement, _ group: inout Model.Group, _ interface: String
    ) throws(Fault) {
        let position = statement.position
        if let next = statement.next, Int(next.text) == nil {
            throw statement.fault(
                "tracking an interface by name is not available in this release; "
                    + "write `track 1 interface \(next.text) line-protocol` "
                    + "and `standby \(group.number) track 1 decrement 10`")
        }
        let object = try statement.integer(1...1000, "the number of a tracked object")
        var effect = Model.Group.Track.Effect.decrement(10)
        if !statement.isAtEnd {
            if try statement.keyword(["decrement", "shutdown"]) == "shutdown" {
                effect = .shutdown
            } else {
                effect = .decrement(try statement.integer(1...255, "the decrement"))
            }
        }
        let place = Place.groupTrack(interface, group.number, object: object)
        if let index = group.tracks.firstIndex(where: { $0.object == object }) {
            note(place, position, replaces: group.tracks[index].effect != effect)
            group.tracks[index].effect = effect
        } else {
            group.tracks.append(Model.Group.Track(object: object, effect: effect))
            draft.places[place] = position
        }
    }
}
