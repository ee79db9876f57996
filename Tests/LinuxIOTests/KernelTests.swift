// SPDX-License-Identifier: Apache-2.0

import Glibc
import Netlink
import Primitives
import Testing

@testable import LinuxIO

private let virtual = IPAddress(10, 1, 0, 100)

extension NetlinkSocket {
    fileprivate func link(_ name: String) throws -> LinkInfo {
        try LinkInfo(parsing: try #require(try request(LinkRequest.get(name: name)).first))
    }

    fileprivate func addresses() throws -> [AddressInfo] {
        try dump(AddressRequest.dump()).compactMap { try AddressInfo(parsing: $0) }
    }
}

@Suite("Kernel: links, addresses, rules, routes", .serialized, .enabled(if: NetworkNamespace.isAvailable))
struct KernelTests {
    @Test("a macvlan is made, found, configured, raised, and deleted")
    func macvlan() throws {
        try NetworkNamespace.run {
            #expect(NetworkNamespace.ip("link add eth1 type veth peer name sw1"))
            let netlink = try NetlinkSocket(.route)
            let parent = try netlink.link("eth1")
            #expect(parent.kind == "veth")
            #expect(!parent.isUp && !parent.isLineProtocolUp)
            let mac = MACAddress.hsrpVersion1(group: 10)
            let make = LinkRequest.createMacvlan(name: "hsrp-eth1-10", parentIndex: parent.index, mac: mac)
            try netlink.request(make)
            #expect(throws: NetlinkError.self) { try netlink.request(make) }
            let macvlan = try netlink.link("hsrp-eth1-10")
            #expect(macvlan.kind == "macvlan" && macvlan.mac == mac && macvlan.parentIndex == parent.index)
            #expect(!macvlan.isUp)
            try netlink.request(LinkRequest.disableAddressGeneration(index: macvlan.index))
            try netlink.request(LinkRequest.configure(index: parent.index, [.arpIgnore: 1, .arpAnnounce: 2]))
            try netlink.request(LinkRequest.configure(index: macvlan.index, [.arpIgnore: 1, .reversePathFilter: 2]))
            for name in ["eth1", "sw1", "hsrp-eth1-10"] {
                try netlink.request(LinkRequest.setUp(index: try netlink.link(name).index, true))
            }
            let end = Reactor.now() + .seconds(3)
            while try !netlink.link("hsrp-eth1-10").isLineProtocolUp, Reactor.now() < end { usleep(10_000) }
            #expect(try netlink.link("hsrp-eth1-10").isLineProtocolUp)
            let links = try netlink.dump(LinkRequest.dump()).map { try LinkInfo(parsing: $0) }
            let configured = try #require(links.first { $0.name == "eth1" })
            #expect(configured.setting(.arpIgnore) == 1 && configured.setting(.arpAnnounce) == 2)
            #expect(links.first { $0.name == "hsrp-eth1-10" }?.setting(.reversePathFilter) == 2)
            try netlink.request(LinkRequest.delete(index: macvlan.index))
            #expect(throws: NetlinkError.self) { try netlink.link("hsrp-eth1-10") }
        }
    }

    @Test("the kernel itself removes an address whose lease is not renewed; the tag tells whose it is")
    func lease() throws {
        try NetworkNamespace.run {
            let netlink = try NetlinkSocket(.route)
            #expect(NetworkNamespace.ip("link set lo up"))
            let renew = AddressRequest.replace(interfaceIndex: 1, address: virtual, prefixLength: 32, validSeconds: 1)
            try netlink.request(renew)
            let found = try #require(try netlink.addresses().first { $0.address == virtual })
            #expect(found.isOwn && found.validSeconds != nil)
            usleep(700_000)
            try netlink.request(renew)
            usleep(700_000)
            #expect(try netlink.addresses().contains { $0.address == virtual })
            usleep(1_000_000)
            #expect(try !netlink.addresses().contains { $0.address == virtual })
            #expect(throws: NetlinkError.self) {
                try netlink.request(AddressRequest.delete(interfaceIndex: 1, address: virtual, prefixLength: 32))
            }
        }
    }

