// SPDX-License-Identifier: Apache-2.0

import Configuration
import FirstHop
import Primitives
import Testing
import Tracking

/// A small reproducible source of numbers.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64
    init(seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
        return mixed ^ mixed >> 31
    }
}

@Suite("Canonical text")
struct PrinterTests {
    @Test("canonical text is stable")
    func stable() throws {
        let model = try model(GrammarTests.whole)
        let text = print(model, secrets: true)
        #expect(try ConfigurationTests.model(text) == model)
        #expect(try print(ConfigurationTests.model(text), secrets: true) == text)
    }

    @Test("the association's default port, an empty model and a bare group survive")
    func small() throws {
        for text in ["", "hostname R3\n", "interface eth1\n standby 7 priority 100\n", "crypto map M 5 ipsec-isakmp\n"]
        {
            let model = try model(text)
            #expect(try ConfigurationTests.model(print(model, secrets: true)) == model)
        }
    }

    @Test("authentication data is hidden unless asked for, and never its length")
    func hidden() throws {
        let model = try model("interface eth1\n standby 1 authentication text pa55word\n")
        #expect(print(model, secrets: true).contains("authentication text pa55word"))
        #expect(!print(model, secrets: false).contains("pa55word"))
        #expect(print(model, secrets: false).contains("authentication text <hidden>"))
    }

    @Test("printing and loading any model gives the same model", arguments: 0..<300)
    func property(seed: Int) throws {
        var generator = SplitMix(seed: UInt64(seed))
        let model = randomModel(&generator)
        let text = print(model, secrets: true)
        #expect(try ConfigurationTests.model(text) == model, "\(text)")
    }
}

private func randomModel(_ generator: inout SplitMix) -> Model {
    var model = Model()
    if Bool.random(using: &generator) { model.hostname = "node-\(Int.random(in: 0...99, using: &generator))" }
    for number in numbers(0...4, in: 1...1000, &generator) {
        var object = Model.TrackedObject(number: number, kind: randomKind(number, model, &generator))
        object.delayUpSeconds = Int.random(in: 0...180, using: &generator)
        object.delayDownSeconds = Bool.random(using: &generator) ? 0 : 7
        model.trackedObjects.append(object)
    }
    for number in numbers(0...2, in: 1...99, &generator) {
        model.echoOperations.append(randomOperation(number, &generator))
    }
    for name in ["A", "b c"] where Bool.random(using: &generator) {
        model.keyChains.append(randomChain(name, &generator))
    }
    var names: [String] = []
    for index in 0..<Int.random(in: 0...3, using: &generator) {
        var interface = Model.Interface(name: ["eth9", "bond0.17", "lan", "\"q"][index])
        interface.usesBurnedInAddress = Bool.random(using: &generator)
        interface.version = Bool.random(using: &generator) ? .one : .two
        for number in numbers(1...3, in: interface.version.groupNumbers, &generator) {
            var group = randomGroup(number, &generator)
            if let chain = model.keyChains.first, Bool.random(using: &generator) {
                group.authentication = .keyChain(chain.name)
            }
            let block = index * 16 + number / 256
            group.virtualAddress = IPAddress(10, UInt8(block), UInt8(number % 256), 100)
            group.secondaryAddresses = ([101, 102] as [UInt8]).filter { _ in Bool.random(using: &generator) }.map {
                IPv4Address(10, UInt8(block), UInt8(number % 256), $0)
            }
            if interface.version == .two, Bool.random(using: &generator) {
                group.secondaryAddresses = []
                group.virtualAddress =
                    Bool.random(using: &generator)
                    ? group.automaticLinkLocal : IPAddress(high: 0xfe80 << 48, low: UInt64(number) + 1)
                group.globalAddresses = ([1, 2] as [UInt64]).filter { $0 == 1 || Bool.random(using: &generator) }.map {
                    host in
                    let high = 0x2001_0db8_0000_0000 | UInt64(block) << 16 | UInt64(number)
                    return IPv6Prefix(address: IPv6Address(high: high, low: host), length: [64, 128][Int(host) - 1])
                }
            }
            if Bool.random(using: &generator) {
                let name = ["VPN", "a b", "replay-interval", "10", "!x", "none", "standby"].randomElement(
                    using: &generator)
                group.name = "\(name ?? "")\(names.count)"
                names.append(group.name ?? "")
            } else if let leader = names.first {
                group.follows = leader
            }
            interface.groups.append(group)
        }
        model.interfaces.append(interface)
    }
    randomAssociation(&model, &generator)
    randomMaps(&model, &generator)
    if Bool.random(using: &generator) {
        var settings = Model.StrongSwanSettings()
        settings.viciPath = "/run/a b/charon.vici"
        settings.haRemote = IPv4Address(127, 0, 0, UInt8.random(in: 2...9, using: &generator))
        model.ikeDaemon = .strongSwan(settings)
    } else if Bool.random(using: &generator) {
        model.ikeDaemon = .none
    }
    // Leaders are named groups that do not follow; the first named group never does.
    if let scheme = names.first, Bool.random(using: &generator) { model.scheme = scheme }
    return model
}

