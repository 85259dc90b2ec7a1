//! The forms of a command (XEP-0004), derived from its fields: what is asked in which order, and what was filled in.

use std::sync::Arc;

use metronome_host::command::{Arguments, Asker, Does, Failed, Field, FieldKind, Offered, Role};
use metronome_host::server::Server;
use metronome_proto::jid::Jid;
use metronome_proto::payload::data_form::{self, DataForm, FormType};
use serde_json::{Map, Value};

use super::nodes::{Node, VERIFY, sentence};

/// Most addresses that one field takes.
const MANY_MAX: usize = 100;

/// One form of a command.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Step {
    /// To be filled in.
    Fields(Vec<&'static str>),
    /// To be confirmed.
    Confirm,
}

/// The forms of a command for whoever has this role; none if it just happens. Where fields offer what the account in question has, the
/// account is asked for before.
pub(super) fn steps(node: &Node, role: Role) -> Vec<Step> {
    let asked: Vec<&Field> = node.command.fields.iter().filter(|field| is_asked(field, role)).collect();
    let has_secrets = asked.iter().any(|field| field.kind == FieldKind::Password);
    let confirms = match node.command.does {
        Does::Tells => false,
        Does::Changes => asked.is_empty(),
        // What waits for a confirmation is kept meanwhile, and no password ever is. XEP-0133 knows one form only.
        Does::Ends => !has_secrets && !node.is_standard(),
    };
    let offers = asked.iter().any(|field| field.offers.is_some());
    let (who, what): (Vec<&Field>, Vec<&Field>) =
        asked.into_iter().partition(|field| offers && field.kind == FieldKind::Own);
    let forms = [who, what].into_iter().filter(|fields| !fields.is_empty());
    let fields = forms.map(|fields| Step::Fields(fields.into_iter().map(|field| field.name).collect()));
    fields.chain(confirms.then_some(Step::Confirm)).collect()
}

/// What is clear from who asks is not asked.
fn is_asked(field: &Field, role: Role) -> bool {
    match field.kind {
        FieldKind::Own => role > Role::User,
        FieldKind::Domain | FieldKind::Service => role == Role::Operator,
        _ => true,
    }
}

/// The form of a step, with what was said before.
pub(super) async fn form(
    server: &Arc<Server>,
    node: &Node,
    asker: &Asker,
    step: &Step,
    given: &Map<String, Value>,
) -> Result<DataForm, Failed> {
    let mut form = DataForm::new(FormType::Form).titled(node.label());
    let Step::Fields(names) = step else { return Ok(confirmation(node, form, given)) };
    form = form.field(data_form::Field::hidden_form_type(node.form_type()));
    for field in node.command.fields.iter().filter(|field| names.contains(&field.name)) {
        let offered = match field.offers {
            Some(offers) => offers(server, subject(node, asker, given)?).await?,
            None => Offered::default(),
        };
        form = form.field(shown(node, asker, field, given.get(field.name), offered));
        if node.verifies() && field.kind == FieldKind::Password {
            form = form.field(data_form::Field::text_private(VERIFY).label("The password again").required());
        }
    }
    Ok(form)
}

/// The account that a command of users is about.
fn subject(node: &Node, asker: &Asker, given: &Map<String, Value>) -> Result<Jid, Failed> {
    let own = node.command.fields.iter().find(|field| field.kind == FieldKind::Own);
    let said = own.and_then(|field| given.get(field.name)?.as_str()).and_then(|text| Jid::parse(text).ok());
    let asks = || asker.session().map(|session| session.jid.bare());
    said.or_else(asks).ok_or_else(|| Failed::usage("whose?"))
}

fn shown(
    node: &Node,
    asker: &Asker,
    field: &Field,
    given: Option<&Value>,
    offered: Offered,
) -> data_form::Field {
    let mut shown = data_form::Field::new(node.var(field), kind_of(node, field)).label(sentence(field.about));
    shown.required = field.required && !matches!(field.kind, FieldKind::Flag | FieldKind::Own);
    if let FieldKind::Choice(words) = field.kind {
        shown = words.iter().fold(shown, |shown, word| shown.option(*word, *word));
    }
    for (value, label) in offered.choices {
        shown = shown.option(label, value);
    }
    let own = || asker.session().filter(|_| field.kind == FieldKind::Own).map(|session| session.jid.bare_str().to_owned());
    let off = || (field.kind == FieldKind::Flag).then(|| "false".to_owned());
    match given {
        // What was written into it is not sent back.
        _ if field.kind == FieldKind::Password => shown,
        Some(Value::Array(values)) => shown.values(values.iter().filter_map(Value::as_str)),
        Some(Value::String(text)) if field.kind == FieldKind::Lines => shown.values(text.lines()),
        Some(Value::String(text)) => shown.value(text),
        Some(other) => shown.value(other.to_string()),
        None => shown.values(offered.current.or_else(own).or_else(off)),
    }
}

