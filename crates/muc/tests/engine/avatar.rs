//! Pictures of rooms (XEP-0486).

use metronome_muc::disco;
use metronome_proto::ns;
use metronome_proto::stanza::error::Condition;

use crate::world::World;

const CRONE: &str = "crone1@shakespeare.lit/desktop";
const WITCH: &str = "wiccarocks@shakespeare.lit/laptop";
const HAG: &str = "hag66@shakespeare.lit/pda";
const HASH: &str = "a31c4bd04de69663cfd7f424a8453f4674da37ff";
const OTHER: &str = "b9b256f999ded52c2fa14fb007c2e5b979450cbb";

fn world() -> World {
    let mut world = World::new();
    world.enter(CRONE, "firstwitch").unwrap();
    world.enter(WITCH, "secondwitch").unwrap();
    world.forget();
    world
}

fn presence(to: &str, photo: &str) -> String {
    format!(
        "<presence from='coven@chat.shakespeare.lit' to='{to}'><x xmlns='vcard-temp:x:update'>{photo}</x></presence>"
    )
}

#[test]
fn an_owner_sets_a_picture_and_everybody_is_told() {
    let mut world = world();
    world.set_card(CRONE, &[HASH, OTHER]).unwrap();
    assert_eq!(&*world.stored.as_ref().unwrap().card, b"<vCard/>");
    for who in [CRONE, WITCH] {
        let notice = format!(
            "<message from='coven@chat.shakespeare.lit' to='{who}' type='groupchat'>\
             <x xmlns='http://jabber.org/protocol/muc#user'><status code='104'/></x></message>"
        );
        assert_eq!(world.take(who), [notice, presence(who, &format!("<photo>{HASH}</photo>"))]);
    }
    world.enter(HAG, "thirdwitch").unwrap();
    assert_eq!(world.take(HAG).last().unwrap(), &presence(HAG, &format!("<photo>{HASH}</photo>")));
    let info = String::from_utf8(disco::info(world.room(), &world.table).tree().to_vec(ns::CLIENT)).unwrap();
    let field = format!("'muc#roominfo_avatarhash' type='text-multi'><value>{HASH}</value><value>{OTHER}</value>");
    assert!(info.contains(&field), "{info}");
}

#[test]
fn without_a_picture_nothing_is_said_of_one() {
    let mut world = world();
    world.set_card(CRONE, &[HASH]).unwrap();
    world.forget();
    world.set_card(CRONE, &[HASH]).unwrap();
    assert_eq!(world.take(WITCH).len(), 1, "the same picture is no news");
    world.set_card(CRONE, &[]).unwrap();
    assert_eq!(world.take(WITCH).pop(), Some(presence(WITCH, "<photo/>")));
    world.enter(HAG, "thirdwitch").unwrap();
    assert!(!world.take(HAG).iter().any(|stanza| stanza.contains("vcard-temp")));
    let info = String::from_utf8(disco::info(world.room(), &world.table).tree().to_vec(ns::CLIENT)).unwrap();
    assert!(!info.contains("avatarhash"));
}

#[test]
fn only_owners_set_it() {
    let mut world = world();
    world.admin(CRONE, "<item affiliation='admin' jid='wiccarocks@shakespeare.lit'/>").unwrap();
    for who in [WITCH, HAG] {
        assert_eq!(world.set_card(who, &[HASH]), Err(Condition::Forbidden));
    }
    assert!(world.stored.unwrap().card.is_empty());
}

#[test]
fn a_room_that_is_not_stored_yet_has_no_card() {
    let mut world = World::new();
    world.creation = metronome_muc::Creation::Locked;
    world.enter(CRONE, "firstwitch").unwrap();
    assert_eq!(world.set_card(CRONE, &[HASH]), Err(Condition::NotAllowed));
    assert!(world.stored.is_none());
}
