//! The same thing in the forms of different documents: avatars (XEP-0398) and bookmarks (XEP-0402).

use metronome_testkit::{Backend, Client, Seen, Server, Setup, ask, on_both_stores, online};

use crate::{get, publish_options, set};

const BOOKMARKS: &str = "urn:xmpp:bookmarks:1";
const DATA: &str = "urn:xmpp:avatar:data";
const METADATA: &str = "urn:xmpp:avatar:metadata";

/// One pixel.
const PNG: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
const PNG_HASH: &str = "4a5eb7171b58e08a6881721e3b43d5a44419a2be";
const GIF: &str = "R0lGODlhAQABAAAAACw=";
const GIF_HASH: &str = "470f22af41a0856eff4fa6dd8b394a81149cfbd6";

fn server() -> Server {
    Setup::default().store(Backend::Memory).start()
}

/// What an old client has in private data.
#[track_caller]
fn list(client: &mut Client) -> Seen {
    ask(client, "get", "", "<query xmlns='jabber:iq:private'><storage xmlns='storage:bookmarks'/></query>")
}

#[track_caller]
fn set_list(client: &mut Client, rooms: &str) {
    let storage =
        format!("<query xmlns='jabber:iq:private'><storage xmlns='storage:bookmarks'>{rooms}</storage></query>");
    let answer = ask(client, "set", "", &storage);
    assert!(answer.fits("<iq type='result'"), "{answer}");
}

fn bookmark(room: &str, inside: &str) -> String {
    let options = publish_options(&[
        ("pubsub#persist_items", "true"),
        ("pubsub#max_items", "max"),
        ("pubsub#send_last_published_item", "never"),
        ("pubsub#access_model", "whitelist"),
    ]);
    format!(
        "<publish node='{BOOKMARKS}'><item id='{room}'><conference xmlns='{BOOKMARKS}' {inside}</conference></item></publish>{options}"
    )
}

// XEP-0402 section 4.3.1.
#[test]
fn bookmarks_of_new_clients_are_those_of_old_ones() {
    on_both_stores(|server| {
        let mut alice = online(server, "alice", "phone");
        assert!(!list(&mut alice).contains("<conference"));
        let extensions = "<extensions><state xmlns='urn:example:state' minimized=\"true\"/></extensions>";
        set(&mut alice, "", &bookmark("play@rooms.example", "name='The Play' autojoin='true'><nick>JC</nick>"));
        set(&mut alice, "", &bookmark("orchard@rooms.example", &format!("name='Orcard'>{extensions}")));
        let listed = list(&mut alice);
        assert!(
            listed.contains("name='The Play' autojoin='true' jid='play@rooms.example'><nick>JC</nick>"),
            "{listed}"
        );
        assert!(listed.contains("jid='orchard@rooms.example'") && listed.contains("minimized=\"true\""), "{listed}");
    });
}

// XEP-0402 section 4.3.2.
#[test]
fn a_list_of_an_old_client_changes_the_items_that_it_says_something_new_about() {
    on_both_stores(|server| {
        let mut alice = online(server, "alice", "phone");
        let extensions = "<extensions><state xmlns='urn:example:state' minimized=\"true\"/></extensions>";
        set(&mut alice, "", &bookmark("play@rooms.example", "name='The Play'>"));
        set(&mut alice, "", &bookmark("orchard@rooms.example", &format!("name='Orcard'>{extensions}")));
        set_list(
            &mut alice,
            "<conference jid='orchard@rooms.example' name='Orchard'/><conference jid='new@rooms.example' autojoin='1'/>\
             <url name='Works' url='http://example.org/'/>",
        );
        let items = get(&mut alice, "", &format!("<items node='{BOOKMARKS}'/>"));
        assert!(items.contains("name='Orchard'") && items.contains("minimized=\"true\""), "{items}");
        assert!(items.contains("<item id='new@rooms.example'") && !items.contains("play@rooms.example"), "{items}");
        let listed = list(&mut alice);
        assert!(listed.contains("jid='new@rooms.example'") && listed.contains("url='http://example.org/'"), "{listed}");
        set_list(&mut alice, "");
        let items = get(&mut alice, "", &format!("<items node='{BOOKMARKS}'/>"));
        assert!(!items.contains("<item "), "{items}");
    });
}

