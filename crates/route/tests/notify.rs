//! What a node tells: whoever has subscribed, at exactly that address, and whoever asks for it by capabilities and may have it.
#![allow(clippy::unwrap_used)]

mod world;

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Wake, Waker};

use metronome_host::effect::Effect;
use metronome_host::interests::{ClientKind, Wants};
use metronome_host::notify::{Audience, Notify, Says, Told, When};
use metronome_host::remote_clients::{Owed, RemoteClient};
use metronome_host::server::Server;
use metronome_host::waves;
use metronome_model::{Contact, Listed, Op, Record};
use metronome_proto::jid::Jid;
use metronome_proto::stanza::message::MessageType;
use metronome_proto::stanza::presence::Show;
use metronome_proto::subscription::Subscription;
use world::{Client, World};

const EVENT: &str =
    "<event xmlns='http://jabber.org/protocol/pubsub#event'><items node='mood'><item id='1'/></items></event>";
const BOTH: Subscription = Subscription { to: true, from: true, ..Subscription::NONE };

fn jid(text: &str) -> Jid {
    Jid::parse(text).unwrap()
}

/// Subscriptions with what is for each alone, and whether it is a node that clients can ask for.
#[derive(Debug, Default)]
struct People {
    subscribers: Vec<(Jid, &'static str, &'static [Show])>,
    node: Option<&'static str>,
    denied: HashSet<Jid>,
    contacts: Vec<Jid>,
}

