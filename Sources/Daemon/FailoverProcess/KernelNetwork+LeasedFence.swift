// SPDX-License-Identifier: Apache-2.0

import LinuxIO
import Netlink
import Primitives

/// The IPv6 fence (DESIGN §4): IPv6 sends ESP from addresses that are not there any more, so a dead node's routes must
/// end with its lease as well.
extension KernelNetwork {
    /// Makes what always stands: a rule that leads the address's packets to a table of ours, which prohibits them.
    func makeStandingFence(_ address: IPAddress) {
        guard address.family == .ipv6 else { return }
        let table = FencePreference.table(of: address)
        change("prohibit \(address)", tolerating: [SystemCode.exists]) { () throws(NetlinkError) in
            try socket.request(RouteRequest.addProhibition(.ipv6, table: table))
        }
        change("lead \(address) to its table", tolerating: [SystemCode.exists]) { () throws(NetlinkError) in
            try socket.request(
                RuleRequest.addStanding(address: address, table: table, preference: FencePreference.standing))
        }
    }

    /// Takes away what `makeStandingFence` made.
    func removeStandingFence(_ address: IPAddress, table: UInt32? = nil) {
        guard address.family == .ipv6 else { return }
        let table = table ?? FencePreference.table(of: address)
        change("remove the rule of \(address)", tolerating: [SystemCode.notFound]) { () throws(NetlinkError) in
            try socket.request(
                RuleRequest.deleteStanding(address: address, table: table, preference: FencePreference.standing))
        }
        change("remove the table of \(address)", tolerating: [SystemCode.noSuchProcess]) { () throws(NetlinkError) in
            try socket.request(RouteRequest.deleteProhibition(.ipv6, table: table))
        }
    }

    /// Leases the routes that packets of an address may take, in one go.
    func lease(_ routes: some Collection<LeasedRoute>, for address: IPAddress, seconds: Int) {
        guard !routes.isEmpty else { return }
        let table = FencePreference.table(of: address)
        batch(
            "lease routes for \(address)", tolerating: SystemCode.exists,
            routes.map { RouteRequest.lease($0, table: table, seconds: UInt32(seconds)) })
    }

    /// Takes away routes whose lease has not ended yet.
    func endLeases(_ routes: some Collection<LeasedRoute>, for address: IPAddress) {
        guard !routes.isEmpty else { return }
        let table = FencePreference.table(of: address)
        batch(
            "end the routes of \(address)", tolerating: SystemCode.noSuchProcess,
            routes.map { RouteRequest.endLease($0, table: table) })
    }

    private func batch(_ what: String, tolerating tolerated: Int32, _ requests: [NetlinkRequest]) {
        do {
            for code in try socket.batch(requests) where code != 0 && code != tolerated {
                onRefusal(what, .refused(code: code, text: ""))
                return
            }
        } catch {
            onRefusal(what, error)
        }
    }

    /// The route that a packet toward an address would take, as it can be leased; nil where there is none.
    func route(toward address: IPAddress) -> LeasedRoute? {
        guard let matched = try? socket.request(RouteLookup.match(address)).first,
            let entry = (try? RouteInfo(parsing: matched)) ?? nil
        else { return nil }
        let unicast: UInt8 = 1
        guard entry.kind == unicast else { return nil }
        if let interface = entry.interfaceIndex {
            return LeasedRoute(destination: entry.destination, gateway: entry.gateway, interfaceIndex: interface)
        }
        // A route of several legs: this address alone, by the leg that it takes.
        guard let answer = try? socket.request(RouteRequest.lookUp(address)).first,
            let leg = (try? RouteInfo(parsing: answer)) ?? nil, let interface = leg.interfaceIndex
        else { return nil }
        return LeasedRoute(
            destination: IPPrefix(address: address, length: address.bitCount), gateway: leg.gateway,
            interfaceIndex: interface)
    }
}
