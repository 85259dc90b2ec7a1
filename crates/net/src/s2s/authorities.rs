//! Whose word counts about other servers' certificates: authorities of the system, and those of the configuration. Whether a certificate may
//! also be used by clients does not matter, since public authorities sign for servers only. A reload reads them again.

use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;
use metronome_host::certificates::Leaf;
use metronome_host::options::Values;
use rustls::RootCertStore;
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::{WebPkiSupportedAlgorithms, aws_lc_rs};
use rustls::server::ParsedCertificate;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, UnixTime};

use super::CA;
use super::external::{Shown, TRUSTED};
use crate::tls::names;

/// Where systems keep the certificates of the authorities that they trust; the first one that is there counts.
const SYSTEM: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// The authorities whose word counts, as they are now.
#[derive(Debug)]
pub struct Authorities(ArcSwap<Trust>);

/// Those that were read at one time.
#[derive(Debug)]
pub struct Trust {
    roots: RootCertStore,
    algorithms: WebPkiSupportedAlgorithms,
    /// Of the administrator's own file, without what is not a certificate.
    own: Vec<CertificateDer<'static>>,
}

/// A file with authorities that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("federation.ca: {file}: {reason}")]
pub struct CannotTrust {
    /// The file.
    pub file: String,
    /// What is wrong with it.
    pub reason: String,
}

impl Authorities {
    /// Those of now.
    pub fn load(values: &Values) -> Result<Authorities, CannotTrust> {
        Ok(Authorities(ArcSwap::from_pointee(Trust::read(values)?)))
    }

    /// From now on these count, for new streams. Tells whether others are in the administrator's file than before.
    pub fn put(&self, trust: Trust) -> Own {
        let trust = Arc::new(trust);
        let earlier = self.0.swap(trust.clone());
        if earlier.own == trust.own { Own::Same } else { Own::Others }
    }

    /// What a chain proves now, leaf first.
    pub(super) fn judge(&self, chain: &[CertificateDer<'_>]) -> Shown {
        self.0.load().judge(chain)
    }
}

/// What has become of the authorities of the configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Own {
    /// They are the same.
    Same,
    /// They are not.
    Others,
}

impl Trust {
    /// Those of the system, and those of the configuration. What cannot be read of the system's is left out; the administrator's own
    /// file must be right.
    pub fn read(values: &Values) -> Result<Trust, CannotTrust> {
        let (mut roots, mut own) = (RootCertStore::empty(), Vec::new());
        if let Some(system) = SYSTEM.iter().find(|file| Path::new(file).exists()) {
            let certificates = CertificateDer::pem_file_iter(system).into_iter().flatten().flatten();
            roots.add_parsable_certificates(certificates);
        }
        if let Some(file) = values.path(&CA) {
            let wrong = |reason: String| CannotTrust { file: file.display().to_string(), reason };
            for certificate in CertificateDer::pem_file_iter(file).map_err(|error| wrong(error.to_string()))? {
                let certificate = certificate.map_err(|error| wrong(error.to_string()))?;
                roots.add(certificate.clone()).map_err(|error| wrong(error.to_string()))?;
                own.push(certificate);
            }
            if own.is_empty() {
                return Err(wrong("there is no certificate in it".to_owned()));
            }
        }
        Ok(Trust { own, ..Trust::of(roots) })
    }

    pub(super) fn of(roots: RootCertStore) -> Trust {
        let algorithms = aws_lc_rs::default_provider().signature_verification_algorithms;
        Trust { roots, algorithms, own: Vec::new() }
    }

    /// What a chain proves now, leaf first.
    pub(super) fn judge(&self, chain: &[CertificateDer<'_>]) -> Shown {
        match self.certified(chain, UnixTime::now()) {
            Ok(shown) => shown,
            Err(why) => Shown { why, ..Shown::default() },
        }
    }

    pub(super) fn certified(&self, chain: &[CertificateDer<'_>], now: UnixTime) -> Result<Shown, &'static str> {
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
