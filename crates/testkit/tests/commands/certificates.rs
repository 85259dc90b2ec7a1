//! XEP-0257: people log in with certificates that they have stored themselves.

use metronome_testkit::{Backend, Client, Sasl, Seen, Server, Setup, Shown, Versions, on_both_stores_with};
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, KeyPair, OtherNameValue, SanType};
use serde_json::json;

use crate::{ask, form, go_on, own, problem, send, status};

const NS: &str = "urn:xmpp:saslcert:1";

/// A certificate that only itself has signed, valid in these years.
fn of_years(addresses: &[&str], years: (i32, i32)) -> Shown {
    let mut params = CertificateParams::default();
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    (params.not_before, params.not_after) = (rcgen::date_time_ymd(years.0, 1, 1), rcgen::date_time_ymd(years.1, 1, 1));
    for address in addresses {
        let name = OtherNameValue::Utf8String((*address).to_owned());
        params.subject_alt_names.push(SanType::OtherName((vec![1, 3, 6, 1, 5, 5, 7, 8, 5], name)));
    }
    let key = KeyPair::generate().unwrap();
    Shown { certificate_pem: params.self_signed(&key).unwrap().pem(), key_pem: key.serialize_pem() }
}

fn made(addresses: &[&str]) -> Shown {
    of_years(addresses, (2020, 2100))
}

/// The base64 between the lines of a PEM.
fn base64(shown: &Shown) -> String {
    shown.certificate_pem.lines().filter(|line| !line.starts_with('-')).collect::<Vec<_>>().join("\n")
}

#[track_caller]
fn append(client: &mut Client, name: &str, shown: &Shown, more: &str) -> Seen {
    let inside = format!("<name>{name}</name>{more}<x509cert>{}</x509cert>", base64(shown));
    ask(client, "set", "", &format!("<append xmlns='{NS}'>{inside}</append>"))
}

#[track_caller]
fn remove(client: &mut Client, how: &str, name: &str) -> Seen {
    ask(client, "set", "", &format!("<{how} xmlns='{NS}'><name>{name}</name></{how}>"))
}

#[track_caller]
fn items(client: &mut Client) -> Seen {
    ask(client, "get", "", &format!("<items xmlns='{NS}'/>"))
}

#[track_caller]
fn granted(answer: &Seen) {
    assert!(answer.fits("<iq type='result'"), "{answer}");
}

/// Connects with a certificate; answers the client, and whether EXTERNAL was offered.
fn shown(server: &Server, certificate: &Shown) -> (Client, bool) {
    let mut client = server.dial().certificate(certificate).direct();
    let offered = client.open().contains("<mechanism>EXTERNAL</mechanism>");
    (client, offered)
}

fn external(authzid: &str) -> Sasl<'_> {
    Sasl { authzid, ..Sasl::new("EXTERNAL", "", "") }
}

/// Logs in with a certificate.
#[track_caller]
fn login(server: &Server, certificate: &Shown, resource: &str) -> Client {
    let (mut client, offered) = shown(server, certificate);
    assert!(offered);
    assert!(client.sasl(&external("")).fits("<success"));
    client.open();
    client.bind(resource);
    client
}

// XEP-0257 example 1
// XEP-0257 example 3
// XEP-0257 example 4
// XEP-0257 example 7
/// A server on which people may log in with certificates of their own.
fn allowing() -> Setup {
    Setup::default().options("auth.own_certificates = true")
}

#[test]
fn a_certificate_that_was_stored_logs_in_whoever_signed_it() {
    on_both_stores_with("auth.own_certificates = true", |server| {
        let certificate = made(&["alice@localhost"]);
        assert!(!shown(server, &certificate).1, "it is not stored yet");
        let mut alice = Client::login(server, "alice", "desk");
        granted(&append(&mut alice, "Phone", &certificate, ""));
        for versions in [Versions::Only12, Versions::Only13] {
            let dial = server.dial().certificate(&certificate).versions(versions);
            for mut client in [dial.direct(), dial.starttls()] {
                assert!(client.open().contains("<mechanism>EXTERNAL</mechanism>"));
                assert!(client.sasl(&external("alice@localhost")).fits("<success"));
                client.open();
                assert_eq!(client.bind("x"), "alice@localhost/x");
            }
        }
        let _phone = login(server, &certificate, "phone");
        let list = items(&mut alice);
        assert!(list.contains("<item><name>Phone</name><x509cert>"), "{list}");
        assert!(list.contains(&base64(&certificate).replace('\n', "")), "{list}");
        assert!(list.contains("<users><resource>phone</resource></users>"), "{list}");
    });
}

