//! The domains of the server as an administrator changes them while it runs: listed, added, removed, switched off and on.
//! What a command decides is stored before it counts, so it survives a restart; the configuration's own domains are read by the
//! binary. Each verb holds `control::Turn` from its first look to its end, so that a reload meanwhile undoes nothing.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use metronome_host::command::{Answer, Arguments, Cell, Command, Does, Failed, Field, FieldKind, Role};
use metronome_host::control::Turn;
use metronome_host::feature::Feature;
use metronome_host::hosts::{Host, Hosts, Known, Standing};
use metronome_host::server::Server;
use metronome_model::{Account, HostOrigin, HostState, Op, Outcome, Record, StoredHost};
use metronome_proto::jid::Jid;

use crate::muc;

/// Most domains of one server; adding one more is refused.
pub(crate) const DOMAINS_MAX: usize = 1000;

const NAME: Field = Field::required("name", FieldKind::Domain, "The domain.").positional();

/// See the module.
pub static FEATURE: Feature = Feature {
    name: "hosts",
    commands: &[
        Command {
            name: "host list",
            about: "Lists the domains of this server.",
            role: Role::Operator,
            does: Does::Tells,
            fields: &[],
            run: |server, _| Box::pin(std::future::ready(Ok(list(server)))),
        },
        Command {
            name: "host add",
            about: "Serves one more domain, from now on.",
            role: Role::Operator,
            does: Does::Changes,
            fields: &[NAME],
            run: |server, given| Box::pin(add(server, given)),
        },
        Command {
            name: "host remove",
            about: "Serves a domain that was added no more, and disconnects everybody there.",
            role: Role::Operator,
            does: Does::Ends,
            fields: &[
                NAME,
                Field::optional(
                    "accounts",
                    FieldKind::Flag,
                    "Deletes its accounts and all that is stored for them too.",
                ),
            ],
            run: |server, given| Box::pin(remove(server, given)),
        },
        Command {
            name: "host enable",
            about: "Serves a domain again that was switched off.",
            role: Role::Operator,
            does: Does::Changes,
            fields: &[NAME],
            run: |server, given| Box::pin(enable(server, given)),
        },
        Command {
            name: "host disable",
            about: "Switches a domain off and disconnects everybody there; everything is kept.",
            role: Role::Operator,
            does: Does::Ends,
            fields: &[NAME],
            run: |server, given| Box::pin(disable(server, given)),
        },
    ],
    ..Feature::NONE
};

fn list(server: &Server) -> Answer {
    let mut sessions: HashMap<String, u64> = HashMap::new();
    for session in server.sessions.all() {
        *sessions.entry(session.jid.domain().to_owned()).or_default() += 1;
    }
    let now_s = i64::try_from(server.clock.unix_ms() / 1000).unwrap_or(i64::MAX);
    let row = |known: &Known| {
        let certificate = known.host.tls.as_ref().map_or(Cell::None, |tls| {
            let left_s = u64::try_from(tls.not_after_s.saturating_sub(now_s)).unwrap_or(0);
            Cell::Span(Duration::from_secs(left_s))
        });
        let name = known.host.name.as_str();
        vec![
            Cell::text(name),
            Cell::text(match known.origin {
                HostOrigin::Configuration => "configuration",
                HostOrigin::Command => "command",
            }),
            Cell::text(known.standing.as_str()),
            Cell::Count(sessions.get(name).copied().unwrap_or(0)),
            certificate,
            if known.host.has_certificate_for_others() { Cell::text("the certificate is not for this domain") } else { Cell::None },
        ]
    };
    let hosts = server.hosts.load();
    let rows = hosts.all().flat_map(|known| std::iter::once(known).chain(services_of(&hosts, known))).map(row).collect();
    Answer::Table { columns: &["host", "origin", "state", "sessions", "certificate_left", "problem"], rows }
}

/// The services of a domain.
fn services_of<'h>(hosts: &'h Hosts, known: &'h Known) -> impl Iterator<Item = &'h Known> {
    let own = |service: &&Known| service.host.beside.as_ref().is_some_and(|beside| beside.domain == known.host.name);
    known.host.services.iter().filter_map(|host| hosts.known(host.name.as_str())).filter(own)
}

