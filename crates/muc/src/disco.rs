//! What everybody may know of a room (section 6.4): features that follow from its configuration, and the form about it.

use metronome_proto::ns;
use metronome_proto::payload::data_form::{DataForm, Field, FieldKind, FormType};
use metronome_proto::payload::muc::hats::HASH_FIELD;

use crate::archive;
use crate::config::{self, ARCHIVING, MEMBERS_ONLY, NAME, PUBLIC, Shown, Table};
use crate::hats;
use crate::room::{Room, State};

/// The hashes of its picture (XEP-0486).
const AVATAR: &str = "muc#roominfo_avatarhash";

/// The features of any room that keeps to what this crate does.
pub const FEATURES: &[&str] = &[
    ns::MUC,
    ns::MUC_STABLE_ID,
    ns::SELF_PING_OPTIMIZATION,
    ns::OCCUPANT_ID,
    ns::REGISTER,
    ns::MUC_REQUEST,
    ns::VCARD,
    ns::BOB,
    ns::HATS,
    ns::MUC_AFFILIATIONS,
];

/// The features of this room: those of any, and one or the other for what can be configured.
pub fn features(room: &Room, table: &Table) -> Vec<&'static str> {
    let chosen = table.fields().iter().filter_map(|field| match field.shown {
        Shown::Feature(on, off) => Some(if room.config.is_on(field) { on } else { off }),
        _ => None,
    });
    let whois = if room.is_open_about_addresses() { "muc_nonanonymous" } else { "muc_semianonymous" };
    let archive = if room.config.is_on(&ARCHIVING) { archive::FEATURES } else { &[] };
    FEATURES.iter().copied().chain(archive.iter().copied()).chain(chosen).chain([whois]).collect()
}

/// Its name for humans; none if nobody gave it one.
pub fn name(room: &Room) -> Option<&str> {
    Some(room.config.text(&NAME)).filter(|name| !name.is_empty())
}

/// Whether it is in the list of rooms.
pub fn is_listed(room: &Room) -> bool {
    room.state == State::Open && room.config.is_on(&PUBLIC)
}

/// The form about it; how many are in it is no secret, who they are is.
pub fn info(room: &Room, table: &Table) -> DataForm {
    let form = DataForm::new(FormType::Result).field(Field::hidden_form_type(ns::MUC_ROOMINFO));
    let subject = room.subject.as_ref().and_then(|subject| subject.content.child(ns::CLIENT, "subject"));
    let subject = subject.map(|subject| subject.text().into_owned()).unwrap_or_default();
    let form = form.field(Field::text_single("muc#roominfo_occupants").value(room.occupants.len().to_string()));
    // What is spoken of where not everybody may enter is no affair of those who ask from outside (section 13.4).
    let form = if room.config.is_on(&MEMBERS_ONLY) {
        form
    } else {
        form.field(Field::text_single("muc#roominfo_subject").value(subject))
    };
    let form =
        hats::hash(room).into_iter().fold(form, |form, hash| form.field(Field::text_single(HASH_FIELD).value(hash)));
    let form = match &*room.avatar {
        [] => form,
        hashes => form.field(Field::new(AVATAR, FieldKind::TextMulti).values(hashes.iter().map(|hash| &**hash))),
    };
    table.fields().iter().fold(form, |form, field| match field.shown {
        Shown::Info(var) => form.field(shown(room, field, var)),
        _ => form,
    })
}

fn shown(room: &Room, field: &config::Field, var: &str) -> Field {
    Field::text_single(var).label(field.label).values(room.config.list(field))
}
