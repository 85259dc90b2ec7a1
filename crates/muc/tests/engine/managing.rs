//! What moderators, admins and owners do (sections 8, 9 and 10), and registering (section 7.10).

use metronome_muc::config::*;
use metronome_muc::{Input, Session, Standing, disco};
use metronome_proto::payload::muc::{Affiliation, Role};
use metronome_proto::stanza::IqType;
use metronome_proto::stanza::error::Condition;

use metronome_proto::xml::Content;

use crate::world::{World, is_gone, jid};

const CRONE: &str = "crone1@shakespeare.lit/desktop";
const WITCH: &str = "wiccarocks@shakespeare.lit/laptop";
const HAG: &str = "hag66@shakespeare.lit/pda";

/// An owner, an admin and somebody else are there.
fn three() -> World {
    let mut world = World::new();
    world.enter(CRONE, "firstwitch").unwrap();
    world.enter(WITCH, "secondwitch").unwrap();
    world.enter(HAG, "thirdwitch").unwrap();
    world.admin(CRONE, "<item affiliation='admin' jid='wiccarocks@shakespeare.lit'/>").unwrap();
    world.forget();
    world
}

fn role(world: &World, nick: &str) -> Role {
    world.room().occupant(nick).map_or(Role::None, |occupant| occupant.role)
}

#[test]
fn a_kick_is_told_to_everybody_with_its_reason() {
    let mut world = three();
    world.admin(WITCH, "<item nick='thirdwitch' role='none'><reason>Avaunt</reason></item>").unwrap();
    for who in [CRONE, WITCH, HAG] {
        let got = world.take(who);
        assert!(is_gone(&got[0]) && got[0].contains("<status code='307'/>"), "{who} {got:?}");
        assert!(got[0].contains("<actor nick='secondwitch'/>") && got[0].contains("<reason>Avaunt</reason>"));
        assert!(got[0].contains("affiliation='none'") && got[0].contains("role='none'"));
    }
    assert_eq!(world.admin(WITCH, "<item nick='firstwitch' role='none'/>"), Err(Condition::NotAllowed));
    assert_eq!(world.admin(WITCH, "<item nick='thirdwitch' role='none'/>"), Err(Condition::ItemNotFound));
    world.enter(HAG, "thirdwitch").unwrap();
}

#[test]
fn mere_occupants_and_strangers_manage_nothing() {
    let mut world = three();
    for who in [HAG, "stranger@x.lit/a"] {
        for item in [
            "<item nick='thirdwitch' role='moderator'/>",
            "<item nick='secondwitch' role='none'/>",
            "<item affiliation='owner' jid='hag66@shakespeare.lit'/>",
            "<item affiliation='none' jid='crone1@shakespeare.lit'/>",
        ] {
            assert_eq!(world.admin(who, item), Err(Condition::Forbidden), "{who} {item}");
        }
        assert_eq!(world.configure(who, &[]), Err(Condition::Forbidden));
        assert_eq!(world.owner(who, IqType::Get, ""), Err(Condition::Forbidden));
        assert_eq!(world.owner(who, IqType::Set, "<destroy/>"), Err(Condition::Forbidden));
    }
    assert_eq!(world.owner(WITCH, IqType::Set, "<destroy/>"), Err(Condition::Forbidden));
}

#[test]
fn voice_and_moderation_are_given_and_taken() {
    let mut world = three();
    world.admin(CRONE, "<item nick='thirdwitch' role='visitor'/>").unwrap();
    assert_eq!(role(&world, "thirdwitch"), Role::Visitor);
    world.admin(CRONE, "<item nick='thirdwitch' role='moderator'/>").unwrap();
    let got = world.take(HAG);
    assert!(got.iter().any(|got| got.contains("jid='crone1@shakespeare.lit/desktop'")), "a moderator sees addresses");
    assert_eq!(world.admin(HAG, "<item nick='secondwitch' role='visitor'/>"), Err(Condition::NotAllowed));
    assert_eq!(world.admin(CRONE, "<item nick='secondwitch' role='participant'/>"), Err(Condition::NotAllowed));
    world.admin(WITCH, "<item nick='thirdwitch' role='participant'/>").unwrap();
    assert_eq!(role(&world, "thirdwitch"), Role::Participant);
}

