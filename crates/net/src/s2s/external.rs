//! What another server's certificate proves (XEP-0178 section 3, RFC 6120 section 13.7, RFC 9525), and SASL EXTERNAL between servers.
//! The chain must lead to an authority of the system or of the configuration; whether it may also be used by clients does not matter,
//! since public authorities sign for servers only.

use std::path::Path;

use metronome_host::certificates::Leaf;
use metronome_host::hosts::Names;
use metronome_host::options::Values;
use metronome_proto::jid::Jid;
use metronome_proto::payload::sasl::Condition;
use metronome_sasl::decode;
use rustls::RootCertStore;
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::{WebPkiSupportedAlgorithms, aws_lc_rs};
use rustls::server::ParsedCertificate;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, UnixTime};

use super::CA;
use crate::tls::names;

/// The mechanism.
pub(super) const EXTERNAL: &str = "EXTERNAL";

/// What logs say of a certificate that an authority vouches for.
const TRUSTED: &str = "trusted";

/// Where systems keep the certificates of the authorities that they trust; the first one that is there counts.
const SYSTEM: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// The authorities whose word counts.
#[derive(Debug)]
pub(super) struct Trust {
    roots: RootCertStore,
    algorithms: WebPkiSupportedAlgorithms,
}

/// A file with authorities that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{file}: {reason}")]
pub struct CannotTrust {
    /// The file.
    pub file: String,
    /// What is wrong with it.
    pub reason: String,
}

/// A certificate that another server has shown. One that nobody vouches for has no names.
#[derive(Debug, Default)]
pub(super) struct Shown {
    names: Names,
    /// Unix time in milliseconds.
    not_before_ms: u64,
    not_after_ms: u64,
    /// For logs.
    pub(super) why: &'static str,
}

impl Trust {
    /// Those of the system, and those of the configuration. What cannot be read of the system's is left out; the administrator's own
    /// file must be right.
    pub(super) fn load(values: &Values) -> Result<Trust, CannotTrust> {
        let mut roots = RootCertStore::empty();
        if let Some(system) = SYSTEM.iter().find(|file| Path::new(file).exists()) {
            let certificates = CertificateDer::pem_file_iter(system).into_iter().flatten().flatten();
            roots.add_parsable_certificates(certificates);
        }
        if let Some(file) = values.path(&CA) {
            let wrong = |reason: String| CannotTrust { file: file.display().to_string(), reason };
            let mut certificates = CertificateDer::pem_file_iter(file).map_err(|error| wrong(error.to_string()))?;
            let mut count = 0;
            certificates.try_for_each(|certificate| {
                count += 1;
                let certificate = certificate.map_err(|error| wrong(error.to_string()))?;
                roots.add(certificate).map_err(|error| wrong(error.to_string()))
            })?;
            if count == 0 {
                return Err(wrong("there is no certificate in it".to_owned()));
            }
        }
        Ok(Trust::of(roots))
    }

    fn of(roots: RootCertStore) -> Trust {
        Trust { roots, algorithms: aws_lc_rs::default_provider().signature_verification_algorithms }
    }

    /// What a chain proves now, leaf first.
    pub(super) fn judge(&self, chain: &[CertificateDer<'_>]) -> Shown {
        match self.certified(chain, UnixTime::now()) {
            Ok(shown) => shown,
            Err(why) => Shown { why, ..Shown::default() },
        }
    }

    fn certified(&self, chain: &[CertificateDer<'_>], now: UnixTime) -> Result<Shown, &'static str> {
        let (leaf, between) = chain.split_first().ok_or("no certificate")?;
        let parsed = ParsedCertificate::try_from(leaf).map_err(|_| "not a certificate")?;
        verify_server_cert_signed_by_trust_anchor(&parsed, &self.roots, between, now, self.algorithms.all)
            .map_err(|error| reason(&error))?;
        let dates = Leaf::read(leaf).ok_or("not a certificate")?;
        let unix_ms = |seconds: i64| u64::try_from(seconds).unwrap_or(0).saturating_mul(1000);
        Ok(Shown {
            names: names::of_server(leaf),
            not_before_ms: unix_ms(dates.not_before_s),
            not_after_ms: unix_ms(dates.not_after_s),
            why: TRUSTED,
        })
    }
}

fn reason(error: &rustls::Error) -> &'static str {
    use rustls::CertificateError;
    match error {
        rustls::Error::InvalidCertificate(why) => match why {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => "expired",
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => "not valid yet",
            CertificateError::UnknownIssuer => "signed by nobody who is trusted",
            CertificateError::BadSignature => "a wrong signature",
            CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => "not for servers",
            _ => "not valid",
        },
        _ => "not valid",
    }
}

impl Shown {
    #[cfg(test)]
    pub(super) fn for_test(names: &[&str], not_before_ms: u64, not_after_ms: u64) -> Shown {
        let names = Names(names.iter().map(|&name| name.into()).collect());
        Shown { names, not_before_ms, not_after_ms, why: TRUSTED }
    }

    /// Whether an authority vouches for it.
    pub(super) fn is_trusted(&self) -> bool {
        self.why == TRUSTED
    }

    /// Whether it proves this domain now, and until when: Unix time in milliseconds.
    pub(super) fn proves(&self, domain: &Jid, now_ms: u64) -> Option<u64> {
        let is_valid = (self.not_before_ms..=self.not_after_ms).contains(&now_ms);
        (is_valid && self.names.is_for(domain.as_str())).then_some(self.not_after_ms)
    }
}

/// Whether a server may be who it says it is, with what it says in SASL EXTERNAL: its data are base64 of nothing, or of the domain of its
/// stream. Answers until when its certificate proves that.
pub(super) fn judge(data: &str, from: Option<&Jid>, shown: &Shown, now_ms: u64) -> Result<u64, Condition> {
    let identity = decode(data).map_err(|_| Condition::IncorrectEncoding)?;
    let identity = std::str::from_utf8(&identity).map_err(|_| Condition::MalformedRequest)?;
    let from = from.ok_or(Condition::NotAuthorized)?;
    // Another one would be a domain that the stream was not opened for.
    if !identity.is_empty() && Jid::parse(identity).ok().as_ref() != Some(from) {
        return Err(Condition::InvalidAuthzid);
    }
    shown.proves(from, now_ms).ok_or(Condition::NotAuthorized)
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod zoo;
