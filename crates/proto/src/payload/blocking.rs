//! XEP-0191: Blocking Command: the addresses that a client blocks or unblocks, and what it is told of them.

use super::privacy::{address, malformed};
use super::reporting::Report;
use crate::jid::Jid;
use crate::ns;
use crate::stanza::StanzaError;
use crate::stanza::error::Condition;
use crate::xml::{Child, Tree};

/// One address of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The address.
    pub jid: Jid,
    /// Why it is blocked, for those who run the server (XEP-0377).
    pub report: Option<Report>,
}

/// The addresses of a `<block/>` or `<unblock/>`, at most `items_max`; none at all is an answer too (section 3.4).
pub fn items(request: &Child<'_>, items_max: usize) -> Result<Vec<Item>, Box<StanzaError>> {
    let mut items = Vec::new();
    for item in request.children().filter(|child| child.is(ns::BLOCKING, "item")) {
        if items.len() == items_max {
            return Err(Box::new(StanzaError::new(Condition::ResourceConstraint).with_text("these are too many")));
        }
        let jid = address(&item.attr("jid").ok_or_else(|| malformed("an item has an address"))?)?;
        let report = item.child(ns::REPORTING, "report").map(|report| Report::read(&report)).transpose()?;
        items.push(Item { jid, report });
    }
    Ok(items)
}

/// A `<blocklist/>`, `<block/>` or `<unblock/>` with these addresses.
pub fn tree<'j>(name: &str, jids: impl IntoIterator<Item = &'j Jid>) -> Tree {
    let item = |jid: &Jid| Tree::new(ns::BLOCKING, "item").attr("jid", jid.as_str());
    Tree::new(ns::BLOCKING, name).children(jids.into_iter().map(item))
}

/// What a sender is told who has blocked whom it writes to (section 3.2).
pub fn not_sent() -> StanzaError {
    StanzaError::new(Condition::NotAcceptable)
        .with_type(crate::stanza::error::ErrorType::Cancel)
        .with_application(Tree::new(ns::BLOCKING_ERRORS, "blocked"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::Content;

    fn read(inside: &str) -> Result<Vec<Item>, Condition> {
        let content = Content::parse(format!("<block xmlns='urn:xmpp:blocking'>{inside}</block>").as_bytes()).unwrap();
        items(&content.iter().next().unwrap(), 2).map_err(|error| error.condition)
    }

    #[test]
    fn the_addresses_of_a_request() {
        let found = read("<item jid='Romeo@Montague.net'/><other/><item jid='example.org'/>").unwrap();
        assert_eq!(
            found.iter().map(|item| item.jid.as_str()).collect::<Vec<_>>(),
            ["romeo@montague.net", "example.org"]
        );
        assert_eq!(read(""), Ok(Vec::new()));
        assert_eq!(read("<item/>"), Err(Condition::BadRequest));
        assert_eq!(read("<item jid='a@'/>"), Err(Condition::JidMalformed));
        assert_eq!(read(&"<item jid='a@b'/>".repeat(3)), Err(Condition::ResourceConstraint));
    }

    #[test]
    fn a_report_belongs_to_its_address() {
        let report = "<report xmlns='urn:xmpp:reporting:1' reason='urn:xmpp:reporting:spam'/>";
        let found = read(&format!("<item jid='a@b'>{report}</item><item jid='c@d'/>")).unwrap();
        assert!(found[0].report.is_some() && found[1].report.is_none());
        assert_eq!(read("<item jid='a@b'><report xmlns='urn:xmpp:reporting:1'/></item>"), Err(Condition::BadRequest));
    }

    #[test]
    fn what_is_told() {
        let jid = Jid::parse("romeo@montague.net").unwrap();
        let written = String::from_utf8(tree("block", [&jid]).to_vec(ns::BLOCKING)).unwrap();
        assert_eq!(written, "<block><item jid='romeo@montague.net'/></block>");
        let error = String::from_utf8(not_sent().tree().to_vec(ns::CLIENT)).unwrap();
        let expected = "<error type='cancel'><not-acceptable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>\
                        <blocked xmlns='urn:xmpp:blocking:errors'/></error>";
        assert_eq!(error, expected);
    }
}
