//! XEP-0065: SOCKS5 Bytestreams, as the proxy of each domain (section 6): who is told where it is, and who may let the bytes of a stream flow.
//! Those who have connected wait in `host::bytestreams`; their connections, and the bytes, are in `net::socks5`.

pub mod settings;


use metronome_host::bytestreams::{NotReady, StreamHash};
use metronome_host::effect::Effect;
use metronome_host::envelope::{Envelope, Sender};
use metronome_host::feature::{Askers, Asks, At, Feature, IqHandler, Service, Xep};
use metronome_host::hosts::Host;
use metronome_host::options::Values;
use metronome_host::refuse::Refuse;
use metronome_host::server::Server;
use metronome_proto::jid::Jid;
use metronome_proto::ns;
use metronome_proto::payload::bytestreams::{Activation, stream_host};
use metronome_proto::stanza::StanzaError;
use metronome_proto::stanza::error::Condition;
use metronome_proto::stanza::iq::IqType;
use metronome_proto::xml::Content;
use sha1::{Digest, Sha1};

use crate::disco::asked_host;

/// See the module.
pub static FEATURE: Feature = Feature {
    name: "proxy65",
    xeps: &[Xep::new(65, "1.8.2", "SOCKS5 Bytestreams")],
    service: Some(&SERVICE),
    iq: &[
        IqHandler {
            kind: IqType::Get,
            at: At::Service(NAME),
            ns: ns::BYTESTREAMS,
            name: "query",
            asks: Asks::Read,
            handle: |server, env| Box::pin(std::future::ready(tell(server, env))),
        },
        IqHandler {
            kind: IqType::Set,
            at: At::Service(NAME),
            ns: ns::BYTESTREAMS,
            name: "query",
            asks: Asks::Read,
            handle: |server, env| Box::pin(std::future::ready(activate(server, env))),
        },
    ],
    settings: settings::SETTINGS,
    check: settings::check,
    ..Feature::NONE
};

/// The short name of the service.
const NAME: &str = "proxy65";

/// The service that each domain has.
pub static SERVICE: Service = Service {
    name: NAME,
    identity: ("proxy", "bytestreams"),
    title: "File Transfer Relay",
    // Nothing without a port: see `announced`.
    disco: &[],
    place: &settings::PLACE,
    // Those of whom it is told connect to it, and need not ask it anything.
    askers: Askers::OwnAccounts,
};

/// Whether any domain has a proxy.
pub fn is_offered(server: &Server) -> bool {
    let hosts = server.hosts.load();
    hosts.iter().any(|host| host.services.iter().any(|service| service.at() == At::Service(NAME)))
}

/// Whether a host is a service of this kind that cannot be used, as nobody could connect.
pub(crate) fn is_idle(server: &Server, host: &Host) -> bool {
    host.at() == At::Service(NAME) && place(server, host).is_none()
}

/// What service discovery tells of the service beside what all have.
pub(crate) fn announced(server: &Server, host: &Host) -> Option<&'static str> {
    (host.at() == At::Service(NAME) && !is_idle(server, host)).then_some(ns::BYTESTREAMS)
}

/// Where those connect who use this service: a host and a port.
fn place(server: &Server, host: &Host) -> Option<(String, u16)> {
    let bound = *server.surroundings.get()?.socks_ports().first()?;
    let port = u16::try_from(host.values.count(&settings::PORT)).ok().filter(|port| *port > 0).unwrap_or(bound);
    let named = host.values.text(&settings::HOST);
    if !named.is_empty() {
        return Some((named.to_owned(), port));
    }
    let domain = host.beside.as_ref()?.domain.domain();
    match domain.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(address) => Some((address.to_owned(), port)),
        None => Some((idna::domain_to_ascii(domain).ok()?, port)),
    }
}

/// Tells where the proxy is (section 4).
fn tell(server: &Server, env: &mut Envelope) -> Result<(), Refuse> {
    let host = asked_host(server, env);
    refuse_strangers(&host.values, env)?;
    let (address, port) = place(server, &host).ok_or(Condition::NotAllowed)?;
    let query = stream_host(&host.name, &address, port);
    env.effects.push(Effect::Reply(env.stanza.result(Content::from_tree(&query))));
    Ok(())
}

/// Lets the bytes of a stream flow (section 6.3.5). That it is the requester's is proved by the hash, which has the address of whoever asks in it.
fn activate(server: &Server, env: &mut Envelope) -> Result<(), Refuse> {
    let host = asked_host(server, env);
    refuse_strangers(&host.values, env)?;
    let query = env.stanza.content.child(ns::BYTESTREAMS, "query").ok_or(Condition::BadRequest)?;
    let Activation { sid, target } = Activation::read(&query)?;
    let target = Jid::parse(&target).map_err(|_| Condition::JidMalformed)?;
    let (requester, now_ms) = (&env.stanza.from, server.clock.steady_ms());
    let terms = settings::terms(&host.values);
    let ready = server.bytestreams.activate(hash(&sid, requester, &target), requester.bare_str(), terms, now_ms);
    let ready = ready.map_err(|why| refusal(why, requester))?;
    env.effects.push(Effect::Reply(env.stanza.result(Content::empty())));
    env.effects.push(Effect::Begin(Box::new(ready)));
    Ok(())
}

/// The proxy works for accounts of this server, and for those elsewhere whom its administrator has named. Not for those of whom nothing is
/// left to complain about.
fn refuse_strangers(values: &Values, env: &Envelope) -> Result<(), Refuse> {
    let may = match &env.sender {
        Sender::Session(session) => !session.is_guest() && !session.is_locked(),
        Sender::Link(_) => settings::is_named(values, &env.stanza.from),
    };
    if may { Ok(()) } else { Err(Condition::Forbidden.into()) }
}

/// What both parties of a stream name when they connect (section 6.3.2).
fn hash(sid: &str, requester: &Jid, target: &Jid) -> StreamHash {
    let digest = Sha1::new().chain_update(sid).chain_update(requester.as_str()).chain_update(target.as_str());
    StreamHash(digest.finalize().into())
}

/// Nobody can tell a hash that does not fit from one that nobody has named.
fn refusal(why: NotReady, requester: &Jid) -> StanzaError {
    let wait = |text: &str| StanzaError::new(Condition::ResourceConstraint).with_text(text);
    match why {
        NotReady::Nobody => StanzaError::new(Condition::ItemNotFound).with_text("Nobody has connected for this stream"),
        NotReady::OneMissing => StanzaError::new(Condition::NotAllowed).with_text("One of the two has not connected"),
        NotReady::ManyOfAccount => wait("You have too many transfers under way"),
        NotReady::Spent => wait("You have had too many bytes carried today"),
        NotReady::Full => {
            tracing::warn!(jid = %requester, "a transfer is refused, since there are too many");
            wait("There are too many transfers under way")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_named_by_the_hash_of_its_name_and_both_addresses() {
        let jid = |text: &str| Jid::parse(text).unwrap();
        // From another implementation of SHA-1.
        let (requester, target) = (jid("requester@example.com/foo"), jid("target@example.org/bar"));
        let expected = "98b8d688d0f5d895fd41c5e7309a2e9e33ba32ff";
        assert_eq!(hash("vxf9n471bn46", &requester, &target).to_string(), expected);
        // Addresses count as they are prepared.
        assert_eq!(hash("vxf9n471bn46", &jid("Requester@EXAMPLE.com/foo"), &target).to_string(), expected);
        assert_ne!(hash("vxf9n471bn46", &target, &requester).to_string(), expected);
    }
}
