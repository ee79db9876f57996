// SPDX-License-Identifier: Apache-2.0

import FirstHop
import Primitives
import Testing

@Suite struct KeyChainTests {
    private static func key(
        _ number: UInt32, send: (Int, Int?)? = nil, accept: (Int, Int?)? = nil
    ) -> KeyChain.Key {
        var key = KeyChain.Key(number: number)
        key.secret = SecretBytes([UInt8(number), 7])
        key.sendLifetime = send.map { KeyChain.Lifetime(start: $0.0, end: $0.1) }
        key.acceptLifetime = accept.map { KeyChain.Lifetime(start: $0.0, end: $0.1) }
        return key
    }

    /// The numbers of the key to send with and of those to accept.
    private static func numbers(_ chain: KeyChain, at seconds: Int) -> (send: UInt32, accept: [UInt32])? {
        guard case .keys(let sending, let accepting) = chain.authentication(at: seconds) else { return nil }
        return (sending.number, accepting.map(\.number))
    }

    private static func chain(_ keys: KeyChain.Key...) -> KeyChain {
        var chain = KeyChain(name: "HELLO")
        chain.keys = keys
        return chain
    }

    @Test("without lifetimes the lowest key is sent and all are accepted")
    func lowest() throws {
        let numbers = try #require(Self.numbers(Self.chain(Self.key(3), Self.key(5)), at: 1_000))
        #expect(numbers.send == 3 && numbers.accept == [3, 5])
    }

    @Test("keys change at their seconds, and both are accepted around the change")
    func change() throws {
        let chain = Self.chain(
            Self.key(1, send: (0, 1_000), accept: (0, 1_100)), Self.key(2, send: (1_000, nil), accept: (900, nil)))
        for (seconds, send, accept) in [
            (899, 1, [1]), (900, 1, [1, 2]), (999, 1, [1, 2]), (1_000, 2, [1, 2]), (1_099, 2, [1, 2]), (1_100, 2, [2]),
        ] as [(Int, UInt32, [UInt32])] {
            let numbers = try #require(Self.numbers(chain, at: seconds))
            #expect(numbers.send == send && numbers.accept == accept, "at \(seconds)")
            #expect(!chain.isOverdue(at: seconds))
        }
        #expect(
            [-1, 0, 899, 900, 999, 1_000, 1_099, 1_100].map { chain.nextChange(after: $0) }
                == [0, 900, 900, 1_000, 1_000, 1_100, 1_100, nil])
    }

    @Test("where no lifetime holds, the last key that was valid goes on, and before all of them the first one")
    func overdue() throws {
        let chain = Self.chain(
            Self.key(1, send: (500, 1_000), accept: (500, 1_000)), Self.key(2, send: (300, 900), accept: (300, 900)))
        let late = try #require(Self.numbers(chain, at: 5_000))
        #expect(late.send == 1 && late.accept == [1])
        let early = try #require(Self.numbers(chain, at: 0))
        #expect(early.send == 2 && early.accept == [2])
        #expect(chain.isOverdue(at: 5_000) && chain.isOverdue(at: 0) && !chain.isOverdue(at: 600))
        let gap = Self.chain(
            Self.key(1, send: (0, 10), accept: (0, 10)), Self.key(2, send: (20, nil), accept: (0, nil)))
        let inside = try #require(Self.numbers(gap, at: 15))
        #expect(inside.send == 1 && inside.accept == [2] && gap.isOverdue(at: 15))
    }

    @Test("without a key there is no authentication, and the group must not run")
    func missing() {
        #expect(KeyChain(name: "A").authentication(at: 0) == .missing)
        #expect(Self.chain(KeyChain.Key(number: 1)).authentication(at: 0) == .missing)
    }

    @Test("two routers change their keys one after the other and believe each other all the time")
    func rollover() {
        let chain = Self.chain(
            Self.key(1, send: (0, 1_000), accept: (0, 1_100)), Self.key(2, send: (1_000, nil), accept: (900, nil)))
        // The other clock is 80 s late.
        for seconds in stride(from: 0, to: 2_000, by: 20) {
            var router = Router.listening { $0.authentication = chain.authentication(at: seconds) }
            var message = Router.message(.hello, .active, priority: 120)
            guard case .keys(let key, _) = chain.authentication(at: seconds - 80) else {
                Issue.record("no key")
                continue
            }
            message.sign(with: key, from: Router.stranger)
            let actions = router.at(500, .messageReceived(message, from: Router.stranger))
            #expect(actions.counted == ["hello.received"], "at \(seconds)")
        }
    }

    @Test("a change of keys by lifetime keeps state and timers")
    func running() {
        let chain = Self.chain(Self.key(1, send: (0, 30), accept: (0, 40)), Self.key(2, send: (30, nil)))
        var router = Router.active { $0.authentication = chain.authentication(at: 20) }
        var settings = router.machine.settings
        settings.authentication = chain.authentication(at: 30)
        #expect(router.at(20_500, .settingsChanged(settings)).steps == [])
        #expect(router.machine.state == .active)
        let sent = router.run(until: 24_000).compactMap { done -> UInt32? in
            guard case .send(let message, _) = done.action, case .digest(let digest) = message.authentication else {
                return nil
            }
            return digest.keyNumber
        }
        #expect(!sent.isEmpty && sent.allSatisfy { $0 == 2 })
    }
}
