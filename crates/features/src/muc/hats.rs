//! Hats of a room by commands (XEP-0317): the frame of XEP-0050 around what the crate `muc` decides. A command is one form at most, so
//! nothing is kept between two requests.

use metronome_muc::{HAT_COMMANDS, HatRequest};
use metronome_proto::jid::Jid;
use metronome_proto::ns;
use metronome_proto::payload::commands::{Action, Actions, Problem, Request, Response, Status};
use metronome_proto::payload::disco::{Item, Items};
use metronome_proto::stanza::StanzaError;
use metronome_proto::xml::{Child, Content};

/// The session of all commands.
const SESSION: &str = "hats";

/// A command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// Which.
    pub node: String,
    /// What is wanted; none if the form is, or nothing any more.
    pub request: Option<HatRequest>,
    /// Whether it was called off.
    pub status: Status,
}

impl Command {
    /// Reads `<command/>`.
    pub fn read(command: &Child<'_>) -> Result<Command, StanzaError> {
        let Request { node, session, action, form } = Request::read(command).map_err(StanzaError::from)?;
        if !HAT_COMMANDS.iter().any(|(known, _)| *known == node) {
            return Err(metronome_proto::stanza::error::Condition::ItemNotFound.into());
        }
        if session.is_some_and(|session| session != SESSION) {
            return Err(Problem::BadSession.into());
        }
        match action {
            Action::Cancel => return Ok(Command { node, request: None, status: Status::Canceled }),
            Action::Prev => return Err(Problem::BadAction.into()),
            Action::Execute | Action::Next | Action::Complete => {}
        }
        let request = HatRequest::read(&node, form.as_ref()).map_err(|_| StanzaError::from(Problem::BadPayload))?;
        let status = if request.is_some() { Status::Completed } else { Status::Executing };
        Ok(Command { node, request, status })
    }

    /// The answer, with what the room has answered.
    pub fn answer(&self, content: &Content) -> Content {
        let actions = Actions { execute: Action::Complete, has_previous: false };
        let response = Response {
            node: self.node.clone(),
            session: SESSION.into(),
            status: self.status,
            actions: (self.status == Status::Executing).then_some(actions),
            form: None,
            notes: Vec::new(),
        };
        let form = content.child(ns::DATA_FORMS, "x").map(|form| form.tree());
        Content::from_tree(&response.tree().children(form))
    }
}

/// The commands of a room.
pub fn items(room: &Jid) -> Items {
    let item = |(node, name): &(&str, &str)| Item {
        jid: room.clone(),
        node: Some((*node).to_owned()),
        name: Some((*name).to_owned()),
    };
    Items { node: Some(ns::COMMANDS.to_owned()), items: HAT_COMMANDS.iter().map(item).collect() }
}

#[cfg(test)]
mod tests {
    use metronome_proto::stanza::error::Condition;

    use super::*;

    fn read(xml: &str) -> Result<Command, Condition> {
        let content = Content::parse(xml.as_bytes()).unwrap();
        let command = content.iter().next().unwrap();
        Command::read(&command).map_err(|error| error.condition)
    }

    const HEAD: &str = "<command xmlns='http://jabber.org/protocol/commands' node='urn:xmpp:hats:commands:";

    #[test]
    fn a_command_begins_with_its_form_and_ends_with_it_filled_in() {
        let begun = read(&format!("{HEAD}assign' action='execute'/>")).unwrap();
        assert_eq!((&begun.request, begun.status), (&None, Status::Executing));
        let form = Content::parse(b"<x xmlns='jabber:x:data' type='form'/>").unwrap();
        let answer = String::from_utf8(begun.answer(&form).bytes().to_vec()).unwrap();
        assert!(answer.contains("status='executing'") && answer.contains("<x xmlns='jabber:x:data' type='form'/>"), "{answer}");
        let filled = format!(
            "{HEAD}assign' sessionid='hats'><x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE' type='hidden'><value>\
             urn:xmpp:hats:commands</value></field><field var='hats#jid'><value>terry.anderson@example.edu</value></field>\
             <field var='hats#uri'><value>urn:hat</value></field></x></command>"
        );
        let assign = HatRequest::Assign { jid: Jid::parse("terry.anderson@example.edu").unwrap(), uri: "urn:hat".into() };
        assert_eq!(read(&filled).unwrap().request, Some(assign));
        assert_eq!(read(&format!("{HEAD}list'/>")).unwrap().request, Some(HatRequest::List));
        assert_eq!(read(&format!("{HEAD}assign' action='cancel' sessionid='hats'/>")).unwrap().status, Status::Canceled);
    }

    #[test]
    fn what_is_no_such_command_is_refused() {
        assert_eq!(read(&format!("{HEAD}burn'/>")), Err(Condition::ItemNotFound));
        assert_eq!(read(&format!("{HEAD}assign' action='prev'/>")), Err(Condition::BadRequest));
        assert_eq!(read(&format!("{HEAD}assign' sessionid='other'/>")), Err(Condition::BadRequest));
        assert_eq!(read(&format!("{HEAD}destroy'><x xmlns='jabber:x:data' type='submit'/></command>")), Err(Condition::BadRequest));
    }
}
