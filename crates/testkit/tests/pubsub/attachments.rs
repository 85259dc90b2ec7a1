//! What people attach to items: noticed, and reactions (XEP-0470).

use metronome_testkit::{ask, online};

use crate::{SERVICE, entry, get, publish_options, refused, server, set, submit};

const BLOG: &str = "urn:xmpp:microblog:0";
const SUMMARY: &str = "urn:xmpp:pubsub-attachments:summary:1/urn:xmpp:microblog:0";

fn attachments(owner: &str) -> String {
    format!("urn:xmpp:pubsub-attachments:1/xmpp:{owner}?;node=urn%3Axmpp%3Amicroblog%3A0;item=balcony")
}

fn attach(owner: &str, who: &str, inside: &str) -> String {
    let payload = format!("<attachments xmlns='urn:xmpp:pubsub-attachments:1'>{inside}</attachments>");
    format!("<publish node='{}'><item id='{who}'>{payload}</item></publish>", attachments(owner))
}

#[test]
fn a_post_is_noticed_and_its_summary_tells_how_often() {
    let server = server("");
    let mut alice = online(&server, "alice", "phone");
    let mut bob = online(&server, "bob", "desk");
    let open = publish_options(&[("pubsub#access_model", "open"), ("pubsub#publish_model", "open")]);
    set(&mut alice, "", &format!("<publish node='{BLOG}'><item id='balcony'>{}</item></publish>{open}", entry("post")));
    let owner = "alice@localhost";
    let info = ask(&mut alice, "get", owner, "<query xmlns='http://jabber.org/protocol/disco#info'/>");
    assert!(info.contains("<feature var='urn:xmpp:pubsub-attachments:1'/>"), "{info}");
    refused(&mut alice, "set", "", &format!("<create node='{}'/>", attachments(owner)), "not-allowed");
    // A stranger, whom the owner does not know.
    set(&mut bob, owner, &attach(owner, "bob@localhost", "<noticed timestamp='2022-07-11T12:07:24Z'/>"));
    set(&mut bob, owner, &format!("<subscribe node='{SUMMARY}' jid='bob@localhost'/>"));
    set(
        &mut alice,
        "",
        &attach(owner, "alice@localhost", "<noticed/><reactions><reaction>\u{1F477}</reaction></reactions>"),
    );
    let told = bob.wait_for("<message from='alice@localhost'");
    assert!(told.contains("<item id='balcony'>") && told.contains("<noticed count='2'/>"), "{told}");
    let items = get(&mut bob, owner, &format!("<items node='{SUMMARY}'/>"));
    assert!(items.contains("<reactions><reaction>\u{1F477}</reaction></reactions>"), "{items}");
    refused(&mut bob, "set", owner, &attach(owner, "alice@localhost", "<noticed/>"), "bad-request");
    refused(
        &mut bob,
        "set",
        owner,
        &attach(owner, "bob@localhost", "<noticed/>").replace("=balcony", "=other"),
        "item-not-found",
    );
    set(&mut alice, "", &format!("<retract node='{BLOG}'><item id='balcony'/></retract>"));
    let told = bob.wait_for("<message from='alice@localhost'");
    assert!(told.contains("<retract id='balcony'/>"), "{told}");
    refused(&mut bob, "get", owner, &format!("<items node='{}'/>", attachments(owner)), "item-not-found");
}

#[test]
fn what_is_attached_to_what_strangers_may_not_know_of_is_not_there_for_them() {
    let server = server("");
    let mut alice = online(&server, "alice", "phone");
    let mut bob = online(&server, "bob", "desk");
    let open = publish_options(&[("pubsub#publish_model", "open")]);
    set(&mut alice, "", &format!("<publish node='{BLOG}'><item id='balcony'>{}</item></publish>{open}", entry("post")));
    let owner = "alice@localhost";
    set(&mut alice, "", &attach(owner, "alice@localhost", "<noticed/>"));
    refused(&mut bob, "set", owner, &attach(owner, "bob@localhost", "<noticed/>"), "item-not-found");
    for node in [SUMMARY, &attachments(owner)] {
        refused(&mut bob, "get", owner, &format!("<items node='{node}'/>"), "item-not-found");
    }
}

#[test]
fn the_service_attaches_as_well() {
    let server = server("");
    let mut alice = online(&server, "alice", "phone");
    let mut bob = online(&server, "bob", "desk");
    let config = submit("node_config", &[("pubsub#publish_model", "open")]);
    set(&mut alice, SERVICE, &format!("<create node='{BLOG}'/><configure>{config}</configure>"));
    set(&mut alice, SERVICE, &format!("<publish node='{BLOG}'><item id='balcony'>{}</item></publish>", entry("post")));
    set(&mut bob, SERVICE, &attach(SERVICE, "bob@localhost", "<noticed/>"));
    assert!(get(&mut bob, SERVICE, &format!("<items node='{SUMMARY}'/>")).contains("<noticed count='1'/>"));
    let query = format!("<query xmlns='http://jabber.org/protocol/disco#info' node='{SUMMARY}'/>");
    assert!(ask(&mut bob, "get", SERVICE, &query).contains("<value>urn:xmpp:pubsub-attachments:summary:1</value>"));
}
