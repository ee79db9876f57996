// SPDX-License-Identifier: Apache-2.0

import LinuxIO
import Netlink
import Primitives

/// What the supervisor does in the kernel when failover is dead, and what a sweep does when everybody is.
final class DeathCleaner {
    private let socket: NetlinkSocket
    private let report: (String) -> Void

    /// Opens the socket; needs CAP_NET_ADMIN.
    init(report: @escaping (String) -> Void) throws(SystemError) {
        socket = try NetlinkSocket(.route)
        self.report = report
    }

    /// Prohibits routing from the addresses; those fenced already stay so.
    func raiseFences(_ addresses: [IPAddress]) {
        // No tunnel ends at a link-local address, and it has no fence.
        for address in addresses where !address.isLinkLocal {
            attempt(
                RuleRequest.addFence(address: address, preference: FencePreference.value), "fence \(address)",
                tolerating: [SystemCode.exists])
        }
    }

    /// Deletes the addresses.
    func removeAddresses(_ held: [HeldAddress]) {
        for one in held {
            attempt(
                AddressRequest.delete(
                    interfaceIndex: one.interfaceIndex, address: one.address, prefixLength: one.prefixLength),
                "delete \(one.address)", tolerating: [SystemCode.addressNotAvailable, SystemCode.noDevice])
        }
    }

    /// Sets the macvlans down on which the addresses stood; an address on the interface itself leaves that one alone.
    func lowerVirtualMACs(_ held: [HeldAddress]) {
        for index in Set(held.map(\.interfaceIndex)) {
            guard let message = try? socket.request(LinkRequest.get(index: index)).first,
                let link = try? LinkInfo(parsing: message), Self.isOwn(link)
            else { continue }
            attempt(
                LinkRequest.setUp(index: index, false), "set \(link.name) down", tolerating: [SystemCode.noDevice])
        }
    }

    /// Puts interfaces' settings back.
    func restoreSettings(_ before: [InterfaceSettings]) {
        for one in before {
            attempt(
                LinkRequest.configure(index: one.index, one.values), "restore interface \(one.index)",
                tolerating: [SystemCode.noDevice])
        }
    }

    /// Removes every address and virtual MAC of ours; fences stay, for the IKE daemon may still run.
    func sweep() {
        let links = read(LinkRequest.dump()).compactMap { try? LinkInfo(parsing: $0) }
        let own = Set(links.filter(Self.isOwn).map(\.index))
        let addresses = IPAddress.Family.allCases.flatMap { read(AddressRequest.dump($0)) }.compactMap { message in
            (try? AddressInfo(parsing: message)) ?? nil
        }
        let held = addresses.filter { $0.isOwn || own.contains($0.interfaceIndex) }.map {
            HeldAddress(interfaceIndex: $0.interfaceIndex, address: $0.address, prefixLength: $0.prefixLength)
        }
        raiseFences(held.map(\.address))
        removeAddresses(held)
        for index in own {
            attempt(LinkRequest.delete(index: index), "delete interface \(index)", tolerating: [SystemCode.noDevice])
        }
    }

    /// A macvlan under the name that failover gives them.
    private static func isOwn(_ link: LinkInfo) -> Bool { link.kind == "macvlan" && link.name.hasPrefix("hsrp-") }

    private func read(_ request: NetlinkRequest) -> [NetlinkMessage] {
        do {
            return try socket.dump(request)
        } catch {
            report("%HAVPN-3-KERNEL: cannot read a table: \(error)")
            return []
        }
    }

    private func attempt(_ request: NetlinkRequest, _ what: String, tolerating codes: [Int32]) {
        do {
            try socket.request(request)
        } catch {
            if let code = error.refusalCode, codes.contains(code) { return }
            report("%HAVPN-3-KERNEL: cannot \(what): \(error)")
        }
    }
}
