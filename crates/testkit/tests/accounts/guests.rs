//! Guests (SASL ANONYMOUS, XEP-0175): let in only where a host asks for them, and named after the address they come from; what they
//! have is in `guest_data`. And SCRAM-SHA-384, which is offered only where it is listed.

use metronome_testkit::{Backend, Client, Dial, Sasl, Server, Setup};

const MECHANISMS: &str = "auth.mechanisms = [\"SCRAM-SHA-384\", \"SCRAM-SHA-256\", \"SCRAM-SHA-1\", \"ANONYMOUS\"]";

pub(crate) fn with_guests(options: &str) -> Setup {
    Setup::default().store(Backend::Sqlite).options(MECHANISMS).options(options)
}

/// A guest before the binding of a resource.
pub(crate) fn unbound(dial: &Dial) -> Client {
    let mut client = dial.direct();
    assert!(client.open().contains("<mechanism>ANONYMOUS</mechanism>"));
    client.auth("ANONYMOUS", b"");
    client.expect("<success");
    client.open();
    client
}

pub(crate) fn guest(dial: &Dial) -> Client {
    let mut client = unbound(dial);
    client.bind("");
    client
}

pub(crate) fn from(server: &Server, address: &str) -> Dial {
    server.dial().from(address)
}

/// Tries to bind; answers whether a second session was refused, with the words for it.
fn is_refused(mut client: Client, resource: &str) -> Option<String> {
    client.send(&format!(
        "<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>{resource}</resource></bind></iq>"
    ));
    let answer = client.next_piece();
    (!answer.fits("<iq type='result'")).then(|| answer.to_string())
}

#[test]
fn guests_of_different_addresses_chat_with_those_who_are_there() {
    let server = with_guests("").start();
    let mut one = guest(&from(&server, "127.0.0.2"));
    let mut two = guest(&from(&server, "127.0.0.3"));
    assert_ne!(one.bare(), two.bare());
    one.available();
    two.available();
    let to = two.bare().to_owned();
    one.send(&format!("<message to='{to}' type='chat' id='m1'><body>from guest to guest</body></message>"));
    let seen = two.expect("<message id='m1'");
    assert!(seen.contains("from guest to guest"), "{seen}");

    let mut alice = Client::login(&server, "alice", "phone");
    alice.available();
    one.send("<message to='alice@localhost' type='chat' id='m2'><body>from guest to alice</body></message>");
    let seen = alice.expect("<message id='m2'");
    assert!(seen.contains("stanza-id"), "what an account receives is stored: {seen}");
}

#[test]
fn the_same_address_has_the_same_name_also_after_a_restart() {
    let mut server = with_guests("").start();
    let first = guest(&from(&server, "127.0.0.2"));
    let name = first.bare().to_owned();
    assert!(!name.contains("127.0.0.2"), "the address is nobody's business: {name}");
    first.close();
    let again = guest(&from(&server, "127.0.0.2"));
    assert_eq!(again.bare(), name);
    again.close();
    server.crash();
    assert_eq!(guest(&from(&server, "127.0.0.2")).bare(), name);
}

#[test]
fn a_second_session_of_an_address_is_refused_and_the_first_goes_on() {
    let server = with_guests("").start();
    let mut first = unbound(&from(&server, "127.0.0.2"));
    first.bind("phone");
    for resource in ["", "desk"] {
        let why = is_refused(unbound(&from(&server, "127.0.0.2")), resource).expect("a second session is refused");
        assert!(why.contains("<resource-constraint") && why.contains("guest here already"), "{why}");
    }
    let why = is_refused(unbound(&from(&server, "127.0.0.2")), "phone").expect("nor is the first one replaced");
    assert!(why.contains("<conflict"), "{why}");
    first.expect_nothing_before_ping();
    assert!(is_refused(unbound(&from(&server, "127.0.0.3")), "phone").is_none());
}

