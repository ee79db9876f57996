// SPDX-License-Identifier: Apache-2.0

import Glibc
import Netlink
import Primitives
import SecurityAssociations
import Testing

@testable import LinuxIO

private let gateway = IPAddress(10, 1, 0, 100)
private let branch = IPAddress(10, 1, 0, 5)
private let key = "0x" + String(repeating: "5a", count: 20)

private func addSA(_ spi: String, from: IPAddress, to: IPAddress, _ more: String = "replay-window 32") -> Bool {
    NetworkNamespace.ip(
        "xfrm state add src \(from) dst \(to) proto esp spi \(spi) reqid 7 mode tunnel aead rfc4106(gcm(aes)) \(key) 128 "
            + more)
}

extension NetlinkSocket {
    fileprivate func sas() throws -> [KernelSA] {
        try dump(XFRMRequest.dumpSAs()).compactMap { try KernelSA(parsing: $0) }
    }
}

private func kernelHasESP() -> Bool {
    guard NetworkNamespace.isAvailable else { return false }
    do {
        try NetworkNamespace.run {
            guard addSA("0x100", from: branch, to: gateway) else { throw SystemError("no ESP", code: EPROTONOSUPPORT) }
        }
        return true
    } catch {
        return false
    }
}

@Suite("Kernel: SAs and policies", .serialized, .enabled(if: kernelHasESP()))
struct XFRMTests {
    @Test("an SA is read with its identity, windows, limits and encapsulation, and without its key")
    func readSAs() throws {
        try NetworkNamespace.run {
            let netlink = try NetlinkSocket(.xfrm)
            #expect(addSA("0xc0000001", from: branch, to: gateway))
            #expect(
                addSA(
                    "0xc0000002", from: gateway, to: branch,
                    "replay-window 128 flag esn limit packet-hard 500 limit time-hard 3600 encap espinudp 4500 4501 0.0.0.0"
                ))
            let sas = try netlink.sas().sorted { $0.identity.spi < $1.identity.spi }
            try #require(sas.count == 2)
            #expect(sas[0].identity == SAIdentity(destination: gateway, spi: 0xc000_0001))
            #expect(sas[0].source == branch && sas[0].requestID == 7 && sas[0].mode == .tunnel)
            #expect(!sas[0].isExtended && !sas[0].replay.usesExtendedStructure && sas[0].replay.windowPackets == 32)
            #expect(sas[1].isExtended && sas[1].replay.usesExtendedStructure && sas[1].replay.windowPackets == 128)
            #expect(sas[1].replay.bitmap.count == 4)
            #expect(sas[1].limits.hardPackets == 500 && sas[1].limits.hardAddSeconds == 3600)
            #expect(sas[1].encapsulation == KernelSA.Encapsulation(kind: 2, sourcePort: 4500, destinationPort: 4501))
            let one = try #require(try netlink.request(XFRMRequest.get(sas[0].identity)).first)
            #expect(try KernelSA(parsing: one) == sas[0])
            #expect(!"\(sas)".contains("5a5a") && !"\(sas)".contains("90, 90, 90"))
        }
    }

    @Test("sequence numbers are written with either structure and read back; others are refused")
    func counters() throws {
        try NetworkNamespace.run {
            let netlink = try NetlinkSocket(.xfrm)
            #expect(addSA("0xc0000001", from: gateway, to: branch))
            #expect(addSA("0xc0000002", from: gateway, to: branch, "replay-window 128 flag esn"))
            for sa in try netlink.sas() {
                var replay = sa.replay
                replay.outbound = sa.isExtended ? 0x1_0000_0005 : 100_139
                replay.inbound = sa.isExtended ? 0x2_0000_0007 : 77
                try netlink.request(XFRMRequest.setReplay(sa.identity, replay))
                let answer = try #require(try netlink.request(XFRMRequest.getReplay(sa.identity)).first)
                guard case .countersReported(let identity, let read, let cause) = try XFRMEvent(parsing: answer) else {
                    Issue.record("not counters")
                    return
                }
                #expect(identity == sa.identity && cause == .query)
                #expect(read.outbound == replay.outbound && read.inbound == replay.inbound)
                // Another window, or the other structure where the SA has the short one.
                var wrong = KernelReplay(outbound: 1, inbound: 1, windowPackets: 64, bitmap: [0, 0])
                wrong.usesExtendedStructure = true
                if sa.isExtended {
                    #expect(throws: NetlinkError.self) { try netlink.request(XFRMRequest.setReplay(identity, wrong)) }
                } else {
                    try netlink.request(XFRMRequest.setReplay(identity, wrong))
                }
                let after = try #require(try netlink.sas().first { $0.identity == identity })
                #expect(after.replay.outbound == replay.outbound)
            }
            let gone = SAIdentity(destination: branch, spi: 0xdead_beef)
            #expect(throws: NetlinkError.self) { try netlink.request(XFRMRequest.setReplay(gone, KernelReplay())) }
            do {
                try netlink.request(XFRMRequest.delete(gone))
                Issue.record("deleted what is not there")
            } catch { #expect((error as? NetlinkError)?.refusalCode == SystemCode.noSuchProcess) }
        }
    }

    @Test("events: added, written counters, expired, deleted, flushed")
    func events() throws {
        try NetworkNamespace.run {
            let reactor = try Reactor()
            let netlink = try NetlinkSocket(.xfrm)
            var events: [XFRMEvent] = []
            let groups =
                XFRMGroups.sa | XFRMGroups.expire | XFRMGroups.counters | XFRMGroups.policy | XFRMGroups.mapping
            let subscription = try NetlinkSubscription(.xfrm, groups: groups, on: reactor) { event in
                if case .message(let message) = event, let parsed = try? XFRMEvent(parsing: message) {
                    events.append(parsed)
                }
            }
            let first = SAIdentity(destination: gateway, spi: 0xc000_0001)
            #expect(addSA("0xc0000001", from: branch, to: gateway))
            var replay = try #require(try netlink.sas().first).replay
            replay.inbound = 5
            try netlink.request(XFRMRequest.setReplay(first, replay))
            try netlink.request(XFRMRequest.delete(first))
            #expect(addSA("0xc0000003", from: branch, to: gateway, "limit time-hard 1"))
            let selector = KernelSelector(destination: IPPrefix(address: branch, length: 32))
            try netlink.request(XFRMRequest.bypass(selector, .outbound, priority: 1000))
            let end = Reactor.now() + .seconds(4)
            while Reactor.now() < end,
                !events.contains(where: { if case .expired(_, true) = $0 { true } else { false } })
            {
                try reactor.runOnce(waitingAtMost: 100)
            }
            #expect(addSA("0xc0000004", from: branch, to: gateway))
            #expect(NetworkNamespace.ip("xfrm state flush"))
            try reactor.runOnce(waitingAtMost: 500)
            let added = events.compactMap { if case .added(let sa) = $0 { sa.identity.spi } else { nil } }
            #expect(added == [0xc000_0001, 0xc000_0003, 0xc000_0004])
            #expect(events.contains(.deleted(first)))
            #expect(
                events.contains {
                    if case .countersReported(first, let read, .write) = $0 { read.inbound == 5 } else { false }
                })
            #expect(
                events.contains {
                    if case .expired(let sa, true) = $0 { sa.identity.spi == 0xc000_0003 } else { false }
                })
            #expect(events.contains { if case .flushed = $0 { true } else { false } })
            #expect(events.contains(.policiesChanged))
            subscription.cancel()
        }
    }

    @Test("policies are read with their template; a bypass is added and deleted")
    func policies() throws {
        try NetworkNamespace.run {
            let netlink = try NetlinkSocket(.xfrm)
            #expect(
                NetworkNamespace.ip(
                    "xfrm policy add src 10.2.0.2/32 dst 10.0.0.6/32 dir out priority 375423 tmpl src \(gateway) dst \(branch) "
                        + "proto esp reqid 7 mode tunnel"))
            let selector = KernelSelector(
                source: IPPrefix(address: IPAddress(10, 1, 0, 3), length: 32),
                destination: IPPrefix(address: IPAddress(10, 0, 0, 6), length: 32))
            try netlink.request(XFRMRequest.bypass(selector, .outbound, priority: 1000))
            let policies = try netlink.dump(XFRMRequest.dumpPolicies()).compactMap { try KernelPolicy(parsing: $0) }
                .sorted { $0.priority < $1.priority }
            try #require(policies.count == 2)
            #expect(policies[0].selector == selector && policies[0].template == nil && !policies[0].isBlocking)
            #expect(policies[1].selector.source.description == "10.2.0.2/32")
            #expect(policies[1].direction == .outbound)
            #expect(policies[1].template == KernelPolicy.Template(source: gateway, destination: branch, requestID: 7))
            try netlink.request(XFRMRequest.deletePolicy(selector, .outbound))
            #expect(throws: NetlinkError.self) { try netlink.request(XFRMRequest.deletePolicy(selector, .outbound)) }
        }
    }
}
