// SPDX-License-Identifier: Apache-2.0

import FirstHop
import LinuxIO
import Netlink
import Primitives

/// Others who claim a virtual address: by ARP, or in the messages of a group that is not configured here.
extension FailoverNode {
    /// Names a virtual address of an interface.
    struct OwnedAddress: Hashable {
        var interface: String
        var address: IPAddress
    }

    /// Groups, addresses or interfaces have changed, or may have: what is listened for follows.
    func followClaims() {
        owners = [:]
        var wanted: [String: Set<IPv4Address>] = [:]
        for runner in groups.values {
            for address in runner.machine.virtualAddresses {
                owners[OwnedAddress(interface: runner.key.interface, address: address)] = runner.key
                // With the interface's own MAC an Active's claim looks like anybody's.
                guard let address = address.ipv4, !runner.usesBurnedInAddress else { continue }
                wanted[runner.key.interface, default: []].insert(address)
            }
        }
        for (interface, watch) in addressWatches where wanted[interface] == nil {
            watch.close()
            addressWatches[interface] = nil
        }
        for (interface, addresses) in wanted { watch(interface, for: addresses.sorted()) }
        guard !addressWatches.isEmpty, claimTimer == nil else { return }
        claimTimer = reactor.schedule(at: Reactor.now() + AddressWatch.probeInterval) { [unowned self] in
            claimTimer = nil
            for runner in groups.values { runner.askForOtherOwners() }
            followClaims()
        }
    }

    private func watch(_ interface: String, for addresses: [IPv4Address]) {
        let index = kernel.link(named: interface)?.index
        let old = addressWatches[interface]
        if let old, old.interfaceIndex == index, old.addresses == addresses { return }
        old?.close()
        addressWatches[interface] = nil
        guard let index else { return }
        do {
            addressWatches[interface] = try AddressWatch(for: addresses, interfaceIndex: index, on: reactor) {
                [unowned self] claim in
                let key = owners[OwnedAddress(interface: interface, address: IPAddress(claim.address))]
                key.flatMap { groups[$0] }?.hear(claim)
            }
        } catch {
            count("arp.socketFailed")
        }
    }

    /// A message of a group that is not configured here.
    func hearOtherGroup(_ message: HSRPMessage, from source: IPAddress, on interface: String) {
        count("hello.otherGroup")
        let owned = OwnedAddress(interface: interface, address: message.virtualAddress)
        guard let runner = owners[owned].flatMap({ groups[$0] }) else { return }
        runner.hearOtherGroup(message, from: source)
    }
}

extension GroupRunner {
    /// A station says by ARP that one of the group's addresses is its own.
    func hear(_ claim: AddressClaim) {
        guard let virtualMAC, let isNews = claims.hear(claim, virtualMAC: virtualMAC, at: Reactor.now()) else { return }
        surroundings.count("arp.duplicateAddress")
        guard isNews else { return }
        surroundings.log(
            "%HSRP-4-DUPADDR: Duplicate address \(claim.address) on \(key.interface), sourced by "
                + claim.mac.dottedDescription)
    }

    /// A group that this node does not have says that one of this group's addresses is its own.
    func hearOtherGroup(_ message: HSRPMessage, from source: IPAddress) {
        surroundings.count("hello.duplicateVirtualAddress")
        guard groupClaims.isNews(at: Reactor.now()) else { return }
        surroundings.log(
            "%HSRP-4-DUPVIP1: \(key.interface) Grp \(message.group) address \(message.virtualAddress) of \(source) is "
                + "already assigned to \(key.interface) group \(key.number)")
    }

    /// Asks the segment whether anybody else has the addresses that this node holds as Active.
    func askForOtherOwners() {
        guard machine.state == .active, !usesBurnedInAddress, let interfaceIndex,
            let mac = surroundings.kernel.links[interfaceIndex]?.mac
        else { return }
        for address in machine.virtualAddresses.compactMap(\.ipv4) {
            // Not from the virtual MAC: the answer must come to the interface itself.
            try? surroundings.packets.send(Frames.arpProbe(for: address, mac: mac), interfaceIndex: interfaceIndex)
        }
    }
}
