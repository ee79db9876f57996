// SPDX-License-Identifier: Apache-2.0

private import Primitives

/// `standby G ipv6 …`: the virtual link-local address by which the group speaks, and the global ones that tunnels end at.
extension Parser {
    /// `autoconfig`, a link-local address, or a global address with the length of its network.
    mutating func parseIPv6(
        _ statement: inout Statement, _ group: inout Model.Group, _ position: Position, _ interface: String
    ) throws(Fault) {
        if group.virtualAddress?.family == .ipv4 || !group.secondaryAddresses.isEmpty {
            throw statement.fault(
                "group \(group.number) has an IPv4 address; write a group of its own for IPv6, "
                    + "which may `follow` this one")
        }
        let place = Place.address(interface, group.number)
        if statement.optionalKeyword(["autoconfig"]) != nil {
            try statement.finish()
            group.virtualAddress = group.automaticLinkLocal
            return note(place, position, replaces: false)
        }
        let start = statement
        let (address, length) = try statement.ipv6Interface(
            "`autoconfig`, the virtual link-local address, or a global one with its length such as 2001:db8::100/64")
        guard let length else {
            guard address.isLinkLocal else {
                throw start.fault("expected the length of the network behind `\(address)`, such as `\(address)/64`")
            }
            _ = statement.optionalKeyword(["link-local"])
            try statement.finish()
            let replaces = group.virtualAddress.map { $0 != group.automaticLinkLocal && $0 != .ipv6(address) } ?? false
            group.virtualAddress = .ipv6(address)
            return note(place, position, replaces: replaces)
        }
        guard address.isGlobalUnicast else {
            throw start.fault("expected a global unicast address with a length, found `\(address)/\(length)`")
        }
        try statement.finish()
        group.virtualAddress = group.virtualAddress ?? group.automaticLinkLocal
        group.globalAddresses.removeAll { $0.address == address }
        group.globalAddresses.append(IPv6Prefix(address: address, length: length))
        group.globalAddresses.sort { $0.address < $1.address }
        note(place, position, replaces: false)
    }

    /// `no standby G ipv6 …`: what is named, or everything.
    static func resetIPv6(_ group: inout Model.Group, named text: String?) {
        guard group.family == .ipv6 || group.virtualAddress == nil else { return }
        guard let text else {
            group.virtualAddress = nil
            group.globalAddresses = []
            return
        }
        let address = text.split(separator: "/").first.flatMap { IPv6Address(text: $0) }
        if let address, !address.isLinkLocal {
            group.globalAddresses.removeAll { $0.address == address }
        } else {
            // Tunnel ends cannot be without the address that speaks for them.
            group.virtualAddress = group.globalAddresses.isEmpty ? nil : group.automaticLinkLocal
        }
    }
}
