//! Random sequences of inputs against what must always hold, seen from outside: everybody's view of the room is made of nothing but the
//! stanzas that they got.

use std::collections::{BTreeMap, BTreeSet};

use metronome_muc::config::*;
use metronome_muc::{Input, Occupant, Room};
use metronome_proto::jid::Jid;
use metronome_proto::payload::muc::{Affiliation, Role};
use metronome_proto::stanza::error::Condition;
use metronome_proto::xml::Content;

use crate::world::{World, is_gone, jid};

const PEOPLE: [&str; 5] = ["a@one.lit", "b@one.lit", "c@two.lit", "d@two.lit", "e@two.lit"];
const NICKS: [&str; 5] = ["Ann", "ann", "bob", "cat", "dan"];
const STEPS: usize = 250;
const SEEDS: u64 = 25;

/// What one session has seen.
#[derive(Default)]
struct View {
    is_in: bool,
    roster: BTreeMap<String, String>,
    said: Vec<String>,
}

fn pick<T: Copy>(rng: &mut fastrand::Rng, of: &[T]) -> T {
    of[rng.usize(..of.len())]
}

fn attribute<'a>(stanza: &'a str, name: &str) -> Option<&'a str> {
    let start = format!(" {name}='");
    let at = stanza.find(&start)? + start.len();
    stanza[at..].split('\'').next()
}

impl View {
    fn read(&mut self, stanza: &str) {
        if stanza.starts_with("<message") {
            let is_live = self.is_in && !stanza.contains("<delay");
            if let Some(at) = stanza.find("<stanza-id").filter(|_| is_live) {
                self.said.push(attribute(&stanza[at..], "id").unwrap().to_owned());
            }
            return;
        }
        let nick = attribute(stanza, "from").unwrap().split_once('/').unwrap().1.to_owned();
        let is_own = stanza.contains("code='110'");
        if is_gone(stanza) {
            self.roster.remove(&nick);
            if is_own && !stanza.contains("code='303'") {
                *self = View::default();
            }
            return;
        }
        let at = stanza.rfind("<item").unwrap();
        self.roster.insert(nick, attribute(&stanza[at..], "role").unwrap().to_owned());
        if is_own && !self.is_in {
            self.is_in = true;
            self.said.clear();
        }
    }
}

fn act(world: &mut World, rng: &mut fastrand::Rng) {
    let bare = pick(rng, &PEOPLE);
    let from = format!("{bare}/{}", pick(rng, &["x", "y"]));
    let other = pick(rng, &PEOPLE);
    let nick = pick(rng, &NICKS);
    if world.room.is_none() {
        let _ = world.enter(&from, nick);
        return;
    }
    let affiliation = pick(rng, &["owner", "admin", "member", "none", "outcast"]);
    let role = pick(rng, &["moderator", "participant", "visitor", "none"]);
    let _ = match rng.u8(..27) {
        0..=4 => world.enter(&from, nick),
        5 => world.leave(&from),
        6 => world.update(&from, nick, "<show>away</show>"),
        7 | 8 => world.say(&from, "<body>x</body>"),
        9 => world.say(&from, "<subject>x</subject>"),
        10 => world.tell(&from, nick, "<body>x</body>"),
        11 | 12 => world.admin(&from, &format!("<item nick='{nick}' role='{role}'/>")).map(drop),
        13 | 14 => world.admin(&from, &format!("<item jid='{other}' affiliation='{affiliation}'/>")).map(drop),
        15 => {
            let domain = pick(rng, &["outcast", "none"]);
            world.admin(&from, &format!("<item jid='two.lit' affiliation='{domain}'/>")).map(drop)
        }
        16 => configure(world, rng, &from),
        17 => world.mediated(&from, &format!("<invite to='{other}'/>")).map(drop),
        18 => world.input(&from, Input::Lose(&jid(&from))).map(drop),
        19 => {
            let id = format!("id{}", rng.usize(..8));
            world.moderate(&from, &id).map(drop)
        }
        20 => world.register(&from, nick).map(drop),
        21 => world.approve(&from, other, nick, rng.bool()).map(drop),
        22 | 23 => hats(world, rng, &from, other),
        24 => world.enter_with(&from, nick, "<mav xmlns='urn:xmpp:muc:affiliations:1'/>", "<status>x</status>"),
        25 => configure(world, rng, &from),
        _ if rng.u8(..8) == 0 && !is_only_owner(world, &jid(other)) => {
            world.input(&from, Input::Forget(&jid(other))).map(drop)
        }
        _ => world.update(&from, nick, ""),
    };
}

