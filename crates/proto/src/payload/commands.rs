//! XEP-0050: Ad-Hoc Commands: a request that begins a command or goes on with it, and the answer with a form, notes and what can be
//! done next.

use super::Malformed;
use super::data_form::{DataForm, FormType};
use crate::ns;
use crate::stanza::StanzaError;
use crate::stanza::error::{Condition, ErrorType};
use crate::xml::{Child, Tree};

/// Longest node or session id that is read, in bytes; nobody has longer ones.
const NAME_BYTES_MAX: usize = 1024;

/// What is asked for (section 4.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Which command.
    pub node: String,
    /// The session that goes on; none begins one.
    pub session: Option<String>,
    /// What to do.
    pub action: Action,
    /// What was filled in.
    pub form: Option<DataForm>,
}

/// What the other side wants (section 4.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Action {
    /// Go on in the usual way.
    #[default]
    Execute,
    /// To the next form.
    Next,
    /// Back to the form before.
    Prev,
    /// To the end.
    Complete,
    /// Do not do it after all.
    Cancel,
}

/// Why a request is refused, beside what is wrong in general (section 4.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Problem {
    /// There is no such action.
    MalformedAction,
    /// The action is not possible now.
    BadAction,
    /// What was filled in cannot be used.
    BadPayload,
    /// This is no id of a session.
    BadSession,
    /// There is no such session any more.
    SessionExpired,
}

/// Why a request cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unreadable {
    /// It names no command.
    NoNode,
    /// Its command's name is longer than any.
    NoSuchNode,
    /// Something in it cannot be used.
    Problem(Problem),
    /// The form is no form.
    Form(Malformed),
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// Which command.
    pub node: String,
    /// Its session.
    pub session: String,
    /// How far it is.
    pub status: Status,
    /// What is possible now, while it is executed.
    pub actions: Option<Actions>,
    /// What is to be filled in, or what came of it.
    pub form: Option<DataForm>,
    /// What humans are told.
    pub notes: Vec<Note>,
}

/// How far a command is (section 4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// It waits for more.
    Executing,
    /// It was done, or could not be done.
    Completed,
    /// It was called off.
    Canceled,
}

/// What is possible while a command is executed (section 4.2): the usual way on, and perhaps back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Actions {
    /// The usual way: to the next form or to the end.
    pub execute: Action,
    /// Whether there is a form before.
    pub has_previous: bool,
}

/// Something for humans (section 4.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// How serious it is.
    pub kind: NoteType,
    /// The text.
    pub text: String,
}

/// How serious a note is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NoteType {
    /// It is good to know.
    Info,
    /// Something may be wrong.
    Warn,
    /// It was not done.
    Error,
}

impl Request {
    /// Reads `<command/>`.
    pub fn read(command: &Child<'_>) -> Result<Request, Unreadable> {
        let node = command.attr("node").filter(|node| !node.is_empty()).ok_or(Unreadable::NoNode)?;
        if node.len() > NAME_BYTES_MAX {
            return Err(Unreadable::NoSuchNode);
        }
        let session = command.attr("sessionid");
        if session.as_ref().is_some_and(|id| id.is_empty() || id.len() > NAME_BYTES_MAX) {
            return Err(Problem::BadSession.into());
        }
        let action = match command.attr("action") {
            Some(action) => Action::of(&action).ok_or(Problem::MalformedAction)?,
            None => Action::Execute,
        };
        // A form that calls something off counts as one that was filled in (section 3.5.1).
        let form = command.child(ns::DATA_FORMS, "x").map(|form| DataForm::read(&form));
        let form = form.transpose().map_err(Unreadable::Form)?;
        if form.as_ref().is_some_and(|form| !matches!(form.kind, FormType::Submit | FormType::Cancel)) {
            return Err(Problem::BadPayload.into());
        }
        Ok(Request { node: node.into_owned(), session: session.map(String::from), action, form })
    }
}

impl Response {
    /// The element `<command/>`. Everything for humans is in English.
    pub fn tree(&self) -> Tree {
        element("command")
            .attr("xml:lang", "en")
            .attr("node", &self.node)
            .attr("sessionid", &self.session)
            .attr("status", self.status.as_str())
            .children(self.actions.map(Actions::tree))
            .children(self.form.as_ref().map(DataForm::tree))
            .children(self.notes.iter().map(Note::tree))
    }
}

impl Action {
    /// Reads the attribute.
    pub fn of(attr: &str) -> Option<Action> {
        match attr {
            "execute" => Some(Action::Execute),
            "next" => Some(Action::Next),
            "prev" => Some(Action::Prev),
            "complete" => Some(Action::Complete),
            "cancel" => Some(Action::Cancel),
            _ => None,
        }
    }

    /// The attribute.
    pub fn as_str(self) -> &'static str {
        match self {
            Action::Execute => "execute",
            Action::Next => "next",
            Action::Prev => "prev",
            Action::Complete => "complete",
            Action::Cancel => "cancel",
        }
    }
}

impl Actions {
    fn tree(self) -> Tree {
        let execute = self.execute.as_str();
        let previous = self.has_previous.then(|| element(Action::Prev.as_str()));
        element("actions").attr("execute", execute).children(previous).child(element(execute))
    }
}

impl Status {
    /// The attribute.
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Executing => "executing",
            Status::Completed => "completed",
            Status::Canceled => "canceled",
        }
    }
}

impl Note {
    /// Something that is good to know.
    pub fn info(text: impl Into<String>) -> Note {
        Note { kind: NoteType::Info, text: text.into() }
    }

    /// Something that may be wrong.
    pub fn warn(text: impl Into<String>) -> Note {
        Note { kind: NoteType::Warn, text: text.into() }
    }

