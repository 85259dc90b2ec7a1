//! The served domains as immutable snapshots: options, certificate and features of one moment.
//! A reload, a command or a new certificate makes a new `Hosts` (see `control::Turn`); a stanza is handled under the snapshot it
//! arrived under.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use metronome_model::HostOrigin;
use metronome_proto::jid::{Jid, prepare_domain};
use metronome_proto::stream::error::Condition;
use metronome_proto::stream::features::Written;
use metronome_proto::xml::Limits;
use metronome_sasl::{Hash, PlainRule, Rules, StreamFacts};

use crate::announced::Announced;
use crate::components;
use crate::feature::{Askers, At, Service, StreamState};
use crate::groups::Groups;
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
     in: each gets an address of its own, and nothing of it reaches the disk or outlasts its last session. What is not in the list is \
     neither offered nor accepted.",
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

/// Whether clients get tokens.
pub const FAST: Setting = Setting::new(
    "auth.fast",
    Kind::Flag,
    "true",
    "Whether a client that has logged in may ask for a token and log in with that the next time, in one round trip and without a \
     password (XEP-0484). Tokens end with a change of the password.",
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
    &[MECHANISMS, PLAIN_WITHOUT_TLS, FAST, ITERATIONS, SESSIONS, CONFLICT, STANZA, ARCHIVE, UNSEEN, MESSAGES];

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
    /// People who see each other without having asked.
    pub groups: Arc<Groups>,
    /// What service discovery tells of it, once somebody has asked; whoever makes a snapshot with other options begins anew.
    pub announced: OnceLock<Announced>,
    /// The stream features that are the same for all clients, once a stream has come so far.
    pub features: StreamFeatures,
    /// Whose service it is; none for a domain with accounts of its own, or of a component.
    pub beside: Option<Beside>,
    /// The services that it has.
    pub services: Vec<Arc<Host>>,
}

/// What a service is, and of which domain.
#[derive(Debug, Clone)]
pub struct Beside {
    /// What it is.
    pub service: &'static Service,
    /// The domain that has it.
    pub domain: Jid,
}

/// What is offered to all clients, for each state of a stream.
#[derive(Debug, Clone, Default)]
pub struct StreamFeatures {
    /// Whole, with what is offered to log in with, by [`StreamFacts::kind`].
    offered: [OnceLock<Box<[u8]>>; StreamFacts::KINDS],
    secured: OnceLock<Box<[Written]>>,
    authenticated: OnceLock<Box<[Written]>>,
}

impl StreamFeatures {
    /// Those of one state; made by `make` when the first stream gets there.
    pub fn of(&self, state: StreamState, make: impl FnOnce() -> Box<[Written]>) -> &[Written] {
        let features = match state {
            StreamState::Secured => &self.secured,
            StreamState::Authenticated => &self.authenticated,
        };
        features.get_or_init(make)
    }

    /// All that is offered to who has not logged in on such a stream; made by `make` for the first one of its kind.
    pub fn offered(&self, facts: &StreamFacts, make: impl FnOnce() -> Box<[u8]>) -> &[u8] {
        self.offered[facts.kind()].get_or_init(make)
    }
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
    /// For new handshakes with clients.
    pub config: Arc<rustls::ServerConfig>,
    /// For those of clients whose own order of ciphers counts.
    pub in_their_order: Arc<rustls::ServerConfig>,
    /// For those of the web server, which asks nobody for a certificate.
    pub web: Arc<rustls::ServerConfig>,
    /// For those that other servers begin.
    pub from_servers: Arc<rustls::ServerConfig>,
    /// For those that we begin with other servers.
    pub to_servers: ToServers,
    /// Whether a client's certificate chain is trusted to prove its addresses; none where nobody asks for one.
    pub trusts: Option<Trusts>,
    /// `tls-server-end-point` channel binding data (RFC 5929 section 4), where the certificate's signature defines a hash.
    pub end_point: Option<Vec<u8>>,
    /// Unix time in seconds at which the certificate expires.
    pub not_after_s: i64,
    /// Whom the certificate is for.
    pub names: Names,
}

