// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Foundation
import LinuxIO
import Primitives
import SecureChannel
import Testing

@testable import havpnctl

@Suite("keygen and fingerprint")
struct IdentityTests {
    private func temporaryPath() -> String { "/tmp/havpn-test-\(UInt64.random(in: 0 ... .max)).pem" }

    @Test("keygen makes a file for its owner alone that is an identity, and refuses to make it twice")
    func keygen() throws {
        let path = temporaryPath()
        defer { try? FileManager.default.removeItem(atPath: path) }
        try MakeIdentity.parse(["--out", path, "--json"]).run()
        let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
        #expect(mode == 0o600)
        let pem = try readSmallFile(path)
        let fingerprint = try NodeIdentity(pem: pem).fingerprint
        #expect(try CryptoLibrary.fingerprint(ofPEM: pem) == fingerprint)
        #expect(throws: ExitCode(1)) { try MakeIdentity.parse(["--out", path]).run() }
        #expect(try readSmallFile(path) == pem)
        try PrintFingerprint.parse([path]).run()
    }

    @Test("files that cannot be made or read end with status 1")
    func faults() throws {
        #expect(throws: ExitCode(1)) { try MakeIdentity.parse(["--out", "/nowhere/at/all.pem"]).run() }
        #expect(throws: ExitCode(1)) { try PrintFingerprint.parse(["/nowhere/at/all.pem"]).run() }
        #expect(throws: ExitCode(1)) { try PrintFingerprint.parse(["/proc/self/status", "--json"]).run() }
        #expect(throws: (any Error).self) { try MakeIdentity.parse([]) }
    }
}
