//! The arguments of one call, checked against the command's fields before its function runs.
//! So a command reads what it declared and need not check again; passwords are wiped when the call ends.

use metronome_proto::jid::{Jid, JidError, prepare_domain};
use serde_json::{Map, Value};

use super::{Asker, Failed, Field, FieldKind};

/// Longest text of one argument in bytes: a full address, whose parts may have 1023 bytes each (RFC 7622 section 3.1).
const TEXT_BYTES_MAX: usize = 3071;

/// Longest text of several lines in bytes: a certificate in PEM with what people paste around it.
const LINES_BYTES_MAX: usize = 16 * 1024;

/// Checked arguments. The getters panic when a command reads a field that it did not declare with that kind.
#[derive(Clone)]
pub struct Arguments {
    fields: &'static [Field],
    given: Map<String, Value>,
    asker: Asker,
}

impl Arguments {
    /// Checks names, presence and kinds. Everything may be given as text (`"true"`, `"3"`), as a batch line does.
    pub fn check(fields: &'static [Field], given: Map<String, Value>) -> Result<Self, Failed> {
        if let Some(name) = given.keys().find(|name| !fields.iter().any(|field| field.name == name.as_str())) {
            return Err(Failed::usage(format!("there is no argument `{name}`")));
        }
        let mut checked = Map::new();
        for field in fields {
            if let Some(value) = Self::judge(field, given.get(field.name))? {
                checked.insert(field.name.to_owned(), value);
            }
        }
        Ok(Self { fields, given: checked, asker: Asker::Operator })
    }

    /// Checks one argument: its value in the JSON type of its field, none where it may be left out and was.
    pub fn judge(field: &Field, value: Option<&Value>) -> Result<Option<Value>, Failed> {
        match value {
            Some(value) => {
                check_value(field, value).map(Some).map_err(|why| Failed::usage(format!("`{}` {why}", field.name)))
            }
            None if field.required => Err(Failed::usage(format!("`{}` is missing: {}", field.name, field.about))),
            None => Ok(None),
        }
    }

    /// Says who asks; an operator where nothing is said.
    pub fn asked_by(mut self, asker: Asker) -> Self {
        self.asker = asker;
        self
    }

    /// Who asks.
    pub fn asker(&self) -> &Asker {
        &self.asker
    }

    /// A text, an address, a choice or a password that was declared as required.
    pub fn text(&self, name: &str) -> &str {
        self.text_if_given(name).unwrap_or_else(|| panic!("the field {name} is declared as required"))
    }

    /// A text, an address, a choice or a password that may be left out.
    pub fn text_if_given(&self, name: &str) -> Option<&str> {
        self.declared(name, |kind| !matches!(kind, FieldKind::Flag | FieldKind::Count));
        self.given.get(name).and_then(Value::as_str)
    }

    /// The address of an account or of one of its sessions, prepared; the field is declared as required.
    pub fn jid(&self, name: &str) -> Jid {
        self.jid_if_given(name).unwrap_or_else(|| panic!("the field {name} is declared as required"))
    }

    /// The address of an account or of one of its sessions, prepared; may be left out.
    pub fn jid_if_given(&self, name: &str) -> Option<Jid> {
        let is_address = |kind| matches!(kind, FieldKind::Jid | FieldKind::Own | FieldKind::Session | FieldKind::Room);
        self.declared(name, is_address);
        let text = self.given.get(name).and_then(Value::as_str)?;
        Some(Jid::parse(text).expect("an address that was checked is one"))
    }

    /// A domain as an address, prepared; the field is declared as required.
    pub fn domain(&self, name: &str) -> Jid {
        self.domain_if_given(name).unwrap_or_else(|| panic!("the field {name} is declared as required"))
    }

    /// A domain as an address, prepared; may be left out.
    pub fn domain_if_given(&self, name: &str) -> Option<Jid> {
        self.declared(name, |kind| matches!(kind, FieldKind::Domain | FieldKind::Service));
        let text = self.given.get(name).and_then(Value::as_str)?;
        Some(read_domain(text).expect("a domain that was checked is one"))
    }

    /// A flag; off if it was left out.
    pub fn flag(&self, name: &str) -> bool {
        self.declared(name, |kind| matches!(kind, FieldKind::Flag));
        self.given.get(name).and_then(Value::as_bool).unwrap_or(false)
    }

    /// A number; `None` if it was left out.
    pub fn count(&self, name: &str) -> Option<u64> {
        self.declared(name, |kind| matches!(kind, FieldKind::Count));
        self.given.get(name).and_then(Value::as_u64)
    }

