// SPDX-License-Identifier: Apache-2.0

@testable import StrongSwan

/// A charon reduced to what the ha plugin's dispatcher does with records (strongSwan `ha_dispatcher.c`,
/// `adopt_children_job.c`), with names in the place of keys.
struct ModelCharon: Equatable {
    struct Child: Equatable {
        var outbound: UInt32
        /// Stands for the keys: what they were derived from.
        var keys: String
        /// Where it was installed; nothing moves it.
        var remote: IKEEndpoint?
    }

    struct IKE: Equatable {
        var version: UInt8
        /// Stands for SK_d.
        var derivation: String
        var isPassive = false
        var ends: String?
        var remote: IKEEndpoint?
        var children: [UInt32: Child] = [:]
        var messageIDs: [HAMessage.Kind: UInt32] = [:]
    }

    var ikes: [IKESPIPair: IKE] = [:]
    /// What a real charon would have got wrong.
    var faults: [String] = []

    mutating func process(_ message: HAMessage) {
        guard let identity = message.identity else { return }
        let spis = identity.spis
        switch message.kind {
        case .ikeAdd: add(message, identity)
        case .ikeUpdate: update(message, spis)
        case .ikeMessageIDInitiator, .ikeMessageIDResponder:
            ikes[spis]?.messageIDs[message.kind] = message.messageID
        case .ikeDelete: ikes[spis] = nil
        case .childAdd: addChild(message, spis)
        case .childDelete: if let inbound = message.inboundSPI { ikes[spis]?.children[inbound] = nil }
        default: break
        }
    }

    private mutating func add(_ message: HAMessage, _ identity: IKEIdentity) {
        let spis = identity.spis
        if ikes[spis] != nil {
            if message.version == .three { return faults.append("IKE SA added twice") }
            ikes[spis]?.derivation += "+update"
            return
        }
        var ike = IKE(version: identity.version, derivation: "SK_d of \(spis)")
        if let old = message.rekeyedIdentity?.spis, let replaced = ikes.removeValue(forKey: old) {
            ike.children = replaced.children
            ike.ends = replaced.ends
            ike.remote = replaced.remote
        }
        ikes[spis] = ike
    }

    private mutating func update(_ message: HAMessage, _ spis: IKESPIPair) {
        guard ikes[spis] != nil else { return faults.append("IKE SA to update not found") }
        if let end = message.remoteEndpoint { ikes[spis]?.remote = end }
        if let name = message.configurationName {
            ikes[spis]?.ends = "\(name) \(message.localEndpoint?.octets ?? []) \(message.remoteEndpoint?.octets ?? [])"
            ikes[spis]?.isPassive = true
        }
        guard let ike = ikes[spis], ike.version == 1 else { return }
        let olds = ikes.filter {
            $0.key != spis && $0.value.isPassive && $0.value.ends == ike.ends && $0.value.version == 1
        }
        for (key, old) in olds {
            ikes[spis]?.children.merge(old.children) { $1 }
            ikes[key] = nil
        }
    }

    private mutating func addChild(_ message: HAMessage, _ spis: IKESPIPair) {
        guard let inbound = message.inboundSPI, let outbound = message.outboundSPI else { return }
        guard let ike = ikes[spis] else { return faults.append("IKE SA of child not found") }
        guard ike.ends != nil else { return faults.append("no configuration for child") }
        for (key, other) in ikes where other.children[inbound] != nil {
            // A second SA with one SPI fails to install and takes the first one along.
            ikes[key]?.children[inbound] = nil
            return faults.append("child SA added twice")
        }
        ikes[spis]?.children[inbound] = Child(
            outbound: outbound, keys: "\(ike.derivation), child \(inbound)", remote: ike.remote)
    }

    /// The SAs without what they are made of.
    var live: LiveSet {
        var live = LiveSet()
        for (spis, ike) in ikes {
            live.ikeSAs[spis] = IKEIdentity(version: ike.version, spis: spis, isInitiator: false)
            for (inbound, child) in ike.children {
                live.childSAs[ChildSPIPair(inbound: inbound, outbound: child.outbound)] = spis
            }
        }
        return live
    }

    /// What VICI would list.
    var listing: [ListedIKE] {
        ikes.enumerated().map { index, entry in
            listed(
                entry.key, number: UInt32(index + 1), version: entry.value.version,
                state: entry.value.isPassive ? "PASSIVE" : "CONNECTING",
                children: entry.value.children.map { ChildSPIPair(inbound: $0.key, outbound: $0.value.outbound) },
                remote: entry.value.remote)
        }
    }
}

/// An entry as VICI lists it.
func listed(
    _ spis: IKESPIPair, number: UInt32 = 1, version: UInt8 = 2, state: String = "PASSIVE",
    children: [ChildSPIPair] = [], remote: IKEEndpoint? = nil
) -> ListedIKE {
    ListedIKE(
        uniqueID: number, name: "branch", version: version, state: state, localHost: "10.1.0.100", localPort: 500,
        remoteHost: (remote?.octets ?? [10, 1, 0, 5]).map(String.init).joined(separator: "."),
        remotePort: remote?.port ?? 500, localID: "10.1.0.100", remoteID: "10.1.0.5", spis: spis,
        isInitiator: false, establishedSeconds: nil, rekeySeconds: nil,
        children: children.enumerated().map { index, spis in
            ListedChild(
                uniqueID: UInt32(index + 1), name: "net", state: "INSTALLED", securityProtocol: "ESP", spis: spis,
                localSelectors: [], remoteSelectors: [], bytesIn: 0, packetsIn: 0, bytesOut: 0, packetsOut: 0,
                rekeySeconds: nil, lifeSeconds: nil, installSeconds: nil)
        })
}
