//! A command from its first request to its end (XEP-0050 section 2.4): which form comes next, what may be done now, and the run.

use std::sync::Arc;

use metronome_host::command::dialogs::{Dialog, Full};
use metronome_host::command::{self, Asker, Failed};
use metronome_host::refuse::Refuse;
use metronome_host::server::Server;
use metronome_host::session::Session;
use metronome_proto::jid::Jid;
use metronome_proto::payload::commands::{Action, Actions, Note, Problem, Request, Response, Status};
use metronome_proto::payload::data_form::{DataForm, FormType};
use metronome_proto::stanza::error::{Condition, StanzaError};
use serde_json::{Map, Value};

use super::answers::{Told, tell};
use super::forms::{self, Step};
use super::nodes::Node;

/// One request about a command, from whoever may run it.
struct Turn<'a> {
    server: &'a Arc<Server>,
    asker: &'a Asker,
    session: &'a Session,
    node: Node,
    steps: Vec<Step>,
}

/// Answers a request.
pub(super) async fn go(
    server: &Arc<Server>,
    asker: &Asker,
    at: &Jid,
    node: Node,
    request: Request,
) -> Result<Response, Refuse> {
    let session = asker.session().ok_or(Condition::Forbidden)?;
    let turn = Turn { server, asker, session, node, steps: forms::steps(&node, asker.role()) };
    match &request.session {
        Some(id) => turn.go_on(at, id, &request).await,
        None if request.action == Action::Execute => turn.begin(at).await,
        None => Err(refused(Problem::BadAction)),
    }
}

