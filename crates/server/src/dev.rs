//! The development mode's own certificates: an authority that lives in the data folder, and what it signs.
//! Called by the development mode at start, and by tests for client certificates (RFC 6120 section 13.7.1.2). Nobody trusts the
//! authority until somebody imports `ca.pem`, and its key never leaves the folder.

mod authority;
mod files;
mod mode;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

pub use authority::{Authority, Issued};
pub use files::{FileError, Pair};
pub use mode::{accounts, presets, program, welcome};

/// The development mode's own domain.
const DOMAIN: &str = "localhost";
/// How long before its end a certificate is replaced.
const RENEW_BEFORE: Duration = Duration::from_secs(30 * 86_400);

/// The files a server offers TLS with, and the authority a client has to trust for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The authority's certificate in PEM, for clients.
    pub ca: PathBuf,
    /// The server's certificate in PEM.
    pub certificate: PathBuf,
    /// Its key in PEM, readable by its owner alone.
    pub key: PathBuf,
}

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum DevError {
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The domain cannot stand in a certificate: it is not ASCII.
    #[error("the domain {0} cannot stand in a certificate of the development mode")]
    Domain(String),
    /// The authority's files are not what this server wrote.
    #[error("{0} is damaged: remove ca.pem and ca.key there, and import the new ca.pem into your clients")]
    Damaged(PathBuf),
    /// A key or a certificate could not be made.
    #[error("cannot make a certificate: {0}")]
    Make(#[from] rcgen::Error),
}

/// Makes sure that `data` holds an authority and a certificate for `domains` and the loopback addresses, and names the files.
///
/// The authority is made once and kept. The certificate is made again when it ends within 30 days, when the domains have
/// changed, or when its files do not fit the authority or each other. Blocking; a few milliseconds when something is made.
pub fn ensure(data: &Path, domains: &[String]) -> Result<CertificateFiles, DevError> {
    ensure_at(data, domains, SystemTime::now())
}

/// The same for one domain, in files of its own; what [`ensure`] has made for it alone is taken.
///
/// The file is named after the domain as it stands in the DNS. An IP address is named as such in the certificate.
pub fn ensure_for(data: &Path, domain: &str) -> Result<CertificateFiles, DevError> {
    if domain == DOMAIN {
        return ensure(data, &[DOMAIN.to_owned()]);
    }
    let wrong = || DevError::Domain(domain.to_owned());
    let address = domain.trim_matches(['[', ']']).parse::<IpAddr>().ok();
    let name = match address {
        Some(address) => address.to_string().replace(':', "-"),
        None => idna::domain_to_ascii(domain).map_err(|_| wrong())?,
    };
    let folder = data.join("domains");
    files::make_folder(&folder)?;
    let authority = Authority::open(data, SystemTime::now())?;
    let pair = Pair::new(folder.join(format!("{name}.pem")), folder.join(format!("{name}.key")));
    let domains: Vec<_> = address.is_none().then(|| name.clone()).into_iter().collect();
    if !authority.still_holds(&pair, &domains, SystemTime::now() + RENEW_BEFORE) {
        let issued = authority.issue_server(&domains, address.as_slice(), SystemTime::now())?;
        pair.write(&issued.certificate_pem, &issued.key_pem)?;
    }
    Ok(CertificateFiles { ca: authority.certificate_path().to_owned(), certificate: pair.certificate, key: pair.key })
}

fn ensure_at(data: &Path, domains: &[String], now: SystemTime) -> Result<CertificateFiles, DevError> {
    files::make_folder(data)?;
    let authority = Authority::open(data, now)?;
    let pair = Pair::new(data.join("certificate.pem"), data.join("certificate.key"));
    if !authority.still_holds(&pair, domains, now + RENEW_BEFORE) {
        let issued = authority.issue_server(domains, &loopback(), now)?;
        pair.write(&issued.certificate_pem, &issued.key_pem)?;
    }
    Ok(CertificateFiles { ca: authority.certificate_path().to_owned(), certificate: pair.certificate, key: pair.key })
}

fn loopback() -> [IpAddr; 2] {
    [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

    use super::*;

    fn domains(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn read(path: &Path) -> String {
        std::fs::read_to_string(path).unwrap()
    }

    fn der(pem: &str) -> Vec<u8> {
        x509_parser::pem::parse_x509_pem(pem.as_bytes()).unwrap().1.contents
    }

    #[test]
    fn the_second_start_changes_nothing() {
        let data = tempfile::tempdir().unwrap();
        let first = ensure(data.path(), &domains(&["localhost"])).unwrap();
        let before = [read(&first.ca), read(&first.certificate), read(&first.key)];
        let second = ensure(data.path(), &domains(&["localhost"])).unwrap();
        assert_eq!(first, second);
        assert_eq!(before, [read(&second.ca), read(&second.certificate), read(&second.key)]);
    }

    #[test]
    fn keys_are_readable_by_their_owner_alone() {
        let data = tempfile::tempdir().unwrap();
        let files = ensure(data.path(), &domains(&["localhost"])).unwrap();
        for key in [files.key, data.path().join("ca.key")] {
            assert_eq!(std::fs::metadata(key).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn the_certificate_names_the_domains_and_the_loopback_addresses() {
        let data = tempfile::tempdir().unwrap();
        let files = ensure(data.path(), &domains(&["localhost", "chat.example"])).unwrap();
        let der = der(&read(&files.certificate));
        let (_, certificate) = X509Certificate::from_der(&der).unwrap();
        let names = &certificate.subject_alternative_name().unwrap().unwrap().value.general_names;
        let v6: &[u8] = &Ipv6Addr::LOCALHOST.octets();
        let expected = [
            GeneralName::DNSName("localhost"),
            GeneralName::DNSName("chat.example"),
            GeneralName::IPAddress(&[127, 0, 0, 1]),
            GeneralName::IPAddress(v6),
        ];
        assert_eq!(names, &expected);
        assert!(!certificate.is_ca());
    }

    #[test]
    fn other_domains_get_another_certificate_from_the_same_authority() {
        let data = tempfile::tempdir().unwrap();
        let files = ensure(data.path(), &domains(&["localhost"])).unwrap();
        let (ca, certificate) = (read(&files.ca), read(&files.certificate));
        ensure(data.path(), &domains(&["localhost", "chat.example"])).unwrap();
        assert_eq!(ca, read(&files.ca));
        assert_ne!(certificate, read(&files.certificate));
    }

    #[test]
    fn a_certificate_near_its_end_is_renewed() {
        let data = tempfile::tempdir().unwrap();
        let names = domains(&["localhost"]);
        let files = ensure(data.path(), &names).unwrap();
        let certificate = read(&files.certificate);
        let day = Duration::from_secs(86_400);
        ensure_at(data.path(), &names, SystemTime::now() + day * 300).unwrap();
        assert_eq!(certificate, read(&files.certificate));
        ensure_at(data.path(), &names, SystemTime::now() + day * 350).unwrap();
        assert_ne!(certificate, read(&files.certificate));
    }

    #[test]
    fn a_key_of_another_certificate_is_noticed_and_both_are_made_again() {
        let data = tempfile::tempdir().unwrap();
        let other = tempfile::tempdir().unwrap();
        let names = domains(&["localhost"]);
        let files = ensure(data.path(), &names).unwrap();
        let foreign = ensure(other.path(), &names).unwrap();
        std::fs::copy(&foreign.key, &files.key).unwrap();
        let certificate = read(&files.certificate);
        ensure(data.path(), &names).unwrap();
        assert_ne!(certificate, read(&files.certificate));
    }

    #[test]
    fn a_certificate_of_another_authority_is_made_again() {
        let data = tempfile::tempdir().unwrap();
        let names = domains(&["localhost"]);
        let files = ensure(data.path(), &names).unwrap();
        let certificate = read(&files.certificate);
        std::fs::remove_file(&files.ca).unwrap();
        std::fs::remove_file(data.path().join("ca.key")).unwrap();
        ensure(data.path(), &names).unwrap();
        assert_ne!(certificate, read(&files.certificate));
    }

    #[test]
    fn a_damaged_authority_is_an_error_and_not_replaced() {
        let data = tempfile::tempdir().unwrap();
        let names = domains(&["localhost"]);
        let files = ensure(data.path(), &names).unwrap();
        std::fs::write(&files.ca, "nonsense").unwrap();
        assert!(matches!(ensure(data.path(), &names), Err(DevError::Damaged(path)) if path == data.path()));
        assert_eq!(read(&files.ca), "nonsense");
    }

    #[test]
    fn half_an_authority_is_an_error_and_not_replaced() {
        let data = tempfile::tempdir().unwrap();
        let names = domains(&["localhost"]);
        ensure(data.path(), &names).unwrap();
        std::fs::remove_file(data.path().join("ca.key")).unwrap();
        assert!(matches!(ensure(data.path(), &names), Err(DevError::Damaged(_))));
    }

    #[test]
    fn a_client_certificate_names_its_account_as_xmpp_address() {
        let data = tempfile::tempdir().unwrap();
        ensure(data.path(), &domains(&["localhost"])).unwrap();
        let authority = Authority::open(data.path(), SystemTime::now()).unwrap();
        let issued = authority.issue_client("alice@localhost", SystemTime::now()).unwrap();
        let der = der(&issued.certificate_pem);
        let (_, certificate) = X509Certificate::from_der(&der).unwrap();
        let names = &certificate.subject_alternative_name().unwrap().unwrap().value.general_names;
        let GeneralName::OtherName(oid, value) = &names[0] else { panic!("an other name: {names:?}") };
        assert_eq!(oid.to_id_string(), "1.3.6.1.5.5.7.8.5");
        // [0] EXPLICIT UTF8String
        assert_eq!(value, b"\xa0\x11\x0c\x0falice@localhost");
        assert!(certificate.extended_key_usage().unwrap().unwrap().value.client_auth);
    }

    #[test]
    fn a_domain_has_files_of_its_own_named_as_in_the_dns() {
        let data = tempfile::tempdir().unwrap();
        for (domain, file) in [
            ("chat.example", "chat.example.pem"),
            ("m\u{fc}ller.example", "xn--mller-kva.example.pem"),
            ("[2001:db8::1]", "2001-db8--1.pem"),
            ("192.0.2.1", "192.0.2.1.pem"),
        ] {
            let files = ensure_for(data.path(), domain).unwrap();
            assert_eq!(files.certificate, data.path().join("domains").join(file));
            let before = read(&files.certificate);
            assert_eq!(read(&ensure_for(data.path(), domain).unwrap().certificate), before);
        }
        let own = ensure(data.path(), &domains(&["localhost"])).unwrap();
        assert_eq!(ensure_for(data.path(), "localhost").unwrap(), own);
    }

    #[test]
    fn a_domain_outside_ascii_is_named_in_the_error() {
        let data = tempfile::tempdir().unwrap();
        let wrong = ensure(data.path(), &domains(&["müller.example"])).unwrap_err();
        let message = "the domain müller.example cannot stand in a certificate of the development mode";
        assert_eq!(wrong.to_string(), message);
    }
}
