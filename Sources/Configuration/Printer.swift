// SPDX-License-Identifier: Apache-2.0

private import FirstHop
private import Primitives

/// The canonical text of a model; with `secrets` it loads again to the same model.
///
/// - Parameters:
///   - model: A model that `load` made, or one that keeps the same rules.
///   - secrets: Whether authentication data is printed; otherwise `<hidden>` stands in its place.
/// - Returns: Lines without abbreviations and without what is default.
public func print(_ model: Model, secrets: Bool) -> String {
    var printer = Printer(showsSecrets: secrets)
    printer.print(model)
    return printer.lines.joined(separator: "\n") + "\n"
}

private struct Printer {
    let showsSecrets: Bool
    var lines: [String] = []

    mutating func print(_ model: Model) {
        let standard = Model()
        if model.hostname != standard.hostname { lines.append("hostname \(quoted(model.hostname))") }
        for operation in model.echoOperations { lines += operation.canonicalLines }
        for object in model.trackedObjects { lines += object.canonicalLines }
        for chain in model.keyChains { print(chain) }
        for notification in model.notifications { print(notification) }
        for interface in model.interfaces {
            lines += ["!", "interface \(quoted(interface.name))"]
            if interface.version != .one { lines.append(" standby version \(interface.version.rawValue)") }
            if interface.usesBurnedInAddress { lines.append(" standby use-bia") }
            let minimum = interface.startMinimumDelaySeconds
            let startDelay = delay(
                [("minimum", minimum > 0 ? minimum : nil), ("reload", interface.startReloadDelaySeconds)])
            if !startDelay.isEmpty { lines.append(" standby\(startDelay)") }
            printGratuitousARP(interface)
            for group in interface.groups { print(group) }
            printMaps(on: interface.name, model)
        }
        printOtherInterfaces(model)
        if let association = model.association { print(association) }
        if model.scheme != nil || model.security != .unset {
            lines += ["!", "redundancy inter-device"]
            if let scheme = model.scheme { lines.append(" scheme standby \(quoted(scheme))") }
            printSecurity(model.security)
        }
        for map in model.cryptoMaps { print(map) }
        switch model.ikeDaemon {
        case .strongSwan(let settings): print(settings)
        case .none: lines += ["!", "ike-daemon none"]
        }
        lines.append("!")
    }

    private mutating func printSecurity(_ security: Model.Security) {
        switch security {
        case .unset: break
        case .none: lines.append(" security none")
        case .pinned(let path, let peers):
            lines.append(" security identity \(quoted(path))")
            for peer in peers { lines.append(" security peer \(peer)") }
        }
    }

    private mutating func printGratuitousARP(_ interface: Model.Interface) {
        let standard = Model.Interface(name: interface.name)
        var line = ""
        if interface.announcementCount != standard.announcementCount { line += " count \(interface.announcementCount)" }
        if interface.announcementIntervalSeconds != standard.announcementIntervalSeconds {
            line += " interval \(interface.announcementIntervalSeconds)"
        }
        if !line.isEmpty { lines.append(" standby arp gratuitous\(line)") }
    }

    private mutating func print(_ notification: Model.Notification) {
        let standard = Model.Notification(path: notification.path)
        lines += ["!", "notify \(quoted(notification.path))"]
        if let group = notification.group { lines.append(" group \(quoted(group))") }
        if notification.timeoutSeconds != standard.timeoutSeconds {
            lines.append(" timeout \(notification.timeoutSeconds)")
        }
        if notification.user != standard.user { lines.append(" user \(quoted(notification.user))") }
    }

    private mutating func print(_ chain: KeyChain) {
        lines += ["!", "key chain \(quoted(chain.name))"]
        for key in chain.keys {
            lines.append(" key \(key.number)")
            if let secret = key.secret { lines.append("  key-string \(showsSecrets ? written(secret) : "<hidden>")") }
            if let lifetime = key.acceptLifetime { lines.append("  accept-lifetime \(words(lifetime))") }
            if let lifetime = key.sendLifetime { lines.append("  send-lifetime \(words(lifetime))") }
        }
    }

