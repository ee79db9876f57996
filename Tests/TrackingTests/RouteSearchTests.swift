// SPDX-License-Identifier: Apache-2.0

import Primitives
import Testing
import Tracking

/// A table of networks: what a kernel's lookup would find.
private struct Table {
    var entries: [(prefix: IPv4Prefix, isUsable: Bool)]

    func look(_ address: IPv4Address) -> RouteSearch.Finding {
        let best = entries.filter { $0.prefix.contains(address) }.max { $0.prefix.length < $1.prefix.length }
        return best.map { .entry(length: $0.prefix.length, isUsable: $0.isUsable) } ?? .nothing
    }

    func search(_ prefix: IPv4Prefix) -> Observation {
        var search = RouteSearch(.ipv4(prefix))
        for address in RouteSearch.addresses(of: prefix) {
            if let verdict = search.take(look(address)) { return verdict }
        }
        return search.end()
    }
}

private func network(_ first: UInt8, _ second: UInt8, _ third: UInt8, _ fourth: UInt8, _ length: Int) -> IPv4Prefix {
    IPv4Prefix(address: IPv4Address(first, second, third, fourth), length: length)
}

@Suite("Looking for one route")
struct RouteSearchTests {
    @Test("an entry of exactly this length is the route; a shorter one is not")
    func exact() {
        let wanted = network(10, 2, 0, 0, 24)
        let wide = (network(0, 0, 0, 0, 0), true)
        #expect(Table(entries: []).search(wanted) == Observation(isUp: false, reason: "no route"))
        #expect(Table(entries: [wide]).search(wanted) == Observation(isUp: false, reason: "no route"))
        #expect(Table(entries: [wide, (wanted, true)]).search(wanted) == Observation(isUp: true))
        #expect(
            Table(entries: [wide, (wanted, false)]).search(wanted)
                == Observation(isUp: false, reason: "next hop is down"))
    }

    @Test("longer entries that hide some of it do not hide the route, and hide its absence as little")
    func hidden() {
        let wanted = network(10, 0, 0, 0, 8)
        let host = (network(10, 0, 0, 1, 32), true)
        let half = (network(10, 0, 0, 0, 9), true)
        #expect(Table(entries: [host, half, (wanted, true)]).search(wanted) == Observation(isUp: true))
        #expect(Table(entries: [host, half]).search(wanted) == Observation(isUp: false, reason: "no route"))
        let other = (network(10, 128, 0, 0, 9), true)
        #expect(
            Table(entries: [half, other, (wanted, false)]).search(wanted)
                == Observation(isUp: true, reason: "more specific routes"))
    }

    @Test("a route that refuses packets is no way")
    func refusal() {
        var search = RouteSearch(.ipv4(network(10, 2, 0, 0, 24)))
        #expect(search.take(.refusal) == nil)
        #expect(search.end() == Observation(isUp: false, reason: "unreachable"))
        #expect(search.take(.entry(length: 25, isUsable: false)) == nil)
        #expect(search.end().isUp == false)
    }

    @Test("the addresses lie in the network, differ, and are few", arguments: 1...32)
    func addresses(length: Int) {
        let prefix = IPv4Prefix(
            address: IPv4Prefix(address: IPv4Address(203, 7, 91, 200), length: length).network, length: length)
        let addresses = RouteSearch.addresses(of: prefix)
        #expect((1...RouteSearch.addressCount).contains(addresses.count))
        #expect(Set(addresses).count == addresses.count)
        #expect(addresses.allSatisfy(prefix.contains))
    }

    @Test("the same for IPv6", arguments: 1...128)
    func ipv6Addresses(length: Int) throws {
        let given = try #require(IPv6Address(text: "2001:db8:5:6:7:8:9:a"))
        let prefix = IPv6Prefix(address: IPv6Prefix(address: given, length: length).network, length: length)
        let addresses = RouteSearch.addresses(of: prefix)
        #expect((1...RouteSearch.addressCount).contains(addresses.count))
        #expect(Set(addresses).count == addresses.count)
        #expect(addresses.allSatisfy(prefix.contains))
    }

    @Test("the default route is looked for where nobody has a network")
    func defaultRoute() {
        let wanted = network(0, 0, 0, 0, 0)
        let bogon = (network(192, 0, 2, 0, 24), false)
        let lan = (network(10, 0, 0, 0, 8), true)
        #expect(Table(entries: [lan, bogon]).search(wanted) == Observation(isUp: false, reason: "no route"))
        #expect(Table(entries: [lan, bogon, (wanted, true)]).search(wanted) == Observation(isUp: true))
        #expect(RouteSearch.addresses(of: IPv6Prefix(address: .any, length: 0)).count == 4)
    }
}
