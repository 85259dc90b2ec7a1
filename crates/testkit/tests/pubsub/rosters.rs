//! Access that follows rosters (XEP-0060 sections 4.5 and 12.2): whoever gets into a group, or sees a presence, is told what there is; whoever
//! is out of it hears no more.

use metronome_testkit::{Client, Server, ask, online};

use crate::personal::{subscribe, wants};
use crate::{SERVICE, entry, get, publish_options, refused, server, set, submit};

const NODE: &str = "urn:example:diary";
const FRIENDS: &[(&str, &str)] = &[("pubsub#access_model", "roster"), ("pubsub#roster_groups_allowed", "friends")];

fn publish(id: &str) -> String {
    format!("<publish node='{NODE}'><item id='{id}'>{}</item></publish>", entry(id))
}

/// Puts Bob into this group of a roster, and out of all others.
#[track_caller]
fn group(owner: &mut Client, name: &str) {
    let item = format!("<item jid='bob@localhost'><group>{name}</group></item>");
    ask(owner, "set", "", &format!("<query xmlns='jabber:iq:roster'>{item}</query>"));
}

#[track_caller]
fn told(client: &mut Client, from: &str, id: &str) {
    let told = client.wait_for(&format!("<message from='{from}'"));
    assert!(told.contains(&format!("<item id='{id}'")), "{told}");
}

#[track_caller]
fn quiet(owner: &mut Client, client: &mut Client) {
    owner.so_far();
    client.so_far();
    client.expect_nothing_before_ping();
}

/// Alice, and Bob who sees her presence.
fn friends(server: &Server) -> (Client, Client) {
    let mut alice = online(server, "alice", "phone");
    let mut bob = online(server, "bob", "desk");
    subscribe(&mut bob, &mut alice);
    (alice, bob)
}

#[test]
fn who_gets_into_a_group_is_told_the_last_item_and_who_is_out_of_it_hears_no_more() {
    let server = server("");
    let (mut alice, mut bob) = friends(&server);
    wants(&mut bob, NODE);
    group(&mut alice, "colleagues");
    set(&mut alice, "", &format!("{}{}", publish("1"), publish_options(FRIENDS)));
    refused(
        &mut bob,
        "get",
        "alice@localhost",
        &format!("<items node='{NODE}'/>"),
        "not-authorized not-in-roster-group",
    );
    quiet(&mut alice, &mut bob);
    group(&mut alice, "friends");
    told(&mut bob, "alice@localhost", "1");
    assert!(get(&mut bob, "alice@localhost", &format!("<items node='{NODE}'/>")).contains("<item id='1'"));
    set(&mut alice, "", &publish("2"));
    told(&mut bob, "alice@localhost", "2");
    // Another name for the same person lets nobody in who is in already.
    let item = "<item jid='bob@localhost' name='Bobby'><group>friends</group><group>family</group></item>";
    ask(&mut alice, "set", "", &format!("<query xmlns='jabber:iq:roster'>{item}</query>"));
    quiet(&mut alice, &mut bob);
    group(&mut alice, "colleagues");
    set(&mut alice, "", &publish("3"));
    quiet(&mut alice, &mut bob);
    group(&mut alice, "friends");
    told(&mut bob, "alice@localhost", "3");
    quiet(&mut alice, &mut bob);
}

/// The rosters of those who own a node of a service count there.
#[test]
fn subscribers_follow_the_groups_of_an_owner() {
    let server = server("");
    let (mut alice, mut bob) = friends(&server);
    group(&mut alice, "friends");
    set(
        &mut alice,
        SERVICE,
        &format!("<create node='{NODE}'/><configure>{}</configure>", submit("node_config", FRIENDS)),
    );
    for address in [SERVICE, "alice@localhost"] {
        set(
            &mut alice,
            if address == SERVICE { SERVICE } else { "" },
            &match address {
                SERVICE => publish("1"),
                _ => format!("{}{}", publish("1"), publish_options(FRIENDS)),
            },
        );
        set(&mut bob, address, &format!("<subscribe node='{NODE}' jid='bob@localhost'/>"));
        told(&mut bob, address, "1");
    }
    group(&mut alice, "colleagues");
    set(&mut alice, SERVICE, &publish("2"));
    set(&mut alice, "", &publish("2"));
    quiet(&mut alice, &mut bob);
    group(&mut alice, "friends");
    let both = [(); 2].map(|()| bob.wait_for("<message from=").to_string()).concat();
    assert_eq!(both.matches("<item id='2'").count(), 2, "{both}");
    assert!(both.contains(&format!("from='{SERVICE}'")) && both.contains("from='alice@localhost'"), "{both}");
    quiet(&mut alice, &mut bob);
}

#[test]
fn subscribers_who_see_the_presence_again_are_told_once() {
    let server = server("");
    let (mut alice, mut bob) = friends(&server);
    wants(&mut bob, NODE);
    set(&mut alice, "", &publish("1"));
    told(&mut bob, "alice@localhost", "1");
    set(&mut bob, "alice@localhost", &format!("<subscribe node='{NODE}' jid='bob@localhost'/>"));
    told(&mut bob, "alice@localhost", "1");
    alice.send("<presence to='bob@localhost' type='unsubscribed'/>");
    bob.wait_for("<presence type='unsubscribed'");
    set(&mut alice, "", &publish("2"));
    quiet(&mut alice, &mut bob);
    bob.send("<presence to='alice@localhost' type='subscribe'/>");
    alice.wait_for("<presence type='subscribe'");
    alice.send("<presence to='bob@localhost' type='subscribed'/>");
    told(&mut bob, "alice@localhost", "2");
    quiet(&mut alice, &mut bob);
}