#[test]
fn a_ban_removes_whoever_is_there_and_stays() {
    let mut world = three();
    world
        .admin(WITCH, "<item affiliation='outcast' jid='hag66@shakespeare.lit/pda'><reason>T</reason></item>")
        .unwrap();
    let got = world.take(HAG);
    assert!(is_gone(&got[0]) && got[0].contains("<status code='301'/>") && got[0].contains("affiliation='outcast'"));
    assert!(world.take(CRONE)[0].contains("<status code='301'/>"));
    assert_eq!(world.enter(HAG, "thirdwitch"), Err(Condition::Forbidden));
    let list = world.list(WITCH, "<item affiliation='outcast'/>").unwrap();
    assert!(list.contains("<item affiliation='outcast' jid='hag66@shakespeare.lit'>"), "{list}");
    assert_eq!(
        world.admin(WITCH, "<item affiliation='outcast' jid='crone1@shakespeare.lit'/>"),
        Err(Condition::NotAllowed)
    );
    for who in [WITCH, CRONE] {
        let item = format!("<item affiliation='outcast' jid='{}'/>", jid(who).bare());
        let refused = world.admin(who, &item);
        assert!(matches!(refused, Err(Condition::Conflict | Condition::NotAllowed)), "{who} {refused:?}");
    }
    assert_eq!(world.admin(CRONE, "<item affiliation='outcast' jid='shakespeare.lit'/>"), Err(Condition::Conflict));
    world.admin(WITCH, "<item affiliation='none' jid='hag66@shakespeare.lit'/>").unwrap();
    world.enter(HAG, "thirdwitch").unwrap();
}

#[test]
fn a_ban_of_a_domain_spares_those_who_are_something_here() {
    let mut world = three();
    world.enter("one@x.lit/a", "one").unwrap();
    world.enter("two@x.lit/a", "two").unwrap();
    world.admin(CRONE, "<item affiliation='member' jid='one@x.lit'/>").unwrap();
    world.admin(CRONE, "<item affiliation='outcast' jid='x.lit'/>").unwrap();
    assert_eq!((role(&world, "one"), role(&world, "two")), (Role::Participant, Role::None));
    assert_eq!(world.admin(CRONE, "<item affiliation='admin' jid='y.lit'/>"), Err(Condition::NotAcceptable));
}

#[test]
fn all_changes_of_a_request_happen_or_none() {
    let mut world = three();
    let before = world.stored.clone();
    let items = "<item affiliation='member' jid='a@x.lit'/><item affiliation='outcast' jid='crone1@shakespeare.lit'/>";
    assert_eq!(world.admin(WITCH, items), Err(Condition::NotAllowed));
    assert_eq!(world.stored, before);
    assert!(world.inboxes.is_empty());
    let both = "<item affiliation='member' role='visitor' jid='a@x.lit' nick='thirdwitch'/>";
    assert_eq!(world.admin(CRONE, both), Err(Condition::BadRequest));
    world.limits.items_max = 1;
    assert_eq!(world.admin(CRONE, items), Err(Condition::PolicyViolation));
}

#[test]
fn a_room_keeps_an_owner() {
    let mut world = three();
    for to in ["none", "member", "admin"] {
        let item = format!("<item affiliation='{to}' jid='crone1@shakespeare.lit'/>");
        assert_eq!(world.admin(CRONE, &item), Err(Condition::Conflict));
    }
    let form = "<x xmlns='jabber:x:data' type='submit'><field var='muc#roomconfig_roomowners'/></x>";
    assert_eq!(world.owner(CRONE, IqType::Set, form), Err(Condition::Conflict));
    world.admin(CRONE, "<item affiliation='owner' jid='wiccarocks@shakespeare.lit'/>").unwrap();
    world.admin(CRONE, "<item affiliation='admin' jid='crone1@shakespeare.lit'/>").unwrap();
    assert_eq!(role(&world, "firstwitch"), Role::Moderator);
    assert_eq!(world.configure(CRONE, &[]), Err(Condition::Forbidden));
}

#[test]
fn the_form_names_all_admins_and_owners() {
    let mut world = three();
    let form = "<x xmlns='jabber:x:data' type='submit'><field var='muc#roomconfig_roomadmins'>\
                <value>hag66@shakespeare.lit</value></field></x>";
    world.owner(CRONE, IqType::Set, form).unwrap();
    assert_eq!(world.room().affiliation(&jid(HAG)), Affiliation::Admin);
    assert_eq!(world.room().affiliation(&jid(WITCH)), Affiliation::Member);
    assert_eq!((role(&world, "secondwitch"), role(&world, "thirdwitch")), (Role::Participant, Role::Moderator));
    assert!(world.take(HAG).iter().any(|got| got.contains("affiliation='admin'")));
    let form = world.owner(CRONE, IqType::Get, "").unwrap();
    assert!(form.contains("<value>hag66@shakespeare.lit</value>"), "{form}");
}

