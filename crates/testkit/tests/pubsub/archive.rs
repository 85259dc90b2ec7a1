//! Nodes as archives (XEP-0442).

use metronome_testkit::{Client, Seen, ask, online};

use crate::{SERVICE, entry, publish_options, server, set, submit};

/// Asks for a page: the ids of the results with the events in them, and the answer.
fn query(client: &mut Client, to: &str, node: &str, inside: &str) -> (Vec<String>, Seen) {
    let to = if to.is_empty() { String::new() } else { format!(" to='{to}'") };
    client.send(&format!(
        "<iq type='set' id='mam'{to}><query xmlns='urn:xmpp:mam:2' queryid='f28' node='{node}'>{inside}</query></iq>"
    ));
    let mut ids = Vec::new();
    loop {
        let seen = client.next_piece();
        if seen.contains("id='mam'") {
            return (ids, seen);
        }
        assert!(seen.contains("<result xmlns='urn:xmpp:mam:2' queryid='f28' id='"), "{seen}");
        assert!(seen.contains("<forwarded xmlns='urn:xmpp:forward:0'><delay ") && seen.contains("<event "), "{seen}");
        assert_eq!(seen.matches("<item ").count(), 1, "{seen}");
        ids.push(seen.split(" id='").nth(1).unwrap().split('\'').next().unwrap().to_owned());
    }
}

fn rsm(inside: &str) -> String {
    format!("<set xmlns='http://jabber.org/protocol/rsm'>{inside}</set>")
}

#[test]
fn what_was_published_comes_page_by_page() {
    let server = server("");
    let mut alice = online(&server, "alice", "phone");
    let mut bob = online(&server, "bob", "desk");
    set(&mut alice, SERVICE, "<create node='n'/>");
    for id in ["a", "b", "c", "d", "e"] {
        set(&mut alice, SERVICE, &format!("<publish node='n'><item id='{id}'>{}</item></publish>", entry(id)));
    }
    let info = ask(&mut bob, "get", SERVICE, "<query xmlns='http://jabber.org/protocol/disco#info'/>");
    assert!(info.contains("<feature var='urn:xmpp:mam:2'/>"), "{info}");
    let (ids, fin) = query(&mut bob, SERVICE, "n", "");
    assert_eq!(ids.concat(), "abcde");
    assert!(fin.contains("complete='true'") && fin.contains("<count>5</count>"), "{fin}");
    let (ids, fin) = query(&mut bob, SERVICE, "n", &rsm("<max>2</max>"));
    assert_eq!(ids.concat(), "ab");
    assert!(!fin.contains("complete") && fin.contains("<last>b</last>"), "{fin}");
    assert_eq!(query(&mut bob, SERVICE, "n", &rsm("<max>2</max><after>b</after>")).0.concat(), "cd");
    assert_eq!(query(&mut bob, SERVICE, "n", &rsm("<max>2</max><before/>")).0.concat(), "de");
    assert_eq!(
        query(&mut bob, SERVICE, "n", &format!("{}<flip-page/>", rsm("<max>2</max><before/>"))).0.concat(),
        "ed"
    );
    let form = |field: &str| {
        let head = "<field var='FORM_TYPE'><value>urn:xmpp:mam:2</value></field>";
        format!("<x xmlns='jabber:x:data' type='submit'>{head}{field}</x>")
    };
    let ids = form("<field var='ids'><value>d</value><value>b</value></field>");
    assert_eq!(query(&mut bob, SERVICE, "n", &ids).0.concat(), "bd");
    let none = form("<field var='start'><value>2999-01-01T00:00:00Z</value></field>");
    assert!(query(&mut bob, SERVICE, "n", &none).0.is_empty());
    for (inside, condition) in [
        (rsm("<after>nothing</after>"), "item-not-found"),
        (form("<field var='ids'><value>nothing</value></field>"), "item-not-found"),
        (form("<field var='with'><value>a@b</value></field>"), "feature-not-implemented"),
        (form("<field var='start'><value>yesterday</value></field>"), "bad-request"),
    ] {
        let (_, answer) = query(&mut bob, SERVICE, "n", &inside);
        assert!(answer.contains(condition), "{inside}: {answer}");
    }
    let form = ask(&mut bob, "get", SERVICE, "<query xmlns='urn:xmpp:mam:2'/>");
    assert!(form.contains("var='after-id'"), "{form}");
}

#[test]
fn who_may_not_read_a_node_may_not_read_its_archive() {
    let server = server("");
    let mut alice = online(&server, "alice", "phone");
    let mut bob = online(&server, "bob", "desk");
    let closed = submit("node_config", &[("pubsub#access_model", "whitelist")]);
    set(&mut alice, SERVICE, &format!("<create node='n'/><configure>{closed}</configure>"));
    assert!(query(&mut bob, SERVICE, "n", "").1.contains("closed-node"));
    assert!(query(&mut bob, SERVICE, "none", "").1.contains("item-not-found"));
    let open = publish_options(&[("pubsub#access_model", "open")]);
    set(&mut alice, "", &format!("<publish node='blog'><item id='1'>{}</item></publish>{open}", entry("post")));
    set(&mut alice, "", &format!("<publish node='mood'><item id='1'>{}</item></publish>", entry("happy")));
    assert_eq!(query(&mut alice, "", "mood", "").0, ["1"]);
    assert_eq!(query(&mut bob, "alice@localhost", "blog", "").0, ["1"]);
    let hidden = query(&mut bob, "alice@localhost", "mood", "").1.to_string();
    let absent = query(&mut bob, "nobody@localhost", "mood", "").1.to_string();
    assert_eq!(hidden.replace("alice", "nobody"), absent, "as of an account that does not exist");
    let own = ask(&mut bob, "set", "alice@localhost", "<query xmlns='urn:xmpp:mam:2'/>");
    assert!(own.contains("service-unavailable"), "{own}");
}
