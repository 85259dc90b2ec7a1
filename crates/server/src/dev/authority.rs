//! The authority: made once, opened later, and the certificates it issues (ECDSA P-256).

use std::net::IpAddr;
use std::path::Path;
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, OtherNameValue, PKCS_ECDSA_P256_SHA256, PublicKeyData, SanType,
};
use x509_parser::extensions::ParsedExtension;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use super::DevError;
use super::files::Pair;

const DAY: Duration = Duration::from_secs(86_400);
/// Clients refuse server certificates that hold longer than 398 days.
const LEAF_DAYS: u32 = 365;
const AUTHORITY_DAYS: u32 = 3650;

/// The object identifier id-on-xmppAddr (RFC 6120 section 13.7.1.4).
const XMPP_ADDR: &[u64] = &[1, 3, 6, 1, 5, 5, 7, 8, 5];

/// A certificate authority with its key.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate_pem: String,
    files: Pair,
}

/// A certificate that was just made, and its key. The key is wiped by nobody: it is for development.
#[derive(Clone)]
pub struct Issued {
    /// The certificate in PEM.
    pub certificate_pem: String,
    /// Its key in PEM (PKCS #8).
    pub key_pem: String,
}

impl Authority {
    /// Opens the authority of a folder, or makes it; `now` is when it begins to hold.
    pub fn open(data: &Path, now: SystemTime) -> Result<Self, DevError> {
        let files = Pair::new(data.join("ca.pem"), data.join("ca.key"));
        let damaged = || DevError::Damaged(data.to_owned());
        // Half of it is no better than a damaged one, and replacing it would break what people have imported.
        if files.certificate.exists() != files.key.exists() {
            return Err(damaged());
        }
        let Some((certificate_pem, key_pem)) = files.read()? else { return Self::make(files, now) };
        let key = KeyPair::from_pem(&key_pem).map_err(|_| damaged())?;
        if !is_key_of(&key, &certificate_pem) {
            return Err(damaged());
        }
        let issuer = Issuer::from_ca_cert_pem(&certificate_pem, key).map_err(|_| damaged())?;
        Ok(Self { issuer, certificate_pem, files })
    }

    fn make(files: Pair, now: SystemTime) -> Result<Self, DevError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut params = params("Metronome development authority", now, AUTHORITY_DAYS);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate_pem = params.self_signed(&key)?.pem();
        files.write(&certificate_pem, &key.serialize_pem())?;
        Ok(Self { issuer: Issuer::new(params, key), certificate_pem, files })
    }

    pub(super) fn certificate_path(&self) -> &Path {
        &self.files.certificate
    }

    /// A certificate for a server with these names and addresses.
    pub fn issue_server(&self, domains: &[String], addresses: &[IpAddr], now: SystemTime) -> Result<Issued, DevError> {
        let mut params = params(domains.first().map_or("localhost", String::as_str), now, LEAF_DAYS);
        for domain in domains {
            let name = domain.as_str().try_into().map_err(|_| DevError::Domain(domain.clone()))?;
            params.subject_alt_names.push(SanType::DnsName(name));
        }
        params.subject_alt_names.extend(addresses.iter().copied().map(SanType::IpAddress));
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.issue(params)
    }

    /// A certificate for a client that logs in as `address` with SASL EXTERNAL (XEP-0178).
    pub fn issue_client(&self, address: &str, now: SystemTime) -> Result<Issued, DevError> {
        let mut params = params(address, now, LEAF_DAYS);
        let name = SanType::OtherName((XMPP_ADDR.to_vec(), OtherNameValue::Utf8String(address.to_owned())));
        params.subject_alt_names.push(name);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.issue(params)
    }

    fn issue(&self, mut params: CertificateParams) -> Result<Issued, DevError> {
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok(Issued { certificate_pem: certificate.pem(), key_pem: key.serialize_pem() })
    }

    /// Whether a certificate on disk is ours, has its key, names these domains and holds until `until`.
    pub(super) fn still_holds(&self, pair: &Pair, domains: &[String], until: SystemTime) -> bool {
        let Ok(Some((certificate_pem, key_pem))) = pair.read() else { return false };
        let Ok(key) = KeyPair::from_pem(&key_pem) else { return false };
        is_key_of(&key, &certificate_pem)
            && with_certificate(&certificate_pem, |certificate| {
                let ends = u64::try_from(certificate.validity().not_after.timestamp()).unwrap_or(0);
                dns_names(certificate) == *domains && SystemTime::UNIX_EPOCH + Duration::from_secs(ends) > until
            })
            && self.has_issued(&certificate_pem)
    }

    /// By key identifier: the file is our own, so this finds a replaced authority and not a forger.
    fn has_issued(&self, certificate_pem: &str) -> bool {
        let mut ours = None;
        with_certificate(&self.certificate_pem, |certificate| {
            ours = extension(certificate, |parsed| match parsed {
                ParsedExtension::SubjectKeyIdentifier(id) => Some(id.0.to_vec()),
                _ => None,
            });
            true
        });
        with_certificate(certificate_pem, |certificate| {
            let signer = extension(certificate, |parsed| match parsed {
                ParsedExtension::AuthorityKeyIdentifier(id) => id.key_identifier.as_ref().map(|id| id.0.to_vec()),
                _ => None,
            });
            signer.is_some() && signer == ours
        })
    }
}

fn params(name: &str, now: SystemTime, days: u32) -> CertificateParams {
    let since_epoch = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let today = rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(since_epoch.as_secs());
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    // Clocks differ: a client that is some hours behind would refuse a certificate of this minute.
    params.not_before = today - DAY;
    params.not_after = today + DAY * days;
    params
}

fn is_key_of(key: &KeyPair, certificate_pem: &str) -> bool {
    let public = key.subject_public_key_info();
    with_certificate(certificate_pem, |certificate| certificate.public_key().raw == public.as_slice())
}

/// Applies a test to a certificate; `false` if it cannot be parsed.
fn with_certificate(pem: &str, test: impl FnOnce(&X509Certificate<'_>) -> bool) -> bool {
    let Ok((_, pem)) = x509_parser::pem::parse_x509_pem(pem.as_bytes()) else { return false };
    X509Certificate::from_der(&pem.contents).is_ok_and(|(_, certificate)| test(&certificate))
}

fn extension<T>(certificate: &X509Certificate<'_>, read: impl Fn(&ParsedExtension<'_>) -> Option<T>) -> Option<T> {
    certificate.extensions().iter().find_map(|extension| read(extension.parsed_extension()))
}

fn dns_names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(names)) = certificate.subject_alternative_name() else { return Vec::new() };
    let dns = names.value.general_names.iter().filter_map(|name| match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        _ => None,
    });
    dns.collect()
}
