//! What may be said when: every state of a stream with every kind of element (RFC 6120 sections 5 to 7, XEP-0170).

use metronome_testkit::{Backend, Client, Sasl, Server, Setup, base64};

const STARTTLS: &str = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";
const AUTH: &str = "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='SCRAM-SHA-1'/>";
const RESPONSE: &str = "<response xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>YQ==</response>";
const ABORT: &str = "<abort xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>";
const BIND: &str = "<iq type='set' id='1'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>";
const SESSION: &str = "<iq type='set' id='1'><session xmlns='urn:ietf:params:xml:ns:xmpp-session'/></iq>";
const PING: &str = "<iq type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>";
const MESSAGE: &str = "<message to='bob@localhost'><body>early</body></message>";
const PRESENCE: &str = "<presence/>";
const COMPRESS: &str = "<compress xmlns='http://jabber.org/protocol/compress'><method>zlib</method></compress>";
const NOT_COMPRESSED: &str = "<failure xmlns='http://jabber.org/protocol/compress'><unsupported-method";
const FEATURES: &str = "<stream:features/>";
const UNKNOWN: &str = "<unknown xmlns='urn:example:unknown'/>";
const TLS_PROCEED: &str = "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>";
const SUCCESS: &str = "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>";
const SERVER_MESSAGE: &str = "<message xmlns='jabber:server' to='bob@localhost'><body>x</body></message>";
const LEGACY_AUTH: &str = "<iq type='set' id='1'><query xmlns='jabber:iq:auth'><username>alice</username><password>alice-secret</password>\
    <resource>x</resource></query></iq>";

/// Every kind of element.
const ALL: [&str; 16] = [
    STARTTLS,
    AUTH,
    RESPONSE,
    ABORT,
    BIND,
    SESSION,
    PING,
    MESSAGE,
    PRESENCE,
    COMPRESS,
    FEATURES,
    UNKNOWN,
    TLS_PROCEED,
    SUCCESS,
    SERVER_MESSAGE,
    LEGACY_AUTH,
];

/// Says each element in a state; `answers` has those that are fine there with the answer's pattern, all others get one of
/// the stream errors `errors`.
fn matrix(server: &Server, state: fn(&Server) -> Client, answers: &[(&str, &str)], errors: &[&str]) {
    for element in ALL {
        let mut client = state(server);
        client.send(element);
        if let Some((_, pattern)) = answers.iter().find(|(known, _)| *known == element) {
            client.expect(pattern);
            continue;
        }
        let error = client.expect("<stream:error");
        let known = errors.iter().any(|condition| error.contains(&format!("<{condition} ")));
        assert!(known, "{element}\ngot {error}\nnone of {errors:?}");
        client.expect_end();
    }
    // Nobody was let in, and nothing was delivered.
    assert_eq!(server.figure("panics"), 0);
}

fn server() -> Server {
    Setup::default().store(Backend::Memory).start()
}

fn authenticated(server: &Server) -> Client {
    let mut client = Client::direct_tls(server);
    client.open();
    client.sasl(&Sasl::new("SCRAM-SHA-256", "alice", "alice-secret"));
    client.open();
    client
}

#[test]
fn before_tls_only_starttls_is_fine() {
    let state = |server: &Server| {
        let mut client = Client::connect(server);
        client.open();
        client
    };
    matrix(&server(), state, &[(STARTTLS, "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'")], &["policy-violation"]);
}

#[test]
fn before_the_login_only_auth_is_fine() {
    let state = |server: &Server| {
        let mut client = Client::direct_tls(server);
        client.open();
        client
    };
    matrix(&server(), state, &[(AUTH, "<challenge")], &["not-authorized"]);
}

#[test]
fn in_an_exchange_only_sasl_is_fine() {
    let state = |server: &Server| {
        let mut client = Client::direct_tls(server);
        client.open();
        client.auth("SCRAM-SHA-256", b"n,,n=alice,r=0123456789abcdef");
        client.expect("<challenge");
        client
    };
    let answers = [(RESPONSE, "<failure"), (ABORT, "<failure><aborted"), (AUTH, "<failure")];
    matrix(&server(), state, &answers, &["not-authorized"]);
}

#[test]
fn before_binding_only_bind_is_fine() {
    let answers = [(BIND, "<iq type='result' id='1'"), (COMPRESS, NOT_COMPRESSED)];
    matrix(&server(), authenticated, &answers, &["not-authorized", "unsupported-stanza-type", "invalid-namespace"]);
}

#[test]
fn a_session_takes_stanzas_and_nothing_else() {
    let state = |server: &Server| {
        let mut client = authenticated(server);
        client.bind("");
        client
    };
    let answers = [
        (BIND, "<iq type='error' id='1'"),
        (SESSION, "<iq type='result' id='1'"),
        (PING, "<iq type='result' id='1'"),
        (LEGACY_AUTH, "<iq type='error' id='1'"),
        (PRESENCE, "<presence from="),
        (COMPRESS, NOT_COMPRESSED),
    ];
    let server = server();
    let mut client = state(&server);
    client.send(MESSAGE);
    client.expect_nothing_before_ping();
    drop(client);
    for element in ALL.into_iter().filter(|element| *element != MESSAGE) {
        let mut client = authenticated(&server);
        client.bind("one");
        client.send(element);
        match answers.iter().find(|(known, _)| *known == element) {
            Some((_, "<presence from=")) => _ = client.expect("<presence from='alice@localhost/one'"),
            Some((_, pattern)) => _ = client.expect(pattern),
            None => {
                let error = client.expect("<stream:error");
                assert!(
                    error.contains("<unsupported-stanza-type ") || error.contains("<invalid-namespace "),
                    "{element}: {error}"
                );
                client.expect_end();
            }
        }
    }
}

#[test]
fn a_login_that_is_pipelined_is_taken_in_order() {
    // A client that knows what comes may send everything at once: each part is judged in the state that it is for.
    let server = Setup::default().store(Backend::Memory).options("auth.mechanisms = [\"PLAIN\"]").start();
    let mut client = Client::direct_tls(&server);
    let auth = base64("\0alice\0alice-secret");
    let header = Client::header("localhost");
    client.send(&format!(
        "{header}<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{auth}</auth>{header}{BIND}{PING}"
    ));
    for pattern in ["<stream:stream", "<stream:features", "<success", "<stream:stream", "<stream:features"] {
        client.expect(pattern);
    }
    client.expect("<iq type='result' id='1'><jid>alice@localhost/");
    client.expect("<iq type='result' id='1'");
}