#[test]
fn the_first_list_makes_a_node_that_nobody_else_reads() {
    let server = server();
    let mut alice = online(&server, "alice", "phone");
    set_list(&mut alice, "<conference jid='secret@rooms.example'/>");
    let configured = ask(
        &mut alice,
        "get",
        "",
        &format!("<pubsub xmlns='http://jabber.org/protocol/pubsub#owner'><configure node='{BOOKMARKS}'/></pubsub>"),
    );
    assert!(configured.contains("<value>whitelist</value>"), "{configured}");
    let info = ask(&mut alice, "get", "", "<query xmlns='http://jabber.org/protocol/disco#info'/>");
    assert!(info.contains("urn:xmpp:bookmarks:1#compat'"), "{info}");
}

#[test]
fn a_list_of_too_many_rooms_changes_nothing() {
    let server = server();
    let mut alice = online(&server, "alice", "phone");
    set_list(&mut alice, "<conference jid='one@rooms.example'/>");
    let rooms: String = (0..1001).map(|number| format!("<conference jid='{number}@x.example'/>")).collect();
    let storage =
        format!("<query xmlns='jabber:iq:private'><storage xmlns='storage:bookmarks'>{rooms}</storage></query>");
    assert!(ask(&mut alice, "set", "", &storage).fits("<iq type='error'"));
    assert!(list(&mut alice).contains("one@rooms.example"));
}

fn card(inside: &str) -> String {
    format!("<vCard xmlns='vcard-temp'>{inside}</vCard>")
}

fn photo(base64: &str) -> String {
    format!("<PHOTO><TYPE>image/jpeg</TYPE><BINVAL>{base64}</BINVAL></PHOTO>")
}

/// Publishes an avatar for everybody.
#[track_caller]
fn publish_avatar(client: &mut Client, base64: &str, hash: &str, kind: &str) {
    let open = publish_options(&[("pubsub#access_model", "open")]);
    set(
        client,
        "",
        &format!(
            "<publish node='{DATA}'><item id='{hash}'><data xmlns='{DATA}'>{base64}</data></item></publish>{open}"
        ),
    );
    set(
        client,
        "",
        &format!(
            "<publish node='{METADATA}'><item id='{hash}'><metadata xmlns='{METADATA}'><info bytes='14' id='{hash}' type='{kind}'/>\
             </metadata></item></publish>{open}"
        ),
    );
}

// XEP-0398 section 3.2.
#[test]
fn a_picture_in_a_card_is_published() {
    on_both_stores(|server| {
        let mut alice = online(server, "alice", "phone");
        let answer = ask(&mut alice, "set", "", &card(&format!("<FN>Alice</FN>{}", photo(PNG))));
        assert!(answer.fits("<iq type='result'"), "{answer}");
        let metadata = get(&mut alice, "", &format!("<items node='{METADATA}'/>"));
        let info = format!("<info bytes='70' height='1' id='{PNG_HASH}' type='image/png' width='1'/>");
        assert!(metadata.contains(&info), "what it is counts, and not what is said: {metadata}");
        assert!(get(&mut alice, "", &format!("<items node='{DATA}'><item id='{PNG_HASH}'/></items>")).contains(PNG));
        // Without the picture there is no avatar any more.
        ask(&mut alice, "set", "", &card("<FN>Alice</FN>"));
        let metadata = get(&mut alice, "", &format!("<items node='{METADATA}' max_items='1'/>"));
        assert!(!metadata.contains("<info"), "{metadata}");
    });
}

// XEP-0398 section 3.1.
#[test]
fn an_avatar_is_in_the_card_for_those_who_may_read_it() {
    on_both_stores(|server| {
        let mut alice = online(server, "alice", "phone");
        let mut bob = online(server, "bob", "desk");
        ask(&mut alice, "set", "", &card("<FN>Alice</FN>"));
        publish_avatar(&mut alice, GIF, GIF_HASH, "image/png");
        for (client, to) in [(&mut alice, ""), (&mut bob, "alice@localhost")] {
            let seen = ask(client, "get", to, "<vCard xmlns='vcard-temp'/>");
            assert!(seen.contains("Alice") && seen.contains(GIF) && seen.contains("<TYPE>image/gif</TYPE>"), "{seen}");
        }
    });
}

