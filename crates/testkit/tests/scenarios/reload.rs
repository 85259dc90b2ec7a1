//! Reload by signal and by command: all of a good configuration or nothing of a bad one.

use metronome_testkit::{Backend, Client, Sasl, Server, Setup, WAIT};
use rustix::process::Signal;
use serde_json::json;

fn server() -> Server {
    Setup::default().store(Backend::Memory).options("limits.c2s.sessions = 1").start()
}

/// Whether alice may have a second session.
fn has_room(server: &Server) -> bool {
    let mut client = Client::direct_tls(server);
    client.open();
    assert!(client.sasl(&Sasl::new("SCRAM-SHA-256", "alice", "alice-secret")).fits("<success"));
    client.open();
    client.send("<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>");
    client.expect("<iq id='b'").fits("<iq type='result'")
}

#[test]
fn a_changed_option_counts_after_sighup() {
    let server = server();
    let mut session = Client::login(&server, "alice", "phone");
    assert!(!has_room(&server));
    server.write_options("limits.c2s.sessions = 3");
    assert!(!has_room(&server), "nothing changes before the reload");
    let from = server.log().len();
    server.signal(Signal::HUP);
    assert!(server.log().wait_for(from, "reloaded: limits.c2s.sessions", WAIT).is_some(), "{}", server.log().tail(10));
    assert!(has_room(&server));
    session.expect_nothing_before_ping();
}

#[test]
fn a_changed_option_counts_after_the_command() {
    let server = server();
    let _session = Client::login(&server, "alice", "phone");
    server.write_options("limits.c2s.sessions = 2");
    let reply = server.control().ask("reload", json!({}));
    assert_eq!(reply["exit"], 0, "{reply}");
    assert!(reply["text"].as_str().unwrap().contains("limits.c2s.sessions"), "{reply}");
    assert!(has_room(&server));
}

#[test]
fn a_bad_configuration_changes_nothing_and_is_explained() {
    let server = server();
    let mut session = Client::login(&server, "alice", "phone");
    for (wrong, said) in [
        ("limits.c2s.sessions = 2\nlimits.c2s.sesions = 3", "sesions"),
        ("limits.c2s.sessions = \"two\"", "sessions"),
        ("limits.c2s.sessions = 2\n[", "scenario.toml"),
        ("limits.c2s.sessions = 2\ntls.files.cert = \"/nowhere/cert.pem\"", "/nowhere/cert.pem"),
    ] {
        server.write_options(wrong);
        let reply = server.control().ask("reload", json!({}));
        assert_eq!(reply["exit"], 1, "{wrong}: {reply}");
        assert!(reply["message"].as_str().unwrap().contains(said), "{wrong}: {reply}");
        let from = server.log().len();
        server.signal(Signal::HUP);
        let logged = server.log().wait_for(
            from,
            "the configuration was not reloaded; the server goes on with the one it has",
            WAIT,
        );
        assert!(logged.is_some(), "{}", server.log().tail(10));
        assert!(!has_room(&server), "{wrong}");
    }
    session.expect_nothing_before_ping();
    server.write_options("limits.c2s.sessions = 2");
    server.control().run("reload", json!({}));
    assert!(has_room(&server));
}

#[test]
fn what_needs_a_restart_is_told() {
    let server = server();
    server.write_options("listen.c2s_tls = []");
    let reply = server.control().ask("reload", json!({}));
    assert_eq!(reply["exit"], 0, "{reply}");
    assert!(reply["text"].as_str().unwrap().contains("listen.c2s_tls"), "{reply}");
    Client::login(&server, "alice", "phone").expect_nothing_before_ping();
}

#[test]
fn mechanisms_change_for_new_streams() {
    let server = Setup::default().store(Backend::Memory).start();
    let mut before = Client::direct_tls(&server);
    before.open();
    server.write_options("auth.mechanisms = [\"SCRAM-SHA-512\"]");
    server.control().run("reload", json!({}));
    // The stream that was opened before has its own offer.
    assert!(before.sasl(&Sasl::new("SCRAM-SHA-1", "alice", "alice-secret")).fits("<success"));
    let mut after = Client::direct_tls(&server);
    assert!(!after.open().contains("SCRAM-SHA-1<"));
    assert!(after.sasl(&Sasl::new("SCRAM-SHA-1", "alice", "alice-secret")).fits("<failure><invalid-mechanism"));
}