    private func words(_ lifetime: KeyChain.Lifetime) -> String {
        "\(CalendarTime.text(lifetime.start)) \(lifetime.end.map(CalendarTime.text) ?? "infinite")"
    }

    private mutating func print(_ group: Model.Group) {
        let standard = Model.Group(number: group.number)
        let start = " standby \(group.number) "
        let count = lines.count
        if group.learnsVirtualAddress { lines.append("\(start)ip") }
        switch group.virtualAddress {
        case .ipv4(let address)?: lines.append("\(start)ip \(address)")
        case .ipv6(let address)?:
            let isAutomatic = group.virtualAddress == group.automaticLinkLocal
            lines.append("\(start)ipv6 \(isAutomatic ? "autoconfig" : address.description)")
        case nil: break
        }
        for address in group.secondaryAddresses { lines.append("\(start)ip \(address) secondary") }
        for prefix in group.globalAddresses { lines.append("\(start)ipv6 \(prefix)") }
        if group.priority != standard.priority { lines.append("\(start)priority \(group.priority)") }
        if group.preempt {
            let delay = delay(
                [
                    ("minimum", group.preemptMinimumDelaySeconds > 0 ? group.preemptMinimumDelaySeconds : nil),
                    ("reload", group.preemptReloadDelaySeconds), ("sync", group.preemptSyncDelaySeconds),
                ])
            lines.append("\(start)preempt\(delay)")
        }
        if group.timersInMilliseconds || group.helloMilliseconds != standard.helloMilliseconds
            || group.holdMilliseconds != standard.holdMilliseconds
        {
            lines.append("\(start)timers \(timers(group))")
        }
        if group.authentication != standard.authentication {
            lines.append("\(start)authentication \(authentication(group.authentication))")
        }
        if let proof = group.proof { lines.append("\(start)hmac \(words(proof))") }
        if let name = group.name { lines.append("\(start)name \(quoted(name))") }
        for track in group.tracks {
            switch track.effect {
            case .decrement(let amount): lines.append("\(start)track \(track.object) decrement \(amount)")
            case .shutdown: lines.append("\(start)track \(track.object) shutdown")
            }
        }
        if let follows = group.follows { lines.append("\(start)follow \(quoted(follows))") }
        if let mac = group.virtualMAC { lines.append("\(start)mac-address \(mac.dottedDescription)") }
        if let probe = group.probe { lines.append("\(start)probe \(probe)") }
        // A group of defaults alone must be said to exist.
        if lines.count == count { lines.append("\(start)priority \(group.priority)") }
    }

    /// ` delay …`, or nothing where no part of it is said.
    private func delay(_ parts: [(name: String, seconds: Int?)]) -> String {
        let said = parts.compactMap { part in part.seconds.map { " \(part.name) \($0)" } }
        return said.isEmpty ? "" : " delay" + said.joined()
    }

    private func authentication(_ authentication: Model.Group.Authentication) -> String {
        switch authentication {
        case .text(let text): return "text \(showsSecrets ? quoted(text) : "<hidden>")"
        case .keyString(let key, let timeoutSeconds):
            let timeout = timeoutSeconds == 0 ? "" : " timeout \(timeoutSeconds)"
            return "md5 key-string \(showsSecrets ? written(key) : "<hidden>")\(timeout)"
        case .keyChain(let name): return "md5 key-chain \(quoted(name))"
        case .keyFile(let path): return "md5 key-file \(quoted(path))"
        }
    }

    private func words(_ proof: Model.Group.Proof) -> String {
        let key =
            switch proof.key {
            case .string(let key): "key-string \(showsSecrets ? written(key) : "<hidden>")"
            case .file(let path): "key-file \(quoted(path))"
            }
        return "\(key) \(proof.mode.word)"
    }

