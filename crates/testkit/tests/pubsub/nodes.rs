//! XEP-0060 sections 5 to 8 on the service: a node from its creation to its deletion.

use metronome_testkit::{Backend, Client, Server, Setup, ask, condition, on_both_stores, online};

use crate::{SERVICE, entry, get, owner_get, owner_set, refused, set, submit};

fn server() -> Server {
    Setup::default().store(Backend::Memory).start()
}

// XEP-0248 example 3
// XEP-0248 example 4
// XEP-0060 example 9
// XEP-0060 example 10
#[test]
fn section_8_1_a_node_is_created_by_name_or_gets_a_name() {
    let server = server();
    let mut alice = online(&server, "alice", "phone");
    set(&mut alice, SERVICE, "<create node='musings'/>");
    refused(&mut alice, "set", SERVICE, "<create node='musings'/>", "conflict");
    let instant = set(&mut alice, SERVICE, "<create/>");
    let name = instant.attribute_of("create", "node").unwrap();
    assert!(name.len() >= 20, "{instant}");
    let items = ask(&mut alice, "get", SERVICE, "<query xmlns='http://jabber.org/protocol/disco#items'/>");
    assert!(items.contains("node='musings'") && items.contains(&format!("node='{name}'")), "{items}");
}

#[test]
fn section_7_1_what_is_published_is_stored_and_told_to_subscribers() {
    on_both_stores(|server| {
        let mut alice = online(server, "alice", "phone");
        let mut bob = online(server, "bob", "desk");
        set(&mut alice, SERVICE, "<create node='musings'/>");
        let subscribed = set(&mut bob, SERVICE, "<subscribe node='musings' jid='bob@localhost'/>");
        assert!(subscribed.contains("subscription='subscribed'"), "{subscribed}");
        let published = set(
            &mut alice,
            SERVICE,
            &format!("<publish node='musings'><item id='1'>{}</item></publish>", entry("one")),
        );
        assert!(published.contains("<publish node='musings'><item id='1'/></publish>"), "{published}");
        let told = bob.wait_for(&format!("<message type='headline' from='{SERVICE}'"));
        assert!(
            told.contains("<event xmlns='http://jabber.org/protocol/pubsub#event'><items node='musings'><item id='1'"),
            "{told}"
        );
        assert!(told.contains(&entry("one")), "{told}");
        let items = get(&mut bob, SERVICE, "<items node='musings'/>");
        assert!(items.contains(&entry("one")), "{items}");
        alice.expect_nothing_before_ping();
    });
}

#[test]
fn section_7_1_3_who_may_not_publish_changes_nothing_and_tells_nobody() {
    let server = server();
    let mut alice = online(&server, "alice", "phone");
    let mut bob = online(&server, "bob", "desk");
    set(&mut alice, SERVICE, "<create node='musings'/>");
    set(&mut alice, SERVICE, "<subscribe node='musings' jid='alice@localhost'/>");
    refused(
        &mut bob,
        "set",
        SERVICE,
        &format!("<publish node='musings'><item>{}</item></publish>", entry("x")),
        "forbidden",
    );
    refused(&mut bob, "set", SERVICE, "<subscribe node='musings' jid='alice@localhost'/>", "bad-request invalid-jid");
    refused(&mut bob, "get", SERVICE, "<items node='nothing'/>", "item-not-found");
    alice.expect_nothing_before_ping();
    assert!(!get(&mut alice, SERVICE, "<items node='musings'/>").contains("<item "));
}

