//! The elements of rooms, read and written; property tests are in their own file.

mod hostile;
mod property;

use super::*;
use crate::ns;
use crate::payload::data_form::{DataForm, Field, FormType};
use crate::stanza::iq::IqType;
use crate::xml::Content;

fn content(xml: &str) -> Content {
    Content::parse(xml.as_bytes()).unwrap()
}

fn jid(text: &str) -> Jid {
    Jid::parse(text).unwrap()
}

fn written(tree: &Tree) -> String {
    String::from_utf8(tree.to_vec(ns::CLIENT)).unwrap()
}

/// Reads the one element of a text.
fn one<T>(xml: &str, read: impl Fn(&Child<'_>) -> Result<T, Malformed>) -> Result<T, Malformed> {
    read(&content(xml).iter().next().unwrap())
}

fn join(inside: &str) -> Result<Join, Malformed> {
    one(&format!("<x xmlns='http://jabber.org/protocol/muc'>{inside}</x>"), Join::read)
}

fn user(inside: &str) -> Result<UserX, Malformed> {
    one(&format!("<x xmlns='http://jabber.org/protocol/muc#user'>{inside}</x>"), UserX::read)
}

fn admin(kind: IqType, inside: &str) -> Result<AdminRequest, Malformed> {
    let xml = format!("<query xmlns='http://jabber.org/protocol/muc#admin'>{inside}</query>");
    one(&xml, |query| AdminRequest::read(kind, query))
}

fn owner(kind: IqType, inside: &str) -> Result<OwnerRequest, Malformed> {
    let xml = format!("<query xmlns='http://jabber.org/protocol/muc#owner'>{inside}</query>");
    one(&xml, |query| OwnerRequest::read(kind, query))
}

fn registration(inside: &str) -> Result<RegistrationRequest, Malformed> {
    one(&format!("<query xmlns='jabber:iq:register'>{inside}</query>"), RegistrationRequest::read)
}

#[test]
fn who_enters_says_what_is_wanted() {
    assert_eq!(join(""), Ok(Join::default()));
    let inside = "<history maxchars='65000' maxstanzas='20' seconds='180' since='1970-01-01T00:00:00.000Z'/>\
                  <password>cauldronburn</password><mav xmlns='urn:xmpp:muc:affiliations:1' since='9pacabr2q1'/>";
    let read = join(inside).unwrap();
    let history = History { maxchars: Some(65000), maxstanzas: Some(20), seconds: Some(180), since_ms: Some(0) };
    assert_eq!((read.password.as_deref(), read.history), (Some("cauldronburn"), history));
    assert_eq!(read.mav, Some(Mav { since: Some("9pacabr2q1".into()), until: None }));
    assert_eq!(written(&read.tree()), format!("<x xmlns='http://jabber.org/protocol/muc'>{inside}</x>"));
    assert!(!format!("{read:?}").contains("cauldronburn"), "passwords are in no log");
}

#[test]
fn what_rooms_tell_is_written_as_it_was_read() {
    for inside in [
        "",
        "<item affiliation='member' jid='hag66@shakespeare.lit/pda' role='participant'/><status code='110'/>",
        "<item affiliation='none' nick='oldhag' role='none'><actor jid='a@b' nick='Fluellen'/><reason>Avaunt!</reason></item>\
         <status code='307'/>",
        "<item/><destroy jid='coven@chat.shakespeare.lit'><reason>Macbeth</reason></destroy>",
        "<invite from='crone1@shakespeare.lit'><reason>Hey</reason><continue thread='e0ff'/></invite><password>p</password>",
        "<invite to='a@b'/><invite to='c@d'><continue/></invite>",
        "<decline to='crone1@shakespeare.lit'><reason>Busy</reason></decline>",
        "<mav xmlns='urn:xmpp:muc:affiliations:1' since='1' until='2'/><item affiliation='none' jid='peter@b'/>",
    ] {
        let tree = user(inside).unwrap().tree();
        let xml = written(&tree);
        let expected = match inside {
            "" => "<x xmlns='http://jabber.org/protocol/muc#user'/>".to_owned(),
            inside => format!("<x xmlns='http://jabber.org/protocol/muc#user'>{inside}</x>"),
        };
        assert_eq!(xml, expected);
    }
    let built = UserX::of(UserItem { role: Some(Role::None), ..UserItem::default() }).status(status::BANNED);
    assert_eq!(user("<item role='none'/><status code='301'/>"), Ok(built));
}

#[test]
fn people_are_listed_and_changed() {
    let lists = admin(IqType::Get, "<item affiliation='outcast'/><item role='moderator'/>").unwrap();
    assert_eq!(
        lists,
        AdminRequest::List(vec![Listing::Affiliation(Affiliation::Outcast), Listing::Role(Role::Moderator)])
    );
    let inside = "<item affiliation='outcast' jid='earlofcambridge@shakespeare.lit'><reason>Treason</reason></item>\
                  <item nick='pistol' role='none'/><item affiliation='member' jid='shakespeare.lit' nick=''/>";
    let set = admin(IqType::Set, inside).unwrap();
    assert_eq!(written(&set.tree()), format!("<query xmlns='http://jabber.org/protocol/muc#admin'>{inside}</query>"));
    let AdminRequest::Set(items) = set else { panic!("{set:?}") };
    assert_eq!(items[0].reason.as_deref(), Some("Treason"));
    assert_eq!((items[1].role, items[1].nick.as_deref()), (Some(Role::None), Some("pistol")));
    assert_eq!(items[2].nick.as_deref(), Some(""), "no nickname is reserved any more");
    // Whoever is meant is meant with every client.
    let full = admin(IqType::Set, "<item affiliation='admin' jid='a@b/c'/>").unwrap();
    assert_eq!(full, admin(IqType::Set, "<item affiliation='admin' jid='a@b'/>").unwrap());
}

#[test]
fn owners_configure_and_destroy() {
    assert_eq!(owner(IqType::Get, ""), Ok(OwnerRequest::Configuration));
    let instant = owner(IqType::Set, "<x xmlns='jabber:x:data' type='submit'/>").unwrap();
    assert_eq!(instant, OwnerRequest::Configure(DataForm::new(FormType::Submit)));
    assert!(owner(IqType::Set, "<x xmlns='jabber:x:data' type='cancel'/>").is_ok());
    let inside = "<destroy jid='coven@chat.shakespeare.lit'><password>p</password><reason>Macbeth</reason></destroy>";
    let end = owner(IqType::Set, inside).unwrap();
    assert_eq!(written(&end.tree()), format!("<query xmlns='http://jabber.org/protocol/muc#owner'>{inside}</query>"));
    let other = "<field var='FORM_TYPE'><value>urn:other</value></field>";
    for wrong in [
        "".to_owned(),
        "<x xmlns='jabber:x:data' type='form'/>".to_owned(),
        format!("<x xmlns='jabber:x:data' type='submit'>{other}</x>"),
        "<destroy/><x xmlns='jabber:x:data' type='submit'/>".to_owned(),
    ] {
        assert!(owner(IqType::Set, &wrong).is_err(), "{wrong}");
    }
}

#[test]
fn voice_is_asked_for_and_given() {
    let form = |kind, fields: &[(&str, &str)]| {
        let form = DataForm::new(kind).field(Field::hidden_form_type(ns::MUC_REQUEST));
        fields.iter().fold(form, |form, (var, value)| form.field(Field::untyped(*var).value(*value)))
    };
    let asked = form(FormType::Submit, &[("muc#role", "participant")]);
    assert!(VoiceForm::is(&asked));
    assert_eq!(VoiceForm::read(&asked), Ok(Some(VoiceForm::Ask(Role::Participant))));
    let decision = VoiceDecision {
        role: Role::Participant,
        jid: Some(jid("hag66@shakespeare.lit/pda")),
        nick: "thirdwitch".into(),
        allow: true,
    };
    let filled = DataForm { kind: FormType::Submit, ..decision.to_fill_in() };
    assert_eq!(VoiceForm::read(&filled), Ok(Some(VoiceForm::Decide(decision))));
    assert_eq!(VoiceForm::read(&form(FormType::Cancel, &[])), Ok(None));
    for wrong in [
        form(FormType::Form, &[]),
        form(FormType::Submit, &[("muc#role", "king")]),
        form(FormType::Submit, &[("muc#request_allow", "true")]),
        form(FormType::Submit, &[("muc#request_allow", "perhaps"), ("muc#roomnick", "x")]),
        form(FormType::Submit, &[("muc#request_allow", "1"), ("muc#roomnick", "x"), ("muc#jid", "@")]),
    ] {
        assert!(VoiceForm::read(&wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn registration_is_asked_for_and_decided() {
    assert_eq!(registration("<remove/>"), Ok(RegistrationRequest::Remove));
    assert!(registration("<remove/><remove/>").is_err());
    assert!(registration("<username>thirdwitch</username>").is_err(), "a form is required");
    assert_eq!(registration("<x xmlns='jabber:x:data' type='cancel'/>"), Ok(RegistrationRequest::Cancel));
    let form = |fields: &str| {
        registration(&format!(
            "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'>\
             <value>http://jabber.org/protocol/muc#register</value></field>{fields}</x>"
        ))
    };
    let nick = "<field var='muc#register_roomnick'><value>thirdwitch</value></field>";
    let read = form(&format!("{nick}<field var='muc#register_email'><value>hag66@witchesonline</value></field>"));
    let Ok(RegistrationRequest::Submit(wanted)) = read else { panic!("{read:?}") };
    assert_eq!((&*wanted.nick, wanted.lines[3].as_deref()), ("thirdwitch", Some("hag66@witchesonline")));
    assert!(form("").is_err());
    assert!(registration("<x xmlns='jabber:x:data' type='submit'/>").is_err(), "the type must be said");
    let mut form = DataForm { kind: FormType::Submit, ..wanted.to_decide(&jid("hag66@b/x")) };
    let decided = |allow| RegistrationDecision { jid: jid("hag66@b"), registration: wanted.clone(), allow };
    assert_eq!(RegistrationDecision::read(&form), Ok(Some(decided(false))));
    form.fields.last_mut().unwrap().values = vec!["true".into()];
    assert_eq!(RegistrationDecision::read(&form), Ok(Some(decided(true))));
    form.fields.retain(|field| field.var.as_deref() != Some("x-muc#register_jid"));
    assert!(RegistrationDecision::read(&form).is_err(), "it must be said whom");
    assert!(written(&Registration::registered(Some("x"))).contains("<registered/><username>x</username>"));
}

#[test]
fn direct_invitations_are_written_as_they_were_read() {
    let xml = "<x xmlns='jabber:x:conference' continue='true' jid='darkcave@macbeth.shakespeare.lit' password='cauldronburn' \
               reason='Hey!' thread='e0ffe42b'/>";
    let read = one(xml, Conference::read).unwrap();
    assert_eq!(written(&read.tree()), xml);
    assert!(!format!("{read:?}").contains("cauldronburn"));
    assert!(one("<x xmlns='jabber:x:conference'/>", Conference::read).is_err());
    assert!(one("<x xmlns='jabber:x:conference' jid='a@b' continue='yes'/>", Conference::read).is_err());
    let no_thread = one("<x xmlns='jabber:x:conference' jid='a@b' thread='t'/>", Conference::read).unwrap();
    assert_eq!(no_thread.continued, None);
}

#[test]
fn moderation_is_asked_for_in_two_forms_and_told_in_both() {
    let current = "<moderate xmlns='urn:xmpp:message-moderate:1' id='stanza-id-1'><retract xmlns='urn:xmpp:message-retract:1'/>\
                   <reason>Inappropriate</reason></moderate>";
    let older = "<apply-to xmlns='urn:xmpp:fasten:0' id='stanza-id-1'><moderate xmlns='urn:xmpp:message-moderate:0'>\
                 <retract xmlns='urn:xmpp:message-retract:0'/><reason>Inappropriate</reason></moderate></apply-to>";
    for (xml, form) in [(current, ModerationForm::Current), (older, ModerationForm::Older)] {
        assert!(Moderate::is(&content(xml).iter().next().unwrap()));
        let read = one(xml, Moderate::read).unwrap();
        assert_eq!((&*read.id, read.reason.as_deref(), read.form), ("stanza-id-1", Some("Inappropriate"), form));
        assert_eq!(one(&written(&read.tree()), Moderate::read), Ok(read));
        for wrong in [xml.replace("id='stanza-id-1'", "id=''"), xml.replace("<retract ", "<edit ")] {
            assert!(one(&wrong, Moderate::read).is_err(), "{wrong}");
        }
    }
    let told = Moderation {
        id: "stanza-id-1".into(),
        by: Some(jid("room@muc.example.com/macbeth")),
        occupant_id: Some("dd72".into()),
        reason: Some("Inappropriate".into()),
    };
    assert_eq!(
        written(&told.told(ModerationForm::Current)),
        "<retract xmlns='urn:xmpp:message-retract:1' id='stanza-id-1'>\
         <moderated xmlns='urn:xmpp:message-moderate:1' by='room@muc.example.com/macbeth'>\
         <occupant-id xmlns='urn:xmpp:occupant-id:0' id='dd72'/></moderated><reason>Inappropriate</reason></retract>"
    );
    assert!(
        written(&told.told(ModerationForm::Older))
            .starts_with("<apply-to xmlns='urn:xmpp:fasten:0' id='stanza-id-1'><moderated ")
    );
    assert_eq!(
        written(&told.tombstone(ModerationForm::Current, 0)),
        "<retracted xmlns='urn:xmpp:message-retract:1' stamp='1970-01-01T00:00:00.000Z'>\
         <moderated xmlns='urn:xmpp:message-moderate:1' by='room@muc.example.com/macbeth'>\
         <occupant-id xmlns='urn:xmpp:occupant-id:0' id='dd72'/></moderated><reason>Inappropriate</reason></retracted>"
    );
    let older = written(&told.tombstone(ModerationForm::Older, 0));
    assert!(older.starts_with("<moderated xmlns='urn:xmpp:message-moderate:0' by="), "{older}");
}

#[test]
fn hats_are_shown_and_made() {
    let xml = "<hats xmlns='urn:xmpp:hats:0'><hat title='Host' uri='http://schemas.example.com/hats#host' hue='327.255249' \
               xml:lang='en-us'/><hat title='Presenter' uri='urn:p'/></hats>";
    let read = one(xml, Hat::read_all).unwrap();
    assert_eq!(written(&hats::tree(&read)), xml);
    let form = |fields: &[(&str, &str)]| {
        let form = DataForm::new(FormType::Submit).field(Field::hidden_form_type(ns::HATS_COMMANDS));
        let form = fields.iter().fold(form, |form, (var, value)| form.field(Field::untyped(*var).value(*value)));
        Hat::of_form(&form)
    };
    let made = form(&[("hats#title", "Assistant"), ("hats#uri", "urn:a"), ("hats#hue", "359.999999999")]).unwrap();
    assert_eq!(&*made.title, "Assistant");
    assert!(form(&[("hats#title", "Assistant")]).is_err());
    for hue in ["360", "-1", "1.", ".5", "1e2", "0.1234567890", "NaN", "0360"] {
        assert!(form(&[("hats#title", "A"), ("hats#uri", "urn:a"), ("hats#hue", hue)]).is_err(), "{hue}");
    }
}

#[test]
fn occupant_ids_of_clients_are_taken_out() {
    let forged = content(
        "<body>x</body><occupant-id xmlns='urn:xmpp:occupant-id:0' id='a'/><occupant-id xmlns='urn:xmpp:occupant-id:0' id='b'/>",
    );
    assert_eq!(occupant_id(&forged).as_deref(), Some("a"));
    let clean = without_occupant_ids(forged);
    assert_eq!((&clean.bytes()[..], occupant_id(&clean)), (&b"<body>x</body>"[..], None));
    let own = Content::from_tree(&occupant_id_tree("dd72"));
    assert_eq!(occupant_id(&own).as_deref(), Some("dd72"));
    assert_eq!(
        occupant_id(&content(&format!("<occupant-id xmlns='urn:xmpp:occupant-id:0' id='{}'/>", "x".repeat(129)))),
        None
    );
}

#[test]
fn a_name_for_a_room_is_asked_for_without_one() {
    let ask = |inside: &str| {
        one(&format!("<unique xmlns='http://jabber.org/protocol/muc#unique'>{inside}</unique>"), unique::read)
    };
    assert_eq!(ask(""), Ok(()));
    assert!(ask("mine").is_err());
    assert_eq!(written(&unique::tree("6d94")), "<unique xmlns='http://jabber.org/protocol/muc#unique'>6d94</unique>");
}
