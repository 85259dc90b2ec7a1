//! Commands, reloads and new certificates at the same time: none of them undoes another.

use std::sync::atomic::{AtomicBool, Ordering};

use metronome_testkit::{Client, Server, Setup};
use rustix::process::Signal;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde_json::json;

use crate::domains::is_service;

const ROUNDS: usize = 12;

fn states(server: &Server) -> Vec<String> {
    let list = server.control().run("host list", json!({}));
    let domains = list.as_array().unwrap().iter().filter(|row| !is_service(row));
    domains.map(|row| format!("{} {}", row["host"], row["state"]).replace('"', "")).collect()
}

#[test]
fn reloads_commands_and_certificates_do_not_undo_one_another() {
    let mut server =
        Setup::default().domain("second.example").domain("third.example").account("dave@second.example").start();
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let server = &server;
        // By command and by signal, as fast as they are answered.
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                let reply = server.control().ask("reload", json!({}));
                // Between the two files of a new certificate there is a moment in which they do not fit, and nothing is changed.
                let unfit = reply["message"].as_str().is_some_and(|why| why.contains("third.example"));
                assert!(reply["exit"] == 0 || unfit, "{reply}");
                server.signal(Signal::HUP);
            }
        });
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                server.certificates().issue("third.example");
            }
        });
        for _ in 0..ROUNDS {
            server.control().run("host disable", json!({ "name": "second.example" }));
            let mut client = server.dial().domain("second.example").clear();
            client.send(&Client::header("second.example"));
            client.expect_stream_error("host-gone");
            server.control().run("host enable", json!({ "name": "second.example" }));
            let mut dave = server.dial().domain("second.example").direct();
            dave.log_in("dave", "phone");
            assert_eq!(states(server)[1], "second.example enabled");
        }
        server.control().run("host disable", json!({ "name": "second.example" }));
        over.store(true, Ordering::Relaxed);
    });
    let expected = ["localhost enabled", "second.example disabled", "third.example enabled"];
    assert_eq!(states(&server), expected);
    // The last certificate is the one that is shown.
    let on_disk = CertificateDer::from_pem_file(server.certificates().files("third.example").0).unwrap();
    server.control().run("reload", json!({}));
    assert_eq!(server.dial().domain("third.example").direct().server_certificate(), on_disk.to_vec());
    server.crash();
    assert_eq!(states(&server), expected);
}

#[test]
fn nobody_stays_who_logs_in_while_the_domain_goes() {
    let server = Setup::default().domain("second.example").account("dave@second.example").start();
    for _ in 0..ROUNDS {
        let dial = server.dial().domain("second.example");
        std::thread::scope(|scope| {
            let newcomers: Vec<_> = (0..4)
                .map(|number| {
                    let mut client = dial.direct();
                    client.open();
                    scope.spawn(move || {
                        let sasl = metronome_testkit::Sasl::new("SCRAM-SHA-256", "dave", "dave-secret");
                        let _ = client.sasl(&sasl);
                        let bind = format!(
                            "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>\
                             <resource>r{number}</resource></bind></iq>"
                        );
                        let both = Client::header("second.example") + &bind;
                        let _ = client.try_send(both.as_bytes());
                        client.drain(metronome_testkit::WAIT)
                    })
                })
                .collect();
            server.control().run("host disable", json!({ "name": "second.example" }));
            for newcomer in newcomers {
                let said = newcomer.join().unwrap();
                assert!(said.contains("<host-gone"), "{said}");
            }
        });
        assert_eq!(server.control().run("session list", json!({})), json!([]));
        server.control().run("host enable", json!({ "name": "second.example" }));
    }
}

#[test]
fn of_many_who_add_one_domain_one_has_added_it() {
    let server = Setup::default().no_accounts().start();
    let (cert, key) = server.certificates().issue("new.example");
    server.write_options(&format!("[host.\"new.example\".tls.files]\ncert = {cert:?}\nkey = {key:?}\n"));
    server.control().run("reload", json!({}));
    let exits = |verb: &str| {
        let command = format!("host {verb}");
        std::thread::scope(|scope| {
            let ask = || server.control().ask(&command, json!({ "name": "new.example" }))["exit"].as_u64().unwrap();
            let askers: Vec<_> = (0..8).map(|_| scope.spawn(ask)).collect();
            let mut exits: Vec<_> = askers.into_iter().map(|asker| asker.join().unwrap()).collect();
            exits.sort_unstable();
            exits
        })
    };
    for _ in 0..5 {
        assert_eq!(exits("add"), [0, 1, 1, 1, 1, 1, 1, 1]);
        assert_eq!(exits("remove"), [0, 1, 1, 1, 1, 1, 1, 1]);
    }
}