    fn declared(&self, name: &str, fits: impl Fn(FieldKind) -> bool) {
        let declared = self.fields.iter().any(|field| field.name == name && fits(field.kind));
        assert!(declared, "the field {name} is declared with the kind it is read as");
    }
}

/// Names only: a password must not end up in a log by way of `{:?}`.
impl std::fmt::Debug for Arguments {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.given.keys()).finish()
    }
}

/// The value in its field's own JSON type, or why it does not fit.
fn check_value(field: &Field, value: &Value) -> Result<Value, String> {
    match (field.kind, value) {
        (FieldKind::Flag, Value::Bool(_)) => Ok(value.clone()),
        (FieldKind::Flag, Value::String(text)) if text == "true" => Ok(Value::Bool(true)),
        (FieldKind::Flag, Value::String(text)) if text == "false" => Ok(Value::Bool(false)),
        (FieldKind::Flag, _) => Err("must be true or false".to_owned()),
        (FieldKind::Count, Value::Number(number)) if number.is_u64() => Ok(value.clone()),
        (FieldKind::Count, Value::String(text)) if text.parse::<u64>().is_ok() => {
            Ok(text.parse::<u64>().map_or(Value::Null, Value::from))
        }
        (FieldKind::Count, _) => Err("must be a whole number".to_owned()),
        (kind, Value::String(text)) => check_text(kind, text).map(|()| value.clone()),
        _ => Err("must be text".to_owned()),
    }
}

fn check_text(kind: FieldKind, text: &str) -> Result<(), String> {
    let is_lines = kind == FieldKind::Lines;
    let bytes_max = if is_lines { LINES_BYTES_MAX } else { TEXT_BYTES_MAX };
    if text.len() > bytes_max {
        return Err(format!("is longer than {bytes_max} bytes"));
    }
    if text.is_empty() {
        return Err("is empty".to_owned());
    }
    if text.chars().any(|c| c.is_control() && !(is_lines && matches!(c, '\n' | '\r' | '\t'))) {
        return Err("contains control characters".to_owned());
    }
    match kind {
        FieldKind::Jid | FieldKind::Own => check_account(text),
        FieldKind::Room => check_room(text),
        // A session is named by its full address, all sessions of an account by the bare one.
        FieldKind::Session => check_account(text.split_once('/').map_or(text, |(bare, _)| bare))
            .and_then(|_| Jid::parse(text).map_err(|why| format!("must be an address, and `{text}` is not: {why}"))),
        FieldKind::Domain | FieldKind::Service => {
            read_domain(text).map_err(|why| format!("must be a domain like example.org, and `{text}` is not: {why}"))
        }
        FieldKind::Choice(choices) if !choices.contains(&text) => {
            return Err(format!("must be one of {}, and `{text}` is not", choices.join(", ")));
        }
        _ => return Ok(()),
    }
    .map(|_| ())
}

fn read_domain(text: &str) -> Result<Jid, JidError> {
    prepare_domain(text).and_then(|domain| Jid::parse(&domain))
}

fn check_account(text: &str) -> Result<Jid, String> {
    let why = match Jid::parse(text) {
        Ok(jid) if jid.is_bare() && !jid.is_domain() => return Ok(jid),
        Ok(_) => String::new(),
        Err(why) => format!(": {why}"),
    };
    Err(format!("must be an address like alice@example.org, and `{text}` is not{why}"))
}

