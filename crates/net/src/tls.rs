//! Certificates: loaded per host, chosen by the name the client asks for, watched and swapped without a restart.
//! A pair that cannot be used keeps the old one and says so.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use metronome_features::certificates::ALLOWED;
use metronome_host::hosts::{Host, Hosts, Known, Standing, Tls, Trusts};
use metronome_host::options::{Kind, Setting, Values};
use metronome_host::server::Server;
use metronome_sasl::ChannelBindings;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

mod ciphers;
mod client_certificate;
mod end_point;
pub(crate) mod handshake;
pub(crate) mod names;
pub(crate) mod servers;

pub(crate) use ciphers::config_for;
use client_certificate::Judge;

/// The certificate chain.
pub const CERT: Setting = Setting::new(
    "tls.files.cert",
    Kind::Path,
    "\"\"",
    "The certificate chain in PEM. The file is watched: a new one is used at once, without a restart.",
)
.per_host();

/// Its private key.
pub const KEY: Setting =
    Setting::new("tls.files.key", Kind::Path, "\"\"", "The private key in PEM that belongs to the certificate.")
        .per_host();

/// Whether clients must encrypt.
pub const REQUIRE: Setting = Setting::new(
    "tls.require_c2s",
    Kind::Flag,
    "true",
    "Whether clients must encrypt their stream before they may log in.",
)
.for_new_streams()
.per_host();

/// Who signs client certificates.
pub const CLIENT_CA: Setting = Setting::new(
    "tls.client_ca",
    Kind::Path,
    "\"\"",
    "Certificates in PEM of those who sign client certificates. One that they have signed and that carries an account's address \
     (xmppAddr) logs in without a password (SASL EXTERNAL).",
)
.for_new_streams()
.per_host();

/// The settings of this module.
pub const SETTINGS: &[Setting] = &[CERT, KEY, REQUIRE, CLIENT_CA];

/// Why a certificate cannot be used, with the file's name.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read or holds no PEM of the right kind.
    #[error("{file}: {reason}")]
    File {
        /// What names the file.
        setting: &'static Setting,
        /// The file.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The key is another one's.
    #[error("the key {key} does not belong to the certificate {cert}")]
    Mismatch {
        /// The certificate's file.
        cert: String,
        /// The key's file.
        key: String,
    },
    /// rustls does not support the certificate or the key.
    #[error("{cert}: {reason}")]
    Pair {
        /// The certificate's file.
        cert: String,
        /// What rustls says.
        reason: String,
    },
}

impl TlsError {
    /// Which setting is wrong.
    pub fn setting(&self) -> &'static Setting {
        match self {
            TlsError::File { setting, .. } => setting,
            TlsError::Mismatch { .. } => &KEY,
            TlsError::Pair { .. } => &CERT,
        }
    }

    /// What to do about it; empty if nothing helps.
    pub fn hint(&self) -> &'static str {
        match self {
            TlsError::File { .. } => "check the file, and that the user the server runs as may read it",
            TlsError::Mismatch { .. } => "name the key that the certificate was made for",
            TlsError::Pair { .. } => "",
        }
    }
}

fn file_error(setting: &'static Setting, file: &Path, reason: impl ToString) -> TlsError {
    TlsError::File { setting, file: file.display().to_string(), reason: reason.to_string() }
}

