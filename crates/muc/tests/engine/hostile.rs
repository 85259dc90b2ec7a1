//! What people try who mean no good.

use metronome_muc::Creation;
use metronome_muc::config::*;
use metronome_proto::payload::muc::{Affiliation, Role};
use metronome_proto::stanza::IqType;
use metronome_proto::stanza::error::Condition;

use crate::world::{World, is_gone, jid};

const OWNER: &str = "owner@x.lit/a";
const MEMBER: &str = "member@x.lit/a";
const OTHER: &str = "other@y.lit/a";

fn world() -> World {
    let mut world = World::new();
    world.enter(OWNER, "owner").unwrap();
    world.enter(MEMBER, "member").unwrap();
    world.forget();
    world
}

/// An invitation makes a member, and a domain is no person: otherwise one would let everybody in.
#[test]
fn nobody_lets_a_whole_domain_in() {
    let mut world = world();
    world.admin(OWNER, "<item affiliation='member' jid='member@x.lit'/>").unwrap();
    world.configure(OWNER, &[(MEMBERS_ONLY.var, "1")]).unwrap();
    assert_eq!(world.mediated(MEMBER, "<invite to='y.lit'/>"), Err(Condition::ItemNotFound));
    assert_eq!(world.enter(OTHER, "other"), Err(Condition::RegistrationRequired));
    world.configure(OWNER, &[(MEMBERS_ONLY.var, "0"), (REGISTRATION.var, "1")]).unwrap();
    assert_eq!(world.register("y.lit/a", "component"), Err(Condition::NotAllowed));
}

/// A component that makes a room owns it, and the users of its domain do not.
#[test]
fn a_component_that_owns_a_room_is_not_all_its_users() {
    let mut world = World::new();
    world.enter("y.lit/bot", "bot").unwrap();
    assert_eq!(world.room().affiliation(&jid("y.lit/bot")), Affiliation::Owner);
    world.enter(OTHER, "other").unwrap();
    assert_eq!(world.room().affiliation(&jid(OTHER)), Affiliation::None);
    assert_eq!(world.room().occupant("other").unwrap().role, Role::Participant);
}

#[test]
fn one_account_does_not_fill_a_room() {
    let mut world = world();
    let entered = (0..50).filter(|n| world.enter(&format!("bad@y.lit/{n}"), &format!("bad{n}")).is_ok()).count();
    assert_eq!(entered, world.limits.occupants_each_max);
    let entered = (0..50).filter(|n| world.enter(&format!("more@y.lit/{n}"), "more").is_ok()).count();
    assert_eq!(entered, world.limits.sessions_each_max);
}

#[test]
fn entering_again_is_no_way_around_the_bounds() {
    let mut world = world();
    world.limits.presence_bytes_max = 200;
    let large = format!("<status>{}</status>", "x".repeat(300));
    assert_eq!(world.enter_with(MEMBER, "member", "", &large), Err(Condition::PolicyViolation));
    assert_eq!(world.enter_with(MEMBER, "othername", "", &large), Err(Condition::PolicyViolation));
    assert_eq!(world.enter(MEMBER, "OWNER"), Err(Condition::Conflict));
    assert!(world.inboxes.is_empty());
}

#[test]
fn who_enters_again_under_another_nickname_gets_everything_anew() {
    let mut world = world();
    world.enter(MEMBER, "newname").unwrap();
    let got = world.take(MEMBER);
    assert!(is_gone(&got[0]) && got[0].contains("<status code='303'/>"), "{got:#?}");
    assert!(got[1].contains("/owner'"));
    assert!(got[2].contains("/newname'") && got[2].contains("code='110'") && got[2].contains("id='enter'"));
    assert!(got[3].contains("<subject/>") && got.len() == 4, "{got:#?}");
    let got = world.take(OWNER);
    assert!(is_gone(&got[0]) && got[1].contains("/newname'") && got.len() == 2, "{got:#?}");
}

#[test]
fn a_locked_nickname_is_given_to_those_who_enter_again() {
    let mut world = world();
    world.configure(OWNER, &[(RESERVED_NICK.var, "1")]).unwrap();
    world.admin(OWNER, "<item affiliation='member' jid='member@x.lit' nick='member'/>").unwrap();
    world.forget();
    world.enter(MEMBER, "othername").unwrap();
    let got = world.take(MEMBER);
    assert!(got[1].contains("/member'") && got[1].contains("<status code='210'/>"), "{got:#?}");
    assert_eq!(world.room().occupants().len(), 2);
}

