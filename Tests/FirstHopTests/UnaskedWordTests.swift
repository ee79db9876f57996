// SPDX-License-Identifier: Apache-2.0

import FirstHop
import Primitives
import Testing

/// What the peer says of its role unasked, while something else is asked or claimed.
@Suite struct UnaskedWordTests {
    @Test("who yields to a better claim asks once more before it follows an unasked word")
    func yieldedClaim() throws {
        var router = Router.preempting()
        let claim = try #require(router.run(until: 30_000).map(\.action).question)
        #expect(router.at(30_001, .roleMessageReceived(.question(nonce: .max - 1), term: 1)).answer?.isActive == false)
        let told = RoleMessage.answer(nonce: RoleMessage.proclamation, isActive: false)
        let again = try #require(router.at(30_002, .roleMessageReceived(told, term: 1)).question)
        #expect(again != claim)
        #expect(router.machine.state == .standby)
        _ = router.at(30_003, .roleMessageReceived(.answer(nonce: again, isActive: false), term: 1))
        #expect(router.machine.state == .active)
    }

    @Test("another Active is heard, is asked, dies, and says by a new process that it is none: the role is kept")
    func refutedUnasked() throws {
        var router = Router.preemptingActive()
        let asked = router.hear(25_100, .active, priority: 255, from: Router.peer)
        #expect(asked.question != nil)
        let told = RoleMessage.answer(nonce: RoleMessage.proclamation, isActive: false)
        #expect(router.at(25_120, .roleMessageReceived(told, term: 1)).counted.contains("hello.refuted"))
        _ = router.run(until: 26_000)
        #expect(router.machine.state == .active)
    }

    @Test("a greeting that died with the peer's failover process is put again, and then orders count")
    func greetingAskedAgain() throws {
        var router = Router.speaking(redundancy: RedundancyStatus(isStateful: true))
        let greeting = try #require(router.at(10_000, .redundancyChanged(Router.hot)).question)
        #expect(router.at(10_500, .roleMessageReceived(.prepareTakeover, term: 1)).counted == ["role.late"])
        let again = router.run(until: 17_000).filter { [$0.action].question != nil }
        #expect(again.map(\.at) == [13_300, 16_600])
        let nonce = try #require(again.map(\.action).question)
        #expect(nonce != greeting)
        _ = router.at(17_001, .roleMessageReceived(.answer(nonce: nonce, isActive: false), term: 1))
        #expect(router.at(17_002, .roleMessageReceived(.prepareTakeover, term: 1)).steps.contains("tell ready"))
    }
}