/// Loads the certificate of a host; none if it has none configured.
pub fn load(values: &Values) -> Result<Option<Arc<Tls>>, TlsError> {
    let (Some(cert), Some(key)) = (values.path(&CERT), values.path(&KEY)) else { return Ok(None) };
    let chain: Vec<_> = CertificateDer::pem_file_iter(cert)
        .and_then(|certificates| certificates.collect())
        .map_err(|error| file_error(&CERT, cert, error))?;
    let Some(leaf) = chain.first() else { return Err(file_error(&CERT, cert, "there is no certificate in it")) };
    let (end_point, not_after_s) = end_point::read(leaf).map_err(|reason| file_error(&CERT, cert, reason))?;
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| file_error(&KEY, key, error))?;
    let ca = values.path(&CLIENT_CA);
    let judge = Judge::load(ca).map_err(|reason| file_error(&CLIENT_CA, ca.unwrap_or(Path::new("")), reason))?;
    let trusting = judge.clone();
    let trusts = ca.map(|_| -> Trusts { Box::new(move |chain| trusting.trusts(chain)) });
    let names = names::of(leaf);
    let unusable = |reason| unusable(cert, key, &reason);
    let to_servers = servers::outgoing(chain.clone(), private.clone_key()).map_err(unusable)?;
    let from_servers = servers::incoming(chain.clone(), private.clone_key(), judge.clone()).map_err(unusable)?;
    let judge = (ca.is_some() || values.flag(&ALLOWED)).then_some(judge);
    let web = config(chain.clone(), private.clone_key(), None, b"http/1.1").map_err(unusable)?;
    let config = config(chain, private, judge, b"xmpp-client").map_err(unusable)?;
    let mut in_their_order = config.clone();
    in_their_order.ignore_client_order = false;
    let (config, in_their_order, from_servers) = (Arc::new(config), Arc::new(in_their_order), Arc::new(from_servers));
    let web = Arc::new(web);
    let tls = Tls { config, in_their_order, web, from_servers, to_servers, trusts, end_point, not_after_s, names };
    Ok(Some(Arc::new(tls)))
}

fn unusable(cert: &Path, key: &Path, reason: &rustls::Error) -> TlsError {
    let cert = cert.display().to_string();
    match reason {
        rustls::Error::InconsistentKeys(_) => TlsError::Mismatch { cert, key: key.display().to_string() },
        _ => TlsError::Pair { cert, reason: reason.to_string() },
    }
}

