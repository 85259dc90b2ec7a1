//! XEP-0328: JID Preparation and Validation Service.

use super::Malformed;
use crate::jid::{Jid, JidError};
use crate::ns;
use crate::xml::{Child, Tree};

/// The text of a request, `<jid-validate-request/>` or `<jid-validate-base64-request/>`. Of the second it is still in base64.
pub fn text(request: &Child<'_>) -> Result<String, Malformed> {
    let name = if request.name() == "jid-validate-base64-request" { "base64-maybe-jid" } else { "maybe-jid" };
    let text = request.child(ns::JID_PREP, name).ok_or(Malformed("a request without a text to judge"))?;
    Ok(text.text().into_owned())
}

/// The answer for an address: its prepared parts.
pub fn valid(jid: &Jid) -> Tree {
    let part = |name: &str, text: &str| element(name).text(text);
    let local = jid.local().map(|local| part("localpart", local));
    let resource = jid.resource().map(|resource| part("resourcepart", resource));
    let valid = element("valid-jid").children(local).child(part("domainpart", jid.domain())).children(resource);
    element("jid-validate-result").child(valid)
}

/// The answer for what is no address.
pub fn invalid(why: &str) -> Tree {
    element("jid-validate-result").child(element("invalid-jid").child(element("reason").text(why)))
}

/// The answer for any text.
pub fn judge(text: &str) -> Tree {
    Jid::parse(text).as_ref().map_or_else(|why: &JidError| invalid(&why.to_string()), valid)
}

fn element(name: &str) -> Tree {
    Tree::new(ns::JID_PREP, name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::Content;

    fn written(text: &str) -> String {
        String::from_utf8(judge(text).to_vec(ns::JID_PREP)).unwrap()
    }

    #[test]
    fn an_answer_names_the_prepared_parts_or_the_reason() {
        assert_eq!(
            written("Σ@example.com/resource"),
            "<jid-validate-result><valid-jid><localpart>σ</localpart><domainpart>example.com</domainpart>\
             <resourcepart>resource</resourcepart></valid-jid></jid-validate-result>"
        );
        // PRECIS would refuse this one; here addresses are prepared as other servers compare them.
        assert!(written("henryⅣ@example.com").contains("<localpart>henryiv</localpart>"));
        assert!(written("hen ry@example.com").starts_with("<jid-validate-result><invalid-jid><reason>the local part"));
    }

    #[test]
    fn parts_that_are_not_there_are_not_named() {
        assert_eq!(
            written("EXAMPLE.com"),
            "<jid-validate-result><valid-jid><domainpart>example.com</domainpart></valid-jid></jid-validate-result>"
        );
        for bad in ["", "@x", "a@", "a@b/", &"x".repeat(5000)] {
            assert!(written(bad).contains("<invalid-jid>"), "{bad}");
        }
    }

    #[test]
    fn the_text_is_found_in_both_requests() {
        let of = |xml: &str| text(&Content::parse(xml.as_bytes()).unwrap().iter().next().unwrap());
        let plain = |inside: &str| {
            of(&format!("<jid-validate-request xmlns='urn:xmpp:jidprep:1'>{inside}</jid-validate-request>"))
        };
        assert_eq!(plain("<maybe-jid>a@b</maybe-jid>"), Ok("a@b".into()));
        assert_eq!(plain("<maybe-jid/>"), Ok(String::new()));
        assert!(plain("<base64-maybe-jid>YQ==</base64-maybe-jid>").is_err());
        assert!(plain("a@b").is_err());
        let coded = "<jid-validate-base64-request xmlns='urn:xmpp:jidprep:1'><base64-maybe-jid>YQ==</base64-maybe-jid>\
                     </jid-validate-base64-request>";
        assert_eq!(of(coded), Ok("YQ==".into()));
    }
}