#[test]
fn section_7_2_and_8_items_are_retracted_purged_and_nodes_deleted() {
    on_both_stores(|server| {
        let mut alice = online(server, "alice", "phone");
        let mut bob = online(server, "bob", "desk");
        set(&mut alice, SERVICE, "<create node='musings'/>");
        set(&mut bob, SERVICE, "<subscribe node='musings' jid='bob@localhost'/>");
        for id in ["1", "2", "3"] {
            set(
                &mut alice,
                SERVICE,
                &format!("<publish node='musings'><item id='{id}'>{}</item></publish>", entry(id)),
            );
            bob.wait_for("<message type='headline'");
        }
        set(&mut alice, SERVICE, "<retract node='musings' notify='true'><item id='2'/></retract>");
        let told = bob.wait_for("<message type='headline'");
        assert!(told.contains("<items node='musings'><retract id='2'/></items>"), "{told}");
        let left = get(&mut bob, SERVICE, "<items node='musings'/>");
        assert!(
            left.contains("<item id='1'") && !left.contains("<item id='2'") && left.contains("<item id='3'"),
            "{left}"
        );
        refused_owner(&mut bob, "<purge node='musings'/>");
        owner_set(&mut alice, SERVICE, "<purge node='musings'/>");
        assert!(bob.wait_for("<message type='headline'").contains("<purge node='musings'/>"));
        refused_owner(&mut bob, "<delete node='musings'/>");
        owner_set(
            &mut alice,
            SERVICE,
            "<delete node='musings'><redirect uri='xmpp:elsewhere.example?;node=x'/></delete>",
        );
        let told = bob.wait_for("<message type='headline'");
        assert!(
            told.contains("<delete node='musings'><redirect uri='xmpp:elsewhere.example?;node=x'/></delete>"),
            "{told}"
        );
        refused(&mut bob, "get", SERVICE, "<items node='musings'/>", "gone");
    });
}

#[track_caller]
fn refused_owner(client: &mut Client, request: &str) {
    let request = format!("<pubsub xmlns='http://jabber.org/protocol/pubsub#owner'>{request}</pubsub>");
    assert_eq!(condition(&ask(client, "set", SERVICE, &request)), "forbidden");
}

#[test]
fn section_8_2_an_owner_reads_and_changes_the_configuration() {
    let server = server();
    let mut alice = online(&server, "alice", "phone");
    set(&mut alice, SERVICE, "<create node='musings'/>");
    let form = owner_get(&mut alice, SERVICE, "<configure node='musings'/>");
    for field in ["title", "access_model", "publish_model", "max_items", "persist_items", "send_last_published_item"] {
        assert!(form.contains(&format!("var='pubsub#{field}'")), "{field}: {form}");
    }
    let config = submit("node_config", &[("pubsub#title", "Princely <Musings>"), ("pubsub#max_items", "2")]);
    owner_set(&mut alice, SERVICE, &format!("<configure node='musings'>{config}</configure>"));
    let info = ask(&mut alice, "get", SERVICE, "<query xmlns='http://jabber.org/protocol/disco#info' node='musings'/>");
    assert!(info.contains("<identity category='pubsub' type='leaf' name='Princely &lt;Musings&gt;'/>"), "{info}");
    for id in ["1", "2", "3"] {
        set(&mut alice, SERVICE, &format!("<publish node='musings'><item id='{id}'>{}</item></publish>", entry(id)));
    }
    let items = get(&mut alice, SERVICE, "<items node='musings'/>");
    assert!(
        !items.contains("<item id='1'") && items.contains("<item id='2'") && items.contains("<item id='3'"),
        "{items}"
    );
    let wrong = submit("node_config", &[("pubsub#access_model", "everything")]);
    let request = format!(
        "<pubsub xmlns='http://jabber.org/protocol/pubsub#owner'><configure node='musings'>{wrong}</configure></pubsub>"
    );
    let answer = ask(&mut alice, "set", SERVICE, &request);
    assert_eq!(answer.attribute("type").as_deref(), Some("error"), "{answer}");
}

// XEP-0060 example 11
// XEP-0060 example 12
// XEP-0060 example 13
// XEP-0060 example 14
// XEP-0060 example 15
#[test]
fn sections_5_3_to_5_5_a_node_tells_what_it_is_and_what_is_in_it() {
    let server = server();
    let mut alice = online(&server, "alice", "phone");
    let mut bob = online(&server, "bob", "desk");
    let config = submit("node_config", &[("pubsub#title", "Musings"), ("pubsub#type", "http://www.w3.org/2005/Atom")]);
    set(&mut alice, SERVICE, &format!("<create node='musings'/><configure>{config}</configure>"));
    set(&mut alice, SERVICE, &format!("<publish node='musings'><item id='1'>{}</item></publish>", entry("one")));
    let info = ask(&mut bob, "get", SERVICE, "<query xmlns='http://jabber.org/protocol/disco#info' node='musings'/>");
    for told in [
        "<value>http://jabber.org/protocol/pubsub#meta-data</value>",
        "var='pubsub#title'",
        "var='pubsub#creator'",
        "var='pubsub#creation_date'",
        "<value>http://www.w3.org/2005/Atom</value>",
        "<value>alice@localhost</value>",
        "var='pubsub#num_subscribers'",
    ] {
        assert!(info.contains(told), "{told}: {info}");
    }
    let items = ask(&mut bob, "get", SERVICE, "<query xmlns='http://jabber.org/protocol/disco#items' node='musings'/>");
    assert!(items.contains(&format!("<item jid='{SERVICE}' name='1'/>")), "{items}");
    for what in ["info", "items"] {
        let query = format!("<query xmlns='http://jabber.org/protocol/disco#{what}' node='nothing'/>");
        assert_eq!(condition(&ask(&mut bob, "get", SERVICE, &query)), "item-not-found");
    }
}

