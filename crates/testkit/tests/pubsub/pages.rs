//! XEP-0059 for items and for lists of nodes, XEP-0413, XEP-0462, and subscriptions with options.

use metronome_testkit::{Client, ask, online};

use crate::{SERVICE, entry, get, granted, server, set, submit};

fn filled(client: &mut Client) {
    set(client, SERVICE, "<create node='n'/>");
    for id in 1..=9 {
        set(client, SERVICE, &format!("<publish node='n'><item id='i{id}'>{}</item></publish>", entry("x")));
    }
}

fn ids(answer: &str) -> Vec<String> {
    answer.split("<item id='").skip(1).map(|rest| rest[..rest.find('\'').unwrap()].to_owned()).collect()
}

// XEP-0060 section 6.5.4
#[test]
fn section_6_5_4_items_come_by_pages() {
    let server = server("");
    let mut alice = online(&server, "alice", "phone");
    filled(&mut alice);
    let mut page = |set: &str| {
        let set = format!("<set xmlns='http://jabber.org/protocol/rsm'>{set}</set>");
        get(&mut alice, SERVICE, &format!("<items node='n'/>{set}"))
    };
    let first = page("<max>4</max>");
    assert_eq!(ids(&first), ["i1", "i2", "i3", "i4"], "{first}");
    assert!(first.contains("<count>9</count>") && first.contains("<first index='0'>i1</first>"), "{first}");
    assert_eq!(ids(&page("<max>4</max><after>i4</after>")), ["i5", "i6", "i7", "i8"]);
    assert_eq!(ids(&page("<max>4</max><after>i8</after>")), ["i9"]);
    assert_eq!(ids(&page("<max>2</max><before/>")), ["i8", "i9"]);
    assert_eq!(ids(&page("<max>2</max><before>i8</before>")), ["i6", "i7"]);
    let few = get(&mut alice, SERVICE, "<items node='n' max_items='2'/>");
    assert_eq!(ids(&few).len(), 2, "{few}");
    let named = get(&mut alice, SERVICE, "<items node='n'><item id='i3'/><item id='i7'/><item id='none'/></items>");
    assert_eq!(ids(&named), ["i3", "i7"]);
}

#[test]
fn lists_of_nodes_come_by_pages_and_by_types() {
    let server = server("");
    let mut alice = online(&server, "alice", "phone");
    for node in ["a", "b", "c", "d", "e"] {
        let kind = if node == "c" { "urn:special" } else { "" };
        let config = submit("node_config", &[("pubsub#type", kind)]);
        set(&mut alice, SERVICE, &format!("<create node='{node}'/><configure>{config}</configure>"));
    }
    let mut list = |inner: &str| {
        let query = format!("<query xmlns='http://jabber.org/protocol/disco#items'>{inner}</query>");
        let answer = ask(&mut alice, "get", SERVICE, &query);
        let names = answer.split("node='").skip(1).map(|rest| rest[..1].to_owned()).collect::<Vec<_>>();
        (names.concat(), answer)
    };
    assert_eq!(list("").0, "abcde");
    let set = |inner: &str| format!("<set xmlns='http://jabber.org/protocol/rsm'>{inner}</set>");
    let (names, first) = list(&set("<max>2</max>"));
    assert_eq!(names, "ab");
    assert!(first.contains("<last>b</last>"), "{first}");
    assert_eq!(list(&set("<max>2</max><after>b</after>")).0, "cd");
    assert_eq!(list(&set("<max>2</max><after>d</after>")).0, "e");
    let filter = "<filter xmlns='urn:xmpp:pubsub-filter:0'><x xmlns='jabber:x:data' type='submit'>\
                  <field var='FORM_TYPE' type='hidden'><value>urn:xmpp:pubsub-filter:0</value></field>\
                  <field var='included-types'><value>urn:special</value></field></x></filter>";
    assert_eq!(list(filter).0, "c");
}

// XEP-0060 section 6.3
#[test]
fn section_6_3_a_subscription_has_options_and_an_address_several_subscriptions() {
    let server = server("");
    let mut alice = online(&server, "alice", "phone");
    let mut bob = online(&server, "bob", "desk");
    set(&mut alice, SERVICE, "<create node='n'/>");
    set(&mut bob, SERVICE, "<subscribe node='n' jid='bob@localhost'/>");
    let options = submit("subscribe_options", &[("pubsub#deliver", "0")]);
    let request = format!("<options node='n' jid='bob@localhost'>{options}</options>");
    set(&mut bob, SERVICE, &request);
    let publish = |id: &str| format!("<publish node='n'><item id='{id}'>{}</item></publish>", entry("x"));
    set(&mut alice, SERVICE, &publish("1"));
    bob.expect_nothing_before_ping();
    let form = get(&mut bob, SERVICE, "<options node='n' jid='bob@localhost'/>");
    assert!(form.contains("var='pubsub#deliver'") && form.contains("var='pubsub#expire'"), "{form}");
    let shown = submit("subscribe_options", &[("pubsub#deliver", "1"), ("pubsub#show-values", "dnd")]);
    set(&mut bob, SERVICE, &format!("<options node='n' jid='bob@localhost'>{shown}</options>"));
    set(&mut alice, SERVICE, &publish("2"));
    bob.expect_nothing_before_ping();
    bob.send("<presence><show>dnd</show></presence>");
    bob.so_far();
    set(&mut alice, SERVICE, &publish("3"));
    assert!(bob.wait_for("<message type='headline'").contains("<item id='3'"));
    set(&mut bob, SERVICE, "<unsubscribe node='n' jid='bob@localhost'/>");
    set(&mut alice, SERVICE, &publish("4"));
    bob.expect_nothing_before_ping();
}

