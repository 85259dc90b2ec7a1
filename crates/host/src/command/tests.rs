//! Who may run what about whom.

use std::net::{IpAddr, Ipv4Addr};

use metronome_model::{Account, AccountId, AccountState, Role as AccountRole};
use metronome_store::backend::memory;
use serde_json::json;

use super::*;
use crate::feature::{Askers, Service};
use crate::hosts::Host;
use crate::options::{Kind, Setting, Values};
use crate::server::ForTest;
use crate::session::{Bound, Session};

const SETTINGS: &[Setting] = &[OPERATORS];

const fn command(role: Role, fields: &'static [Field]) -> Command {
    let run: Run = |_, given| Box::pin(std::future::ready(Ok(Answer::text(told(&given)))));
    Command { name: "test", about: "A test.", role, does: Does::Tells, fields, run }
}

fn told(given: &Arguments) -> String {
    format!("{given:?} {}", given.jid_if_given("jid").map_or_else(String::new, |jid| jid.to_string()))
}

static OF_USERS: Command = command(Role::User, &[Field::own()]);
static OF_ADMINS: Command = command(
    Role::Admin,
    &[Field::optional("jid", FieldKind::Session, "Who."), Field::optional("host", FieldKind::Domain, "Where.")],
);
static OF_ROOMS: Command = command(
    Role::Admin,
    &[Field::optional("jid", FieldKind::Room, "Which."), Field::optional("at", FieldKind::Service, "Where.")],
);
static OF_OPERATORS: Command = command(Role::Operator, &[Field::optional("jid", FieldKind::Jid, "Who.")]);

