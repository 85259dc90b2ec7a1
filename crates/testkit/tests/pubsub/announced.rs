//! What discovery announces (XEP-0060 section 10): all of it is on the page that names a test for each, and features that no other scenario is
//! about.

use metronome_testkit::{Client, Seen, ask, online};

use crate::{SERVICE, entry, get, owner_get, owner_set, refused, server, set, submit};

const INFO: &str = "<query xmlns='http://jabber.org/protocol/disco#info'/>";

/// The page with a row for each feature.
const PAGE: &str = include_str!("../../../../docs/pubsub.md");

fn publish(client: &mut Client, id: &str) -> Seen {
    set(client, SERVICE, &format!("<publish node='n'><item id='{id}'>{}</item></publish>", entry(id)))
}

/// Whether the first cell of a row of the page names this.
fn is_on_the_page(name: &str) -> bool {
    let firsts = PAGE.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").next());
    let mut words = firsts.flat_map(|cell| cell.split([' ', ',', '`', ';']));
    words.any(|word| word == name)
}

#[test]
fn every_announced_feature_is_on_the_page_with_its_tests() {
    let server = server("");
    let mut alice = online(&server, "alice", "phone");
    for address in [SERVICE, "alice@localhost", "localhost"] {
        let info = ask(&mut alice, "get", address, INFO).to_string();
        let features = info.split("<feature var='http://jabber.org/protocol/pubsub#").skip(1);
        let names: Vec<&str> = features.filter_map(|rest| rest.split('\'').next()).collect();
        assert!(names.len() > 30, "{info}");
        let unknown: Vec<_> = names.into_iter().filter(|name| !is_on_the_page(name)).collect();
        assert_eq!(unknown, [""; 0], "{address}");
    }
}

// XEP-0060 sections 6.1.6 and 7.1.2.4
#[test]
fn several_subscriptions_of_one_address_are_told_in_one_message_that_names_them() {
    let server = server("");
    let mut alice = online(&server, "alice", "phone");
    let mut bob = online(&server, "bob", "desk");
    let atom = submit("node_config", &[("pubsub#type", "http://www.w3.org/2005/Atom")]);
    set(&mut alice, SERVICE, &format!("<create node='n'/><configure>{atom}</configure>"));
    let subscribe = |body: &str| {
        let options = submit("subscribe_options", &[("pubsub#include_body", body)]);
        format!("<subscribe node='n' jid='bob@localhost'/><options>{options}</options>")
    };
    let ids = ["0", "1"].map(|body| {
        let answer = set(&mut bob, SERVICE, &subscribe(body));
        answer.attribute_of("subscription", "subid").unwrap()
    });
    assert_ne!(ids[0], ids[1]);
    publish(&mut alice, "hello");
    let told = bob.wait_for("<message type='headline'");
    assert!(told.contains("<headers xmlns='http://jabber.org/protocol/shim'>"), "{told}");
    for id in &ids {
        assert!(told.contains(&format!("<header name='SubID'>{id}</header>")), "{told}");
    }
    assert!(told.contains("<body>hello</body>"), "{told}");
    bob.so_far();
    bob.expect_nothing_before_ping();
    refused(&mut bob, "set", SERVICE, "<unsubscribe node='n' jid='bob@localhost'/>", "bad-request subid-required");
    set(&mut bob, SERVICE, &format!("<unsubscribe node='n' jid='bob@localhost' subid='{}'/>", ids[1]));
    publish(&mut alice, "again");
    let told = bob.wait_for("<message type='headline'");
    assert!(!told.contains("<header ") && !told.contains("<body>"), "{told}");
}

// XEP-0060 section 8.2.4
#[test]
fn as_much_as_there_may_be_is_a_value() {
    let server = server("");
    let mut alice = online(&server, "alice", "phone");
    let leaf = submit("node_config", &[("pubsub#max_items", "max"), ("pubsub#item_expire", "max")]);
    set(&mut alice, SERVICE, &format!("<create node='n'/><configure>{leaf}</configure>"));
    let form = owner_get(&mut alice, SERVICE, "<configure node='n'/>");
    assert_eq!(form.matches("<value>max</value>").count(), 2, "{form}");
    let collection = submit("node_config", &[("pubsub#node_type", "collection"), ("pubsub#children_max", "max")]);
    set(&mut alice, SERVICE, &format!("<create node='c'/><configure>{collection}</configure>"));
    let form = owner_get(&mut alice, SERVICE, "<configure node='c'/>");
    assert!(form.contains("<value>max</value>"), "{form}");
    publish(&mut alice, "1");
    publish(&mut alice, "2");
    assert_eq!(get(&mut alice, SERVICE, "<items node='n'/>").matches("<item ").count(), 2);
}

// XEP-0060 section 4.1
#[test]
fn each_affiliation_may_what_it_may() {
    let server = server("");
    let mut alice = online(&server, "alice", "phone");
    let mut bob = online(&server, "bob", "desk");
    let closed = submit("node_config", &[("pubsub#access_model", "whitelist")]);
    set(&mut alice, SERVICE, &format!("<create node='n'/><configure>{closed}</configure>"));
    publish(&mut alice, "1");
    let item = format!("<publish node='n'><item id='b'>{}</item></publish>", entry("b"));
    let subscribe = "<subscribe node='n' jid='bob@localhost'/>";
    refused(&mut bob, "get", SERVICE, "<items node='n'/>", "not-allowed closed-node");
    for (affiliation, reads, publishes) in
        [("member", true, false), ("publisher", true, true), ("publish-only", false, true), ("outcast", false, false)]
    {
        let list = format!("<affiliation jid='bob@localhost' affiliation='{affiliation}'/>");
        owner_set(&mut alice, SERVICE, &format!("<affiliations node='n'>{list}</affiliations>"));
        bob.so_far();
        match reads {
            true => {
                assert!(get(&mut bob, SERVICE, "<items node='n'/>").contains("<item id='1'"), "{affiliation}");
                set(&mut bob, SERVICE, subscribe);
                set(&mut bob, SERVICE, "<unsubscribe node='n' jid='bob@localhost'/>");
            }
            false => {
                refused(&mut bob, "get", SERVICE, "<items node='n'/>", "forbidden");
                refused(&mut bob, "set", SERVICE, subscribe, "forbidden");
            }
        }
        match publishes {
            true => drop(set(&mut bob, SERVICE, &item)),
            false => refused(&mut bob, "set", SERVICE, &item, "forbidden"),
        }
        let purge = "<pubsub xmlns='http://jabber.org/protocol/pubsub#owner'><purge node='n'/></pubsub>";
        assert!(ask(&mut bob, "set", SERVICE, purge).contains("<forbidden "), "{affiliation}");
    }
}
