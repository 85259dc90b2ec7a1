//! The served domains as immutable snapshots: options, certificate and features of one moment.
//! A reload or a new certificate makes a new `Hosts`; a stanza is handled under the snapshot it arrived under.

use std::collections::BTreeMap;
use std::sync::Arc;

use metronome_proto::jid::Jid;
use metronome_proto::xml::Limits;
use metronome_sasl::{Hash, PlainRule, Rules};

use crate::options::{Kind, Setting, Values};
use crate::registry::Registry;
use crate::sessions::{BindRules, Conflict};

/// How many resources an account may have bound at once.
pub const SESSIONS: Setting = Setting::new(
    "limits.c2s.sessions",
    Kind::Count { min: 1, max: 1000 },
    "10",
    "Most sessions that one account may have at once; one more is refused.",
)
.per_host();

/// What happens when a resource is already in use.
pub const CONFLICT: Setting = Setting::new(
    "sessions.conflict",
    Kind::Choice(&["kick-old", "kick-new", "random", "increment"]),
    "\"kick-old\"",
    "When a client asks for a resource that is in use: close the older session, refuse the newcomer, give it a random resource, \
     or number it.",
)
.per_host();

/// Largest stanza of a client.
pub const STANZA: Setting =
    Setting::new("limits.c2s.stanza", Kind::Bytes, "\"256 KiB\"", "Largest stanza that a client may send.")
        .for_new_streams()
        .per_host()
        .within(10_000, 16 << 20);

/// Whose messages are kept.
pub const ARCHIVE: Setting = Setting::new(
    "archive.users",
    Kind::Choice(&["all", "off"]),
    "\"all\"",
    "Whether accounts' messages are kept after they were seen. With `off` a message is stored until a client proved that it has it.",
)
.per_host();

/// How many messages may wait for an account.
pub const UNSEEN: Setting = Setting::new(
    "archive.unseen",
    Kind::Count { min: 1, max: 10_000_000 },
    "10000",
    "Most messages that may wait for an account that does not fetch them; further ones are returned to their senders.",
)
.at_restart();

/// For benchmarks only.
pub const MESSAGES: Setting = Setting::new(
    "storage.messages",
    Kind::Choice(&["durable", "volatile"]),
    "\"durable\"",
    "For benchmarks only: `volatile` stores no message at all, so messages to absent people and in crashes are lost.",
);

/// What is offered to log in with.
pub const MECHANISMS: Setting = Setting::new(
    "auth.mechanisms",
    Kind::Choices(&["SCRAM-SHA-512", "SCRAM-SHA-384", "SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN", "EXTERNAL", "ANONYMOUS"]),
    "[\"SCRAM-SHA-512\", \"SCRAM-SHA-256\", \"SCRAM-SHA-1\", \"EXTERNAL\"]",
    "The mechanisms that clients may log in with; each SCRAM mechanism is offered with its -PLUS variant. Accounts have keys for \
     SCRAM-SHA-384 only if it was listed when their password was set, or if they were imported with them. ANONYMOUS lets guests \
     in: each gets an address of its own, and nothing is stored for it. What is not in the list is neither offered nor accepted.",
)
.for_new_streams()
.per_host();

/// Whether PLAIN is offered on streams without TLS.
pub const PLAIN_WITHOUT_TLS: Setting = Setting::new(
    "auth.plain_without_tls",
    Kind::Flag,
    "false",
    "Whether PLAIN may be used without encryption. Passwords are then readable on the way; for trusted local networks only.",
)
.for_new_streams()
.per_host();

/// Rounds of key derivation.
pub const ITERATIONS: Setting = Setting::new(
    "auth.iterations",
    Kind::Count { min: 4096, max: 10_000_000 },
    "10000",
    "Rounds of PBKDF2 for the keys of new passwords. More make stolen keys harder to use and logins slower, on the client's side.",
);

/// The settings that a host's snapshot is made of.
pub const SETTINGS: &[Setting] =
    &[MECHANISMS, PLAIN_WITHOUT_TLS, ITERATIONS, SESSIONS, CONFLICT, STANZA, ARCHIVE, UNSEEN, MESSAGES];

/// One served domain at one moment.
#[derive(Debug, Clone)]
pub struct Host {
    /// Its domain.
    pub name: Jid,
    /// Its options.
    pub values: Values,
    /// What is answered and announced.
    pub registry: Arc<Registry>,
    /// The certificate for its streams; none where TLS is not configured.
    pub tls: Option<Arc<Tls>>,
    /// Limits of an authenticated client's XML.
    pub limits: Limits,
    /// How resources are bound.
    pub bind: BindRules,
    /// Which messages are stored.
    pub keeps: Keeps,
    /// What may be offered to log in with.
    pub sasl: Rules,
}

