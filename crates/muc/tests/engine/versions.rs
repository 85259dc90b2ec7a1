//! Versions of the affiliations (XEP-0463): whoever keeps what it was told knows what everybody is.

use std::collections::BTreeMap;

use metronome_muc::config::*;
use metronome_proto::ns;
use metronome_proto::payload::muc::{Affiliation, UserX};

use crate::world::{World, content, jid};

const OWNER: &str = "owner@x.lit/a";
const MEMBER: &str = "member@x.lit/a";

/// What a client keeps.
#[derive(Clone, Default)]
struct Kept {
    version: Option<String>,
    people: BTreeMap<String, Affiliation>,
    is_in_step: bool,
}

impl Kept {
    /// Reads what came, as a client has to.
    fn read(&mut self, got: &[String]) {
        for stanza in got {
            let (at, end) = (stanza.find('>').unwrap() + 1, stanza.rfind('<').unwrap());
            let Some(x) = stanza
                .get(at..end)
                .map(content)
                .and_then(|content| content.child(ns::MUC_USER, "x").map(|x| UserX::read(&x).unwrap()))
            else {
                continue;
            };
            let Some(mav) = &x.mav else { continue };
            let is_own = x.statuses.contains(&110) && mav.since.is_none();
            if is_own {
                self.is_in_step = mav.until.as_deref() == self.version.as_deref();
                continue;
            }
            // Several sessions of one account are told of with the same versions.
            if mav.until.as_deref() == self.version.as_deref() {
                continue;
            }
            match mav.since.as_deref() {
                None => self.people.clear(),
                since => assert_eq!(since, self.version.as_deref(), "each leads on from the last: {stanza}"),
            }
            for item in &x.items {
                let who = item.jid.as_ref().unwrap().bare().to_string();
                match item.affiliation.unwrap() {
                    Affiliation::None => drop(self.people.remove(&who)),
                    affiliation => drop(self.people.insert(who, affiliation)),
                }
            }
            self.version = mav.until.as_deref().map(str::to_owned);
        }
    }

    fn enter(&mut self, world: &mut World, who: &str, nick: &str) {
        let since = self.version.as_ref().map(|since| format!(" since='{since}'")).unwrap_or_default();
        world.enter_with(who, nick, &format!("<mav xmlns='{}'{since}/>", ns::MUC_AFFILIATIONS), "").unwrap();
        self.read(&world.take(who));
        assert!(self.is_in_step, "the own presence names the version");
    }
}

fn people(world: &World) -> BTreeMap<String, Affiliation> {
    let rows = world.room().affiliations().filter(|(_, row)| row.affiliation != Affiliation::None);
    rows.map(|(jid, row)| (jid.to_string(), row.affiliation)).collect()
}

fn world() -> World {
    let mut world = World::new();
    world.enter(OWNER, "owner").unwrap();
    world.configure(OWNER, &[(WHOIS.var, "anyone"), (PERSISTENT.var, "1")]).unwrap();
    world.admin(OWNER, "<item affiliation='member' jid='member@x.lit'/>").unwrap();
    world.forget();
    world
}

#[test]
fn who_enters_gets_all_or_what_has_changed_before_any_presence() {
    let mut world = world();
    let mav = format!("<mav xmlns='{}'/>", ns::MUC_AFFILIATIONS);
    world.enter_with(MEMBER, "member", &mav, "").unwrap();
    let got = world.take(MEMBER);
    assert!(got[0].starts_with("<message from='coven@chat.shakespeare.lit' to='member@x.lit/a'><x "), "{}", got[0]);
    assert!(got[0].contains("<mav xmlns='urn:xmpp:muc:affiliations:1' until='"), "{}", got[0]);
    assert!(got[0].contains("<item affiliation='owner' jid='owner@x.lit'/>"), "{}", got[0]);
    assert!(got[0].contains("<item affiliation='member' jid='member@x.lit'/>"));
    let mut kept = Kept::default();
    kept.read(&got);
    assert!(kept.is_in_step);
    world.leave(MEMBER).unwrap();
    world.forget();
    kept.enter(&mut world, MEMBER, "member");
    world.leave(MEMBER).unwrap();
    world.forget();
    let since = kept.version.clone().unwrap();
    world.enter_with(MEMBER, "member", &mav.replace("/>", &format!(" since='{since}'/>")), "").unwrap();
    assert!(world.take(MEMBER)[0].starts_with("<presence"), "there is nothing new, and no message");
    world.leave(MEMBER).unwrap();
    world.admin(OWNER, "<item affiliation='admin' jid='new@x.lit'/>").unwrap();
    world.admin(OWNER, "<item affiliation='none' jid='new@x.lit'/>").unwrap();
    world.forget();
    world.enter_with(MEMBER, "member", &mav.replace("/>", &format!(" since='{since}'/>")), "").unwrap();
    let got = world.take(MEMBER);
    assert!(got[0].contains(&format!("since='{since}'")), "{}", got[0]);
    assert!(got[0].contains("<item affiliation='none' jid='new@x.lit'/>") && !got[0].contains("owner@"), "{}", got[0]);
}

