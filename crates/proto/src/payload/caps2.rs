//! XEP-0390: Entity Capabilities 2.0: the names of everything that service discovery tells of an entity, as hashes of a string in which,
//! unlike that of XEP-0115, each part keeps its place and its kind. The string is made here; whoever has hash functions makes the names.

use super::Malformed;
use super::data_form::{DataForm, FORM_TYPE};
use crate::ns;
use crate::xml::{Child, Tree};

/// Most hashes that are read of one element; the rest is passed over.
pub const HASHES_MAX: usize = 8;

/// Ends the features, the identities and the forms (section 4.1).
const END_OF_KIND: u8 = 0x1c;
/// Ends a form.
const END_OF_FORM: u8 = 0x1d;
/// Ends an identity or a field.
const END_OF_ENTRY: u8 = 0x1e;
/// Ends a text.
const END_OF_TEXT: u8 = 0x1f;

/// One name: a hash function and what it makes of the string.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CapabilityHash {
    /// The function, as XEP-0300 names it, such as `sha-256`.
    pub algo: String,
    /// The hash, in base64.
    pub value: String,
}

impl CapabilityHash {
    /// The node under which service discovery tells what is behind the name (section 4.3).
    pub fn disco_node(&self) -> String {
        format!("{}#{}.{}", ns::CAPS_2, self.algo, self.value)
    }
}

/// Reads the hashes of `<c/>`, of which there may be [`HASHES_MAX`].
pub fn read(c: &Child<'_>) -> Vec<CapabilityHash> {
    let hashes = c.children().filter(|child| child.is(ns::HASHES, "hash"));
    let hash = |child: Child<'_>| {
        let value = child.text().trim_ascii().to_owned();
        Some(CapabilityHash { algo: child.attr("algo")?.into_owned(), value })
    };
    hashes.filter_map(hash).take(HASHES_MAX).collect()
}

/// The element `<c/>`.
pub fn tree(hashes: &[CapabilityHash]) -> Tree {
    let hash = |hash: &CapabilityHash| Tree::new(ns::HASHES, "hash").attr("algo", &hash.algo).text(&hash.value);
    Tree::new(ns::CAPS_2, "c").children(hashes.iter().map(hash))
}

/// The string whose hash is the name of what a `<query/>` tells (section 4.1). `lang` is the language that it has from around it.
///
/// Malformed if the query holds what has no place in the string.
pub fn hash_input(query: &Child<'_>, lang: Option<&str>) -> Result<Vec<u8>, Malformed> {
    let lang = query.lang().map(String::from).or(lang.map(str::to_owned)).unwrap_or_default();
    let (mut features, mut identities, mut forms) = (Vec::new(), Vec::new(), Vec::new());
    for child in query.children() {
        let attribute = |name| child.attr(name).unwrap_or_default();
        match (child.ns(), child.name()) {
            (ns::DISCO_INFO, "feature") => features.push(text(&attribute("var"))),
            (ns::DISCO_INFO, "identity") => {
                let lang = child.lang().unwrap_or((&*lang).into());
                let parts = [attribute("category"), attribute("type"), lang, attribute("name")];
                let mut identity: Vec<u8> = parts.iter().flat_map(|part| text(part)).collect();
                identity.push(END_OF_ENTRY);
                identities.push(identity);
            }
            (ns::DATA_FORMS, "x") => forms.push(form_input(&child)?),
            _ => return Err(Malformed("a description with something else in it")),
        }
    }
    Ok([features, identities, forms].into_iter().flat_map(|kind| joined(kind, END_OF_KIND)).collect())
}

fn form_input(x: &Child<'_>) -> Result<Vec<u8>, Malformed> {
    if x.children().any(|child| child.is(ns::DATA_FORMS, "reported") || child.is(ns::DATA_FORMS, "item")) {
        return Err(Malformed("a description with a table"));
    }
    let form = DataForm::read(x)?;
    let types = form.fields.iter().filter(|field| field.var.as_deref() == Some(FORM_TYPE)).count();
    if form.form_type().is_none() || types != 1 {
        return Err(Malformed("a description with a form that does not say what it means"));
    }
    let field = |field: &super::data_form::Field| {
        let var = text(field.var.as_deref().unwrap_or_default());
        let values = field.values.iter().map(|value| text(value)).collect();
        [var, joined(values, END_OF_ENTRY)].concat()
    };
    Ok(joined(form.fields.iter().map(field).collect(), END_OF_FORM))
}