    /// A key in quotation marks, or obscured where they cannot hold it.
    private func written(_ key: SecretBytes) -> String {
        key.withBytes { bytes in
            let isPlain = bytes.allSatisfy { (0x20..<0x7f).contains($0) && $0 != UInt8(ascii: "\"") }
            return isPlain ? "\"\(String(decoding: bytes, as: UTF8.self))\"" : "7 \(ObscuredKey.obscure(bytes))"
        }
    }

    private func timers(_ group: Model.Group) -> String {
        let hello =
            group.timersInMilliseconds && (15...999).contains(group.helloMilliseconds)
            ? "msec \(group.helloMilliseconds)" : "\(group.helloMilliseconds / 1000)"
        let hold =
            group.timersInMilliseconds && (50...3000).contains(group.holdMilliseconds)
            ? "msec \(group.holdMilliseconds)" : "\(group.holdMilliseconds / 1000)"
        return "\(hello) \(hold)"
    }

    private mutating func printMaps(on interface: String, _ model: Model) {
        for map in model.cryptoMaps where map.interfaces.contains(interface) {
            let group = map.redundancyGroup.map { " redundancy \(quoted($0))" } ?? ""
            lines.append(" crypto map \(quoted(map.name))\(group)\(map.isStateful ? " stateful" : "")")
        }
    }

    /// Interfaces that carry a crypto map and no group.
    private mutating func printOtherInterfaces(_ model: Model) {
        let known = Set(model.interfaces.map(\.name))
        for interface in Set(model.cryptoMaps.flatMap(\.interfaces)).subtracting(known).sorted() {
            lines += ["!", "interface \(quoted(interface))"]
            printMaps(on: interface, model)
        }
    }

    private mutating func print(_ association: Model.Association) {
        lines += ["!", "ipc zone default", " association \(association.number)", "  no shutdown", "  protocol sctp"]
        lines.append("   local-port \(association.localPort)")
        lines.append("    local-ip \(association.localAddresses.map(\.description).joined(separator: " "))")
        let tuning = association.tuning
        if let least = tuning.minimumTimeoutMilliseconds, let most = tuning.maximumTimeoutMilliseconds {
            lines.append("    retransmit-timeout \(least) \(most)")
        }
        if let count = tuning.pathRetransmissions { lines.append("    path-retransmit \(count)") }
        if let count = tuning.associationRetransmissions { lines.append("    assoc-retransmit \(count)") }
        lines.append("   remote-port \(association.remotePort)")
        lines.append("    remote-ip \(association.remoteAddresses.map(\.description).joined(separator: " "))")
    }

    private mutating func print(_ map: Model.CryptoMap) {
        let standard = Model.CryptoMap(name: map.name)
        for entry in map.entries {
            lines += ["!", "crypto map \(quoted(map.name)) \(entry.sequence) ipsec-isakmp"]
            for peer in entry.peers { lines.append(" set peer \(peer)") }
            if entry.acceptsAnyPeer { lines.append(" set peer any") }
            if entry.reverseRoute { lines.append(" reverse-route") }
        }
        if map.inboundReplayInterval != standard.inboundReplayInterval
            || map.outboundReplayInterval != standard.outboundReplayInterval
        {
            lines += [
                "!",
                "crypto map \(quoted(map.name)) redundancy replay-interval inbound \(map.inboundReplayInterval) "
                    + "outbound \(map.outboundReplayInterval)",
            ]
        }
    }

    private mutating func print(_ settings: Model.StrongSwanSettings) {
        let standard = Model.StrongSwanSettings()
        guard settings != standard else { return }
        lines += ["!", "ike-daemon strongswan"]
        if settings.viciPath != standard.viciPath { lines.append(" vici \(quoted(settings.viciPath))") }
        if settings.haLocal != standard.haLocal || settings.haRemote != standard.haRemote {
            lines.append(" ha-plugin local \(settings.haLocal) remote \(settings.haRemote)")
        }
    }

    /// A value with quotation marks where it needs them; no value holds both white space and a quotation mark.
}