/// What becomes of a room whose last owner has no account any more is for its service to say.
fn is_only_owner(world: &World, who: &Jid) -> bool {
    let owners = |room: &Room| room.affiliations().filter(|(_, row)| row.affiliation == Affiliation::Owner).count();
    world.room.as_ref().is_some_and(|room| room.affiliation(who) == Affiliation::Owner && owners(room) == 1)
}

fn hats(world: &mut World, rng: &mut fastrand::Rng, from: &str, other: &str) -> Result<(), Condition> {
    let uri = pick(rng, &["urn:one", "urn:two"]);
    let (command, fields) = match rng.u8(..6) {
        0 | 1 => ("create", vec![("hats#uri", uri), ("hats#title", pick(rng, &["One", "Two"]))]),
        2 => ("destroy", vec![("hats#uri", uri)]),
        3 => ("unassign", vec![("hats#uri", uri), ("hats#jid", other)]),
        _ => ("assign", vec![("hats#uri", uri), ("hats#jid", other)]),
    };
    world.hats(from, command, &fields).map(drop)
}

fn configure(world: &mut World, rng: &mut fastrand::Rng, from: &str) -> Result<(), Condition> {
    let (field, value) = match rng.u8(..12) {
        0 => (&MEMBERS_ONLY, pick(rng, &["0", "1"])),
        1 => (&MODERATED, pick(rng, &["0", "1"])),
        2 => (&WHOIS, pick(rng, &["anyone", "moderators"])),
        3 => (&PERSISTENT, "1"),
        4 => (&QUIET_ABOVE, pick(rng, &["", "2", "3"])),
        5 => (&PRESENCE_BROADCAST, pick(rng, &["moderator", "participant", "visitor"])),
        6 => (&REGISTRATION, "1"),
        7 => (&APPROVAL, pick(rng, &["0", "1"])),
        8 => (&SHOW_ABSENT, pick(rng, &["0", "1"])),
        9 => (&VOICE_BY_DEFAULT, pick(rng, &["0", "1"])),
        10 => (&VISITOR_STATUS, pick(rng, &["0", "1"])),
        _ => (&CHANGE_SUBJECT, pick(rng, &["0", "1"])),
    };
    world.configure(from, &[(field.var, value)]).map(drop)
}

/// Whether somebody sees real addresses in a room.
fn sees_addresses(room: Option<&Room>, session: &str) -> bool {
    let Some(room) = room else { return false };
    let role = room.occupant_of(&jid(session)).map_or(Role::None, |occupant| occupant.role);
    let is_admin = room.affiliation(&jid(session)) >= Affiliation::Admin;
    is_admin || role == Role::Moderator || room.config().text(&WHOIS) == "anyone"
}

fn check_secrecy(before: Option<&Room>, world: &World, to: &str, got: &[String]) {
    if sees_addresses(before, to) || sees_addresses(world.room.as_ref(), to) {
        return;
    }
    for other in PEOPLE.iter().filter(|other| !to.starts_with(**other)) {
        // Who is not there has no other address to invite from, and does so knowingly.
        let invites = format!("<invite from='{other}'");
        let told = got.iter().find(|stanza| stanza.contains(*other) && !stanza.contains(&invites));
        assert_eq!(told, None, "{to} may not see {other}");
    }
}

