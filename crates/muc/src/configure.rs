//! The configuration of a room by its owners (sections 10.1 and 10.2): the form, what it changes, and what everybody is told of it.

use metronome_proto::jid::Jid;
use metronome_proto::payload::data_form::{DataForm, Field, FieldKind, FormType};
use metronome_proto::payload::muc::{Affiliation, Destroy, OwnerRequest, Role, configuration_tree, status};
use metronome_proto::stanza::MessageType;
use metronome_proto::stanza::StanzaError;
use metronome_proto::stanza::error::Condition;
use metronome_proto::xml::Content;

use crate::admin;
use crate::affiliated::Affiliated;
use crate::config::{Config, LOGGED_SINCE, LOGGING, MEMBERS_ONLY, SHOW_ABSENT, WHOIS};
use crate::create;
use crate::decision::{Decision, Effect, RoomOp, Verdict};
use crate::destroy;
use crate::draft::{Cause, Draft};
use crate::facts::Facts;
use crate::logs;
use crate::presence;
use crate::role::default_role;
use crate::room::{Room, State};
use crate::step::Step;

const ADMINS: &str = "muc#roomconfig_roomadmins";
const OWNERS: &str = "muc#roomconfig_roomowners";

pub(crate) fn decide(room: &Room, facts: &Facts<'_>, request: &OwnerRequest) -> Verdict {
    if room.standing(facts) != Affiliation::Owner {
        return Err(Condition::Forbidden.into());
    }
    match request {
        OwnerRequest::Configuration => Ok(reply(Content::from_tree(&configuration_tree(&form(room, facts))))),
        OwnerRequest::Configure(form) if form.kind == FormType::Cancel => Ok(cancel(room, facts)),
        OwnerRequest::Configure(form) => submit(room, facts, form),
        OwnerRequest::Destroy(request) => destroy::destroy(room, facts, request),
    }
}

fn reply(content: Content) -> Decision {
    Decision { effects: vec![Effect::Reply(content)], ..Decision::default() }
}

/// The fields of the table, and those who own and administrate it.
fn form(room: &Room, facts: &Facts<'_>) -> DataForm {
    let people = |var, label: &str, affiliation| {
        let rows = room.affiliations.iter().filter(move |(_, row)| row.affiliation == affiliation);
        Field::new(var, FieldKind::JidMulti).label(label).values(rows.map(|(jid, _)| jid.as_str()))
    };
    let form = facts.table.form(&room.config);
    form.field(people(ADMINS, "Admins", Affiliation::Admin)).field(people(OWNERS, "Owners", Affiliation::Owner))
}

/// Section 10.1.3: a room that nobody has configured is destroyed; any other stays as it is.
fn cancel(room: &Room, facts: &Facts<'_>) -> Decision {
    if room.state == State::Open {
        return reply(Content::empty());
    }
    destroy::end(room, facts, &Destroy::default())
}

/// A form without fields takes a new room as it is (section 10.1.2).
fn submit(room: &Room, facts: &Facts<'_>, form: &DataForm) -> Verdict {
    let config = facts.table.submit(&room.config, form, facts.limits)?;
    let config = logs::dated(&room.config, config, facts.now_ms);
    let mut draft = Draft::new(room, facts);
    draft.decision.effects.push(Effect::Reply(Content::empty()));
    if config != room.config {
        draft.store(RoomOp::Configure(config.encode()));
        draft.step(Step::Configure(config));
    }
    if room.state == State::Locked {
        create::unlock(&mut draft);
    }
    set_people(&mut draft, form)?;
    admin::refuse_without_owner(room, &draft.room)?;
    remove_strangers(&mut draft, &room.config);
    tell(&mut draft, room);
    Ok(draft.finish())
}

