//! Domains that are added, removed, switched off and on while clients are connected (RFC 6120 sections 4.9.3.5 and 4.9.3.6).

use metronome_testkit::{Backend, Client, Sasl, Server, Setup, WAIT};
use serde_json::{Value, json};

const THIRD: &str = "third.example";

/// A server with `localhost` and `second.example`, and a certificate for `third.example`, which it does not serve.
fn server() -> Server {
    let server = Setup::default().domain("second.example").account("dave@second.example").start();
    name_files(&server, THIRD, "");
    server
}

/// The files of a domain's certificate in the configuration, which is read again; `more` stands before them.
fn name_files(server: &Server, domain: &str, more: &str) {
    let (cert, key) = server.certificates().issue(domain);
    server.write_options(&format!("{more}\n[host.\"{domain}\".tls.files]\ncert = {cert:?}\nkey = {key:?}\n"));
    server.control().run("reload", json!({}));
}

fn host(server: &Server, verb: &str, name: &str) -> Value {
    server.control().ask(&format!("host {verb}"), json!({ "name": name }))
}

#[track_caller]
fn done(reply: &Value) {
    assert_eq!(reply["exit"], 0, "{reply}");
}

#[track_caller]
fn refused(reply: &Value, why: &str) {
    assert_eq!(reply["exit"], 1, "{reply}");
    assert!(reply["message"].as_str().unwrap().contains(why), "{reply}");
}

/// `domain origin state` of each domain; their services come and go with them.
fn list(server: &Server) -> Vec<String> {
    let list = server.control().run("host list", json!({}));
    let row = |row: &Value| {
        let cell = |name: &str| row[name].as_str().unwrap_or("-").to_owned();
        format!("{} {} {}", cell("host"), cell("origin"), cell("state"))
    };
    list.as_array().unwrap().iter().filter(|row| !is_service(row)).map(row).collect()
}

pub(crate) fn is_service(row: &Value) -> bool {
    row["host"]
        .as_str()
        .is_some_and(|host| ["proxy.", "pubsub.", "rooms.", "upload."].iter().any(|service| host.starts_with(service)))
}

fn login(server: &Server, domain: &str, name: &str) -> Client {
    let mut client = server.dial().domain(domain).direct();
    client.log_in(name, "phone");
    client
}

/// What a new stream to `domain` hears, with STARTTLS and with direct TLS.
fn hears(server: &Server, domain: &str, condition: &str) {
    let dial = server.dial().domain(domain);
    for mut client in [dial.clear(), dial.server_name("localhost").direct()] {
        client.send(&Client::header(domain));
        client.expect_stream_error(condition);
    }
}

#[test]
fn a_domain_is_added_while_the_server_runs_and_stays() {
    let mut server = server();
    let mut alice = Client::login(&server, "alice", "phone");
    hears(&server, THIRD, "host-unknown");
    done(&host(&server, "add", THIRD));
    server.control().add_user("erin@third.example");
    let mut erin = login(&server, THIRD, "erin");
    erin.available();
    alice.send("<message to='erin@third.example' type='chat' id='m1'><body>welcome</body></message>");
    erin.expect("<message id='m1' from='alice@localhost/phone'><body>welcome</body>");
    drop((alice, erin));
    for stop in [Server::restart as fn(&mut Server), Server::crash] {
        stop(&mut server);
        assert!(list(&server).contains(&"third.example command enabled".to_owned()), "{:?}", list(&server));
        login(&server, THIRD, "erin").expect_nothing_before_ping();
    }
    server.control().run("reload", json!({}));
    login(&server, THIRD, "erin").expect_nothing_before_ping();
}

#[test]
fn what_is_not_a_domain_or_is_there_already_is_not_added() {
    let server = Setup::default().store(Backend::Memory).domain("second.example").start();
    let before = list(&server);
    for wrong in [
        "",
        " ",
        ".",
        "..",
        "a..b",
        "a b.example",
        "alice@localhost",
        "localhost/x",
        "a\u{7}.example",
        "a\n.example",
        "a\u{0}",
        "<x>.example",
        "a&b.example",
        "2001:db8::1",
        "[2001:db8::1",
        "[::g]",
        "\u{202e}example.org",
        "a\u{2488}com",
        "xn--a.example",
        &"a.".repeat(600),
    ] {
        let reply = host(&server, "add", wrong);
        assert_eq!(reply["exit"], 2, "{wrong:?}: {reply}");
        let text = reply["message"].as_str().unwrap();
        assert!(text.starts_with("`name` "), "{wrong:?}: {text}");
    }
    for there in ["localhost", "LOCALHOST", "localhost.", "second.example", "Second.Example", "\u{ff53}econd.example"] {
        refused(&host(&server, "add", there), "is served already");
    }
    for verb in ["remove", "enable", "disable"] {
        refused(&host(&server, verb, "unknown.example"), "is not a domain of this server");
        assert_eq!(host(&server, verb, "a b")["exit"], 2);
    }
    assert_eq!(list(&server), before);
}

