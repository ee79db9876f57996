// SPDX-License-Identifier: Apache-2.0

import Primitives
import SecurityAssociations
import Testing

@testable import Daemon

@Suite struct BypassPlanTests {
    private let inside = IPAddress(10, 2, 0, 4)
    private let outside = IPAddress(10, 1, 0, 4)
    private let end = IPAddress(10, 1, 0, 100)

    private func policy(_ source: IPPrefix, priority: UInt32, direction: KernelPolicy.Direction = .outbound)
        -> ReplicatedPolicy
    {
        let selector = ReplicatedSelector(
            source: source.address, sourceLength: UInt8(source.length),
            destination: IPAddress(10, 0, 0, 6), destinationLength: 32)
        var policy = ReplicatedPolicy(key: PolicyKey(direction: direction, selector: selector))
        policy.priority = priority
        policy.templates = [.init(source: end, destination: IPAddress(10, 1, 0, 5))]
        return policy
    }

    private func network(_ text: (UInt8, UInt8, UInt8, UInt8), _ length: Int, priority: UInt32 = 1000) throws
        -> BypassPlan.Network
    {
        let prefix = IPPrefix(address: IPAddress(text.0, text.1, text.2, text.3), length: length)
        return try #require(BypassPlan.Network(policy(prefix, priority: priority)))
    }

    @Test("a standby lets its addresses in the tunnels' networks pass, directly before the tunnels' policies")
    func standby() throws {
        var plan = BypassPlan()
        plan.noteFlush()
        #expect(plan.note(try network((10, 2, 0, 0), 24)))
        #expect(plan.note(try network((10, 2, 0, 0), 16, priority: 900)))
        let changes = plan.changes(isActive: false, addresses: [inside, outside])
        #expect(changes == .init(removed: [], added: [.init(address: inside, priority: 899)]))
        plan.noteWritten(changes)
        #expect(!plan.isChanged)
        #expect(plan.changes(isActive: false, addresses: [inside, outside]).isEmpty)
    }

    @Test("an Active lets nothing pass, also what a former life left")
    func active() throws {
        var plan = BypassPlan()
        #expect(!plan.isAbsent)
        #expect(plan.changes(isActive: true, addresses: [inside]).removed == [inside])
        #expect(plan.note(try network((10, 2, 0, 0), 24)))
        plan.noteWritten(plan.changes(isActive: false, addresses: [inside]))
        let changes = plan.changes(isActive: true, addresses: [inside, outside])
        #expect(changes == .init(removed: [inside]))
        plan.noteWritten(changes)
        #expect(plan.isAbsent)
    }

    @Test("an address that goes takes its policies along; one that comes gets some; a flush brings all again")
    func addresses() throws {
        var plan = BypassPlan()
        plan.noteFlush()
        #expect(plan.note(try network((0, 0, 0, 0), 0)))
        plan.noteWritten(plan.changes(isActive: false, addresses: [inside]))
        let changes = plan.changes(isActive: false, addresses: [outside])
        #expect(changes.removed == [inside])
        #expect(changes.added.map(\.address) == [outside])
        plan.noteWritten(changes)
        plan.noteFlush()
        #expect(plan.isChanged)
        #expect(plan.changes(isActive: false, addresses: [outside]).added.map(\.address) == [outside])
    }

    @Test("inbound policies, those without a tunnel and a network too many are not taken")
    func others() throws {
        let any = IPPrefix(address: .any(.ipv4), length: 0)
        #expect(BypassPlan.Network(policy(any, priority: 5, direction: .inbound)) == nil)
        var transport = policy(any, priority: 5)
        transport.templates[0].mode = 0
        #expect(BypassPlan.Network(transport) == nil)
        var plan = BypassPlan()
        for number in 0..<BypassPlan.maximumNetworks {
            #expect(plan.note(try network((10, UInt8(number >> 8), UInt8(number & 255), 0), 24)))
        }
        #expect(try !plan.note(network((11, 0, 0, 0), 24)))
        #expect(try plan.note(network((10, 0, 0, 0), 24, priority: 1)))
    }
}
