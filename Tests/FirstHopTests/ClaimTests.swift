// SPDX-License-Identifier: Apache-2.0

import Primitives
import Testing

@testable import FirstHop

/// Who else says that a virtual address is its own.
@Suite struct ClaimTests {
    private static let address = IPv4Address(10, 1, 0, 100)
    private static let virtual = MACAddress.hsrpVersion1(group: 10)
    private static let stranger = MACAddress(0x0200_5e00_0509)

    @Test("requests and replies claim their sender's address; a probe claims nothing, nor does what is not ARP")
    func frames() {
        for form in Frames.ARPForm.allCases {
            let frame = Frames.gratuitousARP(form, address: Self.address, mac: Self.stranger)
            #expect(AddressClaim(frame: frame) == AddressClaim(address: Self.address, mac: Self.stranger))
            for length in 0..<28 + 4 { #expect(AddressClaim(frame: Array(frame.prefix(length))) == nil) }
        }
        let probe = Frames.arpProbe(for: Self.address, mac: Self.stranger)
        #expect(probe.count == 42 && Array(probe[28..<32]) == [0, 0, 0, 0] && Array(probe[38...]) == [10, 1, 0, 100])
        #expect(Array(probe[22..<28]) == Self.stranger.octets && Array(probe[20..<22]) == [0, 1])
        #expect(AddressClaim(frame: probe) == nil)
        var other = Frames.gratuitousARP(.reply, address: Self.address, mac: Self.stranger)
        other[13] = 0
        #expect(AddressClaim(frame: other) == nil)
    }

    @Test("the group's own MAC claims nothing; another one is worth a line a minute")
    func ledger() {
        var watch = ClaimWatch()
        func claim(_ mac: MACAddress) -> AddressClaim { AddressClaim(address: Self.address, mac: mac) }
        #expect(watch.hear(claim(Self.virtual), virtualMAC: Self.virtual, at: Router.instant(0)) == nil)
        #expect(watch.hear(claim(Self.stranger), virtualMAC: Self.virtual, at: Router.instant(1)) == true)
        #expect(watch.hear(claim(Self.stranger), virtualMAC: Self.virtual, at: Router.instant(60_000)) == false)
        #expect(watch.hear(claim(Self.stranger), virtualMAC: Self.virtual, at: Router.instant(60_001)) == true)
    }
}
