//! RFC 6121 over the wire: every use case of its sections 2 to 5 and 8, named by section, and what hostile clients try.
#![allow(clippy::unwrap_used)]

mod directed;
mod hostile;
mod iq;
mod large;
mod messages;
mod presence;
mod roster;
mod subscriptions;

use metronome_testkit::{Client, Seen, Server, pass, quiet};

/// Logs in and asks for the roster: an interested resource (section 2.2) that is not available.
fn interested(server: &Server, name: &str, resource: &str) -> Client {
    let mut client = Client::login(server, name, resource);
    client.roster();
    client
}

/// Logs in, asks for the roster, and becomes available with this presence. What comes with it is answered.
fn online_with(server: &Server, name: &str, resource: &str, presence: &str) -> (Client, Vec<Seen>) {
    let mut client = interested(server, name, resource);
    client.send(presence);
    let came = client.so_far();
    (client, came)
}

/// The same with an empty presence; what comes with it is passed over.
fn online(server: &Server, name: &str, resource: &str) -> Client {
    online_with(server, name, resource, "<presence/>").0
}

/// The same with this priority.
fn online_at(server: &Server, name: &str, resource: &str, priority: i8) -> Client {
    online_with(server, name, resource, &format!("<presence><priority>{priority}</priority></presence>")).0
}

/// Says one of the four stanzas that manage subscriptions, and waits until it is done; answers what came meanwhile.
fn say(client: &mut Client, verb: &str, to: &str) -> Vec<Seen> {
    client.send(&format!("<presence type='{verb}' to='{to}'/>"));
    client.settle(to)
}

/// From now on `a` sees the presence of `b`. What these two sessions are told is passed over.
fn subscribe(a: &mut Client, b: &mut Client) {
    let (asking, asked) = (a.bare().to_owned(), b.bare().to_owned());
    say(a, "subscribe", &asked);
    say(b, "subscribed", &asking);
    pass(&mut [a, b]);
}

/// From now on both see each other.
fn befriend(a: &mut Client, b: &mut Client) {
    subscribe(a, b);
    subscribe(b, a);
}

/// The pushes, subscription stanzas and so on among these pieces, without the presence of those who are there.
fn without_availability(came: Vec<Seen>) -> Vec<Seen> {
    let kind = |seen: &Seen| seen.attribute("type").unwrap_or_default();
    came.into_iter().filter(|seen| seen.name() != "presence" || !matches!(&*kind(seen), "" | "unavailable")).collect()
}
