// SPDX-License-Identifier: Apache-2.0

import Glibc
import Netlink
import Primitives
import Testing

@testable import LinuxIO

/// What the leased IPv6 fence is made of, on this machine's kernel.
@Suite("Kernel: the leased IPv6 fence", .serialized, .enabled(if: NetworkNamespace.isAvailable))
struct LeasedFenceTests {
    private static let virtual = IPAddress(high: 0x2001_0db8_0001_0000, low: 0x100)
    private static let neighbour = IPAddress(high: 0x2001_0db8_0001_0000, low: 5)
    private static let far = IPAddress(high: 0x2001_0db8_0009_0000, low: 5)
    private static let table: UInt32 = 0x4abc_def0

    /// False where the kernel has no IPv6.
    private func prepare() -> Bool {
        for words in [
            "link add eth1 type veth peer name sw1", "link set lo up", "link set eth1 up", "link set sw1 up",
        ] { #expect(NetworkNamespace.ip(words), "\(words)") }
        return NetworkNamespace.ip("address add 2001:db8:1::3/64 dev eth1 nodad")
            && NetworkNamespace.ip("route add default via 2001:db8:1::1")
    }

    private func refusal(_ socket: NetlinkSocket, _ request: NetlinkRequest) -> Int32? {
        do {
            try socket.request(request)
            return nil
        } catch { return error.refusalCode }
    }

    private func index(_ socket: NetlinkSocket) throws -> UInt32 {
        let answer = try #require(try socket.request(LinkRequest.get(name: "eth1")).first)
        return try LinkInfo(parsing: answer).index
    }

    @Test("what comes from the address is prohibited, goes while leased, and stops by itself with the lease")
    func lease() throws {
        try NetworkNamespace.run {
            guard prepare() else { return }
            let socket = try NetlinkSocket(.route)
            let interface = try index(socket)
            let hold = AddressRequest.replace(
                interfaceIndex: interface, address: Self.virtual, prefixLength: 128, validSeconds: 5)
            try socket.request(hold)
            let held = try #require(
                try socket.dump(AddressRequest.dump(.ipv6)).compactMap { try AddressInfo(parsing: $0) }
                    .first { $0.address == Self.virtual })
            #expect(held.isOwn && !held.isTentative && held.validSeconds != nil)
            let near = RouteRequest.lookUp(Self.neighbour, source: Self.virtual)
            let away = RouteRequest.lookUp(Self.far, source: Self.virtual)
            #expect(refusal(socket, near) == nil)
            try socket.request(RouteRequest.addProhibition(.ipv6, table: Self.table))
            #expect(refusal(socket, RouteRequest.addProhibition(.ipv6, table: Self.table)) == SystemCode.exists)
            let stand = RuleRequest.addStanding(address: Self.virtual, table: Self.table, preference: 115)
            try socket.request(stand)
            #expect(refusal(socket, stand) == SystemCode.exists)
            #expect(refusal(socket, near) == EACCES && refusal(socket, away) == EACCES)
            let rules = try socket.dump(RuleRequest.dump(.ipv6)).compactMap { try RuleInfo(parsing: $0) }
            #expect(rules.filter(\.isOwnStanding).map(\.table) == [Self.table])
            #expect(rules.filter(\.isOwnFence).isEmpty)

            let routes = try [Self.neighbour, Self.far].map { target in
                let answer = try #require(try socket.request(RouteLookup.match(target)).first)
                let entry = try #require(try RouteInfo(parsing: answer))
                return LeasedRoute(
                    destination: entry.destination, gateway: entry.gateway, interfaceIndex: entry.interfaceIndex ?? 0)
            }
            #expect(routes.map(\.destination.length) == [64, 0] && routes[1].gateway?.description == "2001:db8:1::1")
            let leases = routes.map { RouteRequest.lease($0, table: Self.table, seconds: 3) }
            #expect(try socket.batch(leases) == [0, 0])
            #expect(refusal(socket, near) == nil && refusal(socket, away) == nil)
            usleep(1_600_000)
            #expect(try socket.batch(leases) == [SystemCode.exists, SystemCode.exists])
            usleep(1_600_000)
            #expect(refusal(socket, near) == nil && refusal(socket, away) == nil)
            usleep(2_800_000)
            #expect(refusal(socket, near) == EACCES && refusal(socket, away) == EACCES)
            // Who has forgotten that they were there leases them anew.
            _ = try socket.batch(leases)
            #expect(refusal(socket, near) == nil)
            try socket.request(RuleRequest.addFence(address: Self.virtual, preference: 114))
            #expect(refusal(socket, near) == EACCES)
            try socket.request(RuleRequest.deleteFence(address: Self.virtual, preference: 114))
            #expect(refusal(socket, near) == nil)
            #expect(try socket.batch(routes.map { RouteRequest.endLease($0, table: Self.table) }) == [0, 0])
            #expect(refusal(socket, near) == EACCES)
            try socket.request(RuleRequest.deleteStanding(address: Self.virtual, table: Self.table, preference: 115))
            try socket.request(RouteRequest.deleteProhibition(.ipv6, table: Self.table))
            #expect(refusal(socket, near) == nil)
            let left = try socket.dump(RouteRequest.dump(.ipv6)).compactMap { try RouteInfo(parsing: $0) }
            #expect(!left.contains { $0.table == Self.table })
        }
    }

    @Test("IPv6 hellos go to ff02::66 with hop limit 255 and say where they came from")
    func multicast() throws {
        try NetworkNamespace.run {
            guard prepare(), NetworkNamespace.ip("address add fe80::3/64 dev eth1 nodad") else { return }
            let socket = try NetlinkSocket(.route)
            let interface = try index(socket)
            let answer = try #require(try socket.request(LinkRequest.get(name: "sw1")).first)
            let other = try LinkInfo(parsing: answer)
            let group = IPAddress(high: 0xff02 << 48, low: 0x66)
            let sender = try MulticastSocket(
                interface: "eth1", interfaceIndex: interface, family: .ipv6, groups: [group], port: 2029)
            let receiver = try MulticastSocket(
                interface: "sw1", interfaceIndex: other.index, family: .ipv6, groups: [group], port: 2029)
            let source = IPAddress(high: 0xfe80 << 48, low: 3)
            let listener = try PacketSocket(receiving: 0x86dd, interfaceIndex: other.index)
            try sender.send([1, 2, 3], to: group, from: source)
            let end = Reactor.now() + .seconds(2)
            var first: MulticastSocket.Datagram?
            while first == nil, Reactor.now() < end {
                first = try receiver.receive()
                usleep(10_000)
            }
            #expect(first?.bytes == [1, 2, 3] && first?.source == source && first?.sourcePort == 2029)
            #expect(first?.destination == group && first?.interfaceIndex == other.index)
            #expect(try sender.receive() == nil)
            try receiver.rejoin()
            var frames: [[UInt8]] = []
            while let frame = try listener.receive() { frames.append(frame) }
            let hello = frames.first { $0.count > 60 && Array($0[38..<54]) == group.octets }
            #expect(hello?[21] == 255)
        }
    }
}