impl Turn<'_> {
    async fn begin(&self, at: &Jid) -> Result<Response, Refuse> {
        let id = self.server.rng.token().into_boxed_str();
        let dialog = Dialog { id, at: at.clone(), command: self.node.command, stage: 0, given: Map::new() };
        if self.steps.is_empty() { self.run(dialog).await } else { self.show(dialog, None).await }
    }

    async fn go_on(&self, at: &Jid, id: &str, request: &Request) -> Result<Response, Refuse> {
        let Some(mut dialog) = self.server.dialogs.take(self.session.serial, id, self.now_ms()) else {
            // Ids of ours may have been a session once; whose is not told.
            let is_token = id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
            return Err(refused(if is_token { Problem::SessionExpired } else { Problem::BadSession }));
        };
        if dialog.at != *at || dialog.command.name != self.node.command.name {
            return self.refuse(dialog, Problem::BadSession);
        }
        // Who asks may have less to say than before.
        let Some(step) = self.steps.get(dialog.stage) else { return Err(refused(Problem::SessionExpired)) };
        let is_last = dialog.stage + 1 == self.steps.len();
        match request.action {
            Action::Cancel => return Ok(self.response(&dialog.id, Status::Canceled)),
            Action::Prev if dialog.stage > 0 => {
                dialog.stage -= 1;
                return self.show(dialog, None).await;
            }
            Action::Execute => {}
            Action::Next if !is_last => {}
            Action::Complete if is_last => {}
            Action::Prev | Action::Next | Action::Complete => return self.refuse(dialog, Problem::BadAction),
        }
        if let Step::Fields(names) = step {
            // Where everything may be left out, so may the form.
            let empty = DataForm::new(FormType::Submit);
            let form = match &request.form {
                Some(form) => form,
                None if self.requires_nothing(names) => &empty,
                None => return self.refuse(dialog, Problem::BadPayload),
            };
            if let Err(wrong) = self.take(names, form, &mut dialog.given) {
                return self.show(dialog, Some(Note::error(wrong))).await;
            }
        }
        if is_last {
            return self.run(dialog).await;
        }
        dialog.stage += 1;
        self.show(dialog, None).await
    }

    fn requires_nothing(&self, names: &[&str]) -> bool {
        let asked = self.node.command.fields.iter().filter(|field| names.contains(&field.name));
        asked.into_iter().all(|field| !field.required || field.kind == command::FieldKind::Own)
    }

    fn take(&self, names: &[&str], form: &DataForm, given: &mut Map<String, Value>) -> Result<(), String> {
        forms::read(&self.node, names, form, given)?;
        // Before the next form offers anything of an account, it must be clear that whoever asks may see it.
        for given in each(&self.node, given) {
            command::narrow(self.server, self.node.command, self.asker, given).map_err(|failed| failed.message)?;
        }
        Ok(())
    }

    /// Shows the form of the dialog's step and waits for it to be filled in.
    async fn show(&self, mut dialog: Dialog, note: Option<Note>) -> Result<Response, Refuse> {
        self.forget_secrets(&mut dialog.given);
        let Some(step) = self.steps.get(dialog.stage) else { return Err(refused(Problem::SessionExpired)) };
        let form = match forms::form(self.server, &self.node, self.asker, step, &dialog.given).await {
            Ok(form) => form,
            Err(failed) => return Ok(self.ended(&dialog.id, Err(failed))),
        };
        let is_last = dialog.stage + 1 == self.steps.len();
        let execute = if is_last { Action::Complete } else { Action::Next };
        let response = Response {
            actions: Some(Actions { execute, has_previous: dialog.stage > 0 }),
            form: Some(form),
            notes: note.into_iter().collect(),
            ..self.response(&dialog.id, Status::Executing)
        };
        self.keep(dialog)?;
        Ok(response)
    }

    /// Does what was asked for, once for each account where there are several.
    async fn run(&self, dialog: Dialog) -> Result<Response, Refuse> {
        let runs = each(&self.node, &dialog.given);
        // What was understood wrongly can be said better, unless some of it has happened.
        let form = self.last_form().filter(|_| runs.len() == 1);
        let mut told = Told::default();
        for given in runs {
            let result = command::run(self.server, self.node.command, self.asker, given).await;
            match (result, form) {
                (Err(failed), Some(stage)) if failed.exit == WRONG_USE => {
                    return self.show(Dialog { stage, ..dialog }, Some(Note::error(failed.message))).await;
                }
                (result, _) => tell(self.node.label(), result, &mut told),
            }
        }
        let (form, notes) = told.into_parts();
        Ok(Response { form, notes, ..self.response(&dialog.id, Status::Completed) })
    }

    fn last_form(&self) -> Option<usize> {
        self.steps.iter().rposition(|step| matches!(step, Step::Fields(_)))
    }

    fn ended(&self, id: &str, result: Result<command::Answer, Failed>) -> Response {
        let mut told = Told::default();
        tell(self.node.label(), result, &mut told);
        let (form, notes) = told.into_parts();
        Response { form, notes, ..self.response(id, Status::Completed) }
    }

    /// Nothing has happened, and the dialog goes on.
    fn refuse(&self, dialog: Dialog, problem: Problem) -> Result<Response, Refuse> {
        self.keep(dialog)?;
        Err(refused(problem))
    }

    fn keep(&self, dialog: Dialog) -> Result<(), Refuse> {
        let kept = self.server.dialogs.keep(self.session.serial, dialog, self.now_ms());
        kept.map_err(|Full| {
            StanzaError::new(Condition::ResourceConstraint).with_text("too many commands are being filled in").into()
        })
    }

    fn forget_secrets(&self, given: &mut Map<String, Value>) {
        for field in self.node.command.fields.iter().filter(|field| field.kind == command::FieldKind::Password) {
            given.remove(field.name);
        }
    }

    fn response(&self, id: &str, status: Status) -> Response {
        Response { node: self.node.name(), session: id.to_owned(), status, actions: None, form: None, notes: Vec::new() }
    }

    fn now_ms(&self) -> u64 {
        self.server.clock.steady_ms()
    }
}

/// The exit code of a command that was used wrongly.
const WRONG_USE: u8 = 2;

/// The arguments of each run.
fn each(node: &Node, given: &Map<String, Value>) -> Vec<Map<String, Value>> {
    let many = node.command.fields.iter().find(|field| node.takes_many(field));
    let Some((name, Some(Value::Array(values)))) = many.map(|field| (field.name, given.get(field.name))) else {
        return vec![given.clone()];
    };
    let one = |value: &Value| {
        let mut given = given.clone();
        given.insert(name.to_owned(), value.clone());
        given
    };
    values.iter().map(one).collect()
}

fn refused(problem: Problem) -> Refuse {
    StanzaError::from(problem).into()
}
