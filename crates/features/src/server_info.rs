//! XEP-0485: PubSub Server Information: which servers a domain is connected with, in a node of its service, if its administrators want that. The
//! name of another domain stands there only if that one says by service discovery that it wants it too. `route/server_info` asks and publishes.

use std::collections::BTreeMap;
use std::sync::Arc;

use metronome_host::feature::{Feature, Xep};
use metronome_host::hosts::Host;
use metronome_host::linked::{Linked, Way};
use metronome_host::options::{Kind, Setting, Values};
use metronome_host::refuse::Refuse;
use metronome_host::server::Server;
use metronome_proto::jid::Jid;
use metronome_proto::ns;
use metronome_proto::payload::data_form::Field;
use metronome_proto::payload::disco::Info;
use metronome_proto::stanza::Stanza;
use metronome_proto::xml::Tree;

use crate::pubsub;

/// Whether a domain tells.
pub const TOLD: Setting = Setting::new(
    "pubsub.serverinfo",
    Kind::Flag,
    "false",
    "Whether everybody may read, in the node `serverinfo` of the service of the domain, with which servers the domain is connected; and whether \
     other servers may name the domain when they tell the same of themselves. Domains that do not want that are not named.",
)
.per_host();

/// How often.
pub const EVERY: Setting = Setting::new(
    "pubsub.serverinfo_every",
    Kind::Duration,
    "\"10 min\"",
    "How often `serverinfo` is brought up to date.",
)
.per_host()
.within(1000, 24 * 60 * 60 * 1000);

/// The settings of server information.
pub const SETTINGS: &[Setting] = &[TOLD, EVERY];

/// See the module.
pub static FEATURE: Feature = Feature {
    name: "server-info",
    xeps: &[Xep::new(485, "1.0.0", "PubSub Server Information")],
    is_on: told,
    disco: &[ns::SERVER_INFO_DATA],
    settings: SETTINGS,
    ..Feature::NONE
};

/// The node (section 5).
pub const NODE: &str = "serverinfo";

fn told(values: &Values) -> bool {
    values.flag(&TOLD) && !values.text(&pubsub::PLACE).is_empty()
}

/// The service in whose node a domain tells, if it does.
pub fn service(host: &Host) -> Option<&Arc<Host>> {
    let is_pubsub = |service: &&Arc<Host>| service.beside.as_ref().is_some_and(|it| it.service.name == pubsub::SERVICE.name);
    host.services.iter().find(is_pubsub).filter(|_| told(&host.values))
}

/// Where it tells, for the form that says where to reach those who run the server (section 3).
pub(crate) fn field(host: &Host) -> Option<Field> {
    let service = service(host)?;
    Some(Field::untyped("serverinfo-pubsub-node").value(format!("xmpp:{}?;node={NODE}", service.name)))
}

/// A domain that others are connected with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remote {
    /// Its name, if it wants to be named.
    pub name: Option<Jid>,
    /// The direction of each connection: `incoming`, `outgoing` or `bidi`.
    pub connections: Vec<&'static str>,
}

/// The connections of a domain, by the other domain.
pub fn connections(linked: &Linked, local: &Jid) -> BTreeMap<Jid, Vec<&'static str>> {
    let mut remotes: BTreeMap<Jid, Vec<&'static str>> = BTreeMap::new();
    for stream in linked.all() {
        let mut ways: BTreeMap<Jid, (bool, bool)> = BTreeMap::new();
        for served in stream.served().into_iter().filter(|served| served.local == *local) {
            let (is_in, is_out) = ways.entry(served.remote).or_default();
            *is_in |= served.way == Way::In;
            *is_out |= served.way == Way::Out;
        }
        for (remote, way) in ways {
            remotes.entry(remote).or_default().push(match way {
                (true, true) => "bidi",
                (true, false) => "incoming",
                _ => "outgoing",
            });
        }
    }
    remotes.values_mut().for_each(|connections| connections.sort_unstable());
    remotes
}

/// What is published (section 4). Those without a name come last, and their order says nothing.
pub fn tree(domain: &Jid, mut remotes: Vec<Remote>) -> Tree {
    let ns = ns::SERVER_INFO_DATA;
    remotes.sort_by(|one, other| {
        (one.name.is_none(), &one.name, &one.connections).cmp(&(other.name.is_none(), &other.name, &other.connections))
    });
    let connection = |way: &&str| Tree::new(ns, "connection").attr("type", way);
    let remote = |remote: Remote| {
        let name = remote.name.as_ref().map(Jid::as_str);
        Tree::new(ns, "remote-domain").attr_opt("name", name).children(remote.connections.iter().map(connection))
    };
    let federation = Tree::new(ns, "federation").children(remotes.into_iter().map(remote));
    Tree::new(ns, "serverinfo").child(Tree::new(ns, "domain").attr("name", domain.as_str()).child(federation))
}

/// Whether the answer to a question of service discovery says that a domain wants to be named (section 7).
pub fn consents(answer: &Stanza) -> bool {
    let query = answer.child(ns::DISCO_INFO, "query");
    let info = query.and_then(|query| Info::read(&query).ok());
    info.is_some_and(|info| info.features.iter().any(|feature| feature == ns::SERVER_INFO_DATA))
}

/// Publishes it, unless that is what stands there. A node of this name that somebody else has made is left alone.
pub async fn publish(server: &Arc<Server>, service: &Arc<Host>, told: &Tree) -> Result<(), Refuse> {
    pubsub::publish_own(server, service, NODE, "current", told).await
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use metronome_host::linked::{Opened, Secrecy, Served, Stream};

    use super::*;

    fn jid(text: &str) -> Jid {
        Jid::parse(text).unwrap()
    }

    #[test]
    fn a_domain_tells_of_its_own_connections_and_names_those_who_want_it() {
        let linked = Arc::new(Linked::default());
        let enter = |id, served: &[(&str, &str, Way)]| {
            let stream = Stream::new(id, IpAddr::V4(Ipv4Addr::LOCALHOST), Opened::ByUs, Secrecy::Encrypted, 0);
            for (local, remote, way) in served {
                stream.note(Served { local: jid(local), remote: jid(remote), way: *way, proof: "" });
            }
            linked.enter(stream)
        };
        let _entered = [
            enter(1, &[("a.lit", "b.lit", Way::In)]),
            enter(2, &[("a.lit", "b.lit", Way::Out), ("x.lit", "c.lit", Way::Out)]),
            enter(3, &[("a.lit", "d.lit", Way::Out), ("a.lit", "d.lit", Way::In)]),
        ];
        let found = connections(&linked, &jid("a.lit"));
        let remotes = found.into_iter().map(|(remote, connections)| Remote {
            name: Some(remote).filter(|remote| remote.as_str() == "d.lit"),
            connections,
        });
        let written = String::from_utf8(tree(&jid("a.lit"), remotes.collect()).to_vec("")).unwrap();
        assert_eq!(
            written,
            "<serverinfo xmlns='urn:xmpp:serverinfo:0'><domain name='a.lit'><federation><remote-domain name='d.lit'>\
             <connection type='bidi'/></remote-domain><remote-domain><connection type='incoming'/><connection type='outgoing'/>\
             </remote-domain></federation></domain></serverinfo>"
        );
    }
}