#[test]
fn a_certificate_acts_for_the_account_that_has_stored_it_only() {
    let server = allowing().store(Backend::Memory).start();
    let both = made(&["alice@localhost", "bob@localhost"]);
    granted(&append(&mut Client::login(&server, "alice", "desk"), "both", &both, ""));
    let (mut client, offered) = shown(&server, &both);
    assert!(offered);
    for authzid in ["bob@localhost", "carol@localhost", "localhost"] {
        assert!(client.sasl(&external(authzid)).fits("<failure"), "{authzid}");
    }
    assert!(client.sasl(&external("alice@localhost")).fits("<success"));
    // Another one with the same address is another one.
    assert!(!shown(&server, &made(&["alice@localhost"])).1);
}

// XEP-0257 example 5
// XEP-0257 example 6
#[test]
fn a_certificate_that_was_removed_does_not_log_in_and_its_sessions_end_if_it_was_revoked() {
    on_both_stores_with("auth.own_certificates = true", |server| {
        let (phone, tablet) = (made(&["alice@localhost"]), made(&["alice@localhost"]));
        let mut desk = Client::login(server, "alice", "desk");
        granted(&append(&mut desk, "phone", &phone, ""));
        granted(&append(&mut desk, "tablet", &tablet, ""));
        let mut on_phone = login(server, &phone, "phone");
        let mut on_tablet = login(server, &tablet, "tablet");
        granted(&remove(&mut desk, "disable", "tablet"));
        assert!(!shown(server, &tablet).1);
        on_tablet.expect_nothing_before_ping();
        granted(&remove(&mut desk, "revoke", "phone"));
        on_phone.expect_stream_error("not-authorized");
        let (mut again, offered) = shown(server, &phone);
        assert!(!offered);
        again.auth("EXTERNAL", b"");
        again.expect_failure("invalid-mechanism");
        assert!(again.sasl(&Sasl::new("SCRAM-SHA-256", "alice", "alice-secret")).fits("<success"));
        on_tablet.expect_nothing_before_ping();
        assert!(!items(&mut desk).contains("<item>"));
        for how in ["disable", "revoke"] {
            assert_eq!(problem(&remove(&mut desk, how, "phone")).0, "item-not-found");
        }
    });
}

#[test]
fn a_login_that_is_under_way_when_its_certificate_is_removed_does_not_come_about() {
    let server = allowing().store(Backend::Memory).start();
    let certificate = made(&["alice@localhost"]);
    let mut desk = Client::login(&server, "alice", "desk");
    granted(&append(&mut desk, "phone", &certificate, ""));
    let (mut client, _) = shown(&server, &certificate);
    assert!(client.sasl(&external("")).fits("<success"));
    client.open();
    granted(&remove(&mut desk, "disable", "phone"));
    client.send("<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>");
    client.expect_stream_error("not-authorized");
}

#[test]
fn certificates_outlive_a_crash_and_end_with_the_account() {
    let mut server = allowing().start();
    let certificate = made(&["alice@localhost"]);
    granted(&append(&mut Client::login(&server, "alice", "desk"), "phone", &certificate, ""));
    server.crash();
    login(&server, &certificate, "phone").close();
    server.control().run("user delete", json!({ "jid": "alice@localhost" }));
    server.control().add_user("alice@localhost");
    assert!(!shown(&server, &certificate).1, "a stranger has the name now");
}

