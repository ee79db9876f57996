// SPDX-License-Identifier: Apache-2.0

private import FirstHop
private import Primitives
private import Tracking

/// Turns a draft into a model: resolves names, checks what only the whole text can tell, sorts.
struct Validator {
    private(set) var draft: Draft
    private(set) var remarks: [Parser.Remark] = []

    init(_ draft: Draft) {
        self.draft = draft
        dropEmpty()
        checkLimits()
        checkGroups()
        checkKeyChains()
        checkNotifications()
        checkTracks()
        resolveMaps()
        checkAssociation()
        resolveSecurity()
        checkScheme()
        sort()
    }

    var model: Model { draft.model }

    mutating func warn(_ place: Place, _ message: String) {
        remarks.append(.init(position: draft.position(of: place), severity: .warning, message: message))
    }

    mutating func refuse(_ place: Place, _ message: String) {
        remarks.append(.init(position: draft.position(of: place), severity: .error, message: message))
    }

    mutating func refuse(at position: Position, _ message: String) {
        remarks.append(.init(position: position, severity: .error, message: message))
    }

    mutating func warn(at position: Position, _ message: String) {
        remarks.append(.init(position: position, severity: .warning, message: message))
    }

    /// Sets what the `security` lines came to.
    mutating func set(_ security: Model.Security) { draft.model.security = security }

    /// Replaces a crypto map of the draft.
    mutating func store(_ map: Model.CryptoMap) { draft.editMap(map.name) { $0 = map } }

    /// Every group with its interface.
    var groups: [(interface: String, group: Model.Group)] {
        model.interfaces.flatMap { interface in interface.groups.map { (interface.name, $0) } }
    }

    private mutating func dropEmpty() {
        draft.model.interfaces.removeAll { $0.groups.isEmpty }
        draft.model.association = draft.isAssociationShut ? nil : draft.association
    }

    private mutating func sort() {
        draft.model.trackedObjects.sort { $0.number < $1.number }
        for index in draft.model.trackedObjects.indices {
            guard case .list(var list) = draft.model.trackedObjects[index].kind else { continue }
            list.members.sort { $0.object < $1.object }
            draft.model.trackedObjects[index].kind = .list(list)
        }
        draft.model.echoOperations.sort { $0.number < $1.number }
        draft.model.notifications.sort { $0.path < $1.path }
        draft.model.keyChains.sort { $0.name < $1.name }
        for index in draft.model.keyChains.indices {
            draft.model.keyChains[index].keys.sort { $0.number < $1.number }
        }
        for index in draft.model.interfaces.indices {
            draft.model.interfaces[index].groups.sort { $0.number < $1.number }
            for place in draft.model.interfaces[index].groups.indices {
                draft.model.interfaces[index].groups[place].tracks.sort { $0.object < $1.object }
            }
        }
        draft.model.cryptoMaps.removeAll { $0 == Model.CryptoMap(name: $0.name) }
        draft.model.cryptoMaps.sort { $0.name < $1.name }
        for index in draft.model.cryptoMaps.indices {
            draft.model.cryptoMaps[index].entries.sort { $0.sequence < $1.sequence }
            draft.model.cryptoMaps[index].interfaces.sort()
        }
    }

    private mutating func checkLimits() {
        limit(model.interfaces.count, Limits.interfaceCount, "interfaces with groups")
        limit(groups.count, Limits.groupCount, "groups")
        limit(model.notifications.count, Limits.notificationCount, "programs to notify")
        limit(model.keyChains.count, Limits.keyChainCount, "key chains")
        limit(model.trackedObjects.count, Limits.trackedObjectCount, "tracked objects")
        let routing = model.trackedObjects.filter(\.kind.isRouting).count
        limit(routing, Tracking.Limits.routingCount, "tracked routes and interfaces with `routing`")
        limit(model.echoOperations.count, Tracking.Limits.echoOperationCount, "`ip sla` operations")
        limit(model.scripts.count, Tracking.Limits.scriptCount, "tracked scripts")
        limit(
            model.processes.count + model.files.count, Tracking.Limits.presenceCount, "tracked processes and files")
        limit(model.cryptoMaps.count, Limits.cryptoMapCount, "crypto maps")
        let entries = model.cryptoMaps.flatMap(\.entries)
        limit(entries.count, Limits.cryptoMapEntryCount, "crypto map entries")
        limit(entries.map(\.peers.count).max() ?? 0, Limits.peersPerEntryCount, "peers of one crypto map entry")
        let secondaries = groups.map(\.group.secondaryAddresses.count).max() ?? 0
        limit(secondaries, Limits.secondaryAddressCount, "secondary virtual addresses of one group")
        let globals = groups.map(\.group.globalAddresses.count).max() ?? 0
        limit(globals, Limits.globalAddressCount, "global virtual addresses of one group")
        limit(groups.map(\.group.tracks.count).max() ?? 0, Limits.tracksPerGroupCount, "tracking lines of one group")
    }

    private mutating func limit(_ count: Int, _ most: Int, _ what: String) {
        guard count > most else { return }
        refuse(at: Position(line: 1, column: 1), "there are \(count) \(what); expected at most \(most)")
    }
}
