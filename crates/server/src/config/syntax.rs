//! A text that is not TOML: the parser knows where, and this says it in words for people who write such a file once a year.

use std::sync::Arc;

use super::problem::{Code, Problem};
use super::source::Source;

/// The problem for the parser's error.
pub(super) fn syntax_problem(source: &Arc<Source>, error: &toml::de::Error) -> Problem {
    let text = source.text();
    let span = error.span().unwrap_or(0..0);
    let (start, end) = (text.floor_char_boundary(span.start), text.floor_char_boundary(span.end));
    let (message, hint) =
        plain(error.message().lines().next().unwrap_or_default(), &text[..start], &text[start..end], &text[end..]);
    Problem::at(source, span, Code::Syntax, message, hint)
}

/// What is wrong and what to write, from the parser's message and the text before, at and after its place.
fn plain(message: &str, before: &str, at: &str, after: &str) -> (String, String) {
    let line = before.rsplit('\n').next().unwrap_or_default().trim_start();
    let say = |message: &str, hint: &str| (message.to_owned(), hint.to_owned());
    let begins = |start: &str| message.starts_with(start);
    if begins("duplicate key") {
        return say("this key is in the file twice", "remove one of them");
    }
    if begins("string values must be quoted") || begins("invalid float") || begins("invalid boolean") {
        // Of `1.2.3.4` the parser marks what is behind the number.
        let begin =
            before.rfind(|c: char| c.is_whitespace() || "=[{,".contains(c)).map_or(0, |separator| separator + 1);
        return unquoted(message, format!("{}{at}", &before[begin..]).trim());
    }
    if begins("key with no value") {
        return match (
            line.starts_with("//"),
            at.starts_with(':') || after.starts_with(':') || line.trim_end().ends_with(':'),
        ) {
            (true, _) => say("`//` begins no comment", "write # instead"),
            (_, true) => say("`:` stands between key and value", "write = instead"),
            _ => say("a key without a value", "write = and a value here"),
        };
    }
    let at_end_of_line =
        at.trim().is_empty() && (after.is_empty() || after.starts_with(['\n', '\r']) || at.contains('\n'));
    if begins("invalid basic string") && at_end_of_line {
        return say("a text that does not end", "write \" here");
    }
    if begins("invalid literal string") && at_end_of_line {
        return say("a text that does not end", "write ' here");
    }
    if begins("unclosed table") {
        return say("a section's name that does not end", "write ] here");
    }
    if begins("missing escaped value") {
        return say("`\\` begins an escape that does not exist", "write \\\\ for a backslash");
    }
    say(message, "")
}

/// A value that is no number, no text and no truth value.
fn unquoted(message: &str, word: &str) -> (String, String) {
    let hint = match word.to_ascii_lowercase().as_str() {
        "" => return ("there is no value".to_owned(), "write one, or remove the line".to_owned()),
        "yes" | "on" | "true" => "write true".to_owned(),
        "no" | "off" | "false" => "write false".to_owned(),
        _ if message.starts_with("invalid boolean") => "write true or false".to_owned(),
        _ => format!("write \"{word}\""),
    };
    (if hint.contains('"') { "a text without quotes".to_owned() } else { format!("`{word}` is not a value") }, hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Message and hint for a value of a key.
    fn value(written: &str) -> (String, String) {
        file(&format!("domain = \"a.example\"\nkey = {written}\n"))
    }

    fn file(text: &str) -> (String, String) {
        let source = Arc::new(Source::file(std::path::Path::new("x.toml"), text.to_owned()));
        let error = toml::de::DeTable::parse(source.text()).unwrap_err();
        let problem = syntax_problem(&source, &error);
        (problem.message, problem.hint)
    }

    #[test]
    fn wrong_values_are_told_with_the_right_form() {
        for (written, message, hint) in [
            ("yes", "`yes` is not a value", "write true"),
            ("no", "`no` is not a value", "write false"),
            ("off", "`off` is not a value", "write false"),
            ("True", "`True` is not a value", "write true"),
            ("tru", "`tru` is not a value", "write true or false"),
            ("infinite", "a text without quotes", "write \"infinite\""),
            ("example.org", "a text without quotes", "write \"example.org\""),
            ("10 MiB", "a text without quotes", "write \"10 MiB\""),
            ("10MB", "a text without quotes", "write \"10MB\""),
            ("/var/lib", "a text without quotes", "write \"/var/lib\""),
            ("[a, b]", "a text without quotes", "write \"a\""),
            ("127.0.0.1:5222", "a text without quotes", "write \"127.0.0.1:5222\""),
            ("", "there is no value", "write one, or remove the line"),
            ("\"a", "a text that does not end", "write \" here"),
            ("'a", "a text that does not end", "write ' here"),
            ("\"a\\q\"", "`\\` begins an escape that does not exist", "write \\\\ for a backslash"),
        ] {
            assert_eq!(value(written), (message.to_owned(), hint.to_owned()), "{written}");
        }
    }

    #[test]
    fn wrong_lines_are_told_with_the_right_form() {
        for (text, message, hint) in [
            ("domain: a\n", "`:` stands between key and value", "write = instead"),
            ("domain : a\n", "`:` stands between key and value", "write = instead"),
            ("// a comment\n", "`//` begins no comment", "write # instead"),
            ("domain \"a\"\n", "a key without a value", "write = and a value here"),
            ("[tls\n", "a section's name that does not end", "write ] here"),
            ("[tls]\n[tls]\n", "this key is in the file twice", "remove one of them"),
            ("a = 1\na = 2\n", "this key is in the file twice", "remove one of them"),
        ] {
            assert_eq!(file(text), (message.to_owned(), hint.to_owned()), "{text}");
        }
    }
}
