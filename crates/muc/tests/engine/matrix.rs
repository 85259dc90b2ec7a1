//! The privileges of XEP-0045 from outside: everybody who can be in or around a room tries everything on everybody, themselves included, and
//! what comes of it is what the tables say, with the error that the use case names.

use metronome_muc::config::{Config, PERSISTENT};
use metronome_muc::{Affiliated, Room, Rows, Session};
use metronome_proto::payload::muc::{Affiliation, Role};
use metronome_proto::stanza::IqType;
use metronome_proto::stanza::error::Condition;
use metronome_proto::xml::Content;

use crate::world::{ROOM, Stored, World, jid};

const ACTOR: &str = "actor@one.lit/x";
const TARGET: &str = "target@two.lit/y";

/// What somebody is: an affiliation, and a role unless they are outside.
type Person = (Affiliation, Role);

/// Everything that somebody can be: outcasts are outside, and admins and owners moderate.
fn people() -> Vec<Person> {
    let can_be = |(affiliation, role): &Person| match affiliation {
        Affiliation::Outcast => *role == Role::None,
        Affiliation::Admin | Affiliation::Owner => matches!(role, Role::None | Role::Moderator),
        _ => true,
    };
    let all = Affiliation::ALL.into_iter().flat_map(|affiliation| Role::ALL.map(|role| (affiliation, role)));
    all.filter(can_be).collect()
}

/// A room with these two and an owner of whom nobody knows.
fn room(actor: Person, target: Person) -> World {
    let row = |affiliation| Affiliated { affiliation, version: 1, ..Affiliated::default() };
    let owner = (jid("spare@x.lit"), row(Affiliation::Owner));
    let rows = [(ACTOR, actor), (TARGET, target)].map(|(who, (affiliation, _))| (jid(who).bare(), row(affiliation)));
    let rows = rows.into_iter().filter(|(_, row)| row.affiliation != Affiliation::None);
    let affiliations: Vec<_> = rows.chain([owner]).collect();
    let mut world = World::new();
    let config = Config::default().with(&PERSISTENT, "1").encode();
    let stored = Stored { config: config.clone(), version: 1, ..Stored::default() };
    world.stored = Some(Stored { affiliations: affiliations.iter().cloned().collect(), ..stored });
    let rows = Rows { config, creator: jid("spare@x.lit"), secret: [7; 32], subject: None, version: 1, affiliations };
    let mut room = Room::read(jid(ROOM), rows);
    for (nick, who, (_, role)) in [("actor", ACTOR, actor), ("target", TARGET, target)] {
        let session = Session { jid: jid(who), account: None, presence: Content::empty(), entered_ms: 0 };
        assert_eq!(room.restore(nick.into(), role, session), role != Role::None);
    }
    world.room = Some(room);
    world
}

fn role_of(world: &World, nick: &str) -> Role {
    world.room().occupant(nick).map_or(Role::None, |occupant| occupant.role)
}

/// Sections 5.1.3, 8.2, 8.4 and 9.7.
fn role_verdict((affiliation, role): Person, (whose, from): Person, to: Role) -> Result<(), Condition> {
    let is_admin = affiliation >= Affiliation::Admin;
    if !is_admin && role != Role::Moderator {
        return Err(Condition::Forbidden);
    }
    if from == Role::None {
        return Err(Condition::ItemNotFound);
    }
    let is_lowered = to < from;
    match (from, to) {
        // Nothing is taken from somebody higher, and voice from no admin or owner.
        _ if is_lowered && whose > affiliation => Err(Condition::NotAllowed),
        (_, Role::Visitor) if is_lowered && whose >= Affiliation::Admin => Err(Condition::NotAllowed),
        // Moderators are made and unmade by admins and owners.
        (_, Role::Moderator) if !is_admin => Err(Condition::Forbidden),
        (Role::Moderator, Role::Participant | Role::Visitor) if !is_admin => Err(Condition::Forbidden),
        // Admins and owners moderate as long as they are there.
        (Role::Moderator, Role::Participant) if whose >= Affiliation::Admin => Err(Condition::NotAllowed),
        // Moderators kick participants and visitors.
        (Role::Moderator, Role::None) if !is_admin => Err(Condition::NotAllowed),
        _ => Ok(()),
    }
}

/// Sections 5.2.1, 5.2.2 and 9.1.
fn affiliation_verdict((affiliation, _): Person, (from, _): Person, to: Affiliation) -> Result<(), Condition> {
    use Affiliation::{Admin, Member, Outcast, Owner};
    let touches_admins = from >= Admin || to >= Admin;
    match affiliation {
        Owner => Ok(()),
        Admin if !touches_admins => Ok(()),
        Admin if to == Outcast => Err(Condition::NotAllowed),
        Outcast | Affiliation::None | Member | Admin => Err(Condition::Forbidden),
    }
}

