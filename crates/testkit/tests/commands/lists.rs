//! Who finds which commands.

use metronome_testkit::{Client, Seen, Setup};

use crate::{COMMANDS, admin, ask, dave, execute, nodes, own, problem, send, server};

#[track_caller]
fn list(client: &mut Client, to: &str) -> Seen {
    let list =
        ask(client, "get", to, &format!("<query xmlns='http://jabber.org/protocol/disco#items' node='{COMMANDS}'/>"));
    assert!(
        list.contains(&format!("<query xmlns='http://jabber.org/protocol/disco#items' node='{COMMANDS}'")),
        "{list}"
    );
    list
}

#[track_caller]
fn info(client: &mut Client, to: &str, node: &str) -> Seen {
    ask(client, "get", to, &format!("<query xmlns='http://jabber.org/protocol/disco#info' node='{node}'/>"))
}

// XEP-0050 example 1
// XEP-0050 example 2
// XEP-0257 example 8
// XEP-0257 example 9
#[test]
fn commands_are_announced() {
    let server = server();
    let mut bob = Client::login(&server, "bob", "phone");
    for to in ["localhost", "", "b.example"] {
        let plain = ask(&mut bob, "get", to, "<query xmlns='http://jabber.org/protocol/disco#info'/>");
        assert!(plain.contains(&format!("<feature var='{COMMANDS}'/>")), "{plain}");
        assert!(plain.contains("<feature var='urn:xmpp:saslcert:1'/>"), "{plain}");
        let list = info(&mut bob, to, COMMANDS);
        assert!(list.contains("<identity category='automation' type='command-list'/>"), "{list}");
    }
}

// XEP-0050 example 3
// XEP-0050 example 4
#[test]
fn lists_are_filtered_by_class() {
    let server = server();
    let of = |client: &mut Client, to: &str| nodes(&list(client, to));
    let mut bob = Client::login(&server, "bob", "phone");
    let of_users = of(&mut bob, "localhost");
    assert!(!of_users.contains(&admin("add-user")) && !of_users.contains(&own("stop")), "{of_users:?}");
    assert_eq!(of(&mut bob, ""), of_users, "users have the same commands at their own account");
    let mut alice = Client::login(&server, "alice", "phone");
    let of_admins = of(&mut alice, "localhost");
    for node in [admin("add-user"), admin("end-user-session"), own("session-list")] {
        assert!(of_admins.contains(&node), "{node} is not in {of_admins:?}");
    }
    assert!(of_users.iter().all(|node| of_admins.contains(node)), "an admin is a user too");
    assert!(!of_admins.contains(&own("stop")) && !of_admins.contains(&own("status")), "{of_admins:?}");
    assert_eq!(of(&mut alice, "alice@localhost"), of_users, "what is for hosts is at hosts");
    let mut carol = Client::login(&server, "carol", "phone");
    let of_operators = of(&mut carol, "localhost");
    assert!(of_operators.contains(&own("stop")) && of_operators.contains(&own("host-list")), "{of_operators:?}");
    assert!(of_admins.iter().all(|node| of_operators.contains(node)));
    assert_eq!(of(&mut carol, "b.example"), of_operators, "an operator is one everywhere");
    // Elsewhere they are strangers.
    assert!(of(&mut alice, "b.example").is_empty() && of(&mut bob, "b.example").is_empty());
    assert!(of(&mut dave(&server), "localhost").is_empty());
}

#[test]
fn a_role_counts_from_the_moment_it_is_given() {
    let server = server();
    let mut bob = Client::login(&server, "bob", "phone");
    let role =
        |role: &str| server.control().run("user role", serde_json::json!({ "jid": "bob@localhost", "role": role }));
    role("admin");
    assert!(nodes(&list(&mut bob, "localhost")).contains(&admin("add-user")));
    let begun = execute(&mut bob, &admin("delete-user"));
    role("user");
    assert!(!nodes(&list(&mut bob, "localhost")).contains(&admin("add-user")));
    let refused = crate::go_on(&mut bob, &begun, "complete", &crate::form(&[("accountjids", "alice@localhost")]));
    assert_eq!(problem(&refused).0, "forbidden");
}