// XEP-0257 example 2
// XEP-0257 example 10
#[test]
fn a_certificate_that_manages_none_changes_none() {
    let server = allowing().store(Backend::Memory).start();
    let certificate = made(&["alice@localhost"]);
    granted(&append(&mut Client::login(&server, "alice", "desk"), "bot", &certificate, "<no-cert-management/>"));
    let mut bot = login(&server, &certificate, "bot");
    assert_eq!(problem(&append(&mut bot, "other", &made(&["alice@localhost"]), "")).0, "forbidden");
    for how in ["disable", "revoke"] {
        assert_eq!(problem(&remove(&mut bot, how, "bot")).0, "forbidden");
    }
    assert!(items(&mut bot).contains("<no-cert-management/>"), "it may look");
    let asked = send(&mut bot, "", &own("certificate-revoke"), "", "");
    let refused = go_on(&mut bot, &asked, "complete", &form(&[("name", "bot")]));
    assert!(refused.contains("<note type='error'>who has logged in with this certificate cannot"), "{refused}");
    // Section 5.2: who came without the password does not give the account another one.
    let password =
        "<query xmlns='jabber:iq:register'><username>alice</username><password>Other-secret-1</password></query>";
    assert_eq!(problem(&ask(&mut bot, "set", "localhost", password)).0, "not-authorized");
}

#[test]
fn what_could_not_log_in_is_not_stored() {
    let server = allowing().store(Backend::Memory).start();
    let mut alice = Client::login(&server, "alice", "desk");
    let years = |from, to| of_years(&["alice@localhost"], (from, to));
    for wrong in
        [made(&[]), made(&["bob@localhost"]), made(&["alice@localhost/x"]), years(2000, 2001), years(2099, 2100)]
    {
        assert_eq!(problem(&append(&mut alice, "a", &wrong, "")).0, "not-acceptable");
    }
    let good = made(&["alice@localhost"]);
    granted(&append(&mut alice, "a", &good, ""));
    assert_eq!(problem(&append(&mut alice, "a", &made(&["alice@localhost"]), "")).0, "conflict");
    assert_eq!(problem(&append(&mut alice, "b", &good, "")).0, "conflict");
    for inside in [
        "",
        "<name>c</name>",
        "<x509cert>AAAA</x509cert>",
        "<name>c</name><x509cert>AAAA</x509cert>",
        "<name>c</name><x509cert>?</x509cert>",
        &format!("<name>c</name><x509cert>{}</x509cert>", "A".repeat(16_000)),
        &format!("<name>a&#9;b</name><x509cert>{}</x509cert>", base64(&made(&["alice@localhost"]))),
        &format!("<name>{}</name><x509cert>{}</x509cert>", "c".repeat(300), base64(&made(&["alice@localhost"]))),
    ] {
        let refused = ask(&mut alice, "set", "", &format!("<append xmlns='{NS}'>{inside}</append>"));
        assert_eq!(problem(&refused).0, "bad-request", "{inside:.60}");
    }
    for number in 1..20 {
        granted(&append(&mut alice, &format!("n{number}"), &made(&["alice@localhost"]), ""));
    }
    assert_eq!(problem(&append(&mut alice, "more", &made(&["alice@localhost"]), "")).0, "resource-constraint");
    assert_eq!(items(&mut alice).matches("<item>").count(), 20);
}

#[test]
fn nobody_else_sees_or_changes_certificates() {
    let server = allowing().store(Backend::Memory).start();
    let mut alice = Client::login(&server, "alice", "desk");
    granted(&append(&mut alice, "phone", &made(&["alice@localhost"]), ""));
    let mut bob = Client::login(&server, "bob", "desk");
    let requests = [
        ("get", format!("<items xmlns='{NS}'/>")),
        ("set", format!("<revoke xmlns='{NS}'><name>phone</name></revoke>")),
        (
            "set",
            format!(
                "<append xmlns='{NS}'><name>x</name><x509cert>{}</x509cert></append>",
                base64(&made(&["bob@localhost"]))
            ),
        ),
    ];
    for (kind, payload) in &requests {
        for to in ["alice@localhost", "nobody@localhost", "localhost"] {
            assert_eq!(problem(&ask(&mut bob, kind, to, payload)).0, "service-unavailable", "{to}");
        }
    }
    assert!(!items(&mut bob).contains("<item>") && items(&mut alice).contains("phone"));
}

