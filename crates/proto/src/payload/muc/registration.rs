//! Registration with a room (section 7.10): the form of who wants to be a member with a nickname of their own, and the form with which
//! an administrator decides (section 9.9). The elements are those of XEP-0077.

use super::{REASON_BYTES_MAX, bounded, nick_of};
use crate::jid::Jid;
use crate::ns;
use crate::payload::data_form::{DataForm, Field, FieldKind, FormType};
use crate::payload::{Malformed, truth};
use crate::xml::{Child, Tree};

/// Lines of text about a person: field, label.
const LINES: [(&str, &str); 4] = [
    ("muc#register_first", "Given name"),
    ("muc#register_last", "Family name"),
    ("muc#register_url", "Web page"),
    ("muc#register_email", "Email address"),
];
const NICK: &str = "muc#register_roomnick";
const FAQ_ENTRY: &str = "muc#register_faqentry";
const ALLOW: &str = "muc#register_allow";
/// Who asks; the registered fields do not say it.
const JID: &str = "x-muc#register_jid";

/// What somebody asks of a room with an iq-set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RegistrationRequest {
    /// To be registered.
    Submit(Registration),
    /// To be so no more.
    Remove,
    /// Nothing after all: the form was cancelled.
    Cancel,
}

/// What somebody says about themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Registration {
    /// The nickname that is to be theirs.
    pub nick: Box<str>,
    /// The given name, the family name, a web page and an email address, as they were written.
    pub lines: [Option<Box<str>>; 4],
    /// Lines for a list of people.
    pub faq_entry: Vec<String>,
}

/// What an administrator has decided on the registration of somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistrationDecision {
    /// Of whom: a bare address.
    pub jid: Jid,
    /// What they wanted.
    pub registration: Registration,
    /// Whether they get it.
    pub allow: bool,
}

impl RegistrationDecision {
    /// Reads a form that is one of [`Registration::to_decide`] and was filled in; none if it is another one.
    pub fn read(form: &DataForm) -> Result<Option<RegistrationDecision>, Malformed> {
        let Some(allow) = form.value(ALLOW).filter(|_| form.kind == FormType::Submit) else { return Ok(None) };
        let allow = truth(allow).ok_or(Malformed("a decision that is none"))?;
        let jid = form.value(JID).and_then(|jid| Jid::parse(jid).ok()).filter(|jid| jid.local().is_some());
        let jid = jid.ok_or(Malformed("a decision about nobody"))?.bare();
        Ok(Some(RegistrationDecision { jid, registration: Registration::of(form)?, allow }))
    }
}

impl RegistrationRequest {
    /// Reads `<query/>` of an iq-set: there is a form, or the removal alone.
    pub fn read(query: &Child<'_>) -> Result<RegistrationRequest, Malformed> {
        if query.child(ns::REGISTER, "remove").is_some() {
            let alone = query.children().count() == 1;
            return alone.then_some(RegistrationRequest::Remove).ok_or(Malformed("more than the removal"));
        }
        let form = query.child(ns::DATA_FORMS, "x").ok_or(Malformed("a registration without a form"))?;
        let form = DataForm::read(&form)?;
        match form.kind {
            FormType::Cancel => Ok(RegistrationRequest::Cancel),
            FormType::Submit => Registration::of(&form).map(RegistrationRequest::Submit),
            FormType::Form | FormType::Result => Err(Malformed("a form that was not filled in")),
        }
    }

    /// The element, as a client writes it.
    pub fn tree(&self) -> Tree {
        let query = element("query");
        match self {
            RegistrationRequest::Remove => query.child(element("remove")),
            RegistrationRequest::Cancel => query.child(DataForm::new(FormType::Cancel).tree()),
            RegistrationRequest::Submit(registration) => query.child(registration.form(FormType::Submit).tree()),
        }
    }
}

impl Registration {
    /// Reads what was filled in; the type of the form must be said.
    fn of(form: &DataForm) -> Result<Registration, Malformed> {
        if form.form_type() != Some(ns::MUC_REGISTER) {
            return Err(Malformed("a form for something else"));
        }
        let nick = form.value(NICK).map_or(Ok(None), nick_of)?.ok_or(Malformed("a registration without a nickname"))?;
        let mut lines: [Option<Box<str>>; 4] = Default::default();
        for (line, (var, _)) in lines.iter_mut().zip(LINES) {
            *line = form.value(var).map_or(Ok(None), |text| bounded(text, REASON_BYTES_MAX))?;
        }
        let faq_entry = form.get(FAQ_ENTRY).map(|field| field.values.clone()).unwrap_or_default();
        if faq_entry.iter().map(String::len).sum::<usize>() > REASON_BYTES_MAX {
            return Err(Malformed("a text that is too long"));
        }
        Ok(Registration { nick, lines, faq_entry })
    }

    /// What is to be filled in: `<query/>` with a form that asks for no more than the nickname.
    pub fn to_fill_in(title: &str) -> Tree {
        let form = DataForm::new(FormType::Form)
            .titled(title)
            .instruct("Choose the nickname that is to be yours in this room.")
            .field(Field::hidden_form_type(ns::MUC_REGISTER))
            .field(Field::text_single(NICK).label("Nickname").required());
        element("query").child(element("instructions").text("Fill in the form to register.")).child(form.tree())
    }

    /// What somebody is told who is registered; the nickname, if one is reserved.
    pub fn registered(nick: Option<&str>) -> Tree {
        let username = nick.map(|nick| element("username").text(nick));
        element("query").child(element("registered")).children(username)
    }

    /// The form with which an administrator decides on the registration of this address (section 9.9). The texts are for humans.
    pub fn to_decide(&self, jid: &Jid) -> DataForm {
        let jid = Field::new(JID, FieldKind::JidSingle).label("Address").value(jid.bare_str());
        let allow = Field::new(ALLOW, FieldKind::Boolean).label("Let this person register?").value("0");
        self.form(FormType::Form)
            .titled("Registration request")
            .instruct("Choose whether this person becomes a member of the room.")
            .field(jid)
            .field(allow)
    }

    fn form(&self, kind: FormType) -> DataForm {
        let mut form = DataForm::new(kind)
            .field(Field::hidden_form_type(ns::MUC_REGISTER))
            .field(Field::text_single(NICK).label("Nickname").value(&*self.nick));
        for (line, (var, label)) in self.lines.iter().zip(LINES) {
            if let Some(line) = line {
                form = form.field(Field::text_single(var).label(label).value(&**line));
            }
        }
        if self.faq_entry.is_empty() {
            return form;
        }
        form.field(Field::new(FAQ_ENTRY, FieldKind::TextMulti).label("FAQ entry").values(self.faq_entry.iter()))
    }
}

fn element(name: &str) -> Tree {
    Tree::new(ns::REGISTER, name)
}
