//! Hats (XEP-0317).

use metronome_muc::disco;
use metronome_proto::stanza::error::Condition;

use crate::world::{World, jid};

const CRONE: &str = "crone1@shakespeare.lit/desktop";
const WITCH: &str = "wiccarocks@shakespeare.lit/laptop";
const HAG: &str = "hag66@shakespeare.lit/pda";
const HOST: &str = "http://schemas.example.com/hats#host";

fn world() -> World {
    let mut world = World::new();
    world.enter(CRONE, "firstwitch").unwrap();
    world.enter(WITCH, "secondwitch").unwrap();
    world.forget();
    world
}

fn make(world: &mut World, title: &str, uri: &str) -> Result<String, Condition> {
    world.hats(CRONE, "create", &[("hats#title", title), ("hats#uri", uri), ("hats#hue", "327.255249")])
}

fn with_host() -> World {
    let mut world = world();
    make(&mut world, "Host", HOST).unwrap();
    world.hats(CRONE, "assign", &[("hats#jid", "wiccarocks@shakespeare.lit"), ("hats#uri", HOST)]).unwrap();
    world.forget();
    world
}

#[test]
fn a_hat_is_made_given_and_seen_by_everybody_and_those_who_come() {
    let mut world = world();
    make(&mut world, "Host", HOST).unwrap();
    assert!(world.take(WITCH)[0].contains("<status code='104'/>"), "the configuration is another one");
    world.forget();
    world.hats(CRONE, "assign", &[("hats#jid", "wiccarocks@shakespeare.lit/laptop"), ("hats#uri", HOST)]).unwrap();
    let hats = format!("<hats xmlns='urn:xmpp:hats:0'><hat title='Host' uri='{HOST}' hue='327.255249'/></hats>");
    for who in [CRONE, WITCH] {
        let got = world.take(who);
        assert!(got.len() == 1 && got[0].contains(&hats) && got[0].contains("/secondwitch'"), "{got:?}");
    }
    world.enter(HAG, "thirdwitch").unwrap();
    assert!(world.take(HAG)[1].contains(&hats));
    world.update(WITCH, "secondwitch", "<show>away</show>").unwrap();
    assert!(world.take(HAG)[0].contains(&hats));
    world.leave(WITCH).unwrap();
    assert!(!world.take(HAG)[0].contains("hats"));
    world.enter(WITCH, "oldhag").unwrap();
    assert!(world.take(HAG)[0].contains(&hats), "under any nickname");
}

#[test]
fn a_hat_that_changes_or_is_gone_is_seen_so() {
    let mut world = with_host();
    make(&mut world, "Hostess", HOST).unwrap();
    assert!(world.take(CRONE).iter().any(|got| got.contains("title='Hostess'") && got.contains("/secondwitch'")));
    make(&mut world, "Hostess", HOST).unwrap();
    assert!(world.inboxes.remove(WITCH).is_some_and(|got| got.len() == 2), "nothing new is not told");
    world.forget();
    world.hats(CRONE, "unassign", &[("hats#jid", "wiccarocks@shakespeare.lit"), ("hats#uri", HOST)]).unwrap();
    assert!(world.take(CRONE).iter().all(|got| got.contains("/secondwitch'") && !got.contains("hats")));
    let again = world.hats(CRONE, "unassign", &[("hats#jid", "wiccarocks@shakespeare.lit"), ("hats#uri", HOST)]);
    assert_eq!(again, Err(Condition::ItemNotFound));
    assert!(!world.stored.as_ref().unwrap().affiliations.contains_key(&jid("wiccarocks@shakespeare.lit")));

    let mut world = with_host();
    world.hats(CRONE, "destroy", &[("hats#uri", HOST)]).unwrap();
    assert!(world.take(CRONE).iter().any(|got| got.contains("/secondwitch'") && !got.contains("hats")));
    make(&mut world, "Host", HOST).unwrap();
    assert!(world.room().affiliations().all(|(_, row)| row.hats.is_empty()), "it was taken from all");
    assert_eq!(world.hats(CRONE, "destroy", &[("hats#uri", "urn:none")]), Err(Condition::ItemNotFound));
}

#[test]
fn hats_are_given_by_admins_to_people_who_may_be_there() {
    let mut world = with_host();
    let give = |jid: &'static str| [("hats#jid", jid), ("hats#uri", HOST)];
    assert_eq!(world.hats(WITCH, "assign", &give("hag66@shakespeare.lit")), Err(Condition::Forbidden));
    assert_eq!(world.hats(WITCH, "assign", &[]), Err(Condition::Forbidden));
    assert_eq!(world.hats(WITCH, "list-assigned", &[]), Err(Condition::Forbidden), "that names addresses");
    assert_eq!(world.hats("stranger@x.lit/a", "list", &[]), Err(Condition::Forbidden));
    assert_eq!(world.hats(CRONE, "assign", &give("shakespeare.lit")), Err(Condition::BadRequest));
    assert_eq!(world.hats(CRONE, "assign", &[("hats#jid", "a@b"), ("hats#uri", "x")]), Err(Condition::ItemNotFound));
    assert_eq!(world.hats(CRONE, "create", &[("hats#uri", "x")]), Err(Condition::BadRequest));
    world.admin(CRONE, "<item affiliation='outcast' jid='hag66@shakespeare.lit'/>").unwrap();
    assert_eq!(world.hats(CRONE, "assign", &give("hag66@shakespeare.lit")), Err(Condition::NotAllowed));
    world.admin(CRONE, "<item affiliation='outcast' jid='wiccarocks@shakespeare.lit'/>").unwrap();
    assert!(world.room().affiliations().all(|(_, row)| row.hats.is_empty()), "a ban takes them");
}

#[test]
fn the_lists_name_hats_and_those_who_wear_them() {
    let mut world = with_host();
    make(&mut world, "Presenter", "urn:presenter").unwrap();
    let list = world.hats(WITCH, "list", &[]).unwrap();
    assert!(list.contains(&format!("<value>{HOST}</value>")) && list.contains("<value>Presenter</value>"), "{list}");
    let worn = world.hats(CRONE, "list-assigned", &[]).unwrap();
    assert!(worn.contains("<value>wiccarocks@shakespeare.lit</value>") && !worn.contains("Presenter"), "{worn}");
    let form = world.hats(CRONE, "assign", &[]).unwrap();
    assert!(form.contains("type='list-single'") && form.contains("<option label='Host'>"), "{form}");
    let hash = |world: &World| disco::info(world.room(), &world.table).value("hats#hash").map(str::to_owned);
    let before = hash(&world).unwrap();
    world.hats(CRONE, "destroy", &[("hats#uri", HOST)]).unwrap();
    assert_ne!(hash(&world).unwrap(), before);
    world.hats(CRONE, "destroy", &[("hats#uri", "urn:presenter")]).unwrap();
    assert_eq!(hash(&world), None);
}

#[test]
fn hats_outlive_the_process_and_no_form_has_them() {
    let mut world = with_host();
    let again = world.read_again();
    let rows = |room: &metronome_muc::Room| {
        room.affiliations().map(|(jid, row)| (jid.clone(), row.clone())).collect::<Vec<_>>()
    };
    assert_eq!(rows(&again), rows(world.room()));
    assert_eq!(again.config(), world.room().config());
    let form = world.owner(CRONE, metronome_proto::stanza::IqType::Get, "").unwrap();
    assert!(!form.contains("hats"), "{form}");
    world.configure(CRONE, &[("urn:xmpp:hats:0", "x")]).unwrap();
    assert!(world.hats(CRONE, "list", &[]).unwrap().contains("<value>Host</value>"));
}