#[test]
fn a_domain_without_a_usable_certificate_is_not_added_and_the_answer_says_what_to_do() {
    let server = Setup::default().store(Backend::Memory).start();
    // The whole server's certificate is for localhost.
    for domain in ["new.example", "192.0.2.1", "[2001:db8::1]", "b\u{fc}cher.example"] {
        let reply = host(&server, "add", domain);
        refused(&reply, "there is a certificate, and it is not for ");
        let hint = reply["hint"].as_str().unwrap();
        assert!(hint.contains(&format!("[host.\"{domain}\".tls] files = ")) && hint.contains("metronomectl reload"));
    }
    let (cert, key) = server.certificates().issue("new.example");
    server.write_options(&format!("[host.\"new.example\".tls.files]\ncert = {cert:?}\nkey = {key:?}\n"));
    refused(&host(&server, "add", "new.example"), "it is not for new.example");
    let told = server.control().run("reload", json!({}));
    assert!(
        told.as_str().unwrap().contains("note: ") && told.as_str().unwrap().contains("host add new.example"),
        "{told}"
    );
    std::fs::write(&key, "nonsense").unwrap();
    refused(&host(&server, "add", "new.example"), "new.example.key");
    server.certificates().issue("new.example");
    done(&host(&server, "add", "new.example"));
    server.write_options("tls.require_c2s = false\ntls.files = { cert = \"\", key = \"\" }");
    server.control().run("reload", json!({}));
    done(&host(&server, "add", "192.0.2.1"));
    let mut client = server.dial().domain("192.0.2.1").clear();
    client.open();
}

#[test]
fn an_international_domain_is_one_domain_in_all_its_forms() {
    let server = Setup::default().store(Backend::Memory).start();
    let (unicode, ascii) = ("b\u{fc}cher.example", "xn--bcher-kva.example");
    let (cert, key) = server.certificates().issue(ascii);
    server.write_options(&format!("[host.\"{ascii}\".tls.files]\ncert = {cert:?}\nkey = {key:?}\n"));
    server.control().run("reload", json!({}));
    done(&host(&server, "add", "B\u{dc}CHER.example."));
    assert_eq!(list(&server)[0], format!("{unicode} command enabled"));
    refused(&host(&server, "add", ascii), "is served already");
    server.control().add_user(&format!("erin@{unicode}"));
    // The name in the handshake is the one of the DNS; the one of the stream may be either.
    for name in [unicode, ascii] {
        let mut erin = server.dial().domain(name).server_name(ascii).direct();
        erin.log_in("erin", "phone");
        assert_eq!(erin.jid(), format!("erin@{unicode}/phone"));
    }
    done(&host(&server, "disable", ascii));
    refused(&host(&server, "add", unicode), "switched off");
}

#[test]
fn a_removed_domain_is_gone_for_those_who_are_there_and_unknown_to_those_who_come() {
    let mut server = server();
    done(&host(&server, "add", THIRD));
    server.control().add_user("erin@third.example");
    let mut erin = login(&server, THIRD, "erin");
    let mut alice = Client::login(&server, "alice", "phone");
    let reply = host(&server, "remove", THIRD);
    refused(&reply, "third.example has accounts");
    assert!(reply["hint"].as_str().unwrap().contains("--accounts"), "{reply}");
    erin.expect_nothing_before_ping();
    let told = server.control().run("host remove", json!({ "name": THIRD, "accounts": true }));
    assert_eq!(told, "third.example was removed, and its account deleted");
    erin.expect_stream_error("host-gone");
    alice.expect_nothing_before_ping();
    hears(&server, THIRD, "host-unknown");
    alice.send("<message to='erin@third.example' type='chat' id='m1'><body>gone</body></message>");
    alice.expect("<message type='error' id='m1'><error type='cancel'><remote-server-not-found");
    drop((alice, erin));
    server.restart();
    assert_eq!(list(&server), ["localhost configuration enabled", "second.example configuration enabled"]);
    // It can come back, and nothing of the old accounts with it.
    done(&host(&server, "add", THIRD));
    assert_eq!(server.control().run("user list", json!({ "host": THIRD })), json!([]));
    done(&host(&server, "remove", THIRD));
}