#[test]
fn a_room_that_nobody_has_configured_is_not_there_for_others() {
    let mut world = World { creation: Creation::Locked, ..World::new() };
    world.enter(OWNER, "owner").unwrap();
    world.forget();
    let not_found = Some(Condition::ItemNotFound);
    assert_eq!(world.say(OTHER, "<body>x</body>").err(), not_found);
    assert_eq!(world.tell(OTHER, "owner", "<body>x</body>").err(), not_found);
    assert_eq!(world.list(OTHER, "<item affiliation='owner'/>").err(), not_found);
    assert_eq!(world.owner(OTHER, IqType::Get, "").err(), not_found);
    assert_eq!(world.register(OTHER, "x").err(), not_found);
    assert_eq!(world.hats(OTHER, "list", &[]).err(), not_found);
    assert_eq!(world.update(OTHER, "x", "").err(), not_found);
    world.leave(OTHER).unwrap();
    assert!(world.inboxes.is_empty());
    world.leave(OWNER).unwrap();
    let got = world.take(OWNER);
    assert!(is_gone(&got[0]) && got[0].contains("<destroy/>"), "section 10.1.3: {got:?}");
}

#[test]
fn nicknames_that_look_alike_are_one() {
    let mut world = world();
    for nick in ["OWNER", "\u{ff4f}wner", "\u{24de}wner", "own\u{ad}er"] {
        let refused = world.enter(OTHER, nick);
        assert!(matches!(refused, Err(Condition::Conflict)) || nick.contains('\u{ad}'), "{nick} {refused:?}");
    }
    world.enter(OTHER, "Two Words").unwrap();
    assert_eq!(world.enter("third@y.lit/a", "two  words"), Err(Condition::Conflict));
}

#[test]
fn an_item_about_the_room_itself_or_twice_the_same_person_does_no_harm() {
    let mut world = world();
    let own = "<item affiliation='owner' jid='coven@chat.shakespeare.lit/member'/>";
    assert_eq!(world.admin(OWNER, own), Err(Condition::NotAcceptable));
    let twice = "<item affiliation='owner' jid='member@x.lit'/><item affiliation='none' jid='owner@x.lit'/>\
                 <item affiliation='outcast' jid='member@x.lit'/>";
    assert_eq!(world.admin(OWNER, twice), Err(Condition::Conflict), "an owner remains");
    assert_eq!(world.room().affiliation(&jid(OWNER)), Affiliation::Owner);
    let kicked = "<item role='none' nick='member'/><item role='moderator' nick='member'/>";
    world.admin(OWNER, kicked).unwrap();
    assert!(world.room().occupant("member").is_none());
}

#[test]
fn leaving_is_no_way_to_ask_for_voice_more_often() {
    let mut world = world();
    world.configure(OWNER, &[(MODERATED.var, "1")]).unwrap();
    let ask: &[(&str, &str)] = &[("FORM_TYPE", "http://jabber.org/protocol/muc#request"), ("muc#role", "participant")];
    for n in 0..5 {
        world.enter(OTHER, "other").unwrap();
        assert_eq!(world.voice(OTHER, ask).is_ok(), n == 0);
        world.leave(OTHER).unwrap();
    }
}

/// Hidden people whom a moderator has seen are gone for it when it is one no more, or they would stay in its list for ever.
#[test]
fn nobody_keeps_what_only_moderators_see() {
    let mut world = world();
    world.configure(OWNER, &[(MODERATED.var, "1"), (PRESENCE_BROADCAST.var, "moderator")]).unwrap();
    world.admin(OWNER, "<item nick='member' role='moderator'/>").unwrap();
    world.enter(OTHER, "other").unwrap();
    assert!(world.take(MEMBER).iter().any(|got| got.contains("jid='other@y.lit/a'")));
    world.admin(OWNER, "<item nick='member' role='participant'/>").unwrap();
    let got = world.take(MEMBER);
    let gone = got.iter().find(|got| is_gone(got)).unwrap();
    assert!(gone.contains("/other'") && !gone.contains("other@y.lit"), "{got:#?}");
}

#[test]
fn occupant_ids_are_those_of_the_room_whatever_is_sent() {
    let mut world = world();
    let forged = "<occupant-id xmlns='urn:xmpp:occupant-id:0' id='a'/>".repeat(3);
    world.say(MEMBER, &format!("<body>x</body>{forged}")).unwrap();
    world.tell(MEMBER, "owner", &format!("<body>x</body>{forged}")).unwrap();
    world.update(MEMBER, "member", &format!("<show>away</show>{forged}")).unwrap();
    world.leave(MEMBER).unwrap();
    for got in world.take(OWNER) {
        assert_eq!(got.matches("<occupant-id").count(), 1, "{got}");
        assert!(!got.contains("id='a'"), "{got}");
    }
    assert!(world.archive.iter().all(|past| !String::from_utf8_lossy(past.stanza.content.bytes()).contains("id='a'")));
}
