//! Shared groups: people who see each other because the operator says so.

use metronome_testkit::{Backend, Client, Push, Server, Setup, on_both_stores_with};
use serde_json::json;

use crate::{ask, online};

const TEAM: &str = "groups.members = [\"Team: alice@localhost = Alice\", \"Team: bob@localhost\"]";

#[test]
fn members_of_a_group_are_contacts_of_each_other() {
    on_both_stores_with(TEAM, |server| {
        let mut alice = online(server, "alice", "phone");
        assert_eq!(alice.roster().lines(), ["bob@localhost both [Team]"]);
        let mut bob = online(server, "bob", "desk");
        assert_eq!(bob.roster().lines(), ["alice@localhost both 'Alice' [Team]"]);
        let mut carol = online(server, "carol", "car");
        assert!(carol.roster().items.is_empty());
    });
}

#[test]
fn members_of_a_group_see_each_other_come_and_go() {
    on_both_stores_with(TEAM, |server| {
        let mut alice = online(server, "alice", "phone");
        let mut carol = online(server, "carol", "car");
        let mut bob = Client::login(server, "bob", "desk");
        bob.send("<presence><show>away</show></presence>");
        bob.wait_for("<presence from='alice@localhost/phone'");
        let seen = alice.wait_for("<presence from='bob@localhost/desk'");
        assert!(seen.contains("<show>away</show>"), "{seen}");
        bob.close();
        alice.wait_for("<presence type='unavailable' from='bob@localhost/desk'");
        carol.expect_nothing_before_ping();
    });
}

#[test]
fn only_the_operator_changes_what_comes_from_a_group() {
    on_both_stores_with(TEAM, |server| {
        let mut alice = online(server, "alice", "phone");
        alice.roster();
        for item in [
            "<item jid='bob@localhost' name='Mine'/>",
            "<item jid='bob@localhost' subscription='remove'/>",
            "<item jid='bob@localhost'><group>Other</group></item>",
        ] {
            alice.expect_set_refused(item, "forbidden");
        }
        assert_eq!(alice.roster().lines(), ["bob@localhost both [Team]"]);
    });
}

#[test]
fn a_member_may_see_what_presence_shows() {
    on_both_stores_with(TEAM, |server| {
        let mut alice = online(server, "alice", "phone");
        let _bob = online(server, "bob", "desk");
        let answer = ask(&mut alice, "get", "bob@localhost", "<query xmlns='jabber:iq:last'/>");
        assert!(answer.contains("seconds='0'"), "{answer}");
    });
}

#[test]
fn everybody_sees_a_public_group_and_its_members_see_each_other_only() {
    on_both_stores_with(
        "groups.members = [\"+Help desk: alice@localhost = Help\", \"+Help desk: bob@localhost\"]",
        |server| {
            let mut carol = online(server, "carol", "car");
            assert_eq!(
                carol.roster().lines(),
                ["alice@localhost to 'Help' [Help desk]", "bob@localhost to [Help desk]"]
            );
            let mut alice = online(server, "alice", "phone");
            assert_eq!(alice.roster().lines(), ["bob@localhost both [Help desk]"]);
            carol.wait_for("<presence from='alice@localhost/phone'");
            // Carol comes again: she sees alice, and alice does not hear of it.
            alice.so_far();
            carol.close();
            let mut carol = Client::login(server, "carol", "car");
            carol.send("<presence/>");
            carol.wait_for("<presence from='alice@localhost/phone'");
            alice.expect_nothing_before_ping();
            assert!(
                ask(&mut carol, "get", "alice@localhost", "<query xmlns='jabber:iq:last'/>").contains("seconds='0'")
            );
        },
    );
}

/// The one way of a public group is the operator's, the other one is the account's own business.
#[test]
fn somebody_whom_everybody_sees_asks_to_see_back() {
    on_both_stores_with("groups.members = [\"+Help desk: alice@localhost\"]", |server| {
        let mut carol = online(server, "carol", "car");
        let mut alice = online(server, "alice", "phone");
        carol.so_far();
        for kind in ["subscribe", "unsubscribe"] {
            carol.send(&format!("<presence to='alice@localhost' type='{kind}' id='{kind}'/>"));
            carol.expect(&format!("<presence type='error' from='alice@localhost' id='{kind}'><forbidden"));
        }
        alice.send("<presence to='carol@localhost' type='subscribe'/>");
        carol.wait_for("<presence type='subscribe' from='alice@localhost'");
        carol.send("<presence to='alice@localhost' type='subscribed'/>");
        alice.wait_for("<presence from='carol@localhost/car'");
        alice.so_far();
        assert_eq!(alice.roster().lines(), ["carol@localhost to"]);
        assert_eq!(carol.roster().lines(), ["alice@localhost both [Help desk]"]);
    });
}