#[test]
fn a_domain_of_the_configuration_is_not_removed_by_command() {
    let server = Setup::default().store(Backend::Memory).domain("second.example").start();
    for domain in ["localhost", "second.example"] {
        for accounts in [false, true] {
            let reply = server.control().ask("host remove", json!({ "name": domain, "accounts": accounts }));
            refused(&reply, "the configuration names");
        }
    }
    Client::login(&server, "alice", "phone").expect_nothing_before_ping();
}

#[test]
fn a_disabled_domain_is_gone_until_it_is_enabled_and_keeps_everything() {
    let mut server = server();
    let (mut alice, mut dave) = (Client::login(&server, "alice", "phone"), login(&server, "second.example", "dave"));
    alice.send("<message to='dave@second.example' type='chat' id='m1'><body>before</body></message>");
    alice.expect_nothing_before_ping();
    done(&host(&server, "disable", "second.example"));
    dave.expect_stream_error("host-gone");
    hears(&server, "second.example", "host-gone");
    // Its own certificate is still shown: the client must be able to trust what it is told.
    let mut direct = server.dial().domain("second.example").direct();
    direct.send(&Client::header("second.example"));
    direct.expect_stream_error("host-gone");
    alice.send("<message to='dave@second.example' type='chat' id='m2'><body>during</body></message>");
    alice.expect("<message type='error' id='m2'><error type='cancel'><remote-server-not-found");
    alice.send("<iq type='get' id='q1' to='second.example'><ping xmlns='urn:xmpp:ping'/></iq>");
    alice.expect("<iq type='error' id='q1'><error type='cancel'><remote-server-not-found");
    // Saying it twice is not a mistake.
    done(&host(&server, "disable", "second.example"));
    drop((alice, dave, direct));
    server.restart();
    server.control().run("reload", json!({}));
    assert!(list(&server).contains(&"second.example configuration disabled".to_owned()), "{:?}", list(&server));
    hears(&server, "second.example", "host-gone");
    done(&host(&server, "enable", "second.example"));
    done(&host(&server, "enable", "second.example"));
    let mut dave = login(&server, "second.example", "dave");
    dave.send("<presence/>");
    dave.expect_all(&["<presence from='dave@second.example/phone'", "<message id='m1'><body>before</body>"]);
    drop(dave);
    server.crash();
    assert!(list(&server).contains(&"second.example configuration enabled".to_owned()), "{:?}", list(&server));
}

#[test]
fn whoever_is_midway_through_a_login_does_not_get_in() {
    let server =
        Setup::default().store(Backend::Memory).domain("second.example").account("dave@second.example").start();
    let dial = server.dial().domain("second.example");
    let dave = Sasl::new("SCRAM-SHA-256", "dave", "dave-secret");
    let open = || {
        let mut client = dial.direct();
        client.open();
        client
    };
    let (mut before_login, mut before_stream, mut before_bind) = (open(), open(), open());
    for client in [&mut before_stream, &mut before_bind] {
        assert!(client.sasl(&dave).fits("<success"));
    }
    before_bind.open();
    let mut before_tls = dial.clear();
    before_tls.open();
    let mut before_header = dial.direct();

    done(&host(&server, "disable", "second.example"));
    before_bind.send("<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>");
    before_bind.expect_stream_error("host-gone");
    for client in [&mut before_stream, &mut before_header] {
        client.send(&Client::header("second.example"));
        client.expect_stream_error("host-gone");
    }
    // What it says is judged, and nothing comes of it.
    assert!(before_login.sasl(&dave).fits("<success"));
    before_login.send(&Client::header("second.example"));
    before_login.expect_stream_error("host-gone");
    let mut encrypted = {
        before_tls.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
        before_tls.expect("<proceed");
        before_tls.handshake()
    };
    encrypted.send(&Client::header("second.example"));
    encrypted.expect_stream_error("host-gone");
    assert_eq!(server.control().run("session list", json!({})), json!([]));
}

