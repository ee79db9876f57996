// SPDX-License-Identifier: Apache-2.0

internal import NIOCore
internal import NIOSSL
public import Primitives

/// What a node proves to be: a private key, and a certificate that is nothing but an envelope for its public half.
///
/// The key stays inside the TLS library, which erases it; no description of an identity shows more than its fingerprint.
public struct NodeIdentity: Sendable, CustomStringConvertible {
    /// Bounds of an identity file.
    public enum Limits {
        /// Bytes of the file.
        public static let pemByteCount = 16_384
    }

    /// What a peer's configuration names this node by.
    public let fingerprint: Fingerprint

    private let key: NIOSSLPrivateKey
    private let certificate: NIOSSLCertificate

    /// Reads a private key and the certificate that belongs to it, in any order.
    ///
    /// - Parameter pem: the file's bytes; whoever called erases them.
    public init(pem: [UInt8]) throws(IdentityError) {
        defer { CryptoLibrary.forgetErrors() }
        guard let key = try? NIOSSLPrivateKey(bytes: pem, format: .pem) else { throw .noKey }
        guard let certificate = try? NIOSSLCertificate.fromPEMBytes(pem).first else { throw .noCertificate }
        guard let fingerprint = Self.fingerprint(of: certificate) else { throw .noCertificate }
        self.key = key
        self.certificate = certificate
        self.fingerprint = fingerprint
        _ = try makeContext()
    }

    /// The fingerprint.
    public var description: String { "identity \(fingerprint)" }

    /// Shakes hands with itself: what a peer would stumble over shows before there is one, and the code is warm.
    public func rehearse() throws(IdentityError) {
        let client = try SecureStream(.client, identity: self, peers: [fingerprint])
        let server = try SecureStream(.server, identity: self, peers: [fingerprint])
        var isOpen = false
        // Two flights each way are enough for a handshake.
        for _ in 0..<2 {
            for event in server.receive(client.takeOutgoing()) {
                switch event {
                case .opened: isOpen = true
                case .ended(let end): throw .unusable("\(end)")
                case .received: break
                }
            }
            for case .ended(let end) in client.receive(server.takeOutgoing()) { throw .unusable("\(end)") }
        }
        guard isOpen else { throw .unusable("the handshake does not end") }
    }

    /// The settings of one session: TLS 1.3 alone, both ends show a certificate, nobody is trusted by name.
    ///
    /// Each session has its own, and with it its own keys for session tickets: none can be resumed.
    func makeContext() throws(IdentityError) -> NIOSSLContext {
        var configuration = TLSConfiguration.makeServerConfigurationWithMTLS(
            certificateChain: [.certificate(certificate)], privateKey: .privateKey(key), trustRoots: .certificates([]))
        configuration.minimumTLSVersion = .tlsv13
        configuration.maximumTLSVersion = .tlsv13
        configuration.certificateVerification = .noHostnameVerification
        let algorithms: [SignatureAlgorithm] = [.ecdsaSecp256R1Sha256, .ed25519]
        configuration.verifySignatureAlgorithms = algorithms
        configuration.signingSignatureAlgorithms = algorithms
        configuration.shutdownTimeout = .nanoseconds(1)
        do {
            return try NIOSSLContext(configuration: configuration)
        } catch {
            CryptoLibrary.forgetErrors()
            throw .unusable("\(error)")
        }
    }

    /// The fingerprint of the key in a certificate; nil where that is no key, for which `extractPublicKey` would trap.
    static func fingerprint(of certificate: NIOSSLCertificate) -> Fingerprint? {
        (try? certificate.toDERBytes()).flatMap(CryptoLibrary.fingerprint(ofCertificate:))
    }
}
