//! What clients for feeds and communities do all day (XEP-0472, XEP-0277): they find nodes by what they are, read them by pages beginning
//! with the newest, bring a node into the state that they want, and let people comment who are named.

use metronome_testkit::{Client, Server, World, ask, online};

use crate::{SERVICE, get, owner_get, owner_set, publish_options, refused, server, set, submit};

const BLOG: &str = "urn:xmpp:microblog:0";
const COMMENTS: &str = "urn:xmpp:microblog:0:comments/post-1";
const COMMUNITY: &[(&str, &str)] = &[
    ("pubsub#title", "Cats &amp; <dogs>"),
    ("pubsub#description", "Animals"),
    ("pubsub#type", "urn:xmpp:microblog:0"),
    ("pubsub#access_model", "open"),
    ("pubsub#publish_model", "open"),
    ("pubsub#max_items", "max"),
    ("pubsub#persist_items", "true"),
    ("pubsub#notify_retract", "true"),
    ("pubsub#deliver_payloads", "true"),
    ("pubsub#send_last_published_item", "never"),
    ("pubsub#itemreply", "publisher"),
];

/// Its bytes are the client's: prefixes that it declares and the order of its attributes.
fn post(text: &str) -> String {
    format!(
        "<entry xmlns='http://www.w3.org/2005/Atom' xmlns:thr=\"http://purl.org/syndication/thread/1.0\"><title type='text'>{text}</title>\
         <content type='text'>{text}</content><content type='xhtml'><div xmlns='http://www.w3.org/1999/xhtml'><p>{text}<br/></p></div>\
         </content><thr:in-reply-to ref='tag:a.example,2026:1' href='xmpp:a.example?;node=x'/></entry>"
    )
}

fn publish(node: &str, id: &str, text: &str) -> String {
    format!("<publish node='{node}'><item id='{id}'>{}</item></publish>", post(text))
}

fn ids(answer: &str) -> Vec<String> {
    answer.split("<item id='").skip(1).map(|rest| rest[..rest.find('\'').unwrap()].to_owned()).collect()
}

fn named(numbers: std::ops::RangeInclusive<u32>) -> Vec<String> {
    numbers.map(|number| format!("p{number}")).collect()
}

#[test]
fn a_feed_is_read_by_pages_that_begin_with_the_newest() {
    let server = server("");
    let mut alice = online(&server, "alice", "phone");
    let mut bob = online(&server, "bob", "desk");
    let config = submit("node_config", COMMUNITY);
    set(&mut alice, SERVICE, &format!("<create node='cats'/><configure>{config}</configure>"));
    for number in 1..=23 {
        set(&mut alice, SERVICE, &publish("cats", &format!("p{number}"), "x"));
    }
    let mut page = |inner: &str| {
        let set = format!("<set xmlns='http://jabber.org/protocol/rsm'>{inner}</set>");
        get(&mut bob, SERVICE, &format!("<items node='cats'/>{set}"))
    };
    let newest = page("<max>10</max><before/>");
    assert_eq!(ids(&newest), named(14..=23));
    for part in ["<first index='13'>p14</first>", "<last>p23</last>", "<count>23</count>"] {
        assert!(newest.contains(part), "{part}: {newest}");
    }
    assert_eq!(ids(&page("<max>10</max><before>p14</before>")), named(4..=13));
    let oldest = page("<max>10</max><before>p4</before>");
    assert_eq!(ids(&oldest), named(1..=3));
    assert!(oldest.contains("<first index='0'>p1</first>"), "{oldest}");
    let counted = page("<max>0</max>");
    assert!(ids(&counted).is_empty() && counted.contains("<count>23</count>"), "{counted}");
    // What has gone does not disturb whoever goes on behind it.
    set(&mut alice, SERVICE, "<retract node='cats'><item id='p20'/></retract>");
    let newest = get(&mut bob, SERVICE, "<items node='cats' max_items='3'/>");
    assert_eq!(ids(&newest).len(), 3);
    assert!(["p21", "p22", "p23"].iter().all(|id| ids(&newest).contains(&(*id).to_owned())), "{newest}");
}

