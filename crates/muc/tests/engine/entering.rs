//! Entering, changing nicknames and leaving (sections 7.1, 7.2, 7.6, 7.7 and 7.14).

use metronome_muc::config::*;
use metronome_muc::{Creation, Input, Standing, self_ping};
use metronome_proto::payload::muc::Role;
use metronome_proto::stanza::error::Condition;

use crate::world::{World, is_gone, jid};

const CRONE: &str = "crone1@shakespeare.lit/desktop";
const WITCH: &str = "wiccarocks@shakespeare.lit/laptop";
const HAG: &str = "hag66@shakespeare.lit/pda";
const HAG_PHONE: &str = "hag66@shakespeare.lit/phone";

/// Owner and one other are there.
fn two() -> World {
    let mut world = World::new();
    world.enter(CRONE, "firstwitch").unwrap();
    world.enter(WITCH, "secondwitch").unwrap();
    world.forget();
    world
}

fn with(field: &Field, value: &str) -> World {
    let mut world = two();
    world.configure(CRONE, &[(field.var, value)]).unwrap();
    world.forget();
    world
}

#[test]
fn who_enters_gets_the_others_then_itself_then_the_past_then_the_subject() {
    let mut world = two();
    world.say(CRONE, "<subject>Fire Burn</subject>").unwrap();
    world.say(WITCH, "<body>Thrice</body>").unwrap();
    world.enter(HAG, "thirdwitch").unwrap();
    let got = world.take(HAG);
    assert!(got[0].contains("from='coven@chat.shakespeare.lit/firstwitch'"), "{got:#?}");
    assert!(got[0].contains("<item affiliation='owner' role='moderator'/>"), "{}", got[0]);
    assert!(got[1].contains("/secondwitch'") && got[1].contains("<item affiliation='none' role='participant'/>"));
    assert!(
        got[2].contains("/thirdwitch'") && got[2].contains("<status code='110'/>") && got[2].contains("id='enter'")
    );
    assert!(got[3].contains("<body>Thrice</body>") && got[3].contains("<delay xmlns='urn:xmpp:delay' from='coven@"));
    assert!(
        got[3].contains("<stanza-id xmlns='urn:xmpp:sid:0' by='coven@chat.shakespeare.lit' id='id2'/>"),
        "{}",
        got[3]
    );
    assert!(!got[3].contains("wiccarocks"), "{}", got[3]);
    assert!(got[4].contains("<subject>Fire Burn</subject>") && got[4].contains("<delay"));
    assert_eq!(got.len(), 5, "the subject is no part of the past: {got:#?}");
    let others = world.take(WITCH);
    let last = others.last().unwrap();
    assert!(last.contains("/thirdwitch'") && last.contains("<occupant-id") && !last.contains("hag66"), "{last}");
    let moderator = world.take(CRONE);
    assert!(moderator.last().unwrap().contains("jid='hag66@shakespeare.lit/pda'"), "{moderator:?}");
}

#[test]
fn a_room_without_a_subject_says_so() {
    let mut world = World::new();
    world.enter(CRONE, "firstwitch").unwrap();
    let got = world.take(CRONE);
    assert_eq!(
        got.last().unwrap(),
        &format!("<message from='{}' to='{CRONE}' type='groupchat'><subject/></message>", crate::world::ROOM)
    );
}

#[test]
fn a_new_room_waits_for_its_owner() {
    let mut world = World { creation: Creation::Locked, ..World::new() };
    world.enter(CRONE, "firstwitch").unwrap();
    let got = world.take(CRONE);
    assert!(got[0].contains("<status code='110'/>") && got[0].contains("<status code='201'/>"), "{}", got[0]);
    assert!(got[0].contains("affiliation='owner'") && got[0].contains("role='moderator'"));
    assert_eq!(world.enter(WITCH, "secondwitch"), Err(Condition::ItemNotFound));
    assert!(world.stored.is_none());
    world.configure(CRONE, &[]).unwrap();
    assert!(world.stored.is_some());
    world.enter(WITCH, "secondwitch").unwrap();
}

#[test]
fn a_room_that_was_never_configured_ends_with_its_creator() {
    for cancels in [false, true] {
        let mut world = World { creation: Creation::Locked, ..World::new() };
        world.enter(CRONE, "firstwitch").unwrap();
        world.forget();
        if cancels {
            let form = "<x xmlns='jabber:x:data' type='cancel'/>";
            world.owner(CRONE, metronome_proto::stanza::IqType::Set, form).unwrap();
        } else {
            world.leave(CRONE).unwrap();
        }
        assert!(world.room.is_none());
        assert_eq!(world.take(CRONE).iter().filter(|got| is_gone(got)).count(), 1);
    }
}

