// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Control
import LinuxIO
import Primitives
import SecureChannel

/// Makes this node's identity.
struct MakeIdentity: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keygen",
        abstract: "Makes this node's key and prints its fingerprint.",
        discussion: """
            The file holds a private key: it is for `security identity` of this node alone and never leaves it.
            The fingerprint is for `security peer` of the other node.
            """)

    @OptionGroup var options: Options
    @Option(name: .customLong("out"), help: "The file to make; one that exists is never overwritten.")
    var path: String

    func run() throws {
        let fingerprint: Fingerprint
        do {
            var made = try CryptoLibrary.makeIdentity()
            defer { PrivateFile.erase(&made.pem) }
            fingerprint = made.fingerprint
            try PrivateFile.create(path, content: made.pem)
        } catch let error as SystemError where error.code == SystemCode.exists {
            throw Output.fail(
                "\(path) exists and is not overwritten: the peer knows this node by it; choose another name, or move it "
                    + "away first", status: 1, json: options.json, code: "exists")
        } catch {
            throw Output.fail("no identity was made: \(error)", status: 1, json: options.json, code: "not-made")
        }
        Output.show(IdentityView(file: path, fingerprint: fingerprint), json: options.json)
    }
}

/// Prints by what a node is known.
struct PrintFingerprint: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fingerprint",
        abstract: "Prints the fingerprint of an identity, a certificate or a key in PEM form.")

    @OptionGroup var options: Options
    @Argument(help: "The file.")
    var file: String

    func run() throws {
        let fingerprint: Fingerprint
        do {
            var text = try readSmallFile(file, maximumByteCount: NodeIdentity.Limits.pemByteCount)
            defer { PrivateFile.erase(&text) }
            fingerprint = try CryptoLibrary.fingerprint(ofPEM: text)
        } catch let error as SystemError {
            throw Output.fail("cannot \(error)", status: 1, json: options.json, code: "unreadable")
        } catch {
            throw Output.fail("\(file) \(error)", status: 1, json: options.json, code: "no-identity")
        }
        Output.show(IdentityView(file: file, fingerprint: fingerprint), json: options.json)
    }
}

/// What `keygen --json` and `fingerprint --json` print.
struct IdentityView: Codable {
    /// The file.
    let file: String
    /// `sha256:` and 64 hexadecimal digits.
    let fingerprint: String

    init(file: String, fingerprint: Fingerprint) {
        self.file = file
        self.fingerprint = "\(fingerprint)"
    }
}

extension Output {
    /// Prints the fingerprint, alone on its line, so that scripts may take it as it is.
    fileprivate static func show(_ view: IdentityView, json: Bool) {
        write(json ? encodeJSON(view) + [UInt8(ascii: "\n")] : [UInt8]("\(view.fingerprint)\n".utf8))
    }
}
