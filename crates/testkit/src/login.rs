//! Logging in: SASL with every mechanism a client may use, and resource binding.

use std::collections::HashMap;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use metronome_sasl::client::{Challenged, ClientBinding, ClientKeys, Scram, plain};
use metronome_sasl::{ChannelBinding, Hash, Password, token_text};
use parking_lot::Mutex;
use sha2::{Digest as _, Sha256};

use crate::client::Client;
use crate::control::password_of;
use crate::seen::Seen;

/// What a client says about channel binding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binding {
    /// `n`: it cannot.
    Unsupported,
    /// `y`: it can, and claims that the server did not offer it.
    NotOffered,
    /// Bound to the TLS connection.
    Bound(ChannelBinding),
    /// Bound to something else than this connection.
    Forged(ChannelBinding),
}

/// A login with SASL, to be described further.
#[derive(Debug, Clone)]
pub struct Sasl<'a> {
    /// The mechanism's name.
    pub mechanism: &'a str,
    /// The user's name.
    pub username: &'a str,
    /// The password.
    pub password: &'a str,
    /// Empty, or whom to act as.
    pub authzid: &'a str,
    /// Channel binding.
    pub binding: Binding,
}

impl<'a> Sasl<'a> {
    /// With a mechanism, a name and a password.
    pub fn new(mechanism: &'a str, username: &'a str, password: &'a str) -> Sasl<'a> {
        Sasl { mechanism, username, password, authzid: "", binding: Binding::Unsupported }
    }

    pub(crate) fn hash(&self) -> Hash {
        let name = self.mechanism.trim_start_matches("SCRAM-").trim_end_matches("-PLUS");
        Hash::parse(name).unwrap_or_else(|| panic!("{} is no SCRAM mechanism", self.mechanism))
    }
}

/// Keys take milliseconds to derive, and most logins of a test are of the same accounts.
static KEYS: LazyLock<Mutex<HashMap<KeyOf, ClientKeys>>> = LazyLock::new(Mutex::default);

type KeyOf = (Hash, String, Vec<u8>, u32);

/// The keys of a password, derived once.
pub(crate) fn keys_for(hash: Hash, password: &str, challenged: &Challenged) -> ClientKeys {
    let of = (hash, password.to_owned(), challenged.salt.clone(), challenged.iterations);
    let known = KEYS.lock().get(&of).cloned();
    known.unwrap_or_else(|| {
        let keys = challenged.derive(&Password::new(password).expect("a password that can be prepared"));
        KEYS.lock().insert(of, keys.clone());
        keys
    })
}

/// Base64 as SASL writes it.
pub fn base64(bytes: impl AsRef<[u8]>) -> String {
    STANDARD.encode(bytes)
}

/// Reads base64; panics if it is none.
pub fn unbase64(text: &str) -> Vec<u8> {
    STANDARD.decode(text).expect("base64")
}

impl Client {
    /// Logs in with SCRAM-SHA-256 and the password of [`crate::Setup`], then binds `resource`. The stream is not yet open.
    #[track_caller]
    pub fn log_in(&mut self, username: &str, resource: &str) {
        self.authenticate(username);
        self.name = format!("{username}/{resource}");
        self.bind(resource);
    }

    /// Logs in with SCRAM-SHA-256 and the password of [`crate::Setup`], and opens the stream again; nothing is bound yet.
    #[track_caller]
    pub fn authenticate(&mut self, username: &str) {
        self.name = username.to_owned();
        self.open();
        let password = password_of(username);
        let sasl = Sasl::new("SCRAM-SHA-256", username, &password);
        let outcome = self.sasl(&sasl);
        if !outcome.fits("<success") {
            self.fail(&format!("{username} cannot log in: {outcome}"));
        }
        self.open();
    }

    /// Binds a resource on a stream that is open; answers the full address.
    #[track_caller]
    pub fn bind(&mut self, resource: &str) -> String {
        self.send(&format!(
            "<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>{resource}</resource></bind></iq>"
        ));
        let result = self.expect("<iq type='result' id='bind'");
        let Some(jid) = result.text_of("jid") else { self.fail("the server bound no address") };
        self.jid = Some(jid.clone());
        jid
    }