private func randomKind(_ number: Int, _ model: Model, _ generator: inout SplitMix) -> ObjectKind {
    switch Int.random(in: 0...9, using: &generator) {
    case 0: return .interface("eth\(number)", .lineProtocol)
    case 1: return .interface("7", [.ipRouting, .ipv6Routing].randomElement(using: &generator) ?? .ipRouting)
    case 6: return .process("a b")
    case 7: return .file("/run/a b")
    case 8: return .echo(operation: 7, [.state, .reachability].randomElement(using: &generator) ?? .state)
    case 9:
        var settings = ScriptSettings(path: "/etc/havpn/\(number)")
        settings.intervalSeconds = Int.random(in: 1...3600, using: &generator)
        settings.timeoutSeconds = Int.random(in: 1...settings.intervalSeconds, using: &generator)
        settings.rise = Int.random(in: 1...255, using: &generator)
        settings.fall = Int.random(in: 1...255, using: &generator)
        settings.user = Bool.random(using: &generator) ? nil : "7"
        return .script(settings)
    case 2:
        let length = Int.random(in: 0...32, using: &generator)
        let address = IPv4Address(UInt32.random(in: 0...UInt32.max, using: &generator))
        return .route(
            .ipv4(IPv4Prefix(address: IPv4Prefix(address: address, length: length).network, length: length)))
    case 3:
        let length = Int.random(in: 0...128, using: &generator)
        let address = IPv6Address(high: generator.next(), low: generator.next())
        return .route(
            .ipv6(IPv6Prefix(address: IPv6Prefix(address: address, length: length).network, length: length)))
    default: return .list(randomList(model.trackedObjects.map(\.number), &generator))
    }
}

private func randomChain(_ name: String, _ generator: inout SplitMix) -> KeyChain {
    var chain = KeyChain(name: name)
    for number in numbers(1...8, in: 0...2_147_483_647, &generator) {
        var key = KeyChain.Key(number: UInt32(number))
        key.secret = SecretBytes([UInt8.random(in: 0...255, using: &generator), 32, 34])
        for path in [\KeyChain.Key.acceptLifetime, \KeyChain.Key.sendLifetime] where Bool.random(using: &generator) {
            // 2000 to 2099, and ends that a duration can reach.
            let start = Int.random(in: 946_684_800..<4_102_444_800, using: &generator)
            key[keyPath: path] = KeyChain.Lifetime(start: start)
            guard Bool.random(using: &generator) else { continue }
            key[keyPath: path]?.end = start + Int.random(in: 1...2_147_483_646, using: &generator)
        }
        chain.keys.append(key)
    }
    return chain
}

private func randomOperation(_ number: Int, _ generator: inout SplitMix) -> EchoOperation {
    var operation = EchoOperation(number: number, destination: IPv4Address(10, 2, 0, 1))
    operation.source =
        [.route, .interface("7"), .address(IPv4Address(10, 2, 0, 3))].randomElement(using: &generator) ?? .route
    operation.frequencySeconds = Int.random(in: 1...604_800, using: &generator)
    if Bool.random(using: &generator) {
        operation.timeoutMilliseconds = Int.random(in: 1...operation.frequencySeconds * 1000, using: &generator)
    }
    if Bool.random(using: &generator) {
        operation.thresholdMilliseconds = Int.random(in: 1...operation.timeout.milliseconds, using: &generator)
    }
    operation.isScheduled = Bool.random(using: &generator)
    return operation
}

/// Members with lower numbers alone: no cycle.
private func randomList(_ known: [Int], _ generator: inout SplitMix) -> ObjectList {
    let thresholds = ObjectList.Thresholds(up: Int.random(in: 2...100, using: &generator), down: 1)
    var list = ObjectList(
        rule: [.and, .or, .weight(thresholds), .percentage(thresholds)].randomElement(using: &generator) ?? .and)
    // An object that nobody defines is as good a member as any.
    for number in known.isEmpty ? [1000] : known {
        var member = ObjectList.Member(object: number)
        switch list.rule {
        case .and, .or: member.isNegated = Bool.random(using: &generator)
        case .weight: member.weight = Int.random(in: 1...255, using: &generator)
        case .percentage: break
        }
        list.members.append(member)
    }
    return list
}

