//! Requests and answers as lines of JSON; both ends use these types.
//! `{"command":"user add","arguments":{"jid":"a@b"}}` is answered by `{"exit":0,"text":"...","value":...}`, or by
//! `{"exit":1,"message":"...","hint":"..."}`.

use metronome_host::command::{Answer, Failed};
use serde_json::{Map, Value, json};

/// Longest line of a request, in bytes. Answers have no bound of their own: they are as long as what was asked for.
pub const LINE_BYTES_MAX: usize = 64 * 1024;

/// One command to run. Not `Debug`: arguments may be passwords.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    /// The name of the command, such as `user add`.
    pub command: String,
    /// Its arguments by name.
    pub arguments: Map<String, Value>,
}

impl Request {
    /// The request as a line, with its line break.
    pub fn to_line(&self) -> String {
        json!({ "command": self.command, "arguments": self.arguments }).to_string() + "\n"
    }

    /// Reads a line; the error says what is wrong with it and quotes nothing of it.
    pub fn from_line(line: &[u8]) -> Result<Self, &'static str> {
        let Ok(Value::Object(mut object)) = serde_json::from_slice(line) else {
            return Err("the request is not a JSON object");
        };
        let Some(Value::String(command)) = object.remove("command") else { return Err("the request names no command") };
        let arguments = match object.remove("arguments") {
            Some(Value::Object(arguments)) => arguments,
            None => Map::new(),
            Some(_) => return Err("the arguments are not an object"),
        };
        if !object.is_empty() {
            return Err("the request has keys other than command and arguments");
        }
        Ok(Self { command, arguments })
    }
}

/// What became of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The exit code for the command line: 0 done, 1 a problem was found, 2 wrong use.
    pub exit: u8,
    /// The answer for people, or what is wrong.
    pub text: String,
    /// The answer for programs; null if the command failed, a list if it was a check that found problems.
    pub value: Value,
    /// What to do about a failure; empty if nothing helps.
    pub hint: String,
}

impl From<Result<Answer, Failed>> for Reply {
    fn from(result: Result<Answer, Failed>) -> Self {
        match result {
            Ok(answer) => {
                Self { exit: answer.exit(), text: answer.to_text(), value: answer.to_json(), hint: String::new() }
            }
            Err(failed) => Self { exit: failed.exit, text: failed.message, value: Value::Null, hint: failed.hint },
        }
    }
}

impl Reply {
    pub(super) fn usage(message: &str) -> Self {
        Self::from(Err(Failed::usage(message)))
    }

    pub(super) fn problem(message: &str) -> Self {
        Self::from(Err(Failed::problem(message)))
    }

    /// Whether the command did what it was asked: also a check that has found problems did.
    pub fn is_answer(&self) -> bool {
        self.exit == 0 || self.value.is_array()
    }

    /// The reply as JSON: `text` and `value` of an answer, or `message` and `hint` of a failure.
    pub fn to_json(&self) -> Value {
        if self.is_answer() {
            json!({ "exit": self.exit, "text": self.text, "value": self.value })
        } else {
            json!({ "exit": self.exit, "message": self.text, "hint": self.hint })
        }
    }

    /// The reply as a line, with its line break.
    pub fn to_line(&self) -> String {
        self.to_json().to_string() + "\n"
    }

    /// Reads a line of a server; `None` if it is not a reply.
    pub fn from_line(line: &[u8]) -> Option<Self> {
        let Ok(Value::Object(mut object)) = serde_json::from_slice(line) else { return None };
        let exit = u8::try_from(object.get("exit")?.as_u64()?).ok()?;
        let is_answer = object.contains_key("text");
        let mut text = |name: &str| match object.remove(name) {
            Some(Value::String(text)) => text,
            _ => String::new(),
        };
        let (text, hint) = (text(if is_answer { "text" } else { "message" }), text("hint"));
        Some(Self { exit, text, hint, value: object.remove("value").unwrap_or(Value::Null) })
    }
}
