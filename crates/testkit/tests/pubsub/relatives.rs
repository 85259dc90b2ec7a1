//! Lists of nodes and of what belongs to them (XEP-0499, XEP-0462), and subscriptions that somebody shares (XEP-0330).

use metronome_testkit::{Client, ask, online};

use crate::{SERVICE, entry, get, server, set, submit};

fn listed(client: &mut Client, node: &str, fields: &[(&str, &str)], more: &str) -> String {
    let field = |(var, value): &(&str, &str)| format!("<field var='{var}'><value>{value}</value></field>");
    let fields: String = fields.iter().map(field).collect();
    let form = format!(
        "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE' type='hidden'><value>urn:xmpp:pubsub-ext-disco:0\
         </value></field>{fields}</x>"
    );
    let node = if node.is_empty() { String::new() } else { format!(" node='{node}'") };
    let query = format!("<query xmlns='http://jabber.org/protocol/disco#items'{node}>{form}{more}</query>");
    ask(client, "get", SERVICE, &query).to_string()
}

fn attach(who: &str) -> String {
    let node = format!("urn:xmpp:pubsub-attachments:1/xmpp:{SERVICE}?;node=leaf;item=1");
    let payload = "<attachments xmlns='urn:xmpp:pubsub-attachments:1'><noticed/></attachments>";
    format!("<publish node='{node}'><item id='{who}'>{payload}</item></publish>")
}

// XEP-0499 section 3.1.
#[test]
fn what_belongs_to_a_node_is_listed_in_layers() {
    let server = server("");
    let mut alice = online(&server, "alice", "phone");
    let mut bob = online(&server, "bob", "desk");
    let info = ask(&mut bob, "get", SERVICE, "<query xmlns='http://jabber.org/protocol/disco#info'/>");
    for feature in ["urn:xmpp:pubsub-ext-disco:0", "urn:xmpp:pubsub-filter:0"] {
        assert!(info.contains(&format!("<feature var='{feature}'/>")), "{info}");
    }
    let collection = |parent: &str| {
        let fields = [("pubsub#node_type", "collection"), ("pubsub#collection", parent)];
        let fields = if parent.is_empty() { &fields[..1] } else { &fields[..] };
        submit("node_config", fields)
    };
    set(&mut alice, SERVICE, &format!("<create node='top'/><configure>{}</configure>", collection("")));
    set(&mut alice, SERVICE, &format!("<create node='middle'/><configure>{}</configure>", collection("top")));
    let below = |parent: &str, model: &str| {
        let config = [("pubsub#collection", parent), ("pubsub#access_model", model), ("pubsub#type", "urn:leaf")];
        submit("node_config", &config)
    };
    set(&mut alice, SERVICE, &format!("<create node='leaf'/><configure>{}</configure>", below("middle", "open")));
    set(
        &mut alice,
        SERVICE,
        &format!("<create node='closed'/><configure>{}</configure>", below("middle", "whitelist")),
    );
    for id in ["1", "2"] {
        set(&mut alice, SERVICE, &format!("<publish node='leaf'><item id='{id}'>{}</item></publish>", entry(id)));
    }
    set(&mut alice, SERVICE, &attach("alice@localhost"));
    let names = |list: &str| list.matches("<item jid='pubsub.localhost'").count();
    let top = listed(&mut bob, "top", &[], "");
    assert_eq!(names(&top), 0, "{top}");
    let one = listed(&mut bob, "top", &[("depth", "1")], "");
    assert!(names(&one) == 1 && one.contains("node='middle'"), "{one}");
    assert!(
        one.contains("var='{urn:xmpp:pubsub-relationships:0}parent'") && one.contains("<value>top</value>"),
        "{one}"
    );
    let two = listed(&mut bob, "top", &[("depth", "2"), ("type", "nodes")], "");
    assert!(names(&two) == 2 && two.contains("node='leaf'") && !two.contains("closed"), "{two}");
    let all = listed(&mut bob, "top", &[("depth", "2"), ("linked_nodes", "true")], "");
    // Two collections and nodes, two items, what is attached and its summary, and an item in each of these.
    assert_eq!(names(&all), 8, "{all}");
    assert!(
        all.contains("var='{urn:xmpp:pubsub-relationships:0}link'") && all.contains("<value>leaf</value>"),
        "{all}"
    );
    assert!(all.contains("<item jid='pubsub.localhost' node='leaf' name='2'/>"), "{all}");
    let page =
        listed(&mut bob, "top", &[("depth", "2")], "<set xmlns='http://jabber.org/protocol/rsm'><max>1</max></set>");
    assert!(names(&page) == 1 && page.contains("<last>0</last><count>4</count>"), "{page}");
    let full = listed(&mut bob, "middle", &[("depth", "1"), ("full_metadata", "1"), ("type", "nodes")], "");
    assert!(full.contains("pubsub#creation_date") && full.contains("<value>urn:leaf</value>"), "{full}");
    let filter = "<filter xmlns='urn:xmpp:pubsub-filter:0'><x xmlns='jabber:x:data' type='submit'>\
                  <field var='FORM_TYPE' type='hidden'><value>urn:xmpp:pubsub-filter:0</value></field>\
                  <field var='excluded-types'><value>urn:leaf</value></field></x></filter>";
    let without = listed(&mut bob, "top", &[("depth", "2"), ("type", "nodes")], filter);
    assert!(names(&without) == 1 && without.contains("middle"), "{without}");
    let of_service = listed(&mut bob, "", &[], "");
    assert!(of_service.contains("pubsub#meta-data") && !of_service.contains("closed"), "{of_service}");
    assert!(listed(&mut bob, "top", &[("depth", "many")], "").contains("bad-request"));
    assert!(listed(&mut bob, "closed", &[], "").contains("item-not-found"));
}

