//! What administrators see of the outside: `metronomectl check` and `metronomectl s2s` of a real server.

use metronome_testkit::{NameServer, Server, Setup};
use serde_json::{Value, json};

/// A server that asks this name server and may reach loopback addresses.
fn start(names: &NameServer) -> Server {
    let options = format!("{}[federation]\nallow_addresses = [\"127.0.0.0/8\"]\n", names.options());
    Setup::default().no_accounts().domain("ours.example").options(&options).start()
}

/// The findings of a check that are about this, as `level finding -> mend`.
fn found(server: &Server, command: &str, given: Value, about: &str) -> Vec<String> {
    let reply = server.control().ask(command, given);
    let text = |finding: &Value, name: &str| finding[name].as_str().expect("a text").to_owned();
    let lines =
        reply["value"].as_array().unwrap_or_else(|| panic!("{reply}")).iter().map(|finding| {
            format!("{} {} -> {}", text(finding, "level"), text(finding, "finding"), text(finding, "mend"))
        });
    lines.filter(|line| line.contains(about)).collect()
}

#[test]
fn check_dns_tells_what_is_wrong_and_sees_that_it_was_mended() {
    let names = NameServer::start();
    let server = start(&names);
    let given = || json!({ "host": "ours.example" });
    let before = found(&server, "check dns", given(), "_xmpp-client._tcp.ours.example");
    assert!(before[0].starts_with("problem") && before[0].contains("IN SRV 10 1"), "{before:?}");
    let zone = server.control().run("check dns", json!({ "host": "ours.example", "zone": true }));
    let record = zone.as_str().unwrap().lines().find(|line| line.starts_with("_xmpp-client._tcp")).unwrap().to_owned();
    let words: Vec<&str> = record.split(' ').collect();
    let ["_xmpp-client._tcp.ours.example.", "3600", "IN", "SRV", priority, weight, port, target] = words[..] else {
        panic!("{record}")
    };
    let number = |text: &str| text.parse().unwrap();
    names.service("_xmpp-client._tcp.ours.example", (number(priority), number(weight), number(port), target));
    names.address("ours.example", "127.0.0.1");
    let after = found(&server, "check dns", given(), "_xmpp-client._tcp.ours.example");
    assert!(!after[0].starts_with("problem"), "{after:?}");
    let unknown = server.control().ask("check dns", json!({ "host": "other.example" }));
    assert_eq!(unknown["exit"], 1, "{unknown}");
}

#[test]
fn check_connectivity_reaches_what_is_there_and_says_why_not() {
    let names = NameServer::start();
    let server = start(&names);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let port = listener.local_addr().expect("it is bound").port();
    names.service("_xmpps-server._tcp.there.example", (0, 0, port, "host.example"));
    names.address("host.example", "127.0.0.1");
    names.service("_xmpp-server._tcp.inside.example", (0, 0, port, "private.example"));
    names.address("private.example", "10.0.0.1");
    let check = |domain: &str| found(&server, "check connectivity", json!({ "domain": domain }), domain);
    let there =
        format!("good there.example: reached from here, host.example:{port} (127.0.0.1), TLS from the first byte -> ");
    assert_eq!(check("there.example"), [there]);
    let inside = check("inside.example");
    assert!(inside[0].starts_with("problem") && inside[0].contains("private"), "{inside:?}");
    assert!(inside[0].ends_with("name it in federation.allow_addresses"), "{inside:?}");
    assert!(check("nowhere.example")[0].contains("there is no such name"));
}

#[test]
fn check_ports_and_certs_find_what_a_running_server_has() {
    let names = NameServer::start();
    let server = start(&names);
    let ports = found(&server, "check ports", json!({}), "answers");
    assert_eq!(ports.len(), 2, "{ports:?}");
    let certs = found(&server, "check certs", json!({}), "days left");
    assert_eq!(certs.len(), 2, "{certs:?}");
}

#[test]
fn rules_about_other_servers_outlast_a_restart() {
    let names = NameServer::start();
    let mut server = start(&names);
    server.control().run("s2s block", json!({ "domain": "bad.example", "why": "spam" }));
    server.control().run("s2s allow", json!({ "domain": "good.example", "for": "1d" }));
    server.crash();
    let rules = server.control().run("s2s rules", json!({}));
    let listed: Vec<_> =
        rules.as_array().unwrap().iter().map(|rule| (rule["domain"].clone(), rule["rule"].clone())).collect();
    assert_eq!(listed, [(json!("bad.example"), json!("blocked")), (json!("good.example"), json!("allowed"))]);
    server.control().run("s2s unblock", json!({ "domain": "bad.example" }));
    server.restart();
    assert_eq!(server.control().run("s2s rules", json!({})).as_array().unwrap().len(), 1);
}
