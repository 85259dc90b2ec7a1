//! Rust source as far as the checks need it: code without comments and literals, and the names it declares.
//! Called by `tidy`; a scanner of a few rules, not a parser: it looks at tokens, never at types.

/// `source` with comments and the contents of string and character literals replaced by spaces.
///
/// Lines keep their numbers and everything else its position, so offsets in the result are offsets in `source`.
pub(crate) fn code_only(source: &str) -> String {
    let bytes = source.as_bytes();
    let mut out = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = match token_kind(bytes, at) {
            Kind::LineComment => line_end(bytes, at),
            Kind::BlockComment => block_comment_end(bytes, at),
            Kind::Text => text_end(bytes, at),
            Kind::RawText => raw_text_end(bytes, at),
            Kind::Character(end) => end,
            Kind::Word => {
                at = word_end(bytes, at);
                continue;
            }
            Kind::Other => {
                at += 1;
                continue;
            }
        };
        for byte in &mut out[at..end] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        at = end;
    }
    String::from_utf8(out).expect("whole characters were replaced by spaces")
}

/// What begins at a position of the source.
enum Kind {
    LineComment,
    BlockComment,
    Text,
    RawText,
    /// A character literal and where it ends.
    Character(usize),
    Word,
    Other,
}

fn token_kind(bytes: &[u8], at: usize) -> Kind {
    let rest = &bytes[at..];
    if rest.starts_with(b"//") {
        return Kind::LineComment;
    }
    if rest.starts_with(b"/*") {
        return Kind::BlockComment;
    }
    if rest[0] == b'"' || rest.starts_with(b"b\"") || rest.starts_with(b"c\"") {
        return Kind::Text;
    }
    if is_raw_text(rest) {
        return Kind::RawText;
    }
    if rest[0] == b'\'' {
        return character_end(bytes, at).map_or(Kind::Other, Kind::Character);
    }
    if is_word_byte(rest[0]) { Kind::Word } else { Kind::Other }
}

fn is_raw_text(rest: &[u8]) -> bool {
    let prefix = usize::from(rest[0] == b'b' || rest[0] == b'c');
    if rest.get(prefix) != Some(&b'r') {
        return false;
    }
    let hashes = rest[prefix + 1..].iter().take_while(|byte| **byte == b'#').count();
    rest.get(prefix + 1 + hashes) == Some(&b'"')
}

fn is_word_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

fn word_end(bytes: &[u8], at: usize) -> usize {
    at + bytes[at..].iter().take_while(|byte| is_word_byte(**byte)).count()
}

fn line_end(bytes: &[u8], at: usize) -> usize {
    at + bytes[at..].iter().take_while(|byte| **byte != b'\n').count()
}

