//! What is asked of a room about hats: a command of XEP-0317 and the form that was filled in for it.

use metronome_proto::jid::Jid;
use metronome_proto::ns;
use metronome_proto::payload::Malformed;
use metronome_proto::payload::data_form::{DataForm, FormType};
use metronome_proto::payload::muc::{Hat, hats};

/// The commands, each with its name for humans.
pub const HAT_COMMANDS: &[(&str, &str)] = &[
    (hats::CREATE, "Make or change a hat"),
    (hats::DESTROY, "Destroy a hat"),
    (hats::LIST, "List all hats"),
    (hats::ASSIGN, "Give somebody a hat"),
    (hats::UNASSIGN, "Take a hat from somebody"),
    (hats::LIST_ASSIGNED, "List who wears which hat"),
];

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HatRequest {
    /// A new hat, or another look for the one with this URI.
    Make(Hat),
    /// There is no such hat any more.
    Destroy(Box<str>),
    /// Somebody, a bare address, wears it from now on.
    Assign {
        /// Who.
        jid: Jid,
        /// Which.
        uri: Box<str>,
    },
    /// They do no more.
    Unassign {
        /// Who.
        jid: Jid,
        /// Which.
        uri: Box<str>,
    },
    /// Which hats there are.
    List,
    /// Who wears which.
    ListAssigned,
}

impl HatRequest {
    /// Reads a command with what was filled in; none if there is a form to be filled in first ([`Input::HatForm`](crate::Input::HatForm)).
    pub fn read(node: &str, form: Option<&DataForm>) -> Result<Option<HatRequest>, Malformed> {
        match node {
            hats::LIST => return Ok(Some(HatRequest::List)),
            hats::LIST_ASSIGNED => return Ok(Some(HatRequest::ListAssigned)),
            hats::CREATE | hats::DESTROY | hats::ASSIGN | hats::UNASSIGN => {}
            _ => return Err(Malformed("no such command")),
        }
        let Some(form) = form else { return Ok(None) };
        if node == hats::CREATE {
            return Hat::of_form(form).map(HatRequest::Make).map(Some);
        }
        if form.kind != FormType::Submit || form.form_type() != Some(ns::HATS_COMMANDS) {
            return Err(Malformed("a form for something else"));
        }
        let uri = form.value(hats::URI_FIELD).map(str::trim).filter(|uri| !uri.is_empty());
        let uri = Box::from(uri.ok_or(Malformed("a hat without a URI"))?);
        if node == hats::DESTROY {
            return Ok(Some(HatRequest::Destroy(uri)));
        }
        let jid = form.value(hats::JID_FIELD).and_then(|jid| Jid::parse(jid.trim()).ok());
        let jid = jid.filter(|jid| jid.local().is_some()).ok_or(Malformed("a hat for nobody"))?.bare();
        let is_given = node == hats::ASSIGN;
        Ok(Some(if is_given { HatRequest::Assign { jid, uri } } else { HatRequest::Unassign { jid, uri } }))
    }
}
