//! XEP-0016: lists are made, read, chosen, edited and removed, and follow the roster; and what the two doors say of one model.

use metronome_testkit::{Client, Server, on_both_stores};

use crate::{ask, befriend, block, blocklist, condition, heard, online, privacy, say, set, set_list, unblock};

const DENY_BOB: &str = "<item type='jid' value='bob@localhost' action='deny' order='3'/>";

#[track_caller]
fn get(client: &mut Client, inside: &str) -> String {
    let answer = ask(client, "get", "", &privacy(inside));
    let inside = answer.split_once("<query xmlns='jabber:iq:privacy'>");
    inside.map_or_else(|| answer.to_string(), |(_, rest)| rest.replace("</query></iq>", ""))
}

#[track_caller]
fn refused(client: &mut Client, kind: &str, inside: &str) -> String {
    condition(&ask(client, kind, "", &privacy(inside)))
}

// XEP-0016 example 1
// XEP-0016 example 2
// XEP-0016 example 3
// XEP-0016 example 4
// XEP-0016 example 9
// XEP-0016 example 10
// XEP-0016 example 11
// XEP-0016 example 12
// XEP-0016 example 13
// XEP-0016 example 16
// XEP-0016 example 17
// XEP-0016 example 19
// XEP-0016 example 27
// XEP-0016 example 28
#[test]
fn lists_are_made_read_and_removed() {
    on_both_stores(|server| {
        let mut alice = Client::login(server, "alice", "phone");
        assert!(ask(&mut alice, "get", "", &privacy("")).contains("<query xmlns='jabber:iq:privacy'/>"));
        let granular = "<item type='jid' value='tybalt@example.com' action='deny' order='3'><message/><iq/></item>";
        set_list(&mut alice, "public", &format!("<item action='allow' order='68'/>{granular}"));
        set_list(&mut alice, "a &lt;b&gt;", DENY_BOB);
        set(&mut alice, &privacy("<default name='public'/>"));
        set(&mut alice, &privacy("<active name='a &lt;b&gt;'/>"));
        assert_eq!(
            get(&mut alice, ""),
            "<active name='a &lt;b&gt;'/><default name='public'/><list name='a &lt;b&gt;'/><list name='public'/>"
        );
        let list = format!("<list name='public'>{granular}<item action='allow' order='68'/></list>");
        assert_eq!(get(&mut alice, "<list name='public'/>"), list);
        assert_eq!(refused(&mut alice, "get", "<list name='The Empty Set'/>"), "item-not-found");
        assert_eq!(refused(&mut alice, "get", "<list name='public'/><list name='a'/>"), "bad-request");
        for name in ["active", "default"] {
            assert_eq!(refused(&mut alice, "set", &format!("<{name} name='The Empty Set'/>")), "item-not-found");
        }
        assert_eq!(refused(&mut alice, "set", "<list name='The Empty Set'/>"), "item-not-found");
        // What is applied to nobody but who asks may go, and does not count any more.
        set(&mut alice, &privacy("<list name='public'/>"));
        set(&mut alice, &privacy("<list name='a &lt;b&gt;'/>"));
        assert!(ask(&mut alice, "get", "", &privacy("")).contains("<query xmlns='jabber:iq:privacy'/>"));
    });
}

// XEP-0016 example 23
// XEP-0016 example 24
// XEP-0016 example 25
// XEP-0016 example 26
#[test]
fn every_session_is_told_that_a_list_has_changed() {
    let server = Server::start();
    let mut phone = Client::login(&server, "alice", "phone");
    let mut desk = Client::login(&server, "alice", "desk");
    for inside in [format!("<list name='x'>{DENY_BOB}</list>"), "<list name='x'/>".to_owned()] {
        phone.send(&format!("<iq type='set' id='s'>{}</iq>", privacy(&inside)));
        phone.expect("<iq type='result' id='s'");
        for client in [&mut phone, &mut desk] {
            let push = client.expect("<iq type='set' from='alice@localhost'");
            assert!(push.contains(&privacy("<list name='x'/>")), "{push}");
            client.send(&format!("<iq type='result' id='{}'/>", push.attribute("id").unwrap()));
        }
    }
    phone.expect_nothing_before_ping();
    desk.expect_nothing_before_ping();
}