fn check_room(world: &World) {
    let room = world.room();
    let stored = world.stored.as_ref().expect("an open room is stored");
    assert_eq!(Config::decode(&stored.config), *room.config());
    let rows = |room: &Room| room.affiliations().map(|(jid, row)| (jid.clone(), row.clone())).collect::<Vec<_>>();
    assert_eq!(rows(&world.read_again()), rows(room), "what is stored is what counts");
    assert!(room.affiliations().any(|(_, row)| row.affiliation == Affiliation::Owner), "an owner remains");
    let mut folded = BTreeSet::new();
    let mut sessions = BTreeSet::new();
    for occupant in room.occupants() {
        assert!(folded.insert(occupant.nick.to_lowercase()), "one occupant for a nickname");
        assert!(!occupant.sessions.is_empty(), "no ghosts");
        for session in &occupant.sessions {
            assert!(sessions.insert(session.jid.clone()), "a session is one occupant");
            assert_eq!(session.jid.bare(), occupant.jid);
            assert_eq!(room.occupant_of(&session.jid).map(|known| &known.nick), Some(&occupant.nick));
        }
        let affiliation = room.affiliation(&occupant.jid);
        assert_ne!(affiliation, Affiliation::Outcast, "no outcast is there");
        assert!(affiliation < Affiliation::Admin || occupant.role == Role::Moderator);
        assert!(!room.config().is_on(&MEMBERS_ONLY) || affiliation >= Affiliation::Member, "only members are there");
    }
    assert_eq!(room.sessions().len(), sessions.len());
}

fn is_seen(by: &Occupant, other: &Occupant) -> bool {
    other.audience.has(by.role) || by.nick == other.nick
}

fn check_views(world: &World, views: &BTreeMap<String, View>) {
    let archive: Vec<_> = world.archive.iter().map(|past| past.stanza_id.to_string()).collect();
    for (session, view) in views {
        let occupant = world.room.as_ref().and_then(|room| room.occupant_of(&jid(session)));
        assert_eq!(view.is_in, occupant.is_some(), "{session} knows whether it is there");
        if let Some(room) = world.room.as_ref().filter(|_| view.is_in) {
            let roster: BTreeMap<_, _> = room
                .occupants()
                .filter(|other| is_seen(occupant.unwrap(), other))
                .map(|occupant| (occupant.nick.to_string(), occupant.role.as_str().to_owned()))
                .collect();
            assert_eq!(view.roster, roster, "{session} sees who is there");
        }
        let live: Vec<_> = view.said.iter().collect();
        let from = archive.len().saturating_sub(live.len());
        assert!(
            live.iter().zip(&archive[from..]).all(|(one, other)| *one == other) || !view.is_in,
            "{session} sees the order of all"
        );
    }
}

#[test]
fn whatever_happens_everybody_sees_the_same_room() {
    for seed in 0..SEEDS {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut world = World::new();
        let mut views: BTreeMap<String, View> = BTreeMap::new();
        for step in 0..STEPS {
            let before = world.room.clone();
            act(&mut world, &mut rng);
            for (to, got) in std::mem::take(&mut world.inboxes) {
                check_secrecy(before.as_ref(), &world, &to, &got);
                let view = views.entry(to).or_default();
                got.iter().for_each(|stanza| view.read(stanza));
            }
            if world.room.is_some() {
                check_room(&world);
            } else {
                world.archive.clear();
                assert!(world.stored.is_none(), "seed {seed} step {step}: nothing remains of a room that is over");
            }
            views.retain(|to, _| jid(to).is_full());
            check_views(&world, &views);
        }
    }
}

#[test]
fn what_is_refused_changes_nothing() {
    let mut world = World::new();
    world.enter("a@one.lit/x", "Ann").unwrap();
    let before = (world.stored.clone(), world.room().occupants().cloned().collect::<Vec<_>>());
    world.forget();
    world.admin("b@one.lit/x", "<item nick='Ann' role='none'/>").unwrap_err();
    world.enter("b@one.lit/x", "ANN").unwrap_err();
    world.say("b@one.lit/x", "<body>x</body>").unwrap_err();
    assert_eq!((world.stored.clone(), world.room().occupants().cloned().collect::<Vec<_>>()), before);
    assert!(world.inboxes.is_empty());
    assert_eq!(world.input("b@one.lit/x", Input::Leave { presence: &Content::empty(), id: None }), Ok(String::new()));
}
