//! The forms of the commands about hats (XEP-0317): what is to be filled in, and the lists that come back.

use metronome_proto::ns;
use metronome_proto::payload::data_form::{DataForm, Field, FieldKind, FormType, Table};
use metronome_proto::payload::muc::{Affiliation, Hat, Role, hats};
use metronome_proto::stanza::StanzaError;
use metronome_proto::stanza::error::Condition;
use metronome_proto::xml::Content;

use crate::decision::{Decision, Effect, Verdict};
use crate::facts::Facts;
use crate::hats as rules;
use crate::room::Room;

/// What is to be filled in for a command.
pub(crate) fn ask(room: &Room, facts: &Facts<'_>, node: &str) -> Verdict {
    rules::refuse(room, facts)?;
    let form = |title: &str| {
        let form = DataForm::new(FormType::Form).titled(title).instruct("Fill out this form.");
        form.field(Field::hidden_form_type(ns::HATS_COMMANDS))
    };
    let which = room
        .hats
        .iter()
        .fold(Field::new(hats::URI_FIELD, FieldKind::ListSingle), |field, hat| field.option(&*hat.title, &*hat.uri));
    let which = which.label("Hat").required();
    let whose = Field::new(hats::JID_FIELD, FieldKind::JidSingle).label("Address").required();
    let form = match node {
        hats::CREATE => form("Making a hat")
            .field(Field::text_single(hats::TITLE_FIELD).label("Title").required())
            .field(Field::text_single(hats::URI_FIELD).label("URI").required())
            .field(Field::text_single(hats::HUE_FIELD).label("Hue")),
        hats::DESTROY => form("Destroying a hat").field(which),
        hats::ASSIGN => form("Giving a hat").field(whose).field(which),
        hats::UNASSIGN => form("Taking a hat").field(whose).field(which),
        _ => return Err(Condition::ItemNotFound.into()),
    };
    Ok(reply(&form))
}

/// All hats, for those who are there or belong there.
pub(crate) fn all(room: &Room, facts: &Facts<'_>) -> Verdict {
    let affiliation = room.standing(facts);
    if affiliation < Affiliation::Member && room.role(facts) == Role::None {
        return Err(StanzaError::new(Condition::Forbidden));
    }
    let columns = [hats::TITLE_FIELD, hats::URI_FIELD, hats::HUE_FIELD];
    let rows = room.hats.iter().map(|hat| vec![hat.title.to_string(), hat.uri.to_string(), hue(hat)]).collect();
    Ok(reply(&table("Hats", &columns, rows)))
}

/// Who wears which.
pub(crate) fn assigned(room: &Room) -> Decision {
    let columns = [hats::JID_FIELD, hats::URI_FIELD, hats::TITLE_FIELD, hats::HUE_FIELD];
    let mut rows = Vec::new();
    for (jid, row) in room.affiliations.iter().filter(|(_, row)| !row.hats.is_empty()) {
        let worn = row.hats.iter().filter_map(|uri| room.hats.iter().find(|hat| hat.uri == *uri));
        rows.extend(worn.map(|hat| vec![jid.to_string(), hat.uri.to_string(), hat.title.to_string(), hue(hat)]));
    }
    reply(&table("Hats that are worn", &columns, rows))
}

fn hue(hat: &Hat) -> String {
    hat.hue.as_deref().unwrap_or_default().to_owned()
}

fn table(title: &str, columns: &[&str], rows: Vec<Vec<String>>) -> DataForm {
    let reported = columns.iter().map(|var| Field::untyped(*var)).collect();
    DataForm::new(FormType::Result).titled(title).table(Table { reported, rows })
}

fn reply(form: &DataForm) -> Decision {
    Decision { effects: vec![Effect::Reply(Content::from_tree(&form.tree()))], ..Decision::default() }
}