/// How a domain encrypts its streams to other servers, which see its certificate.
#[derive(Debug, Clone)]
pub struct ToServers {
    /// Behind STARTTLS.
    pub starttls: Arc<rustls::ClientConfig>,
    /// From the first byte (XEP-0368).
    pub direct: Arc<rustls::ClientConfig>,
}

/// The domains that a certificate is for, prepared; `*.` before one stands for one label.
#[derive(Debug, Clone, Default)]
pub struct Names(pub Vec<Box<str>>);

impl Names {
    /// Whether this prepared domain is one of them (RFC 6125 section 6.4).
    pub fn is_for(&self, domain: &str) -> bool {
        let parent = domain.split_once('.').map(|(_, parent)| parent);
        self.0.iter().any(|name| match name.strip_prefix("*.") {
            Some(rest) => parent == Some(rest),
            None => **name == *domain,
        })
    }
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
        Host {
            name,
            values,
            registry,
            tls,
            limits,
            bind,
            keeps,
            sasl,
            groups: Arc::default(),
            announced: OnceLock::new(),
            features: StreamFeatures::default(),
            beside: None,
            services: Vec::new(),
        }
    }

    /// The snapshot of a service of `domain` from its options, which are mostly those of the domain.
    pub fn of_service(
        name: Jid,
        service: &'static Service,
        domain: &Host,
        values: Values,
        tls: Option<Arc<Tls>>,
    ) -> Host {
        let beside = Some(Beside { service, domain: domain.name.clone() });
        Host { beside, ..Host::new(name, values, domain.registry.clone(), tls) }
    }

    /// Whether it has a certificate that is for others, so that those who have to trust it will not. A service that nobody from elsewhere
    /// comes to needs none.
    pub fn has_certificate_for_others(&self) -> bool {
        let is_shown = self.beside.as_ref().is_none_or(|beside| beside.service.askers == Askers::Anybody);
        is_shown && self.tls.as_ref().is_some_and(|tls| !tls.names.is_for(self.name.as_str()))
    }

    /// The place of requests to the domain itself.
    pub fn at(&self) -> At {
        self.beside.as_ref().map_or(At::Host, |beside| At::Service(beside.service.name))
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
        tokens: values.flag(&FAST),
    }
}

/// All domains of the server at one moment: those that are served, and those that are its own and are not.
#[derive(Debug, Clone)]
pub struct Hosts {
    /// The server-wide options.
    pub values: Values,
    known: BTreeMap<Box<str>, Known>,
    /// The services of those domains. A domain that is known for itself is none of them.
    services: BTreeMap<Box<str>, Known>,
    /// Domains of nobody here whose stanzas a component takes, each with the component.
    routes: BTreeMap<Box<str>, Box<str>>,
    first: Box<str>,
}

/// A domain of the server.
#[derive(Debug, Clone)]
pub struct Known {
    /// Its snapshot.
    pub host: Arc<Host>,
    /// Where it comes from.
    pub origin: HostOrigin,
    /// Whether it is served.
    pub standing: Standing,
}

/// Whether a domain is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is.
    Served,
    /// An administrator has switched it off.
    Disabled,
    /// Clients must encrypt and there is no certificate to do it with. It is served as soon as its files can be used.
    NoCertificate,
    /// Something else that it needs cannot be used, such as a file with its groups. It is served after a reload that finds nothing wrong.
    Unfit,
    /// It is not served by this program: a component answers for it (XEP-0114).
    Component,
    /// It is a service of a domain that is served: it is there for everybody, and nobody has an account there.
    Service,
}

impl Standing {
    /// As administrators read it.
    pub fn as_str(self) -> &'static str {
        match self {
            Standing::Served => "enabled",
            Standing::Disabled => "disabled",
            Standing::NoCertificate => "no certificate",
            Standing::Unfit => "unfit",
            Standing::Component => "component",
            Standing::Service => "service",
        }
    }
}

impl Hosts {
    /// A snapshot of these domains of the configuration, all served, of which the first is the main one.
    /// None at all is a mistake of the caller.
    pub fn new(values: Values, hosts: Vec<Host>) -> Hosts {
        let served =
            |host| Known { host: Arc::new(host), origin: HostOrigin::Configuration, standing: Standing::Served };
        Hosts::of(values, hosts.into_iter().map(served).collect())
    }

