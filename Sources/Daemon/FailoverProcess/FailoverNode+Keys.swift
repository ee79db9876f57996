// SPDX-License-Identifier: Apache-2.0

import Configuration
import FirstHop
import LinuxIO
import Primitives
import SecureChannel

/// Where the groups' keys come from: the configuration, or files that the supervisor opens.
extension FailoverNode {
    /// What a group authenticates with; a key file that was not read yet leaves it without.
    func authentication(of group: Model.Group) -> GroupAuthentication {
        let key: HSRPKey?
        switch group.authentication {
        case .text(let text): return .text(AuthenticationText(text) ?? .cisco)
        case .keyString(let secret, _): key = HSRPKey(secret)
        case .keyChain(let name):
            let chain = model.keyChains.first { $0.name == name }
            return chain?.authentication(at: WallClock.now().seconds) ?? .missing
        case .keyFile(let path): key = fileKeys[path].flatMap { HSRPKey($0) }
        }
        return key.map { .keys(sending: $0, accepting: [$0]) } ?? .missing
    }

    /// The key of a group's proofs; nil where none is configured, and where its file could not be read yet.
    func proofKey(of group: Model.Group) -> SecretBytes? {
        switch group.proof?.key {
        case nil: nil
        case .string(let key): key
        case .file(let path):
            fileKeys[path].flatMap { Configuration.Limits.proofKeyByteCounts.contains($0.count) ? $0 : nil }
        }
    }

    /// Hands a message to its group, its proof looked at before.
    func deliver(_ message: HSRPMessage, from source: IPAddress, to runner: GroupRunner) {
        guard let proof = message.proof, let key = runner.proofKey else {
            return runner.handle(.messageReceived(message, from: source))
        }
        var checked = message
        checked.proof?.isGenuine = MessageCode.make(of: proof.input(from: source), key: key, beginsWith: proof.code)
        runner.handle(.messageReceived(checked, from: source))
    }

    /// How often lifetimes are looked at besides their own moments: the clock may be set.
    private static let keyChainPauseSeconds = 10

    /// Changes keys when their lifetimes say so; called after a change of the configuration.
    func followKeyChains() {
        if let keyChainTimer { reactor.cancel(keyChainTimer) }
        keyChainTimer = nil
        let used = Set(
            model.interfaces.flatMap(\.groups).compactMap { group in
                if case .keyChain(let name) = group.authentication { name } else { nil }
            })
        let chains = model.keyChains.filter { used.contains($0.name) }
        let now = WallClock.now().seconds
        let overdue = Set(chains.filter { $0.isOverdue(at: now) }.map(\.name))
        for name in overdue.subtracting(overdueKeyChains).sorted() {
            count("hello.keyOverdue")
            log("%HAVPN-4-KEYCHAIN: no key of chain \(name) is valid by its lifetime now: the last one is used on")
        }
        overdueKeyChains = overdue
        guard chains.contains(where: { $0.keys.contains { $0.acceptLifetime != nil || $0.sendLifetime != nil } }) else {
            return
        }
        let next = chains.compactMap { $0.nextChange(after: now) }.min() ?? .max
        let pause = min(next.subtractingReportingOverflow(now).partialValue, Self.keyChainPauseSeconds)
        keyChainTimer = reactor.schedule(at: Reactor.now() + .seconds(pause)) { [unowned self] in
            keyChainTimer = nil
            observeInterfaces()
            followKeyChains()
        }
    }

    /// Reads a key from its file and gives it to the groups that wait for it.
    func takeKey(_ path: String, _ descriptor: DescriptorHolder?) {
        guard let descriptor else { return count("channel.unexpected") }
        do {
            let key = try Self.readKey(descriptor.take())
            guard fits(key, path) else { throw KeyFault.length(key.count) }
            fileKeys[path] = key
            observeInterfaces()
        } catch {
            noteKeyMissing(path, "\(error)")
        }
    }

    /// Says why a key is not to be had; a key that was read before stays in force.
    func noteKeyMissing(_ path: String, _ reason: String) {
        count("hello.keyMissing")
        log("%HAVPN-3-KEYFILE: \(path): \(reason)")
    }

    private func fits(_ key: SecretBytes, _ path: String) -> Bool {
        model.interfaces.flatMap(\.groups).allSatisfy { group in
            if case .keyFile(path) = group.authentication, !HSRPKey.byteCounts.contains(key.count) { return false }
            if case .file(path) = group.proof?.key {
                return Configuration.Limits.proofKeyByteCounts.contains(key.count)
            }
            return true
        }
    }

    private enum KeyFault: Error, CustomStringConvertible {
        case length(Int)

        var description: String {
            switch self {
            case .length(let count):
                "expected a key of 1 to 55 bytes for `md5`, of 32 to 64 for `hmac`, on one line; found \(count)"
            }
        }
    }

    /// The bytes up to the line break at the end, if there is one; the file stays open until they are read.
    private static func readKey(_ file: borrowing Descriptor) throws -> SecretBytes {
        let lineBreakByteCount = 2
        var content = try PrivateFile.read(
            file.rawValue, maximumByteCount: Configuration.Limits.proofKeyByteCounts.upperBound + lineBreakByteCount)
        defer { PrivateFile.erase(&content) }
        var end = content.count
        if end > 0, content[end - 1] == UInt8(ascii: "\n") { end -= 1 }
        if end > 0, content[end - 1] == UInt8(ascii: "\r") { end -= 1 }
        guard (1...Configuration.Limits.proofKeyByteCounts.upperBound).contains(end) else { throw KeyFault.length(end) }
        return SecretBytes(content[..<end])
    }
}
