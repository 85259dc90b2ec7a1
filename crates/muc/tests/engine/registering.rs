//! Registering where admins decide (section 9.9), and what remains of an account that is deleted.

use metronome_muc::Input;
use metronome_muc::config::*;
use metronome_proto::payload::muc::{Affiliation, Role};
use metronome_proto::stanza::error::Condition;

use crate::world::{World, is_gone, jid};

const CRONE: &str = "crone1@shakespeare.lit/desktop";
const WITCH: &str = "wiccarocks@shakespeare.lit/laptop";
const HAG: &str = "hag66@shakespeare.lit/pda";

fn world() -> World {
    let mut world = World::new();
    world.enter(CRONE, "firstwitch").unwrap();
    world.enter(WITCH, "secondwitch").unwrap();
    world.configure(CRONE, &[(REGISTRATION.var, "1"), (APPROVAL.var, "1")]).unwrap();
    world.forget();
    world
}

#[test]
fn admins_who_are_there_are_asked_and_decide() {
    let mut world = world();
    assert_eq!(world.register(HAG, "hag"), Ok(String::new()));
    let got = world.take(CRONE);
    assert!(
        got[0].contains("muc#register_allow") && got[0].contains("<value>hag66@shakespeare.lit</value>"),
        "{got:?}"
    );
    assert!(world.inboxes.is_empty(), "nobody else is asked");
    assert_eq!(world.room().affiliation(&jid(HAG)), Affiliation::None);
    assert_eq!(world.register(HAG, "hag"), Err(Condition::ResourceConstraint), "not again so soon");
    assert_eq!(world.approve(WITCH, HAG, "hag", true), Err(Condition::Forbidden));
    world.approve(CRONE, HAG, "hag", false).unwrap();
    assert_eq!(world.room().affiliation(&jid(HAG)), Affiliation::None);
    assert_eq!(world.approve(CRONE, HAG, "FirstWitch", true), Err(Condition::Conflict));
    world.approve(CRONE, HAG, "hag", true).unwrap();
    assert_eq!(world.room().affiliation(&jid(HAG)), Affiliation::Member);
    assert!(world.take("hag66@shakespeare.lit")[0].contains("<status code='101'/>"));
    assert_eq!(world.enter("late@x.lit/a", "hag"), Err(Condition::Conflict), "the nickname is reserved");
    world.forget();
    world.register(HAG, "otherhag").unwrap();
    assert!(world.inboxes.is_empty(), "members choose another nickname by themselves");
    world.admin(CRONE, "<item affiliation='outcast' jid='bad@x.lit'/>").unwrap();
    assert_eq!(world.approve(CRONE, "bad@x.lit", "bad", true), Err(Condition::NotAllowed));
}

#[test]
fn admins_who_are_away_are_asked_too_and_nobody_floods_them() {
    let mut world = world();
    world.configure(CRONE, &[(PERSISTENT.var, "1")]).unwrap();
    world.leave(CRONE).unwrap();
    world.forget();
    for n in 0..60 {
        let registered = world.register(&format!("p{n}@x.lit/a"), &format!("p{n}"));
        assert_eq!(registered.is_ok(), n < 50, "{n}");
    }
    assert_eq!(world.take("crone1@shakespeare.lit").len(), 50);
    world.now_ms += 60_000;
    world.register("late@x.lit/a", "late").unwrap();
}

#[test]
fn an_account_that_is_deleted_leaves_nothing_to_who_has_its_address_next() {
    let mut world = world();
    world.admin(CRONE, "<item affiliation='admin' jid='wiccarocks@shakespeare.lit' nick='secondwitch'/>").unwrap();
    world.forget();
    world.input(CRONE, Input::Forget(&jid("wiccarocks@shakespeare.lit"))).unwrap();
    assert!(is_gone(&world.take(WITCH)[0]));
    assert!(world.take(CRONE).iter().any(|got| is_gone(got)));
    world.enter(WITCH, "other").unwrap();
    assert_eq!(world.room().occupant("other").unwrap().role, Role::Participant);
    assert_eq!(world.room().affiliation(&jid(WITCH)), Affiliation::None);
    world.enter("third@x.lit/a", "secondwitch").unwrap();
    assert_eq!(world.read_again().affiliation(&jid(WITCH)), Affiliation::None);
}

#[test]
fn a_room_outlives_the_account_of_its_last_owner_until_its_service_ends_it() {
    let mut world = world();
    world.configure(CRONE, &[(PERSISTENT.var, "1")]).unwrap();
    world.forget();
    world.input(WITCH, Input::Forget(&jid("crone1@shakespeare.lit"))).unwrap();
    assert!(world.room().affiliations().all(|(_, row)| row.affiliation != Affiliation::Owner));
    assert!(is_gone(&world.take(WITCH)[0]));
    assert_eq!(world.read_again().affiliation(&jid(CRONE)), Affiliation::None);
}