async fn add(server: &Arc<Server>, given: Arguments) -> Result<Answer, Failed> {
    let name = given.domain("name");
    let turn = server.control.turn().await;
    let hosts = server.hosts.load_full();
    if let Some(known) = hosts.known(name.as_str()) {
        return Err(there_already(known));
    }
    if hosts.all().count() >= DOMAINS_MAX {
        return Err(Failed::problem(format!("this server has {DOMAINS_MAX} domains already")));
    }
    let host = server.control.process()?.host(server, &name)?;
    if let Some((service, known)) = host.services.iter().find_map(|host| Some((host, hosts.known(host.name.as_str())?))) {
        return Err(taken(&name, service, known));
    }
    if host.tls.as_ref().is_some_and(|tls| !tls.names.is_for(name.as_str())) {
        return Err(Failed::problem(format!("there is a certificate, and it is not for {name}")).with_hint(format!(
            "name the right files in the configuration: [host.\"{name}\".tls] files = {{ cert = \"...\", key = \"...\" }}; \
             then metronomectl reload, and this again"
        )));
    }
    note(server, &name, HostOrigin::Command, HostState::Enabled).await?;
    let known = Known { host: Arc::new(host), origin: HostOrigin::Command, standing: Standing::Served };
    server.serve(&turn, hosts.with(known));
    tracing::info!(host = name.as_str(), "a domain was added");
    Ok(Answer::text(format!("{name} is served")))
}

/// The address of a service of a new domain is in use.
fn taken(domain: &Jid, service: &Host, by: &Known) -> Failed {
    let key = service.beside.as_ref().map_or("", |beside| beside.service.place.key);
    let (section, setting) = key.split_once('.').unwrap_or(("", key));
    there_already(by).with_hint(format!(
        "{domain} would have a service there; another address, or none: [host.\"{domain}\".{section}] {setting} = \"\"; then \
         metronomectl reload, and this again"
    ))
}

pub(crate) fn there_already(known: &Known) -> Failed {
    let name = &known.host.name;
    if let Some(beside) = &known.host.beside {
        let what = format!("{name} is the {} service of {}", beside.service.name, beside.domain);
        return Failed::problem(what).with_hint(format!("{} says where it is", beside.service.place.key));
    }
    match known.standing {
        Standing::Served | Standing::Service => Failed::problem(format!("{name} is served already")),
        Standing::Disabled => Failed::problem(format!("{name} is a domain of this server, and switched off"))
            .with_hint(format!("metronomectl host enable {name}")),
        Standing::NoCertificate => {
            Failed::problem(format!("{name} is a domain of this server, and its certificate cannot be used"))
                .with_hint("the log says why; it is served as soon as the files are right")
        }
        Standing::Unfit => Failed::problem(format!("{name} is a domain of this server, and cannot be served as it is"))
            .with_hint("the log says why; mend it, then metronomectl reload"),
        Standing::Component => {
            let hint = match known.origin {
                HostOrigin::Configuration => {
                    "remove it from `components` of the configuration; then metronomectl reload".to_owned()
                }
                HostOrigin::Command => format!("metronomectl component remove {name}"),
            };
            Failed::problem(format!("{name} is the domain of a component")).with_hint(hint)
        }
    }
}