#[test]
fn everybody_is_warned_of_what_others_see() {
    let mut world = with(&WHOIS, "anyone");
    world.configure(CRONE, &[(LOGGING.var, "1")]).unwrap();
    world.enter(HAG, "thirdwitch").unwrap();
    let got = world.take(HAG);
    let own = got.iter().find(|got| got.contains("code='110'")).unwrap();
    assert!(own.contains("<status code='100'/>") && own.contains("<status code='170'/>"), "{own}");
    assert!(got[0].contains("jid='crone1@shakespeare.lit/desktop'"), "{}", got[0]);
}

#[test]
fn banned_people_strangers_and_those_without_the_password_are_kept_out() {
    let mut world = with(&MEMBERS_ONLY, "1");
    assert_eq!(world.enter(HAG, "thirdwitch"), Err(Condition::RegistrationRequired));
    world.admin(CRONE, "<item affiliation='outcast' jid='hag66@shakespeare.lit'/>").unwrap();
    assert_eq!(world.enter(HAG, "thirdwitch"), Err(Condition::Forbidden));

    let mut world = two();
    world.admin(CRONE, "<item affiliation='outcast' jid='elsewhere.lit'/>").unwrap();
    assert_eq!(world.enter("any@elsewhere.lit/x", "thirdwitch"), Err(Condition::Forbidden));

    let mut world = two();
    world.configure(CRONE, &[(PASSWORD_PROTECTED.var, "1"), (SECRET.var, "cauldronburn")]).unwrap();
    assert_eq!(world.enter(HAG, "thirdwitch"), Err(Condition::NotAuthorized));
    let wrong = world.enter_with(HAG, "thirdwitch", "<password>cauldronburm</password>", "");
    assert_eq!(wrong, Err(Condition::NotAuthorized));
    world.enter_with(HAG, "thirdwitch", "<password>cauldronburn</password>", "").unwrap();
}

#[test]
fn superusers_enter_any_room_and_moderate_it() {
    let mut world = with(&MEMBERS_ONLY, "1");
    world.admin(CRONE, "<item affiliation='outcast' jid='hag66@shakespeare.lit'/>").unwrap();
    world.standing = Standing::Superuser;
    world.enter(HAG, "thirdwitch").unwrap();
    assert_eq!(world.room().occupant("thirdwitch").unwrap().role, Role::Moderator);
}

#[test]
fn a_nickname_belongs_to_one_account_whatever_its_case() {
    let mut world = two();
    for nick in ["firstwitch", "FirstWitch"] {
        assert_eq!(world.enter(HAG, nick), Err(Condition::Conflict), "{nick}");
    }
    for nick in ["", " ", "\u{3000}", " padded", &"x".repeat(300)] {
        assert_eq!(world.enter(HAG, nick), Err(Condition::NotAcceptable), "{nick:?}");
    }
    world.admin(CRONE, "<item affiliation='member' jid='other@shakespeare.lit' nick='thirdwitch'/>").unwrap();
    assert_eq!(world.enter(HAG, "ThirdWitch"), Err(Condition::Conflict));
    world.enter("other@shakespeare.lit/x", "thirdwitch").unwrap();
}

#[test]
fn who_has_a_reserved_nickname_gets_it_where_only_that_counts() {
    let mut world = with(&RESERVED_NICK, "1");
    world.admin(CRONE, "<item affiliation='member' jid='hag66@shakespeare.lit' nick='hag'/>").unwrap();
    world.enter(HAG, "thirdwitch").unwrap();
    let own = world.take(HAG).into_iter().find(|got| got.contains("code='110'")).unwrap();
    assert!(own.contains("/hag'") && own.contains("<status code='210'/>"), "{own}");
    assert_eq!(world.update(HAG, "oldhag", ""), Err(Condition::NotAcceptable));
}

#[test]
fn a_full_room_takes_admins_up_to_a_point() {
    let mut world = with(&MAX_USERS, "2");
    world.limits.extra_occupants = 1;
    assert_eq!(world.enter(HAG, "thirdwitch"), Err(Condition::ServiceUnavailable));
    world.enter("wiccarocks@shakespeare.lit/phone", "secondwitch").unwrap();
    world.admin(CRONE, "<item affiliation='admin' jid='hag66@shakespeare.lit'/>").unwrap();
    world.admin(CRONE, "<item affiliation='admin' jid='late@shakespeare.lit'/>").unwrap();
    world.enter(HAG, "thirdwitch").unwrap();
    assert_eq!(world.enter("late@shakespeare.lit/x", "late"), Err(Condition::ServiceUnavailable));
}

