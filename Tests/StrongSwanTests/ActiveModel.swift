// SPDX-License-Identifier: Apache-2.0

import StrongSwan

/// An active charon that lives a random life and tells of it as the ha plugin does (strongSwan `ha_ike.c`).
struct ActiveModel {
    private(set) var charon = ModelCharon()
    /// Everything said so far, in order.
    private(set) var messages: [HAMessage] = []
    private var random: SplitMix
    private var nextIKE: UInt64 = 1
    private var nextSPI: UInt32 = 0xc000_0001
    /// Old IKEv1 SAs on their way out.
    private var fading: [IKESPIPair] = []
    private let version: UInt8

    init(seed: UInt64, version: UInt8 = 3) {
        random = SplitMix(seed: seed)
        self.version = version
    }

    mutating func step() throws {
        let live = charon.ikes.keys.sorted { $0.initiator < $1.initiator }
        guard let spis = live.randomElement(using: &random), let ike = charon.ikes[spis] else { return try connect() }
        let isUp = ike.ends != nil
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<8 where live.count < 6: try connect()
        case 8..<14: try say(HAFixture(.ikeDelete, version: version).identity(spis, ike: ike.version))
        case 14..<30 where isUp: try say(child(of: spis, ike.version))
        case 30..<45 where isUp:
            guard let inbound = ike.children.keys.sorted().randomElement(using: &random) else { return }
            let delete = HAFixture(.childDelete, version: version).identity(spis, ike: ike.version).spi(29, inbound)
            try say(delete)
        case 45..<60 where isUp:
            if ike.version == 2 { try rekey(spis, ike) } else { try reauthenticate(spis, ike) }
        case 60..<63:
            guard let old = fading.popLast() else { return }
            try say(HAFixture(.ikeDelete, version: version).identity(old, ike: 1))
        default:
            let value = UInt32.random(in: 1...1_000, using: &random)
            let message = HAFixture.messageID(
                spis, value, initiator: Bool.random(using: &random), ike: ike.version, version: version)
            try say(message)
        }
    }

    private mutating func connect() throws {
        let spis = newPair()
        let ike: UInt8 = Bool.random(using: &random) ? 2 : 1
        try say(.ikeAdd(spis, ike: ike, version: version))
        if version > 3, ike == 2, Bool.random(using: &random) {
            try say(.ikeAdd(spis, ike: ike, version: version, salt: 1))
        }
        // Half open now and then; otherwise each connection has its own peer.
        guard Int.random(in: 0..<10, using: &random) > 0 else { return }
        try say(.ikeUpdate(spis, connection: "peer \(spis.initiator)", ike: ike, version: version))
        try say(child(of: spis, ike))
    }

    private mutating func rekey(_ old: IKESPIPair, _ ike: ModelCharon.IKE) throws {
        let new = newPair()
        let connection = ike.ends?.prefix { $0 != "[" }.dropLast() ?? ""
        try say(.messageID(old, 77, version: version))
        try say(.ikeAdd(new, replacing: old, version: version))
        try say(HAFixture(.ikeDelete, version: version).identity(old))
        try say(.ikeUpdate(new, connection: String(connection), version: version))
        // The exchange that deletes the old SA still runs under it.
        try say(.messageID(old, 78, version: version))
    }

    private mutating func reauthenticate(_ old: IKESPIPair, _ ike: ModelCharon.IKE) throws {
        let new = newPair()
        let connection = ike.ends?.prefix { $0 != "[" }.dropLast() ?? ""
        try say(.ikeAdd(new, ike: 1, version: version))
        try say(HAFixture(.ikeInitializationVector, version: version).identity(new, ike: 1).chunk(42, [1, 2]))
        try say(.ikeUpdate(new, connection: String(connection), ike: 1, version: version))
        fading.append(old)
    }

    private mutating func child(of spis: IKESPIPair, _ ike: UInt8) -> HAFixture {
        defer { nextSPI += 1 }
        return .childAdd(spis, inbound: nextSPI, outbound: nextSPI | 0x0f00_0000, ike: ike, version: version)
    }

    private mutating func newPair() -> IKESPIPair {
        defer { nextIKE += 1 }
        return pair(nextIKE)
    }

    private mutating func say(_ fixture: HAFixture) throws {
        let message = try fixture.message()
        messages.append(message)
        charon.process(message)
        charon.faults.removeAll()
    }
}
