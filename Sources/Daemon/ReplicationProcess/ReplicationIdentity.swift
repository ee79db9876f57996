// SPDX-License-Identifier: Apache-2.0

import Configuration
import LinuxIO
import SecureChannel

extension ReplicationProcess {
    /// Asks for this node's key where one is needed; also where its path is the same, for the file may be a new one.
    func requestIdentity() {
        guard association != nil, scheme?.isSecured == true else { return }
        supervisor.send(.identityRequested)
    }

    /// Takes the open file with this node's key.
    func adopt(identity descriptor: consuming Descriptor) {
        do {
            association?.take(try Self.readIdentity(descriptor.rawValue))
        } catch {
            noteIdentityMissing("\(error)")
        }
    }

    /// Says why this node's key is not to be had.
    func noteIdentityMissing(_ reason: String) {
        count("tls.identityMissing")
        guard case .pinned(let path, _)? = scheme?.security else { return }
        association?.noteIdentityMissing("\(path): \(reason)")
    }

    private static func readIdentity(_ descriptor: Int32) throws -> NodeIdentity {
        var pem = try PrivateFile.read(descriptor, maximumByteCount: NodeIdentity.Limits.pemByteCount)
        defer { PrivateFile.erase(&pem) }
        let identity = try NodeIdentity(pem: pem)
        try identity.rehearse()
        return identity
    }
}
