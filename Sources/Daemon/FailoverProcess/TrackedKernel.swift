// SPDX-License-Identifier: Apache-2.0

import Configuration
import LinuxIO
import Netlink
import Primitives
import Tracking

/// What tracking wants to know of the kernel beyond line protocols: forwarding, addresses, routes.
///
/// It asks for single entries, never for tables, and only after its bell has rung.
final class TrackedKernel {
    /// Told about a question that the kernel did not answer, and whether it is the first of its kind.
    var onRefusal: (_ what: String, _ error: NetlinkError, _ isNews: Bool) -> Void = { _, _, _ in }

    private let network: KernelNetwork
    private let socket: NetlinkSocket
    private var bell: NetlinkDoorbell?
    private var groups: UInt32 = 0
    private var firstHops: [IPPrefix: UInt32] = [:]
    /// What was complained about: the same questions are asked again and again.
    private var troubles: Set<String> = []
    private static let troubleLimit = 64

    /// Opens the socket for questions; `network` knows the links and the IPv4 addresses.
    init(_ network: KernelNetwork) throws(SystemError) {
        self.network = network
        socket = try NetlinkSocket(.route)
    }

    /// Listens to what these objects depend on, and calls `onRing` after it may have changed.
    func listen(for kinds: [ObjectKind], on reactor: Reactor, onRing: @escaping () -> Void) throws(SystemError) {
        let wanted = kinds.reduce(UInt32(0)) { $0 | $1.bell }
        guard wanted != groups else { return }
        bell?.cancel()
        bell = nil
        groups = 0
        firstHops = [:]
        guard wanted != 0 else { return }
        bell = try NetlinkDoorbell(wanted | RouteGroups.link, on: reactor, handler: onRing)
        groups = wanted
    }

    /// What an object is now; nil for kinds that are not the kernel's.
    func look(at kind: ObjectKind) -> Observation? {
        switch kind {
        case .interface(let name, .lineProtocol): return lineProtocol(name) ?? Observation(isUp: true)
        case .interface(let name, .ipRouting): return lineProtocol(name) ?? ipRouting(name)
        case .interface(let name, .ipv6Routing): return lineProtocol(name) ?? ipv6Routing(name)
        case .route(let destination): return route(destination)
        case .list, .script, .process, .file, .echo: return nil
        }
    }

    /// The name of the interface by which a tracked route leads on.
    func firstHop(of destination: IPPrefix) -> String? {
        firstHops[destination].flatMap { network.links[$0]?.name }
    }

    private func refuse(_ what: String, _ error: NetlinkError) {
        let isNews = troubles.count < Self.troubleLimit && troubles.insert("\(what): \(error)").inserted
        onRefusal(what, error, isNews)
    }

    // MARK: Interfaces

    /// Why the line protocol is down; nil while it is up.
    private func lineProtocol(_ name: String) -> Observation? {
        guard let link = network.link(named: name) else {
            return Observation(isUp: false, reason: "interface does not exist")
        }
        return link.isLineProtocolUp ? nil : Observation(isUp: false)
    }

    private func ipRouting(_ name: String) -> Observation {
        guard let link = freshLink(name) else { return Observation(isUp: false, reason: "interface does not exist") }
        guard link.setting(.forwarding) ?? 0 != 0 else { return Observation(isUp: false, reason: "routing disabled") }
        // The virtual address comes and goes with the role that tracking is to decide about.
        guard network.addresses[link.index]?.contains(where: { !$0.isOwn && $0.address.family == .ipv4 }) ?? false
        else {
            return Observation(isUp: false, reason: "no IP addr")
        }
        return Observation(isUp: true)
    }

    private func ipv6Routing(_ name: String) -> Observation {
        guard let link = freshLink(name) else { return Observation(isUp: false, reason: "interface does not exist") }
        guard link.forwardsIPv6 ?? false else { return Observation(isUp: false, reason: "routing disabled") }
        let addresses: [AddressInfo]
        do {
            addresses = try socket.dump(AddressRequest.dump(.ipv6, interfaceIndex: link.index))
                .compactMap { try? AddressInfo(parsing: $0) }
                .filter { $0.interfaceIndex == link.index && !$0.isOwn }
        } catch {
            refuse("read the IPv6 addresses of \(name)", error)
            return Observation(isUp: false, reason: "the kernel does not answer")
        }
        if addresses.contains(where: { !$0.isTentative && !$0.isDuplicate }) { return Observation(isUp: true) }
        if addresses.contains(where: \.isDuplicate) { return Observation(isUp: false, reason: "duplicate IPv6 addr") }
        return Observation(isUp: false, reason: addresses.isEmpty ? "no IPv6 addr" : "IPv6 addr is tentative")
    }

    /// The link as it is now: a changed `forwarding` comes with no message about the link.
    private func freshLink(_ name: String) -> LinkInfo? {
        guard let message = try? socket.request(LinkRequest.get(name: name)).first else { return nil }
        return try? LinkInfo(parsing: message)
    }

    // MARK: Routes

    private func route(_ destination: IPPrefix) -> Observation {
        var search = RouteSearch(destination)
        firstHops[destination] = nil
        let requests: [NetlinkRequest]
        switch destination {
        case .ipv4(let prefix): requests = RouteSearch.addresses(of: prefix).map { RouteLookup.match(IPAddress($0)) }
        case .ipv6(let prefix): requests = RouteSearch.addresses(of: prefix).map { RouteLookup.match(IPAddress($0)) }
        }
        for request in requests {
            if let verdict = search.take(lookUp(request, destination)) { return verdict }
        }
        return search.end()
    }

    private func lookUp(_ request: NetlinkRequest, _ destination: IPPrefix) -> RouteSearch.Finding {
        do {
            guard let message = try socket.request(request).first, let match = try? RouteMatch(parsing: message) else {
                return .refusal
            }
            if match.prefixLength == destination.length { firstHops[destination] = match.interfaceIndex }
            return .entry(length: match.prefixLength, isUsable: match.isUsable)
        } catch {
            switch error.refusalCode {
            case SystemCode.networkUnreachable: return .nothing
            case SystemCode.hostUnreachable, SystemCode.permissionDenied, SystemCode.invalid: return .refusal
            default:
                refuse("look up \(destination)", error)
                return .refusal
            }
        }
    }
}

extension ObjectKind {
    /// The groups of rtnetlink whose events may change the object; line protocols come by another way.
    fileprivate var bell: UInt32 {
        switch self {
        case .interface(_, .lineProtocol), .list, .script, .process, .file, .echo: 0
        case .interface(_, .ipRouting): RouteGroups.ipv4Address | RouteGroups.ipv4Configuration
        case .interface(_, .ipv6Routing): RouteGroups.ipv6Address | RouteGroups.ipv6Configuration
        case .route(.ipv4): RouteGroups.ipv4Route | RouteGroups.nextHop
        case .route(.ipv6): RouteGroups.ipv6Route | RouteGroups.nextHop
        }
    }
}
