//! XEP-0257: Client Certificate Management for SASL EXTERNAL.

use super::Malformed;
use crate::ns;
use crate::xml::{Child, Tree};

/// A certificate with its name, as it is added and listed (sections 2.1 and 2.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// What its owner calls it.
    pub name: String,
    /// Base64 of its DER, without white space.
    pub certificate: String,
    /// Whether who logs in with it may neither add nor remove certificates.
    pub manages_nothing: bool,
    /// In a list: the resources that have logged in with it.
    pub resources: Vec<String>,
}

impl Item {
    /// Reads `<append/>` or `<item/>`.
    pub fn read(item: &Child<'_>) -> Result<Item, Malformed> {
        let certificate = item.child(ns::SASL_CERT, "x509cert").ok_or(Malformed("a certificate is missing"))?;
        Ok(Item {
            name: name(item)?,
            certificate: certificate.text().chars().filter(|c| !c.is_whitespace()).collect(),
            manages_nothing: item.child(ns::SASL_CERT, "no-cert-management").is_some(),
            resources: Vec::new(),
        })
    }

    /// The element `<item/>`.
    pub fn tree(&self) -> Tree {
        let text = |name: &str, text: &str| element(name).text(text);
        let users = (!self.resources.is_empty())
            .then(|| element("users").children(self.resources.iter().map(|resource| text("resource", resource))));
        element("item")
            .child(text("name", &self.name))
            .children(self.manages_nothing.then(|| element("no-cert-management")))
            .child(text("x509cert", &self.certificate))
            .children(users)
    }
}

/// Reads the name in `<append/>`, `<disable/>` or `<revoke/>`.
pub fn name(request: &Child<'_>) -> Result<String, Malformed> {
    let name = request.child(ns::SASL_CERT, "name").map(|name| name.text().trim().to_owned());
    name.filter(|name| !name.is_empty()).ok_or(Malformed("a name is missing"))
}

/// The `<items/>` of a result.
pub fn items<'a>(items: impl IntoIterator<Item = &'a Item>) -> Tree {
    element("items").children(items.into_iter().map(Item::tree))
}

fn element(name: &str) -> Tree {
    Tree::new(ns::SASL_CERT, name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::Content;

    fn read(inside: &str) -> Result<Item, Malformed> {
        let xml = format!("<append xmlns='urn:xmpp:saslcert:1'>{inside}</append>");
        Item::read(&Content::parse(xml.as_bytes()).unwrap().iter().next().unwrap())
    }

    #[test]
    fn a_certificate_is_read_without_its_white_space() {
        let item = read("<name> Phone </name><no-cert-management/><x509cert>\n AQ\n ID </x509cert>").unwrap();
        assert_eq!((&*item.name, &*item.certificate, item.manages_nothing), ("Phone", "AQID", true));
        for wrong in ["<name>a</name>", "<x509cert>AQID</x509cert>", "<name> </name><x509cert/>"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_list_tells_who_is_logged_in() {
        let item = Item {
            name: "a".into(),
            certificate: "AQID".into(),
            manages_nothing: false,
            resources: vec!["Phone".into()],
        };
        let written = String::from_utf8(items([&item]).to_vec(ns::CLIENT)).unwrap();
        let expected = "<items xmlns='urn:xmpp:saslcert:1'><item><name>a</name><x509cert>AQID</x509cert>\
                        <users><resource>Phone</resource></users></item></items>";
        assert_eq!(written, expected);
    }
}