// XEP-0016 example 14
// XEP-0016 example 15
// XEP-0016 example 18
// XEP-0016 example 20
// XEP-0016 example 21
// XEP-0016 example 22
#[test]
fn nobody_changes_a_list_under_anothers_feet() {
    on_both_stores(|server| {
        let mut phone = Client::login(server, "alice", "phone");
        let mut desk = Client::login(server, "alice", "desk");
        set_list(&mut phone, "a", DENY_BOB);
        set_list(&mut phone, "b", DENY_BOB);
        set(&mut phone, &privacy("<default name='a'/>"));
        set(&mut phone, &privacy("<default name='a'/>"));
        for change in ["<default name='b'/>", "<default/>", "<list name='a'/>"] {
            assert_eq!(refused(&mut phone, "set", change), "conflict", "{change}");
        }
        // With a list of its own the other session goes by the default list no more.
        set(&mut desk, &privacy("<active name='b'/>"));
        assert_eq!(refused(&mut phone, "set", "<list name='b'/>"), "conflict");
        set(&mut phone, &privacy("<default name='b'/>"));
        set(&mut phone, &privacy("<default/>"));
        set(&mut phone, &privacy("<list name='a'/>"));
        set(&mut desk, &privacy("<active/>"));
        set(&mut phone, &privacy("<list name='b'/>"));
    });
}

// XEP-0016 example 7
// XEP-0016 example 8
#[test]
fn a_list_counts_as_it_is_now_for_all_who_go_by_it() {
    on_both_stores(|server| {
        let mut alice = online(server, "alice", "phone");
        let mut bob = Client::login(server, "bob", "desk");
        set_list(&mut alice, "x", DENY_BOB);
        assert!(say(&mut bob, "alice@localhost", "1").is_empty(), "a list that nobody has chosen counts for nobody");
        set(&mut alice, &privacy("<active name='x'/>"));
        assert_eq!(condition(&say(&mut bob, "alice@localhost/phone", "2")[0]), "service-unavailable");
        set_list(&mut alice, "x", "<item type='jid' value='carol@localhost' action='deny' order='1'/>");
        assert!(say(&mut bob, "alice@localhost/phone", "3").is_empty());
        set_list(
            &mut alice,
            "x",
            "<item action='deny' order='2'/><item type='jid' value='bob@localhost' action='allow' order='1'/>",
        );
        assert!(say(&mut bob, "alice@localhost/phone", "4").is_empty());
        let mut carol = Client::login(server, "carol", "desk");
        assert_eq!(condition(&say(&mut carol, "alice@localhost/phone", "5")[0]), "service-unavailable");
        assert_eq!(heard(&mut alice), ["4"], "the others were heard before");
    });
}

#[test]
fn the_default_list_counts_where_no_session_has_chosen_and_while_away() {
    on_both_stores(|server| {
        let mut phone = online(server, "alice", "phone");
        let mut desk = online(server, "alice", "desk");
        let mut bob = Client::login(server, "bob", "desk");
        set(&mut phone, &block(&["bob@localhost"]));
        set_list(&mut desk, "open", "<item action='allow' order='1'/>");
        assert_eq!(condition(&say(&mut bob, "alice@localhost/desk", "1")[0]), "service-unavailable");
        set(&mut desk, &privacy("<active name='open'/>"));
        assert!(say(&mut bob, "alice@localhost/desk", "2").is_empty());
        assert!(say(&mut bob, "alice@localhost", "3").is_empty());
        assert_eq!(condition(&say(&mut bob, "alice@localhost/phone", "4")[0]), "service-unavailable");
        assert_eq!(heard(&mut desk), ["2", "3"]);
        assert!(heard(&mut phone).is_empty());
        phone.close();
        desk.close();
        assert_eq!(condition(&say(&mut bob, "alice@localhost", "5")[0]), "service-unavailable");
    });
}

// XEP-0016 example 5
// XEP-0016 example 6
#[test]
fn rules_about_subscriptions_and_groups_follow_the_roster() {
    on_both_stores(|server| {
        let mut alice = online(server, "alice", "phone");
        let mut bob = online(server, "bob", "desk");
        let group = "<item type='group' value='Enemies' action='deny' order='1'><message/></item>";
        assert_eq!(refused(&mut alice, "set", &format!("<list name='g'>{group}</list>")), "item-not-found");
        ask(
            &mut alice,
            "set",
            "",
            "<query xmlns='jabber:iq:roster'><item jid='carol@localhost'><group>Enemies</group></item></query>",
        );
        set_list(&mut alice, "g", group);
        set(&mut alice, &privacy("<default name='g'/>"));
        assert!(say(&mut bob, "alice@localhost", "1").is_empty());
        let item =
            |inside: &str| format!("<query xmlns='jabber:iq:roster'><item jid='bob@localhost'>{inside}</item></query>");
        ask(&mut alice, "set", "", &item("<group>Friends</group><group>Enemies</group>"));
        assert_eq!(condition(&say(&mut bob, "alice@localhost", "2")[0]), "service-unavailable");
        ask(&mut alice, "set", "", &item("<group>Friends</group>"));
        assert!(say(&mut bob, "alice@localhost", "3").is_empty());
        // The same while nobody is there, and for a session that has just come.
        ask(&mut alice, "set", "", &item("<group>Enemies</group>"));
        alice.close();
        assert_eq!(condition(&say(&mut bob, "alice@localhost", "4")[0]), "service-unavailable");
        let mut alice = Client::login(server, "alice", "phone");
        assert_eq!(condition(&say(&mut bob, "alice@localhost/phone", "5")[0]), "service-unavailable");
        let strangers = "<item type='subscription' value='none' action='deny' order='1'><message/></item>";
        set_list(&mut alice, "g", strangers);
        assert_eq!(condition(&say(&mut bob, "alice@localhost", "6")[0]), "service-unavailable");
        alice.send("<presence/>");
        befriend(&mut alice, &mut bob);
        assert!(say(&mut bob, "alice@localhost", "7").is_empty());
        alice.close();
        assert!(say(&mut bob, "alice@localhost", "8").is_empty());
    });
}