fn server() -> Arc<Server> {
    let values = Values::defaults(&[crate::hosts::SETTINGS, SETTINGS]).with(OPERATORS.key, r#"["Root@a.example"]"#);
    let domains = &["a.example", "b.example"];
    let parts = ForTest { opened: memory::open(), values, features: &[], domains, seed: 1 };
    Server::for_test(parts, drop).unwrap()
}

fn account(jid: &Jid, role: AccountRole) -> Account {
    Account {
        id: AccountId::from_bytes([7; 16]),
        host: jid.domain().into(),
        name: jid.local().unwrap().into(),
        role,
        state: AccountState::Active,
        auth_epoch: 0,
        created_ms: 0,
    }
}

fn session(server: &Server, jid: &Jid) -> Arc<Session> {
    let bound = Bound {
        jid: jid.with_resource("x").unwrap(),
        account: AccountId::from_bytes([7; 16]),
        since_ms: 0,
        heard_ms: 0,
        address: IpAddr::V4(Ipv4Addr::LOCALHOST),
        port: 1,
        mechanism: "PLAIN",
    };
    let rules = server.hosts.load().first().bind;
    server.sessions.bind(bound, rules, String::new).unwrap().session
}

fn asker(server: &Server, jid: &str, role: AccountRole, at: &str) -> Option<Asker> {
    let jid = Jid::parse(jid).unwrap();
    let host = server.hosts.load().get(at).unwrap().clone();
    Asker::of(&session(server, &jid), &account(&jid, role), &host)
}

#[test]
fn a_role_counts_where_the_account_is_at_home_and_an_operators_everywhere() {
    let server = server();
    let role = |jid: &str, role, at: &str| asker(&server, jid, role, at).map(|asker| asker.role());
    assert_eq!(role("alice@a.example", AccountRole::User, "a.example"), Some(Role::User));
    assert_eq!(role("alice@a.example", AccountRole::Admin, "a.example"), Some(Role::Admin));
    assert_eq!(role("alice@a.example", AccountRole::Admin, "b.example"), None);
    assert_eq!(role("root@a.example", AccountRole::User, "a.example"), Some(Role::Operator));
    assert_eq!(role("root@a.example", AccountRole::User, "b.example"), Some(Role::Operator));
    assert_eq!(role("root@b.example", AccountRole::User, "b.example"), Some(Role::User), "somebody else's name");
}

#[tokio::test]
async fn who_asks_decides_whom_a_command_may_be_about() {
    let server = server();
    let user = asker(&server, "alice@a.example", AccountRole::User, "a.example").unwrap();
    let admin = asker(&server, "alice@a.example", AccountRole::Admin, "a.example").unwrap();
    let operator = asker(&server, "root@a.example", AccountRole::User, "a.example").unwrap();
    let no = |why: &str| Err(why.to_owned());
    let yes = |what: &str| Ok(what.to_owned());
    let own = r#"["jid"] alice@a.example"#;
    let only = "you may administer a.example only";
    let table = [
        (&user, &OF_USERS, json!({}), yes(own)),
        (&user, &OF_USERS, json!({ "jid": "Alice@a.example" }), yes(own)),
        (&user, &OF_USERS, json!({ "jid": "bob@a.example" }), no("this is for your own account only")),
        (&user, &OF_ADMINS, json!({}), no("`test` needs more rights")),
        (&admin, &OF_USERS, json!({}), yes(own)),
        (&admin, &OF_USERS, json!({ "jid": "bob@a.example" }), yes(r#"["jid"] bob@a.example"#)),
        (&admin, &OF_USERS, json!({ "jid": "bob@b.example" }), no(only)),
        (&admin, &OF_USERS, json!({ "jid": "root@a.example" }), no("root@a.example is an operator's account")),
        (&admin, &OF_ADMINS, json!({}), yes(r#"["host"] "#)),
        (&admin, &OF_ADMINS, json!({ "host": "b.example" }), no(only)),
        (&admin, &OF_ADMINS, json!({ "jid": "bob@a.example/x" }), yes(r#"["host", "jid"] bob@a.example/x"#)),
        (&admin, &OF_ADMINS, json!({ "jid": "bob@b.example/x" }), no(only)),
        (&admin, &OF_ADMINS, json!({ "jid": "ROOT@a.example/x" }), no("root@a.example is an operator's account")),
        (&admin, &OF_OPERATORS, json!({}), no("`test` needs more rights")),
        (&operator, &OF_USERS, json!({}), yes(r#"["jid"] root@a.example"#)),
        (&operator, &OF_ADMINS, json!({ "jid": "bob@b.example" }), yes(r#"["jid"] bob@b.example"#)),
        (&operator, &OF_OPERATORS, json!({ "jid": "root@a.example" }), yes(r#"["jid"] root@a.example"#)),
        (&Asker::Operator, &OF_USERS, json!({}), no("`jid` is missing: The account's address.")),
        (&Asker::Operator, &OF_USERS, json!({ "jid": "bob@b.example" }), yes(r#"["jid"] bob@b.example"#)),
    ];
    for (asker, command, given, expected) in table {
        let serde_json::Value::Object(given) = given else { panic!("an object") };
        let said = format!("{asker:?} {given:?}");
        let result = run(&server, command, asker, given).await;
        let result = result.map(|answer| answer.to_text()).map_err(|failed| failed.message);
        assert_eq!(result, expected, "{said}");
    }
}

#[tokio::test]
async fn an_administrator_asks_for_rooms_of_services_of_its_own_domain() {
    const PLACE: Setting = Setting::new("rooms.service", Kind::Text, "\"rooms\"", "Where it is.");
    static SERVICE: Service =
        Service { name: "rooms", identity: ("a", "b"), title: "", disco: &[], place: &PLACE, askers: Askers::Anybody };
    let server = server();
    let mut hosts = (*server.hosts.load_full()).clone();
    for domain in ["a.example", "b.example"] {
        let mut known = hosts.known(domain).unwrap().clone();
        let mut host = (*known.host).clone();
        let name = Jid::parse(&format!("rooms.{domain}")).unwrap();
        host.services = vec![Arc::new(Host::of_service(name, &SERVICE, &host, host.values.clone(), None))];
        known.host = Arc::new(host);
        hosts = hosts.with(known);
    }
    server.hosts.store(Arc::new(hosts));
    let admin = asker(&server, "alice@a.example", AccountRole::Admin, "a.example").unwrap();
    let only = Err("you may administer a.example and its services only".to_owned());
    let usage = |what: &str| {
        Err(format!("`jid` must be the address of a room like coven@rooms.example.org, and `{what}` is not"))
    };
    let table = [
        (&admin, json!({}), Ok(r#"["at"] "#.to_owned())),
        (&admin, json!({ "at": "rooms.a.example" }), Ok(r#"["at"] "#.to_owned())),
        (&admin, json!({ "at": "rooms.b.example" }), only.clone()),
        (&admin, json!({ "jid": "x@rooms.a.example" }), Ok(r#"["at", "jid"] x@rooms.a.example"#.to_owned())),
        (&admin, json!({ "jid": "x@ROOMS.a.example" }), Ok(r#"["at", "jid"] x@rooms.a.example"#.to_owned())),
        (&admin, json!({ "jid": "x@rooms.b.example" }), only.clone()),
        (&admin, json!({ "jid": "x@elsewhere.example" }), only),
        (&admin, json!({ "jid": "rooms.a.example" }), usage("rooms.a.example")),
        (&admin, json!({ "jid": "x@rooms.a.example/nick" }), usage("x@rooms.a.example/nick")),
        (&Asker::Operator, json!({ "jid": "x@rooms.b.example" }), Ok(r#"["jid"] x@rooms.b.example"#.to_owned())),
    ];
    for (asker, given, expected) in table {
        let serde_json::Value::Object(given) = given else { panic!("an object") };
        let said = format!("{given:?}");
        let result = run(&server, &OF_ROOMS, asker, given).await;
        assert_eq!(result.map(|answer| answer.to_text()).map_err(|failed| failed.message), expected, "{said}");
    }
}
