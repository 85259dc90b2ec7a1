//! XEP-0220: Server Dialback, the elements. Who may send which of them, and what they prove, is decided in `net`; what a key must be is
//! computed in `sasl` (XEP-0185). Every element is written with the prefix `db`, which our stream headers declare.

use super::Malformed;
use crate::jid::Jid;
use crate::ns;
use crate::stanza::error::Condition;
use crate::stream::header::DIALBACK_PREFIX;
use crate::xml::{Child, Element, Tree, write};

/// Longest key and longest id of a stream, in bytes: both are copied into requests to others.
pub const TEXT_BYTES_MAX: usize = 1023;

/// Which of the two conversations an element belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// `<db:result/>`: may stanzas flow from one domain to another (steps 1 and 4)?
    Result,
    /// `<db:verify/>`: is this key one of the domain's own (steps 2 and 3)?
    Verify,
}

/// What an element says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Says {
    /// It asks, with this key.
    Key(String),
    /// Yes.
    Valid,
    /// No.
    Invalid,
    /// Nobody can tell now, for this reason (section 2.5); an unknown one is `undefined-condition`.
    Error(Condition),
}

/// One element of a dialback conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dialback {
    /// Of which conversation.
    pub step: Step,
    /// The domain that speaks: a claim.
    pub from: Jid,
    /// The domain that is spoken to.
    pub to: Jid,
    /// The stream that the key was made for; only in [`Step::Verify`], and always there.
    pub id: Option<String>,
    /// What it says.
    pub says: Says,
}

impl Dialback {
    /// Reads a top-level element; `None` if it is not of this document.
    pub fn read(element: &Element) -> Option<Result<Dialback, Malformed>> {
        if element.ns() != ns::DIALBACK {
            return None;
        }
        match element.name() {
            "result" => Some(Dialback::read_step(Step::Result, element)),
            "verify" => Some(Dialback::read_step(Step::Verify, element)),
            _ => None,
        }
    }

    fn read_step(step: Step, element: &Element) -> Result<Dialback, Malformed> {
        let (from, to) = (domain(element, "from")?, domain(element, "to")?);
        let id = match step {
            Step::Result => None,
            Step::Verify => Some(bounded(element.attr("id").ok_or(Malformed("there is no id"))?.into_owned())?),
        };
        let says = match element.attr("type").as_deref() {
            None => Says::Key(bounded(element.text().trim().to_owned())?),
            Some("valid") => Says::Valid,
            Some("invalid") => Says::Invalid,
            Some("error") => Says::Error(condition(element)),
            Some(_) => return Err(Malformed("an unknown type")),
        };
        Ok(Dialback { step, from, to, id, says })
    }

    /// The answer to this request.
    pub fn answer(&self, says: Says) -> Dialback {
        Dialback { step: self.step, from: self.to.clone(), to: self.from.clone(), id: self.id.clone(), says }
    }

    /// Appends it.
    pub fn write(&self, out: &mut Vec<u8>) {
        let name = match self.step {
            Step::Result => "result",
            Step::Verify => "verify",
        };
        let kind = match self.says {
            Says::Key(_) => None,
            Says::Valid => Some("valid"),
            Says::Invalid => Some("invalid"),
            Says::Error(_) => Some("error"),
        };
        push_name(out, "<", name);
        let attributes = [
            ("from", Some(self.from.as_str())),
            ("to", Some(self.to.as_str())),
            ("id", self.id.as_deref()),
            ("type", kind),
        ];
        for (name, value) in attributes {
            if let Some(value) = value {
                write::attribute(out, name, value);
            }
        }
        out.push(b'>');
        match &self.says {
            Says::Key(key) => write::text(out, key),
            Says::Error(condition) => error(*condition).write(out, ns::SERVER),
            Says::Valid | Says::Invalid => {}
        }
        push_name(out, "</", name);
        out.push(b'>');
    }

    /// The element.
    pub fn to_vec(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        self.write(&mut out);
        out
    }
}

/// The stream feature: dialback with errors (section 2.4.2).
pub fn feature() -> Tree {
    Tree::new(ns::DIALBACK_FEATURE, "dialback").child(Tree::new(ns::DIALBACK_FEATURE, "errors"))
}

/// Whether a server that announces this feature knows errors, without which no further domains are brought to its stream.
pub fn knows_errors(feature: &Tree) -> bool {
    feature.is(ns::DIALBACK_FEATURE, "dialback") && feature.get_child(ns::DIALBACK_FEATURE, "errors").is_some()
}

fn push_name(out: &mut Vec<u8>, begin: &str, name: &str) {
    for part in [begin, DIALBACK_PREFIX, ":", name] {
        out.extend_from_slice(part.as_bytes());
    }
}

fn domain(element: &Element, attribute: &str) -> Result<Jid, Malformed> {
    let text = element.attr(attribute).ok_or(Malformed("there is no from or no to"))?;
    Jid::parse(&text).ok().filter(Jid::is_domain).ok_or(Malformed("from or to is not a domain"))
}

fn bounded(text: String) -> Result<String, Malformed> {
    if text.is_empty() || text.len() > TEXT_BYTES_MAX {
        return Err(Malformed("a key or an id is empty or too long"));
    }
    Ok(text)
}