fn config(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    judge: Option<Arc<Judge>>,
    protocol: &[u8],
) -> Result<ServerConfig, rustls::Error> {
    let provider = Arc::new(ciphers::in_our_order(aws_lc_rs::default_provider()));
    // TLS 1.2 and 1.3 with forward secrecy and authenticated encryption only (RFC 9325); rustls has nothing else.
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    // Some clients bother people when they are asked for a certificate, so that is done only where one can be of use.
    let builder = match judge {
        Some(judge) => builder.with_client_cert_verifier(judge),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_single_cert(chain, key)?;
    config.ignore_client_order = true;
    config.alpn_protocols = vec![protocol.to_vec()];
    // Without it a TLS 1.2 exporter does not tell connections apart (RFC 7627).
    config.require_ems = true;
    config.ticketer = aws_lc_rs::Ticketer::new()?;
    config.send_tls13_tickets = 1;
    // Early data can be replayed, so none is taken (XEP-0198 and XEP-0388 forbid acting on it).
    config.max_early_data_size = 0;
    Ok(config)
}

/// What a connection with this certificate can be bound to (RFC 5929, RFC 9266).
pub(crate) fn bindings(connection: &rustls::ServerConnection, tls: &Tls) -> ChannelBindings {
    let exported = connection.export_keying_material([0; 32], b"EXPORTER-Channel-Binding", Some(b""));
    ChannelBindings {
        tls_exporter: exported.ok().map(|bytes| bytes.to_vec()),
        tls_server_end_point: tls.end_point.clone(),
    }
}

/// Watches the files of all hosts and swaps what changed. Runs for as long as the server.
pub async fn watch(server: Arc<Server>) {
    let mut seen = stamps(&server.hosts.load());
    loop {
        tokio::time::sleep(Duration::from_secs(2)).await;
        let now = stamps(&server.hosts.load());
        // Files of a new domain were read when it came; they may have changed since.
        if now.iter().any(|(file, stamp)| seen.get(file) != Some(stamp)) {
            swap(&server).await;
        }
        seen = now;
    }
}

/// When a file was written last, and how long it is; none while it is not there.
type Stamp = Option<(SystemTime, u64)>;

fn stamps(hosts: &Hosts) -> BTreeMap<Box<Path>, Stamp> {
    let settings = [&CERT, &KEY, &CLIENT_CA];
    let all = hosts.all().flat_map(|known| std::iter::once(&known.host).chain(&known.host.services));
    let files = all.flat_map(|host| settings.map(|setting| host.values.path(setting))).flatten();
    let stamp = |file: &Path| std::fs::metadata(file).and_then(|data| Ok((data.modified()?, data.len()))).ok();
    files.map(|file| (file.into(), stamp(file))).collect()
}

/// Loads every host's pair again; a host whose pair cannot be used keeps the one it has, and one that was not served for want
/// of a pair is served from now on.
pub async fn swap(server: &Server) {
    let turn = server.control.turn().await;
    let hosts = server.hosts.load_full();
    let again = hosts.all().map(|known| match load(&known.host.values) {
        Ok(tls) => {
            let known = with_certificate(known, tls);
            if known.host.has_certificate_for_others() && known.standing != Standing::Component {
                tracing::warn!(host = known.host.name.as_str(), "the certificate is not for this domain");
            }
            known
        }
        Err(error) => {
            let host = known.host.name.as_str();
            match known.standing {
                Standing::Served => tracing::error!(host, %error, "the new certificate is not used; the old one stays"),
                Standing::Disabled
                | Standing::NoCertificate
                | Standing::Unfit
                | Standing::Component
                | Standing::Service => {
                    tracing::warn!(host, %error, "a certificate cannot be used")
                }
            }
            known.clone()
        }
    });
    let again = again.fold((*hosts).clone(), |hosts, known| hosts.with(known));
    server.serve(&turn, again);
    tracing::info!("certificates were read again");
}

fn with_certificate(known: &Known, tls: Option<Arc<Tls>>) -> Known {
    let standing = match known.standing {
        Standing::NoCertificate if tls.is_some() => Standing::Served,
        standing => standing,
    };
    let host = Host { tls, ..(*known.host).clone() };
    let services = host.services.iter().map(|service| Arc::new(service_again(service, &host))).collect();
    Known { host: Arc::new(Host { services, ..host }), standing, ..known.clone() }
}

/// A service whose domain has a certificate that was read again; one of its own that cannot be used is not used.
fn service_again(service: &Host, domain: &Host) -> Host {
    let tls = load_for_service(&service.values, domain).unwrap_or_else(|error| {
        tracing::error!(host = service.name.as_str(), %error, "the new certificate is not used; the old one stays");
        service.tls.clone()
    });
    Host { tls, ..service.clone() }
}

/// Loads the certificate of a service; where its files are those of its domain it shares what was made of them.
pub fn load_for_service(values: &Values, domain: &Host) -> Result<Option<Arc<Tls>>, TlsError> {
    let is_same = [&CERT, &KEY, &CLIENT_CA].iter().all(|setting| values.path(setting) == domain.values.path(setting));
    if is_same { Ok(domain.tls.clone()) } else { load(values) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes a pair for a domain, and gives the files of its certificate and its key.
    fn pair(folder: &Path, domain: &str) -> (String, String) {
        let made = rcgen::generate_simple_self_signed([domain.to_owned()]).unwrap();
        let written = |ending: &str, text: String| {
            let path = folder.join(format!("{domain}.{ending}"));
            std::fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        (written("pem", made.cert.pem()), written("key", made.signing_key.serialize_pem()))
    }

    fn values(cert: &str, key: &str) -> Values {
        let quoted = |path: &str| format!("{path:?}");
        Values::defaults(&[SETTINGS, &[ALLOWED]]).with(CERT.key, &quoted(cert)).with(KEY.key, &quoted(key))
    }

    fn wrong(values: &Values) -> (&'static str, String) {
        let error = load(values).err().unwrap();
        (error.setting().key, error.to_string())
    }

    #[test]
    fn what_cannot_be_used_is_known_by_its_setting() {
        let folder = tempfile::tempdir().unwrap();
        let (cert, key) = pair(folder.path(), "a.example");
        let (_, other) = pair(folder.path(), "b.example");
        assert!(load(&values(&cert, &key)).is_ok());
        let told = format!("the key {other} does not belong to the certificate {cert}");
        assert_eq!(wrong(&values(&cert, &other)), ("tls.files.key", told));
        assert_eq!(wrong(&values(&cert, "/nonexistent")).0, "tls.files.key");
        assert_eq!(wrong(&values("/nonexistent", &key)).0, "tls.files.cert");
        let asked = values(&cert, &key).with(CLIENT_CA.key, "\"/nonexistent\"");
        assert_eq!(wrong(&asked).0, "tls.client_ca");
    }
}