#[test]
fn without_any_domain_the_server_runs_on_and_says_so() {
    let mut server = Setup::default().domain("second.example").start();
    let mut alice = Client::login(&server, "alice", "phone");
    done(&host(&server, "disable", "second.example"));
    let told = server.control().run("host disable", json!({ "name": "localhost" }));
    assert_eq!(told, "localhost is switched off; no domain is served now");
    alice.expect_stream_error("host-gone");
    drop(alice);
    for _ in 0..2 {
        let status = server.control().run("status", json!({}));
        assert!(status["problem"].as_str().is_some_and(|problem| problem.contains("no domain is served")), "{status}");
        assert_eq!((&status["hosts"], &status["hosts_not_served"]), (&Value::Null, &json!("localhost second.example")));
        hears(&server, "localhost", "host-gone");
        hears(&server, "elsewhere.example", "host-unknown");
        server.control().run("reload", json!({}));
        server.restart();
    }
    done(&host(&server, "enable", "localhost"));
    let status = server.control().run("status", json!({}));
    assert!(status.get("problem").is_none(), "{status}");
    Client::login(&server, "alice", "phone").expect_nothing_before_ping();
}

#[test]
fn a_reload_adds_and_removes_domains_of_the_configuration() {
    let mut server = Setup::default().domain("second.example").account("dave@second.example").start();
    let (mut alice, mut dave) = (Client::login(&server, "alice", "phone"), login(&server, "second.example", "dave"));
    name_files(&server, THIRD, "extra = [\"third.example\"]");
    dave.expect_stream_error("host-gone");
    alice.expect_nothing_before_ping();
    hears(&server, "second.example", "host-unknown");
    assert_eq!(list(&server), ["localhost configuration enabled", "third.example configuration enabled"]);
    server.control().add_user("erin@third.example");
    login(&server, THIRD, "erin").expect_nothing_before_ping();
    drop((alice, dave));
    server.restart();
    login(&server, THIRD, "erin").expect_nothing_before_ping();
    // Back again, and everything is there.
    server.write_options("");
    let told = server.control().run("reload", json!({}));
    let told = told.as_str().unwrap();
    assert!(told.contains("served from now on: second.example; not served any more: third.example"), "{told}");
    login(&server, "second.example", "dave").expect_nothing_before_ping();
}

#[test]
fn the_main_domain_may_change_too() {
    let server =
        Setup::default().store(Backend::Memory).domain("second.example").account("dave@second.example").start();
    let mut alice = Client::login(&server, "alice", "phone");
    server.write_options("domain = \"second.example\"\nextra = []");
    server.control().run("reload", json!({}));
    alice.expect_stream_error("host-gone");
    // Who names no domain, or a foreign one, is shown the main one's certificate.
    let mut client = server.dial().domain("second.example").direct();
    client.log_in("dave", "phone");
    hears_only_clear(&server, "localhost", "host-unknown");
}

fn hears_only_clear(server: &Server, domain: &str, condition: &str) {
    let mut client = server.dial().domain(domain).clear();
    client.send(&Client::header(domain));
    client.expect_stream_error(condition);
}

#[test]
fn a_reload_with_a_mistake_changes_no_domain() {
    let server =
        Setup::default().store(Backend::Memory).domain("second.example").account("dave@second.example").start();
    let mut dave = login(&server, "second.example", "dave");
    let before = list(&server);
    for wrong in [
        "extra = [\"third.example\"]\nlog.levle = 3",
        "extra = [\"a b\"]",
        "extra = [\"localhost\"]",
        "extra = [\"third.example\"]\n[host.\"third.example\".tls.files]\ncert = \"/nowhere\"\nkey = \"/nowhere\"",
        "extra = []\nlog.levels.file = \"loud\"",
        "extra = []\ngroups.file = \"/nowhere/groups\"",
    ] {
        server.write_options(wrong);
        assert_eq!(server.control().ask("reload", json!({}))["exit"], 1, "{wrong}");
        assert_eq!(list(&server), before, "{wrong}");
    }
    dave.expect_nothing_before_ping();
}

#[test]
fn disabled_reloaded_and_enabled_a_domain_has_its_new_options() {
    let server =
        Setup::default().store(Backend::Memory).domain("second.example").account("dave@second.example").start();
    done(&host(&server, "disable", "second.example"));
    server.write_options("[host.\"second.example\".limits.c2s]\nsessions = 1");
    server.control().run("reload", json!({}));
    hears(&server, "second.example", "host-gone");
    done(&host(&server, "enable", "second.example"));
    let _one = login(&server, "second.example", "dave");
    let mut two = server.dial().domain("second.example").direct();
    two.open();
    assert!(two.sasl(&Sasl::new("SCRAM-SHA-256", "dave", "dave-secret")).fits("<success"));
    two.open();
    two.send(
        "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>desk</resource></bind></iq>",
    );
    assert!(two.expect("<iq type='error' id='b'").contains("<resource-constraint"));
    // Removed from the configuration and back, it is still what it was: switched off.
    done(&host(&server, "disable", "second.example"));
    for extra in ["extra = []", ""] {
        server.write_options(extra);
        server.control().run("reload", json!({}));
    }
    hears(&server, "second.example", "host-gone");
}