    /// A snapshot of these domains, served or not, of which the first is the main one of the configuration.
    /// None at all is a mistake of the caller.
    pub fn of(values: Values, known: Vec<Known>) -> Hosts {
        let first = known.first().expect("a configuration has a domain").host.name.domain().into();
        let known = known.into_iter().map(|known| (known.host.name.domain().into(), known)).collect();
        Hosts { values, known, services: BTreeMap::new(), routes: BTreeMap::new(), first }.complete()
    }

    /// The same with what follows from the known domains.
    fn complete(mut self) -> Hosts {
        self.services = self.beside();
        self.routes = self.routed();
        self
    }

    /// The services of the known domains, each as its domain is. Of two at one address the first has it.
    fn beside(&self) -> BTreeMap<Box<str>, Known> {
        let mut services = BTreeMap::new();
        for known in self.known.values() {
            for host in known.host.services.iter().filter(|host| !self.known.contains_key(host.name.as_str())) {
                let standing = match known.standing {
                    Standing::Served => Standing::Service,
                    standing => standing,
                };
                let service = || Known { host: host.clone(), origin: known.origin, standing };
                services.entry(host.name.as_str().into()).or_insert_with(service);
            }
        }
        services
    }

    /// What the components take beside their own domains. Domains of this server are not among it, and of two components the first has it.
    fn routed(&self) -> BTreeMap<Box<str>, Box<str>> {
        let mut routes = BTreeMap::new();
        for known in self.known.values().filter(|known| known.standing == Standing::Component) {
            for domain in known.host.values.list(&components::ROUTES) {
                if self.known(domain).is_none() {
                    routes.entry(domain.as_str().into()).or_insert_with(|| known.host.name.as_str().into());
                }
            }
        }
        routes
    }

    /// A snapshot in which this domain is as told, new or not.
    pub fn with(&self, known: Known) -> Hosts {
        let mut hosts = self.clone();
        hosts.known.insert(known.host.name.domain().into(), known);
        hosts.complete()
    }

    /// A snapshot without this domain. The main one stays: a server without any does not exist.
    pub fn without(&self, name: &str) -> Hosts {
        let mut hosts = self.clone();
        if *hosts.first != *name {
            hosts.known.remove(name);
        }
        hosts.complete()
    }

    /// The served domain of this name, where there are accounts.
    pub fn get(&self, name: &str) -> Option<&Arc<Host>> {
        self.known.get(name).filter(|known| known.standing == Standing::Served).map(|known| &known.host)
    }

    /// The service at this domain.
    pub fn service(&self, name: &str) -> Option<&Arc<Host>> {
        self.services.get(name).filter(|known| known.standing == Standing::Service).map(|known| &known.host)
    }

    /// The service of this short name that a host has, or that it is itself; none that is not served, as another has its address.
    pub fn service_of(&self, host: &Arc<Host>, name: &str) -> Option<&Arc<Host>> {
        let is_it = |host: &&Arc<Host>| host.beside.as_ref().is_some_and(|beside| beside.service.name == name);
        let service = Some(host).filter(is_it).or_else(|| host.services.iter().find(is_it))?;
        self.service(service.name.as_str()).filter(|served| Arc::ptr_eq(served, service))
    }

    /// The domain of this name, if this server answers there itself: a served one, or a service.
    pub fn answering(&self, name: &str) -> Option<&Arc<Host>> {
        self.get(name).or_else(|| self.service(name))
    }

    /// The component that takes what is for this domain: its own, or one that is routed to it.
    pub fn component(&self, domain: &str) -> Option<&Arc<Host>> {
        let known = self.known.get(self.routes.get(domain).map_or(domain, |name| &**name))?;
        (known.standing == Standing::Component).then_some(&known.host)
    }

    /// Whether what is for this domain leaves this server, for another one or for a component.
    pub fn is_elsewhere(&self, domain: &str) -> bool {
        self.known(domain).is_none_or(|known| known.standing == Standing::Component)
    }

    /// All components in the order of their names.
    pub fn components(&self) -> impl Iterator<Item = &Arc<Host>> {
        self.all().filter(|known| known.standing == Standing::Component).map(|known| &known.host)
    }

