//! Requests of somebody who means harm: each gets the error of XEP-0060, and nothing has changed.

use metronome_testkit::{Client, ask, online};

use crate::{SERVICE, entry, get, owner_get, owner_set, refused, server, set, submit};

/// A request for owners that is refused.
#[track_caller]
fn refused_as_owner(client: &mut Client, to: &str, request: &str, conditions: &str) {
    let payload = format!("<pubsub xmlns='http://jabber.org/protocol/pubsub#owner'>{request}</pubsub>");
    let answer = ask(client, "set", to, &payload);
    assert_eq!(answer.attribute("type").as_deref(), Some("error"), "{request}: {answer}");
    for condition in conditions.split(' ') {
        assert!(answer.contains(&format!("<{condition} xmlns=")), "{condition} for {request}: {answer}");
    }
}

#[test]
fn nobody_publishes_in_anothers_name() {
    let server = server("");
    let mut alice = online(&server, "alice", "phone");
    let mut bob = online(&server, "bob", "desk");
    let config = submit("node_config", &[("pubsub#publish_model", "open"), ("pubsub#itemreply", "publisher")]);
    set(&mut alice, SERVICE, &format!("<create node='wall'/><configure>{config}</configure>"));
    set(&mut alice, SERVICE, "<subscribe node='wall' jid='alice@localhost'/>");
    set(&mut alice, SERVICE, &format!("<publish node='wall'><item id='mine'>{}</item></publish>", entry("mine")));
    alice.wait_for("<message from='pubsub.localhost'");
    let spoofed =
        format!("<publish node='wall'><item id='1' publisher='alice@localhost'>{}</item></publish>", entry("said"));
    set(&mut bob, SERVICE, &spoofed);
    let told = alice.wait_for("<message from='pubsub.localhost'");
    assert!(told.contains("publisher='bob@localhost'") && !told.contains("publisher='alice@localhost'"), "{told}");
    assert!(
        get(&mut alice, SERVICE, "<items node='wall'><item id='1'/></items>").contains("publisher='bob@localhost'")
    );
    // Nor in the place of what another has published, nor does anybody remove it.
    let over = format!("<publish node='wall'><item id='mine'>{}</item></publish>", entry("other"));
    refused(&mut bob, "set", SERVICE, &over, "forbidden");
    refused(&mut bob, "set", SERVICE, "<retract node='wall'><item id='mine'/></retract>", "forbidden");
    assert!(get(&mut bob, SERVICE, "<items node='wall'><item id='mine'/></items>").contains(&entry("mine")));
    // A stanza's own `from` is the server's business.
    bob.send(
        "<iq type='get' id='f' from='alice@localhost/phone' to='pubsub.localhost'>\
         <pubsub xmlns='http://jabber.org/protocol/pubsub#owner'><affiliations node='wall'/></pubsub></iq>",
    );
    assert!(!bob.next_piece().contains("<affiliation jid="));
}

#[test]
fn nobody_becomes_more_than_an_owner_makes_them() {
    let server = server("");
    let mut alice = online(&server, "alice", "phone");
    let mut bob = online(&server, "bob", "desk");
    set(&mut alice, SERVICE, "<create node='n'/>");
    let affiliate = |jid: &str, what: &str| {
        format!("<affiliations node='n'><affiliation jid='{jid}' affiliation='{what}'/></affiliations>")
    };
    for standing in ["none", "member", "publish-only", "publisher"] {
        owner_set(&mut alice, SERVICE, &affiliate("bob@localhost", standing));
        refused_as_owner(&mut bob, SERVICE, &affiliate("bob@localhost", "owner"), "forbidden");
        refused_as_owner(&mut bob, SERVICE, &affiliate("alice@localhost", "none"), "forbidden");
        for request in ["<delete node='n'/>", "<purge node='n'/>"] {
            refused_as_owner(&mut bob, SERVICE, request, "forbidden");
        }
        let config = submit("node_config", &[("pubsub#publish_model", "open")]);
        refused_as_owner(&mut bob, SERVICE, &format!("<configure node='n'>{config}</configure>"), "forbidden");
        let subscribe =
            "<subscriptions node='n'><subscription jid='bob@localhost' subscription='subscribed'/></subscriptions>";
        refused_as_owner(&mut bob, SERVICE, subscribe, "forbidden");
        if standing == "publisher" {
            // The state chart of section 4.1 has no such way.
            continue;
        }
        owner_set(&mut alice, SERVICE, &affiliate("bob@localhost", "none"));
    }
    // Nor by a node of the same name elsewhere, nor on somebody's account.
    refused(&mut bob, "set", "alice@localhost", "<create node='n'/>", "item-not-found");
    refused_as_owner(&mut bob, "alice@localhost", &affiliate("bob@localhost", "owner"), "item-not-found");
    // A list in which one change is not allowed changes nothing, and a node keeps an owner.
    let both = "<affiliations node='n'><affiliation jid='carol@localhost' affiliation='owner'/>\
                <affiliation jid='alice@localhost' affiliation='outcast'/></affiliations>";
    refused_as_owner(&mut alice, SERVICE, both, "not-acceptable");
    refused_as_owner(&mut alice, SERVICE, &affiliate("alice@localhost", "none"), "not-acceptable");
    let list = owner_get(&mut alice, SERVICE, "<affiliations node='n'/>");
    assert!(list.contains("jid='alice@localhost'") && !list.contains("carol@localhost"), "{list}");
}

