//! TLS between servers, both ways. Each side shows its certificate and takes any in the handshake, checking only that the other has its
//! key: what it proves is judged afterwards (`s2s::external`), since a server without a good one may still prove itself by dialback.

use std::sync::Arc;

use metronome_host::hosts::ToServers;
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, aws_lc_rs};
use rustls::server::NoServerSessionStorage;
use rustls::{ClientConfig, DigitallySignedStruct, Error, ServerConfig, SignatureScheme};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};

use super::client_certificate::{Judge, refuse_long};

/// The protocol in ALPN (XEP-0368).
const PROTOCOL: &[u8] = b"xmpp-server";

/// For handshakes of other servers with us.
pub(super) fn incoming(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    judge: Arc<Judge>,
) -> Result<ServerConfig, Error> {
    let builder = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    let mut config = builder.with_client_cert_verifier(judge).with_single_cert(chain, key)?;
    config.alpn_protocols = vec![PROTOCOL.to_vec()];
    // Every stream shows its certificate anew: what it proved long ago is not worth the round trip.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.max_early_data_size = 0;
    Ok(config)
}

/// For our handshakes with other servers, with the certificate of one of our domains.
pub(super) fn outgoing(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Result<ToServers, Error> {
    let config = builder()?.with_client_auth_cert(chain, key)?;
    Ok(both(config))
}

/// The same for a domain that has no certificate.
pub(crate) fn outgoing_without_certificate() -> Result<ToServers, Error> {
    Ok(both(builder()?.with_no_client_auth()))
}

type Builder = rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert>;

fn builder() -> Result<Builder, Error> {
    let verifier = Arc::new(Any { algorithms: provider().signature_verification_algorithms });
    let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    Ok(builder.dangerous().with_custom_certificate_verifier(verifier))
}

fn both(mut config: ClientConfig) -> ToServers {
    config.resumption = Resumption::disabled();
    let mut direct = config.clone();
    direct.alpn_protocols = vec![PROTOCOL.to_vec()];
    ToServers { starttls: Arc::new(config), direct: Arc::new(direct) }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// Takes the certificate of any server.
#[derive(Debug)]
struct Any {
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for Any {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        refuse_long(leaf, between)?;
        Ok(ServerCertVerified::assertion())
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