    /// Says `<auth/>` with this mechanism and data (in clear; encoded here; `=` for none at all).
    #[track_caller]
    pub fn auth(&mut self, mechanism: &str, data: &[u8]) {
        let data = if data.is_empty() { "=".to_owned() } else { base64(data) };
        self.send(&format!("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='{mechanism}'>{data}</auth>"));
    }

    /// Demands the failure `condition`; the stream stays open for another attempt.
    #[track_caller]
    pub fn expect_failure(&mut self, condition: &str) -> Seen {
        self.expect(&format!("<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><{condition}"))
    }

    /// Runs an exchange on a stream that is open; answers the server's `<success/>` or `<failure/>`. The server's own proof is
    /// checked.
    #[track_caller]
    pub fn sasl(&mut self, sasl: &Sasl<'_>) -> Seen {
        match sasl.mechanism {
            "PLAIN" => {
                self.auth("PLAIN", &plain(sasl.authzid, sasl.username, sasl.password));
                self.next_piece()
            }
            "EXTERNAL" => {
                self.auth("EXTERNAL", sasl.authzid.as_bytes());
                self.next_piece()
            }
            _ => self.scram(sasl),
        }
    }

    #[track_caller]
    fn scram(&mut self, sasl: &Sasl<'_>) -> Seen {
        let hash = sasl.hash();
        let nonce = token_text();
        let bound = match sasl.binding {
            Binding::Bound(binding) => self.channel_binding(binding),
            _ => b"forged bytes of another connection".to_vec(),
        };
        let binding = match sasl.binding {
            Binding::Unsupported => ClientBinding::Unsupported,
            Binding::NotOffered => ClientBinding::NotOffered,
            Binding::Bound(binding) | Binding::Forged(binding) => ClientBinding::Bind(binding, &bound),
        };
        let (authzid, username) = (sasl.authzid, sasl.username);
        let (first, waiting) = Scram { hash, authzid, username, nonce: &nonce, binding }.first();
        self.auth(sasl.mechanism, &first);
        let challenge = self.next_piece();
        if !challenge.fits("<challenge") {
            return challenge;
        }
        let challenge = unbase64(&challenge.text_of("challenge").unwrap_or_default());
        let challenged = waiting.challenge(&challenge).unwrap_or_else(|error| self.fail(&error.to_string()));
        let keys = keys_for(hash, sasl.password, &challenged);
        let (proof, answered) = challenged.answer(&keys);
        self.send(&format!("<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>{}</response>", base64(proof)));
        let outcome = self.next_piece();
        if outcome.fits("<success") {
            let signature = unbase64(&outcome.text_of("success").unwrap_or_default());
            if let Err(error) = answered.verify(&signature) {
                self.fail(&error.to_string());
            }
        }
        outcome
    }

    /// The bytes that an exchange over this connection is bound to.
    #[track_caller]
    pub fn channel_binding(&self, binding: ChannelBinding) -> Vec<u8> {
        let Some(tls) = self.link.tls() else { self.fail("there is no channel to bind to without TLS") };
        match binding {
            ChannelBinding::TlsExporter => {
                let exported = tls.export_keying_material([0; 32], b"EXPORTER-Channel-Binding", Some(b""));
                exported.expect("TLS is established").to_vec()
            }
            // Our certificates are signed with SHA-256.
            ChannelBinding::TlsServerEndPoint => Sha256::digest(self.server_certificate()).to_vec(),
        }
    }

    /// The certificate that the server has shown, in DER.
    #[track_caller]
    pub fn server_certificate(&self) -> Vec<u8> {
        let chain = self.link.tls().and_then(|tls| tls.peer_certificates());
        chain.and_then(|chain| chain.first()).map_or_else(|| self.fail("there is no certificate"), |leaf| leaf.to_vec())
    }

    /// The version of TLS, such as `TLSv1_3`, and the protocol that ALPN chose.
    pub fn tls_facts(&self) -> (String, Option<String>) {
        let tls = self.link.tls();
        let version =
            tls.and_then(|tls| tls.protocol_version()).map_or_else(String::new, |version| format!("{version:?}"));
        let alpn = tls.and_then(|tls| tls.alpn_protocol()).map(|alpn| String::from_utf8_lossy(alpn).into_owned());
        (version, alpn)
    }
}