#[test]
fn without_encryption_certificates_are_not_spoken_of() {
    let options =
        "tls.require_c2s = false\nauth.plain_without_tls = true\nauth.mechanisms = [\"SCRAM-SHA-256\", \"EXTERNAL\"]";
    let server = allowing().store(Backend::Memory).options(options).start();
    let mut alice = Client::connect(&server);
    alice.log_in("alice", "phone");
    assert_eq!(problem(&items(&mut alice)).0, "policy-violation");
    assert_eq!(problem(&append(&mut alice, "a", &made(&["alice@localhost"]), "")).0, "policy-violation");
    assert_eq!(problem(&remove(&mut alice, "revoke", "a")).0, "policy-violation");
}

#[test]
fn where_they_are_not_wanted_they_are_neither_stored_nor_believed() {
    let server = allowing().start();
    let certificate = made(&["alice@localhost"]);
    let mut alice = Client::login(&server, "alice", "desk");
    granted(&append(&mut alice, "phone", &certificate, ""));
    server.write_options("auth.own_certificates = false");
    server.control().run("reload", json!({}));
    assert!(!shown(&server, &certificate).1);
    assert_eq!(problem(&append(&mut alice, "more", &made(&["alice@localhost"]), "")).0, "not-allowed");
    granted(&remove(&mut alice, "revoke", "phone"));
}

#[test]
fn commands_do_the_same() {
    let server = allowing().start();
    let certificate = made(&["alice@localhost"]);
    let mut alice = Client::login(&server, "alice", "desk");
    let none = send(&mut alice, "", &own("certificate-list"), "", "");
    assert_eq!(status(&none), "completed");
    let asked = send(&mut alice, "", &own("certificate-add"), "", "");
    for field in ["<field var='name' type='text-single'", "<field var='certificate' type='text-multi'"] {
        assert!(asked.contains(field) && !asked.contains("var='jid'"), "{asked}");
    }
    let lines: String = certificate.certificate_pem.lines().map(|line| format!("<value>{line}</value>")).collect();
    let filled = |lines: &str| {
        format!(
            "<x xmlns='jabber:x:data' type='submit'><field var='name'><value>Phone</value></field>\
             <field var='certificate'>{lines}</field><field var='jid'><value>bob@localhost</value></field></x>"
        )
    };
    let wrong = go_on(&mut alice, &asked, "complete", &filled("<value>nothing</value>"));
    assert_eq!(status(&wrong), "executing");
    assert!(wrong.contains("<note type='error'>this is not a certificate"), "{wrong}");
    let done = go_on(&mut alice, &wrong, "complete", &filled(&lines));
    assert!(done.contains("<note type='info'>alice@localhost can log in with Phone</note>"), "{done}");
    let mut phone = login(&server, &certificate, "phone");
    let list = send(&mut alice, "localhost", &own("certificate-list"), "", "");
    assert!(list.contains("<field var='name'><value>Phone</value></field><field var='sha256'><value>"), "{list}");
    assert!(list.contains("<field var='sessions'><value>phone</value></field>"), "{list}");
    let asked = send(&mut alice, "", &own("certificate-revoke"), "", "");
    assert!(
        asked.contains("type='list-single'") && asked.contains("<option label='Phone'><value>Phone</value></option>"),
        "{asked}"
    );
    let done = go_on(&mut alice, &asked, "complete", &form(&[("name", "Phone")]));
    assert!(done.contains("and its session was ended</note>"), "{done}");
    phone.expect_stream_error("not-authorized");
    let nothing_left = send(&mut alice, "", &own("certificate-revoke"), "", "");
    assert!(nothing_left.contains("<note type='error'>there are no certificates</note>"), "{nothing_left}");
}