fn block_comment_end(bytes: &[u8], start: usize) -> usize {
    let mut depth = 0_usize;
    let mut at = start;
    while at < bytes.len() {
        if bytes[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if bytes[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    bytes.len()
}

fn text_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start + bytes[start..].iter().take_while(|byte| **byte != b'"').count() + 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

fn raw_text_end(bytes: &[u8], start: usize) -> usize {
    let quote = start + bytes[start..].iter().take_while(|byte| **byte != b'"').count();
    let hashes = bytes[start..quote].iter().filter(|byte| **byte == b'#').count();
    let mut at = quote + 1;
    while at < bytes.len() {
        let closing = &bytes[at + 1..];
        if bytes[at] == b'"' && closing.len() >= hashes && closing[..hashes].iter().all(|byte| *byte == b'#') {
            return at + 1 + hashes;
        }
        at += 1;
    }
    bytes.len()
}

/// The end of the character literal at `at`, or nothing where a lifetime begins there.
fn character_end(bytes: &[u8], at: usize) -> Option<usize> {
    if bytes.get(at + 1) == Some(&b'\\') {
        let close = bytes.get(at + 3..)?.iter().position(|byte| *byte == b'\'')?;
        return Some(at + 3 + close + 1);
    }
    let text = std::str::from_utf8(&bytes[at + 1..bytes.len().min(at + 5)]);
    let valid = match &text {
        Ok(text) => text,
        Err(error) => std::str::from_utf8(&bytes[at + 1..at + 1 + error.valid_up_to()]).ok()?,
    };
    let width = valid.chars().next()?.len_utf8();
    (bytes.get(at + 1 + width) == Some(&b'\'')).then_some(at + 2 + width)
}

/// One `mod` item of a file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Module {
    /// Its name.
    pub(crate) name: String,
    /// The names of the inline modules around it, outermost first.
    pub(crate) inside: Vec<String>,
    /// Whether its body is in another file (`mod name;`) or here (`mod name { .. }`).
    pub(crate) body: Body,
}

/// Where a module's body is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Body {
    /// In its own file.
    Elsewhere,
    /// Between braces in the same file.
    Here,
}

/// The macro whose arguments are modules: the list of features.
const MODULE_LIST: &str = "features";

/// The `mod` items of `code` (already without comments and literals), in order, and the names in `features! { .. }`.
pub(crate) fn modules(code: &str) -> Vec<Module> {
    let mut found = Vec::new();
    let mut open: Vec<Option<String>> = Vec::new();
    let words = tokens(code);
    let mut at = 0;
    while at < words.len() {
        match words[at] {
            "{" => open.push(None),
            "}" => {
                open.pop();
            }
            "mod" if words.get(at + 1).is_some_and(|word| is_name(word)) => {
                let name = words[at + 1].to_owned();
                let inside = open.iter().flatten().cloned().collect();
                match words.get(at + 2) {
                    Some(&";") => found.push(Module { name, inside, body: Body::Elsewhere }),
                    Some(&"{") => {
                        found.push(Module { name: name.clone(), inside, body: Body::Here });
                        open.push(Some(name));
                    }
                    _ => {}
                }
                at += 2;
            }
            MODULE_LIST if words.get(at + 1) == Some(&"!") && words.get(at + 2) == Some(&"{") => {
                let listed = words[at + 3..].iter().take_while(|word| **word != "}").filter(|word| is_name(word));
                found.extend(listed.map(|name| Module {
                    name: (*name).to_owned(),
                    inside: vec![],
                    body: Body::Elsewhere,
                }));
            }
            _ => {}
        }
        at += 1;
    }
    found
}

/// What `#[path = ".."]` says of the module `name` in `source`, which is the text with its literals.
pub(crate) fn path_attribute<'a>(source: &'a str, name: &str) -> Option<&'a str> {
    source.split("#[path = \"").skip(1).find_map(|rest| {
        let (path, after) = rest.split_once("\"]")?;
        let item = after.split(';').next()?;
        (tokens(item).ends_with(&["mod", name])).then_some(path)
    })
}

fn is_name(word: &str) -> bool {
    word.bytes().next().is_some_and(|byte| is_word_byte(byte) && !byte.is_ascii_digit())
}

/// Words and single punctuation marks of `code`, without white space.
pub(crate) fn tokens(code: &str) -> Vec<&str> {
    let bytes = code.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let end = if is_word_byte(bytes[at]) { word_end(bytes, at) } else { at + 1 };
        if !bytes[at].is_ascii_whitespace() {
            found.push(&code[at..end]);
        }
        at = end;
    }
    found
}

/// Words that introduce a named item.
const ITEM_WORDS: &[&str] =
    &["fn", "struct", "enum", "trait", "type", "static", "const", "union", "macro_rules", "mod"];

/// Whether `code` declares an item (function, type, constant, macro) called `name`.
pub(crate) fn declares(code: &str, name: &str) -> bool {
    let words = tokens(code);
    words.windows(2).any(|pair| ITEM_WORDS.contains(&pair[0]) && pair[1] == name)
        || words.windows(3).any(|three| three[0] == "macro_rules" && three[1] == "!" && three[2] == name)
        || words.windows(3).any(|three| three[0] == "static" && three[1] == "mut" && three[2] == name)
}

/// Whether `code` holds a function `name` with an attribute ending in `test` above it.
pub(crate) fn has_test(code: &str, name: &str) -> bool {
    let words = tokens(code);
    (0..words.len().saturating_sub(1))
        .any(|at| words[at] == "fn" && words[at + 1] == name && is_marked_test(&words, at))
}