    @Test("a fence stops sending from the address at once and lets it go on; both ways are idempotent for the caller")
    func fence() throws {
        try NetworkNamespace.run {
            #expect(NetworkNamespace.ip("link add eth1 type veth peer name sw1"))
            for words in [
                "link set eth1 up", "link set sw1 up", "addr add 10.1.0.3/24 dev eth1",
                "addr add 10.1.0.100/32 dev eth1",
            ] {
                #expect(NetworkNamespace.ip(words))
            }
            let netlink = try NetlinkSocket(.route)
            let other = IPAddress(10, 1, 0, 5)
            let ask = RouteRequest.lookUp(other, source: virtual)
            let answer = try #require(try netlink.request(ask).first)
            let route = try #require(try RouteInfo(parsing: answer))
            #expect(route.interfaceIndex == (try netlink.link("eth1").index))
            let raise = RuleRequest.addFence(address: virtual, preference: 114)
            try netlink.request(raise)
            #expect(throws: NetlinkError.self) { try netlink.request(ask) }
            do {
                try netlink.request(raise)
                Issue.record("twice")
            } catch { #expect((error as? NetlinkError)?.refusalCode == SystemCode.exists) }
            let rules = try netlink.dump(RuleRequest.dump()).compactMap { try RuleInfo(parsing: $0) }
            #expect(rules.filter(\.isOwnFence).map(\.preference) == [114])
            let lower = RuleRequest.deleteFence(address: virtual, preference: 114)
            try netlink.request(lower)
            do {
                try netlink.request(lower)
                Issue.record("twice")
            } catch { #expect((error as? NetlinkError)?.refusalCode == SystemCode.notFound) }
            try netlink.request(ask)
        }
    }

    @Test("routes are added in a batch, replaced, listed by their tag and deleted; each gets its own verdict")
    func routes() throws {
        try NetworkNamespace.run {
            #expect(NetworkNamespace.ip("link add eth1 type veth peer name sw1"))
            #expect(NetworkNamespace.ip("link set eth1 up") && NetworkNamespace.ip("addr add 10.1.0.3/24 dev eth1"))
            let netlink = try NetlinkSocket(.route)
            let index = try netlink.link("eth1").index
            let gateway = IPAddress(10, 1, 0, 5)
            var requests = (0..<1000).map { number in
                RouteRequest.add(
                    destination: IPPrefix(
                        address: IPAddress(172, 16, UInt8(number >> 8), UInt8(number & 255)), length: 32),
                    gateway: gateway, interfaceIndex: index)
            }
            requests.append(requests[7])
            let codes = try netlink.batch(requests)
            #expect(codes.dropLast().allSatisfy { $0 == 0 })
            #expect(codes.last == SystemCode.exists)
            let own = try netlink.dump(RouteRequest.dump(tag: OwnTag.routeProtocol)).compactMap {
                try RouteInfo(parsing: $0)
            }
            #expect(own.count == 1000)
            #expect(own.allSatisfy { $0.isOwn && $0.gateway == gateway && $0.interfaceIndex == index })
            let one = IPPrefix(address: IPAddress(172, 16, 0, 7), length: 32)
            try netlink.request(
                RouteRequest.replace(destination: one, gateway: IPAddress(10, 1, 0, 6), interfaceIndex: index))
            let found = try #require(try netlink.request(RouteRequest.lookUp(one.address)).first)
            #expect(try RouteInfo(parsing: found)?.gateway == IPAddress(10, 1, 0, 6))
            try netlink.request(RouteRequest.delete(destination: one))
            do {
                try netlink.request(RouteRequest.delete(destination: one))
                Issue.record("twice")
            } catch { #expect((error as? NetlinkError)?.refusalCode == SystemCode.noSuchProcess) }
        }
    }

    @Test("a subscription hears changes, and an overrun is told instead of lost silently")
    func subscription() throws {
        try NetworkNamespace.run {
            let reactor = try Reactor()
            let netlink = try NetlinkSocket(.route)
            var events: [NetlinkSubscription.Event] = []
            let subscription = try NetlinkSubscription(
                .route, groups: RouteGroups.link | RouteGroups.ipv4Address | RouteGroups.ipv4Rule, on: reactor,
                receiveBufferByteCount: 4096
            ) { events.append($0) }
            #expect(NetworkNamespace.ip("link set lo up"))
            try netlink.request(RuleRequest.addFence(address: virtual, preference: 114))
            try reactor.runOnce(waitingAtMost: 1000)
            let types = events.compactMap { if case .message(let message) = $0 { message.type } else { nil } }
            #expect(types.contains(RouteMessage.newLink) && types.contains(RouteMessage.newRule))
            events = []
            for preference in 200..<400 {
                try netlink.request(RuleRequest.addFence(address: virtual, preference: UInt32(preference)))
            }
            try reactor.runOnce(waitingAtMost: 1000)
            #expect(events.contains(.overrun))
            subscription.cancel()
        }
    }

    @Test("hellos go out from the given address with TTL 1 and are heard with source, destination and interface")
    func multicast() throws {
        try NetworkNamespace.run {
            #expect(NetworkNamespace.ip("link add eth1 type veth peer name sw1"))
            let netlink = try NetlinkSocket(.route)
            for words in [
                "addr add 10.1.0.3/24 dev eth1", "addr add 10.1.0.100/32 dev eth1", "addr add 10.1.0.4/24 dev sw1",
                "link set eth1 up", "link set sw1 up",
            ] {
                #expect(NetworkNamespace.ip(words))
            }
            let (left, right) = (try netlink.link("eth1").index, try netlink.link("sw1").index)
            for index in [left, right] {
                try netlink.request(LinkRequest.configure(index: index, [.acceptLocal: 1, .reversePathFilter: 0]))
            }
            let group = IPAddress(224, 0, 0, 2)
            let sender = try MulticastSocket(
                interface: "eth1", interfaceIndex: left, family: .ipv4, groups: [group], port: 1985)
            let receiver = try MulticastSocket(
                interface: "sw1", interfaceIndex: right, family: .ipv4, groups: [group], port: 1985)
            try sender.send([1, 2, 3], to: group, from: IPAddress(10, 1, 0, 3))
            try sender.send([4], to: group, from: virtual)
            usleep(50_000)
            let first = try #require(try receiver.receive())
            #expect(first.bytes == [1, 2, 3] && first.source == IPAddress(10, 1, 0, 3) && first.sourcePort == 1985)
            #expect(first.destination == group && first.interfaceIndex == right)
            #expect(try receiver.receive()?.source == virtual)
            #expect(try receiver.receive() == nil)
            #expect(try sender.receive() == nil)
            try receiver.rejoin()
            // A whole frame with a foreign Ethernet source, such as an Active's hello.
            let packets = try PacketSocket()
            let listener = try PacketSocket(receiving: 0x0806, interfaceIndex: right)
            let frame = MACAddress.broadcast.octets + MACAddress.hsrpVersion1(group: 10).octets + [0x08, 0x06]
            try packets.send(frame + [UInt8](repeating: 7, count: 46), interfaceIndex: left)
            usleep(50_000)
            #expect(try listener.receive()?.prefix(14) == frame[...])
            #expect(NetworkNamespace.ip("link set eth1 down"))
            #expect(throws: SystemError.self) { try sender.send([1], to: group, from: IPAddress(10, 1, 0, 3)) }
        }
    }
}