#[test]
fn a_community_is_found_by_what_it_is_and_keeps_what_people_write() {
    let server = server("");
    let mut alice = online(&server, "alice", "phone");
    let mut bob = online(&server, "bob", "desk");
    let config = submit("node_config", COMMUNITY);
    set(&mut alice, SERVICE, &format!("<create node='cats'/><configure>{config}</configure>"));
    set(&mut bob, SERVICE, "<subscribe node='cats' jid='bob@localhost'/>");
    let listed = ask(&mut bob, "get", SERVICE, "<query xmlns='http://jabber.org/protocol/disco#items'/>");
    assert!(listed.contains("node='cats'") && listed.contains("name='Cats &amp; &lt;dogs&gt;'"), "{listed}");
    let info = ask(&mut bob, "get", SERVICE, "<query xmlns='http://jabber.org/protocol/disco#info' node='cats'/>");
    for (field, value) in [
        ("title", "Cats &amp; &lt;dogs&gt;"),
        ("description", "Animals"),
        ("type", "urn:xmpp:microblog:0"),
        ("access_model", "open"),
        ("publish_model", "open"),
        ("num_subscribers", "1"),
        ("owner", "alice@localhost"),
    ] {
        let told = info.split(&format!("var='pubsub#{field}'")).nth(1).unwrap_or_default();
        let told = told.split("</field>").next().unwrap_or_default();
        assert!(told.contains(&format!("<value>{value}</value>")), "{field}: {info}");
    }
    set(&mut bob, SERVICE, &publish("cats", "hers", "miaow &amp; <em>purr</em>"));
    let told = bob.wait_for("<message type='headline'");
    let mine = get(&mut bob, SERVICE, "<subscriptions/>");
    assert!(mine.contains("node='cats'") && mine.contains("subscription='subscribed'"), "{mine}");
    let kept = get(&mut alice, SERVICE, "<items node='cats'><item id='hers'/></items>");
    for given in [&told, &kept] {
        assert!(given.contains(&post("miaow &amp; <em>purr</em>")), "{given}");
        assert!(given.contains("publisher='bob@localhost'"), "{given}");
    }
}

/// A client that finds a node otherwise than it wants it configures it and tries again (XEP-0060 section 7.1.5).
#[test]
fn a_client_brings_its_feed_into_the_state_that_it_wants() {
    let server = server("");
    let mut alice = online(&server, "alice", "phone");
    let mut bob = online(&server, "bob", "desk");
    set(&mut alice, "", &publish(BLOG, "p1", "for friends"));
    refused(&mut bob, "get", "alice@localhost", &format!("<items node='{BLOG}'/>"), "item-not-found");
    let wanted = [
        ("pubsub#persist_items", "true"),
        ("pubsub#access_model", "open"),
        ("pubsub#send_last_published_item", "never"),
        ("pubsub#max_items", "max"),
        ("pubsub#notify_retract", "true"),
    ];
    let again = format!("{}{}", publish(BLOG, "p2", "for everybody"), publish_options(&wanted));
    refused(&mut alice, "set", "", &again, "conflict precondition-not-met");
    let form = owner_get(&mut alice, "", &format!("<configure node='{BLOG}'/>"));
    assert!(wanted.iter().all(|(field, _)| form.contains(&format!("var='{field}'"))), "{form}");
    owner_set(&mut alice, "", &format!("<configure node='{BLOG}'>{}</configure>", submit("node_config", &wanted)));
    set(&mut alice, "", &again);
    let read = get(&mut bob, "alice@localhost", &format!("<items node='{BLOG}'/>"));
    assert_eq!(ids(&read), named(1..=2));
}

fn elsewhere(server: &Server, domain: &str, name: &str) -> Client {
    let mut client = server.dial().domain(domain).direct();
    client.log_in(name, "here");
    client.send("<presence/>");
    client.so_far();
    client
}

/// XEP-0277 sections 6.2 and 10.1: nodes for comments are as they must be without a configuration, and say who has written.
#[test]
fn comments_name_whoever_has_written_them() {
    let world = World::new();
    let (a, b) = (world.server("a.example", "alice", ""), world.server("b.example", "bob", ""));
    let (mut alice, mut bob) = (elsewhere(&a, "a.example", "alice"), elsewhere(&b, "b.example", "bob"));
    set(&mut alice, "", &format!("<create node='{COMMENTS}'/>"));
    set(&mut alice, "", &format!("<subscribe node='{COMMENTS}' jid='alice@a.example'/>"));
    set(&mut bob, "alice@a.example", &publish(COMMENTS, "c1", "well said"));
    let told = alice.wait_for("<message type='headline'");
    let read = get(&mut alice, "", &format!("<items node='{COMMENTS}'/>"));
    for given in [&told, &read] {
        assert!(given.contains("well said") && given.contains("publisher='bob@b.example'"), "{given}");
    }
    let count = "<set xmlns='http://jabber.org/protocol/rsm'><max>0</max></set>";
    let counted = get(&mut bob, "alice@a.example", &format!("<items node='{COMMENTS}'/>{count}"));
    assert!(counted.contains("<count>1</count>"), "{counted}");
}