/// The fields with admins and owners say all of them, not only those who are new (sections 10.5 and 10.8).
fn set_people(draft: &mut Draft<'_>, form: &DataForm) -> Result<(), StanzaError> {
    let given = [(OWNERS, Affiliation::Owner), (ADMINS, Affiliation::Admin)];
    let mut named = Vec::new();
    for (var, affiliation) in given {
        let Some(field) = form.get(var) else { continue };
        let people = field.values.iter().map(|value| value.trim()).filter(|value| !value.is_empty());
        let people = people.map(account).collect::<Result<Vec<_>, _>>()?;
        if draft.room.affiliations.len() + people.len() > draft.facts.limits.affiliations_max {
            return Err(Condition::ResourceConstraint.into());
        }
        named.push((affiliation, people));
    }
    for (affiliation, people) in &named {
        for jid in people {
            change(draft, jid, *affiliation);
        }
    }
    for (affiliation, people) in &named {
        let is_left_out = |jid: &Jid| !named.iter().any(|(_, people)| people.contains(jid));
        let rows = draft.room.affiliations.iter().filter(|(_, row)| row.affiliation == *affiliation);
        let left: Vec<_> =
            rows.map(|(jid, _)| jid.clone()).filter(|jid| !people.contains(jid) && is_left_out(jid)).collect();
        left.iter().for_each(|jid| change(draft, jid, Affiliation::Member));
    }
    Ok(())
}

fn account(text: &str) -> Result<Jid, StanzaError> {
    let jid = Jid::parse(text).map(|jid| jid.bare()).ok().filter(|jid| jid.local().is_some());
    jid.ok_or_else(|| StanzaError::new(Condition::NotAcceptable).with_text("This is not the address of a person"))
}

fn change(draft: &mut Draft<'_>, jid: &Jid, affiliation: Affiliation) {
    let row = draft.room.affiliations.get(jid).cloned().unwrap_or_default();
    if row.affiliation != affiliation {
        admin::affiliate(draft, jid, Affiliated { affiliation, ..row }, Cause::default());
    }
}

/// Section 10.2: a room that is for members only from now on has nobody else in it.
fn remove_strangers(draft: &mut Draft<'_>, before: &Config) {
    if before.is_on(&MEMBERS_ONLY) || !draft.room.config.is_on(&MEMBERS_ONLY) {
        return;
    }
    let room = &draft.room;
    let own = room.occupant_of(draft.facts.from).map(|occupant| occupant.nick.clone());
    let is_out = |jid: &Jid| default_role(&room.config, room.affiliation(jid)) == Role::None;
    let out = room.occupants.values().filter(|occupant| is_out(&occupant.jid) && Some(&occupant.nick) != own.as_ref());
    let out: Vec<_> = out.map(|occupant| occupant.nick.clone()).collect();
    out.iter().for_each(|nick| draft.remove(nick, &[status::NOT_MEMBER], Cause::default()));
}

/// Section 10.2.1: what everybody is told, by codes.
fn tell(draft: &mut Draft<'_>, before: &Room) {
    let (old, new) = (&before.config, &draft.room.config);
    if old == new || before.state == State::Locked {
        return;
    }
    let mut codes = Vec::new();
    let (is_logged, was_logged) = (new.is_on(&LOGGING), old.is_on(&LOGGING));
    if is_logged != was_logged {
        codes.push(if is_logged { status::LOGGED } else { status::NOT_LOGGED });
    }
    if new.text(&WHOIS) != old.text(&WHOIS) {
        let is_open = draft.room.is_open_about_addresses();
        codes.push(if is_open { status::NOW_NON_ANONYMOUS } else { status::NOW_SEMI_ANONYMOUS });
    }
    let (shows, showed) = (new.is_on(&SHOW_ABSENT), old.is_on(&SHOW_ABSENT));
    if shows != showed {
        codes.push(if shows { status::SHOWS_UNAVAILABLE } else { status::HIDES_UNAVAILABLE });
    }
    let is_all = other_fields_same(old, new);
    if !is_all {
        codes.push(status::CONFIGURED);
    }
    let everybody = draft.room.sessions.keys().cloned().collect();
    let notice = presence::notice(&draft.room, &presence::codes(&codes), MessageType::Groupchat, everybody);
    draft.decision.send(notice);
}

/// Whether nothing but the fields with codes of their own differs.
fn other_fields_same(old: &Config, new: &Config) -> bool {
    let (mut old, mut new) = (old.clone(), new.clone());
    for field in [&LOGGING, &LOGGED_SINCE, &WHOIS, &SHOW_ABSENT] {
        let default = field.default.first().copied().unwrap_or_default();
        (old, new) = (old.with(field, default), new.with(field, default));
    }
    old == new
}
