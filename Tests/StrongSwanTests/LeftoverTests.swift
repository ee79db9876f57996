// SPDX-License-Identifier: Apache-2.0

import Primitives
import SecurityAssociations
import Testing

@testable import StrongSwan

@Suite struct LeftoverTests {
    private static let gateway = IPAddress(10, 1, 0, 100)
    private static let branch = IPAddress(10, 1, 0, 5)
    private static let other = IPAddress(10, 1, 0, 6)

    /// Both SAs of a child with a peer, behind NAT if it has a port.
    private static func sas(_ child: ChildSPIPair, with peer: IPAddress = branch, port: UInt16? = nil) -> [KernelSA] {
        var outbound = KernelSA(identity: SAIdentity(destination: peer, spi: child.outbound), source: gateway)
        var inbound = KernelSA(identity: SAIdentity(destination: gateway, spi: child.inbound), source: peer)
        if let port {
            outbound.encapsulation = .init(kind: 2, sourcePort: 4500, destinationPort: port)
            inbound.encapsulation = .init(kind: 2, sourcePort: port, destinationPort: 4500)
        }
        return [outbound, inbound]
    }

    private let old = ChildSPIPair(inbound: 0x11, outbound: 0x12)
    private let new = ChildSPIPair(inbound: 0x21, outbound: 0x22)
    private var search = LeftoverSearch()

    private mutating func found(among sas: [KernelSA], listing children: [ChildSPIPair]) -> [UInt32] {
        let listing = [listed(pair(1), state: "ESTABLISHED", children: children)]
        return search.leftovers(among: sas, listing: listing, gateways: [Self.gateway]).map(\.identity.spi)
    }

    @Test("what a killed daemon left goes when its peer has a new child, seen twice")
    mutating func superseded() {
        let kernel = Self.sas(old) + Self.sas(new)
        #expect(found(among: kernel, listing: [new]) == [])
        #expect(found(among: kernel, listing: [new]) == [0x12, 0x11])
    }

    @Test("it goes on serving a peer that has nothing new, also one behind the NAT of another")
    mutating func stillServing() {
        let kernel = Self.sas(old, with: Self.other) + Self.sas(new)
        let shared = Self.sas(old, port: 1024) + Self.sas(new, port: 1025)
        for sas in [kernel, kernel, shared, shared] { #expect(found(among: sas, listing: [new]) == []) }
        for _ in 0..<2 { #expect(found(among: Self.sas(old), listing: []) == []) }
    }

    @Test("a child that is missing in one listing only stays")
    mutating func onItsWay() {
        let kernel = Self.sas(old) + Self.sas(new)
        #expect(found(among: kernel, listing: [new]) == [])
        #expect(found(among: kernel, listing: [old, new]) == [])
        #expect(found(among: kernel, listing: [new]) == [])
    }
}
