// SPDX-License-Identifier: Apache-2.0

import Primitives
import Testing

@testable import FirstHop

/// Addresses beside the one in the messages: `standby G ip ADDRESS secondary`, and the global ones of IPv6.
@Suite struct SecondaryTests {
    private static let second = IPAddress(10, 1, 0, 101)
    private static let third = IPAddress(10, 1, 0, 102)

    private func changed(_ router: Router, _ addresses: [IPAddress]) -> GroupEvent {
        var settings = router.machine.settings
        settings.furtherAddresses = addresses
        return .settingsChanged(settings)
    }

    @Test("messages name the primary address alone; taking and leaving the role mean every address")
    func messages() {
        var router = Router.speaking { $0.furtherAddresses = [Self.second] }
        let taken = router.run(until: 20_000).map(\.action)
        #expect(router.machine.virtualAddresses == [Router.virtual, Self.second])
        #expect(taken.filter { $0 == .announce(Self.second) }.count == 1)
        for case .send(let message, _) in taken { #expect(message.virtualAddress == Router.virtual) }
        let left = router.at(20_100, .stopRequested)
        #expect(
            Array(left.filter { if case .deleteAddress = $0 { true } else { false } })
                == [.deleteAddress(Router.virtual), .deleteAddress(Self.second)])
    }

    @Test("an Active that is given or loses one adds, announces or deletes it and nothing else")
    func active() {
        var router = Router.active { $0.furtherAddresses = [Self.second] }
        let term = router.machine.roleTerm
        let changes = router.machine.stateChangeCount
        let lease = router.machine.settings.leaseSeconds
        let swap = router.at(20_100, changed(router, [Self.third]))
        #expect(
            swap == [.deleteAddress(Self.second), .addAddress(Self.third, leaseSeconds: lease), .announce(Self.third)])
        let renewed = router.run(until: 22_000).map(\.action)
        #expect(renewed.contains(.renewLease(Self.third, leaseSeconds: lease)))
        #expect(!renewed.contains(.renewLease(Self.second, leaseSeconds: lease)))
        #expect(router.at(22_100, changed(router, [Self.third])).isEmpty)
        #expect(router.machine.state == .active && router.machine.roleTerm == term)
        #expect(router.machine.stateChangeCount == changes)
    }

    @Test("a node that does not hold the role does nothing about a change")
    func standby() {
        var router = Router.standby { $0.furtherAddresses = [Self.second] }
        #expect(router.at(20_100, changed(router, [Self.third])).isEmpty)
        #expect(router.machine.virtualAddresses == [Router.virtual, Self.third])
    }
}