fn text(text: &str) -> Vec<u8> {
    [text.as_bytes(), &[END_OF_TEXT]].concat()
}

/// From lesser to greater, and what ends them.
fn joined(mut parts: Vec<Vec<u8>>, end: u8) -> Vec<u8> {
    parts.sort_unstable();
    parts.push(vec![end]);
    parts.concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::Content;

    fn input(lang: Option<&str>, xml: &str) -> Result<Vec<u8>, Malformed> {
        let xml = format!("<query xmlns='http://jabber.org/protocol/disco#info'>{xml}</query>");
        hash_input(&Content::parse(xml.as_bytes()).unwrap().iter().next().unwrap(), lang)
    }

    const SOFTWARE: &str =
        "<field var='FORM_TYPE' type='hidden'><value>urn:xmpp:dataforms:softwareinfo</value></field>";

    fn form(more: &str) -> String {
        format!("<x xmlns='jabber:x:data' type='result'>{more}</x>")
    }

    #[test]
    fn every_part_keeps_its_place() {
        let fields = format!("<field var='os'><value>Z</value><value>A</value></field><field var='b'/>{SOFTWARE}");
        let xml = format!(
            "<feature var='urn:b'/><identity category='client' type='pc' name='T' xml:lang='ru'/>{}\
             <identity category='client' type='pc' name='T'/><feature var='urn:a'/>",
            form(&fields)
        );
        let expected = "urn:a\u{1f}urn:b\u{1f}\u{1c}client\u{1f}pc\u{1f}en\u{1f}T\u{1f}\u{1e}client\u{1f}pc\u{1f}ru\u{1f}T\u{1f}\u{1e}\u{1c}\
                        FORM_TYPE\u{1f}urn:xmpp:dataforms:softwareinfo\u{1f}\u{1e}b\u{1f}\u{1e}os\u{1f}A\u{1f}Z\u{1f}\u{1e}\u{1d}\u{1c}";
        assert_eq!(String::from_utf8(input(Some("en"), &xml).unwrap()).unwrap(), expected);
        assert_eq!(input(None, "").unwrap(), b"\x1c\x1c\x1c");
    }

    /// Section 4.1: what would have to be left out makes the whole unfit.
    #[test]
    fn what_has_no_place_in_the_string_makes_it_unfit() {
        let unfit = [
            "<item xmlns='http://jabber.org/protocol/disco#items' jid='a'/>".to_owned(),
            form(&format!("{SOFTWARE}<reported/>")),
            form(&format!("{SOFTWARE}<item/>")),
            form("<field var='os'><value>Z</value></field>"),
            form("<field var='FORM_TYPE'><value>urn:open</value></field>"),
            form(&format!("{SOFTWARE}{SOFTWARE}")),
        ];
        for xml in unfit {
            assert!(input(None, &xml).is_err(), "{xml}");
        }
    }

    #[test]
    fn a_set_is_read_as_it_was_written() {
        let hash = |algo: &str| CapabilityHash { algo: algo.into(), value: "u79=".into() };
        let hashes = vec![hash("sha-256"), hash("with.dots")];
        let content = Content::from_tree(&tree(&hashes));
        assert_eq!(read(&content.child(ns::CAPS_2, "c").unwrap()), hashes);
        assert_eq!(hashes[1].disco_node(), "urn:xmpp:caps#with.dots.u79=");
        let many = vec![hash("sha-256"); 2 * HASHES_MAX];
        let content = Content::from_tree(&tree(&many));
        assert_eq!(read(&content.iter().next().unwrap()).len(), HASHES_MAX);
    }
}
