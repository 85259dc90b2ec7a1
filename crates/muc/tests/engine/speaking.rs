//! Messages to all and to one, subjects, retractions, invitations, voice (sections 7.3 to 7.5, 7.8, 7.13, 8.1 and 8.6).

use metronome_muc::config::*;
use metronome_muc::{may_query, occupant_id};
use metronome_proto::payload::muc::Role;
use metronome_proto::stanza::error::Condition;

use crate::world::{World, jid};

const CRONE: &str = "crone1@shakespeare.lit/desktop";
const WITCH: &str = "wiccarocks@shakespeare.lit/laptop";
const HAG: &str = "hag66@shakespeare.lit/pda";

fn two() -> World {
    let mut world = World::new();
    world.enter(CRONE, "firstwitch").unwrap();
    world.enter(WITCH, "secondwitch").unwrap();
    world.forget();
    world
}

fn with(fields: &[(&Field, &str)]) -> World {
    let mut world = two();
    let fields: Vec<_> = fields.iter().map(|(field, value)| (field.var, *value)).collect();
    world.configure(CRONE, &fields).unwrap();
    world.enter(HAG, "thirdwitch").unwrap();
    world.forget();
    world
}

#[test]
fn a_message_goes_to_everybody_with_its_id_and_those_of_the_room() {
    let mut world = two();
    world.say(WITCH, "<body>Harpier cries</body><x xmlns='urn:x'/>").unwrap();
    let id = occupant_id(&[7; 32], &jid(WITCH), None);
    let expected = format!(
        "<message from='coven@chat.shakespeare.lit/secondwitch' to='{CRONE}' id='m1' type='groupchat'>\
         <body>Harpier cries</body><x xmlns='urn:x'/><occupant-id xmlns='urn:xmpp:occupant-id:0' id='{id}'/>\
         <stanza-id xmlns='urn:xmpp:sid:0' by='coven@chat.shakespeare.lit' id='id1'/></message>"
    );
    assert_eq!(world.take(CRONE), [expected]);
    assert_eq!(world.take(WITCH).len(), 1);
}

#[test]
fn nobody_speaks_for_the_room_in_messages() {
    let mut world = two();
    world
        .say(
            WITCH,
            "<body>x</body><stanza-id xmlns='urn:xmpp:sid:0' by='coven@chat.shakespeare.lit' id='forged'/>\
             <occupant-id xmlns='urn:xmpp:occupant-id:0' id='forged'/>\
             <x xmlns='http://jabber.org/protocol/muc#user'><status code='100'/></x>\
             <delay xmlns='urn:xmpp:delay' from='coven@chat.shakespeare.lit' stamp='2002-09-10T23:08:25Z'/>",
        )
        .unwrap();
    let got = world.take(CRONE);
    assert!(!got[0].contains("forged") && !got[0].contains("muc#user") && !got[0].contains("<delay"), "{}", got[0]);
}

#[test]
fn who_is_not_there_or_has_no_voice_does_not_speak() {
    let mut world = with(&[(&MODERATED, "1")]);
    assert_eq!(world.say("stranger@x.lit/a", "<body>x</body>"), Err(Condition::NotAcceptable));
    assert_eq!(world.say(HAG, "<body>x</body>"), Err(Condition::Forbidden));
    assert_eq!(world.say(HAG, "<subject>x</subject>"), Err(Condition::Forbidden));
    world.limits.message_bytes_max = 20;
    assert_eq!(world.say(CRONE, "<body>much too long a text</body>"), Err(Condition::PolicyViolation));
    assert!(world.inboxes.is_empty() && world.archive.is_empty());
}

#[test]
fn what_is_not_worth_keeping_is_not_kept_and_carries_no_id() {
    let mut world = two();
    world.say(WITCH, "<composing xmlns='http://jabber.org/protocol/chatstates'/>").unwrap();
    world.say(WITCH, "<body>x</body><no-store xmlns='urn:xmpp:hints'/>").unwrap();
    assert!(world.archive.is_empty());
    assert!(world.take(CRONE).iter().all(|got| !got.contains("stanza-id")));
    world.say(WITCH, "<reactions xmlns='urn:xmpp:reactions:0' id='id1'/>").unwrap();
    assert_eq!(world.archive.len(), 1);
    world.configure(CRONE, &[(ARCHIVING.var, "0")]).unwrap();
    world.say(WITCH, "<body>x</body>").unwrap();
    assert_eq!(world.archive.len(), 1);
}

