// SPDX-License-Identifier: Apache-2.0

import FirstHop
import Primitives

/// What a remark may be about, so that it can name a place.
enum Place: Hashable {
    case hostname
    case track(Int)
    case trackMember(Int, object: Int)
    case operation(Int)
    case notification(String)
    case keyChain(String)
    case key(String, UInt32)
    case interface(String)
    case version(String)
    case group(String, Int)
    case address(String, Int)
    case priority(String, Int)
    case timers(String, Int)
    case authentication(String, Int)
    case syncDelay(String, Int)
    case groupName(String, Int)
    case follow(String, Int)
    case probe(String, Int)
    case virtualMAC(String, Int)
    case proof(String, Int)
    case groupTrack(String, Int, object: Int)
    case association
    case localAddresses
    case remoteAddresses
    case tuning
    case scheme
    case securityNone
    case securityIdentity
    case securityPeer
    case map(String)
    case mapRedundancy(String)
    case replayInterval(String)
    case entry(String, Int)
    case haPlugin
    case vici
}

/// One `crypto map NAME redundancy GROUP [stateful]`; it may be said in several modes.
struct MapRedundancy: Hashable {
    var map: String
    var group: String
    var isStateful: Bool
    var interface: String?
    var position: Position
}

/// What `security` said so far; the validator makes `Model.Security` of it.
struct SecurityDraft {
    var isNone = false
    var identityPath: String?
    var peers: [Fingerprint] = []
}

/// The model while its text is being read.
struct Draft {
    var model = Model()
    var places: [Place: Position] = [:]
    var association: Model.Association?
    var isAssociationShut = false
    var security = SecurityDraft()
    var mapRedundancies: [MapRedundancy] = []

    /// Where something was said, or the first line.
    func position(of place: Place) -> Position { places[place] ?? Position(line: 1, column: 1) }

    /// Runs `body` on an interface, which is made if it is new.
    mutating func editInterface(_ name: String, _ body: (inout Model.Interface) -> Void) {
        let index: Int
        if let known = model.interfaces.firstIndex(where: { $0.name == name }) {
            index = known
        } else {
            model.interfaces.append(Model.Interface(name: name))
            index = model.interfaces.count - 1
        }
        body(&model.interfaces[index])
    }

    /// Runs `body` on a group, which is made if it is new.
    mutating func editGroup(_ interface: String, _ number: Int, _ body: (inout Model.Group) -> Void) {
        editInterface(interface) { interface in
            let index: Int
            if let known = interface.groups.firstIndex(where: { $0.number == number }) {
                index = known
            } else {
                interface.groups.append(Model.Group(number: number))
                index = interface.groups.count - 1
            }
            body(&interface.groups[index])
        }
    }

    /// Runs `body` on a notification, which is made if it is new.
    mutating func editNotification(_ path: String, _ body: (inout Model.Notification) -> Void) {
        let index: Int
        if let known = model.notifications.firstIndex(where: { $0.path == path }) {
            index = known
        } else {
            model.notifications.append(Model.Notification(path: path))
            index = model.notifications.count - 1
        }
        body(&model.notifications[index])
    }

    /// Runs `body` on a key chain, which is made if it is new.
    mutating func editKeyChain(_ name: String, _ body: (inout KeyChain) -> Void) {
        let index: Int
        if let known = model.keyChains.firstIndex(where: { $0.name == name }) {
            index = known
        } else {
            model.keyChains.append(KeyChain(name: name))
            index = model.keyChains.count - 1
        }
        body(&model.keyChains[index])
    }

    /// Runs `body` on a key of a chain, both of which are made if they are new.
    mutating func editKey(_ chain: String, _ number: UInt32, _ body: (inout KeyChain.Key) -> Void) {
        editKeyChain(chain) { chain in
            let index: Int
            if let known = chain.keys.firstIndex(where: { $0.number == number }) {
                index = known
            } else {
                chain.keys.append(KeyChain.Key(number: number))
                index = chain.keys.count - 1
            }
            body(&chain.keys[index])
        }
    }

    /// A group as it stands.
    func group(_ interface: String, _ number: Int) -> Model.Group? {
        model.interfaces.first { $0.name == interface }?.groups.first { $0.number == number }
    }

    /// Runs `body` on a crypto map, which is made if it is new.
    mutating func editMap(_ name: String, _ body: (inout Model.CryptoMap) -> Void) {
        let index: Int
        if let known = model.cryptoMaps.firstIndex(where: { $0.name == name }) {
            index = known
        } else {
            model.cryptoMaps.append(Model.CryptoMap(name: name))
            index = model.cryptoMaps.count - 1
        }
        body(&model.cryptoMaps[index])
    }

    /// Runs `body` on an entry of a crypto map, both of which are made if they are new.
    mutating func editEntry(_ name: String, _ sequence: Int, _ body: (inout Model.CryptoMap.Entry) -> Void) {
        editMap(name) { map in
            let index: Int
            if let known = map.entries.firstIndex(where: { $0.sequence == sequence }) {
                index = known
            } else {
                map.entries.append(Model.CryptoMap.Entry(sequence: sequence))
                index = map.entries.count - 1
            }
            body(&map.entries[index])
        }
    }

    /// Runs `body` on the settings of `ike-daemon strongswan`.
    mutating func editStrongSwan(_ body: (inout Model.StrongSwanSettings) -> Void) {
        var settings = Model.StrongSwanSettings()
        if case .strongSwan(let known) = model.ikeDaemon { settings = known }
        body(&settings)
        model.ikeDaemon = .strongSwan(settings)
    }
}
