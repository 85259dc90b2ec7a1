//! The metrics (OpenMetrics 1.0) and the status of the server: they move with what happens, and nobody else gets them.

use std::time::{Duration, Instant};

use metronome_testkit::{Browser, Client, Component, Sasl, Server, Setup, WAIT};
use serde_json::{Value, json};

use super::{chat, logged_in};

fn started() -> Server {
    Setup::default().web().start()
}

fn watch(server: &Server) -> Browser {
    server.dial_as_watcher().browse()
}

/// One sample, as it is written before its value.
#[track_caller]
fn sample(browser: &mut Browser, name: &str) -> f64 {
    let answer = browser.ask("GET", "/metrics", "");
    let line = answer.text().lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    let value = line.unwrap_or_else(|| panic!("{name} is not in\n{}", answer.text()));
    value.parse().unwrap()
}

/// Waits until something holds: what a client has got already may be counted a moment later.
#[track_caller]
fn wait(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + WAIT;
    while !holds() {
        assert!(Instant::now() < deadline, "{what} does not come");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Waits until a sample has this value.
#[track_caller]
fn wait_for(browser: &mut Browser, name: &str, value: f64) {
    wait(&format!("{name} {value}"), || sample(browser, name) == value);
}

#[test]
fn metrics_are_told_in_openmetrics_and_in_the_older_format_for_those_who_ask_for_it() {
    let server = started();
    let mut browser = watch(&server);
    let accepted = "Accept: application/openmetrics-text;version=1.0.0,text/plain;q=0.3\r\n";
    let answer = browser.ask("GET", "/metrics", accepted);
    assert_eq!(answer.status, 200);
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!((answer.field("content-type"), answer.field("cache-control")), (Some(kind), Some("no-store")));
    let text = answer.text();
    assert!(text.ends_with("\n# EOF\n"), "{text}");
    assert!(
        text.contains("# TYPE metronome_logins counter\n") && text.contains("\nmetronome_logins_total 0\n"),
        "{text}"
    );
    assert!(text.contains("# UNIT process_resident_memory_bytes bytes\n"), "{text}");
    assert!(text.contains("metronome_store_commit_seconds_bucket{le=\"+Inf\"} "), "{text}");
    let answer = browser.ask("GET", "/metrics", "Accept: text/plain;version=0.0.4\r\n");
    assert_eq!(answer.field("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let text = answer.text();
    assert!(text.contains("# TYPE metronome_logins_total counter\n") && !text.contains("# EOF"), "{text}");
    assert_eq!(browser.ask("HEAD", "/metrics", "").status, 200);
    assert_eq!(browser.ask("POST", "/metrics", "Content-Length: 0\r\n").status, 405);
}

#[test]
fn metrics_move_with_what_happens() {
    let server = started();
    let mut browser = watch(&server);
    let mut alice = logged_in(&server, "alice", "one");
    let mut bob = Client::login(&server, "bob", "two");
    wait_for(&mut browser, "metronome_logins_total", 2.0);
    wait_for(&mut browser, "metronome_sessions{state=\"connected\"}", 2.0);
    wait_for(&mut browser, "metronome_client_streams{kind=\"websocket\"}", 1.0);
    wait_for(&mut browser, "metronome_client_streams{kind=\"client\"}", 1.0);
    bob.available();
    let sent = "metronome_stanzas_received_total{from=\"clients\",kind=\"message\"}";
    let got = "metronome_stanzas_sent_total{to=\"clients\",kind=\"message\"}";
    let before = (sample(&mut browser, sent), sample(&mut browser, got));
    alice.send(&chat("bob@localhost", "hello"));
    bob.expect("<message from='alice@localhost/one'><body>hello</body>");
    wait_for(&mut browser, sent, before.0 + 1.0);
    wait_for(&mut browser, got, before.1 + 1.0);
    assert!(sample(&mut browser, "metronome_store_records_total") >= 1.0);
    assert!(sample(&mut browser, "metronome_store_commit_seconds_count") >= 1.0);
    assert!(sample(&mut browser, "process_resident_memory_bytes") > 1e6);
    assert!(sample(&mut browser, "process_open_fds") > 3.0);
    assert!(sample(&mut browser, "metronome_disk_free_bytes") > 0.0);
    assert!(sample(&mut browser, "metronome_certificate_end_seconds{domain=\"localhost\"}") > 1.6e9);
    assert!(sample(&mut browser, "metronome_web_answers_total{class=\"1xx\"}") >= 1.0, "the WebSocket");
    alice.close();
    wait_for(&mut browser, "metronome_sessions{state=\"connected\"}", 1.0);
    wait_for(&mut browser, "metronome_client_streams{kind=\"websocket\"}", 0.0);
    wait_for(&mut browser, "metronome_connections{kind=\"websocket\"}", 0.0);
}

#[test]
fn failed_logins_and_connections_that_were_turned_away_are_counted() {
    let server = Setup::default().web().options("limits.connections = 2").start();
    let mut browser = watch(&server);
    let mut wrong = server.dial().direct();
    wrong.open();
    let outcome = wrong.sasl(&Sasl::new("SCRAM-SHA-256", "alice", "wrong"));
    assert!(outcome.fits("<failure"), "{outcome}");
    wait_for(&mut browser, "metronome_login_failures_total", 1.0);
    let _second = server.dial().direct();
    server.dial().clear().expect_closed();
    // What watches the server is answered although there are as many connections of its address as there may be.
    wait_for(&mut browser, "metronome_connections_refused_total{why=\"connections\"}", 1.0);
}

#[test]
fn stanzas_are_counted_by_kind_in_the_status_in_both_forms() {
    let server = Setup::default().web().component("gate.localhost").start();
    let mut browser = watch(&server);
    let mut status = |path: &str, fields: &str| {
        let answer = browser.ask("GET", path, fields);
        assert_eq!(answer.status, 200, "{path}");
        answer
    };
    let mut json =
        || -> Value { serde_json::from_str(status("/server-status", "Accept: application/json\r\n").text()).unwrap() };
    let before = json();
    assert_eq!(before["hosts"]["localhost"], "online");
    assert_eq!(before["components"]["gate.localhost"], "offline");
    assert!(before["memory"]["used"]["bytes"].as_u64() > Some(0), "{before}");
    let mut alice = logged_in(&server, "alice", "one");
    alice.available();
    alice.send(&chat("alice@localhost/one", "hello"));
    alice.expect("<message><body>hello</body>");
    alice.expect_nothing_before_ping();
    for kind in ["message-routed", "presence-routed", "iq-routed"] {
        for way in ["incoming", "outgoing"] {
            let count = |status: &Value| status["stanzas"][kind][way].as_u64().unwrap();
            wait(&format!("{kind} {way}"), || count(&json()) > count(&before));
        }
    }
    wait("the WebSocket", || json()["sessions"]["ws"] == 1);
    assert_eq!(json()["sessions"]["c2s"], 0);
    let answer = status("/server-status/", "");
    assert_eq!(answer.field("content-type"), Some("text/xml; charset=utf-8"));
    assert!(answer.text().contains("<websockets number=\"1\"/>"), "{}", answer.text());
    assert!(status("/server-status.xml", "").text().contains("<status name=\"gate.localhost\" current=\"offline\"/>"));
    assert_eq!(status("/server-status.json", "").field("content-type"), Some("application/json"));
    let component = Component::connect(&server, "gate.localhost");
    wait_for(&mut watch(&server), "metronome_component_connected{component=\"gate.localhost\"}", 1.0);
    drop(component);
}

#[test]
fn strangers_get_neither_metrics_nor_status() {
    let server = started();
    let paths = ["/metrics", "/server-status", "/server-status/", "/server-status.json", "/server-status.xml"];
    let mut public = server.dial_as_browser().browse();
    let mut encrypted = server.dial_as_browser().browse_tls();
    let mut browser = watch(&server);
    for path in paths {
        assert_eq!(public.ask("GET", path, "").status, 404, "{path} at the address for browsers");
        assert_eq!(encrypted.ask("GET", path, "").status, 404, "{path} at the one with TLS");
        // A proxy that leads strangers here by mistake.
        let refused = browser.ask("GET", path, "X-Forwarded-For: 203.0.113.9\r\n");
        assert_eq!(refused.status, 403, "{path}");
        assert!(!refused.text().contains("metronome_"), "{}", refused.text());
        assert_eq!(browser.ask("GET", path, "").status, 200, "{path}");
    }
    for path in ["/xmpp-websocket", "/http-bind", "/", "/.well-known/host-meta", "/metrics/", "/metrics/../metrics"] {
        let status = browser.ask("GET", path, "").status;
        assert!(status == 404 || status == 400, "{path}: {status}");
    }
    assert_eq!(browser.ask("GET", "/healthz", "X-Forwarded-For: 203.0.113.9\r\n").status, 200);
}

/// The name of a site leads to where its owner likes, this machine's own addresses included; a browser here then takes what it finds for that
/// site's, and shows it to its page.
#[test]
fn a_page_whose_name_was_made_to_lead_here_sees_nothing() {
    let server = started();
    let mut browser = watch(&server);
    for path in ["/metrics", "/server-status", "/server-status.json"] {
        for name in ["evil.example", "evil.example:5284", "localhost.evil.example", "127.0.0.1.evil.example"] {
            assert_eq!(browser.ask_host(name, "GET", path, "").status, 403, "{name}{path}");
        }
        for name in ["localhost", "127.0.0.1:5284", "[::1]:5284", "prometheus.localhost", "metronome:5284"] {
            assert_eq!(browser.ask_host(name, "GET", path, "").status, 200, "{name}{path}");
        }
    }
}

#[test]
fn who_may_watch_is_listed_and_a_reload_changes_it() {
    let server = Setup::default().web().options("web.watchers = [\"192.0.2.0/24\"]\nweb.proxies = []").start();
    let mut browser = watch(&server);
    let refused = browser.ask("GET", "/metrics", "X-Forwarded-For: 192.0.2.1\r\n");
    assert_eq!(refused.status, 403, "nobody is believed who is no proxy");
    server.write_options("web.watchers = [\"127.0.0.1\"]\nweb.proxy_protocol = true");
    server.control().run("reload", json!({}));
    let answer = watch(&server).ask("GET", "/metrics", "");
    assert_eq!(answer.status, 200, "what watches the server does not speak for others");
}

#[test]
fn the_metrics_the_dashboard_and_the_alerts_are_printed_by_commands() {
    let server = started();
    let printed = |command: &str| server.control().run(command, json!({})).as_str().unwrap().to_owned();
    let dashboard: Value = serde_json::from_str(&printed("dashboard export")).unwrap();
    assert_eq!(dashboard["title"], "Metronome");
    assert!(printed("alerts export").contains("\n      - alert: MetronomeDown\n"));
    assert!(printed("metrics").contains("\nmetronome_logins_total 0\n"));
}
