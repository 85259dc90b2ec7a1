//! `tls-server-end-point` (RFC 5929 section 4): the hash of our certificate, by the hash of its own signature.

use rustls::crypto::hash::Hash;
use rustls_pki_types::CertificateDer;
use x509_parser::prelude::{FromDer, X509Certificate};

/// The channel binding data, none where the signature defines no single hash; and the expiry in Unix seconds.
pub(super) fn read(leaf: &CertificateDer<'_>) -> Result<(Option<Vec<u8>>, i64), String> {
    let (_, certificate) = X509Certificate::from_der(leaf).map_err(|error| error.to_string())?;
    let hash = hash_of(&certificate.signature_algorithm.algorithm.to_id_string());
    let digest = hash.map(|hash| hash.hash(leaf).as_ref().to_vec());
    Ok((digest, certificate.validity().not_after.timestamp()))
}

/// The hash of a signature algorithm; MD5 and SHA-1 are replaced by SHA-256, as the RFC says.
fn hash_of(oid: &str) -> Option<&'static dyn Hash> {
    use rustls::crypto::aws_lc_rs::cipher_suite::{TLS13_AES_128_GCM_SHA256, TLS13_AES_256_GCM_SHA384};
    let sha256 = TLS13_AES_128_GCM_SHA256.tls13().map(|suite| suite.common.hash_provider);
    let sha384 = TLS13_AES_256_GCM_SHA384.tls13().map(|suite| suite.common.hash_provider);
    match oid {
        // MD5, SHA-1 and SHA-256 with RSA; SHA-1 and SHA-256 with ECDSA.
        "1.2.840.113549.1.1.4"
        | "1.2.840.113549.1.1.5"
        | "1.2.840.113549.1.1.11"
        | "1.2.840.10045.4.1"
        | "1.2.840.10045.4.3.2" => sha256,
        // SHA-384 with RSA and with ECDSA.
        "1.2.840.113549.1.1.12" | "1.2.840.10045.4.3.3" => sha384,
        // SHA-512 is not among the suites' hashes, Ed25519 has none, RSASSA-PSS names its own: no such binding then.
        _ => None,
    }
}
