//! XEP-0215: External Service Discovery: relays of calls and other services beside XMPP, with passwords for a while that the relay can check
//! by itself, since it knows the same secret. Keeps nothing.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use metronome_host::effect::Effect;
use metronome_host::envelope::Envelope;
use metronome_host::feature::{Asks, At, Feature, IqHandler, Xep};
use metronome_host::options::{Kind, Setting, Unfit, Values};
use metronome_host::refuse::Refuse;
use metronome_host::server::Server;
use metronome_model::AccountId;
use metronome_proto::ns;
use metronome_proto::payload::external_services::{Asked, Credentials, Service, credentials, services};
use metronome_proto::stanza::error::Condition;
use metronome_proto::stanza::iq::IqType;
use metronome_proto::xml::Content;
use metronome_sasl::Hash;

use crate::disco::asked_host;
use crate::hex::hex;

/// Which services there are.
pub const URIS: Setting = Setting::new(
    "external_services.uris",
    Kind::List,
    "[]",
    "Services beside XMPP that clients are told of, as URIs such as `\"stun:stun.example.org\"`, `\"turn:turn.example.org:3478?transport=udp\"` \
     or `\"turns:turn.example.org:5349\"`.",
)
.per_host();

/// What the relays know as well.
pub const SECRET: Setting = Setting::new(
    "external_services.secret",
    Kind::Text,
    "\"\"",
    "The secret that this server shares with the TURN relays (`static-auth-secret` of coturn): accounts get passwords for a while that are \
     made with it. Without one they get none.",
)
.secret()
.per_host();

/// How long a password counts.
pub const LIFETIME: Setting = Setting::new(
    "external_services.lifetime",
    Kind::Duration,
    "\"12 h\"",
    "How long a password for a relay counts.",
)
.within(60_000, 30 * 86_400_000)
.per_host();

/// The settings of external services.
pub const SETTINGS: &[Setting] = &[URIS, SECRET, LIFETIME];

/// See the module.
pub static FEATURE: Feature = Feature {
    name: "external-services",
    xeps: &[Xep::new(215, "1.0.0", "External Service Discovery")],
    disco: &[ns::EXTERNAL_SERVICES, ns::EXTERNAL_SERVICES_1],
    is_on: |values| !values.list(&URIS).is_empty(),
    iq: &[
        handler(ns::EXTERNAL_SERVICES, "services"),
        handler(ns::EXTERNAL_SERVICES, "credentials"),
        handler(ns::EXTERNAL_SERVICES_1, "services"),
        handler(ns::EXTERNAL_SERVICES_1, "credentials"),
    ],
    settings: SETTINGS,
    check,
    ..Feature::NONE
};

const fn handler(ns: &'static str, name: &'static str) -> IqHandler {
    IqHandler {
        kind: IqType::Get,
        at: At::Host,
        ns,
        name,
        asks: Asks::Snapshot,
        handle: |server, env| Box::pin(std::future::ready(answer(server, env))),
    }
}

fn answer(server: &Arc<Server>, env: &mut Envelope) -> Result<(), Refuse> {
    let host = asked_host(server, env);
    let session = env.sender.session()?;
    let known = known(&host.values);
    if known.is_empty() {
        return Err(Condition::ServiceUnavailable.into());
    }
    let child = env.stanza.content.iter().next().ok_or(Condition::BadRequest)?;
    let (version, now_s) = (child.ns(), server.clock.unix_ms() / 1000);
    // A relay carries what costs its domain: not for people of others, nor for those of whom nothing is left to complain about.
    let is_own = session.jid.domain() == host.name.domain() && !session.is_guest() && !session.is_locked();
    let own = is_own.then(|| made(&host.values, session.account, now_s)).flatten();
    let told = |service: Service| {
        let credentials = own.clone().filter(|_| is_relay(&service));
        Service { credentials, ..service }.tree(version, now_s)
    };
    let tree = match Asked::read(&child)? {
        Asked::Services(kind) => {
            let wanted = known.into_iter().filter(|service| kind.as_ref().is_none_or(|kind| *kind == service.kind));
            services(version, kind.as_deref(), wanted.map(told))
        }
        Asked::Credentials { host, kind, port } => {
            let is_meant = |service: &Service| {
                service.host == host && service.kind == kind && (port.is_none() || service.port == port)
            };
            let meant: Vec<_> = known.into_iter().filter(|service| is_meant(service) && is_relay(service)).collect();
            if meant.is_empty() {
                return Err(Condition::ItemNotFound.into());
            }
            if own.is_none() {
                return Err(Condition::NotAuthorized.into());
            }
            credentials(version, meant.into_iter().map(told))
        }
    };
    env.effects.push(Effect::Reply(env.stanza.result(Content::from_tree(&tree))));
    Ok(())
}

/// Whether the shared secret opens it.
fn is_relay(service: &Service) -> bool {
    matches!(service.kind.as_str(), "turn" | "turns")
}