fn check_room(text: &str) -> Result<Jid, String> {
    let room = Jid::parse(text).ok().filter(|jid| jid.is_bare() && !jid.is_domain());
    room.ok_or_else(|| format!("must be the address of a room like coven@rooms.example.org, and `{text}` is not"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: &[Field] = &[
        Field::required("jid", FieldKind::Jid, "the account").positional(),
        Field::optional("password", FieldKind::Password, "its password"),
        Field::optional("admin", FieldKind::Flag, "make it an admin"),
        Field::optional("limit", FieldKind::Count, "how many"),
        Field::optional("role", FieldKind::Choice(&["user", "admin"]), "the role"),
        Field::optional("session", FieldKind::Session, "the session"),
        Field::optional("host", FieldKind::Domain, "the host"),
        Field::optional("lines", FieldKind::Lines, "some lines"),
    ];

    fn check(json: &str) -> Result<Arguments, Failed> {
        let Value::Object(given) = serde_json::from_str(json).unwrap() else { panic!("an object") };
        Arguments::check(FIELDS, given)
    }

    #[test]
    fn arguments_are_read_by_their_kinds() {
        let arguments = check(r#"{"jid":"a@b.example","admin":true,"limit":3,"role":"user"}"#).unwrap();
        assert_eq!(arguments.text("jid"), "a@b.example");
        assert_eq!(arguments.text_if_given("password"), None);
        assert!(arguments.flag("admin"));
        assert_eq!(arguments.count("limit"), Some(3));
    }

    #[test]
    fn text_stands_for_flags_and_numbers() {
        let arguments = check(r#"{"jid":"a@b.example","admin":"true","limit":"3"}"#).unwrap();
        assert!(arguments.flag("admin"));
        assert_eq!(arguments.count("limit"), Some(3));
    }

    #[test]
    fn mistakes_are_wrong_use_and_named() {
        for (json, message) in [
            (r#"{}"#, "`jid` is missing: the account"),
            (r#"{"jid":7}"#, "`jid` must be text"),
            (r#"{"jid":"alice"}"#, "`jid` must be an address like alice@example.org, and `alice` is not"),
            (r#"{"jid":"a@b/c"}"#, "`jid` must be an address like alice@example.org, and `a@b/c` is not"),
            (r#"{"jid":"a@b","session":"b/c"}"#, "`session` must be an address like alice@example.org, and `b` is not"),
            (r#"{"jid":"a@b","who":"x"}"#, "there is no argument `who`"),
            (r#"{"jid":"a@b","admin":"perhaps"}"#, "`admin` must be true or false"),
            (r#"{"jid":"a@b","limit":-1}"#, "`limit` must be a whole number"),
            (r#"{"jid":"a@b","role":"king"}"#, "`role` must be one of user, admin, and `king` is not"),
            (r#"{"jid":"a@b","password":""}"#, "`password` is empty"),
            ("{\"jid\":\"a\\u0007@b\"}", "`jid` contains control characters"),
        ] {
            assert_eq!(check(json).unwrap_err(), Failed::usage(message), "{json}");
        }
    }

    #[test]
    fn addresses_are_prepared() {
        let arguments = check(r#"{"jid":"Alice@Example.ORG","session":"alice@example.org/Phone"}"#).unwrap();
        assert_eq!(arguments.jid("jid").as_str(), "alice@example.org");
        assert_eq!(arguments.jid("session").resource(), Some("Phone"));
    }

    #[test]
    fn domains_are_prepared() {
        let prepared = |domain: &str| {
            let json = serde_json::json!({ "jid": "a@b", "host": domain }).to_string();
            check(&json).map(|arguments| arguments.domain_if_given("host").unwrap().as_str().to_owned())
        };
        for (written, domain) in [
            ("Example.ORG", "example.org"),
            ("example.org.", "example.org"),
            ("xn--mller-kva.example", "m\u{fc}ller.example"),
            ("M\u{dc}LLER.example", "m\u{fc}ller.example"),
            ("192.0.2.1", "192.0.2.1"),
            ("[2001:DB8::1]", "[2001:db8::1]"),
            ("localhost", "localhost"),
        ] {
            assert_eq!(prepared(written).as_deref(), Ok(domain), "{written}");
        }
        for wrong in ["a@b", "a/b", "a b", "..", "a..b", "[::g]", "2001:db8::1", "<a>", "a&b", "\u{ad}", "."] {
            assert!(prepared(wrong).is_err_and(|failed| failed.exit == 2), "{wrong}");
        }
    }

    #[test]
    fn long_text_is_refused() {
        let json = format!(r#"{{"jid":"{}@b"}}"#, "a".repeat(TEXT_BYTES_MAX));
        assert_eq!(check(&json).unwrap_err().message, "`jid` is longer than 3071 bytes");
    }

    #[test]
    fn lines_may_be_several_and_long() {
        let lines = |text: String| check(&serde_json::json!({ "jid": "a@b", "lines": text }).to_string());
        assert_eq!(lines("a\r\nb\tc".into()).unwrap().text("lines"), "a\r\nb\tc");
        assert!(lines("a".repeat(LINES_BYTES_MAX)).is_ok() && lines("a".repeat(LINES_BYTES_MAX + 1)).is_err());
        assert!(lines("a\u{1b}b".into()).is_err());
    }

    #[test]
    fn debug_output_has_names_only() {
        let arguments = check(r#"{"jid":"a@b","password":"hunter2"}"#).unwrap();
        assert_eq!(format!("{arguments:?}"), r#"["jid", "password"]"#);
    }

    #[test]
    #[should_panic(expected = "declared with the kind")]
    fn reading_an_undeclared_field_is_a_mistake_of_the_command() {
        check(r#"{"jid":"a@b"}"#).unwrap().flag("jid");
    }
}
