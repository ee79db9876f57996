// SPDX-License-Identifier: Apache-2.0

import Configuration
import FirstHop
import Primitives
import Testing

@Suite("Configuration: hmac") struct ProofTests {
    private static let key = "0123456789abcdef0123456789abcdef"
    private static let group = "interface eth1\n standby version 2\n standby 10 ip 10.1.0.100\n"

    @Test("key and mode in every form; the printed text loads to the same, and hides the key unless told not to")
    func forms() throws {
        func proof(_ words: String) throws -> Model.Group.Proof? {
            let model = try ConfigurationTests.model(Self.group + " standby 10 hmac \(words)\n")
            #expect(read(print(model, secrets: true)).model == model)
            #expect(!print(model, secrets: false).contains(Self.key))
            return model.interfaces[0].groups[0].proof
        }
        var expected = Model.Group.Proof(key: .string(SecretBytes(Array(Self.key.utf8))))
        #expect(try proof("key-string \(Self.key)") == expected)
        #expect(expected.mode == .permissive)
        for (word, mode) in [
            ("receive-only", ProofMode.receiveOnly), ("permissive", .permissive), ("enforce", .enforce),
        ] {
            expected.mode = mode
            #expect(try proof("key-string \(Self.key) \(word)") == expected)
        }
        let file = try proof("key-file /etc/havpn/hello.key enforce")
        #expect(file?.key == .file("/etc/havpn/hello.key"))
        let model = try ConfigurationTests.model(Self.group + " standby 10 hmac key-file /etc/havpn/hello.key\n")
        #expect(model.keyFilePaths == ["/etc/havpn/hello.key"])
        let negated = Self.group + " standby 10 hmac key-file /k\n no standby 10 hmac\n"
        #expect(try ConfigurationTests.model(negated).interfaces[0].groups[0].proof == nil)
    }

    @Test("short and long keys, other words, version 1 and MD5 are refused, and no message repeats a key")
    func refused() {
        for count in [1, 31, 65] {
            let key = String(repeating: "k", count: count)
            let found = errors(Self.group + " standby 10 hmac key-string \(key)\n")
            #expect(found == ["expected a key of 32 to 64 bytes, found \(count)"])
        }
        #expect(errors(Self.group + " standby 10 hmac key-file hello.key\n").count == 1)
        #expect(errors(Self.group + " standby 10 hmac key-string \(Self.key) always\n").count == 1)
        #expect(errors(Self.group + " standby 10 hmac\n").count == 1)
        #expect(
            errors("interface eth1\n standby 10 ip 10.1.0.100\n standby 10 hmac key-string \(Self.key)\n")
                == ["`hmac` needs `standby version 2` on eth1"])
        let both = Self.group + " standby 10 hmac key-string \(Self.key)\n standby 10 authentication md5 key-string x\n"
        #expect(errors(both).count == 1)
        #expect(errors(both).allSatisfy { !$0.contains(Self.key) })
    }
}