#[test]
fn members_come_and_go_and_a_room_for_members_removes_others() {
    let mut world = three();
    world.admin(WITCH, "<item affiliation='member' jid='hag66@shakespeare.lit'/>").unwrap();
    assert!(world.take(CRONE)[0].contains("affiliation='member'"));
    world.enter("late@x.lit/a", "late").unwrap();
    world.forget();
    world.configure(CRONE, &[(MEMBERS_ONLY.var, "1")]).unwrap();
    let got = world.take("late@x.lit/a");
    assert!(is_gone(&got[0]) && got[0].contains("<status code='322'/>"), "{got:?}");
    world.forget();
    world.admin(WITCH, "<item affiliation='none' jid='hag66@shakespeare.lit'/>").unwrap();
    let got = world.take(HAG);
    assert!(is_gone(&got[0]) && got[0].contains("<status code='321'/>"), "{got:?}");
    assert_eq!(got.len(), 1, "only the removal is told");
    world.admin(WITCH, "<item affiliation='member' jid='hag66@shakespeare.lit'/>").unwrap();
    let got = world.take("hag66@shakespeare.lit");
    assert!(got.iter().any(|got| got.contains("<status code='101'/>")), "{got:?}");
    assert!(got.iter().any(|got| got.contains("<invite")), "{got:?}");
}

#[test]
fn the_lists_are_for_those_who_may_see_addresses() {
    let mut world = three();
    let owners = "<item affiliation='owner'/>";
    assert_eq!(world.list(HAG, owners), Err(Condition::Forbidden));
    assert_eq!(world.list(WITCH, owners), Err(Condition::Forbidden));
    assert_eq!(world.list(HAG, "<item role='participant'/>"), Err(Condition::Forbidden));
    let voices = world.list(WITCH, "<item role='participant'/>").unwrap();
    assert!(voices.contains("nick='thirdwitch'") && voices.contains("jid='hag66@shakespeare.lit/pda'"), "{voices}");
    world.configure(CRONE, &[(WHOIS.var, "anyone")]).unwrap();
    assert!(world.list(HAG, owners).unwrap().contains("crone1@shakespeare.lit"));
    assert_eq!(world.list(HAG, "<item affiliation='outcast'/>"), Err(Condition::Forbidden));
    assert_eq!(world.list("stranger@x.lit/a", owners), Err(Condition::Forbidden));
}

#[test]
fn what_is_configured_is_told_by_codes() {
    let mut world = three();
    for (field, value, code) in [
        (&LOGGING, "1", "170"),
        (&LOGGING, "0", "171"),
        (&WHOIS, "anyone", "172"),
        (&WHOIS, "moderators", "173"),
        (&NAME, "Coven", "104"),
    ] {
        world.forget();
        world.configure(CRONE, &[(field.var, value)]).unwrap();
        let got = world.take(HAG);
        let expected = format!("<x xmlns='http://jabber.org/protocol/muc#user'><status code='{code}'/></x></message>");
        assert!(got[0].ends_with(&expected) && got[0].contains("type='groupchat'"), "{got:?}");
    }
    world.forget();
    world.configure(CRONE, &[(NAME.var, "Coven")]).unwrap();
    assert!(world.inboxes.is_empty(), "nothing has changed");
    assert_eq!(world.configure(CRONE, &[(MAX_USERS.var, "many")]), Err(Condition::NotAcceptable));
}

#[test]
fn a_room_says_what_it_is() {
    let mut world = three();
    world.configure(CRONE, &[(NAME.var, "Coven"), (MODERATED.var, "1"), (SLOW_MODE.var, "5")]).unwrap();
    let features = disco::features(world.room(), &world.table);
    for feature in ["muc_moderated", "muc_open", "muc_unsecured", "muc_temporary", "muc_public", "muc_semianonymous"] {
        assert!(features.contains(&feature), "{feature} {features:?}");
    }
    let info = disco::info(world.room(), &world.table);
    assert_eq!(info.value("muc#roominfo_occupants"), Some("3"));
    assert_eq!(info.value("muc#roominfo_slow_mode_duration"), Some("5"));
    assert_eq!(disco::name(world.room()), Some("Coven"));
    assert!(disco::is_listed(world.room()));
}