#[test]
fn the_configuration_takes_over_a_domain_that_was_added() {
    let mut server = server();
    done(&host(&server, "add", THIRD));
    server.control().add_user("erin@third.example");
    let mut erin = login(&server, THIRD, "erin");
    name_files(&server, THIRD, "extra = [\"second.example\", \"third.example\"]");
    assert!(list(&server).contains(&"third.example configuration enabled".to_owned()), "{:?}", list(&server));
    erin.expect_nothing_before_ping();
    refused(&host(&server, "remove", THIRD), "the configuration names");
    drop(erin);
    server.restart();
    login(&server, THIRD, "erin").expect_nothing_before_ping();
    name_files(&server, THIRD, "");
    assert!(!list(&server).iter().any(|row| row.starts_with(THIRD)), "{:?}", list(&server));
    hears(&server, THIRD, "host-unknown");
}

#[test]
fn an_added_domain_whose_files_are_lost_keeps_no_other_from_starting_and_comes_back_with_them() {
    let mut server = server();
    done(&host(&server, "add", THIRD));
    server.control().add_user("erin@third.example");
    server.stop();
    let (certificate, _) = server.certificates().files(THIRD);
    let kept = std::fs::read(&certificate).unwrap();
    std::fs::remove_file(&certificate).unwrap();
    server.start_again();
    server.expect_log("a domain is not served host=\"third.example\"");
    assert!(list(&server).contains(&"third.example command no certificate".to_owned()), "{:?}", list(&server));
    Client::login(&server, "alice", "phone").expect_nothing_before_ping();
    hears(&server, THIRD, "host-gone");
    refused(&host(&server, "add", THIRD), "its certificate cannot be used");
    refused(&host(&server, "enable", THIRD), "third.example.pem");
    assert_eq!(server.control().ask("reload", json!({}))["exit"], 1);
    let from = server.log().len();
    std::fs::write(&certificate, kept).unwrap();
    assert!(server.log().wait_for(from, "certificates were read again", WAIT).is_some(), "{}", server.log().tail(10));
    login(&server, THIRD, "erin").expect_nothing_before_ping();
}

