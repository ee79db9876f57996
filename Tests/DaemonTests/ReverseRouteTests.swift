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

    func policy(
        _ destination: IPPrefix, peer: IPAddress, source: IPAddress = IPAddress(10, 1, 0, 100),
        direction: KernelPolicy.Direction = .outbound
    ) -> ReplicatedPolicy {
        let selector = ReplicatedSelector(
            destination: destination.address, destinationLength: UInt8(destination.length))
        var policy = ReplicatedPolicy(key: PolicyKey(direction: direction, selector: selector))
        policy.templates = [.init(source: source, destination: peer)]
        return policy
    }

    let branch = IPPrefix(address: IPAddress(10, 0, 0, 6), length: 32)
    let peer = IPAddress(10, 1, 0, 5)

    @Test("a route for each remote selector whose map entry says reverse-route")
    func needs() throws {
        let scheme = try scheme()
        let policies = [
            policy(branch, peer: peer),
            policy(IPPrefix(address: IPAddress(10, 9, 9, 9), length: 24), peer: peer),
            policy(branch, peer: IPAddress(10, 1, 0, 6)),
            policy(branch, peer: peer, source: IPAddress(10, 1, 0, 3)),
            policy(IPPrefix(address: .any(.ipv4), length: 0), peer: peer),
            policy(IPPrefix(address: IPAddress(10, 1, 0, 0), length: 24), peer: peer),
        ]
        let network = IPPrefix(address: IPAddress(10, 9, 9, 0), length: 24)
        let virtual = IPAddress(10, 1, 0, 100)
        #expect(
            policies.compactMap { ReverseRoutePlan.Need($0, scheme: scheme) } == [
                .init(destination: branch, peer: peer, source: virtual),
                .init(destination: network, peer: peer, source: virtual),
            ])
        #expect(ReverseRoutePlan.Need(policy(branch, peer: peer, direction: .inbound), scheme: scheme) == nil)
        var blocking = policy(branch, peer: peer)
        blocking.action = 1
        #expect(ReverseRoutePlan.Need(blocking, scheme: scheme) == nil)
    }

    @Test("a peer without a route has none, and the lower of two peers wins")
    func routes() {
        let hop = ReverseRoutePlan.NextHop(gateway: peer, interfaceIndex: 3)
        let other = IPAddress(10, 1, 0, 9)
        let otherHop = ReverseRoutePlan.NextHop(gateway: other, interfaceIndex: 3)
        let needs: Set<ReverseRoutePlan.Need> = [
            .init(destination: branch, peer: peer, source: nil), .init(destination: branch, peer: other, source: nil),
        ]
        #expect(ReverseRoutePlan.routes(for: needs, nextHops: [:]).isEmpty)
        #expect(
            ReverseRoutePlan.routes(for: needs, nextHops: [peer: hop, other: otherHop]) == [
                .init(destination: branch, nextHop: hop)
            ])
    }

    @Test("a policy that replaces its like changes no need; the last of a need takes it along")
    func tunnelPolicies() throws {
        let scheme = try scheme()
        var tunnels = TunnelPolicies()
        let first = policy(branch, peer: peer)
        var second = first
        second.key.mark = KernelSA.Mark(value: 1, mask: 1)
        #expect(tunnels.note(first, scheme: scheme) == .needs)
        #expect(tunnels.note(first, scheme: scheme) == .nothing)
        #expect(tunnels.note(second, scheme: scheme) == .nothing)
        #expect(tunnels.remove(first.key) == .nothing)
        #expect(Array(tunnels.needs) == [.init(destination: branch, peer: peer, source: IPAddress(10, 1, 0, 100))])
        #expect(tunnels.remove(second.key) == .needs)
        #expect(tunnels.needs.isEmpty)
    }

    @Test("a reading sweeps what it does not see, and does not bring back what went meanwhile")
    func policyReading() throws {
        let scheme = try scheme()
        var tunnels = TunnelPolicies()
        let kept = policy(branch, peer: peer)
        let gone = policy(IPPrefix(address: IPAddress(10, 8, 0, 0), length: 24), peer: peer)
        let removed = policy(IPPrefix(address: IPAddress(10, 7, 0, 0), length: 24), peer: peer)
        for each in [kept, gone, removed] { _ = tunnels.note(each, scheme: scheme) }
        tunnels.beginReading()
        #expect(tunnels.remove(removed.key) == .needs)
        #expect(tunnels.noteRead(kept, scheme: scheme) == .nothing)
        #expect(tunnels.noteRead(removed, scheme: scheme) == .nothing)
        #expect(tunnels.endReading() == .needs)
        #expect(tunnels.needs.map(\.destination) == [branch])
        #expect(tunnels.noteRead(removed, scheme: scheme) == .needs)
    }

    @Test("policies beyond the limit are refused")
    func policyLimit() throws {
        let scheme = try scheme()
        var tunnels = TunnelPolicies(limit: 1)
        #expect(tunnels.note(policy(branch, peer: peer), scheme: scheme) == .needs)
        let other = policy(IPPrefix(address: IPAddress(10, 8, 0, 0), length: 24), peer: peer)
        #expect(tunnels.note(other, scheme: scheme) == .refused)
    }

    @Test("standing routes are kept, changed ones replaced, needless ones deleted")
    func difference() {
        func route(_ last: UInt8, _ interface: UInt32) -> ReverseRoutePlan.Route {
            .init(
                destination: IPPrefix(address: IPAddress(10, 0, 0, last), length: 32),
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
        #expect(scheme.virtualAddresses == [IPAddress(10, 1, 0, 100)])
        #expect(scheme.marginSettings.exposure == .seconds(14))
        #expect(scheme.mapName(for: peer) == "MAPA")
        #expect(!scheme.hasReverseRoute(for: IPAddress(10, 1, 0, 6)))
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