    /// The domain of this name, if this server speaks for it towards others: one that it serves, a service, or that of a component.
    pub fn spoken_for(&self, name: &str) -> Option<&Arc<Host>> {
        let speaks =
            |known: &&Known| matches!(known.standing, Standing::Served | Standing::Service | Standing::Component);
        self.known(name).filter(speaks).map(|known| &known.host)
    }

    /// The domain or service of this name, served or not. What is known here belongs to this server: nothing for it may ever go out to
    /// others.
    pub fn known(&self, name: &str) -> Option<&Known> {
        self.known.get(name).or_else(|| self.services.get(name))
    }

    /// The main domain of the configuration, whether or not it is served. It is what its certificate is needed for where a client
    /// names no domain; whoever serves somebody asks [`Hosts::get`].
    pub fn first(&self) -> &Arc<Host> {
        &self.known[&self.first].host
    }

    /// Whose certificate is shown to a client that names this domain in its handshake (RFC 6066 section 3), in any form.
    ///
    /// Also that of a domain that is not served: the client can only be told so behind the handshake.
    pub fn shown_to(&self, server_name: Option<&str>) -> &Arc<Host> {
        let name = server_name.and_then(|name| prepare_domain(name).ok()).unwrap_or(Cow::Borrowed(""));
        self.known(&name).filter(|known| known.host.tls.is_some()).map_or_else(|| self.first(), |known| &known.host)
    }

    /// What a client hears that asks for a domain that is not served (RFC 6120 section 4.9.3).
    pub fn absence(&self, name: &str) -> Condition {
        match self.known(name) {
            // There is nothing for a client at the domain of a component or at a service, and there was nothing before.
            Some(known) if known.standing != Standing::Component && known.host.beside.is_none() => Condition::HostGone,
            _ => Condition::HostUnknown,
        }
    }

    /// Whether a shared group shows the presence of `owner` to `viewer`: one of the owner's domain, or one that everybody of the
    /// viewer's domain sees.
    pub fn shows(&self, owner: &Jid, viewer: &Jid) -> bool {
        let of_domain = |jid: &Jid| self.get(jid.domain()).map(|host| &host.groups);
        of_domain(owner).is_some_and(|groups| groups.may_see(owner.bare_str(), viewer.bare_str()))
            || of_domain(viewer).is_some_and(|groups| groups.is_seen_by_everybody(owner.bare_str()))
    }

