//! Who may read what was said, and what they see of it (XEP-0313, on archives of rooms).

use metronome_muc::archive::Sees;
use metronome_muc::config::*;
use metronome_muc::disco;
use metronome_proto::stanza::error::Condition;

use crate::world::{ROOM, World, jid};

const CRONE: &str = "crone1@shakespeare.lit/desktop";
const WITCH: &str = "wiccarocks@shakespeare.lit/laptop";
const HAG: &str = "hag66@shakespeare.lit/pda";

/// A room of the crone's in which the witch has said something; the hag was never there.
fn world(fields: &[(&Field, &str)]) -> World {
    let mut world = World::new();
    world.enter(CRONE, "firstwitch").unwrap();
    world.enter(WITCH, "secondwitch").unwrap();
    world.say(WITCH, "<body>Harpier cries</body>").unwrap();
    let fields: Vec<_> = fields.iter().map(|(field, value)| (field.var, *value)).collect();
    world.configure(CRONE, &fields).unwrap();
    world.forget();
    world
}

fn affiliate(world: &mut World, who: &str, affiliation: &str) {
    let item = format!("<item affiliation='{affiliation}' jid='{}'/>", jid(who).bare());
    world.admin(CRONE, &item).unwrap();
}

#[test]
fn an_open_room_is_read_by_everybody_but_those_who_are_banned() {
    let mut world = world(&[]);
    for reader in [CRONE, WITCH, HAG, "stranger@elsewhere.example/x"] {
        assert_eq!(world.read_archive(reader, None).unwrap().1.len(), 1, "{reader}");
    }
    affiliate(&mut world, HAG, "outcast");
    assert_eq!(world.read_archive(HAG, None).unwrap_err(), Condition::Forbidden);
    assert_eq!(world.read_archive("hag66@shakespeare.lit/other", None).unwrap_err(), Condition::Forbidden);
    world.admin(CRONE, "<item affiliation='outcast' jid='elsewhere.example'/>").unwrap();
    assert_eq!(world.read_archive("stranger@elsewhere.example/x", None).unwrap_err(), Condition::Forbidden);
}

#[test]
fn a_room_for_members_is_read_by_members_only() {
    let mut world = world(&[(&MEMBERS_ONLY, "1")]);
    assert_eq!(world.read_archive(HAG, None).unwrap_err(), Condition::Forbidden);
    affiliate(&mut world, HAG, "member");
    assert!(world.read_archive(HAG, None).is_ok());
    affiliate(&mut world, HAG, "none");
    assert_eq!(world.read_archive(HAG, None).unwrap_err(), Condition::Forbidden);
}

#[test]
fn a_room_with_a_password_is_read_by_those_who_have_given_it() {
    let mut world = world(&[(&PASSWORD_PROTECTED, "1"), (&SECRET, "cauldronburn")]);
    affiliate(&mut world, HAG, "member");
    assert_eq!(world.read_archive(HAG, None).unwrap_err(), Condition::Forbidden);
    world.enter_with(HAG, "thirdwitch", "<password>cauldronburn</password>", "").unwrap();
    assert!(world.read_archive("hag66@shakespeare.lit/other", None).is_ok(), "another session of who is inside");
    world.leave(HAG).unwrap();
    assert_eq!(world.read_archive(HAG, None).unwrap_err(), Condition::Forbidden);
    world.leave(CRONE).unwrap();
    assert!(world.read_archive(CRONE, None).is_ok(), "the owner reads it in the configuration");
}

#[test]
fn a_room_that_keeps_nothing_shows_nothing_of_what_it_has_kept() {
    let mut world = world(&[(&ARCHIVING, "0")]);
    assert_eq!(world.read_archive(CRONE, None).unwrap_err(), Condition::ServiceUnavailable);
    world.enter(HAG, "thirdwitch").unwrap();
    assert!(!world.take(HAG).iter().any(|stanza| stanza.contains("Harpier cries")));
    let announces = |world: &World| disco::features(world.room(), &world.table).contains(&"urn:xmpp:mam:2");
    assert!(!announces(&world));
    world.configure(CRONE, &[(ARCHIVING.var, "1")]).unwrap();
    assert!(announces(&world) && world.read_archive(HAG, None).is_ok());
}

#[test]
fn real_addresses_are_for_those_who_see_them_inside() {
    let mut world = world(&[]);
    let reads = |world: &World, who: &str| {
        let (view, shown) = world.read_archive(who, None).unwrap();
        assert!(shown[0].starts_with("<message from='coven@chat.shakespeare.lit/secondwitch' id='m1'"), "{}", shown[0]);
        assert!(shown[0].contains("<occupant-id"));
        assert_eq!(shown[0].contains("jid='wiccarocks@shakespeare.lit/laptop'"), view.sees == Sees::Addresses);
        assert_eq!(shown[0].contains("shakespeare.lit/laptop"), view.sees == Sees::Addresses);
        view.sees
    };
    assert_eq!(reads(&world, CRONE), Sees::Addresses);
    assert_eq!(reads(&world, WITCH), Sees::Nicknames);
    assert_eq!(reads(&world, HAG), Sees::Nicknames);
    world.admin(CRONE, "<item nick='secondwitch' role='moderator'/>").unwrap();
    assert_eq!(reads(&world, WITCH), Sees::Addresses);
    world.leave(WITCH).unwrap();
    assert_eq!(reads(&world, WITCH), Sees::Nicknames, "a role ends with the visit");
    affiliate(&mut world, HAG, "admin");
    assert_eq!(reads(&world, HAG), Sees::Addresses);
    affiliate(&mut world, HAG, "none");
    world.configure(CRONE, &[(WHOIS.var, "anyone")]).unwrap();
    assert_eq!(reads(&world, HAG), Sees::Addresses);
}

#[test]
fn messages_are_asked_for_by_addresses_that_one_may_see() {
    let world = world(&[]);
    let with = |who: &str, with: &str| {
        let view = world.read_archive(who, Some(with));
        view.map(|(view, _)| view.with.unwrap().to_string())
    };
    assert_eq!(with(CRONE, WITCH).as_deref(), Ok(WITCH));
    assert_eq!(with(HAG, "wiccarocks@shakespeare.lit"), Err(Condition::Forbidden));
    assert_eq!(with(HAG, "nobody@shakespeare.lit"), Err(Condition::Forbidden), "whether it is there or not");
    assert_eq!(with(WITCH, "wiccarocks@shakespeare.lit").as_deref(), Ok("wiccarocks@shakespeare.lit"));
    for who in [CRONE, HAG] {
        assert_eq!(with(who, "coven@chat.shakespeare.lit/secondwitch").as_deref(), Ok("wiccarocks@shakespeare.lit"));
        assert_eq!(with(who, ROOM).as_deref(), Ok(ROOM));
        let nobody = "coven@chat.shakespeare.lit/nobody";
        assert_eq!(with(who, nobody).as_deref(), Ok(nobody));
    }
}

#[test]
fn a_room_that_nobody_has_configured_has_no_archive_for_others() {
    let mut world = World::new();
    world.creation = metronome_muc::Creation::Locked;
    world.enter(CRONE, "firstwitch").unwrap();
    assert_eq!(world.read_archive(HAG, None).unwrap_err(), Condition::ItemNotFound);
    assert!(world.read_archive(CRONE, None).is_ok());
}
