//! The forms with which visitors ask for voice and moderators give it (sections 7.13 and 8.6).

use super::{Role, nick_of};
use crate::jid::Jid;
use crate::ns;
use crate::payload::data_form::{DataForm, Field, FieldKind, FormType};
use crate::payload::{Malformed, truth};

/// What a form of this type says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VoiceForm {
    /// Section 7.13: somebody asks for a role.
    Ask(Role),
    /// Section 8.6: a moderator has decided.
    Decide(VoiceDecision),
}

/// What a moderator is asked, and has decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VoiceDecision {
    /// The role that was asked for.
    pub role: Role,
    /// By whom.
    pub jid: Option<Jid>,
    /// The nickname of that occupant.
    pub nick: Box<str>,
    /// Whether it is given.
    pub allow: bool,
}

impl VoiceForm {
    /// Whether a form is one of these.
    pub fn is(form: &DataForm) -> bool {
        form.form_type() == Some(ns::MUC_REQUEST)
    }

    /// Reads a form that was filled in. One that was cancelled says nothing.
    pub fn read(form: &DataForm) -> Result<Option<VoiceForm>, Malformed> {
        match form.kind {
            FormType::Submit => {}
            FormType::Cancel => return Ok(None),
            FormType::Form | FormType::Result => return Err(Malformed("a form that was not filled in")),
        }
        // Older clients leave the role out when they decide.
        let role = form.value("muc#role").map_or(Some(Role::Participant), Role::of);
        let role = role.ok_or(Malformed("a role that there is not"))?;
        let Some(allow) = form.value("muc#request_allow") else { return Ok(Some(VoiceForm::Ask(role))) };
        let nick = form.value("muc#roomnick").map_or(Ok(None), nick_of)?.ok_or(Malformed("a decision about nobody"))?;
        let jid = form.value("muc#jid").filter(|jid| !jid.is_empty()).map(Jid::parse).transpose();
        Ok(Some(VoiceForm::Decide(VoiceDecision {
            role,
            jid: jid.map_err(|_| Malformed("an address that is none"))?,
            nick,
            allow: truth(allow).ok_or(Malformed("a decision that is none"))?,
        })))
    }
}

impl VoiceDecision {
    /// The form that a moderator is sent. The texts are for humans.
    pub fn to_fill_in(&self) -> DataForm {
        let form = DataForm::new(FormType::Form)
            .titled("Voice request")
            .instruct("Choose whether this person may speak in the room.")
            .field(Field::hidden_form_type(ns::MUC_REQUEST))
            .field(Field::new("muc#role", FieldKind::ListSingle).label("Requested role").value(self.role.as_str()));
        let form = match &self.jid {
            Some(jid) => form.field(Field::new("muc#jid", FieldKind::JidSingle).label("User").value(jid.as_str())),
            None => form,
        };
        let allow = Field::new("muc#request_allow", FieldKind::Boolean).label("Let this person speak?");
        form.field(Field::text_single("muc#roomnick").label("Nickname").value(&*self.nick))
            .field(allow.value(if self.allow { "1" } else { "0" }))
    }
}
