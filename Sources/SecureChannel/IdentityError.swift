// SPDX-License-Identifier: Apache-2.0

/// Why an identity cannot be used.
public enum IdentityError: Error, Hashable, Sendable, CustomStringConvertible {
    /// There is no private key in PEM form, or one that needs a password.
    case noKey
    /// There is no certificate in PEM form.
    case noCertificate
    /// There is neither a key nor a certificate in PEM form.
    case nothing
    /// TLS does not take them: they do not belong together, or the key is of a kind that it does not know.
    case unusable(String)
    /// The library could not make one.
    case notMade

    /// A clause for logs that says what to do.
    public var description: String {
        switch self {
        case .noKey: "holds no private key without a password; `havpnctl keygen` makes one"
        case .noCertificate: "holds no certificate; `havpnctl keygen` makes one with its key"
        case .nothing: "holds neither a private key nor a certificate in PEM form"
        case .unusable(let text):
            "holds a key and a certificate that TLS cannot use: they do not belong together, or are of a kind that it "
                + "does not know (\(text))"
        case .notMade: "the library made no key"
        }
    }
}