/// Whether `code` names `name` in the list of a call of the macro `list`, as in `list!(one, two)`.
pub(crate) fn is_listed(code: &str, list: &str, name: &str) -> bool {
    let words = tokens(code);
    let calls = (0..words.len()).filter(|at| words[*at] == list && words.get(at + 1) == Some(&"!"));
    calls.into_iter().any(|at| words[at + 2..].iter().take_while(|word| **word != ";").any(|word| *word == name))
}

/// Whether an attribute above the item at `at` ends in `test`, such as `#[test]` or `#[tokio::test(..)]`.
fn is_marked_test(words: &[&str], at: usize) -> bool {
    let begin = words[..at].iter().rposition(|word| matches!(*word, "}" | ";" | "{")).map_or(0, |end| end + 1);
    let above = &words[begin..at];
    above.windows(3).any(|three| three[1] == "test" && matches!(three[0], "[" | ":") && matches!(three[2], "]" | "("))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_become_spaces() {
        let code =
            code_only("a // mod x;\nb /* /* mod y; */ */ c \"mod z; \\\" q\" d r#\"mod \" w;\"# e 'x' '\\'' 'é' f");
        assert!(!code.contains("mod"), "{code}");
        let words: Vec<&str> = tokens(&code);
        assert_eq!(words, ["a", "b", "c", "d", "e", "f"]);
        assert_eq!(code.lines().count(), 2);
    }

    #[test]
    fn lifetimes_are_not_literals() {
        assert_eq!(tokens(&code_only("fn f<'a>(x: &'a str, y: &'static str) {}")).last(), Some(&"}"));
    }

    #[test]
    fn raw_identifiers_and_words_ending_in_r_are_not_raw_text() {
        let code = code_only("let for_r = r#fn; bar\"text mod x;\"");
        assert!(code.contains("r#fn"));
        assert!(!code.contains("mod"));
    }

    #[test]
    fn modules_are_found_with_what_is_around_them() {
        let found = modules("mod a; pub(crate) mod b { fn f() { if x { } } mod c; } mod d;");
        let names: Vec<(String, Vec<String>)> = found.into_iter().map(|m| (m.name, m.inside)).collect();
        assert_eq!(
            names,
            [("a".into(), vec![]), ("b".into(), vec![]), ("c".into(), vec!["b".to_owned()]), ("d".into(), vec![])]
        );
    }

    #[test]
    fn the_list_of_features_declares_modules() {
        let code =
            "macro_rules! features { ($($name:ident),*) => { $(pub mod $name;)* }; } features! { ping, version }";
        let names: Vec<String> = modules(code).into_iter().map(|module| module.name).collect();
        assert_eq!(names, ["ping", "version"]);
    }

    #[test]
    fn a_module_may_name_its_file() {
        let source =
            "#[path = \"../src/queue.rs\"]\nmod queue;\n#[path = \"model/sync.rs\"]\npub(crate) mod sync;\nmod other;";
        assert_eq!(path_attribute(source, "queue"), Some("../src/queue.rs"));
        assert_eq!(path_attribute(source, "sync"), Some("model/sync.rs"));
        assert_eq!(path_attribute(source, "other"), None);
    }

    #[test]
    fn items_are_found_by_name() {
        let code = "pub async fn run() {} struct Session; macro_rules! features { () => {} } const X: u8 = 1;";
        for name in ["run", "Session", "features", "X"] {
            assert!(declares(code, name), "{name}");
        }
        assert!(!declares(code, "walk"));
    }

    #[test]
    fn a_macro_may_list_its_tests() {
        let code = "over_each_backend!(one, two,); fn one() {} fn three() {}";
        assert!(is_listed(code, "over_each_backend", "two"));
        assert!(!is_listed(code, "over_each_backend", "three"));
    }

    #[test]
    fn a_test_needs_its_attribute() {
        let code = "#[tokio::test(flavor = x)] async fn proves() {} fn helper() {} #[test] #[should_panic] fn panics() {} #[cfg(test)] fn only_in_tests() {}";
        assert!(has_test(code, "proves"));
        assert!(has_test(code, "panics"));
        assert!(!has_test(code, "helper"));
        assert!(!has_test(code, "only_in_tests"));
    }
}