#[test]
fn roles_are_given_and_taken_by_those_who_may_and_nobody_else() {
    for actor in people() {
        for target in people() {
            for to in Role::ALL {
                let mut world = room(actor, target);
                let got = world.admin(ACTOR, &format!("<item nick='target' role='{}'/>", to.as_str())).map(drop);
                assert_eq!(got, role_verdict(actor, target, to), "{actor:?} makes {target:?} a {to:?}");
                let expected = if got.is_ok() { to } else { target.1 };
                assert_eq!(role_of(&world, "target"), expected, "{actor:?} {target:?} {to:?}");
            }
        }
    }
}

#[test]
fn nobody_gets_a_higher_role_or_affiliation_from_themselves() {
    for actor in people() {
        for to in Role::ALL {
            let mut world = room(actor, (Affiliation::None, Role::None));
            let _ = world.admin(ACTOR, &format!("<item nick='actor' role='{}'/>", to.as_str()));
            assert!(role_of(&world, "actor") <= actor.1, "{actor:?} {to:?}");
        }
        for to in Affiliation::ALL {
            for whom in [format!("jid='{}'", jid(ACTOR).bare()), "nick='actor'".to_owned()] {
                let mut world = room(actor, (Affiliation::None, Role::None));
                let got = world.admin(ACTOR, &format!("<item {whom} affiliation='{}'/>", to.as_str()));
                let now = world.room().affiliation(&jid(ACTOR));
                assert!(now <= actor.0, "{actor:?} {to:?}");
                assert!(to != Affiliation::Outcast || got.is_err(), "{actor:?} bans itself");
            }
        }
    }
}

#[test]
fn affiliations_are_given_and_taken_by_those_who_may_and_nobody_else() {
    for actor in people() {
        for target in people() {
            for to in Affiliation::ALL {
                let mut world = room(actor, target);
                let item = format!("<item jid='{}' affiliation='{}'/>", jid(TARGET).bare(), to.as_str());
                let got = world.admin(ACTOR, &item).map(drop);
                assert_eq!(got, affiliation_verdict(actor, target, to), "{actor:?} makes {target:?} {to:?}");
                let expected = if got.is_ok() { to } else { target.0 };
                assert_eq!(world.room().affiliation(&jid(TARGET)), expected);
                let stored = world.stored.as_ref().unwrap().affiliations.get(&jid(TARGET).bare()).cloned();
                assert_eq!(stored.unwrap_or_default().affiliation, expected, "{actor:?} {target:?} {to:?}");
                assert!(expected != Affiliation::Outcast || role_of(&world, "target") == Role::None);
            }
        }
    }
}

#[test]
fn everything_else_is_for_those_whom_the_tables_name() {
    let submit = "<x xmlns='jabber:x:data' type='submit'/>";
    type Act = fn(&mut World, &str) -> Result<(), Condition>;
    type May = fn(Person) -> bool;
    let acts: [(&str, Act, May); 10] = [
        (
            "reads the configuration",
            |world, _| world.owner(ACTOR, IqType::Get, "").map(drop),
            |(a, _)| a == Affiliation::Owner,
        ),
        ("configures", |world, form| world.owner(ACTOR, IqType::Set, form).map(drop), |(a, _)| a == Affiliation::Owner),
        (
            "destroys",
            |world, _| world.owner(ACTOR, IqType::Set, "<destroy/>").map(drop),
            |(a, _)| a == Affiliation::Owner,
        ),
        (
            "lists bans",
            |world, _| world.list(ACTOR, "<item affiliation='outcast'/>").map(drop),
            |(a, _)| a >= Affiliation::Admin,
        ),
        (
            "lists members",
            |world, _| world.list(ACTOR, "<item affiliation='member'/>").map(drop),
            |(a, _)| a >= Affiliation::Admin,
        ),
        (
            "lists owners",
            |world, _| world.list(ACTOR, "<item affiliation='owner'/>").map(drop),
            |(a, _)| a == Affiliation::Owner,
        ),
        ("speaks", |world, _| world.say(ACTOR, "<body>x</body>"), |(_, r)| r >= Role::Participant),
        ("sets the subject", |world, _| world.say(ACTOR, "<subject>x</subject>"), |(_, r)| r == Role::Moderator),
        (
            "makes a hat",
            |world, _| world.hats(ACTOR, "create", &[("hats#uri", "u"), ("hats#title", "t")]).map(drop),
            |(a, _)| a >= Affiliation::Admin,
        ),
        (
            "approves",
            |world, _| world.approve(ACTOR, "new@x.lit", "new", true).map(drop),
            |(a, _)| a >= Affiliation::Admin,
        ),
    ];
    for (what, act, may) in acts {
        for actor in people() {
            let mut world = room(actor, (Affiliation::None, Role::Participant));
            assert_eq!(act(&mut world, submit).is_ok(), may(actor), "{actor:?} {what}");
        }
    }
}