private func numbers(_ count: ClosedRange<Int>, in range: ClosedRange<Int>, _ generator: inout SplitMix) -> [Int] {
    Set((0..<Int.random(in: count, using: &generator)).map { _ in Int.random(in: range, using: &generator) }).sorted()
}

private func randomGroup(_ number: Int, _ generator: inout SplitMix) -> Model.Group {
    var group = Model.Group(number: number)
    group.priority = Bool.random(using: &generator) ? 100 : Int.random(in: 0...255, using: &generator)
    group.preempt = Bool.random(using: &generator)
    if group.preempt {
        group.preemptMinimumDelaySeconds = [0, 3600].randomElement(using: &generator) ?? 0
        group.preemptReloadDelaySeconds = [nil, 0, 60].randomElement(using: &generator) ?? nil
        group.preemptSyncDelaySeconds = [nil, 0, 30].randomElement(using: &generator) ?? nil
    }
    let timers = [(3000, 10000, false), (1000, 4000, false), (250, 800, true), (250, 5000, true), (1000, 3000, true)]
    let choice = timers.randomElement(using: &generator) ?? timers[0]
    (group.helloMilliseconds, group.holdMilliseconds, group.timersInMilliseconds) = choice
    let text = ["cisco", "md5", "text", "a b", "x\"y", "!", "x!y", "7"].randomElement(using: &generator) ?? ""
    let key = [Array(text.utf8), [0], [0x22, 0x20, 0xff], [UInt8](repeating: 65, count: 55)]
    group.authentication =
        switch Int.random(in: 0..<4, using: &generator) {
        case 0: .keyString(SecretBytes(key.randomElement(using: &generator) ?? [7]), timeoutSeconds: 0)
        case 1: .keyString(SecretBytes(Array("a b c".utf8)), timeoutSeconds: 30)
        case 2: .keyFile("/etc/a b/\(number)")
        default: .text(text)
        }
    for object in numbers(0...3, in: 1...1000, &generator) {
        let amount = Int.random(in: 1...255, using: &generator)
        group.tracks.append(
            .init(object: object, effect: Bool.random(using: &generator) ? .shutdown : .decrement(amount)))
    }
    if Bool.random(using: &generator) { group.probe = IPv4Address(10, 1, 0, 5) }
    return group
}

private func randomAssociation(_ model: inout Model, _ generator: inout SplitMix) {
    guard Bool.random(using: &generator) else { return }
    var association = Model.Association()
    association.number = Int.random(in: 1...255, using: &generator)
    association.localPort = Int.random(in: 1...65535, using: &generator)
    association.remotePort = 5000
    association.localAddresses = [IPv4Address(192, 168, 9, 3), IPv4Address(192, 168, 8, 3)]
    association.remoteAddresses = [IPv4Address(192, 168, 9, 4)]
    if Bool.random(using: &generator) {
        association.tuning.minimumTimeoutMilliseconds = 100
        association.tuning.maximumTimeoutMilliseconds = 1000
        association.tuning.pathRetransmissions = 3
    }
    if Bool.random(using: &generator) { association.tuning.associationRetransmissions = 6 }
    model.association = association
    model.security = .none
    if Bool.random(using: &generator) {
        let peers = (0..<Int.random(in: 1...Limits.securityPeerCount, using: &generator)).map { number in
            Fingerprint(bytes: [UInt8](repeating: UInt8(number), count: 32))
        }
        model.security = .pinned(identityPath: "/etc/havpn/identity file.pem", peers: peers.compactMap(\.self))
    }
}

private func randomMaps(_ model: inout Model, _ generator: inout SplitMix) {
    for name in ["10", "A", "map two"].prefix(Int.random(in: 0...3, using: &generator)) {
        var map = Model.CryptoMap(name: name)
        for sequence in numbers(1...3, in: 1...65535, &generator) {
            var entry = Model.CryptoMap.Entry(sequence: sequence)
            entry.peers = [IPAddress(10, 1, 0, 5), IPAddress(10, 1, 0, 1)]
            entry.acceptsAnyPeer = Bool.random(using: &generator)
            entry.reverseRoute = Bool.random(using: &generator)
            map.entries.append(entry)
        }
        let all = model.interfaces.flatMap { interface in interface.groups.map { (interface.name, $0) } }
        if let (interface, group) = all.first(where: { $0.1.name != nil && $0.1.follows == nil }) {
            map.redundancyGroup = group.name
            map.interfaces = [interface, "wan0"].sorted()
        } else if Bool.random(using: &generator) {
            map.interfaces = ["wan1"]
        }
        map.outboundReplayInterval = Bool.random(using: &generator) ? 100_000 : 5000
        model.cryptoMaps.append(map)
    }
    model.cryptoMaps.sort { $0.name < $1.name }
}
