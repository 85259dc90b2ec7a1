//! From the login to the goodbye.

use metronome_testkit::{Client, on_both_stores};

#[test]
fn two_clients_log_in_and_chat_and_close() {
    on_both_stores(|server| {
        let mut alice = Client::login(server, "alice", "phone");
        let mut bob = Client::login(server, "bob", "desk");
        bob.available();
        alice.send("<message to='bob@localhost' type='chat' id='m1'><body>hello</body></message>");
        bob.expect("<message id='m1' from='alice@localhost/phone' to='bob@localhost'><body>hello</body>");
        alice.expect_nothing_before_ping();
        bob.expect_nothing_before_ping();
        assert!(alice.close().is_empty());
        bob.drop_connection();
    });
}

#[test]
fn starttls_leads_to_a_session_as_well() {
    on_both_stores(|server| {
        let mut alice = Client::connect(server).tls();
        alice.log_in("alice", "phone");
        alice.expect_nothing_before_ping();
    });
}
