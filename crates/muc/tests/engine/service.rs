//! What the service itself does in a room.

use metronome_muc::Input;
use metronome_muc::config::ARCHIVING;

use crate::world::{ROOM, World, is_gone, jid};

const CRONE: &str = "crone1@shakespeare.lit/desktop";
const HAG: &str = "hag66@shakespeare.lit/pda";

fn two() -> World {
    let mut world = World::new();
    world.enter(CRONE, "firstwitch").unwrap();
    world.enter(HAG, "thirdwitch").unwrap();
    world.forget();
    world
}

#[test]
fn an_announcement_comes_from_the_room_and_is_kept_like_any_message() {
    let mut world = two();
    world.input(ROOM, Input::Announce("Mind the <gap>")).unwrap();
    for who in [CRONE, HAG] {
        let got = world.take(who);
        assert_eq!(got.len(), 1);
        assert!(got[0].contains(&format!("from='{ROOM}'")) && got[0].contains("type='groupchat'"), "{got:?}");
        assert!(got[0].contains("<body>Mind the &lt;gap&gt;</body>") && got[0].contains("stanza-id"), "{got:?}");
    }
    assert_eq!(world.archive.len(), 1);
    world.configure(CRONE, &[(ARCHIVING.var, "0")]).unwrap();
    world.forget();
    world.input(ROOM, Input::Announce("Not kept")).unwrap();
    assert!(!world.take(HAG)[0].contains("stanza-id"));
    assert_eq!(world.archive.len(), 1);
}

#[test]
fn who_is_expelled_goes_with_all_sessions_and_may_come_again() {
    let mut world = two();
    world.enter("hag66@shakespeare.lit/phone", "thirdwitch").unwrap();
    world.forget();
    world.input(ROOM, Input::Expel(&jid(HAG), "too fast")).unwrap();
    for who in [CRONE, HAG, "hag66@shakespeare.lit/phone"] {
        let got = world.take(who);
        assert!(is_gone(&got[0]) && got[0].contains("<status code='307'/>"), "{who} {got:?}");
        assert!(got[0].contains("<reason>too fast</reason>") && !got[0].contains("<actor"), "{who} {got:?}");
    }
    world.input(ROOM, Input::Expel(&jid(HAG), "too fast")).unwrap();
    assert!(world.take(CRONE).is_empty(), "nobody is there to go");
    world.enter(HAG, "thirdwitch").unwrap();
}