#[test]
fn who_comes_into_a_public_group_is_seen_and_who_leaves_it_is_not() {
    let server = with_file("");
    let mut alice = online(&server, "alice", "phone");
    let mut carol = online(&server, "carol", "car");
    for (text, seen) in
        [("[+Help desk]\nalice@localhost\n", "<presence from"), ("", "<presence type='unavailable' from")]
    {
        write_file(&server, text);
        server.control().run("reload", json!({}));
        carol.expect(&format!("{seen}='alice@localhost/phone'"));
    }
    alice.expect_nothing_before_ping();
}

fn with_file(text: &str) -> Server {
    let server = Setup::default().store(Backend::Memory).start();
    write_file(&server, text);
    server.write_options("groups.file = \"{folder}/groups.txt\"");
    server.control().run("reload", json!({}));
    server
}

fn write_file(server: &Server, text: &str) {
    std::fs::write(server.folder().join("groups.txt"), text).unwrap();
}

#[test]
fn a_changed_file_counts_after_a_reload_and_is_pushed_to_those_who_are_there() {
    let server = with_file("# people\n[Team]\nalice@localhost\nbob@localhost\n");
    let mut alice = online(&server, "alice", "phone");
    let mut roster = alice.roster();
    assert_eq!(roster.lines(), ["bob@localhost both [Team]"]);
    for (file, wanted) in [
        (
            "[Team]\nalice@localhost\nbob@localhost=Bob\ncarol@localhost\n",
            vec!["bob@localhost both 'Bob' [Team]", "carol@localhost both [Team]"],
        ),
        ("[Team]\nalice@localhost\ncarol@localhost\n", vec!["carol@localhost both [Team]"]),
        ("", vec![]),
    ] {
        write_file(&server, file);
        server.control().run("reload", json!({}));
        let pushes: Vec<_> = alice.so_far().iter().filter_map(Push::read).collect();
        pushes.iter().for_each(|push| roster.take(push));
        assert_eq!(roster.lines(), wanted, "by pushes: {pushes:?}");
        assert_eq!(alice.roster().lines(), wanted, "as it is asked for");
    }
}

#[test]
fn a_file_with_a_mistake_changes_nothing_and_is_explained() {
    let server = with_file("[Team]\nalice@localhost\nbob@localhost\n");
    let mut alice = online(&server, "alice", "phone");
    for (text, said) in
        [("[Team]\nalice@localhost\n\nbob\n", "groups.txt: line 4: `bob`"), ("alice@localhost\n", "line 1")]
    {
        write_file(&server, text);
        let reply = server.control().ask("reload", json!({}));
        assert_eq!(reply["exit"], 1, "{reply}");
        assert!(reply["message"].as_str().unwrap().contains(said), "{reply}");
        assert_eq!(alice.roster().lines(), ["bob@localhost both [Team]"]);
    }
    std::fs::remove_file(server.folder().join("groups.txt")).unwrap();
    assert_eq!(server.control().ask("reload", json!({}))["exit"], 1);
    assert_eq!(alice.roster().lines(), ["bob@localhost both [Team]"]);
}

/// The groups of all domains, and those of the one whose people are to see the help desk.
#[test]
fn a_public_group_shows_members_of_other_domains_to_everybody() {
    for domains in ["", "host.\"localhost\"."] {
        let options = format!("{domains}groups.members = [\"+Help desk: dave@second.example = Help\"]");
        let server = Setup::default().store(Backend::Memory).domain("second.example").account("dave@second.example");
        let server = server.account("erin@second.example").options(&options).start();
        let mut carol = online(&server, "carol", "car");
        assert_eq!(carol.roster().lines(), ["dave@second.example to 'Help' [Help desk]"]);
        let mut erin = of_second(&server, "erin");
        let mut dave = of_second(&server, "dave");
        carol.wait_for("<presence from='dave@second.example/phone'");
        // Who comes later sees him, too, and both hear of every change.
        let mut bob = Client::login(&server, "bob", "desk");
        bob.send("<presence/>");
        bob.wait_for("<presence from='dave@second.example/phone'");
        dave.send("<presence><show>dnd</show></presence>");
        for client in [&mut carol, &mut bob] {
            let seen = client.wait_for("<presence from='dave@second.example/phone'");
            assert!(seen.contains("<show>dnd</show>"), "{seen}");
        }
        // He sees nobody, and his own domain sees him if its groups say so.
        assert!(dave.so_far().iter().all(|seen| !seen.contains("@localhost")));
        let colleague = erin.so_far();
        let is_seen = colleague.iter().any(|seen| seen.fits("<presence from='dave@second.example/phone'"));
        assert_eq!(is_seen, domains.is_empty(), "{colleague:?}");
        // Whoever sees him may ask for him, and may ask him.
        carol.send("<presence type='probe' to='dave@second.example'/>");
        carol.wait_for("<presence from='dave@second.example/phone'");
        let last = ask(&mut carol, "get", "dave@second.example", "<query xmlns='jabber:iq:last'/>");
        assert!(last.contains("seconds='0'"), "{last}");
        carol.send("<iq type='get' id='q' to='dave@second.example/phone'><query xmlns='jabber:iq:version'/></iq>");
        dave.wait_for("<iq type='get' id='q' from='carol@localhost/car'");
        dave.drop_connection();
        for client in [&mut carol, &mut bob] {
            client.wait_for("<presence type='unavailable' from='dave@second.example/phone'");
        }
    }
}