/// What is stored of a message between people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keeps {
    /// Both sides' rows, for as long as the archive keeps them.
    Archive,
    /// The recipient's row, until a client proved to have it.
    UntilSeen,
    /// Nothing (`storage.messages = "volatile"`).
    Nothing,
}

/// A certificate in use.
pub struct Tls {
    /// For new handshakes.
    pub config: Arc<rustls::ServerConfig>,
    /// Whether a client's certificate chain is trusted to prove its addresses; none where nobody asks for one.
    pub trusts: Option<Trusts>,
    /// `tls-server-end-point` channel binding data (RFC 5929 section 4), where the certificate's signature defines a hash.
    pub end_point: Option<Vec<u8>>,
    /// Unix time in seconds at which the certificate expires.
    pub not_after_s: i64,
}

/// Judges a client's certificate chain, leaf first, in DER.
pub type Trusts = Box<dyn Fn(&[rustls::pki_types::CertificateDer<'_>]) -> bool + Send + Sync>;

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").field("not_after_s", &self.not_after_s).finish_non_exhaustive()
    }
}

impl Host {
    /// The snapshot of a domain from its options.
    pub fn new(name: Jid, values: Values, registry: Arc<Registry>, tls: Option<Arc<Tls>>) -> Host {
        let conflict = match values.text(&CONFLICT) {
            "kick-new" => Conflict::KickNew,
            "random" => Conflict::Random,
            "increment" => Conflict::Increment,
            _ => Conflict::KickOld,
        };
        let keeps = match (values.text(&MESSAGES), values.text(&ARCHIVE)) {
            ("volatile", _) => Keeps::Nothing,
            (_, "off") => Keeps::UntilSeen,
            _ => Keeps::Archive,
        };
        let limits = Limits { stanza_bytes: values.bytes(&STANZA) as usize, ..Limits::CLIENT };
        let bind = BindRules { sessions_max: values.count(&SESSIONS) as usize, conflict };
        let sasl = rules(&values);
        Host { name, values, registry, tls, limits, bind, keeps, sasl }
    }
}

fn rules(values: &Values) -> Rules {
    let listed = |name: &str| values.list(&MECHANISMS).iter().any(|listed| listed == name);
    let scram = [Hash::Sha1, Hash::Sha256, Hash::Sha384, Hash::Sha512];
    let plain = match (listed("PLAIN"), values.flag(&PLAIN_WITHOUT_TLS)) {
        (false, _) => PlainRule::Never,
        (true, false) => PlainRule::Encrypted,
        (true, true) => PlainRule::Always,
    };
    Rules {
        scram: scram.into_iter().filter(|hash| listed(&format!("SCRAM-{}", hash.as_str()))).collect(),
        plain,
        external: listed("EXTERNAL"),
        anonymous: listed("ANONYMOUS"),
    }
}

/// All served domains at one moment.
#[derive(Debug, Clone)]
pub struct Hosts {
    /// The server-wide options.
    pub values: Values,
    /// By domain; the first that was configured is the default.
    by_name: BTreeMap<Box<str>, Arc<Host>>,
    first: Jid,
}

impl Hosts {
    /// A snapshot of these domains, of which the first is the default; none is a mistake of the caller.
    pub fn new(values: Values, hosts: Vec<Host>) -> Hosts {
        let first = hosts.first().expect("a server serves at least one domain").name.clone();
        let by_name = hosts.into_iter().map(|host| (host.name.domain().into(), Arc::new(host))).collect();
        Hosts { values, by_name, first }
    }

    /// A snapshot in which these domains replace the present ones.
    pub fn with(&self, hosts: Vec<Host>) -> Hosts {
        let by_name = hosts.into_iter().map(|host| (host.name.domain().into(), Arc::new(host))).collect();
        Hosts { values: self.values.clone(), by_name, first: self.first.clone() }
    }

    /// The domain of this name.
    pub fn get(&self, name: &str) -> Option<&Arc<Host>> {
        self.by_name.get(name)
    }

    /// The domain that was configured first.
    pub fn first(&self) -> &Arc<Host> {
        &self.by_name[self.first.domain()]
    }

    /// All domains in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Host>> {
        self.by_name.values()
    }
}
