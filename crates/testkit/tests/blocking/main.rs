//! Blocking over the wire, through both of its doors: the blocking command (XEP-0191) and privacy lists (XEP-0016), what the blocked see
//! and do not see, and reports (XEP-0377).
#![allow(clippy::unwrap_used)]

mod command;
mod examples;
mod hostile;
mod lists;
mod presence;
mod reports;
mod stanzas;

use metronome_testkit::{Client, Seen, ask, condition, online};

/// A request that must succeed; answers what came before its answer.
#[track_caller]
fn set(client: &mut Client, payload: &str) -> Vec<Seen> {
    client.send(&format!("<iq type='set' id='set'>{payload}</iq>"));
    let mut before = Vec::new();
    loop {
        let seen = client.next_piece();
        if seen.fits("<iq id='set'") {
            assert!(seen.fits("<iq type='result'"), "{seen}");
            return before;
        }
        before.push(seen);
    }
}

/// Demands that one of these pieces fits; answers it.
#[track_caller]
fn among(came: &[Seen], pattern: &str) -> Seen {
    came.iter().find(|seen| seen.fits(pattern)).unwrap_or_else(|| panic!("{pattern} is not among {came:?}")).clone()
}

fn items(jids: &[&str]) -> String {
    jids.iter().map(|jid| format!("<item jid='{jid}'/>")).collect()
}

fn block(jids: &[&str]) -> String {
    format!("<block xmlns='urn:xmpp:blocking'>{}</block>", items(jids))
}

fn unblock(jids: &[&str]) -> String {
    format!("<unblock xmlns='urn:xmpp:blocking'>{}</unblock>", items(jids))
}

/// The blocklist, in its order.
#[track_caller]
fn blocklist(client: &mut Client) -> Vec<String> {
    let answer = ask(client, "get", "", "<blocklist xmlns='urn:xmpp:blocking'/>");
    assert!(answer.fits("<iq type='result'") && answer.contains("<blocklist xmlns='urn:xmpp:blocking'"), "{answer}");
    answer.split("<item jid='").skip(1).map(|rest| rest.split('\'').next().unwrap().to_owned()).collect()
}

fn privacy(inside: &str) -> String {
    format!("<query xmlns='jabber:iq:privacy'>{inside}</query>")
}

/// A list of this name becomes what these items say.
#[track_caller]
fn set_list(client: &mut Client, name: &str, items: &str) -> Vec<Seen> {
    set(client, &privacy(&format!("<list name='{name}'>{items}</list>")))
}

/// A body for somebody; answers the messages that came for the sender before everything to that address was done.
#[track_caller]
fn say(client: &mut Client, to: &str, body: &str) -> Vec<Seen> {
    client.send(&format!("<message to='{to}' type='chat' id='{body}'><body>{body}</body></message>"));
    client.settle(to).into_iter().filter(|seen| seen.name() == "message").collect()
}

/// The bodies among what came so far.
#[track_caller]
fn heard(client: &mut Client) -> Vec<String> {
    client.so_far().iter().filter(|seen| seen.name() == "message").filter_map(|seen| seen.text_of("body")).collect()
}

/// From now on both see each other's presence. Both are available; what comes meanwhile is passed over.
fn befriend(a: &mut Client, b: &mut Client) {
    for _ in 0..2 {
        let (asking, asked) = (a.bare().to_owned(), b.bare().to_owned());
        a.send(&format!("<presence type='subscribe' to='{asked}'/>"));
        a.settle(&asked);
        b.send(&format!("<presence type='subscribed' to='{asking}'/>"));
        b.settle(&asking);
        std::mem::swap(a, b);
    }
    a.so_far();
    b.so_far();
}
