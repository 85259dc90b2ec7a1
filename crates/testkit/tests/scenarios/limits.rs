//! Budgets per address, and clients that are slow, silent or deaf: each costs itself alone.

use std::time::{Duration, Instant};

use metronome_testkit::{Backend, Client, Dial, Setup, WAIT, on_both_stores_with};

/// Whether a new connection is served.
fn is_served(dial: &Dial) -> Option<Client> {
    let mut client = dial.try_clear().ok()?;
    client.try_send(Client::header("localhost").as_bytes()).ok()?;
    let served = client.next_within(WAIT)?.fits("<stream:stream");
    served.then_some(client)
}

#[test]
fn an_address_may_have_so_many_connections_and_others_do_not_notice() {
    let server = Setup::default().store(Backend::Memory).options("limits.connections = 3").start();
    let crowd = server.dial().from("127.0.0.2");
    let mut clients: Vec<_> = (0..3).map(|_| is_served(&crowd).expect("three are served")).collect();
    assert!(is_served(&crowd).is_none(), "a fourth connection is turned away");
    Client::login(&server, "alice", "phone").expect_nothing_before_ping();
    clients.pop().unwrap().close();
    // It is given back a moment after the end of the connection.
    let until = Instant::now() + WAIT;
    while is_served(&crowd).is_none() {
        assert!(Instant::now() < until, "a place that is given back can be had");
    }
}

#[test]
fn an_address_that_connects_too_often_waits() {
    let server = Setup::default().store(Backend::Memory).options("limits.connection_rate = \"1/h\"").start();
    // Five times a single connection in an hour is less than one now, but the first is always let in.
    assert!(is_served(&server.dial().from("127.0.0.2")).is_some());
    assert!(is_served(&server.dial().from("127.0.0.2")).is_none());
    server.write_options("limits.connection_rate = \"2/h\"");
    server.control().run("reload", serde_json::json!({}));
    assert!(is_served(&server.dial().from("127.0.0.2")).is_none());
    server.write_options("limits.connection_rate = \"100/s\"");
    server.control().run("reload", serde_json::json!({}));
    let served = (0..600).filter(|_| is_served(&server.dial().from("127.0.0.3")).is_some()).count();
    assert!(served >= 500, "a burst of five times the rate is let in: {served}");
}

#[test]
fn who_says_nothing_is_closed_after_some_seconds() {
    let server = Setup::default().store(Backend::Memory).start();
    let mut silent = [Client::connect(&server), Client::connect(&server), Client::direct_tls(&server)];
    let mut started = Client::connect(&server);
    started.send("<?xml");
    for client in &mut silent {
        client.expect_stream_error("connection-timeout");
    }
    // Who has begun has longer.
    assert_eq!(started.next_within(Duration::from_millis(10)), None);
}

#[test]
fn a_client_that_never_reads_costs_a_bounded_part_of_memory() {
    // Every ping is answered, and every answer stays with us: reading stops, and with it the answering.
    let options = "limits.c2s.bytes = \"1 GiB/s\"\nlimits.c2s.burst = \"1 GiB\"";
    let server = Setup::default().store(Backend::Memory).options(options).start();
    let mut reader = Client::login(&server, "bob", "desk");
    reader.available();
    let before = server.resident_bytes();
    let mut deaf = Client::login(&server, "alice", "phone");
    let pings = "<iq type='get' id='0123456789'><ping xmlns='urn:xmpp:ping'/></iq>".repeat(500);
    let mut sent = 0;
    deaf.set_write_timeout(Duration::from_millis(500));
    while sent < 64 << 20 && deaf.try_send(pings.as_bytes()).is_ok() {
        sent += pings.len();
    }
    assert!(sent < 64 << 20, "the server reads on although its answers are not read");
    let grown = server.resident_bytes().saturating_sub(before);
    assert!(grown < 24 << 20, "{grown} bytes more for a client that does not read");
    reader.expect_nothing_before_ping();
}