async fn remove(server: &Arc<Server>, given: Arguments) -> Result<Answer, Failed> {
    let name = given.domain("name");
    let turn = server.control.turn().await;
    let known = find(server, &name)?;
    if known.origin == HostOrigin::Configuration {
        return Err(Failed::problem(format!("the configuration names {name}"))
            .with_hint(format!("remove it there and reload; or metronomectl host disable {name} switches it off")));
    }
    if !given.flag("accounts") && has_accounts(server, &name).await? {
        return Err(Failed::problem(format!("{name} has accounts")).with_hint(format!(
            "metronomectl host remove {name} --accounts deletes them too; metronomectl host disable {name} keeps everything"
        )));
    }
    let own = own_accounts(server, &known).await?;
    if !given.flag("accounts")
        && let Some(domain) = with_nodes(server, &own).await?
    {
        return Err(Failed::problem(format!("nodes of publish-subscribe are stored for {domain}")).with_hint(format!(
            "metronomectl host remove {name} --accounts deletes them too; metronomectl host disable {name} keeps everything"
        )));
    }
    let services: Vec<Jid> = services_of(&server.hosts.load_full(), &known).map(|known| known.host.name.clone()).collect();
    if !given.flag("accounts")
        && let Some(domain) = with_rooms(server, &services).await?
    {
        return Err(Failed::problem(format!("there are rooms at {domain}")).with_hint(format!(
            "metronomectl host remove {name} --accounts deletes them too; metronomectl host disable {name} keeps everything"
        )));
    }
    muc::removal::end_those_in_use(server, &services).await;
    // Nobody gets in any more, also should the rest of this be cut short.
    note(server, &name, HostOrigin::Command, HostState::Disabled).await?;
    put(server, &turn, Known { standing: Standing::Disabled, ..known });
    let deleted = if given.flag("accounts") { delete_accounts(server, &name).await? } else { 0 };
    for account in own {
        crate::accounts::remove(server, &account).await?;
    }
    for service in &services {
        muc::removal::forget_all(server, service).await?;
    }
    committed(&server.commit(Record::of(Op::ForgetHost { name: name.as_str().into() })).await)?;
    let without = server.hosts.load().without(name.as_str());
    server.serve(&turn, without);
    tracing::info!(host = name.as_str(), accounts = deleted, "a domain was removed");
    Ok(Answer::text(match deleted {
        0 => format!("{name} was removed"),
        1 => format!("{name} was removed, and its account deleted"),
        _ => format!("{name} was removed, and its {deleted} accounts deleted"),
    }))
}

async fn enable(server: &Arc<Server>, given: Arguments) -> Result<Answer, Failed> {
    let name = given.domain("name");
    let turn = server.control.turn().await;
    let known = find(server, &name)?;
    if known.standing == Standing::Served {
        return Ok(Answer::text(format!("{name} is served already")));
    }
    let host = Arc::new(server.control.process()?.host(server, &name)?);
    match known.origin {
        // It has a row only while it is switched off.
        HostOrigin::Configuration => {
            committed(&server.commit(Record::of(Op::ForgetHost { name: name.as_str().into() })).await)?;
        }
        HostOrigin::Command => note(server, &name, HostOrigin::Command, HostState::Enabled).await?,
    }
    put(server, &turn, Known { host, standing: Standing::Served, ..known });
    tracing::info!(host = name.as_str(), "a domain was enabled");
    Ok(Answer::text(format!("{name} is served")))
}

async fn disable(server: &Arc<Server>, given: Arguments) -> Result<Answer, Failed> {
    let name = given.domain("name");
    let turn = server.control.turn().await;
    let known = find(server, &name)?;
    if known.standing == Standing::Disabled {
        return Ok(Answer::text(format!("{name} is switched off already")));
    }
    note(server, &name, known.origin, HostState::Disabled).await?;
    put(server, &turn, Known { standing: Standing::Disabled, ..known });
    tracing::info!(host = name.as_str(), "a domain was disabled");
    let served = server.hosts.load().iter().count();
    Ok(Answer::text(match served {
        0 => format!("{name} is switched off; no domain is served now"),
        _ => format!("{name} is switched off"),
    }))
}

fn find(server: &Server, name: &Jid) -> Result<Known, Failed> {
    match server.hosts.load().known(name.as_str()) {
        Some(known) if known.standing == Standing::Component || known.host.beside.is_some() => Err(there_already(known)),
        Some(known) => Ok(known.clone()),
        None => {
            let failed = Failed::problem(format!("{name} is not a domain of this server"));
            Err(failed.with_hint("metronomectl host list"))
        }
    }
}

