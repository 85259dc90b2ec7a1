//! XEP-0377: Blocking Command Reports: why somebody was blocked, for those who run the server.

use super::privacy::malformed;
use crate::ns;
use crate::stanza::StanzaError;
use crate::xml::Child;

/// Most bytes that are kept of a reason, and of an id.
const WORD_BYTES_MAX: usize = 256;
/// Most bytes that are kept of what a report says.
const TEXT_BYTES_MAX: usize = 1024;
/// Most messages that a report names.
const MESSAGES_MAX: usize = 16;

/// One report. What is longer than its bounds is cut off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Why, such as `urn:xmpp:reporting:spam`.
    pub reason: String,
    /// In the reporter's words; of several texts the first.
    pub text: String,
    /// The ids of reported messages (XEP-0359), as the reporter gives them.
    pub messages: Vec<String>,
    /// Whether the reporter agrees that the domain of the reported one is told.
    pub to_origin: bool,
    /// Whether the reporter agrees that others are told.
    pub to_others: bool,
}

impl Report {
    /// Reads a `<report/>`; one without a reason is malformed.
    pub fn read(report: &Child<'_>) -> Result<Report, Box<StanzaError>> {
        let reason = report.attr("reason").filter(|reason| !reason.is_empty());
        let reason = reason.ok_or_else(|| malformed("a report has a reason"))?;
        let text = report.child(ns::REPORTING, "text").map(|text| cut(text.text().trim(), TEXT_BYTES_MAX));
        let messages = report.children().filter(|child| child.is(ns::STANZA_ID, "stanza-id"));
        let messages = messages.filter_map(|message| Some(cut(&message.attr("id")?, WORD_BYTES_MAX)));
        let has = |name: &str| report.child(ns::REPORTING, name).is_some();
        Ok(Report {
            reason: cut(&reason, WORD_BYTES_MAX),
            text: text.unwrap_or_default(),
            messages: messages.take(MESSAGES_MAX).collect(),
            to_origin: has("report-origin"),
            to_others: has("third-party"),
        })
    }
}

fn cut(text: &str, bytes_max: usize) -> String {
    text[..text.floor_char_boundary(bytes_max)].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::Content;

    fn read(attributes: &str, inside: &str) -> Option<Report> {
        let xml = format!("<report xmlns='urn:xmpp:reporting:1' {attributes}>{inside}</report>");
        let content = Content::parse(xml.as_bytes()).unwrap();
        Report::read(&content.iter().next().unwrap()).ok()
    }

    #[test]
    fn a_report_says_why_and_which_messages() {
        let inside = "<stanza-id xmlns='urn:xmpp:sid:0' by='romeo@example.net' id='28482'/>\
                      <text xml:lang='en'> Never came trouble to my house like this. </text><report-origin/>";
        let report = read("reason='urn:xmpp:reporting:spam'", inside).unwrap();
        assert_eq!(report.reason, "urn:xmpp:reporting:spam");
        assert_eq!(report.text, "Never came trouble to my house like this.");
        assert_eq!(report.messages, ["28482"]);
        assert!(report.to_origin && !report.to_others);
        assert!(read("reason='x'", "<third-party/>").unwrap().to_others);
        assert_eq!(read("", ""), None);
        assert_eq!(read("reason=''", ""), None);
    }

    #[test]
    fn a_report_has_bounds() {
        let text = format!("<text>{}</text>", "ä".repeat(TEXT_BYTES_MAX));
        let messages = "<stanza-id xmlns='urn:xmpp:sid:0' id='1'/>".repeat(MESSAGES_MAX + 1);
        let report = read(&format!("reason='{}'", "r".repeat(WORD_BYTES_MAX + 9)), &(text + &messages)).unwrap();
        assert_eq!(report.text.len(), TEXT_BYTES_MAX);
        assert_eq!((report.reason.len(), report.messages.len()), (WORD_BYTES_MAX, MESSAGES_MAX));
    }
}