#[test]
fn several_sessions_are_one_occupant() {
    let mut world = two();
    world.enter(HAG, "thirdwitch").unwrap();
    world.forget();
    world.enter(HAG_PHONE, "thirdwitch").unwrap();
    assert_eq!(world.room().occupants().len(), 3);
    assert!(world.take(HAG_PHONE).iter().any(|got| got.contains("/thirdwitch'") && got.contains("code='110'")));
    world.forget();
    world.say(HAG, "<body>hi</body>").unwrap();
    assert_eq!(world.take(HAG).len(), 1);
    assert_eq!(world.take(HAG_PHONE).len(), 1);
    world.forget();
    world.leave(HAG_PHONE).unwrap();
    assert!(is_gone(&world.take(HAG_PHONE)[0]));
    assert!(world.take(WITCH).iter().all(|got| !is_gone(got)));
    world.leave(HAG).unwrap();
    assert!(is_gone(&world.take(WITCH)[0]));
    assert_eq!(world.room().occupants().len(), 2);
}

#[test]
fn a_session_that_enters_again_gets_everything_anew() {
    let mut world = two();
    world.enter(WITCH, "secondwitch").unwrap();
    let got = world.take(WITCH);
    assert!(
        got[0].contains("/firstwitch'") && got[1].contains("code='110'") && got[2].contains("<subject/>"),
        "{got:#?}"
    );
    assert_eq!(world.room().occupants().len(), 2);
}

#[test]
fn the_past_is_as_long_as_it_is_wanted() {
    let mut world = two();
    for n in 0..30 {
        world.say(WITCH, &format!("<body>{n}</body>")).unwrap();
    }
    for (history, count) in [
        ("", 20),
        ("<history maxstanzas='5'/>", 5),
        ("<history maxstanzas='1000'/>", 30),
        ("<history maxchars='0'/>", 0),
        ("<history maxchars='10'/>", 0),
        ("<history seconds='100'/>", 30),
        ("<history since='1970-01-01T00:00:00Z'/>", 30),
        ("<history since='2100-01-01T00:00:00Z'/>", 0),
    ] {
        world.forget();
        world.enter_with(HAG, "thirdwitch", history, "").unwrap();
        let got = world.take(HAG);
        let past: Vec<_> = got.iter().filter(|got| got.contains("<body>")).collect();
        assert_eq!(past.len(), count, "{history}");
        if count > 0 {
            assert!(past[count - 1].contains("<body>29</body>"), "{history}");
        }
        world.leave(HAG).unwrap();
    }
}

#[test]
fn nobody_speaks_for_the_room_in_presence() {
    let mut world = two();
    let forged = "<show>away</show><x xmlns='http://jabber.org/protocol/muc#user'><item affiliation='owner'/></x>\
                  <occupant-id xmlns='urn:xmpp:occupant-id:0' id='forged'/><hats xmlns='urn:xmpp:hats:0'/>";
    world.enter_with(HAG, "thirdwitch", "", forged).unwrap();
    let got = world.take(WITCH);
    assert_eq!(got[0].matches("muc#user").count(), 1, "{}", got[0]);
    assert_eq!(got[0].matches("<occupant-id").count(), 1);
    assert!(got[0].contains("<show>away</show>") && !got[0].contains("forged") && !got[0].contains("hats"));
    assert!(got[0].contains("<item affiliation='none' role='participant'/>"));
}

#[test]
fn a_new_nickname_is_told_with_the_old_one() {
    let mut world = two();
    world.update(WITCH, "oldhag", "").unwrap();
    for who in [CRONE, WITCH] {
        let got = world.take(who);
        assert!(is_gone(&got[0]) && got[0].contains("/secondwitch'"), "{who} {got:#?}");
        assert!(got[0].contains("nick='oldhag'") && got[0].contains("<status code='303'/>"), "{}", got[0]);
        assert!(got[1].contains("/oldhag'") && !is_gone(&got[1]));
        assert_eq!(got[1].contains("code='110'"), who == WITCH);
        assert_eq!(got.len(), 2, "{got:#?}");
    }
    assert_eq!(world.update(WITCH, "firstwitch", ""), Err(Condition::Conflict));
    world.update(WITCH, "OldHag", "").unwrap();
    assert!(world.room().occupant("OldHag").is_some() && world.room().occupant("oldhag").is_none());
}

