// SPDX-License-Identifier: Apache-2.0

import Configuration
import Primitives
import Testing

@Suite("standby authentication")
struct AuthenticationTests {
    private func authentication(_ words: String) throws -> Model.Group.Authentication {
        let text = "interface eth1\n standby 10 ip 10.1.0.100\n standby 10 authentication \(words)"
        return try model(text).interfaces[0].groups[0].authentication
    }

    private func key(_ text: String) -> SecretBytes { SecretBytes(Array(text.utf8)) }

    @Test("text and keys in every form that IOS prints")
    func forms() throws {
        #expect(try authentication("word") == .text("word"))
        #expect(try authentication("text md5") == .text("md5"))
        #expect(try authentication("md5 key-string SECRET") == .keyString(key("SECRET"), timeoutSeconds: 0))
        #expect(
            try authentication("md5 key-string 0 SECRET timeout 30") == .keyString(key("SECRET"), timeoutSeconds: 30))
        #expect(try authentication("md5 key-string \"a b ! c\"") == .keyString(key("a b ! c"), timeoutSeconds: 0))
        #expect(try authentication("md5 key-string 7 070C285F4D06") == .keyString(key("cisco"), timeoutSeconds: 0))
        #expect(try authentication("md5 key-string 7") == .keyString(key("7"), timeoutSeconds: 0))
        #expect(try authentication("md5 key-string 7 timeout 5") == .keyString(key("7"), timeoutSeconds: 5))
        #expect(try authentication("md5 key-file /etc/havpn/hello.key") == .keyFile("/etc/havpn/hello.key"))
        #expect(try authentication("md5 key-string X\n no standby 10 authentication") == .text("cisco"))
    }

    @Test("a key that is too long or not of type 7 is refused, and the message does not repeat it")
    func refused() {
        let long = String(repeating: "k", count: 56)
        for (words, expected) in [
            ("md5 key-string \(long)", "1 to 55 bytes, found 56"), ("md5 key-string 7 99AA", "type 7"),
            ("md5 key-string 7 07GG", "type 7"), ("md5 key-string 7 0", "type 7"),
            ("md5", "`key-string`, `key-file` or `key-chain`"),
            ("md5 key-file hello.key", "absolute path"), ("md5 key-string SECRET timeout 40000", "from 0 to 32767"),
            ("md5 key-string \"\"", "1 to"),
        ] {
            let diagnostics = read("interface eth1\n standby 10 ip 10.1.0.100\n standby 10 authentication \(words)")
                .diagnostics
            #expect(diagnostics.contains { $0.message.contains(expected) }, "\(words): \(diagnostics)")
            #expect(!diagnostics.contains { $0.message.contains("SECRET") || $0.message.contains(long) })
        }
    }

    @Test("keys print as <hidden>, and with secrets as what loads again; a model never shows them")
    func printed() throws {
        let text =
            "interface eth1\n standby 10 ip 10.1.0.100\n standby 10 authentication md5 key-string SECRET timeout 9"
        let model = try model(text)
        let hidden = print(model, secrets: false)
        #expect(hidden.contains(" standby 10 authentication md5 key-string <hidden> timeout 9\n"))
        #expect(!hidden.contains("SECRET"))
        let whole = print(model, secrets: true)
        #expect(whole.contains(" standby 10 authentication md5 key-string \"SECRET\" timeout 9\n"))
        #expect(try ConfigurationTests.model(whole) == model)
        #expect(!"\(model)".contains("SECRET"))
    }
}
