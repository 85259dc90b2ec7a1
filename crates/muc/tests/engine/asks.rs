//! More that somebody does to a room.

use metronome_muc::{HatRequest, Input, Room, Rows};
use metronome_proto::ns;
use metronome_proto::payload::data_form::{DataForm, Field, FormType};
use metronome_proto::payload::muc::{Registration, RegistrationDecision};
use metronome_proto::stanza::error::Condition;

use crate::world::{ROOM, World, jid};

impl World {
    /// A command about hats, with what is filled in; without any of it, the form is asked for.
    pub(crate) fn hats(&mut self, from: &str, command: &str, fields: &[(&str, &str)]) -> Result<String, Condition> {
        let node = format!("urn:xmpp:hats:commands:{command}");
        let form = DataForm::new(FormType::Submit).field(Field::hidden_form_type(ns::HATS_COMMANDS));
        let form = fields.iter().fold(form, |form, (var, value)| form.field(Field::untyped(*var).value(*value)));
        let request = HatRequest::read(&node, Some(&form).filter(|_| !fields.is_empty()));
        match request.map_err(|_| Condition::BadRequest)? {
            Some(request) => self.input(from, Input::Hats(&request)),
            None => self.input(from, Input::HatForm(&node)),
        }
    }

    /// An admin decides on the registration of somebody.
    pub(crate) fn approve(&mut self, from: &str, whom: &str, nick: &str, allow: bool) -> Result<String, Condition> {
        let registration = Registration { nick: nick.into(), ..Registration::default() };
        let answer = RegistrationDecision { jid: jid(whom).bare(), registration, allow };
        self.input(from, Input::Approve(&answer))
    }

    /// The room as it would be read by another process now, with nobody in it.
    pub(crate) fn read_again(&self) -> Room {
        let stored = self.stored.as_ref().expect("the room is stored");
        let affiliations = stored.affiliations.iter().map(|(jid, row)| (jid.clone(), row.clone())).collect();
        let (config, version) = (stored.config.clone(), stored.version);
        let creator = jid("creator@x.lit");
        Room::read(jid(ROOM), Rows { config, creator, secret: [7; 32], subject: None, version, affiliations })
    }
}
