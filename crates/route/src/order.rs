//! The order of a stream's stanzas (RFC 6120 section 10.1): which of them must wait for which.

use std::hash::{DefaultHasher, Hash, Hasher};

use metronome_host::feature::{Asks, At};
use metronome_host::server::Server;
use metronome_proto::stanza::{Kind, Stanza};

/// What a stanza waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// For nothing: it is answered from the host's snapshot alone.
    Free,
    /// For everything before it, and everything behind it waits for it.
    All,
    /// For those before it to the same bare address, told by its hash: two addresses with one hash merely wait more.
    To(u64),
}

/// The order of a stanza of one of our clients. No `to` means the own account.
pub(crate) fn of(server: &Server, stanza: &Stanza) -> Order {
    let address = stanza.to.as_ref().unwrap_or(&stanza.from).bare_str();
    match stanza.kind {
        Kind::Presence(_) if stanza.to.is_none() => Order::All,
        Kind::Iq(kind) => {
            let at = match stanza.to.as_ref().filter(|to| to.is_domain()) {
                Some(to) => server.hosts.load().service(to.as_str()).map_or(At::Host, |host| host.at()),
                None => At::OwnAccount,
            };
            let to_client = stanza.to.as_ref().is_some_and(|to| to.is_full());
            let own = (address == stanza.from.bare_str() && !to_client) || at != At::OwnAccount;
            let payload = stanza.content.iter().next();
            let handler =
                payload.filter(|_| own).and_then(|payload| server.registry.iq(at, kind, payload.ns(), payload.name()));
            match handler.map(|handler| handler.asks) {
                Some(Asks::Snapshot) => Order::Free,
                Some(Asks::Change) => Order::All,
                Some(Asks::Read) | None => to(address),
            }
        }
        _ => to(address),
    }
}

/// The order of a stanza from another server: that of its sender towards its recipient.
pub(crate) fn of_remote(server: &Server, stanza: &Stanza) -> Order {
    match of(server, stanza) {
        Order::Free => Order::Free,
        _ => {
            let mut hasher = DefaultHasher::new();
            stanza.from.bare_str().hash(&mut hasher);
            stanza.to.as_ref().map(|to| to.bare_str()).hash(&mut hasher);
            Order::To(hasher.finish())
        }
    }
}

fn to(address: &str) -> Order {
    let mut hasher = DefaultHasher::new();
    address.hash(&mut hasher);
    Order::To(hasher.finish())
}

#[cfg(test)]
mod tests {
    use metronome_host::envelope::{Destination, Envelope, Sender};
    use metronome_host::options::{Setting, Values};
    use metronome_host::server::ForTest;
    use metronome_host::session::Bound;
    use metronome_proto::jid::Jid;
    use metronome_proto::ns;
    use metronome_proto::stanza::Received;
    use metronome_proto::xml::{Item, Limits, Scanner};
    use metronome_store::backend::memory;

    use super::*;

    const FROM: &str = "alice@localhost/a";
    const PING: &str = "<ping xmlns='urn:xmpp:ping'/>";

    fn server() -> std::sync::Arc<Server> {
        let features = metronome_features::ALL;
        let tables: Vec<&'static [Setting]> = features.iter().map(|feature| feature.settings).collect();
        let values = Values::defaults(&tables);
        let parts = ForTest { opened: memory::open(), values, features, domains: &["localhost"], seed: 1 };
        Server::for_test(parts, drop).unwrap()
    }

    fn stanza(xml: &str) -> Stanza {
        let mut scanner = Scanner::new(Limits::CLIENT);
        let text = format!("<stream:stream xmlns='jabber:client' xmlns:stream='{}'>{xml}", ns::STREAMS);
        let mut bytes = text.as_bytes();
        let Ok(Some(Item::Open(_))) = scanner.next(&mut bytes) else { panic!("a stream") };
        let Ok(Some(Item::Element(element))) = scanner.next(&mut bytes) else { panic!("{xml} is one stanza") };
        Received::read(element, ns::CLIENT).unwrap().stamp(Jid::parse(FROM).unwrap())
    }

    #[test]
    fn each_stanza_waits_for_what_its_effect_depends_on() {
        let server = server();
        let iq = |to: &str, payload: &str| format!("<iq type='get' id='i' {to}>{payload}</iq>");
        let disco = "<query xmlns='http://jabber.org/protocol/disco#info'/>";
        let own = super::to("alice@localhost");
        let bob = super::to("bob@localhost");
        let table = [
            ("<presence/>".to_owned(), Order::All),
            ("<presence type='unavailable'/>".to_owned(), Order::All),
            ("<presence to='bob@localhost'/>".to_owned(), bob),
            ("<message to='bob@localhost'/>".to_owned(), bob),
            ("<message to='bob@localhost/x'/>".to_owned(), bob),
            ("<message to='bob@localhost/y' type='headline'/>".to_owned(), bob),
            ("<message/>".to_owned(), own),
            ("<message to='alice@localhost/other'/>".to_owned(), own),
            (iq("to='localhost'", PING), Order::Free),
            (iq("to='localhost'", disco), Order::Free),
            (iq("to='localhost'", "<query xmlns='jabber:iq:version'/>"), Order::Free),
            // What the host does not know is refused in its order.
            (iq("to='localhost'", "<query xmlns='urn:example:unknown'/>"), super::to("localhost")),
            (iq("", PING), own),
            (iq("to='alice@localhost'", disco), own),
            (iq("to='bob@localhost'", PING), bob),
            (iq("to='bob@localhost/x'", disco), bob),
        ];
        for (xml, order) in table {
            assert_eq!(of(&server, &stanza(&xml)), order, "{xml}");
        }
    }

    #[test]
    fn an_address_tells_its_destination() {
        let server = server();
        let bound = Bound {
            jid: Jid::parse(FROM).unwrap(),
            account: metronome_model::AccountId::from_bytes([1; 16]),
            since_ms: 0,
            heard_ms: 0,
            address: std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST),
            port: 5,
            mechanism: "PLAIN",
        };
        let host = server.hosts.load().first().clone();
        let sender = server.sessions.bind(bound, host.bind, String::new).unwrap().session;
        let table = [
            ("", Destination::OwnAccount),
            ("to='alice@localhost'", Destination::OwnAccount),
            ("to='alice@localhost/b'", Destination::OwnAccount),
            ("to='localhost'", Destination::Host),
            ("to='localhost/x'", Destination::Host),
            ("to='LOCALHOST'", Destination::Host),
            ("to='bob@localhost'", Destination::Account(None)),
            ("to='bob@localhost/x'", Destination::Account(None)),
            ("to='bob@elsewhere.example'", Destination::Remote),
            ("to='localhost.example'", Destination::Remote),
        ];
        for (to, destination) in table {
            let mut env =
                Envelope::new(host.clone(), Sender::Session(sender.clone()), stanza(&format!("<message {to}/>")), None);
            crate::destination::resolve(&server, &mut env);
            assert_eq!(env.destination, destination, "{to}");
        }
    }
}
