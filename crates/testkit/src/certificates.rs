//! The certificates of one server: its own authority, a pair per domain, and what clients show.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use metronome_server::dev::Authority;
use rustls::RootCertStore;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// For how long what the authority signs is valid.
const LEAF_LASTS: Duration = Duration::from_secs(365 * 86_400);

/// An authority with a folder for what it signs.
#[derive(Clone)]
pub struct Certificates {
    folder: PathBuf,
    authority: Arc<Authority>,
}

/// A certificate with its key, as a client shows it.
#[derive(Clone)]
pub struct Shown {
    /// In PEM.
    pub certificate_pem: String,
    /// In PEM (PKCS #8).
    pub key_pem: String,
}

impl Certificates {
    /// Makes an authority in `folder`, which is made as well.
    pub fn new(folder: &Path) -> Certificates {
        std::fs::create_dir_all(folder).expect("a folder for certificates");
        let authority = Authority::open(folder, SystemTime::now()).expect("an authority is made");
        Certificates { folder: folder.to_owned(), authority: Arc::new(authority) }
    }

    /// The same authority with another folder for what it signs.
    pub(crate) fn share(&self, folder: &Path) -> Certificates {
        std::fs::create_dir_all(folder).expect("a folder for certificates");
        std::fs::copy(self.ca(), folder.join("ca.pem")).expect("ca.pem is there");
        Certificates { folder: folder.to_owned(), authority: self.authority.clone() }
    }

    /// The authority's own certificate.
    pub fn ca(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    /// Where the certificate of `domain` lies, and its key.
    pub fn files(&self, domain: &str) -> (PathBuf, PathBuf) {
        (self.folder.join(format!("{domain}.pem")), self.folder.join(format!("{domain}.key")))
    }

    /// Makes a new certificate for `domain` in its files; one that is there is replaced, each file at once.
    pub fn issue(&self, domain: &str) -> (PathBuf, PathBuf) {
        let addresses = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
        let issued = self.authority.issue_server(&[domain.to_owned()], &addresses, SystemTime::now());
        let issued = issued.expect("a certificate is signed");
        let (certificate, key) = self.files(domain);
        replace(&key, &issued.key_pem);
        replace(&certificate, &issued.certificate_pem);
        (certificate, key)
    }

    /// A certificate for a client, with `address` as its xmppAddr.
    pub fn client(&self, address: &str) -> Shown {
        let issued = self.authority.issue_client(address, SystemTime::now()).expect("a certificate is signed");
        Shown { certificate_pem: issued.certificate_pem, key_pem: issued.key_pem }
    }

    /// A certificate for a server of these domains, as one that connects shows it.
    pub fn server(&self, domains: &[&str]) -> Shown {
        self.server_since(domains, SystemTime::now())
    }

    /// The same, which ends after this time.
    pub fn server_for(&self, domains: &[&str], lasts: Duration) -> Shown {
        self.server_since(domains, SystemTime::now() - LEAF_LASTS + lasts)
    }

    fn server_since(&self, domains: &[&str], since: SystemTime) -> Shown {
        let domains: Vec<String> = domains.iter().map(|&domain| domain.to_owned()).collect();
        let issued = self.authority.issue_server(&domains, &[], since).expect("a certificate is signed");
        Shown { certificate_pem: issued.certificate_pem, key_pem: issued.key_pem }
    }

    /// The authority as what a client trusts.
    pub(crate) fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(self.ca()).expect("ca.pem is there")).expect("ca.pem is an authority");
        roots
    }
}

impl Shown {
    pub(crate) fn chain(&self) -> Vec<CertificateDer<'static>> {
        let chain: Result<_, _> = CertificateDer::pem_slice_iter(self.certificate_pem.as_bytes()).collect();
        chain.expect("a certificate in PEM")
    }

    pub(crate) fn key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::from_pem_slice(self.key_pem.as_bytes()).expect("a key in PEM")
    }
}

/// Writes beside the file and renames, so that no reader sees half of it.
fn replace(file: &Path, text: &str) {
    let beside = file.with_extension("new");
    std::fs::write(&beside, text).expect("a file can be written");
    std::fs::rename(&beside, file).expect("a file can be renamed");
}