#[test]
fn several_sessions_of_an_address_are_one_guest_where_the_host_allows_them() {
    let server = with_guests("guests.sessions = 2").start();
    let mut first = guest(&from(&server, "127.0.0.2"));
    let second = guest(&from(&server, "127.0.0.2"));
    assert_eq!(first.bare(), second.bare());
    assert!(is_refused(unbound(&from(&server, "127.0.0.2")), "").is_some());
    // With the first of them gone the guest is still there.
    let mut alice = Client::login(&server, "alice", "phone");
    second.close();
    first.available();
    let to = first.bare().to_owned();
    alice.send(&format!("<message to='{to}' type='chat' id='m1'><body>hello</body></message>"));
    first.expect("<message id='m1'");
    let to = "guest-0123456789abcdef0123456789abcdef@localhost";
    alice.send(&format!("<message to='{to}' type='chat' id='m2'><body>nobody</body></message>"));
    alice.expect("<message type='error' id='m2'><service-unavailable");
}

#[test]
fn guests_of_listed_networks_have_names_made_up_on_the_spot() {
    let server = with_guests("guests.random = [\"127.0.0.0/29\"]").start();
    let one = guest(&from(&server, "127.0.0.2"));
    let two = guest(&from(&server, "127.0.0.2"));
    assert_ne!(one.bare(), two.bare());
    let elsewhere = guest(&from(&server, "127.0.0.8"));
    assert!(is_refused(unbound(&from(&server, "127.0.0.8")), "").is_some());
    elsewhere.close();
}

#[test]
fn nobody_is_a_guest_any_more_after_the_stream() {
    let server = with_guests("").start();
    let two = guest(&from(&server, "127.0.0.2"));
    let to = two.bare().to_owned();
    two.close();
    let mut alice = Client::login(&server, "alice", "phone");
    alice.send(&format!("<message to='{to}' type='chat' id='m1'><body>too late</body></message>"));
    assert!(alice.expect("<message id='m1'").contains("service-unavailable"));
}

#[test]
fn a_guest_has_no_password_and_no_account_to_remove() {
    let server = with_guests("registration.open = true").start();
    let mut guest = guest(&from(&server, "127.0.0.2"));
    guest.send("<iq type='get' id='get'><query xmlns='jabber:iq:register'/></iq>");
    guest.expect("<iq type='error' id='get'><not-allowed");
    for inside in ["<remove/>", "<username>bill</username><password>Passw0rd</password>"] {
        super::send_set(&mut guest, inside);
        super::expect_refused(&mut guest, "cancel", "not-allowed");
    }
    guest.expect_nothing_before_ping();
}

#[test]
fn a_guest_does_not_reach_other_servers() {
    let server = with_guests("").start();
    let mut guest = guest(&from(&server, "127.0.0.2"));
    for stanza in [
        "<message to='somebody@elsewhere.example' type='chat' id='1'><body>hello</body></message>",
        "<iq to='elsewhere.example' type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>",
    ] {
        guest.send(stanza);
        let answer = guest.next_piece();
        assert!(answer.attribute("type").as_deref() == Some("error") && answer.contains("<remote-server-"), "{answer}");
    }
}

#[test]
fn sha_384_logs_in_where_it_is_listed() {
    let server = with_guests("").start();
    let mut client = Client::direct_tls(&server);
    client.open();
    assert!(client.sasl(&Sasl::new("SCRAM-SHA-384", "alice", "alice-secret")).fits("<success"));
}

#[test]
fn nobody_logs_in_to_a_guests_account_with_a_password() {
    let server = with_guests("").start();
    let mut guest = guest(&from(&server, "127.0.0.2"));
    let name = guest.bare().split('@').next().unwrap().to_owned();
    for password in ["", "x", "guest"] {
        let mut client = server.dial().direct();
        client.open();
        let answer = match password {
            "" => {
                client.auth("SCRAM-SHA-256", format!("n,,n={name},r=nonce").as_bytes());
                client.expect("<challenge");
                client.send("<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>Yz1iaXdzLHI9LHA9</response>");
                client.next_piece()
            }
            _ => client.sasl(&Sasl::new("SCRAM-SHA-1", &name, password)),
        };
        assert!(answer.fits("<failure"), "{answer}");
    }
    guest.expect_nothing_before_ping();
}