#[test]
fn forms_say_what_they_are_about_and_what_is_allowed() {
    let server = server("");
    let mut alice = online(&server, "alice", "phone");
    let create = |config: &str| format!("<create node='n'/><configure>{config}</configure>");
    let field = |name: &str, value: &str| submit("node_config", &[(name, value)]);
    for (config, conditions) in [
        (field("pubsub#max_items", "-1"), "not-acceptable"),
        (field("pubsub#max_items", "many"), "not-acceptable"),
        (field("pubsub#max_items", "0"), "not-acceptable"),
        (field("pubsub#persist_items", "perhaps"), "not-acceptable"),
        (field("pubsub#access_model", "everybody"), "not-acceptable unsupported-access-model"),
        (field("pubsub#publish_model", "nobody"), "not-acceptable"),
        (field("pubsub#contact", "@"), "not-acceptable"),
        (field("pubsub#language", "no language"), "not-acceptable"),
        (field("pubsub#title", &"x".repeat(5000)), "not-acceptable"),
        (submit("subscribe_options", &[("pubsub#deliver", "1")]), "bad-request"),
        (field("pubsub#title", "N").replace("type='submit'", "type='result'"), "bad-request"),
    ] {
        refused(&mut alice, "set", SERVICE, &create(&config), conditions);
        refused(&mut alice, "get", SERVICE, "<items node='n'/>", "item-not-found");
    }
    let two = field("pubsub#access_model", "open")
        .replace("<value>open</value>", "<value>open</value><value>whitelist</value>");
    refused(&mut alice, "set", SERVICE, &create(&two), "not-acceptable");
    // What is not known, and what only the server says, is passed over.
    let fields = [
        ("pubsub#nonsense", "1"),
        ("pubsub#creator", "bob@localhost"),
        ("pubsub#owner", "bob@localhost"),
        ("x", "<y/>"),
    ];
    set(&mut alice, SERVICE, &create(&submit("node_config", &fields)));
    let list = owner_get(&mut alice, SERVICE, "<affiliations node='n'/>");
    assert!(list.contains("alice@localhost") && !list.contains("bob@localhost"), "{list}");
    let info = ask(&mut alice, "get", SERVICE, "<query xmlns='http://jabber.org/protocol/disco#info' node='n'/>");
    assert!(info.contains("alice@localhost") && !info.contains("bob@localhost"), "{info}");
    let options = |value: &str| {
        let options = submit("subscribe_options", &[("pubsub#expire", value)]);
        format!("<subscribe node='n' jid='alice@localhost'/><options>{options}</options>")
    };
    refused(&mut alice, "set", SERVICE, &options("tomorrow"), "bad-request invalid-options");
    assert!(!get(&mut alice, SERVICE, "<subscriptions/>").contains("<subscription "));
}