    /// All served domains in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Host>> {
        self.all().filter(|known| known.standing == Standing::Served).map(|known| &known.host)
    }

    /// All domains in the order of their names, served or not; services are not among them, each domain has its own.
    pub fn all(&self) -> impl Iterator<Item = &Known> {
        self.known.values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(name: &str) -> Host {
        let registry = Arc::new(Registry::new(&[]));
        Host::new(Jid::parse(name).unwrap(), Values::defaults(&[SETTINGS]), registry, None)
    }

    fn hosts() -> Hosts {
        Hosts::new(Values::defaults(&[SETTINGS]), vec![host("b.example"), host("a.example")])
    }

    fn disabled(name: &str) -> Known {
        Known { host: Arc::new(host(name)), origin: HostOrigin::Command, standing: Standing::Disabled }
    }

    #[test]
    fn the_main_domain_is_the_first_also_while_it_is_not_served() {
        let hosts = hosts().with(disabled("b.example"));
        assert_eq!(hosts.first().name.as_str(), "b.example");
        assert!(hosts.get("b.example").is_none());
        assert_eq!(hosts.iter().map(|host| host.name.as_str()).collect::<Vec<_>>(), ["a.example"]);
        let none = hosts.without("a.example").without("b.example");
        assert_eq!(none.iter().count(), 0);
        assert_eq!(none.first().name.as_str(), "b.example");
    }

    #[test]
    fn a_group_that_everybody_sees_shows_members_of_other_domains_too() {
        let jid = |text: &str| Jid::parse(text).unwrap();
        let groups = Arc::new(Groups::parse("[+Help]\ntom@a.example\n[Team]\nben@b.example\ncat@a.example").unwrap());
        let seeing = Host { groups, ..host("b.example") };
        let hosts = Hosts::new(Values::defaults(&[SETTINGS]), vec![seeing, host("a.example")]);
        let shows = |owner: &str, viewer: &str| hosts.shows(&jid(owner), &jid(viewer));
        assert!(shows("tom@a.example/x", "ann@b.example") && shows("tom@a.example", "ben@b.example/y"));
        assert!(!shows("tom@a.example", "cat@a.example"), "the groups of his own domain do not say so");
        assert!(!shows("ann@b.example", "tom@a.example"), "everybody is not seen back");
        // An ordinary group counts where the domain of who is shown has it.
        assert!(shows("ben@b.example", "cat@a.example") && !shows("cat@a.example", "ben@b.example"));
    }

    #[test]
    fn a_domain_that_is_not_served_is_gone_and_a_foreign_one_unknown() {
        let hosts = hosts().with(disabled("c.example"));
        assert_eq!(hosts.absence("c.example"), Condition::HostGone);
        assert_eq!(hosts.absence("d.example"), Condition::HostUnknown);
        assert_eq!(hosts.without("c.example").absence("c.example"), Condition::HostUnknown);
    }

    static SERVICE: Service = Service {
        name: "news",
        identity: ("pubsub", "service"),
        title: "News",
        disco: &[],
        place: &SESSIONS,
        askers: Askers::Anybody,
    };

    /// A domain with a service.
    fn with_service(name: &str, service: &str) -> Host {
        let domain = host(name);
        let service = Host::of_service(Jid::parse(service).unwrap(), &SERVICE, &domain, domain.values.clone(), None);
        Host { services: vec![Arc::new(service)], ..domain }
    }

    #[test]
    fn a_service_is_there_as_long_as_its_domain_and_is_no_domain_for_accounts() {
        let served = |host| Known { host: Arc::new(host), origin: HostOrigin::Command, standing: Standing::Served };
        let hosts = hosts().with(served(with_service("c.example", "news.c.example")));
        let service = hosts.service("news.c.example").unwrap();
        assert_eq!(service.at(), At::Service("news"));
        assert_eq!(service.beside.as_ref().unwrap().domain.as_str(), "c.example");
        assert!(hosts.get("news.c.example").is_none() && hosts.answering("news.c.example").is_some());
        assert!(hosts.spoken_for("news.c.example").is_some() && !hosts.is_elsewhere("news.c.example"));
        assert_eq!(hosts.absence("news.c.example"), Condition::HostUnknown);
        assert!(hosts.iter().chain(hosts.all().map(|known| &known.host)).all(|host| host.beside.is_none()));
        let off = Known { standing: Standing::Disabled, ..hosts.known("c.example").unwrap().clone() };
        let off = hosts.with(off);
        assert!(off.service("news.c.example").is_none() && off.spoken_for("news.c.example").is_none());
        assert!(!off.is_elsewhere("news.c.example"), "it is still ours");
        assert_eq!(off.absence("news.c.example"), Condition::HostUnknown);
        assert!(hosts.without("c.example").is_elsewhere("news.c.example"));
    }

    #[test]
    fn a_domain_that_is_known_for_itself_is_nobodys_service() {
        let served = |host| Known { host: Arc::new(host), origin: HostOrigin::Command, standing: Standing::Served };
        let hosts = hosts().with(served(with_service("c.example", "a.example")));
        assert!(hosts.service("a.example").is_none() && hosts.get("a.example").is_some());
        let twice = hosts
            .with(served(with_service("d.example", "x.example")))
            .with(served(with_service("e.example", "x.example")));
        assert_eq!(twice.service("x.example").unwrap().beside.as_ref().unwrap().domain.as_str(), "d.example");
    }

    #[test]
    fn a_certificate_is_for_its_names_and_a_star_is_one_label() {
        let tls = |names: &[&str]| Names(names.iter().map(|name| (*name).into()).collect());
        let exact = tls(&["example.org"]);
        assert!(exact.is_for("example.org") && !exact.is_for("chat.example.org") && !exact.is_for("org"));
        let star = tls(&["*.example.org"]);
        assert!(star.is_for("chat.example.org") && !star.is_for("example.org") && !star.is_for("a.b.example.org"));
        assert!(!tls(&[]).is_for("example.org"));
    }
}
