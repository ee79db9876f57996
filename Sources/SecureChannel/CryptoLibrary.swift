// SPDX-License-Identifier: Apache-2.0

// The library under NIOSSL. Its package offers no product of that name, but a second copy of it (swift-crypto) would
// double what has to be built and to be trusted; `docs/dependencies.md` weighs it.
internal import CNIOBoringSSL
public import Primitives

/// Keys, certificates and digests, as the library under TLS makes them.
public enum CryptoLibrary {
    /// Makes a P-256 key and a certificate that it signs itself, both in PEM form, and tells the key's fingerprint.
    ///
    /// The certificate names nobody and is valid from 1970 to 9999, for nobody looks at that.
    public static func makeIdentity() throws(IdentityError) -> (pem: [UInt8], fingerprint: Fingerprint) {
        try makeIdentity(Envelope())
    }

    /// What a certificate says that nobody reads.
    struct Envelope {
        var name = "havpn"
        /// UTCTime or GeneralizedTime (RFC 5280 §4.1.2.5).
        var validFrom = "700101000000Z"
        var validTo = "99991231235959Z"
        /// A PEM text with the key to use instead of a new one.
        var key: [UInt8]?
    }

    static func makeIdentity(
        _ envelope: Envelope
    ) throws(IdentityError) -> (pem: [UInt8], fingerprint: Fingerprint) {
        defer { forgetErrors() }
        let known = envelope.key.flatMap { pem in
            MemoryBuffer.read(pem) { PEM_read_bio_PrivateKey($0, nil, nil, nil) }
        }
        guard let key = known ?? makeKey() else { throw .notMade }
        defer { EVP_PKEY_free(key) }
        guard let certificate = makeCertificate(key, envelope) else { throw .notMade }
        defer { X509_free(certificate) }
        let written = MemoryBuffer.bytes { buffer in
            PEM_write_bio_PrivateKey(buffer, key, nil, nil, 0, nil, nil) == 1
                && PEM_write_bio_X509(buffer, certificate) == 1
        }
        guard let pem = written, let fingerprint = fingerprint(of: key) else { throw .notMade }
        return (pem, fingerprint)
    }

    /// The fingerprint of the first certificate of a PEM text, or of its private or public key.
    public static func fingerprint(ofPEM pem: [UInt8]) throws(IdentityError) -> Fingerprint {
        defer { forgetErrors() }
        let key =
            MemoryBuffer.read(pem) { buffer in
                guard let certificate = PEM_read_bio_X509(buffer, nil, nil, nil) else { return nil }
                defer { X509_free(certificate) }
                return X509_get_pubkey(certificate)
            } ?? MemoryBuffer.read(pem) { PEM_read_bio_PrivateKey($0, nil, nil, nil) }
            ?? MemoryBuffer.read(pem) { PEM_read_bio_PUBKEY($0, nil, nil, nil) }
        guard let key else { throw .nothing }
        defer { EVP_PKEY_free(key) }
        guard let fingerprint = fingerprint(of: key) else { throw .nothing }
        return fingerprint
    }

    /// The fingerprint of the key in a certificate in DER; nil where it holds none.
    static func fingerprint(ofCertificate bytes: [UInt8]) -> Fingerprint? {
        defer { forgetErrors() }
        let certificate = MemoryBuffer.read(bytes) { d2i_X509_bio($0, nil) }
        guard let certificate else { return nil }
        defer { X509_free(certificate) }
        guard let key = X509_get_pubkey(certificate) else { return nil }
        defer { EVP_PKEY_free(key) }
        return fingerprint(of: key)
    }

    /// The digest of a SubjectPublicKeyInfo in DER.
    private static func fingerprint(ofPublicKey information: [UInt8]) -> Fingerprint? {
        var digest = [UInt8](repeating: 0, count: Fingerprint.byteCount)
        SHA256(information, information.count, &digest)
        return Fingerprint(bytes: digest)
    }

    /// Empties the list of what went wrong, which would else stand in the next report of TLS.
    static func forgetErrors() { ERR_clear_error() }

    private static func fingerprint(of key: OpaquePointer) -> Fingerprint? {
        MemoryBuffer.bytes { i2d_PUBKEY_bio($0, key) == 1 }.flatMap(fingerprint(ofPublicKey:))
    }

    private static func makeKey() -> OpaquePointer? {
        guard let curve = EC_KEY_new_by_curve_name(NID_X9_62_prime256v1) else { return nil }
        defer { EC_KEY_free(curve) }
        guard EC_KEY_generate_key(curve) == 1, let key = EVP_PKEY_new() else { return nil }
        guard EVP_PKEY_set1_EC_KEY(key, curve) == 1 else {
            EVP_PKEY_free(key)
            return nil
        }
        return key
    }

    private static func makeCertificate(_ key: OpaquePointer, _ envelope: Envelope) -> OpaquePointer? {
        guard let certificate = X509_new() else { return nil }
        let name = X509_get_subject_name(certificate)
        let serial = X509_get_serialNumber(certificate)
        let isMade =
            X509_set_version(certificate, 2) == 1  // X509v3
            && ASN1_INTEGER_set_uint64(serial, .random(in: 1 ... .max)) == 1
            && X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, envelope.name, -1, -1, 0) == 1
            && X509_set_issuer_name(certificate, name) == 1
            && ASN1_TIME_set_string(X509_getm_notBefore(certificate), envelope.validFrom) == 1
            && ASN1_TIME_set_string(X509_getm_notAfter(certificate), envelope.validTo) == 1
            && X509_set_pubkey(certificate, key) == 1
            && X509_sign(certificate, key, EVP_sha256()) > 0
        guard isMade else {
            X509_free(certificate)
            return nil
        }
        return certificate
    }
}

/// Bytes that the library reads or writes; it erases what it held.
private enum MemoryBuffer {
    typealias Buffer = OpaquePointer

    /// What `write` wrote; nil if it says that it could not.
    static func bytes(_ write: (Buffer) -> Bool) -> [UInt8]? {
        guard let buffer = BIO_new(BIO_s_mem()) else { return nil }
        defer { BIO_free(buffer) }
        guard write(buffer) else { return nil }
        var bytes = [UInt8](repeating: 0, count: BIO_pending(buffer))
        let count = BIO_read(buffer, &bytes, CInt(bytes.count))
        return count == bytes.count ? bytes : nil
    }

    /// Lets `read` read.
    static func read<Result>(_ bytes: [UInt8], _ read: (Buffer) -> Result?) -> Result? {
        guard let buffer = BIO_new_mem_buf(bytes, bytes.count) else { return nil }
        defer { BIO_free(buffer) }
        return read(buffer)
    }
}