#[test]
fn the_subject_is_for_moderators_unless_the_room_says_otherwise() {
    let mut world = two();
    assert_eq!(world.say(WITCH, "<subject>mine</subject>"), Err(Condition::Forbidden));
    world.say(WITCH, "<subject>a mere message</subject><body>x</body>").unwrap();
    world.configure(CRONE, &[(CHANGE_SUBJECT.var, "1")]).unwrap();
    world.forget();
    world.say(WITCH, "<subject>mine</subject>").unwrap();
    assert!(world.take(CRONE)[0].contains("from='coven@chat.shakespeare.lit/secondwitch'"));
    let stored = world.stored.as_ref().unwrap().subject.as_deref().unwrap();
    assert!(stored.starts_with(b"<subject>mine</subject><occupant-id "));
    world.say(CRONE, "<subject/>").unwrap();
    assert_eq!(world.room().subject().unwrap().content.text(), "");
    world.limits.subject_bytes_max = 20;
    assert_eq!(world.say(CRONE, "<subject>much too long a text</subject>"), Err(Condition::PolicyViolation));
}

#[test]
fn private_messages_go_to_all_sessions_of_one_occupant() {
    let mut world = with(&[]);
    world.enter("hag66@shakespeare.lit/phone", "thirdwitch").unwrap();
    world.forget();
    world.tell(WITCH, "thirdwitch", "<body>psst</body>").unwrap();
    for session in [HAG, "hag66@shakespeare.lit/phone"] {
        let got = world.take(session);
        assert!(got[0].contains("from='coven@chat.shakespeare.lit/secondwitch'") && got[0].contains("type='chat'"));
        assert!(got[0].contains("muc#user") && got[0].contains("<occupant-id") && !got[0].contains("wiccarocks"));
    }
    assert!(world.inboxes.is_empty());
    assert_eq!(world.tell(WITCH, "nobody", "<body>x</body>"), Err(Condition::ItemNotFound));
    assert_eq!(world.tell("stranger@x.lit/a", "thirdwitch", "<body>x</body>"), Err(Condition::NotAcceptable));
    let (to, nick) = may_query(world.room(), &jid(WITCH), "firstwitch").unwrap();
    assert_eq!((to, nick), (&jid(CRONE), "secondwitch"));
}

#[test]
fn private_messages_are_for_whom_the_room_says() {
    let mut may = Vec::new();
    for value in ["anyone", "participants", "moderators", "none"] {
        let mut world = with(&[(&MODERATED, "1"), (&ALLOW_PM, value)]);
        world.admin(CRONE, "<item nick='secondwitch' role='participant'/>").unwrap();
        may.push([CRONE, WITCH, HAG].map(|who| {
            let other = if who == WITCH { "thirdwitch" } else { "secondwitch" };
            world.tell(who, other, "<body>x</body>").is_ok()
        }));
    }
    let expected = [[true, true, true], [true, true, false], [true, false, false], [false, false, false]];
    assert_eq!(may, expected);
}

#[test]
fn slow_mode_lets_everybody_but_admins_wait_whatever_the_session() {
    let mut world = with(&[(&SLOW_MODE, "20")]);
    world.say(WITCH, "<body>1</body>").unwrap();
    assert_eq!(world.say(WITCH, "<body>2</body>"), Err(Condition::PolicyViolation));
    world.say(WITCH, "<composing xmlns='http://jabber.org/protocol/chatstates'/>").unwrap();
    world.leave(WITCH).unwrap();
    world.enter("wiccarocks@shakespeare.lit/phone", "other").unwrap();
    assert_eq!(world.say("wiccarocks@shakespeare.lit/phone", "<body>2</body>"), Err(Condition::PolicyViolation));
    world.say(CRONE, "<body>1</body>").unwrap();
    world.say(CRONE, "<body>2</body>").unwrap();
    world.now_ms += 20_000;
    world.say("wiccarocks@shakespeare.lit/phone", "<body>2</body>").unwrap();
}

#[test]
fn a_moderator_takes_back_what_somebody_said() {
    let mut world = two();
    world.say(WITCH, "<body>free potions</body>").unwrap();
    world.forget();
    assert_eq!(world.moderate(WITCH, "id1"), Err(Condition::Forbidden));
    assert_eq!(world.moderate(CRONE, "id7"), Err(Condition::ItemNotFound));
    world.moderate(CRONE, "id1").unwrap();
    let got = world.take(WITCH);
    assert!(got[0].starts_with("<message from='coven@chat.shakespeare.lit' "), "{}", got[0]);
    assert!(got[0].contains("<retract xmlns='urn:xmpp:message-retract:1' id='id1'>"), "{}", got[0]);
    assert!(got[0].contains("urn:xmpp:message-moderate:0") && got[0].contains("<reason>rude</reason>"));
    let stone = String::from_utf8(world.archive[0].stanza.content.bytes().to_vec()).unwrap();
    assert!(stone.contains("<retracted") && stone.contains("<occupant-id") && !stone.contains("potions"), "{stone}");
    assert_eq!(world.moderate(CRONE, "id1"), Err(Condition::ItemNotFound), "once");
    world.enter(HAG, "thirdwitch").unwrap();
    assert!(world.take(HAG).iter().all(|got| !got.contains("potions") && !got.contains("wiccarocks")));
}