// XEP-0050 example 5
// XEP-0050 example 6
#[test]
fn a_command_tells_what_it_is_to_those_who_may_run_it() {
    let server = server();
    let mut alice = Client::login(&server, "alice", "phone");
    let told = info(&mut alice, "localhost", &admin("add-user"));
    assert!(told.contains("category='automation' type='command-node' name='Adds an account'"), "{told}");
    for feature in [COMMANDS, "jabber:x:data"] {
        assert!(told.contains(&format!("<feature var='{feature}'/>")), "{told}");
    }
    let mut bob = Client::login(&server, "bob", "phone");
    let mut dave = dave(&server);
    for client in [&mut bob, &mut dave] {
        assert_eq!(problem(&info(client, "localhost", &admin("add-user"))).0, "forbidden");
        assert_eq!(problem(&info(client, "localhost", &own("stop"))).0, "forbidden");
        assert_eq!(problem(&info(client, "localhost", &own("nothing"))).0, "item-not-found");
    }
    assert_eq!(problem(&info(&mut alice, "", &admin("add-user"))).0, "item-not-found", "an account adds no users");
}

#[test]
fn who_may_not_is_forbidden_and_what_is_not_there_is_not_found() {
    let server = server();
    let mut bob = Client::login(&server, "bob", "phone");
    let mut dave = dave(&server);
    for client in [&mut bob, &mut dave] {
        for node in [admin("add-user"), own("stop"), own("session-list")] {
            let refused = execute(client, &node);
            assert_eq!(problem(&refused), ("forbidden".to_owned(), None), "{node}");
            assert!(refused.contains("<error type='cancel'"), "{refused}");
        }
        assert_eq!(problem(&execute(client, &own("nothing"))).0, "item-not-found");
    }
    let mut alice = Client::login(&server, "alice", "phone");
    for node in [own("stop"), own("host-list"), own("reload")] {
        assert_eq!(problem(&execute(&mut alice, &node)).0, "forbidden");
    }
    assert_eq!(problem(&send(&mut alice, "b.example", &admin("add-user"), "", "")).0, "forbidden");
    assert_eq!(problem(&send(&mut alice, "", &admin("add-user"), "", "")).0, "item-not-found");
}

#[test]
fn other_accounts_have_no_commands_whether_they_exist_or_not() {
    let server = server();
    let mut alice = Client::login(&server, "alice", "phone");
    let mut answers = Vec::new();
    for to in ["bob@localhost", "nobody@localhost"] {
        let items = list(&mut alice, to);
        assert!(nodes(&items).is_empty(), "{items}");
        let refused = [info(&mut alice, to, COMMANDS), send(&mut alice, to, &own("session-list"), "", "")];
        answers.push(refused.map(|answer| answer.replace(to, "TO")));
    }
    assert_eq!(answers[0], answers[1]);
    assert!(answers[0].iter().all(|answer| answer.contains("<service-unavailable")), "{answers:?}");
}

#[test]
fn a_contact_has_no_commands_at_an_account_either() {
    let server = server();
    let mut alice = Client::login(&server, "alice", "phone");
    let mut bob = Client::login(&server, "bob", "phone");
    bob.available();
    alice.available();
    alice.send("<presence to='bob@localhost' type='subscribe'/>");
    bob.wait_for("<presence type='subscribe'");
    bob.send("<presence to='alice@localhost' type='subscribed'/>");
    alice.wait_for("<presence type='subscribed'");
    let listed = list(&mut alice, "bob@localhost");
    assert!(listed.fits("<iq type='result'") && nodes(&listed).is_empty(), "{listed}");
    assert_eq!(problem(&info(&mut alice, "bob@localhost", &own("switch-set"))).0, "item-not-found");
    assert_eq!(problem(&send(&mut alice, "bob@localhost", &own("switch-set"), "", "")).0, "service-unavailable");
}

#[test]
fn guests_have_none() {
    let server = Setup::default().options("auth.mechanisms = [\"SCRAM-SHA-256\", \"ANONYMOUS\"]").start();
    let mut guest = Client::direct_tls(&server);
    guest.open();
    guest.auth("ANONYMOUS", b"");
    guest.expect("<success");
    guest.open();
    guest.bind("");
    assert!(nodes(&list(&mut guest, "localhost")).is_empty() && nodes(&list(&mut guest, "")).is_empty());
    assert_eq!(problem(&execute(&mut guest, &own("session-list"))).0, "forbidden");
}

#[test]
fn who_waits_for_a_confirmation_administers_nothing() {
    let server = server();
    let mut alice = Client::login(&server, "alice", "phone");
    server.control().run("user lock", serde_json::json!({ "jid": "alice@localhost" }));
    assert!(!nodes(&list(&mut alice, "localhost")).contains(&admin("add-user")));
    assert_eq!(problem(&execute(&mut alice, &admin("add-user"))).0, "forbidden");
}
