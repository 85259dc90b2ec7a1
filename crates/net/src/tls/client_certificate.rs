//! Client certificates for SASL EXTERNAL (XEP-0178): asked for, never demanded; judged after the handshake.
//! A certificate that proves nothing is as good as none, so that a wrong one never keeps a client from its password.

use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{WebPkiSupportedAlgorithms, aws_lc_rs};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, UnixTime};

/// Most certificates of a chain, and most bytes of them: the connection keeps them for as long as it lasts.
const CHAIN_MAX: usize = 8;
const CHAIN_BYTES_MAX: usize = 32 * 1024;

/// Refuses a chain that is too long to be kept.
pub(super) fn refuse_long(leaf: &CertificateDer<'_>, between: &[CertificateDer<'_>]) -> Result<(), Error> {
    let bytes: usize = between.iter().chain([leaf]).map(|certificate| certificate.len()).sum();
    if between.len() >= CHAIN_MAX || bytes > CHAIN_BYTES_MAX {
        return Err(Error::General("a chain that is too long".to_owned()));
    }
    Ok(())
}

/// Takes any certificate in the handshake, checking only that the client has its key; trust is judged by [`Judge::trusts`].
#[derive(Debug)]
pub(super) struct Judge {
    /// None where nobody's signature is trusted: what accounts have stored counts all the same.
    trusted: Option<Arc<dyn ClientCertVerifier>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Judge {
    /// Loads those who sign client certificates, if anybody does.
    pub(super) fn load(ca: Option<&Path>) -> Result<Arc<Judge>, String> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let algorithms = provider.signature_verification_algorithms;
        let Some(ca) = ca else { return Ok(Arc::new(Judge { trusted: None, algorithms })) };
        let mut roots = RootCertStore::empty();
        let certificates = CertificateDer::pem_file_iter(ca).map_err(|error| error.to_string())?;
        for certificate in certificates {
            let certificate = certificate.map_err(|error| error.to_string())?;
            roots.add(certificate).map_err(|error| error.to_string())?;
        }
        let trusted = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
            .build()
            .map_err(|error| error.to_string())?;
        Ok(Arc::new(Judge { trusted: Some(trusted), algorithms }))
    }

    /// Whether the chain that a client has shown leads to one of the signers now.
    pub(super) fn trusts(&self, chain: &[CertificateDer<'_>]) -> bool {
        let (Some(trusted), Some((leaf, between))) = (&self.trusted, chain.split_first()) else { return false };
        trusted.verify_client_cert(leaf, between, UnixTime::now()).is_ok()
    }
}

impl ClientCertVerifier for Judge {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    /// None: a client that was told of signers would not show a certificate that it has signed itself.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        refuse_long(leaf, between)?;
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
