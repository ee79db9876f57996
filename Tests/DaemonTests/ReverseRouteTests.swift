// SPDX-License-Identifier: Apache-2.0

import Configuration
import Primitives
import Replication
import SecurityAssociations
import Testing

@testable import Daemon

@Suite struct ReverseRouteTests {
    static let text = """
        interface eth1
         standby 10 ip 10.1.0.100
         standby 10 name VPN
         crypto map MAPA redundancy VPN stateful
        ipc zone default
         association 1
          no shutdown
          protocol sctp
           local-port 5000
            local-ip 10.1.0.3
           remote-port 5000
            remote-ip 10.1.0.4
        redundancy inter-device
         scheme standby VPN
         security none
        crypto map MAPA 10 ipsec-isakmp
         set peer 10.1.0.5
         reverse-route
        crypto map MAPA 20 ipsec-isakmp
         set peer 10.1.0.6
        """

    func scheme(_ text: String = ReverseRouteTests.text) throws -> Scheme {
        let model = try #require(load(Array(text.utf8), fileName: "test").model)
        return try #require(Scheme(model))
    }

    func policy(_ destination: IPv4Prefix, peer: IPv4Address, source: IPv4Address = IPv4Address(10, 1, 0, 100))
        -> KernelPolicy
    {
        var policy = KernelPolicy(
            selector: KernelSelector(destination: destination), direction: .outbound, priority: 1)
        policy.template = .init(source: source, destination: peer, requestID: 1)
        return policy
    }

    let branch = IPv4Prefix(address: IPv4Address(10, 0, 0, 6), length: 32)
    let peer = IPv4Address(10, 1, 0, 5)

    @Test("a route for each remote selector whose map entry says reverse-route")
    func needs() throws {
        let scheme = try scheme()
        let policies = [
            policy(branch, peer: peer),
            policy(IPv4Prefix(address: IPv4Address(10, 9, 9, 9), length: 24), peer: peer),
            policy(branch, peer: IPv4Address(10, 1, 0, 6)),
            policy(branch, peer: peer, source: IPv4Address(10, 1, 0, 3)),
            policy(IPv4Prefix(address: .any, length: 0), peer: peer),
            policy(IPv4Prefix(address: IPv4Address(10, 1, 0, 0), length: 24), peer: peer),
        ]
        let network = IPv4Prefix(address: IPv4Address(10, 9, 9, 0), length: 24)
        let virtual = IPv4Address(10, 1, 0, 100)
        #expect(
            ReverseRoutePlan.needs(of: policies, scheme: scheme) == [
                .init(destination: branch, peer: peer, source: virtual),
                .init(destination: network, peer: peer, source: virtual),
            ])
    }

    @Test("a peer without a route has none, and the lower of two peers wins")
    func routes() {
        let hop = ReverseRoutePlan.NextHop(gateway: peer, interfaceIndex: 3)
        let other = IPv4Address(10, 1, 0, 9)
        let otherHop = ReverseRoutePlan.NextHop(gateway: other, interfaceIndex: 3)
        let needs: Set<ReverseRoutePlan.Need> = [
            .init(destination: branch, peer: peer), .init(destination: branch, peer: other),
        ]
        #expect(ReverseRoutePlan.routes(for: needs, nextHops: [:]).isEmpty)
        #expect(
            ReverseRoutePlan.routes(for: needs, nextHops: [peer: hop, other: otherHop]) == [
                .init(destination: branch, nextHop: hop)
            ])
    }

    @Test("standing routes are kept, changed ones replaced, needless ones deleted")
    func difference() {
        func route(_ last: UInt8, _ interface: UInt32) -> ReverseRoutePlan.Route {
            .init(
                destination: IPv4Prefix(address: IPv4Address(10, 0, 0, last), length: 32),
                nextHop: .init(gateway: peer, interfaceIndex: interface))
        }
        let (replace, delete) = ReverseRoutePlan.difference(
            standing: [route(1, 1), route(2, 1), route(3, 1)], wanted: [route(1, 1), route(2, 2), route(4, 1)])
        #expect(replace == [route(2, 2), route(4, 1)])
        #expect(delete == [route(3, 1).destination])
    }

    @Test("the scheme tells what rules replication")
    func schemeFacts() throws {
        let scheme = try scheme()
        #expect(scheme.isStateful)
        #expect(scheme.interface == "eth1")
        #expect(scheme.virtualAddresses == [IPv4Address(10, 1, 0, 100)])
        #expect(scheme.marginSettings.exposure == .seconds(14))
        #expect(scheme.map(for: peer)?.name == "MAPA")
        #expect(!scheme.hasReverseRoute(for: IPv4Address(10, 1, 0, 6)))
        #expect(scheme.agreedItems.contains { $0.name == "standby 10 timers" })
    }

    @Test("without a scheme the group of the crypto map rules, without replication")
    func stateless() throws {
        let text = """
            interface eth1
             standby 10 ip 10.1.0.100
             standby 10 name VPN
             crypto map MAPA redundancy VPN
            crypto map MAPA 10 ipsec-isakmp
             set peer 10.1.0.5
             reverse-route
            """
        let scheme = try scheme(text)
        #expect(!scheme.isStateful)
        #expect(scheme.hasReverseRoute(for: peer))
    }
}
