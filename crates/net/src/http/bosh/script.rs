//! BOSH in scripts (XEP-0252), for pages that can load nothing else from here: the request stands in the address, and its answer is a call
//! of a function of the page. Everything in an answer but the plainest characters is escaped, so it is the same in every encoding.

use axum::http::header;
use axum::response::{IntoResponse, Response};

/// Most bytes of a function's name.
const NAME_BYTES_MAX: usize = 64;

/// A request in an address.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Asked {
    /// The element.
    pub(super) body: Vec<u8>,
    call: Call,
}

/// What is called.
#[derive(Debug, PartialEq, Eq)]
enum Call {
    /// `_BOSH_`, with the answer as text (section 4.3).
    Text,
    /// A function that the page has named, with the answer in an object: how the Metronome of the Lua years has it.
    Object(String),
}

impl Asked {
    /// Reads what stands behind the `?`: an element, or the name of a function (`callback`) and an element (`data`). None if it is neither.
    pub(super) fn read(query: &str) -> Option<Asked> {
        if query.starts_with('<') || query.get(..3).is_some_and(|first| first.eq_ignore_ascii_case("%3c")) {
            return Some(Asked { body: decoded(query)?, call: Call::Text });
        }
        let fields = || query.split('&').filter_map(|field| field.split_once('='));
        let value = |name: &str| fields().find(|(field, _)| *field == name).map(|(_, value)| value);
        // What stands in a form has its spaces as plus signs.
        let body = decoded(&value("data")?.replace('+', "%20"))?;
        let call = match value("callback") {
            Some(name) => Call::Object(name_of(name)?),
            None => Call::Text,
        };
        Some(Asked { body, call })
    }

    /// The script.
    pub(super) fn script(&self, answer: &[u8]) -> String {
        let text = quoted(&String::from_utf8_lossy(answer));
        match &self.call {
            Call::Text => format!("_BOSH_({text})"),
            Call::Object(name) => format!("{name}({{\"reply\": {text}}});"),
        }
    }

    /// The same as a response, which nobody on the way may keep (section 7).
    pub(super) fn response(&self, answer: &[u8]) -> Response {
        let fields = [
            (header::CONTENT_TYPE, "text/javascript; charset=utf-8"),
            (header::CACHE_CONTROL, "no-store, no-cache"),
            (header::PRAGMA, "no-cache"),
        ];
        (fields, self.script(answer)).into_response()
    }
}

/// The name of a function, perhaps one within an object, and nothing that would be more than a name.
fn name_of(text: &str) -> Option<String> {
    let name = String::from_utf8(decoded(text)?).ok()?;
    let is_part = |part: &str| {
        let is_first = |first: u8| first.is_ascii_alphabetic() || matches!(first, b'_' | b'$');
        part.bytes().next().is_some_and(is_first) && part.bytes().all(|byte| is_first(byte) || byte.is_ascii_digit())
    };
    (name.len() <= NAME_BYTES_MAX && name.split('.').all(is_part)).then_some(name)
}

/// The octets of a text with its escapes undone (RFC 3986 section 2.1); none if one of them is none.
fn decoded(text: &str) -> Option<Vec<u8>> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
        decoded.push(match byte {
            b'%' => (digit(bytes.next())? * 16 + digit(bytes.next())?) as u8,
            byte => byte,
        });
    }
    Some(decoded)
}

/// A string of ECMAScript, which is one of JSON too.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            ' '..='~' => out.push(character),
            _ => {
                let mut units = [0; 2];
                for unit in character.encode_utf16(&mut units) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Option<(String, Call)> {
        Asked::read(query).map(|asked| (String::from_utf8(asked.body).unwrap(), asked.call))
    }

    #[test]
    fn an_address_holds_an_element_or_a_name_and_an_element() {
        let text = |body: &str| Some((body.to_owned(), Call::Text));
        assert_eq!(read("%3Cbody%20rid='1'%20a='x&amp;y+z'/%3E"), text("<body rid='1' a='x&amp;y+z'/>"));
        assert_eq!(read("%3cbody/>"), text("<body/>"));
        assert_eq!(read("data=%3Cbody%2F%3E"), text("<body/>"));
        let object = Some(("<body a='ü'/>".to_owned(), Call::Object("jQuery1_2.$3".to_owned())));
        assert_eq!(read("callback=jQuery1_2.%243&data=%3Cbody+a%3D'%C3%BC'%2F%3E&_=1700000000"), object);
        for wrong in ["", "x", "callback=f", "data=%3", "data=%zz", "%3", "%3Cbody%2", "callback=f&body=%3Cbody%2F%3E"]
        {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_function_has_a_name_and_nothing_more() {
        let long = "a".repeat(NAME_BYTES_MAX + 1);
        let wrong =
            ["", "1a", "a.", ".a", "a..b", "a(b)", "alert(1);f", "a[0]", "a b", "a%0a", "%C3%BC", "a;b", "a/*", &long];
        for name in wrong {
            assert_eq!(read(&format!("callback={name}&data=%3Cbody%2F%3E")), None, "{name}");
        }
    }

    #[test]
    fn an_answer_is_one_string_of_a_script() {
        let script = |query: &str, answer: &str| Asked::read(query).unwrap().script(answer.as_bytes());
        let answer = "<body a='\"\\'>\n\r\t\u{2028}\u{200e}\u{fc}\u{1f600}</body>";
        let text = r#""<body a='\"\\'>\n\r\u0009\u2028\u200e\u00fc\ud83d\ude00</body>""#;
        assert_eq!(script("%3Cbody/%3E", answer), format!("_BOSH_({text})"));
        assert_eq!(script("callback=f&data=%3Cbody/%3E", answer), format!("f({{\"reply\": {text}}});"));
        assert_eq!(serde_json::from_str::<String>(text).unwrap(), answer);
    }
}