#[test]
fn the_end_of_a_room_is_told_once_to_each() {
    let mut world = three();
    let destroy =
        "<destroy jid='darkcave@chat.shakespeare.lit'><password>pw</password><reason>Macbeth</reason></destroy>";
    world.owner(CRONE, IqType::Set, destroy).unwrap();
    assert!(world.room.is_none() && world.stored.is_none());
    for who in [CRONE, WITCH, HAG] {
        let got = world.take(who);
        assert_eq!(got.len(), 1, "{got:?}");
        assert!(is_gone(&got[0]) && got[0].contains("<destroy jid='darkcave@chat.shakespeare.lit'>"), "{}", got[0]);
        assert!(got[0].contains("<password>pw</password><reason>Macbeth</reason>"));
        assert!(got[0].contains("affiliation='none'") && got[0].contains("role='none'"));
    }
}

#[test]
fn superusers_own_every_room() {
    let mut world = three();
    world.standing = Standing::Superuser;
    world.configure("root@x.lit/a", &[(NAME.var, "Tamed")]).unwrap();
    world.admin("root@x.lit/a", "<item nick='firstwitch' role='none'/>").unwrap();
    assert_eq!(role(&world, "firstwitch"), Role::None);
}

#[test]
fn people_register_where_the_room_lets_them() {
    let mut world = three();
    assert_eq!(world.register(HAG, "hag"), Err(Condition::NotAllowed));
    assert_eq!(world.input(HAG, Input::AskRegistration), Err(Condition::NotAllowed));
    world.configure(CRONE, &[(REGISTRATION.var, "1")]).unwrap();
    assert!(world.input(HAG, Input::AskRegistration).unwrap().contains("muc#register_roomnick"));
    assert_eq!(world.register(HAG, "FirstWitch"), Err(Condition::Conflict));
    world.forget();
    world.register(HAG, "hag").unwrap();
    assert!(world.take(CRONE)[0].contains("affiliation='member'"));
    let nick = world.input(HAG, Input::AskNick("x-roomuser-item")).unwrap();
    assert!(nick.contains("name='hag'"), "{nick}");
    assert!(world.input(HAG, Input::AskRegistration).unwrap().contains("<registered/><username>hag</username>"));
    assert_eq!(world.register("late@x.lit/a", "HAG"), Err(Condition::Conflict));
    assert_eq!(world.enter("late@x.lit/a", "hag"), Err(Condition::Conflict));
}

#[test]
fn occupants_are_put_back_after_a_stop_unless_they_may_not_be_there_any_more() {
    let mut world = three();
    world.configure(CRONE, &[(PERSISTENT.var, "1")]).unwrap();
    let before: Vec<_> = world.room().occupants().cloned().collect();
    let mut room = world.read_again();
    for occupant in &before {
        assert!(room.restore(occupant.nick.clone(), occupant.role, occupant.sessions[0].clone()), "{}", occupant.nick);
        assert!(!room.restore(occupant.nick.clone(), occupant.role, occupant.sessions[0].clone()), "once");
    }
    assert_eq!(room.occupants().cloned().collect::<Vec<_>>(), before);
    let stranger = |jid_: &str| Session { jid: jid(jid_), account: None, presence: Content::empty(), entered_ms: 0 };
    assert!(!room.restore("FIRSTWITCH".into(), Role::Participant, stranger("x@x.lit/a")));
    world.room = Some(room);
    world.admin(CRONE, "<item affiliation='outcast' jid='x@x.lit'/>").unwrap();
    let mut room = world.room.take().unwrap();
    assert!(!room.restore("x".into(), Role::Moderator, stranger("x@x.lit/a")));
}

#[test]
fn a_nickname_is_free_again_once_nobody_has_it_reserved() {
    let mut world = three();
    let reserve = |nick: &str| format!("<item affiliation='member' jid='a@x.lit' nick='{nick}'/>");
    world.admin(CRONE, &reserve("one")).unwrap();
    assert_eq!(world.enter("b@x.lit/a", "One"), Err(Condition::Conflict));
    world.admin(CRONE, &reserve("two")).unwrap();
    world.enter("b@x.lit/a", "One").unwrap();
    assert_eq!(world.admin(CRONE, &reserve("one")), Err(Condition::Conflict), "somebody is there with it");
    assert_eq!(world.enter("c@x.lit/a", "two"), Err(Condition::Conflict));
    world.admin(CRONE, &reserve("")).unwrap();
    world.enter("c@x.lit/a", "two").unwrap();
    world.admin(CRONE, "<item affiliation='outcast' jid='a@x.lit'/>").unwrap();
}