#[test]
fn who_does_not_ask_is_told_nothing_of_it_and_who_may_not_know_is_refused() {
    let mut world = world();
    world.enter(MEMBER, "member").unwrap();
    assert!(world.take(MEMBER).iter().all(|got| !got.contains("mav")));
    world.configure(OWNER, &[(WHOIS.var, "moderators")]).unwrap();
    let mav = format!("<mav xmlns='{}'/>", ns::MUC_AFFILIATIONS);
    world.enter_with("stranger@x.lit/a", "stranger", &mav, "").unwrap();
    let got = world.take("stranger@x.lit/a");
    assert!(
        got[0].contains("type='error'") && got[0].contains("<forbidden ") && got[0].contains("type='auth'"),
        "{}",
        got[0]
    );
    assert!(got[1..].iter().all(|got| !got.contains("mav")) && got.len() > 3, "it is in all the same");
}

#[test]
fn versions_cannot_be_guessed_and_those_of_another_room_are_unknown() {
    let mut world = world();
    for since in ["1", "1.", "1.0000000000000000", "x", "ffffffffffffffff.0", "18446744073709551616.1"] {
        let mav = format!("<mav xmlns='{}' since='{since}'/>", ns::MUC_AFFILIATIONS);
        world.enter_with(MEMBER, "member", &mav, "").unwrap();
        let got = world.take(MEMBER);
        assert!(
            !got[0].contains("since=") && got[0].contains("owner@x.lit"),
            "everything, as if nothing were known: {}",
            got[0]
        );
        world.leave(MEMBER).unwrap();
        world.forget();
    }
}

#[test]
fn a_long_list_comes_in_pieces_that_lead_from_one_to_the_next() {
    let mut world = world();
    for n in 0..250 {
        world.admin(OWNER, &format!("<item affiliation='member' jid='m{n}@x.lit'/>")).unwrap();
    }
    world.forget();
    let mut kept = Kept::default();
    kept.enter(&mut world, MEMBER, "member");
    assert_eq!(kept.people, people(&world));
}

/// Whatever changes while somebody is there or away, and whether the room was read again meanwhile.
#[test]
fn whoever_keeps_what_it_was_told_knows_what_everybody_is() {
    for seed in 0..20 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let (mut world, mut kept, mut is_in) = (world(), Kept::default(), false);
        for step in 0..200 {
            match rng.u8(..12) {
                0 | 1 if !is_in => {
                    kept.enter(&mut world, MEMBER, "member");
                    is_in = true;
                }
                2 if is_in => {
                    world.leave(MEMBER).unwrap();
                    is_in = false;
                }
                3 if !is_in => {
                    let mut room = world.read_again();
                    let owner = world.room().occupant("owner").unwrap().clone();
                    assert!(room.restore("owner".into(), owner.role, owner.sessions[0].clone()));
                    world.room = Some(room);
                }
                _ => {
                    let affiliation = ["owner", "admin", "member", "none", "none"][rng.usize(..5)];
                    // More than are remembered after they are gone.
                    let who = format!("p{}@x.lit", rng.usize(..300));
                    world.admin(OWNER, &format!("<item affiliation='{affiliation}' jid='{who}'/>")).unwrap();
                }
            }
            if is_in {
                kept.read(&world.take(MEMBER));
                assert_eq!(kept.people, people(&world), "seed {seed} step {step}");
            }
            world.forget();
        }
        assert!(world.stored.as_ref().unwrap().affiliations.len() <= people(&world).len() + 101, "it is bounded");
    }
}

#[test]
fn those_who_were_banned_are_for_admins_only() {
    let mut world = world();
    let mut kept = Kept::default();
    kept.enter(&mut world, MEMBER, "member");
    world.leave(MEMBER).unwrap();
    world.admin(OWNER, "<item affiliation='outcast' jid='bad@x.lit'/>").unwrap();
    world.forget();
    let since = kept.version.clone().unwrap();
    let mav = format!("<mav xmlns='{}' since='{since}'/>", ns::MUC_AFFILIATIONS);
    world.enter_with(MEMBER, "member", &mav, "").unwrap();
    assert!(world.take(MEMBER)[0].contains("<item affiliation='none' jid='bad@x.lit'/>"));
    let all = format!("<mav xmlns='{}'/>", ns::MUC_AFFILIATIONS);
    world.enter_with(MEMBER, "member", &all, "").unwrap();
    assert!(!world.take(MEMBER)[0].contains("bad@x.lit"));
    world.forget();
    world.enter_with(OWNER, "owner", &all, "").unwrap();
    assert!(world.take(OWNER)[0].contains("<item affiliation='outcast' jid='bad@x.lit'/>"));
    assert_eq!(world.room().affiliation(&jid("bad@x.lit")), Affiliation::Outcast);
}