#[test]
fn everybody_takes_back_what_is_their_own() {
    let mut world = two();
    world.say(WITCH, "<body>oops</body>").unwrap();
    let retract = "<retract xmlns='urn:xmpp:message-retract:1' id='id1'/>";
    assert_eq!(world.say(CRONE, retract), Err(Condition::Forbidden));
    world.say(WITCH, retract).unwrap();
    let stone = String::from_utf8(world.archive[0].stanza.content.bytes().to_vec()).unwrap();
    assert!(stone.contains("<retracted") && !stone.contains("oops"), "{stone}");
    assert_eq!(world.archive.len(), 2);
}

#[test]
fn invitations_go_through_the_room_and_come_back_declined() {
    let mut world = two();
    world.mediated(WITCH, "<invite to='hecate@shakespeare.lit'><reason>Hey</reason></invite>").unwrap();
    let got = world.take("hecate@shakespeare.lit");
    assert!(
        got[0].contains("<invite from='coven@chat.shakespeare.lit/secondwitch'><reason>Hey</reason></invite>"),
        "{got:?}"
    );
    let decline = "<decline to='coven@chat.shakespeare.lit/secondwitch'><reason>too busy</reason></decline>";
    world.mediated("stranger@x.lit/a", decline).unwrap();
    assert!(world.inboxes.is_empty(), "nobody writes to others who was not invited");
    world.mediated("hecate@shakespeare.lit/broom", decline).unwrap();
    let got = world.take(WITCH);
    assert!(got[0].contains("<decline from='hecate@shakespeare.lit'><reason>too busy</reason></decline>"), "{got:?}");
    world.mediated("hecate@shakespeare.lit/broom", decline).unwrap();
    assert!(world.inboxes.is_empty(), "once");
    assert_eq!(world.mediated("stranger@x.lit/a", "<invite to='a@b'/>"), Err(Condition::NotAcceptable));
}

#[test]
fn who_invites_to_a_room_for_members_makes_members() {
    let mut world = two();
    world.admin(CRONE, "<item affiliation='member' jid='wiccarocks@shakespeare.lit'/>").unwrap();
    world.configure(CRONE, &[(MEMBERS_ONLY.var, "1"), (ALLOW_INVITES.var, "0")]).unwrap();
    assert_eq!(world.mediated(WITCH, "<invite to='hag66@shakespeare.lit'/>"), Err(Condition::Forbidden));
    world.configure(CRONE, &[(ALLOW_INVITES.var, "1")]).unwrap();
    world.mediated(WITCH, "<invite to='hag66@shakespeare.lit'/>").unwrap();
    world.enter(HAG, "thirdwitch").unwrap();
    world.admin(CRONE, "<item affiliation='outcast' jid='evil@x.lit'/>").unwrap();
    assert_eq!(world.mediated(CRONE, "<invite to='evil@x.lit'/>"), Err(Condition::NotAllowed));
    world.limits.invitees_max = 1;
    assert_eq!(world.mediated(CRONE, "<invite to='a@b'/><invite to='c@d'/>"), Err(Condition::PolicyViolation));
}

const ASK: &[(&str, &str)] = &[("FORM_TYPE", "http://jabber.org/protocol/muc#request"), ("muc#role", "participant")];

#[test]
fn a_visitor_asks_for_voice_and_a_moderator_gives_it() {
    let mut world = with(&[(&MODERATED, "1")]);
    world.voice(HAG, ASK).unwrap();
    let got = world.take(CRONE);
    assert!(got[0].contains("muc#request_allow") && got[0].contains("hag66@shakespeare.lit/pda"), "{got:?}");
    assert!(world.inboxes.is_empty(), "only moderators are asked");
    assert_eq!(world.voice(HAG, ASK), Err(Condition::PolicyViolation), "not again so soon");
    let answer = [ASK, &[("muc#roomnick", "thirdwitch"), ("muc#request_allow", "true")]].concat();
    assert_eq!(world.voice(HAG, &answer), Err(Condition::Forbidden));
    world.voice(CRONE, &answer).unwrap();
    assert_eq!(world.room().occupant("thirdwitch").unwrap().role, Role::Participant);
    assert!(world.take(WITCH)[0].contains("role='participant'"));
    assert_eq!(world.voice(HAG, ASK), Err(Condition::UnexpectedRequest));
}

#[test]
fn a_room_may_want_no_requests_for_voice() {
    let mut world = with(&[(&MODERATED, "1"), (&VOICE_REQUESTS, "0")]);
    assert_eq!(world.voice(HAG, ASK), Err(Condition::Forbidden));
}