fn condition(element: &Element) -> Condition {
    let known = |child: Child<'_>| {
        let is_named = |condition: &&Condition| child.ns() == ns::STANZA_ERRORS && condition.name() == child.name();
        Condition::ALL.iter().find(is_named).copied()
    };
    let error = element.children().find(|child| child.name() == "error");
    error.and_then(|error| error.children().find_map(known)).unwrap_or(Condition::UndefinedCondition)
}

fn error(condition: Condition) -> Tree {
    let inside = Tree::new(ns::STANZA_ERRORS, condition.name());
    Tree::new(ns::SERVER, "error").attr("type", condition.default_type().as_str()).child(inside)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::header::{Opening, StreamKind};
    use crate::xml::{Item, Limits, Scanner};

    fn element(xml: &[u8]) -> Element {
        let mut stream = Vec::new();
        Opening { kind: StreamKind::Server, from: None, to: None, id: None, lang: "en" }.write(&mut stream);
        stream.extend_from_slice(xml);
        let (mut scanner, mut rest) = (Scanner::new(Limits::BEFORE_AUTH), &stream[..]);
        assert!(matches!(scanner.next(&mut rest), Ok(Some(Item::Open(_)))));
        match scanner.next(&mut rest) {
            Ok(Some(Item::Element(element))) if rest.is_empty() => element,
            other => panic!("{other:?}"),
        }
    }

    fn read(xml: &str) -> Option<Result<Dialback, Malformed>> {
        Dialback::read(&element(xml.as_bytes()))
    }

    fn jid(text: &str) -> Jid {
        Jid::parse(text).unwrap()
    }

    #[test]
    fn what_is_written_is_read() {
        for step in [Step::Result, Step::Verify] {
            let errors = Condition::ALL.iter().map(|&condition| Says::Error(condition));
            for says in [Says::Key("37c6<".into()), Says::Valid, Says::Invalid].into_iter().chain(errors) {
                let id = (step == Step::Verify).then(|| "D6'0".to_owned());
                let said = Dialback { step, from: jid("a.example"), to: jid("b.example"), id, says };
                assert_eq!(Dialback::read(&element(&said.to_vec())), Some(Ok(said)));
            }
        }
    }

    #[test]
    fn elements_have_the_prefix_and_the_error_the_namespace_of_the_stream() {
        let asked = read("<db:verify from='b.example' to='a.example' id='1'> k\n</db:verify>").unwrap().unwrap();
        assert_eq!(asked.says, Says::Key("k".into()));
        let answer = asked.answer(Says::Error(Condition::ItemNotFound)).to_vec();
        assert_eq!(
            String::from_utf8(answer).unwrap(),
            "<db:verify from='a.example' to='b.example' id='1' type='error'><error type='cancel'>\
             <item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></db:verify>"
        );
    }

    #[test]
    fn any_prefix_will_do() {
        let other = "<x:result xmlns:x='jabber:server:dialback' from='a' to='b' type='valid'/>";
        assert_eq!(read(other).unwrap().unwrap().says, Says::Valid);
        assert_eq!(
            read("<result xmlns='jabber:server:dialback' from='a' to='b'>k</result>").unwrap().unwrap().says,
            Says::Key("k".into())
        );
        assert_eq!(read("<result from='a' to='b'>k</result>"), None);
        assert_eq!(read("<db:foo from='a' to='b'/>"), None);
    }

    #[test]
    fn what_is_not_as_the_document_says_is_malformed() {
        let long = "k".repeat(TEXT_BYTES_MAX + 1);
        for wrong in [
            "<db:result to='b'>k</db:result>",
            "<db:result from='a'>k</db:result>",
            "<db:result from='a@b' to='b'>k</db:result>",
            "<db:result from='a/b' to='b'>k</db:result>",
            "<db:result from='' to='b'>k</db:result>",
            "<db:result from='a' to='b'/>",
            "<db:result from='a' to='b'> </db:result>",
            "<db:result from='a' to='b' type='maybe'/>",
            "<db:verify from='a' to='b'>k</db:verify>",
            "<db:verify from='a' to='b' id=''>k</db:verify>",
            &format!("<db:result from='a' to='b'>{long}</db:result>"),
            &format!("<db:verify from='a' to='b' id='{long}'>k</db:verify>"),
        ] {
            assert!(read(wrong).unwrap().is_err(), "{wrong:.60}");
        }
    }

    #[test]
    fn an_error_without_a_known_condition_is_undefined() {
        for xml in [
            "<db:result from='a' to='b' type='error'/>",
            "<db:result from='a' to='b' type='error'><error/></db:result>",
            "<db:result from='a' to='b' type='error'><error><item-not-found/></error></db:result>",
        ] {
            assert_eq!(read(xml).unwrap().unwrap().says, Says::Error(Condition::UndefinedCondition), "{xml}");
        }
    }

    #[test]
    fn errors_are_announced() {
        assert!(knows_errors(&feature()));
        assert!(!knows_errors(&Tree::new(ns::DIALBACK_FEATURE, "dialback")));
    }
}