#[test]
fn visitors_keep_their_nickname_and_status_where_the_room_wants_it() {
    let mut world = with(&MODERATED, "1");
    world.enter(HAG, "thirdwitch").unwrap();
    world.update(HAG, "hag", "").unwrap();
    world.configure(CRONE, &[(VISITOR_NICK.var, "0"), (VISITOR_STATUS.var, "0")]).unwrap();
    assert_eq!(world.update(HAG, "other", ""), Err(Condition::NotAcceptable));
    world.forget();
    for entering in [false, true] {
        let xml = "<show>away</show><status>!</status><priority>1</priority>";
        if entering {
            world.enter_with(HAG, "hag", "", xml).unwrap()
        } else {
            world.update(HAG, "hag", xml).unwrap()
        }
        assert!(world.take(CRONE).iter().all(|got| !got.contains("away") && !got.contains('!')));
        assert!(world.room().occupant("hag").unwrap().sessions[0].presence.text().is_empty());
    }
    world.configure(CRONE, &[(CHANGE_NICK.var, "0")]).unwrap();
    assert_eq!(world.update(WITCH, "other", ""), Err(Condition::NotAcceptable));
    world.update(CRONE, "boss", "").unwrap();
}

#[test]
fn a_session_that_is_not_there_is_told_so() {
    let mut world = two();
    world.update(HAG, "thirdwitch", "<show>away</show>").unwrap();
    let got = world.take(HAG);
    assert!(is_gone(&got[0]) && got[0].contains("role='none'"), "{got:?}");
    for code in ["110", "307", "333"] {
        assert!(got[0].contains(&format!("<status code='{code}'/>")), "{}", got[0]);
    }
    assert!(world.inboxes.is_empty());
    world.leave(HAG).unwrap();
    assert!(world.inboxes.is_empty(), "section 15.4: silently ignored");
    assert_eq!(
        self_ping(world.room(), &jid(HAG), "thirdwitch").unwrap().unwrap_err().condition,
        Condition::NotAcceptable
    );
    assert_eq!(self_ping(world.room(), &jid(WITCH), "secondwitch"), Some(Ok(())));
    assert_eq!(self_ping(world.room(), &jid(WITCH), "firstwitch"), None);
}

#[test]
fn who_leaves_is_seen_leaving_and_a_temporary_room_ends_with_the_last() {
    let mut world = two();
    world.leave(WITCH).unwrap();
    let got = world.take(CRONE);
    assert!(is_gone(&got[0]) && got[0].contains("role='none'") && got[0].contains("<status>bye</status>"), "{got:?}");
    world.leave(CRONE).unwrap();
    assert!(world.room.is_none() && world.stored.is_none());

    let mut world = with(&PERSISTENT, "1");
    world.leave(WITCH).unwrap();
    world.leave(CRONE).unwrap();
    assert!(world.room.is_some() && world.stored.is_some());
}

#[test]
fn who_cannot_be_reached_leaves_with_333_and_a_stop_is_332() {
    let mut world = two();
    world.input(CRONE, Input::Lose(&jid(WITCH))).unwrap();
    let got = world.take(CRONE);
    assert!(is_gone(&got[0]) && got[0].contains("<status code='333'/>") && !got[0].contains("code='307'"), "{got:?}");
    world.input(CRONE, Input::Stop).unwrap();
    assert!(world.take(CRONE)[0].contains("<status code='332'/>"));
    assert!(world.stored.is_some(), "a stop ends no room");
}

#[test]
fn presence_of_roles_that_are_not_shown_goes_to_moderators_only() {
    let mut world = with(&MODERATED, "1");
    let form = format!(
        "<x xmlns='jabber:x:data' type='submit'><field var='{}'><value>moderator</value><value>participant</value></field></x>",
        PRESENCE_BROADCAST.var
    );
    world.owner(CRONE, metronome_proto::stanza::IqType::Set, &form).unwrap();
    world.forget();
    world.enter(HAG, "thirdwitch").unwrap();
    assert!(world.take(WITCH).is_empty());
    assert_eq!(world.take(CRONE).len(), 1);
    world.admin(CRONE, "<item nick='thirdwitch' role='participant'/>").unwrap();
    assert!(world.take(WITCH)[0].contains("role='participant'"));
    world.admin(CRONE, "<item nick='thirdwitch' role='visitor'/>").unwrap();
    assert!(is_gone(&world.take(WITCH)[0]));
}

#[test]
fn presence_that_says_nothing_new_goes_to_nobody_else() {
    let mut world = two();
    world.update(WITCH, "secondwitch", "<show>away</show>").unwrap();
    assert_eq!((world.take(CRONE).len(), world.take(WITCH).len()), (1, 1));
    world.update(WITCH, "secondwitch", "<show>away</show>").unwrap();
    assert_eq!((world.take(CRONE).len(), world.take(WITCH).len()), (0, 1));
    world.enter_with(WITCH, "secondwitch", "", "<show>away</show>").unwrap();
    assert_eq!(world.take(CRONE).len(), 0);
    world.enter(WITCH, "secondwitch").unwrap();
    assert_eq!(world.take(CRONE).len(), 1);
}
