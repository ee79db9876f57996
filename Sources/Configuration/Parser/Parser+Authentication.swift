// SPDX-License-Identifier: Apache-2.0

import FirstHop
import Primitives

/// `standby G authentication …`.
extension Parser {
    mutating func parseAuthentication(
        _ statement: inout Statement, _ group: inout Model.Group
    ) throws(Fault) {
        let isAlone = statement.second == nil
        if statement.next?.text == "md5" || !isAlone {
            // A single word is the data itself, whatever it spells, save `md5`.
            if try statement.keyword(["text", "md5"]) == "md5" {
                group.authentication = try parseDigest(&statement)
                return
            }
        }
        group.authentication = .text(
            try statement.word(
                "the clear-text authentication data", maximumByteCount: Limits.authenticationTextByteCount))
    }

    private func parseDigest(_ statement: inout Statement) throws(Fault) -> Model.Group.Authentication {
        switch try statement.keyword(["key-string", "key-file", "key-chain"]) {
        case "key-chain":
            return .keyChain(
                try statement.word("the name of a key chain", maximumByteCount: Limits.keyChainNameByteCount))
        case "key-file":
            return .keyFile(try parseKeyPath(&statement))
        default: break
        }
        let key = try parseKey(&statement)
        var timeoutSeconds = 0
        if !statement.isAtEnd {
            _ = try statement.keyword(["timeout"])
            timeoutSeconds = try statement.integer(
                0...Limits.keyTimeoutSeconds, "how long the former key is accepted, in seconds")
        }
        return .keyString(key, timeoutSeconds: timeoutSeconds)
    }

    /// `{key-string KEY | key-file PATH} [receive-only | permissive | enforce]`.
    func parseProof(_ statement: inout Statement) throws(Fault) -> Model.Group.Proof {
        var proof: Model.Group.Proof
        if try statement.keyword(["key-string", "key-file"]) == "key-file" {
            proof = Model.Group.Proof(key: .file(try parseKeyPath(&statement)))
        } else {
            proof = Model.Group.Proof(key: .string(try parseKey(&statement, Limits.proofKeyByteCounts)))
        }
        guard !statement.isAtEnd else { return proof }
        let word = try statement.keyword(ProofMode.allCases.map(\.word))
        proof.mode = ProofMode.allCases.first { $0.word == word } ?? proof.mode
        return proof
    }

    private func parseKeyPath(_ statement: inout Statement) throws(Fault) -> String {
        let place = statement
        let path = try statement.word("the file that holds the key", maximumByteCount: Limits.keyPathByteCount)
        guard path.hasPrefix("/") else { throw place.fault("expected an absolute path, found `\(path)`") }
        return path
    }

    /// `[0 | 7] KEY`; the message of a fault never repeats the key.
    func parseKey(
        _ statement: inout Statement, _ byteCounts: ClosedRange<Int> = 1...Limits.keyByteCount
    ) throws(Fault) -> SecretBytes {
        var isObscured = false
        if let first = statement.next, !first.isQuoted, first.text == "0" || first.text == "7",
            let second = statement.second, second.isQuoted || second.text != "timeout"
        {
            isObscured = first.text == "7"
            statement.skip()
        }
        let place = statement
        let text = try statement.word("the key", maximumByteCount: Limits.lineByteCount)
        guard let key = isObscured ? ObscuredKey.reveal(text) : Array(text.utf8) else {
            throw place.fault(
                "expected a key of type 7: a number from 00 to 15 and pairs of hexadecimal digits, as IOS prints it")
        }
        guard byteCounts.contains(key.count) else {
            throw place.fault(
                "expected a key of \(byteCounts.lowerBound) to \(byteCounts.upperBound) bytes, found \(key.count)")
        }
        return SecretBytes(key)
    }
}

extension ProofMode {
    /// How the configuration calls it.
    var word: String {
        switch self {
        case .receiveOnly: "receive-only"
        case .permissive: "permissive"
        case .enforce: "enforce"
        }
    }
}
