//! A feature is a value: what it announces, answers, configures and lets an administrator do.
//! One `FEATURE` per XEP or duty, collected in `features`; everything that is advertised derives from it.

use std::net::IpAddr;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use metronome_proto::jid::Jid;
use metronome_proto::payload::data_form::DataForm;
use metronome_proto::stanza::iq::IqType;
use metronome_proto::xml::{Child, Tree};

use crate::command::Command;
use crate::envelope::Envelope;
use crate::hosts::Host;
use crate::options::{Setting, Unfit, Values};
use crate::refuse::Refuse;
use crate::server::Server;
use crate::session::Session;

/// One XEP or duty of the server.
#[derive(Debug)]
pub struct Feature {
    /// Its short name.
    pub name: &'static str,
    /// The specifications it implements.
    pub xeps: &'static [Xep],
    /// What service discovery says that the host is, beside a server: category and type.
    pub identities: &'static [(&'static str, &'static str)],
    /// Namespaces that service discovery announces for the host.
    pub disco: &'static [&'static str],
    /// Namespaces that service discovery announces for an account.
    pub disco_account: &'static [&'static str],
    /// Namespaces that service discovery announces for every service beside the accounts.
    pub disco_services: &'static [&'static str],
    /// A service that each domain has because of it.
    pub service: Option<&'static Service>,
    /// Whether a host has it: where not, service discovery announces nothing of it.
    pub is_on: fn(&Values) -> bool,
    /// Forms that service discovery shows for the host (XEP-0128).
    pub disco_forms: &'static [DiscoForm],
    /// What it announces on a stream.
    pub stream: &'static [StreamFeature],
    /// What a client may ask for while it binds (XEP-0386).
    pub bind2: &'static [Inline],
    /// Requests it answers.
    pub iq: &'static [IqHandler],
    /// Options it reads.
    pub settings: &'static [Setting],
    /// Finds values of its options that are of the right kind and cannot be worked with; asked before a configuration is put into
    /// force, once for each host.
    pub check: fn(&Values) -> Result<(), Unfit>,
    /// What an administrator can do with it.
    pub commands: &'static [Command],
}

impl Feature {
    /// A feature that does nothing, to be filled by struct update.
    pub const NONE: Feature = Feature {
        name: "",
        xeps: &[],
        identities: &[],
        disco: &[],
        disco_account: &[],
        disco_services: &[],
        service: None,
        is_on: |_| true,
        disco_forms: &[],
        stream: &[],
        bind2: &[],
        iq: &[],
        settings: &[],
        check: |_| Ok(()),
        commands: &[],
    };
}

/// A specification and how far it is met.
#[derive(Debug, Clone, Copy)]
pub struct Xep {
    /// Its number.
    pub number: u16,
    /// The version that was implemented.
    pub version: &'static str,
    /// Its title.
    pub title: &'static str,
}

impl Xep {
    /// XEP `number` in the version that was read.
    pub const fn new(number: u16, version: &'static str, title: &'static str) -> Xep {
        Xep { number, version, title }
    }
}

/// A service that a domain has beside its accounts, at a domain of its own. Nobody has an account or logs in there, and nothing of what
/// the domain does for accounts is announced or answered.
#[derive(Debug)]
pub struct Service {
    /// Its short name, under which requests to it are registered ([`At::Service`]).
    pub name: &'static str,
    /// What service discovery says that it is: category and type.
    pub identity: (&'static str, &'static str),
    /// What clients show.
    pub title: &'static str,
    /// Namespaces that service discovery announces for it.
    pub disco: &'static [&'static str],
    /// Says where it is: a [`Kind::Text`](crate::options::Kind::Text) for each host, read by [`Service::address`].
    pub place: &'static Setting,
    /// Whom it is for.
    pub askers: Askers,
}

/// Whom a service is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Askers {
    /// Anybody; other servers come to it on streams of their own, and are shown its certificate.
    Anybody,
    /// Accounts of this server, who ask over the streams that they have: nobody has to be shown a certificate of it.
    OwnAccounts,
}

impl Service {
    /// The domain at which `domain` has the service: its setting is a label that is put before the domain, a whole name if there is a dot
    /// in it, or nothing where there is to be no such service. Below an IP address there is none unless it has a name.
    pub fn address(&self, domain: &Jid, values: &Values) -> Result<Option<Jid>, Unfit> {
        let place = values.text(self.place);
        let is_label = !place.contains('.');
        if place.is_empty() || (is_label && domain.domain().trim_matches(['[', ']']).parse::<IpAddr>().is_ok()) {
            return Ok(None);
        }
        let name = if is_label { format!("{place}.{domain}") } else { place.to_owned() };
        match Jid::parse(&name) {
            Ok(jid) if jid.is_domain() && jid != *domain => Ok(Some(jid)),
            _ => Err(Unfit {
                setting: self.place,
                message: format!("the {} service of {domain} cannot be at `{name}`", self.name),
                hint: "write a label such as \"pubsub\", a whole domain name, or \"\" for no such service",
            }),
        }
    }
}