#[test]
fn an_avatar_that_somebody_may_not_read_is_not_in_the_card() {
    let server = server();
    let mut alice = online(&server, "alice", "phone");
    let mut bob = online(&server, "bob", "desk");
    ask(&mut alice, "set", "", &card("<FN>Alice</FN>"));
    let close = |node: &str| {
        format!(
            "<pubsub xmlns='http://jabber.org/protocol/pubsub#owner'><configure node='{node}'>{}</configure></pubsub>",
            crate::submit("node_config", &[("pubsub#access_model", "whitelist")])
        )
    };
    publish_avatar(&mut alice, GIF, GIF_HASH, "image/gif");
    let answer = ask(&mut alice, "set", "", &close(DATA));
    assert!(answer.fits("<iq type='result'"), "{answer}");
    let seen = ask(&mut bob, "get", "alice@localhost", "<vCard xmlns='vcard-temp'/>");
    assert!(seen.contains("Alice") && !seen.contains("PHOTO"), "{seen}");
    assert!(ask(&mut alice, "get", "", "<vCard xmlns='vcard-temp'/>").contains(GIF));
}

#[test]
fn data_that_is_not_what_its_hash_says_is_not_shown() {
    let server = server();
    let mut alice = online(&server, "alice", "phone");
    publish_avatar(&mut alice, GIF, PNG_HASH, "image/png");
    let seen = ask(&mut alice, "get", "", "<vCard xmlns='vcard-temp'/>");
    assert!(!seen.contains("PHOTO"), "{seen}");
}

// XEP-0398 section 4.
#[test]
fn presence_carries_the_hash_unless_it_says_that_there_is_no_avatar() {
    let server = server();
    let mut alice = online(&server, "alice", "phone");
    let info = ask(&mut alice, "get", "", "<query xmlns='http://jabber.org/protocol/disco#info'/>");
    assert!(info.contains("urn:xmpp:pep-vcard-conversion:0'"), "{info}");
    publish_avatar(&mut alice, GIF, GIF_HASH, "image/gif");
    let mut tablet = online(&server, "alice", "tablet");
    tablet.so_far();
    let hash = format!("<x xmlns='vcard-temp:x:update'><photo>{GIF_HASH}</photo></x>");
    for (said, seen) in [
        ("<status>1</status>", hash.as_str()),
        ("<status>2</status><x xmlns='vcard-temp:x:update'/>", &hash),
        ("<status>3</status><x xmlns='vcard-temp:x:update'><photo>999</photo></x>", &hash),
        (
            "<status>4</status><x xmlns='vcard-temp:x:update'><photo/></x>",
            "<x xmlns='vcard-temp:x:update'><photo/></x>",
        ),
    ] {
        alice.send(&format!("<presence>{said}</presence>"));
        let status = &said[..said.find("</status>").unwrap_or_default()];
        let shown = tablet.wait_for(&format!("<presence from='{}'>{status}", alice.jid()));
        assert!(shown.contains(seen), "{shown}");
    }
    let mut bob = online(&server, "bob", "desk");
    let to = bob.jid().to_owned();
    alice.send(&format!("<presence to='{to}'/>"));
    assert!(bob.wait_for("<presence from='alice@localhost/phone'").contains(&hash));
}

