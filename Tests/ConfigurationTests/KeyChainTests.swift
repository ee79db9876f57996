// SPDX-License-Identifier: Apache-2.0

import Configuration
import FirstHop
import Primitives
import Testing

@Suite("key chain")
struct KeyChainTests {
    static let group =
        "interface eth1\n standby 10 ip 10.1.0.100\n standby 10 authentication md5 key-chain HELLO\n"

    private func lifetime(_ words: String) throws -> KeyChain.Lifetime? {
        let text = "key chain HELLO\n key 1\n  key-string X\n  accept-lifetime \(words)\n"
        return try model(text).keyChains[0].keys[0].acceptLifetime
    }

    @Test("times in every form")
    func times() throws {
        #expect(try lifetime("00:00:00 Jan 1 2000 infinite") == .init(start: 946_684_800))
        #expect(try lifetime("23:59:59 29 feb 2024 infinite") == .init(start: 1_709_251_199))
        #expect(try lifetime("12:30 December 31 2099 infinite") == .init(start: 4_102_403_400))
        #expect(try lifetime("0:0:0 Mar 1 2100 duration 60") == .init(start: 4_107_542_400, end: 4_107_542_460))
        #expect(
            try lifetime("0:0:0 Jan 1 2026 0:0:1 Jan 1 2026") == .init(start: 1_767_225_600, end: 1_767_225_601))
    }

    @Test("indentation is free, and keys and chains may follow each other at any depth")
    func flat() throws {
        let keys = "key chain A\nkey 1\nkey-string X\nkey 2\nkey-string Y\n"
        let text = keys + "key chain B\nkey 7\nkey-string Z\n" + Self.group
        let model = try model(text.replacing("HELLO", with: "B"))
        #expect(model.keyChains.map(\.name) == ["A", "B"])
        #expect(model.keyChains.map { $0.keys.map(\.number) } == [[1, 2], [7]])
        #expect(model.interfaces[0].groups[0].authentication == .keyChain("B"))
        let deep = text.replacing("HELLO", with: "B").split(separator: "\n").map { "  \($0)" }.joined(separator: "\n")
        #expect(try ConfigurationTests.model(deep) == model)
    }

    @Test("no takes back keys, lifetimes and chains; chains that nobody uses may be anything")
    func negated() throws {
        let model = try model(
            """
            key chain A
             key 1
              key-string X
              accept-lifetime 0:0:0 Jan 1 2026 infinite
              send-lifetime 0:0:0 Jan 1 2026 infinite
              no accept-lifetime
              no send-lifetime 0:0:0 Jan 1 2026 infinite
             key 2
              key-string Y
              no key-string
             key 3
             no key 3
            key chain B
            no key chain B
            """)
        var first = KeyChain.Key(number: 1)
        first.secret = .init([UInt8(ascii: "X")])
        #expect(model.keyChains.map(\.name) == ["A"])
        #expect(model.keyChains[0].keys == [first, KeyChain.Key(number: 2)])
    }

    @Test("`key config-key` stays the system's")
    func foreign() throws {
        let result = read("key config-key password-encrypt\n" + "interface eth1\n standby 10 ip 10.1.0.100\n")
        #expect(result.model != nil && result.warnings.contains { $0.message.contains("`key`") })
    }

    @Test(
        "what is wrong is said with its place",
        arguments: [
            ("key chain", "1:10", "expected the name of a key chain"),
            ("key 1", "1:5", "expected `chain`"),
            ("key chain A\n key x", "2:6", "the number of a key, or `chain`, a number from 0 to 2147483647"),
            ("key chain A\n key 1\n  key-strong", "3:3", "unknown statement `key-strong`"),
            ("key-string X", "1:1", "it belongs under `key NUMBER` of a `key chain NAME`"),
            ("key chain A\n key 1\n  key-string", "3:13", "expected the key at the end of the line"),
            ("key chain A\n key 1\n  key-string 7 SECRET", "3:16", "type 7"),
            (
                "key chain A\n key 1\n  send-lifetime", "3:16",
                "expected the start, a time such as `00:00:00 Jan 1 2026`, at"
            ),
            ("key chain A\n key 1\n  send-lifetime 24:00:00 Jan 1 2026 infinite", "3:17", "found `24:00:00`"),
            ("key chain A\n key 1\n  send-lifetime 00:00:00 Jax 1 2026 infinite", "3:26", "found `Jax`"),
            ("key chain A\n key 1\n  send-lifetime 00:00:00 Ju 1 2026 infinite", "3:26", "`june` or `july`"),
            ("key chain A\n key 1\n  send-lifetime 00:00:00 Feb 30 2026 infinite", "3:17", "there is no such day"),
            ("key chain A\n key 1\n  send-lifetime 00:00:00 Jan 1 1999 infinite", "3:32", "from 2000 to 2199"),
            ("key chain A\n key 1\n  send-lifetime 00:00:00 Jan 1 2026", "3:36", "expected `infinite`, `duration"),
            ("key chain A\n key 1\n  send-lifetime 00:00:00 Jan 1 2026 forever", "3:37", "`infinite` or `duration`"),
            ("key chain A\n key 1\n  send-lifetime 0:0:0 Jan 1 2026 duration 0", "3:43", "a number from 1 to"),
            ("key chain A\n key 1\n  send-lifetime 0:0:0 Jan 1 2026 0:0 Jan 1 2026", "3:34", "an end behind the start"),
            ("key chain A\n key 1\n  send-lifetime local 0:0:0 Jan 1 2026 infinite", "3:17", "in UTC, without `local`"),
            (KeyChainTests.group, "3:13", "no key chain has the name `HELLO`"),
            ("key chain HELO\n key 1\n  key-string X\n" + KeyChainTests.group, "6:13", "did you mean `HELO`?"),
            ("key chain HELLO\n" + KeyChainTests.group, "1:11", "the chain has no key; write `key 1`"),
            ("key chain HELLO\n key 1\n" + KeyChainTests.group, "2:6", "the key has no `key-string`"),
        ])
    func faults(text: String, place: String, message: String) throws {
        let result = read(text)
        let error = try #require(result.errors.first)
        #expect(error.description.hasPrefix("test.conf:\(place): error: "), "\(error)")
        #expect(error.message.contains(message), "\(error)")
        #expect(result.errors.count == 1, "\(result.errors)")
        #expect(!result.diagnostics.contains { $0.message.contains("SECRET") })
    }

    @Test("a chain of nine keys is refused; a key sent when it is not accepted is pointed out")
    func limits() {
        let keys = (1...9).map { " key \($0)\n  key-string X\n" }.joined()
        #expect(errors("key chain HELLO\n\(keys)\(Self.group)") == ["the chain has 9 keys; expected at most 8"])
        func said(_ accept: String, _ send: String) -> Int {
            warnings(
                "key chain HELLO\n key 1\n  key-string X\n  accept-lifetime \(accept)\n  send-lifetime \(send)\n"
                    + Self.group
            ).count
        }
        let (first, second) = ("0:0:0 Jan 1 2026", "0:0:0 Jan 2 2026")
        #expect(said("\(first) \(second)", "\(first) \(second)") == 0)
        #expect(said("\(first) infinite", "\(second) infinite") == 0)
        #expect(said("\(second) infinite", "\(first) infinite") == 1)
        #expect(said("\(first) \(second)", "\(first) infinite") == 1)
    }

    @Test("keys print as <hidden>, and with secrets as what loads again")
    func printed() throws {
        let model = try model(
            "key chain HELLO\n key 1\n  key-string SECRET\n  send-lifetime 0:0 1 Jan 2026 duration 60\n" + Self.group)
        let hidden = print(model, secrets: false)
        #expect(hidden.contains("  key-string <hidden>\n") && !hidden.contains("SECRET"))
        #expect(hidden.contains("  send-lifetime 00:00:00 Jan 1 2026 00:01:00 Jan 1 2026\n"))
        let whole = print(model, secrets: true)
        #expect(whole.contains("  key-string \"SECRET\"\n"))
        #expect(try ConfigurationTests.model(whole) == model)
        #expect(!"\(model)".contains("SECRET"))
    }
}