/// XEP-0060 section 4.5: who may not know of a node does not find it.
#[test]
fn section_4_5_the_access_model_decides_who_finds_subscribes_and_reads() {
    let server = server();
    let mut alice = online(&server, "alice", "phone");
    let mut bob = online(&server, "bob", "desk");
    let config = submit("node_config", &[("pubsub#access_model", "whitelist")]);
    set(&mut alice, SERVICE, &format!("<create node='secret'/><configure>{config}</configure>"));
    set(&mut alice, SERVICE, &format!("<publish node='secret'><item id='1'>{}</item></publish>", entry("one")));
    refused(&mut bob, "get", SERVICE, "<items node='secret'/>", "not-allowed closed-node");
    refused(&mut bob, "set", SERVICE, "<subscribe node='secret' jid='bob@localhost'/>", "not-allowed closed-node");
    let nodes =
        |client: &mut Client| ask(client, "get", SERVICE, "<query xmlns='http://jabber.org/protocol/disco#items'/>");
    assert!(!nodes(&mut bob).contains("secret") && nodes(&mut alice).contains("secret"));
    owner_set(
        &mut alice,
        SERVICE,
        "<affiliations node='secret'><affiliation jid='bob@localhost' affiliation='member'/></affiliations>",
    );
    bob.wait_for("<message");
    assert!(get(&mut bob, SERVICE, "<items node='secret'/>").contains("<item id='1'"));
    assert!(nodes(&mut bob).contains("secret"));
    set(&mut bob, SERVICE, "<subscribe node='secret' jid='bob@localhost'/>");
    owner_set(
        &mut alice,
        SERVICE,
        "<affiliations node='secret'><affiliation jid='bob@localhost' affiliation='outcast'/></affiliations>",
    );
    // The last item, the end of the subscription, and what bob is now.
    for _ in 0..3 {
        bob.wait_for("<message");
    }
    set(&mut alice, SERVICE, &format!("<publish node='secret'><item id='2'>{}</item></publish>", entry("two")));
    bob.expect_nothing_before_ping();
    refused(&mut bob, "get", SERVICE, "<items node='secret'/>", "forbidden");
}

#[test]
fn sections_8_8_and_8_9_owners_see_and_set_who_is_subscribed_and_who_may_do_what() {
    let server = server();
    let mut alice = online(&server, "alice", "phone");
    let mut bob = online(&server, "bob", "desk");
    set(&mut alice, SERVICE, "<create node='musings'/>");
    set(&mut bob, SERVICE, "<subscribe node='musings' jid='bob@localhost'/>");
    let listed = owner_get(&mut alice, SERVICE, "<subscriptions node='musings'/>");
    assert!(listed.contains("jid='bob@localhost'") && listed.contains("subscription='subscribed'"), "{listed}");
    let listed = owner_get(&mut alice, SERVICE, "<affiliations node='musings'/>");
    assert!(listed.contains("<affiliation jid='alice@localhost' affiliation='owner'/>"), "{listed}");
    owner_set(
        &mut alice,
        SERVICE,
        "<affiliations node='musings'><affiliation jid='bob@localhost' affiliation='publisher'/></affiliations>",
    );
    bob.so_far();
    set(&mut bob, SERVICE, &format!("<publish node='musings'><item id='b'>{}</item></publish>", entry("bob")));
    bob.so_far();
    let own = get(&mut bob, SERVICE, "<affiliations/>");
    assert!(own.contains("<affiliation node='musings' affiliation='publisher'/>"), "{own}");
    let own = get(&mut bob, SERVICE, "<subscriptions/>");
    assert!(own.contains("node='musings'"), "{own}");
    owner_set(
        &mut alice,
        SERVICE,
        "<subscriptions node='musings'><subscription jid='bob@localhost' subscription='none'/></subscriptions>",
    );
    bob.so_far();
    assert!(!get(&mut bob, SERVICE, "<subscriptions/>").contains("node='musings'"));
    let last = "<pubsub xmlns='http://jabber.org/protocol/pubsub#owner'><affiliations node='musings'>\
                <affiliation jid='alice@localhost' affiliation='none'/></affiliations></pubsub>";
    assert_eq!(condition(&ask(&mut alice, "set", SERVICE, last)), "not-acceptable", "a node has an owner");
}