fn put(server: &Server, turn: &Turn<'_>, known: Known) {
    let hosts = server.hosts.load().with(known);
    server.serve(turn, hosts);
}

async fn note(server: &Server, name: &Jid, origin: HostOrigin, state: HostState) -> Result<(), Failed> {
    let host = Box::new(StoredHost { name: name.as_str().into(), origin, state });
    committed(&server.commit(Record::of(Op::SetHost { host })).await)
}

pub(crate) fn committed(outcome: &Outcome) -> Result<(), Failed> {
    match outcome {
        Outcome::Done { .. } => Ok(()),
        Outcome::Unavailable(why) => Err(Failed::problem(format!("it cannot be stored: {why}"))),
        other => Err(Failed::problem(format!("it cannot be stored: {other:?}"))),
    }
}

async fn has_accounts(server: &Server, name: &Jid) -> Result<bool, Failed> {
    server.store.list(name.as_str(), None, 1).await.map(|page| !page.is_empty()).map_err(unreadable)
}

/// The accounts that a domain and its services have for themselves; nodes belong to them.
async fn own_accounts(server: &Server, known: &Known) -> Result<Vec<Account>, Failed> {
    let hosts = server.hosts.load_full();
    let mut own = Vec::new();
    for known in std::iter::once(known).chain(services_of(&hosts, known)) {
        own.extend(server.store.account_of_domain(known.host.name.as_str()).await.map_err(unreadable)?);
    }
    Ok(own)
}

/// The domain of one of these accounts that has nodes.
async fn with_nodes<'a>(server: &Server, own: &'a [Account]) -> Result<Option<&'a str>, Failed> {
    for account in own {
        if server.store.nodes_usage(account.id).await.map_err(unreadable)?.nodes > 0 {
            return Ok(Some(&account.host));
        }
    }
    Ok(None)
}

/// One of these services that has rooms.
async fn with_rooms<'a>(server: &Server, services: &'a [Jid]) -> Result<Option<&'a Jid>, Failed> {
    for service in services {
        if server.store.rooms_count(service.as_str()).await.map_err(unreadable)? > 0 {
            return Ok(Some(service));
        }
    }
    Ok(None)
}

/// Deletes all accounts of a domain that nobody can connect to any more; answers how many they were.
async fn delete_accounts(server: &Arc<Server>, name: &Jid) -> Result<u64, Failed> {
    const PAGE: usize = 100;
    let mut deleted = 0;
    loop {
        // Always the first page: what was deleted is not in it any more.
        let page = server.store.list(name.as_str(), None, PAGE).await.map_err(unreadable)?;
        if page.is_empty() {
            return Ok(deleted);
        }
        for account in page {
            crate::accounts::remove(server, &account).await?;
            deleted += 1;
        }
    }
}

