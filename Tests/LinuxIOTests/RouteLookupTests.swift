// SPDX-License-Identifier: Apache-2.0

import Glibc
import Netlink
import Primitives
import Testing

@testable import LinuxIO

@Suite("Kernel: single routes and the bell", .serialized, .enabled(if: NetworkNamespace.isAvailable))
struct RouteLookupTests {
    private func match(_ socket: NetlinkSocket, _ text: String) throws -> RouteMatch {
        let request = RouteLookup.match(try #require(IPAddress(text: text)))
        return try RouteMatch(parsing: try #require(try socket.request(request).first))
    }

    private func refusal(_ socket: NetlinkSocket, _ text: String) -> Int32? {
        do {
            _ = try match(socket, text)
            return nil
        } catch {
            return (error as? NetlinkError)?.refusalCode
        }
    }

    @Test("a lookup names the entry with its own length, and says why there is none")
    func lookUp() throws {
        try NetworkNamespace.run {
            for words in [
                "link add eth0 type veth peer name sw0", "link set eth0 up", "link set sw0 up",
                "address add 10.2.0.3/24 dev eth0", "route add 10.9.0.0/16 via 10.2.0.1 proto 188",
                "route add blackhole 10.8.0.0/16", "route add unreachable 10.7.0.0/16",
                "route add 10.6.0.0/16 nexthop via 10.2.0.1 nexthop via 10.2.0.2",
            ] { #expect(NetworkNamespace.ip(words), "\(words)") }
            let socket = try NetlinkSocket(.route)
            let route = try match(socket, "10.9.255.1")
            #expect(route.prefixLength == 16 && route.tag == 188 && route.isUsable && route.interfaceIndex != nil)
            #expect(try match(socket, "10.2.0.77").prefixLength == 24)
            #expect(try match(socket, "10.2.0.3").prefixLength == 32)
            let two = try match(socket, "10.6.0.1")
            #expect(two.prefixLength == 16 && two.isUsable && two.interfaceIndex == route.interfaceIndex)
            #expect(refusal(socket, "10.1.0.1") == SystemCode.networkUnreachable)
            #expect(refusal(socket, "10.8.0.1") == SystemCode.invalid)
            #expect(refusal(socket, "10.7.0.1") == SystemCode.hostUnreachable)
            #expect(NetworkNamespace.ip("link set sw0 down"))
            // The other end hears of it in the kernel's own time.
            for _ in 0..<200 where try match(socket, "10.9.255.1").isUsable { usleep(10_000) }
            #expect(try !match(socket, "10.9.255.1").isUsable)
            #expect(try !match(socket, "10.6.0.1").isUsable)
        }
    }

    @Test("IPv6: routes, addresses and forwarding are read")
    func ipv6() throws {
        try NetworkNamespace.run {
            for words in [
                "link add eth0 type veth peer name sw0", "link set eth0 up", "link set sw0 up",
                "address add 2001:db8:2::3/64 dev eth0 nodad",
            ] { #expect(NetworkNamespace.ip(words), "\(words)") }
            guard NetworkNamespace.ip("route add 2001:db8:9::/48 via 2001:db8:2::1") else { return }
            let socket = try NetlinkSocket(.route)
            #expect(try match(socket, "2001:db8:9:1::1").prefixLength == 48)
            #expect(try match(socket, "2001:db8:2::99").prefixLength == 64)
            #expect(refusal(socket, "2001:db8:3::1") == SystemCode.networkUnreachable)
            let link = try LinkInfo(parsing: try #require(try socket.request(LinkRequest.get(name: "eth0")).first))
            #expect(link.forwardsIPv6 == false)
            let addresses = try socket.dump(AddressRequest.dump(.ipv6, interfaceIndex: link.index))
                .compactMap { try AddressInfo(parsing: $0) }
            let own = try #require(addresses.first { $0.address.description == "2001:db8:2::3" })
            #expect(own.interfaceIndex == link.index && !own.isTentative && !own.isDuplicate && !own.isOwn)
            #expect(addresses.allSatisfy { $0.interfaceIndex == link.index })
        }
    }

    @Test("the bell rings a few times for a thousand events, and again for a later one")
    func bell() throws {
        try NetworkNamespace.run {
            for words in [
                "link add eth0 type veth peer name sw0", "link set eth0 up", "address add 10.2.0.3/24 dev eth0",
            ] { #expect(NetworkNamespace.ip(words)) }
            let reactor = try Reactor()
            var rings = 0
            let bell = try NetlinkDoorbell(RouteGroups.ipv4Route, on: reactor) { rings += 1 }
            let index = try LinkInfo(
                parsing: try #require(try NetlinkSocket(.route).request(LinkRequest.get(name: "eth0")).first)
            ).index
            let requests = (0..<1000).map { number in
                RouteRequest.replace(
                    destination: IPPrefix(
                        address: IPAddress(IPv4Address(0x0b00_0000 | UInt32(number) << 8)), length: 24),
                    gateway: nil, interfaceIndex: index)
            }
            #expect(try NetlinkSocket(.route).batch(requests).allSatisfy { $0 == 0 })
            let end = Reactor.now() + .milliseconds(400)
            var wakes = 0
            while Reactor.now() < end {
                try reactor.runOnce(waitingAtMost: 20)
                wakes += 1
            }
            #expect((1...4).contains(rings), "\(rings)")
            // An overrun of the queue must not keep the loop awake.
            #expect(wakes < 100)
            rings = 0
            #expect(NetworkNamespace.ip("route add 10.9.0.0/16 dev eth0"))
            let later = Reactor.now() + .seconds(5)
            while rings == 0, Reactor.now() < later { try reactor.runOnce(waitingAtMost: 100) }
            #expect(rings == 1)
            bell.cancel()
        }
    }
}