#[test]
fn messages_for_a_client_that_never_reads_cost_a_bounded_part_of_memory() {
    let options = "limits.c2s.bytes = \"1 GiB/s\"\nlimits.c2s.burst = \"1 GiB\"";
    let server = Setup::default().options(options).start();
    let mut deaf = Client::login(&server, "bob", "desk");
    deaf.available();
    let mut alice = Client::login(&server, "alice", "phone");
    let body = "x".repeat(20_000);
    let mut send = |megabytes: usize| {
        for _ in 0..megabytes {
            alice.send(&format!("<message to='bob@localhost' type='chat'><body>{body}</body></message>").repeat(50));
            alice.expect_nothing_before_ping();
        }
    };
    // His queue fills, and the caches of the store; from then on there is nothing that may grow.
    let grown = server.steady_growth(4, || send(10));
    assert!(grown < 3 << 20, "{grown} bytes more with every 10 MB to a client that does not read");
    let mut carol = Client::login(&server, "carol", "desk");
    carol.available();
    alice.send("<message to='carol@localhost' type='chat' id='on'><body>hello</body></message>");
    carol.expect("<message id='on'");
}

#[test]
fn who_sends_too_fast_waits_and_the_others_do_not() {
    let options = "limits.c2s.bytes = \"10 KiB/s\"\nlimits.c2s.burst = \"10 KiB\"";
    let server = Setup::default().store(Backend::Memory).options(options).start();
    let mut bob = Client::login(&server, "bob", "desk");
    bob.available();
    let mut alice = Client::login(&server, "alice", "phone");
    let message = format!("<message to='bob@localhost' type='chat'><body>{}</body></message>", "x".repeat(900));
    alice.send(&message.repeat(45));
    let started = Instant::now();
    for _ in 0..45 {
        bob.expect("<message");
    }
    // 45 KB at 10 KB/s with a burst of 10 KB and one read beyond it cannot be through in a second: a lower bound does not depend on the machine.
    assert!(started.elapsed() > Duration::from_secs(1), "{:?}", started.elapsed());
}

#[test]
fn a_burst_longer_than_the_list_of_unsettled_stanzas_goes_through_without_a_pause() {
    let options = "limits.c2s.bytes = \"1 GiB/s\"\nlimits.c2s.burst = \"1 GiB\"";
    on_both_stores_with(options, |server| {
        let mut bob = Client::login(server, "bob", "desk");
        bob.available();
        let mut alice = Client::login(server, "alice", "phone");
        alice.send(&"<message to='bob@localhost' type='chat'><body>x</body></message>".repeat(2_000));
        // A pause of a second for each full list would be longer than anything here waits.
        alice.expect_nothing_before_ping();
    });
}

#[test]
fn a_burst_of_what_is_not_stored_goes_through_without_a_pause() {
    let options = "limits.c2s.bytes = \"1 GiB/s\"\nlimits.c2s.burst = \"1 GiB\"";
    on_both_stores_with(options, |server| {
        let mut alice = Client::login(server, "alice", "phone");
        // Bob has not been looked at yet, so the first one waits for the store and the others behind it.
        let state =
            "<message to='bob@localhost' type='chat'><active xmlns='http://jabber.org/protocol/chatstates'/></message>";
        alice.send(&state.repeat(500));
        alice.expect_nothing_before_ping();
    });
}

#[test]
fn handshakes_that_stop_midway_keep_nobody_out() {
    let server = Setup::default().store(Backend::Memory).start();
    let dial = server.dial();
    // Half of them say half of their hello, the others all of it; none goes on.
    let mut hello = Vec::new();
    let mut tls = rustls::ClientConnection::new(dial.tls_config(), "localhost".try_into().unwrap()).unwrap();
    tls.write_tls(&mut hello).unwrap();
    let _half_open: Vec<_> = (0..200)
        .map(|at| {
            let mut client = dial.try_direct_without_handshake().unwrap();
            client.try_send(if at % 2 == 0 { &hello } else { &hello[..hello.len() / 2] }).unwrap();
            client
        })
        .collect();
    // Waiting for one of their deadlines after the other would take minutes.
    Client::login(&server, "alice", "phone").expect_nothing_before_ping();
    let mut starttls = Client::connect(&server).tls();
    starttls.log_in("bob", "desk");
}
