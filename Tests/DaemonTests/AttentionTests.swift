// SPDX-License-Identifier: Apache-2.0

import Primitives
import Testing

@testable import Daemon

@Suite struct AttentionTests {
    /// One second: whether real time is due behind it, with the processor time used until then in milliseconds.
    private func tick(_ attention: inout Attention, used: Int = 0, bytes: Int = 0, isWanted: Bool = true) -> Bool {
        attention.ticked(processor: .milliseconds(used), receivedBytes: bytes, isWanted: isWanted)
    }

    @Test("a standby with little to do waits in real time, from its first calm second on")
    func calm() {
        var attention = Attention()
        #expect(!attention.isHeld)
        let isHeld = tick(&attention, used: 15, bytes: 900)
        #expect(isHeld && attention.isHeld)
        #expect(!attention.isExceeded(receivedBytes: 900 + Attention.byteCount))
        #expect(attention.isExceeded(receivedBytes: 901 + Attention.byteCount))
    }

    @Test("a second that cost much is followed by one without, and a calm one by real time again")
    func busy() {
        var attention = Attention()
        let held = [20, 41, 61].map { tick(&attention, used: $0) }
        #expect(held == [true, false, true])
    }

    @Test("what came before the tick does not count against the second behind it")
    func bytes() {
        var attention = Attention()
        let isHeld = tick(&attention, bytes: 1 << 20)
        #expect(isHeld && !attention.isExceeded(receivedBytes: 1 << 20))
    }

    @Test("an Active, or a standby that is not HOT, never waits in real time; an end is one until the next tick")
    func unwanted() {
        var attention = Attention()
        let isHeldUnwanted = tick(&attention, isWanted: false)
        #expect(!isHeldUnwanted && !attention.isExceeded(receivedBytes: 1 << 20))
        let isHeld = tick(&attention)
        attention.ended()
        #expect(isHeld && !attention.isHeld && !attention.isExceeded(receivedBytes: 1 << 20))
        let isHeldAgain = tick(&attention)
        #expect(isHeldAgain)
    }
}
