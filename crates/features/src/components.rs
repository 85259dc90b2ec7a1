//! External components (XEP-0114) as clients and administrators see them: among the services of a host, and in a list with what waits for
//! them, which they also change. Their queues are in `host::components`, their streams in `net`; keeps nothing.

mod changes;

use std::sync::Arc;
use std::time::Duration;

use metronome_host::command::{Answer, Cell, Command, Does, Field, FieldKind, Role};
use metronome_host::components::{NAME, SETTINGS};
use metronome_host::feature::{Feature, Xep};
use metronome_host::hosts::{Host, Hosts};
use metronome_host::server::Server;
use metronome_proto::payload::disco::Item;

const DOMAIN: Field = Field::required("domain", FieldKind::Domain, "The domain of the component.").positional();

const SECRET_FIELD: Field =
    Field::optional("secret", FieldKind::Password, "By what the component proves itself; without it one is made and told.");

/// See the module.
pub static FEATURE: Feature = Feature {
    name: "components",
    xeps: &[Xep::new(114, "1.6", "Jabber Component Protocol")],
    settings: SETTINGS,
    commands: &[
        Command {
            name: "component list",
            about: "Lists the external components: whether they are connected, and what waits for them.",
            role: Role::Operator,
            does: Does::Tells,
            fields: &[],
            run: |server, _| Box::pin(std::future::ready(Ok(list(server)))),
        },
        Command {
            name: "component add",
            about: "Lets a component connect for one more domain, from now on.",
            role: Role::Operator,
            does: Does::Changes,
            fields: &[DOMAIN, SECRET_FIELD],
            run: |server, given| Box::pin(changes::add(server, given)),
        },
        Command {
            name: "component secret",
            about: "Gives a component that was added another secret.",
            role: Role::Operator,
            does: Does::Changes,
            fields: &[DOMAIN, SECRET_FIELD],
            run: |server, given| Box::pin(changes::secret(server, given)),
        },
        Command {
            name: "component remove",
            about: "Ends the streams of a component that was added, and lets it in no more.",
            role: Role::Operator,
            does: Does::Ends,
            fields: &[DOMAIN],
            run: |server, given| Box::pin(changes::remove(server, given)),
        },
    ],
    ..Feature::NONE
};

/// The components among the services of a host: those below its domain, and with the main domain those that are below none. Only those
/// that are connected: clients ask each what it is, and would wait for one that is away.
pub(crate) fn items(server: &Server, host: &Host) -> Vec<Item> {
    let hosts = server.hosts.load();
    let own = hosts.components().filter(|component| home(&hosts, component.name.as_str()) == host.name.as_str());
    let own = own.filter(|component| server.components.of(&component.name).is_connected());
    let item = |component: &Arc<Host>| {
        let name = Some(component.values.text(&NAME).to_owned()).filter(|name| !name.is_empty());
        Item { jid: component.name.clone(), node: None, name }
    };
    own.map(item).collect()
}

/// The domain whose service a component is: the nearest one above it.
fn home<'h>(hosts: &'h Hosts, component: &str) -> &'h str {
    let mut above = component;
    while let Some((_, rest)) = above.split_once('.') {
        if let Some(host) = hosts.get(rest) {
            return host.name.as_str();
        }
        above = rest;
    }
    hosts.first().name.as_str()
}

fn list(server: &Server) -> Answer {
    let now_ms = server.clock.steady_ms();
    let since = |ms: u64| Cell::Span(Duration::from_millis(now_ms.saturating_sub(ms)));
    let row = |host: &Arc<Host>| {
        let report = server.components.of(&host.name).report();
        let mut addresses: Vec<String> = report.streams.iter().map(|(address, _)| address.to_string()).collect();
        addresses.sort();
        addresses.dedup();
        let begun = report.streams.iter().map(|(_, since_ms)| *since_ms).min();
        vec![
            Cell::text(host.name.as_str()),
            Cell::Count(report.streams.len() as u64),
            begun.or(report.away_since_ms).map_or(Cell::None, since),
            if addresses.is_empty() { Cell::None } else { Cell::text(addresses.join(" ")) },
            Cell::Count(report.waiting as u64),
            Cell::Bytes(report.bytes as u64),
        ]
    };
    let rows = server.hosts.load().components().map(row).collect();
    Answer::Table { columns: &["component", "streams", "since", "from", "waiting", "waiting_bytes"], rows }
}

#[cfg(test)]
mod tests {
    use metronome_host::hosts::{Known, Standing};
    use metronome_host::options::Values;
    use metronome_host::registry::Registry;
    use metronome_model::HostOrigin;
    use metronome_proto::jid::Jid;

    use super::*;

    fn values() -> Values {
        Values::defaults(&[metronome_host::hosts::SETTINGS, SETTINGS])
    }

    fn hosts(served: &[&str]) -> Hosts {
        let values = values();
        let host = |name: &&str| Host::new(Jid::parse(name).unwrap(), values.clone(), Arc::new(Registry::new(&[])), None);
        Hosts::new(values.clone(), served.iter().map(host).collect())
    }

    #[test]
    fn a_component_is_a_service_of_the_nearest_domain_above_it() {
        let hosts = hosts(&["main.example", "example", "a.example"]);
        for (component, home_of) in [
            ("irc.a.example", "a.example"),
            ("x.y.a.example", "a.example"),
            ("irc.b.example", "example"),
            ("irc.elsewhere.net", "main.example"),
            ("gateway", "main.example"),
        ] {
            assert_eq!(home(&hosts, component), home_of, "{component}");
        }
    }

    #[test]
    fn routes_lead_to_components_and_never_take_a_domain_of_ours() {
        let hosts = hosts(&["a.example"]);
        let component = |name: &str, routes: &str| {
            let values = values().with("component.routes", routes);
            let host = Host::new(Jid::parse(name).unwrap(), values, Arc::new(Registry::new(&[])), None);
            Known { host: Arc::new(host), origin: HostOrigin::Configuration, standing: Standing::Component }
        };
        let hosts = hosts.with(component("gw.example", r#"["far.example", "a.example", "other.example"]"#));
        let hosts = hosts.with(component("other.example", r#"["far.example"]"#));
        let taken_by = |domain: &str| hosts.component(domain).map(|host| host.name.as_str().to_owned());
        assert_eq!(taken_by("gw.example").as_deref(), Some("gw.example"));
        assert_eq!(taken_by("far.example").as_deref(), Some("gw.example"));
        assert_eq!(taken_by("other.example").as_deref(), Some("other.example"));
        assert_eq!(taken_by("a.example"), None);
        assert!(hosts.is_elsewhere("gw.example") && hosts.is_elsewhere("far.example") && !hosts.is_elsewhere("a.example"));
        assert!(hosts.get("gw.example").is_none() && hosts.spoken_for("gw.example").is_some());
        assert!(hosts.spoken_for("far.example").is_none(), "towards others only its own server speaks for it");
    }
}