pub(crate) fn unreadable(error: metronome_store::StoreError) -> Failed {
    Failed::problem(format!("the store cannot be read: {error}"))
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;

    use metronome_host::control::Process;
    use metronome_host::hosts::Host;
    use metronome_host::options::Values;
    use metronome_host::server::{ForTest, only_answer};
    use metronome_model::{AccountId, NodeChange, NodeKind, Unavailable};
    use metronome_store::backend::faults::Faults;
    use metronome_store::backend::memory;
    use serde_json::json;

    use super::*;

    /// A process whose domains need no files.
    struct Plain;

    impl Process for Plain {
        fn reload<'a>(
            &'a self,
            _: &'a Arc<Server>,
        ) -> Pin<Box<dyn Future<Output = Result<String, String>> + Send + 'a>> {
            Box::pin(std::future::ready(Err("nothing to read".to_owned())))
        }

        fn host(&self, server: &Server, name: &Jid) -> Result<Host, Failed> {
            Ok(Host::new(name.clone(), server.hosts.load().values.clone(), server.registry.clone(), None))
        }

        fn component(&self, server: &Server, name: &Jid, _: &str) -> Result<Host, Failed> {
            self.host(server, name)
        }

        fn reopen_logs(&self) -> Result<(), Failed> {
            Ok(())
        }

        fn set_log_level(&self, level: &str) -> Result<String, Failed> {
            Ok(level.to_owned())
        }
    }

    fn server() -> (Arc<Server>, Faults) {
        let (opened, faults) = Faults::wrap(memory::open());
        let values = Values::defaults(&[metronome_host::hosts::SETTINGS]);
        let parts = ForTest { opened, values, features: &[], domains: &["localhost"], seed: 1 };
        let server = Server::for_test(parts, only_answer).unwrap();
        server.control.set_process(Box::new(Plain));
        (server, faults)
    }

    async fn run(server: &Arc<Server>, verb: &str, name: &str) -> Result<Answer, Failed> {
        let command = FEATURE.commands.iter().find(|command| command.name == verb).unwrap();
        let serde_json::Value::Object(given) = json!({ "name": name }) else { unreachable!() };
        (command.run)(server, Arguments::check(command.fields, given)?).await
    }

    fn standing(server: &Server, name: &str) -> Option<Standing> {
        server.hosts.load().known(name).map(|known| known.standing)
    }

    #[tokio::test]
    async fn what_cannot_be_stored_does_not_happen() {
        let (server, faults) = server();
        let refused = |result: Result<Answer, Failed>| {
            assert!(result.unwrap_err().message.starts_with("it cannot be stored: "));
        };
        let fail = || faults.fail_commits(1, Unavailable::DiskFull);
        fail();
        refused(run(&server, "host add", "a.example").await);
        assert_eq!(standing(&server, "a.example"), None);
        run(&server, "host add", "a.example").await.unwrap();
        for name in ["a.example", "localhost"] {
            fail();
            refused(run(&server, "host disable", name).await);
            assert_eq!(standing(&server, name), Some(Standing::Served));
            run(&server, "host disable", name).await.unwrap();
            fail();
            refused(run(&server, "host enable", name).await);
            assert_eq!(standing(&server, name), Some(Standing::Disabled));
            run(&server, "host enable", name).await.unwrap();
        }
        fail();
        refused(run(&server, "host remove", "a.example").await);
        assert_eq!(standing(&server, "a.example"), Some(Standing::Served));
        run(&server, "host remove", "a.example").await.unwrap();
        assert_eq!(server.store.hosts().await.unwrap(), []);
    }

    #[tokio::test]
    async fn a_removed_domain_leaves_no_nodes_to_the_next_one_with_its_name() {
        let (server, _) = server();
        run(&server, "host add", "a.example").await.unwrap();
        let own = Account::of_domain(AccountId::ordinary([7; 16]), "a.example", 5);
        let (kind, config, collections) = (NodeKind::Leaf, Box::default(), Vec::new());
        let create = NodeChange::Create { kind, config, collections, creator: "a.example".parse().unwrap(), at_ms: 5 };
        let node = |change| Op::Node { owner: own.id, name: "news".into(), change: Box::new(change) };
        let mut record = Record::of(Op::AddAccount { account: Box::new(own.clone()), keys: Vec::new() });
        record.push(node(create));
        assert!(server.commit(record).await.is_done());
        let refused = run(&server, "host remove", "a.example").await.unwrap_err();
        assert_eq!(refused.message, "nodes of publish-subscribe are stored for a.example");
        assert_eq!(standing(&server, "a.example"), Some(Standing::Served));
        assert!(server.commit(Record::of(node(NodeChange::Delete))).await.is_done());
        let Answer::Text(answer) = run(&server, "host remove", "a.example").await.unwrap() else { panic!("no text") };
        assert_eq!(answer, "a.example was removed", "its own account is none that anybody has made");
        assert_eq!(server.store.account_of_domain("a.example").await.unwrap(), None);
    }

    #[tokio::test]
    async fn there_is_a_bound_on_domains() {
        let (server, _) = server();
        for number in 1..DOMAINS_MAX {
            run(&server, "host add", &format!("d{number}.example")).await.unwrap();
        }
        let refused = run(&server, "host add", "one-more.example").await.unwrap_err();
        assert_eq!(refused.message, "this server has 1000 domains already");
    }
}