// XEP-0402 example 1
// XEP-0402 example 2
// XEP-0402 example 3
// XEP-0402 example 4
// XEP-0402 example 5
// XEP-0402 example 6
// XEP-0402 example 7
// XEP-0402 example 8
// XEP-0402 example 9
// XEP-0402 example 10
// XEP-0402 example 11
// XEP-0402 example 12
// XEP-0402 example 13
// XEP-0402 example 14
#[test]
fn bookmarks_are_added_changed_and_removed_and_other_devices_hear_of_it() {
    let server = server();
    let mut phone = online(&server, "alice", "phone");
    let mut tablet = online(&server, "alice", "tablet");
    crate::personal::wants(&mut tablet, BOOKMARKS);
    let room = "orchard@rooms.example";
    let told = |tablet: &mut Client| tablet.wait_for("<message type='headline' from='alice@localhost'");
    set(&mut phone, "", &bookmark(room, "name='The Orcard' autojoin='1'><nick>JC</nick>"));
    let event = told(&mut tablet);
    assert!(event.contains(&format!("<item id='{room}'")) && event.contains("autojoin='1'"), "{event}");
    set(&mut phone, "", &bookmark(room, "name='The Orchard'><nick>JC</nick>"));
    let event = told(&mut tablet);
    assert!(event.contains("name='The Orchard'") && !event.contains("autojoin"), "{event}");
    set(&mut phone, "", &bookmark("minimal@rooms.example", ">"));
    told(&mut tablet);
    let all = get(&mut tablet, "", &format!("<items node='{BOOKMARKS}'/>"));
    assert!(all.contains("The Orchard") && all.contains("minimal@rooms.example"), "{all}");
    set(&mut phone, "", &format!("<retract node='{BOOKMARKS}' notify='true'><item id='{room}'/></retract>"));
    let event = told(&mut tablet);
    assert!(event.contains(&format!("<retract id='{room}'/>")), "{event}");
    // What an old client changes is told as well, and only what it changes.
    set_list(&mut phone, "<conference jid='minimal@rooms.example'/><conference jid='old@rooms.example'/>");
    let event = told(&mut tablet);
    assert!(event.contains("old@rooms.example") && !event.contains("minimal@rooms.example"), "{event}");
    tablet.expect_nothing_before_ping();
}

// XEP-0292 section 6.
#[test]
fn a_card_of_the_new_form_is_one_of_the_old_form_for_those_who_may_read_it() {
    let server = server();
    let mut alice = online(&server, "alice", "phone");
    let mut bob = online(&server, "bob", "desk");
    let publish = |access: &str, name: &str| {
        let vcard = format!("<vcard xmlns='urn:ietf:params:xml:ns:vcard-4.0'><fn><text>{name}</text></fn></vcard>");
        let options = publish_options(&[("pubsub#access_model", access)]);
        format!("<publish node='urn:xmpp:vcard4'><item id='current'>{vcard}</item></publish>{options}")
    };
    set(&mut alice, "", &publish("open", "Alice the new"));
    set(&mut bob, "", &publish("whitelist", "Bob the new"));
    let asked = "<vCard xmlns='vcard-temp'/>";
    for (client, to) in [(&mut alice, ""), (&mut bob, "alice@localhost")] {
        assert!(ask(client, "get", to, asked).contains("<FN>Alice the new</FN>"));
    }
    assert!(!ask(&mut alice, "get", "bob@localhost", asked).contains("Bob"));
    // A card that was set in the old form counts there.
    ask(&mut alice, "set", "", &card("<FN>Alice the old</FN>"));
    assert!(ask(&mut bob, "get", "alice@localhost", asked).contains("<FN>Alice the old</FN>"));
}

// XEP-0411 section 3 and XEP-0402 section 4.3.
#[test]
fn the_list_in_one_item_is_kept_like_the_others() {
    on_both_stores(|server| {
        const LIST: &str = "storage:bookmarks";
        let mut alice = online(server, "alice", "phone");
        set_list(
            &mut alice,
            "<conference jid='one@rooms.example' name='One'/><url name='Page' url='http://example.org/'/>",
        );
        let items = get(&mut alice, "", &format!("<items node='{LIST}'/>"));
        assert!(items.contains("<item id='current'") && items.contains("jid='one@rooms.example'"), "{items}");
        set(&mut alice, "", &bookmark("two@rooms.example", "name='Two'>"));
        let items = get(&mut alice, "", &format!("<items node='{LIST}'/>"));
        assert!(items.contains("jid='one@rooms.example'") && items.contains("jid='two@rooms.example'"), "{items}");
        let storage = "<storage xmlns='storage:bookmarks'><conference jid='two@rooms.example' name='Zwei'/></storage>";
        set(&mut alice, "", &format!("<publish node='{LIST}'><item id='current'>{storage}</item></publish>"));
        let items = get(&mut alice, "", &format!("<items node='{BOOKMARKS}'/>"));
        assert!(items.contains("name='Zwei'") && !items.contains("one@rooms.example"), "{items}");
        assert!(list(&mut alice).contains("name='Zwei'"));
        set_list(&mut alice, "<conference jid='three@rooms.example'/>");
        let items = get(&mut alice, "", &format!("<items node='{LIST}'/>"));
        assert!(items.contains("three@rooms.example") && !items.contains("Zwei"), "{items}");
    });
}