/// Makes a form that service discovery shows for a host; none where there is nothing to tell.
pub type DiscoForm = fn(&Server, &Host) -> Option<DataForm>;

/// Something that a stream's features announce (RFC 6120 section 4.3.2).
#[derive(Debug)]
pub struct StreamFeature {
    /// On which streams.
    pub when: StreamState,
    /// The element; none where the host does not offer it.
    pub announce: fn(&Server, &Host) -> Option<Tree>,
}

/// Something that a client may ask for inside of its request to bind a resource (XEP-0386 section 3.2).
#[derive(Debug)]
pub struct Inline {
    /// The namespace of the element, which is also what is announced.
    pub ns: &'static str,
    /// The name of the element.
    pub name: &'static str,
    /// Gives the new session what was asked for; nobody but its client has heard of it yet. What it returns stands in the answer.
    pub ask: fn(&Arc<Server>, &Arc<Session>, &Child<'_>) -> Option<Tree>,
}

/// How far a stream has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StreamState {
    /// The client has not logged in, and what it sends cannot be read on its way (or the host lets clients in without TLS).
    Secured,
    /// It has logged in and binds a resource.
    Authenticated,
}

/// Where a request must be addressed for a handler to answer it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum At {
    /// The host's domain.
    Host,
    /// The sender's own account: its bare JID, or no address at all.
    OwnAccount,
    /// The bare JID of another account of ours, which exists and is active: `Envelope::destination` has its id. Whether the sender
    /// may know what it asks for is the handler's business.
    Account,
    /// The domain of any service, unless a handler for that service answers.
    Services,
    /// The domain of a service of this name ([`Service::name`]).
    Service(&'static str),
    /// The bare address of a room, whether it is there or not. What no handler answers here is answered by the room.
    Room,
}

/// How a request stands to others of its stream (RFC 6120 section 10.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asks {
    /// Answered from the host's snapshot alone: waits for nothing.
    Snapshot,
    /// Reads stored data: in order with other stanzas to its address.
    Read,
    /// Changes the sender's own account: everything before it is settled first, and everything behind it waits.
    Change,
}

/// Admits one kind of request: fills the envelope's record and effects, or refuses.
pub type Handle = for<'a> fn(&'a Arc<Server>, &'a mut Envelope) -> BoxFuture<'a, Result<(), Refuse>>;

/// One row of the table of requests.
#[derive(Debug)]
pub struct IqHandler {
    /// `Get` or `Set`.
    pub kind: IqType,
    /// Where it must be addressed.
    pub at: At,
    /// Namespace of the payload.
    pub ns: &'static str,
    /// Name of the payload.
    pub name: &'static str,
    /// How it is ordered.
    pub asks: Asks,
    /// The handler.
    pub handle: Handle,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::Kind;

    const PLACE: Setting = Setting::new("pubsub.service", Kind::Text, "\"pubsub\"", "Where it is.");

    #[test]
    fn a_service_is_below_its_domain_or_at_a_name_of_its_own_or_nowhere() {
        let service = Service {
            name: "pubsub",
            identity: ("pubsub", "service"),
            title: "",
            disco: &[],
            place: &PLACE,
            askers: Askers::Anybody,
        };
        let at = |place: &str, domain: &str| {
            let values = Values::defaults(&[&[PLACE]]).with("pubsub.service", &format!("{place:?}"));
            let address = service.address(&Jid::parse(domain).unwrap(), &values);
            address.map(|jid| jid.map(|jid| jid.to_string())).map_err(|unfit| unfit.message)
        };
        assert_eq!(at("pubsub", "a.example").unwrap().as_deref(), Some("pubsub.a.example"));
        assert_eq!(at("News", "a.example").unwrap().as_deref(), Some("news.a.example"));
        assert_eq!(at("news.b.example", "a.example").unwrap().as_deref(), Some("news.b.example"));
        assert_eq!(at("", "a.example"), Ok(None));
        assert_eq!(at("pubsub", "127.0.0.1"), Ok(None));
        assert_eq!(at("pubsub", "[::1]"), Ok(None));
        for wrong in ["a b", "a@b.example", "b.example/x", "a.example"] {
            assert!(at(wrong, "a.example").unwrap_err().starts_with("the pubsub service of a.example"), "{wrong}");
        }
    }
}