#[test]
fn both_doors_lead_to_one_model() {
    on_both_stores(|server| {
        let mut alice = Client::login(server, "alice", "phone");
        blocklist(&mut alice);
        set(&mut alice, &block(&["bob@localhost"]));
        alice.so_far();
        // The blocklist is the default list.
        assert_eq!(get(&mut alice, ""), "<default name='blocklist'/><list name='blocklist'/>");
        let item = "<item type='jid' value='bob@localhost' action='deny' order='1'/>";
        assert_eq!(get(&mut alice, "<list name='blocklist'/>"), format!("<list name='blocklist'>{item}</list>"));
        // What the default list denies everything is blocked, and nothing else in it is.
        let more = "<item type='jid' value='eve@localhost' action='deny' order='5'/>\
                    <item type='jid' value='dave@localhost' action='deny' order='6'><message/></item>\
                    <item type='jid' value='carol@localhost' action='allow' order='7'/>";
        alice
            .send(&format!("<iq type='set' id='l'>{}</iq>", privacy(&format!("<list name='blocklist'>{more}</list>"))));
        let came = alice.so_far();
        let pushed = |what: &str| came.iter().any(|seen| seen.contains(what));
        assert!(pushed("<unblock xmlns='urn:xmpp:blocking'><item jid='bob@localhost'/></unblock>"), "{came:?}");
        assert!(pushed("<block xmlns='urn:xmpp:blocking'><item jid='eve@localhost'/></block>"), "{came:?}");
        assert_eq!(blocklist(&mut alice), ["eve@localhost"]);
        // A block stands before what the list says already.
        alice.send(&format!("<iq type='set' id='b'>{}</iq>", block(&["carol@localhost"])));
        let came = alice.so_far();
        assert!(came.iter().any(|seen| seen.contains(&privacy("<list name='blocklist'/>"))), "{came:?}");
        let list = get(&mut alice, "<list name='blocklist'/>");
        assert!(
            list.starts_with(
                "<list name='blocklist'><item type='jid' value='carol@localhost' action='deny' order='1'/>"
            ),
            "{list}"
        );
        set(&mut alice, &unblock(&[]));
        assert!(get(&mut alice, "<list name='blocklist'/>").contains("dave@localhost"), "only blocks were removed");
        // Another default list is another blocklist.
        set_list(&mut alice, "other", DENY_BOB);
        set(&mut alice, &privacy("<default name='other'/>"));
        assert_eq!(blocklist(&mut alice), ["bob@localhost"]);
        set(&mut alice, &privacy("<default/>"));
        assert!(blocklist(&mut alice).is_empty());
        // Without a default list a block makes one, and leaves the others alone.
        set(&mut alice, &block(&["bob@localhost"]));
        assert!(get(&mut alice, "").starts_with("<default name='blocklist-2'/>"));
        set(&mut alice, &unblock(&["bob@localhost"]));
        assert_eq!(get(&mut alice, ""), "<list name='blocklist'/><list name='other'/>");
    });
}

#[test]
fn a_list_that_a_session_has_chosen_outlives_the_server_with_it() {
    let mut server = Server::start();
    let mut alice = Client::login(&server, "alice", "phone");
    set_list(&mut alice, "x", DENY_BOB);
    alice.so_far();
    let previd = alice.enable();
    set(&mut alice, &privacy("<active name='x'/>"));
    // Stored behind it.
    alice.send("<message to='carol@localhost'><body>hi</body></message>");
    alice.handled();
    server.crash();
    let mut bob = Client::login(&server, "bob", "desk");
    assert_eq!(condition(&say(&mut bob, "alice@localhost/phone", "away")[0]), "service-unavailable");
    let (mut alice, _) = Client::resume(&server, "alice", &previd, 1);
    assert_eq!(condition(&say(&mut bob, "alice@localhost/phone", "again")[0]), "service-unavailable");
    assert!(get(&mut alice, "").contains("<active name='x'/>"));
}