    /// Why something was not done.
    pub fn error(text: impl Into<String>) -> Note {
        Note { kind: NoteType::Error, text: text.into() }
    }

    fn tree(&self) -> Tree {
        let kind = match self.kind {
            NoteType::Info => "info",
            NoteType::Warn => "warn",
            NoteType::Error => "error",
        };
        element("note").attr("type", kind).text(&self.text)
    }
}

impl Problem {
    fn as_str(self) -> &'static str {
        match self {
            Problem::MalformedAction => "malformed-action",
            Problem::BadAction => "bad-action",
            Problem::BadPayload => "bad-payload",
            Problem::BadSession => "bad-sessionid",
            Problem::SessionExpired => "session-expired",
        }
    }
}

impl From<Problem> for Unreadable {
    fn from(problem: Problem) -> Unreadable {
        Unreadable::Problem(problem)
    }
}

impl From<Unreadable> for StanzaError {
    fn from(why: Unreadable) -> StanzaError {
        match why {
            Unreadable::NoNode => StanzaError::new(Condition::BadRequest).with_text("which command?"),
            Unreadable::NoSuchNode => Condition::ItemNotFound.into(),
            Unreadable::Problem(problem) => problem.into(),
            Unreadable::Form(Malformed(why)) => StanzaError::from(Problem::BadPayload).with_text(why),
        }
    }
}

impl From<Problem> for StanzaError {
    fn from(problem: Problem) -> StanzaError {
        let (condition, kind) = match problem {
            Problem::SessionExpired => (Condition::NotAllowed, ErrorType::Cancel),
            _ => (Condition::BadRequest, ErrorType::Modify),
        };
        StanzaError::new(condition).with_type(kind).with_application(element(problem.as_str()))
    }
}

fn element(name: &str) -> Tree {
    Tree::new(ns::COMMANDS, name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::Content;

    fn read(attributes: &str, inside: &str) -> Result<Request, Unreadable> {
        let xml = format!("<command xmlns='http://jabber.org/protocol/commands'{attributes}>{inside}</command>");
        Request::read(&Content::parse(xml.as_bytes()).unwrap().iter().next().unwrap())
    }

    fn problem(attributes: &str, inside: &str) -> (Condition, Option<String>) {
        let error = StanzaError::from(read(attributes, inside).unwrap_err());
        (error.condition, error.application.first().map(|tree| tree.name().to_owned()))
    }

    #[test]
    fn a_request_begins_a_command_unless_it_names_a_session() {
        let begins = read(" node='list'", "").unwrap();
        assert_eq!((&*begins.node, begins.session, begins.action, begins.form), ("list", None, Action::Execute, None));
        let goes_on = read(
            " node='list' sessionid='s' action='next' status='executing'",
            "<x xmlns='jabber:x:data' type='cancel'/><x xmlns='jabber:x:data' type='form'/>",
        );
        let goes_on = goes_on.unwrap();
        assert_eq!((goes_on.session.as_deref(), goes_on.action), (Some("s"), Action::Next));
        assert_eq!(goes_on.form.map(|form| form.kind), Some(FormType::Cancel), "the first counts");
    }

    #[test]
    fn what_cannot_be_read_is_refused_as_the_document_says() {
        let bad = |problem: &str| (Condition::BadRequest, Some(problem.to_owned()));
        assert_eq!(problem("", ""), (Condition::BadRequest, None));
        assert_eq!(problem(" node=''", ""), (Condition::BadRequest, None));
        assert_eq!(problem(&format!(" node='{}'", "a".repeat(1025)), ""), (Condition::ItemNotFound, None));
        assert_eq!(problem(" node='a' action=''", ""), bad("malformed-action"));
        assert_eq!(problem(" node='a' action='Next'", ""), bad("malformed-action"));
        assert_eq!(problem(" node='a' sessionid=''", ""), bad("bad-sessionid"));
        assert_eq!(problem(&format!(" node='a' sessionid='{}'", "a".repeat(1025)), ""), bad("bad-sessionid"));
        assert_eq!(problem(" node='a'", "<x xmlns='jabber:x:data' type='form'/>"), bad("bad-payload"));
        assert_eq!(problem(" node='a'", "<x xmlns='jabber:x:data'/>"), bad("bad-payload"));
    }

    #[test]
    fn an_answer_says_what_is_possible_now() {
        let response = Response {
            node: "a".into(),
            session: "s".into(),
            status: Status::Executing,
            actions: Some(Actions { execute: Action::Complete, has_previous: true }),
            form: Some(DataForm::new(FormType::Form)),
            notes: vec![Note::warn("mind <that>")],
        };
        let written = String::from_utf8(response.tree().to_vec(ns::CLIENT)).unwrap();
        let expected = "<command xmlns='http://jabber.org/protocol/commands' xml:lang='en' node='a' sessionid='s' \
                        status='executing'><actions execute='complete'><prev/><complete/></actions>\
                        <x xmlns='jabber:x:data' type='form'/><note type='warn'>mind &lt;that&gt;</note></command>";
        assert_eq!(written, expected);
    }

    #[test]
    fn a_problem_has_its_general_and_its_own_condition() {
        let written =
            |problem: Problem| String::from_utf8(StanzaError::from(problem).tree().to_vec(ns::CLIENT)).unwrap();
        assert_eq!(
            written(Problem::SessionExpired),
            "<error type='cancel'><not-allowed xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>\
             <session-expired xmlns='http://jabber.org/protocol/commands'/></error>"
        );
        assert!(written(Problem::BadAction).starts_with("<error type='modify'><bad-request"));
    }
}