#[test]
fn section_8_6_an_owner_approves_subscriptions_by_a_message() {
    let server = server();
    let mut alice = online(&server, "alice", "phone");
    let mut bob = online(&server, "bob", "desk");
    let config = submit("node_config", &[("pubsub#access_model", "authorize")]);
    set(&mut alice, SERVICE, &format!("<create node='musings'/><configure>{config}</configure>"));
    let waits = set(&mut bob, SERVICE, "<subscribe node='musings' jid='bob@localhost'/>");
    assert!(waits.contains("subscription='pending'"), "{waits}");
    let asked = alice.wait_for(&format!("<message from='{SERVICE}'"));
    assert!(
        asked.contains("pubsub#subscribe_authorization") && asked.contains("<value>bob@localhost</value>"),
        "{asked}"
    );
    let subid = waits.attribute_of("subscription", "subid").unwrap();
    let answer = |allow: &str| {
        let fields = [
            ("pubsub#subid", subid.as_str()),
            ("pubsub#node", "musings"),
            ("pubsub#subscriber_jid", "bob@localhost"),
            ("pubsub#allow", allow),
        ];
        format!("<message to='{SERVICE}' id='approve'>{}</message>", submit("subscribe_authorization", &fields))
    };
    bob.send(&answer("true"));
    assert_eq!(condition(&bob.wait_for("<message id='approve'")), "forbidden");
    alice.send(&answer("true"));
    let told = bob.wait_for(&format!("<message from='{SERVICE}'"));
    assert!(told.contains("subscription='subscribed'"), "{told}");
    set(&mut alice, SERVICE, &format!("<publish node='musings'><item id='1'>{}</item></publish>", entry("one")));
    bob.wait_for("<message type='headline'");
    alice.so_far();
}

#[test]
fn what_is_stored_is_there_after_a_restart() {
    let mut server = Setup::default().start();
    let mut alice = online(&server, "alice", "phone");
    let mut bob = online(&server, "bob", "desk");
    let config = submit("node_config", &[("pubsub#title", "Kept")]);
    set(&mut alice, SERVICE, &format!("<create node='musings'/><configure>{config}</configure>"));
    set(&mut bob, SERVICE, "<subscribe node='musings' jid='bob@localhost'/>");
    set(&mut alice, SERVICE, &format!("<publish node='musings'><item id='1'>{}</item></publish>", entry("one")));
    drop((alice, bob));
    server.crash();
    let mut alice = online(&server, "alice", "phone");
    let mut bob = online(&server, "bob", "desk");
    assert!(get(&mut bob, SERVICE, "<items node='musings'/>").contains(&entry("one")));
    set(&mut alice, SERVICE, &format!("<publish node='musings'><item id='2'>{}</item></publish>", entry("two")));
    // Since bob has just come, the last item comes as well, before it or behind it.
    while !bob.wait_for("<message from='pubsub.localhost'").contains("<item id='2'") {}
}

/// Payloads come back as they were sent, byte by byte.
#[test]
fn section_7_1_payloads_are_kept_byte_by_byte() {
    let server = server();
    let mut alice = online(&server, "alice", "phone");
    set(&mut alice, SERVICE, "<create node='musings'/>");
    let payload =
        "<x  xmlns='urn:example:x' b=\"2\" a='1'>&#233;é &amp; <y:z xmlns:y='urn:y' y:q='&lt;'/><![CDATA[<]]></x>";
    set(&mut alice, SERVICE, &format!("<publish node='musings'><item id='1'>{payload}</item></publish>"));
    let items = get(&mut alice, SERVICE, "<items node='musings'/>");
    assert!(items.contains("<y:z xmlns:y='urn:y' y:q='&lt;'/>") && items.contains("é &amp; "), "{items}");
    let again = get(&mut alice, SERVICE, "<items node='musings'><item id='1'/></items>");
    let of = |seen: &str| seen[seen.find("<x ").unwrap()..seen.find("</x>").unwrap()].to_owned();
    assert_eq!(of(&items), of(&again));
}