/// A password that a relay takes until then: base64 of HMAC-SHA-1 with the secret over the name, which begins with the time. The rest of
/// the name lets the relay tell accounts apart, and nobody else knows whose it is.
fn made(values: &Values, account: AccountId, now_s: u64) -> Option<Credentials> {
    let secret = values.text(&SECRET).as_bytes();
    if secret.is_empty() {
        return None;
    }
    let expires_s = now_s + values.duration(&LIFETIME).as_secs();
    let whose = Hash::Sha256.hmac(secret, &[b"account", account.as_bytes()]);
    let username = format!("{expires_s}:{}", hex(&whose.expose()[..8]));
    let password = password(secret, &username);
    Some(Credentials { username, password, expires_s })
}

fn password(secret: &[u8], username: &str) -> String {
    STANDARD.encode(Hash::Sha1.hmac(secret, &[username.as_bytes()]).expose())
}

fn known(values: &Values) -> Vec<Service> {
    values.list(&URIS).iter().filter_map(|uri| read(uri)).collect()
}

/// `turn:host:port?transport=udp` (RFC 7064, RFC 7065), with any type.
fn read(uri: &str) -> Option<Service> {
    let (kind, rest) = uri.split_once(':')?;
    let (place, query) = rest.split_once('?').map_or((rest, None), |(place, query)| (place, Some(query)));
    let transport = match query {
        Some(query) => Some(query.strip_prefix("transport=").filter(|transport| matches!(*transport, "udp" | "tcp"))?),
        None if kind.ends_with('s') => Some("tcp"),
        None if matches!(kind, "stun" | "turn") => Some("udp"),
        None => None,
    };
    let (host, port) = match place.strip_prefix('[') {
        Some(place) => {
            let (host, port) = place.split_once(']')?;
            host.parse::<std::net::Ipv6Addr>().ok()?;
            (host, if port.is_empty() { None } else { Some(port.strip_prefix(':')?) })
        }
        None => place.split_once(':').map_or((place, None), |(host, port)| (host, Some(port))),
    };
    let is_kind = !kind.is_empty() && kind.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let is_host = !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".:-_".contains(&byte));
    let port = match port {
        Some(port) => Some(port.parse().ok().filter(|port| *port > 0)?),
        None => None,
    };
    let (kind, host, transport) = (kind.to_owned(), host.to_owned(), transport.map(str::to_owned));
    (is_kind && is_host).then_some(Service { kind, host, port, transport, credentials: None })
}

fn check(values: &Values) -> Result<(), Unfit> {
    let wrong = values.list(&URIS).iter().find(|uri| read(uri).is_none());
    wrong.map_or(Ok(()), |wrong| {
        Err(Unfit {
            setting: &URIS,
            message: format!("`{wrong}` is not the address of a service"),
            hint: "write it like \"turn:turn.example.org:3478?transport=udp\"",
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(uri: &str) -> Option<(String, String, Option<u16>, Option<String>)> {
        read(uri).map(|service| (service.kind, service.host, service.port, service.transport))
    }

    fn service(kind: &str, host: &str, port: Option<u16>, transport: &str) -> Option<(String, String, Option<u16>, Option<String>)> {
        Some((kind.into(), host.into(), port, Some(transport.into())))
    }

    #[test]
    fn a_service_is_written_as_a_uri() {
        assert_eq!(parts("stun:stun.example.org"), service("stun", "stun.example.org", None, "udp"));
        assert_eq!(parts("turn:a.example:3478?transport=tcp"), service("turn", "a.example", Some(3478), "tcp"));
        assert_eq!(parts("turns:192.0.2.1:5349"), service("turns", "192.0.2.1", Some(5349), "tcp"));
        assert_eq!(parts("turn:[2001:db8::1]:3478"), service("turn", "2001:db8::1", Some(3478), "udp"));
        assert_eq!(parts("turn:[2001:db8::1]"), service("turn", "2001:db8::1", None, "udp"));
        let wrong = ["", "turn", "turn:", "turn:a b", "turn:a:0", "turn:a:x", "turn:a?transport=sctp", ":a", "turn:[a]", "turn:<a>"];
        for uri in wrong {
            assert_eq!(parts(uri), None, "{uri}");
        }
        let values = Values::defaults(&[SETTINGS]);
        assert!(check(&values.with("external_services.uris", r#"["stun:a"]"#)).is_ok());
        assert!(check(&values.with("external_services.uris", r#"["stun:a", "b"]"#)).is_err());
    }

    #[test]
    fn a_password_is_one_that_relays_make_of_the_name_as_well() {
        // From another implementation of HMAC.
        assert_eq!(password(b"north", "1700086400:x"), "dM2kZWP1gnQibA97RNO4HmmcFDw=");
        let values = Values::defaults(&[SETTINGS]);
        let (one, other) = (AccountId::ordinary([1; 16]), AccountId::ordinary([2; 16]));
        assert_eq!(made(&values, one, 1_700_000_000), None);
        let values = values.with("external_services.secret", "\"north\"").with("external_services.lifetime", "\"1 d\"");
        let own = made(&values, one, 1_700_000_000).unwrap();
        assert_eq!(own.expires_s, 1_700_086_400);
        assert!(own.username.starts_with("1700086400:"), "{}", own.username);
        assert_eq!(own.password, password(b"north", &own.username));
        assert_ne!(made(&values, other, 1_700_000_000).unwrap().username, own.username);
    }
}
