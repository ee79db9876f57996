// SPDX-License-Identifier: Apache-2.0

import Configuration
import Control
import Primitives
import SecurityAssociations
import StrongSwan
import Testing

@testable import Daemon

@Suite("Crypto screens, a piece at a time")
struct CryptoTextTests {
    static let gateway = IPAddress(10, 1, 0, 100)

    /// Tunnels to 10.1.0.5 that only the kernel knows, and one to 10.1.0.6 that charon lists; 10.1.0.7 has none.
    private func views(kernelOnly count: UInt32) throws -> (CryptoViews, [ListedIKE]) {
        let text = ReverseRouteTests.text + "\n set peer 10.1.0.7\n"
        let model = try #require(load(Array(text.utf8), fileName: "test").model)
        let scheme = try #require(Scheme(model))
        var sas: [SAIdentity: KernelSA] = [:]
        var policies: [KernelPolicy] = []
        func add(_ number: UInt32, peer: IPAddress) {
            let outbound = SAIdentity(destination: peer, spi: 0x1000 + number)
            let inbound = SAIdentity(destination: Self.gateway, spi: 0x2000 + number)
            sas[outbound] = KernelSA(identity: outbound, source: Self.gateway, requestID: number)
            sas[inbound] = KernelSA(identity: inbound, source: peer, requestID: number)
            let remote = IPPrefix(address: IPAddress(10, 0, UInt8(number >> 8), UInt8(number & 255)), length: 32)
            var policy = KernelPolicy(
                selector: KernelSelector(destination: remote), direction: .outbound, priority: 1)
            policy.template = .init(source: Self.gateway, destination: peer, requestID: number)
            policies.append(policy)
        }
        for number in 0..<count { add(number + 1, peer: IPAddress(10, 1, 0, 5)) }
        add(60_000, peer: IPAddress(10, 1, 0, 6))
        let child = ListedChild(
            uniqueID: 1, name: "net", state: "INSTALLED", securityProtocol: "ESP",
            spis: ChildSPIPair(inbound: 0x2000 + 60_000, outbound: 0x1000 + 60_000), localSelectors: ["10.2.0.0/24"],
            remoteSelectors: ["10.0.9.0/24"], bytesIn: 0, packetsIn: 0, bytesOut: 0, packetsOut: 0)
        let ike = ListedIKE(
            uniqueID: 7, name: "office", version: 2, state: "ESTABLISHED", localHost: "10.1.0.100", localPort: 500,
            remoteHost: "10.1.0.6", remotePort: 500, localID: "gateway", remoteID: "CN=\"flows\":[],\\",
            spis: IKESPIPair(initiator: 1, responder: 2), isInitiator: false, children: [child])
        let index = SAIndex(sas, ends: [Self.gateway])
        return (CryptoViews(scheme: scheme, isActive: true, sas: index, policies: policies, connections: []), [ike])
    }

    private func whole(_ pieces: AnyIterator<[UInt8]>) -> [UInt8] { pieces.reduce(into: []) { $0 += $1 } }

    @Test("sessions of charon, of the kernel alone and of peers without SAs are one JSON text", arguments: [0, 1, 3])
    func sessions(kernelOnly: UInt32) throws {
        let (views, listing) = try views(kernelOnly: kernelOnly)
        let view = try decodeJSON(SessionView.self, from: whole(views.sessionText(listing)))
        #expect(view.sessions.map(\.peerAddress) == ["10.1.0.6", "10.1.0.5", "10.1.0.7"])
        #expect(view.sessions[0].peerIdentity == "CN=\"flows\":[],\\")
        #expect(view.sessions[0].flows.map(\.outbound?.spi) == ["0x0000fa60"])
        let flows = view.sessions[1].flows
        #expect(flows.count == Int(kernelOnly))
        #expect(Set(flows.map(\.remote)).count == flows.count)
        #expect(view.sessions.map(\.status) == ["UP-ACTIVE", kernelOnly > 0 ? "UP-ACTIVE" : "DOWN", "DOWN"])
        #expect(view.sessions.map(\.map) == ["MAPA", "MAPA", "MAPA"])
    }

    @Test("a pair is listed once, whoever knows it")
    func pairs() throws {
        let (views, listing) = try views(kernelOnly: 2)
        let view = try decodeJSON(IPsecView.self, from: whole(views.ipsecText(listing)))
        #expect(view.ipsecSAs.map(\.peerAddress) == ["10.1.0.6", "10.1.0.5", "10.1.0.5"])
        let kernel = try decodeJSON(IPsecView.self, from: whole(views.ipsecText(nil)))
        #expect(kernel.ipsecSAs.count == 3)
    }

    @Test("an empty list is a list")
    func nothing() throws {
        let views = CryptoViews(
            scheme: nil, isActive: false, sas: SAIndex([:], ends: []), policies: [], connections: [])
        #expect(whole(views.isakmpText([])) == Array("{\"isakmpSAs\":[]}".utf8))
        #expect(whole(views.ipsecText(nil)) == Array("{\"ipsecSAs\":[]}".utf8))
        #expect(whole(views.sessionText(nil)) == Array("{\"sessions\":[]}".utf8))
    }

    @Test("5000 flows of one peer come in pieces of a few hundred bytes")
    func many() throws {
        let (views, listing) = try views(kernelOnly: 5000)
        let lengths = views.sessionText(listing).map(\.count)
        #expect(lengths.count > 5000)
        #expect(lengths.allSatisfy { $0 < 2000 })
    }
}