fn kind_of(node: &Node, field: &Field) -> data_form::FieldKind {
    use data_form::FieldKind as Shown;
    match field.kind {
        _ if field.offers.is_some() => Shown::ListSingle,
        _ if node.takes_many(field) => Shown::JidMulti,
        FieldKind::Text | FieldKind::Domain | FieldKind::Service | FieldKind::Count => Shown::TextSingle,
        FieldKind::Lines => Shown::TextMulti,
        FieldKind::Jid | FieldKind::Own | FieldKind::Session | FieldKind::Room => Shown::JidSingle,
        FieldKind::Password => Shown::TextPrivate,
        FieldKind::Flag => Shown::Boolean,
        FieldKind::Choice(_) => Shown::ListSingle,
    }
}

/// Says what will happen.
fn confirmation(node: &Node, mut form: DataForm, given: &Map<String, Value>) -> DataForm {
    form = form.instruct("Is this what you want?");
    for field in node.command.fields.iter().filter(|field| field.kind != FieldKind::Password) {
        let said = match given.get(field.name) {
            Some(Value::Array(values)) => values.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "),
            Some(Value::String(text)) => text.clone(),
            Some(Value::Bool(false)) | None => continue,
            Some(Value::Bool(true)) => "yes".to_owned(),
            Some(other) => other.to_string(),
        };
        let mut fixed = data_form::Field::new("", data_form::FieldKind::Fixed).value(format!("{}: {said}", sentence(field.about)));
        fixed.var = None;
        form = form.field(fixed);
    }
    form
}

/// Takes what was filled into a form; fails with what is wrong with it, for humans. Fields that it does not have are passed over.
pub(super) fn read(node: &Node, names: &[&str], form: &DataForm, given: &mut Map<String, Value>) -> Result<(), String> {
    for field in node.command.fields.iter().filter(|field| names.contains(&field.name)) {
        let submitted = form.get(node.var(field)).map_or(&[][..], |submitted| &submitted.values);
        match value_of(node, field, submitted)? {
            Some(value) => given.insert(field.name.to_owned(), value),
            None => given.remove(field.name),
        };
        if node.verifies() && field.kind == FieldKind::Password && form.value(node.var(field)) != form.value(VERIFY) {
            return Err("the passwords differ".to_owned());
        }
    }
    for field in node.command.fields.iter().filter(|field| names.contains(&field.name)) {
        let judge = |value: Option<&Value>| Arguments::judge(field, value).map_err(|failed| failed.message);
        match given.get(field.name) {
            Some(Value::Array(values)) => values.iter().try_for_each(|value| judge(Some(value)).map(drop))?,
            // Who says nothing means the own account.
            None if field.kind == FieldKind::Own => {}
            value => drop(judge(value)?),
        }
    }
    Ok(())
}

fn value_of(node: &Node, field: &Field, submitted: &[String]) -> Result<Option<Value>, String> {
    if node.takes_many(field) {
        let values: Vec<Value> =
            submitted.iter().map(|value| value.trim()).filter(|value| !value.is_empty()).map(Value::from).collect();
        if values.len() > MANY_MAX {
            return Err(format!("more than {MANY_MAX} at a time"));
        }
        return Ok((!values.is_empty()).then_some(Value::Array(values)));
    }
    let text = match field.kind {
        FieldKind::Lines => submitted.join("\n"),
        FieldKind::Password => submitted.first().cloned().unwrap_or_default(),
        _ => submitted.first().map(|text| text.trim().to_owned()).unwrap_or_default(),
    };
    Ok(match (field.kind, &*text) {
        (_, "") => None,
        (FieldKind::Flag, "1" | "true") => Some(Value::Bool(true)),
        (FieldKind::Flag, "0" | "false") => Some(Value::Bool(false)),
        _ => Some(Value::String(text)),
    })
}

#[cfg(test)]
mod tests {
    use metronome_host::command::{Answer, Command};
    use metronome_proto::payload::data_form::Field as Submitted;

    use super::*;

    const fn command(does: Does, fields: &'static [Field]) -> Command {
        let run: metronome_host::command::Run = |_, _| Box::pin(std::future::ready(Ok(Answer::text(""))));
        Command { name: "test", about: "A test.", role: Role::User, does, fields, run }
    }

