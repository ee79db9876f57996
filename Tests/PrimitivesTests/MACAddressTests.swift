// SPDX-License-Identifier: Apache-2.0

import Primitives
import Testing

@Suite struct MACAddressTests {
    @Test("both notations are read, and nothing else")
    func text() {
        let mac = MACAddress(0x0200_5e0a_0b0c)
        for text in ["0200.5e0a.0b0c", "02:00:5e:0a:0b:0c", "0200.5E0A.0B0C", mac.description, mac.dottedDescription] {
            #expect(MACAddress(text: text) == mac)
        }
        for text in [
            "", "0200.5e0a", "0200.5e0a.0b0c.0d0e", "02:00:5e:0a:0b", "2:0:5e:a:b:c", "0200:5e0a:0b0c",
            "0200.5e0a.0b0g",
            "+200.5e0a.0b0c", "-200.5e0a.0b0c", "0200.5e0a.0b0c ", "02-00-5e-0a-0b-0c",
        ] { #expect(MACAddress(text: text) == nil, "\(text)") }
    }
}