#[test]
fn an_item_that_is_too_large_changes_nothing() {
    let server = server("limits.pubsub.payload = \"4 KiB\"");
    let mut alice = online(&server, "alice", "phone");
    set(&mut alice, SERVICE, "<create node='n'/>");
    let publish = |id: &str, bytes: usize| format!("<item id='{id}'>{}</item>", entry(&"x".repeat(bytes)));
    let batch = format!("<publish node='n'>{}{}</publish>", publish("small", 10), publish("huge", 5000));
    refused(&mut alice, "set", SERVICE, &batch, "not-acceptable payload-too-big");
    assert!(!get(&mut alice, SERVICE, "<items node='n'/>").contains("<item "));
    let long = "i".repeat(4000);
    refused(&mut alice, "set", SERVICE, &format!("<publish node='n'>{}</publish>", publish(&long, 10)), "bad-request");
    refused(&mut alice, "set", SERVICE, &format!("<create node='{long}'/>"), "bad-request");
    let many: String = (0..101).map(|number| publish(&number.to_string(), 1)).collect();
    refused(
        &mut alice,
        "set",
        SERVICE,
        &format!("<publish node='n'>{many}</publish>"),
        "not-allowed max-items-exceeded",
    );
    let two = format!("<publish node='n'><item id='1'>{}{}</item></publish>", entry("a"), entry("b"));
    refused(&mut alice, "set", SERVICE, &two, "bad-request invalid-payload");
    refused(
        &mut alice,
        "set",
        SERVICE,
        "<publish node='n'><item id='1'>text</item></publish>",
        "bad-request invalid-payload",
    );
    assert!(!get(&mut alice, SERVICE, "<items node='n'/>").contains("<item "));
}

#[test]
fn names_and_ids_are_any_words() {
    let server = server("");
    let mut alice = online(&server, "alice", "phone");
    let mut bob = online(&server, "bob", "desk");
    let names = [
        "a b",
        "\u{1F469}\u{200D}\u{1F680}",
        "\u{202E}evil",
        "e\u{301}",
        "\u{e9}",
        "../../etc/passwd",
        "%00%2e",
        "';DROP TABLE nodes;--",
        "&lt;item id=&quot;x&quot;/&gt;",
        "&#9;tab&#10;line",
        "\u{10FFFD}\u{FFFD}",
        "ﬁ",
        "ＡＢＣ",
        "*",
    ];
    for name in names {
        set(&mut alice, SERVICE, &format!("<create node=\"{name}\"/>"));
        set(&mut bob, SERVICE, &format!("<subscribe node=\"{name}\" jid='bob@localhost'/>"));
        for id in names {
            let publish = format!("<publish node=\"{name}\"><item id=\"{id}\">{}</item></publish>", entry("x"));
            set(&mut alice, SERVICE, &publish);
            let told = bob.wait_for("<message from='pubsub.localhost'");
            assert!(told.contains(&entry("x")), "{told}");
        }
        let count = get(&mut bob, SERVICE, &format!("<items node=\"{name}\"/>")).matches("<item ").count();
        assert_eq!(count, names.len(), "each is itself, byte by byte: {name}");
        let one = get(&mut bob, SERVICE, &format!("<items node=\"{name}\"><item id=\"{name}\"/></items>"));
        assert_eq!(one.matches("<item ").count(), 1, "{one}");
    }
    let nodes = ask(&mut bob, "get", SERVICE, "<query xmlns='http://jabber.org/protocol/disco#items'/>");
    assert_eq!(nodes.matches("<item ").count(), names.len(), "{nodes}");
    for name in names {
        owner_set(&mut alice, SERVICE, &format!("<delete node=\"{name}\"/>"));
    }
    assert!(!get(&mut bob, SERVICE, "<subscriptions/>").contains("<subscription "));
}

#[test]
fn pages_are_asked_for_by_what_is_there() {
    let server = server("");
    let mut alice = online(&server, "alice", "phone");
    set(&mut alice, SERVICE, "<create node='n'/>");
    set(&mut alice, SERVICE, "<create node='m'/>");
    for id in ["1", "2", "3"] {
        set(&mut alice, SERVICE, &format!("<publish node='n'><item id='{id}'>{}</item></publish>", entry(id)));
    }
    set(&mut alice, SERVICE, &format!("<publish node='m'><item id='elsewhere'>{}</item></publish>", entry("m")));
    let page = |set: &str| format!("<items node='n'/><set xmlns='http://jabber.org/protocol/rsm'>{set}</set>");
    for (set, condition) in [
        ("<after>elsewhere</after>", "item-not-found"),
        ("<before>' OR 1=1 --</before>", "item-not-found"),
        ("<after>&lt;/set&gt;</after>", "item-not-found"),
        ("<max>-1</max>", "bad-request"),
        ("<max>all</max>", "bad-request"),
        ("<index>-1</index>", "bad-request"),
    ] {
        refused(&mut alice, "get", SERVICE, &page(set), condition);
    }
    let all = get(&mut alice, SERVICE, &page("<max>18446744073709551615</max>"));
    assert_eq!(all.matches("<item ").count(), 3, "{all}");
    let none = get(&mut alice, SERVICE, &page("<max>0</max>"));
    assert!(!none.contains("<item ") && none.contains("<count>3</count>"), "{none}");
    let behind = get(&mut alice, SERVICE, &page("<index>18446744073709551615</index><max>5</max>"));
    assert!(!behind.contains("<item "), "{behind}");
}