    const OFFERED: Field = Field::required("which", FieldKind::Text, "Which.")
        .offering(|_, _| Box::pin(std::future::ready(Ok(Offered::default()))));
    const PASSWORD: Field = Field::required("password", FieldKind::Password, "A password.");
    static TELLS: Command = command(Does::Tells, &[]);
    static CHANGES: Command = command(Does::Changes, &[]);
    static ENDS: Command = command(Does::Ends, &[Field::required("jid", FieldKind::Jid, "Who.")]);
    static SECRET: Command = command(Does::Ends, &[PASSWORD]);
    static OWN: Command = command(Does::Changes, &[Field::own(), OFFERED]);
    static LOCAL: Command = command(Does::Tells, &[Field::optional("host", FieldKind::Domain, "Where.")]);

    #[test]
    fn what_is_asked_follows_from_the_fields_and_from_who_asks() {
        let fields = |names: &[&'static str]| Step::Fields(names.to_vec());
        let table: [(&'static Command, Role, Vec<Step>); 10] = [
            (&TELLS, Role::User, vec![]),
            (&CHANGES, Role::User, vec![Step::Confirm]),
            (&ENDS, Role::Admin, vec![fields(&["jid"]), Step::Confirm]),
            (&SECRET, Role::Admin, vec![fields(&["password"])]),
            (&OWN, Role::User, vec![fields(&["which"])]),
            (&OWN, Role::Admin, vec![fields(&["jid"]), fields(&["which"])]),
            (&OWN, Role::Operator, vec![fields(&["jid"]), fields(&["which"])]),
            (&LOCAL, Role::User, vec![]),
            (&LOCAL, Role::Admin, vec![]),
            (&LOCAL, Role::Operator, vec![fields(&["host"])]),
        ];
        for (command, role, expected) in table {
            assert_eq!(steps(&Node::of(command), role), expected, "{role:?} {:?}", command.fields);
        }
    }

    fn named(name: &str) -> Node {
        let command = crate::ALL.iter().flat_map(|feature| feature.commands).find(|command| command.name == name);
        Node::of(command.unwrap())
    }

    fn submit(node: &Node, values: &[(&str, &[&str])]) -> Result<String, String> {
        let mut form = DataForm::new(FormType::Submit);
        for (var, values) in values {
            form = form.field(Submitted::untyped(*var).values(values.iter().copied()));
        }
        let names: Vec<&str> = node.command.fields.iter().map(|field| field.name).collect();
        let mut given = Map::new();
        read(node, &names, &form, &mut given)?;
        Ok(Value::Object(given).to_string())
    }

    #[test]
    fn what_was_filled_in_becomes_arguments() {
        let add = named("user add");
        let password = [("password", &["a b "][..]), ("password-verify", &["a b "])];
        let with = |values: &[(&'static str, &'static [&'static str])]| submit(&add, &[values, &password].concat());
        assert_eq!(with(&[("accountjid", &[" a@b "])]).unwrap(), r#"{"jid":"a@b","password":"a b "}"#);
        let admin = with(&[("accountjid", &["a@b"]), ("admin", &["1"]), ("other", &["x"])]);
        assert_eq!(admin.unwrap(), r#"{"admin":true,"jid":"a@b","password":"a b "}"#);
        assert_eq!(with(&[("accountjid", &["", "x"])]).unwrap_err(), "`jid` is missing: The account's address.");
        assert!(with(&[("accountjid", &["b"])]).unwrap_err().starts_with("`jid` must be an address"));
        let differ = submit(&add, &[("accountjid", &["a@b"]), ("password", &["x"]), ("password-verify", &["y"])]);
        assert_eq!(differ.unwrap_err(), "the passwords differ");
        assert!(submit(&add, &[("accountjid", &["a@b"]), ("password", &["x"])]).is_err());
    }

    #[test]
    fn several_addresses_are_bounded_and_each_is_judged() {
        let delete = named("user delete");
        assert_eq!(submit(&delete, &[("accountjids", &["a@b", "", "c@b"])]).unwrap(), r#"{"jid":["a@b","c@b"]}"#);
        assert!(submit(&delete, &[("accountjids", &["a@b", "b"])]).unwrap_err().starts_with("`jid` must be"));
        assert!(submit(&delete, &[("accountjids", &[])]).is_err());
        assert!(submit(&delete, &[("accountjids", &["a@b"; MANY_MAX])]).is_ok());
        assert!(submit(&delete, &[("accountjids", &["a@b"; MANY_MAX + 1])]).is_err());
    }
}
