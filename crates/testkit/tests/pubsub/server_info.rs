//! What domains tell of their connections with others (XEP-0485).

use metronome_testkit::{Client, Server, World, ask};

use crate::get;

const TOLD: &str = "[pubsub]\nserverinfo = true\nserverinfo_every = \"1 s\"";

fn online(server: &Server, domain: &str, name: &str) -> Client {
    let mut client = server.dial().domain(domain).direct();
    client.log_in(name, "here");
    client.send("<presence/>");
    client.so_far();
    client
}

fn told(client: &mut Client, holds: impl Fn(&str) -> bool) -> String {
    // It is brought up to date every second; the last item comes with the subscription, the next ones with the events.
    crate::set(client, "pubsub.a.example", "<subscribe node='serverinfo' jid='alice@a.example'/>");
    loop {
        let event = client.wait_for("<message from='pubsub.a.example'").to_string();
        if holds(&event) {
            return event;
        }
    }
}

#[test]
fn a_domain_names_those_it_is_connected_with_if_they_want_that() {
    let world = World::new();
    let (a, b, c) = (
        world.server("a.example", "alice", TOLD),
        world.server("b.example", "bob", TOLD),
        world.server("c.example", "carol", ""),
    );
    let (mut alice, mut bob, mut carol) =
        (online(&a, "a.example", "alice"), online(&b, "b.example", "bob"), online(&c, "c.example", "carol"));
    let info = ask(&mut alice, "get", "a.example", "<query xmlns='http://jabber.org/protocol/disco#info'/>");
    assert!(info.contains("<feature var='urn:xmpp:serverinfo:0'/>"), "{info}");
    assert!(info.contains("<value>xmpp:pubsub.a.example?;node=serverinfo</value>"), "{info}");
    for (client, me) in [(&mut bob, "bob@b.example"), (&mut carol, "carol@c.example")] {
        alice.send(&format!("<message to='{me}' type='chat'><body>hello</body></message>"));
        client.wait_for("<message ");
    }
    let event = told(&mut alice, |event| event.contains("name='b.example'"));
    assert!(event.contains("<domain name='a.example'>") && event.contains("<connection type="), "{event}");
    assert!(!event.contains("c.example"), "{event}");
    let item = get(&mut alice, "pubsub.a.example", "<items node='serverinfo'/>");
    assert!(item.contains("<item id='current'>") && !item.contains("c.example"), "{item}");
    crate::refused(
        &mut alice,
        "set",
        "pubsub.a.example",
        "<publish node='serverinfo'><item id='current'/></publish>",
        "forbidden",
    );
    let silent = ask(&mut carol, "get", "c.example", "<query xmlns='http://jabber.org/protocol/disco#info'/>");
    assert!(!silent.contains("serverinfo"), "{silent}");
    crate::refused(&mut carol, "get", "pubsub.c.example", "<items node='serverinfo'/>", "item-not-found");
}
