//! The generator's side of TLS: one version, one suite, one key exchange for every server that is compared.
//! Called by `connect`. It accepts any certificate and never resumes a session.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use clap::ValueEnum;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WantsClientCert};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::{ClientConfig, ConfigBuilder, DigitallySignedStruct, Error, SignatureScheme, version};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use tokio_rustls::TlsConnector;

/// The one suite that is offered, so that all servers encrypt alike.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Suite {
    /// TLS_AES_128_GCM_SHA256
    #[value(name = "TLS_AES_128_GCM_SHA256")]
    Aes128,
    /// TLS_AES_256_GCM_SHA384
    #[value(name = "TLS_AES_256_GCM_SHA384")]
    Aes256,
}

/// A connector for TLS 1.3 with `suite` and X25519, with `alpn` if it is not empty.
pub(crate) fn connector(suite: Suite, alpn: &[u8]) -> Result<TlsConnector> {
    Ok(finished(builder(suite)?.with_no_client_auth(), alpn))
}

/// As `connector`, for a server that connects to another: it shows a certificate. Fails if a file cannot be read.
pub(crate) fn connector_with_certificate(suite: Suite, certificate: &Path, key: &Path) -> Result<TlsConnector> {
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .with_context(|| format!("no certificate in {}", certificate.display()))?;
    let secret = PrivateKeyDer::from_pem_file(key).with_context(|| format!("no key in {}", key.display()))?;
    Ok(finished(builder(suite)?.with_client_auth_cert(chain, secret)?, b"xmpp-server"))
}

fn builder(suite: Suite) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>> {
    let suite = match suite {
        Suite::Aes128 => aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256,
        Suite::Aes256 => aws_lc_rs::cipher_suite::TLS13_AES_256_GCM_SHA384,
    };
    let provider = Arc::new(CryptoProvider {
        cipher_suites: vec![suite],
        kx_groups: vec![aws_lc_rs::kx_group::X25519],
        ..aws_lc_rs::default_provider()
    });
    Ok(ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&version::TLS13])
        .context("the suite does not fit TLS 1.3")?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider))))
}

fn finished(mut config: ClientConfig, alpn: &[u8]) -> TlsConnector {
    config.resumption = Resumption::disabled();
    if !alpn.is_empty() {
        config.alpn_protocols = vec![alpn.to_vec()];
    }
    TlsConnector::from(Arc::new(config))
}

/// Takes every certificate: what is measured is a server of our own on a test machine.
/// Signatures are still checked, so that the handshake costs what it costs a client.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("TLS 1.2 is not offered".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