#[test]
fn an_admin_does_it_for_the_own_domain_in_two_steps() {
    let server = crate::server();
    let certificate = made(&["bob@localhost"]);
    let given = json!({ "jid": "bob@localhost", "name": "bot", "certificate": certificate.certificate_pem });
    server.control().run("certificate add", given);
    let mut bot = login(&server, &certificate, "bot");
    let mut alice = Client::login(&server, "alice", "desk");
    let who = send(&mut alice, "localhost", &own("certificate-revoke"), "", "");
    assert!(who.contains("<actions execute='next'><next/></actions>"), "{who}");
    assert!(
        who.contains("<field var='jid' type='jid-single'") && who.contains("<value>alice@localhost</value>"),
        "{who}"
    );
    let elsewhere = go_on(&mut alice, &who, "next", &form(&[("jid", "dave@b.example")]));
    assert!(elsewhere.contains("<note type='error'>you may administer localhost only</note>"), "{elsewhere}");
    let which = go_on(&mut alice, &elsewhere, "next", &form(&[("jid", "bob@localhost")]));
    assert!(which.contains("<prev/><complete/>") && which.contains("<value>bot</value>"), "{which}");
    let done = go_on(&mut alice, &which, "complete", &form(&[("name", "bot")]));
    assert_eq!(status(&done), "completed", "{done}");
    bot.expect_stream_error("not-authorized");
}

const SM: &str = "urn:xmpp:sm:3";

/// Proves with a certificate whose stream it is, and goes on up to the features behind that.
#[track_caller]
fn proved(server: &Server, certificate: &Shown) -> Client {
    let (mut client, offered) = shown(server, certificate);
    assert!(offered);
    assert!(client.sasl(&external("")).fits("<success"));
    client.open();
    client
}

#[test]
fn a_stream_that_waits_to_be_resumed_ends_with_its_certificate() {
    on_both_stores_with("auth.own_certificates = true", |server| {
        let certificate = made(&["alice@localhost"]);
        let mut desk = Client::login(server, "alice", "desk");
        granted(&append(&mut desk, "phone", &certificate, ""));
        let mut phone = login(server, &certificate, "phone");
        let previd = phone.enable();
        phone.drop_connection();
        granted(&remove(&mut desk, "revoke", "phone"));
        let mut thief = Client::direct_tls(server);
        thief.authenticate("alice");
        thief.send(&format!("<resume xmlns='{SM}' previd='{previd}' h='0'/>"));
        thief.expect(&format!("<failed xmlns='{SM}'"));
    });
}

#[test]
fn a_stream_that_was_resumed_by_a_certificate_ends_with_it_also_on_a_new_process() {
    let mut server = allowing().start();
    let certificate = made(&["alice@localhost"]);
    granted(&append(&mut Client::login(&server, "alice", "desk"), "phone", &certificate, ""));
    let mut phone = login(&server, &certificate, "phone");
    let previd = phone.enable();
    phone.available();
    server.crash();
    let mut phone = proved(&server, &certificate);
    phone.send(&format!("<resume xmlns='{SM}' previd='{previd}' h='1'/>"));
    phone.expect(&format!("<resumed xmlns='{SM}'"));
    let mut desk = Client::login(&server, "alice", "desk");
    assert!(items(&mut desk).contains("<resource>phone</resource>"));
    granted(&remove(&mut desk, "revoke", "phone"));
    let error = phone.wait_for("<stream:error");
    assert!(error.contains("<not-authorized "), "{error}");
}

#[test]
fn a_certificate_logs_in_by_the_newer_profile_too() {
    let server = allowing().store(Backend::Memory).start();
    let certificate = made(&["alice@localhost"]);
    let mut desk = Client::login(&server, "alice", "desk");
    granted(&append(&mut desk, "phone", &certificate, ""));
    let (mut phone, offered) = shown(&server, &certificate);
    assert!(offered);
    phone.send(
        "<authenticate xmlns='urn:xmpp:sasl:2' mechanism='EXTERNAL'><initial-response/>\
         <bind xmlns='urn:xmpp:bind:0'><tag>phone</tag></bind></authenticate>",
    );
    let success = phone.expect("<success xmlns='urn:xmpp:sasl:2'");
    assert!(success.contains("alice@localhost/phone"), "{success}");
    phone.expect("<stream:features");
    assert!(items(&mut desk).contains("<users><resource>phone"));
    granted(&remove(&mut desk, "revoke", "phone"));
    phone.expect_stream_error("not-authorized");
    assert!(!shown(&server, &certificate).1);
}