#[test]
fn who_makes_the_server_write_to_many_pays_for_it() {
    let server = server("limits.pubsub.notifications = \"6/h\"");
    let mut alice = online(&server, "alice", "phone");
    let mut bob = online(&server, "bob", "desk");
    let mut carol = online(&server, "carol", "desk");
    let config = submit("node_config", &[("pubsub#publish_model", "open")]);
    set(&mut alice, SERVICE, &format!("<create node='n'/><configure>{config}</configure>"));
    for (client, name) in [(&mut alice, "alice"), (&mut bob, "bob"), (&mut carol, "carol")] {
        set(client, SERVICE, &format!("<subscribe node='n' jid='{name}@localhost'/>"));
    }
    let publish = |id: &str| format!("<publish node='n'><item id='{id}'>{}</item></publish>", entry(id));
    for id in ["1", "2"] {
        set(&mut bob, SERVICE, &publish(id));
        assert!(carol.wait_for("<message from='pubsub.localhost'").contains(&entry(id)));
    }
    refused(&mut bob, "set", SERVICE, &publish("3"), "resource-constraint");
    // A message to many in one request costs as much, and so does what is removed or deleted; nothing of it has happened.
    refused(&mut bob, "set", SERVICE, "<retract node='n' notify='1'><item id='1'/></retract>", "resource-constraint");
    let items = get(&mut bob, SERVICE, "<items node='n'/>");
    assert!(items.matches("<item ").count() == 2 && !items.contains("id='3'"), "{items}");
    carol.so_far();
    carol.expect_nothing_before_ping();
    // Others have not paid for it.
    set(&mut carol, SERVICE, &publish("4"));
    assert!(alice.wait_for("<message from='pubsub.localhost'").contains("<item id='1'"));
}

/// Contacts count, whether their clients ask for the node or not; so do those who get into a group, and nothing is told beyond the bound.
#[test]
fn who_makes_the_server_write_to_contacts_pays_for_it() {
    let server = server("limits.pubsub.notifications = \"3/h\"");
    let mut alice = online(&server, "alice", "phone");
    let mut bob = online(&server, "bob", "desk");
    crate::personal::subscribe(&mut bob, &mut alice);
    crate::personal::wants(&mut bob, "diary");
    let publish = |id: &str| format!("<publish node='diary'><item id='{id}'>{}</item></publish>", entry(id));
    set(&mut alice, "", &publish("1"));
    assert!(bob.wait_for("<message from='alice@localhost'").contains("<item id='1'"));
    let groups = [("pubsub#access_model", "roster"), ("pubsub#roster_groups_allowed", "friends")];
    let closed = submit("node_config", &groups);
    owner_set(&mut alice, "", &format!("<configure node='diary'>{closed}</configure>"));
    for (group, is_told) in [("friends", true), ("others", false), ("friends", false)] {
        let item = format!("<item jid='bob@localhost'><group>{group}</group></item>");
        ask(&mut alice, "set", "", &format!("<query xmlns='jabber:iq:roster'>{item}</query>"));
        alice.so_far();
        if is_told {
            assert!(bob.wait_for("<message from='alice@localhost'").contains("<item id='1'"));
        }
        bob.so_far();
        bob.expect_nothing_before_ping();
    }
    refused(&mut alice, "set", "", &publish("2"), "resource-constraint");
    let photo = "<vCard xmlns='vcard-temp'><PHOTO><TYPE>image/png</TYPE><BINVAL>iVBORw0KGgo=</BINVAL></PHOTO></vCard>";
    let card = ask(&mut alice, "set", "", photo);
    assert_eq!(card.attribute("type").as_deref(), Some("error"), "{card}");
}