// XEP-0060 section 8.7
// XEP-0060 example 176
// XEP-0060 example 177
// XEP-0060 example 180
// XEP-0060 example 182
// XEP-0060 example 183
#[test]
fn section_8_7_an_owner_asks_for_what_waits_by_a_command() {
    let server = server("");
    let mut alice = online(&server, "alice", "phone");
    let mut bob = online(&server, "bob", "desk");
    let config = submit("node_config", &[("pubsub#access_model", "authorize")]);
    set(&mut alice, SERVICE, &format!("<create node='n'/><configure>{config}</configure>"));
    set(&mut alice, SERVICE, "<create node='other'/>");
    set(&mut bob, SERVICE, "<subscribe node='n' jid='bob@localhost'/>");
    alice.wait_for("<message");
    let node = "http://jabber.org/protocol/pubsub#get-pending";
    let command = |inner: &str, more: &str| {
        format!("<command xmlns='http://jabber.org/protocol/commands' node='{node}'{more}>{inner}</command>")
    };
    let form = ask(&mut alice, "set", SERVICE, &command("", " action='execute'"));
    assert!(form.contains("status='executing'") && form.contains("<value>n</value>"), "{form}");
    assert!(!form.contains("<value>other</value>"), "{form}");
    let chosen = "<x xmlns='jabber:x:data' type='submit'><field var='pubsub#node'><value>n</value></field></x>";
    let done = ask(&mut alice, "set", SERVICE, &command(chosen, " sessionid='1'"));
    assert!(done.contains("status='completed'"), "{done}");
    let asked = alice.wait_for(&format!("<message from='{SERVICE}'"));
    assert!(asked.contains("<value>bob@localhost</value>"), "{asked}");
    let refused = ask(&mut bob, "set", SERVICE, &command("", ""));
    assert!(refused.contains("<forbidden"), "{refused}");
    let listed = ask(
        &mut alice,
        "get",
        SERVICE,
        "<query xmlns='http://jabber.org/protocol/disco#items' node='http://jabber.org/protocol/commands'/>",
    );
    assert!(listed.contains(node), "{listed}");
}

// XEP-0248
// XEP-0248 example 5
// XEP-0248 example 6
#[test]
fn subscribers_of_a_collection_hear_of_what_is_in_it() {
    let server = server("");
    let mut alice = online(&server, "alice", "phone");
    let mut bob = online(&server, "bob", "desk");
    let collection = submit("node_config", &[("pubsub#node_type", "collection")]);
    set(&mut alice, SERVICE, &format!("<create node='all'/><configure>{collection}</configure>"));
    let leaf = submit("node_config", &[("pubsub#collection", "all")]);
    set(&mut alice, SERVICE, &format!("<create node='leaf'/><configure>{leaf}</configure>"));
    let options = [("pubsub#subscription_type", "items"), ("pubsub#subscription_depth", "all")];
    let options = format!("<options>{}</options>", submit("subscribe_options", &options));
    set(&mut bob, SERVICE, &format!("<subscribe node='all' jid='bob@localhost'/>{options}"));
    set(&mut alice, SERVICE, &format!("<publish node='leaf'><item id='1'>{}</item></publish>", entry("x")));
    let told = bob.wait_for("<message type='headline'");
    assert!(told.contains("<items node='leaf'>") && told.contains("<header name='Collection'>all</header>"), "{told}");
    let info = ask(&mut bob, "get", SERVICE, "<query xmlns='http://jabber.org/protocol/disco#info' node='all'/>");
    assert!(info.contains("<identity category='pubsub' type='collection'"), "{info}");
    let items = ask(&mut bob, "get", SERVICE, "<query xmlns='http://jabber.org/protocol/disco#items' node='all'/>");
    assert!(items.contains("node='leaf'"), "{items}");
    granted(&mut alice, "set", SERVICE, "pubsub#owner", "<delete node='all'/>");
    assert!(get(&mut bob, SERVICE, "<items node='leaf'/>").contains("<item id='1'"));
}