#[test]
fn who_may_not_know_of_the_first_thousand_nodes_goes_on_behind_them() {
    let server = server("");
    let mut alice = online(&server, "alice", "phone");
    let mut bob = online(&server, "bob", "desk");
    let closed = submit("node_config", &[("pubsub#access_model", "whitelist")]);
    for number in 0..1000 {
        let create = format!("<create node='secret-{number:04}'/><configure>{closed}</configure>");
        alice.send(&format!(
            "<iq type='set' id='c{number}' to='{SERVICE}'><pubsub xmlns='http://jabber.org/protocol/pubsub'>{create}</pubsub></iq>"
        ));
        alice.wait_for("<iq type='result'");
    }
    set(&mut alice, SERVICE, "<create node='shown'/>");
    let mut list = |inner: &str| {
        let query = format!("<query xmlns='http://jabber.org/protocol/disco#items'>{inner}</query>");
        ask(&mut bob, "get", SERVICE, &query).to_string()
    };
    let first = list("");
    assert!(!first.contains("secret") && !first.contains("shown"), "{first}");
    let last = first.split("<last>").nth(1).unwrap().split('<').next().unwrap().to_owned();
    let next = list(&format!("<set xmlns='http://jabber.org/protocol/rsm'><after>{last}</after></set>"));
    assert!(next.contains("node='shown'") && !next.contains("secret"), "{next}");
}

// XEP-0330 section 4.
#[test]
fn somebody_shares_their_subscriptions() {
    let server = server("");
    let mut alice = online(&server, "alice", "phone");
    let mut bob = online(&server, "bob", "desk");
    let publish = |id: &str, title: &str| {
        format!(
            "<publish node='urn:xmpp:pubsub:subscription'><item id='{id}'><subscription xmlns='urn:xmpp:pubsub:subscription:0' \
             server='pubsub.shakespeare.lit' node='party'><title>{title}</title></subscription></item></publish>"
        )
    };
    for id in ["0bc0e76cb803b3b107aa369169d8c0d45086f844", "de6c6772ff43d9a604ea78e51ce28b63ab8692eb"] {
        set(&mut alice, "", &publish(id, "Party at the Capulets"));
    }
    set(&mut alice, "", &publish("0bc0e76cb803b3b107aa369169d8c0d45086f844", "canceled"));
    let request = "<items node='urn:xmpp:pubsub:subscription'/>";
    let shared = get(&mut bob, "alice@localhost", request);
    assert!(shared.matches("<item ").count() == 2 && shared.contains("<title>canceled</title>"), "{shared}");
    let retract =
        "<retract node='urn:xmpp:pubsub:subscription'><item id='0bc0e76cb803b3b107aa369169d8c0d45086f844'/></retract>";
    set(&mut alice, "", retract);
    assert_eq!(get(&mut bob, "alice@localhost", request).matches("<item ").count(), 1);
}