impl Audience for People {
    fn each(&self, _server: &Server, tell: &mut dyn FnMut(&Told<'_>)) {
        for (jid, extra, shows) in &self.subscribers {
            let when = if shows.is_empty() { When::Always } else { When::Shows(shows) };
            tell(&Told { jid, extra: extra.as_bytes(), says: Says::Nothing, when });
        }
    }

    fn len_max(&self) -> usize {
        self.subscribers.len()
    }

    fn node(&self) -> Option<&str> {
        self.node
    }

    fn may_read(&self, _server: &Server, who: &Jid) -> bool {
        !self.denied.contains(&who.bare())
    }

    fn contacts(&self) -> &[Jid] {
        &self.contacts
    }
}

async fn tell(world: &World, owner: &str, from: &str, kind: MessageType, audience: People) {
    let notify = Notify {
        owner: world.id(owner).await,
        from: jid(from),
        kind,
        id: "n1".into(),
        content: EVENT.into(),
        reply_to: from.contains('@').then(|| jid(&format!("{from}/a"))),
        audience: Box::new(audience),
    };
    let outcome = world.server.commit_with(Record::default(), vec![Effect::Notify(Box::new(notify))]).await;
    assert!(outcome.is_done());
}

fn to(addresses: &[&str]) -> People {
    People { subscribers: addresses.iter().map(|address| (jid(address), "", &[][..])).collect(), ..People::default() }
}

fn wanted() -> People {
    People { node: Some("mood"), ..People::default() }
}

fn wants(client: &Client, node: &str) {
    client.session.set_kind(ClientKind::alone("x", Wants::new(vec![node.into()])));
}

async fn befriend(world: &World, owner: &str, contact: &str, subscription: Subscription) {
    let contact = Contact { subscription, listed: Listed::Yes, version: 1, ..Contact::unknown(jid(contact)) };
    let op = Op::SetContact { owner: world.id(owner).await, contact: Box::new(contact) };
    assert!(world.server.commit(Record::of(op)).await.is_done());
}

/// The `to` of each notification that was written.
async fn told(client: &mut Client) -> Vec<String> {
    let text = client.so_far().await;
    let stanzas = text.split("<message ").skip(1).filter(|stanza| stanza.contains("#event"));
    stanzas.map(|stanza| stanza.split("to='").nth(1).unwrap().split('\'').next().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_subscriber_is_told_at_the_address_that_is_subscribed() {
    let world = World::new().await;
    let mut phone = world.available("bob@localhost/phone").await;
    let mut desk = world.available("bob@localhost/desk").await;
    let mut away = world.connect("bob@localhost/away").await;
    tell(&world, "alice", "other.example", MessageType::Headline, to(&["bob@localhost", "carol@localhost"])).await;
    let text = phone.until("</message>").await;
    let expected =
        format!("<message from='other.example' id='n1' type='headline' to='bob@localhost'>{EVENT}</message>");
    assert!(text.ends_with(&expected), "{text}");
    assert_eq!(told(&mut desk).await, ["bob@localhost"]);
    assert!(told(&mut away).await.is_empty(), "it is not available");
    tell(&world, "alice", "other.example", MessageType::Headline, to(&["bob@localhost/away", "bob@localhost/gone"]))
        .await;
    assert_eq!(told(&mut away).await, ["bob@localhost/away"]);
    assert!(told(&mut phone).await.is_empty());
}

#[tokio::test]
async fn what_is_for_one_alone_stands_beside_what_is_for_all() {
    let world = World::new().await;
    let mut bob = world.available("bob@localhost/b").await;
    let headers = "<headers xmlns='http://jabber.org/protocol/shim'><header name='SubID'>1</header></headers>";
    let audience = People { subscribers: vec![(jid("bob@localhost"), headers, &[])], ..People::default() };
    tell(&world, "alice", "other.example", MessageType::Headline, audience).await;
    assert!(bob.until("</message>").await.ends_with(&format!("to='bob@localhost'>{headers}{EVENT}</message>")));
}

#[tokio::test]
async fn a_subscriber_can_ask_to_be_told_only_while_it_shows_something() {
    let world = World::new().await;
    let mut bob = world.available("bob@localhost/b").await;
    let only = |shows| People { subscribers: vec![(jid("bob@localhost"), "", shows)], ..People::default() };
    tell(&world, "alice", "other.example", MessageType::Headline, only(&[Show::Dnd, Show::Away])).await;
    assert!(told(&mut bob).await.is_empty());
    bob.send("<presence><show>away</show></presence>");
    bob.settled().await;
    tell(&world, "alice", "other.example", MessageType::Headline, only(&[Show::Dnd, Show::Away])).await;
    assert_eq!(told(&mut bob).await.len(), 1);
}

/// XEP-0163 section 4.3.
#[tokio::test]
async fn contacts_and_own_devices_are_told_what_their_clients_ask_for() {
    let world = World::new().await;
    befriend(&world, "alice", "bob@localhost", BOTH).await;
    befriend(&world, "bob", "alice@localhost", BOTH).await;
    let mut own = world.available("alice@localhost/a").await;
    let mut other = world.available("alice@localhost/other").await;
    let mut bob = world.available("bob@localhost/b").await;
    let mut uninterested = world.available("bob@localhost/u").await;
    let mut carol = world.available("carol@localhost/c").await;
    for client in [&own, &bob, &carol] {
        wants(client, "mood");
    }
    wants(&uninterested, "tune");
    tell(&world, "alice", "alice@localhost", MessageType::Headline, wanted()).await;
    let text = bob.until("</message>").await;
    let reply_to = "<addresses xmlns='http://jabber.org/protocol/address'><address type='replyto' jid='alice@localhost/a'/></addresses>";
    assert!(text.ends_with(&format!("to='bob@localhost/b'>{reply_to}{EVENT}</message>")), "{text}");
    assert_eq!(told(&mut own).await, ["alice@localhost/a"]);
    for client in [&mut other, &mut uninterested, &mut carol] {
        assert!(told(client).await.is_empty());
    }
    // Whoever has a subscription beside is told once.
    let both = People { node: Some("mood"), ..to(&["bob@localhost", "carol@localhost"]) };
    tell(&world, "alice", "alice@localhost", MessageType::Headline, both).await;
    assert_eq!(told(&mut bob).await, ["bob@localhost/b"]);
    assert_eq!(told(&mut carol).await, ["carol@localhost"]);
    // Who may not read is not told, and neither is who was blocked.
    let denied = People { denied: [jid("bob@localhost")].into(), ..wanted() };
    tell(&world, "alice", "alice@localhost", MessageType::Headline, denied).await;
    assert!(told(&mut bob).await.is_empty());
    own.send("<iq type='set' id='b'><block xmlns='urn:xmpp:blocking'><item jid='bob@localhost'/></block></iq>");
    own.until("id='b' type='result'").await;
    tell(&world, "alice", "alice@localhost", MessageType::Headline, wanted()).await;
    assert!(told(&mut bob).await.is_empty());
    assert_eq!(told(&mut own).await.len(), 1, "its own clients are never kept from it");
}

#[tokio::test]
async fn contacts_are_told_of_an_owner_who_is_not_there() {
    let world = World::new().await;
    let mut bob = world.available("bob@localhost/b").await;
    wants(&bob, "mood");
    tell(&world, "alice", "alice@localhost", MessageType::Headline, wanted()).await;
    assert!(told(&mut bob).await.is_empty());
    let audience = People { contacts: vec![jid("bob@localhost")], ..wanted() };
    tell(&world, "alice", "alice@localhost", MessageType::Headline, audience).await;
    assert_eq!(told(&mut bob).await, ["bob@localhost/b"]);
}

#[tokio::test]
async fn what_a_domain_tells_is_for_everybody_on_it() {
    let world = World::new().await;
    let mut bob = world.available("bob@localhost/b").await;
    wants(&bob, "mood");
    tell(&world, "alice", "localhost", MessageType::Headline, wanted()).await;
    assert_eq!(told(&mut bob).await, ["bob@localhost/b"]);
    tell(&world, "alice", "other.example", MessageType::Headline, wanted()).await;
    assert!(told(&mut bob).await.is_empty());
}

#[tokio::test]
async fn subscribers_and_contacts_elsewhere_get_one_message_each() {
    let world = World::new().await;
    world.federate().await;
    befriend(&world, "alice", "dave@far.example", BOTH).await;
    let mut far = world.far("far.example");
    let _alice = world.available("alice@localhost/a").await;
    far.settled().await;
    let owner = world.id("alice").await;
    for from in ["dave@far.example/d", "mallory@far.example/m"] {
        let kind = ClientKind::alone("x", Wants::new(vec!["mood".into()]));
        world.server.remote_clients.set(owner, RemoteClient { jid: jid(from), kind, owed: Owed::Nothing });
    }
    let both = People { node: Some("mood"), ..to(&["dave@far.example", "erin@far.example"]) };
    tell(&world, "alice", "alice@localhost", MessageType::Headline, both).await;
    let text = far.until("to='erin@far.example'>").await + &far.settled().await;
    assert!(text.contains("to='dave@far.example/d'>"), "{text}");
    assert_eq!(text.matches("<message ").count(), 2, "who is no contact any more is told nothing: {text}");
}

/// XEP-0060 section 12.9: what is no headline is kept for who is away.
#[tokio::test]
async fn what_is_no_headline_is_kept_like_messages_of_people() {
    let world = World::new().await;
    let with_body = People { subscribers: vec![(jid("bob@localhost"), "<body>news</body>", &[])], ..People::default() };
    tell(&world, "alice", "other.example", MessageType::Normal, with_body).await;
    let mut rows = world.unseen("bob").await;
    while rows.is_empty() {
        tokio::task::yield_now().await;
        world.committed().await;
        rows = world.unseen("bob").await;
    }
    let mut bob = world.connect("bob@localhost/b").await;
    bob.send("<presence/>");
    assert!(bob.until("</message>").await.contains("<body>news</body>"));
}

#[tokio::test]
async fn a_client_that_nobody_looks_at_is_not_woken_by_an_event() {
    let world = World::new().await;
    let mut bob = world.available("bob@localhost/b").await;
    wants(&bob, "mood");
    let activity = metronome_host::activity::Activity::Inactive(metronome_host::activity::Sparing {
        chat_states: metronome_host::activity::Fate::Dropped,
        rooms: metronome_host::activity::Fate::Held,
        held_max: 100,
    });
    bob.session.set_activity(activity);
    tell(&world, "alice", "localhost", MessageType::Headline, wanted()).await;
    bob.turn().await;
    assert!(bob.text.is_empty());
    bob.session.set_activity(metronome_host::activity::Activity::Active);
    bob.until("</message>").await;
}

/// An event for bob and for so many others that they are woken together.
async fn tell_many(world: &World, item: &str) {
    let mut people = to(&["bob@localhost"]);
    people.subscribers.extend((0..waves::MANY).map(|other| (jid(&format!("other{other}@localhost")), "", &[][..])));
    let notify = Notify {
        owner: world.id("alice").await,
        from: jid("other.example"),
        kind: MessageType::Headline,
        id: "n1".into(),
        content: EVENT.replace("id='1'", &format!("id='{item}'")).into(),
        reply_to: None,
        audience: Box::new(people),
    };
    assert!(world.server.commit_with(Record::default(), vec![Effect::Notify(Box::new(notify))]).await.is_done());
}

/// Where each of these stands in the text.
fn places<const COUNT: usize>(text: &str, parts: [&str; COUNT]) -> [usize; COUNT] {
    parts.map(|part| text.find(part).unwrap_or_else(|| panic!("{part}: {text}")))
}

#[tokio::test]
async fn who_is_told_with_many_others_is_told_everything_in_order() {
    let world = World::new().await;
    let mut alice = world.available("alice@localhost/a").await;
    let mut bob = world.available("bob@localhost/b").await;
    tell_many(&world, "first").await;
    tell_many(&world, "second").await;
    // Whatever else comes takes along what waits.
    alice.send("<message to='bob@localhost' type='chat'><body>third</body></message>");
    alice.settled().await;
    tell_many(&world, "fourth").await;
    tell(&world, "alice", "other.example", MessageType::Headline, to(&["bob@localhost"])).await;
    tell_many(&world, "last").await;
    // Nobody but the wave wakes it for the last one.
    let text = bob.until("<item id='last'/></items></event></message>").await;
    let places = places(
        &text,
        ["item id='first'", "item id='second'", ">third<", "item id='fourth'", "item id='1'", "item id='last'"],
    );
    assert!(places.is_sorted(), "{text}");
    assert_eq!(text.matches("<message ").count(), places.len(), "{text}");
}

#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test]
async fn after_a_silence_and_alone_nobody_waits() {
    let world = World::new().await;
    let mut bob = world.available("bob@localhost/b").await;
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(woken.clone());
    let mut falls_asleep = || while bob.poll(&mut Context::from_waker(&waker)) {};
    falls_asleep();
    tell_many(&world, "1").await;
    assert_eq!(woken.0.load(Ordering::Relaxed), 1);
    falls_asleep();
    // The next of the many may wait, this one does not.
    tell(&world, "alice", "other.example", MessageType::Headline, to(&["bob@localhost"])).await;
    assert_eq!(woken.0.load(Ordering::Relaxed), 2);
}