fn of_second(server: &Server, name: &str) -> Client {
    let mut client = server.dial().domain("second.example").direct();
    client.log_in(name, "phone");
    client.send("<presence/>");
    client.so_far();
    client
}

#[test]
fn only_members_whose_item_has_changed_are_pushed_each_with_an_id_of_its_own() {
    let server = with_file("[Team]\nalice@localhost\nbob@localhost\ncarol@localhost\n");
    let mut alice = online(&server, "alice", "phone");
    let mut roster = alice.roster();
    let mut ids = Vec::new();
    let team = "[Team]\nalice@localhost=Al\nbob@localhost=Bob\ncarol@localhost\n";
    let chess = "[Chess]\nalice@localhost\ncarol@localhost\n";
    for (file, wanted) in [
        // Her own name is nothing that she sees.
        ("[Team]\nalice@localhost=Al\nbob@localhost\ncarol@localhost\n".to_owned(), vec![]),
        (
            format!("{team}{chess}[+Help desk]\ndave@localhost\n"),
            vec![
                "bob@localhost both 'Bob' [Team]",
                "carol@localhost both [Chess, Team]",
                "dave@localhost to [Help desk]",
            ],
        ),
        (format!("{team}[+Help desk]\ndave@localhost\n"), vec!["carol@localhost both [Team]"]),
        (team.to_owned(), vec!["dave@localhost remove"]),
        (format!("{team}[+Help desk]\ndave@localhost\n"), vec!["dave@localhost to [Help desk]"]),
    ] {
        write_file(&server, &file);
        server.control().run("reload", json!({}));
        let pushes: Vec<_> = alice.so_far().iter().filter_map(Push::read).collect();
        let mut items: Vec<_> = pushes.iter().map(|push| push.item.to_string()).collect();
        items.sort();
        assert_eq!(items, wanted, "{file}");
        pushes.iter().for_each(|push| roster.take(push));
        assert_eq!(roster.lines(), alice.roster().lines(), "{file}");
        ids.extend(pushes.into_iter().map(|push| push.id));
    }
    let different: std::collections::HashSet<_> = ids.iter().collect();
    assert_eq!(different.len(), ids.len(), "{ids:?}");
}

#[test]
fn who_leaves_a_group_is_gone_for_those_who_saw_him_and_see_him_no_more() {
    let team = "[Team]\nalice@localhost\nbob@localhost\ncarol@localhost\n";
    let help = "[+Help desk]\nalice@localhost\n";
    let server = with_file(&format!("{team}{help}"));
    let mut alice = online(&server, "alice", "phone");
    let mut bob = online(&server, "bob", "desk");
    let _carol = online(&server, "carol", "car");
    server.control().run("user lock", json!({ "jid": "carol@localhost" }));
    for client in [&mut alice, &mut bob] {
        client.wait_for("<presence type='unavailable' from='carol@localhost/car'");
    }
    write_file(&server, help);
    server.control().run("reload", json!({}));
    let goodbyes = |client: &mut Client| {
        let said = client.so_far().into_iter().filter(|seen| seen.fits("<presence type='unavailable'"));
        said.filter_map(|seen| seen.attribute("from")).collect::<Vec<_>>()
    };
    // Everybody sees her still, and carol was gone before.
    assert!(goodbyes(&mut bob).is_empty());
    assert_eq!(goodbyes(&mut alice), ["bob@localhost/desk"]);
}
