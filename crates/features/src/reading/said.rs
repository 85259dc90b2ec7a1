//! What a stored message says to somebody who reads it later, as text; what it asks of clients is nothing to read.

use metronome_proto::ns;
use metronome_proto::payload::retract;
use metronome_proto::xml::Content;

/// What was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// This.
    Text(String),
    /// In the place of something that was said before (XEP-0308).
    Corrected(String),
    /// What somebody does (XEP-0245).
    Act(String),
    /// What the conversation is about from now on; nothing, if it is empty.
    Subject(String),
    /// Something that only clients can read (XEP-0380).
    Encrypted,
    /// It was taken back by who had said it (XEP-0424).
    TakenBack,
    /// A moderator has removed it (XEP-0425).
    Removed,
}

/// What a message says; none if there is nothing to read in it.
pub fn said(content: &Content) -> Option<Said> {
    if let Some(stone) = tombstone(content) {
        return Some(stone);
    }
    // What these say besides is for clients that do not know them.
    let is_order = content.has(ns::RETRACT, "retract")
        || content.has(ns::FASTEN, "apply-to")
        || content.has(ns::REACTIONS, "reactions");
    if is_order {
        return None;
    }
    if content.has(ns::ENCRYPTION, "encryption") {
        return Some(Said::Encrypted);
    }
    let text = |name: &str| content.child(ns::CLIENT, name).map(|child| child.text().into_owned());
    match (text("body"), text("subject")) {
        (Some(body), _) if !body.is_empty() => Some(match body.strip_prefix("/me ") {
            Some(act) => Said::Act(act.to_owned()),
            None if content.has(ns::CORRECTION, "replace") => Said::Corrected(body),
            None => Said::Text(body),
        }),
        (None, Some(subject)) => Some(Said::Subject(subject)),
        _ => None,
    }
}

fn tombstone(content: &Content) -> Option<Said> {
    let is_moderated = content.has(ns::MODERATE_0, "moderated")
        || content
            .child(ns::RETRACT, "retracted")
            .is_some_and(|stone| stone.child(ns::MODERATE, "moderated").is_some());
    match is_moderated {
        true => Some(Said::Removed),
        false => retract::is_tombstone(content).then_some(Said::TakenBack),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(xml: &str) -> Option<Said> {
        said(&Content::parse(xml.as_bytes()).unwrap())
    }

    #[test]
    fn what_is_said_is_text_and_what_is_asked_of_clients_is_not_said() {
        for (xml, what) in [
            ("<body>hello</body>", Some(Said::Text("hello".into()))),
            ("<body>/me waves</body>", Some(Said::Act("waves".into()))),
            ("<body>/menu</body>", Some(Said::Text("/menu".into()))),
            ("<subject>Fire</subject>", Some(Said::Subject("Fire".into()))),
            ("<subject/>", Some(Said::Subject(String::new()))),
            ("<subject>Re</subject><body>a mail</body>", Some(Said::Text("a mail".into()))),
            (
                "<body>better</body><replace xmlns='urn:xmpp:message-correct:0' id='1'/>",
                Some(Said::Corrected("better".into())),
            ),
            ("<body>cannot be read</body><encryption xmlns='urn:xmpp:eme:0' namespace='x'/>", Some(Said::Encrypted)),
            ("<retracted xmlns='urn:xmpp:message-retract:1' id='1'/>", Some(Said::TakenBack)),
            (
                "<retracted xmlns='urn:xmpp:message-retract:1'><moderated xmlns='urn:xmpp:message-moderate:1'/></retracted>",
                Some(Said::Removed),
            ),
            ("<moderated xmlns='urn:xmpp:message-moderate:0'/>", Some(Said::Removed)),
            ("<body>/me took it back</body><retract xmlns='urn:xmpp:message-retract:1' id='1'/>", None),
            ("<body>+1</body><reactions xmlns='urn:xmpp:reactions:0' id='1'/>", None),
            ("<x xmlns='urn:x'/>", None),
            ("<body/>", None),
        ] {
            assert_eq!(of(xml), what, "{xml}");
        }
    }
}