#[test]
fn a_domain_that_comes_back_has_its_groups_and_one_with_a_lost_group_file_waits_for_a_reload() {
    let mut server = server();
    done(&host(&server, "add", THIRD));
    server.control().add_user("erin@third.example");
    let (cert, key) = server.certificates().issue(THIRD);
    let file = server.folder().join("team.txt");
    std::fs::write(&file, "[Team]\nerin@third.example\nfred@third.example\n").unwrap();
    server.write_options(&format!(
        "[host.\"{THIRD}\"]\ntls.files = {{ cert = {cert:?}, key = {key:?} }}\ngroups.file = {file:?}\n"
    ));
    done(&server.control().ask("reload", json!({})));
    let team = |server: &Server| {
        let mut erin = login(server, THIRD, "erin");
        assert_eq!(erin.roster().lines(), ["fred@third.example both [Team]"]);
    };
    team(&server);
    server.stop();
    let kept = std::fs::read(&cert).unwrap();
    std::fs::remove_file(&cert).unwrap();
    server.start_again();
    assert!(list(&server).contains(&"third.example command no certificate".to_owned()), "{:?}", list(&server));
    let from = server.log().len();
    std::fs::write(&cert, &kept).unwrap();
    assert!(server.log().wait_for(from, "certificates were read again", WAIT).is_some(), "{}", server.log().tail(10));
    team(&server);
    server.stop();
    let groups = std::fs::read(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    server.start_again();
    assert!(list(&server).contains(&"third.example command unfit".to_owned()), "{:?}", list(&server));
    refused(&host(&server, "add", THIRD), "cannot be served as it is");
    hears(&server, THIRD, "host-gone");
    assert_eq!(server.control().ask("reload", json!({}))["exit"], 1);
    std::fs::write(&file, groups).unwrap();
    done(&server.control().ask("reload", json!({})));
    team(&server);
}

/// Alice of localhost and dave of `second.example` are available and see each other.
fn friends(server: &Server) -> (Client, Client) {
    let (mut alice, mut dave) = (Client::login(server, "alice", "phone"), login(server, "second.example", "dave"));
    alice.available();
    dave.available();
    for (one, other, jid, back) in
        [(0, 1, "dave@second.example", "alice@localhost"), (1, 0, "alice@localhost", "dave@second.example")]
    {
        let both = [&mut alice, &mut dave];
        both[one].send(&format!("<presence to='{jid}' type='subscribe'/>"));
        both[other].wait_for("<presence type='subscribe'");
        both[other].send(&format!("<presence to='{back}' type='subscribed'/>"));
        both[one].wait_for("<presence type='subscribed'");
        both[one].wait_for(&format!("<presence from='{jid}/phone'"));
    }
    (alice, dave)
}

#[test]
fn contacts_see_those_of_a_disabled_domain_leave_and_come_back() {
    let server = Setup::default().domain("second.example").account("dave@second.example").start();
    let (mut alice, mut dave) = friends(&server);
    done(&host(&server, "disable", "second.example"));
    dave.wait_for("<stream:error><host-gone");
    alice.wait_for("<presence type='unavailable' from='dave@second.example/phone'");
    done(&host(&server, "enable", "second.example"));
    let mut dave = login(&server, "second.example", "dave");
    dave.send("<presence/>");
    dave.wait_for("<presence from='alice@localhost/phone'");
    alice.wait_for("<presence from='dave@second.example/phone'");
}

#[test]
fn contacts_are_told_that_a_removed_domains_accounts_are_gone() {
    let server = Setup::default().start();
    name_files(&server, "second.example", "");
    done(&host(&server, "add", "second.example"));
    server.control().add_user("dave@second.example");
    let (mut alice, _dave) = friends(&server);
    server.control().run("host remove", json!({ "name": "second.example", "accounts": true }));
    alice.wait_for("<presence type='unavailable' from='dave@second.example/phone'");
    alice.send("<iq type='get' id='r1'><query xmlns='jabber:iq:roster'/></iq>");
    let roster = alice.wait_for("<iq type='result' id='r1'");
    assert!(!roster.contains("subscription='both'") && !roster.contains("subscription='to'"), "{roster}");
}

#[test]
fn sessions_are_listed_by_domain() {
    let server =
        Setup::default().store(Backend::Memory).domain("second.example").account("dave@second.example").start();
    let (_alice, _dave) = (Client::login(&server, "alice", "phone"), login(&server, "second.example", "dave"));
    let of = |host: &str| {
        let list = server.control().run("session list", json!({ "host": host }));
        list.as_array().unwrap().iter().map(|row| row["jid"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(of("SECOND.example"), ["dave@second.example/phone"]);
    assert_eq!(of("localhost"), ["alice@localhost/phone"]);
    assert!(of("third.example").is_empty());
    let list = server.control().run("host list", json!({}));
    let domains = list.as_array().unwrap().iter().filter(|row| !is_service(row));
    assert!(domains.map(|row| &row["sessions"]).eq([1, 1]), "{list}");
    assert!(list[0]["certificate_left"].as_u64().unwrap() > 86_400, "{list}");
}

#[test]
fn a_certificate_for_another_domain_is_told_by_the_reload_the_list_and_the_log() {
    let server = Setup::default().store(Backend::Memory).start();
    let problem = || server.control().run("host list", json!({}))[0]["problem"].clone();
    assert!(problem().is_null());
    let (cert, key) = server.certificates().issue("new.example");
    server.write_options(&format!("tls.files = {{ cert = {cert:?}, key = {key:?} }}"));
    let told = server.control().run("reload", json!({}));
    let note = "the certificate is not for localhost, so clients will not trust it";
    assert!(told.as_str().is_some_and(|told| told.contains("\nnote: ") && told.ends_with(note)), "{told}");
    assert_eq!(problem(), "the certificate is not for this domain");
    let line = server.expect_log(note);
    assert!(line.contains("WARN"), "{line}");
    // What commands are about is in the log by its name, and only where they are about something.
    server.control().run("host disable", json!({ "name": "localhost" }));
    server.expect_log("command command=\"host disable\" host=\"localhost\" exit=0");
    server.expect_log("command command=\"reload\" exit=0");
}
