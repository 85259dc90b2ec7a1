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
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::{FromDer, X509Certificate};

/// id-on-xmppAddr (RFC 6120 section 13.7.1.4).
const XMPP_ADDR: &str = "1.3.6.1.5.5.7.8.5";

/// Takes any certificate in the handshake, checking only that the client has its key; trust is judged by [`Judge::trusts`].
#[derive(Debug)]
pub(super) struct Judge {
    trusted: Arc<dyn ClientCertVerifier>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Judge {
    /// Loads those who sign client certificates.
    pub(super) fn load(ca: &Path) -> Result<Arc<Judge>, String> {
        let mut roots = RootCertStore::empty();
        let certificates = CertificateDer::pem_file_iter(ca).map_err(|error| error.to_string())?;
        for certificate in certificates {
            let certificate = certificate.map_err(|error| error.to_string())?;
            roots.add(certificate).map_err(|error| error.to_string())?;
        }
        let provider = Arc::new(aws_lc_rs::default_provider());
        let algorithms = provider.signature_verification_algorithms;
        let trusted = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
            .build()
            .map_err(|error| error.to_string())?;
        Ok(Arc::new(Judge { trusted, algorithms }))
    }

    /// Whether the chain that a client has shown leads to one of the signers now.
    pub(super) fn trusts(&self, chain: &[CertificateDer<'_>]) -> bool {
        chain
            .split_first()
            .is_some_and(|(leaf, between)| self.trusted.verify_client_cert(leaf, between, UnixTime::now()).is_ok())
    }
}

/// The addresses in a certificate's xmppAddr names, as they are written there.
pub(crate) fn addresses(leaf: &CertificateDer<'_>) -> Vec<String> {
    let Ok((_, certificate)) = X509Certificate::from_der(leaf) else { return Vec::new() };
    let names = certificate.extensions().iter().filter_map(|extension| match extension.parsed_extension() {
        ParsedExtension::SubjectAlternativeName(names) => Some(&names.general_names),
        _ => None,
    });
    names
        .flatten()
        .filter_map(|name| match name {
            GeneralName::OtherName(oid, value) if oid.to_id_string() == XMPP_ADDR => string(value, UTF8),
            _ => None,
        })
        .collect()
}

/// The tag of a UTF8String.
const UTF8: u8 = 0x0c;
/// The tag of an IA5String.
pub(super) const IA5: u8 = 0x16;

/// The text of `[0] EXPLICIT` and a string: two tags, each with a length of one byte or of two behind `0x81`.
pub(super) fn string(tagged: &[u8], tag: u8) -> Option<String> {
    let inner = unwrap(tagged, 0xa0)?;
    let text = unwrap(inner, tag)?;
    String::from_utf8(text.to_vec()).ok()
}

fn unwrap(bytes: &[u8], tag: u8) -> Option<&[u8]> {
    let (&first, rest) = bytes.split_first()?;
    let (&length, rest) = rest.split_first()?;
    if first != tag {
        return None;
    }
    let (length, rest) = match length {
        0..=0x7f => (length as usize, rest),
        0x81 => rest.split_first().map(|(&length, rest)| (length as usize, rest))?,
        0x82 => {
            let (length, rest) = rest.split_first_chunk::<2>()?;
            (usize::from(u16::from_be_bytes(*length)), rest)
        }
        _ => return None,
    };
    (rest.len() == length).then_some(rest)
}

impl ClientCertVerifier for Judge {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.trusted.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        _leaf: &CertificateDer<'_>,
        _between: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_unwrapped_twice_and_nothing_may_follow_it() {
        assert_eq!(string(b"\xa0\x05\x0c\x03a@b", UTF8).as_deref(), Some("a@b"));
        assert_eq!(string(b"\xa0\x05\x16\x03a@b", IA5).as_deref(), Some("a@b"));
        for wrong in [&b"\xa0\x05\x0c\x03a@bc"[..], b"\xa0\x05\x0c\x02a@b", b"\x0c\x03a@b", b"\xa0", b""] {
            assert_eq!(string(wrong, UTF8), None);
        }
    }
}
