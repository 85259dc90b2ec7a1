//! XEP-0115: Entity Capabilities: the name of everything that service discovery tells of an entity, as the hash of a string.
//! The string is made here; whoever has a hash function makes the name of it.

use super::data_form::{DataForm, FORM_TYPE};
use super::disco::{Identity, Info};
use crate::ns;
use crate::xml::{Child, Tree};

/// How the names of the features end by which a client asks for what a node tells (XEP-0060 section 9.2).
pub const NOTIFY: &str = "+notify";

/// The element `<c/>` of a presence or of a stream's features.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caps {
    /// What made `ver`, such as `sha-1`; without it `ver` is of an old kind and proves nothing.
    pub hash: Option<String>,
    /// The software, as a URI.
    pub node: String,
    /// The hash of the verification string, in base64.
    pub ver: String,
}

impl Caps {
    /// Reads `<c/>`; none if it names nothing.
    pub fn read(c: &Child<'_>) -> Option<Caps> {
        let attribute = |name| c.attr(name).map(String::from);
        Some(Caps { hash: attribute("hash"), node: attribute("node")?, ver: attribute("ver")? })
    }

    /// The element.
    pub fn tree(&self) -> Tree {
        Tree::new(ns::CAPS, "c").attr_opt("hash", self.hash.as_ref()).attr("node", &self.node).attr("ver", &self.ver)
    }

    /// The node under which service discovery tells what is behind the name (section 6.2).
    pub fn disco_node(&self) -> String {
        format!("{}#{}", self.node, self.ver)
    }
}

/// The string whose hash is `ver` (section 5.1). Forms without a hidden `FORM_TYPE` do not count, nor do fields without a name.
pub fn verification_string(info: &Info) -> String {
    let mut identities: Vec<&Identity> = info.identities.iter().collect();
    identities.sort();
    let mut features: Vec<&str> = info.features.iter().map(String::as_str).collect();
    features.sort_unstable();
    let mut forms: Vec<(&str, &DataForm)> =
        info.extensions.iter().filter_map(|form| Some((form.form_type()?, form))).collect();
    forms.sort_by_key(|(form_type, _)| *form_type);

    let mut string = String::new();
    let mut append = |part: &str| {
        string.push_str(part);
        string.push('<');
    };
    for Identity { category, kind, lang, name } in identities {
        let [lang, name] = [lang, name].map(|part| part.as_deref().unwrap_or_default());
        append(&format!("{category}/{kind}/{lang}/{name}"));
    }
    features.into_iter().for_each(&mut append);
    for (form_type, form) in forms {
        append(form_type);
        append_fields(form, &mut append);
    }
    string
}

/// Whether what was told can be what a hash stands for at all: nothing in it twice (section 5.4).
pub fn is_well_formed(info: &Info) -> bool {
    let identity = |identity: &Identity| {
        (identity.category.clone(), identity.kind.clone(), identity.lang.clone(), identity.name.clone())
    };
    let form_types = info.extensions.iter().filter_map(DataForm::form_type);
    let is_one_type = |form: &DataForm| {
        let types = form.get(FORM_TYPE).map(|field| &field.values[..]).unwrap_or_default();
        types.windows(2).all(|pair| pair[0] == pair[1])
    };
    are_distinct(info.identities.iter().map(identity))
        && are_distinct(info.features.iter())
        && are_distinct(form_types)
        && info.extensions.iter().all(is_one_type)
}

/// Whether the features by which a client asks for notifications can be read back from the string in one way only, so that nobody can tell
/// another story with the same hash: the string itself does not say where a part ends and of what kind it is.
pub fn is_unambiguous(info: &Info) -> bool {
    let is_identity = |identity: &Identity| {
        let parts = [Some(&identity.category), Some(&identity.kind), identity.lang.as_ref()];
        !identity.category.is_empty()
            && !identity.kind.is_empty()
            && parts.into_iter().flatten().all(|part| !part.contains(['/', '<']))
            && identity.name.as_deref().is_none_or(is_no_interest)
    };
    let is_form = |form: &DataForm| {
        let texts = form.fields.iter().flat_map(|field| field.var.iter().chain(&field.values));
        texts.map(String::as_str).all(is_no_interest)
    };
    info.identities.iter().all(is_identity)
        && info.features.iter().all(|feature| !feature.contains('<'))
        && info.extensions.iter().all(is_form)
}

/// Whether a text beside the features could not be taken for one of them.
fn is_no_interest(text: &str) -> bool {
    !text.contains('<') && !text.contains(NOTIFY)
}

fn are_distinct<T: Ord>(things: impl Iterator<Item = T>) -> bool {
    let mut things: Vec<T> = things.collect();
    things.sort_unstable();
    things.windows(2).all(|pair| pair[0] != pair[1])
}

fn append_fields(form: &DataForm, append: &mut impl FnMut(&str)) {
    let named = form.fields.iter().filter_map(|field| Some((field.var.as_deref()?, &field.values)));
    let mut fields: Vec<_> = named.filter(|(var, _)| *var != FORM_TYPE).collect();
    fields.sort_by_key(|(var, _)| *var);
    for (var, values) in fields {
        append(var);
        let mut values: Vec<&str> = values.iter().map(String::as_str).collect();
        values.sort_unstable();
        values.into_iter().for_each(&mut *append);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::data_form::{Field, FormType};
    use crate::xml::Content;

    fn features() -> Vec<String> {
        // Not in their order: sorting them is part of the method.
        ["muc", "disco#items", "caps", "disco#info"].map(|name| format!("http://jabber.org/protocol/{name}")).to_vec()
    }

    /// Section 5.2.
    #[test]
    fn the_simple_example_of_the_specification() {
        let identities = vec![Identity::new("client", "pc").named("Exodus 0.9.1")];
        let info = Info { identities, features: features(), ..Info::default() };
        assert_eq!(
            verification_string(&info),
            "client/pc//Exodus 0.9.1<http://jabber.org/protocol/caps<http://jabber.org/protocol/disco#info<\
             http://jabber.org/protocol/disco#items<http://jabber.org/protocol/muc<"
        );
    }

    /// Section 5.3, read from the answer that it shows.
    #[test]
    fn the_complex_example_of_the_specification() {
        let xml = "<query xmlns='http://jabber.org/protocol/disco#info' \
                   node='http://psi-im.org#q07IKJEyjvHSyhy//CH0CxmKi8w='>\
                   <identity xml:lang='en' category='client' name='Psi 0.11' type='pc'/>\
                   <identity xml:lang='el' category='client' name='&#936; 0.11' type='pc'/>\
                   <feature var='http://jabber.org/protocol/caps'/><feature var='http://jabber.org/protocol/disco#info'/>\
                   <feature var='http://jabber.org/protocol/disco#items'/><feature var='http://jabber.org/protocol/muc'/>\
                   <x xmlns='jabber:x:data' type='result'>\
                   <field var='FORM_TYPE' type='hidden'><value>urn:xmpp:dataforms:softwareinfo</value></field>\
                   <field var='ip_version' type='text-multi'><value>ipv6</value><value>ipv4</value></field>\
                   <field var='os'><value>Mac</value></field><field var='os_version'><value>10.5.1</value></field>\
                   <field var='software'><value>Psi</value></field><field var='software_version'><value>0.11</value></field>\
                   </x></query>";
        let info = Info::read(&Content::parse(xml.as_bytes()).unwrap().iter().next().unwrap()).unwrap();
        assert_eq!(
            verification_string(&info),
            "client/pc/el/\u{3a8} 0.11<client/pc/en/Psi 0.11<http://jabber.org/protocol/caps<\
             http://jabber.org/protocol/disco#info<http://jabber.org/protocol/disco#items<http://jabber.org/protocol/muc<\
             urn:xmpp:dataforms:softwareinfo<ip_version<ipv4<ipv6<os<Mac<os_version<10.5.1<software<Psi<software_version<0.11<"
        );
    }

    #[test]
    fn forms_are_sorted_and_count_only_if_they_say_what_they_are() {
        let form = |ns: &str, var: &str| {
            DataForm::new(FormType::Result).field(Field::untyped(var).value("v")).field(Field::hidden_form_type(ns))
        };
        let open = DataForm::new(FormType::Result).field(Field::text_single(FORM_TYPE).value("urn:open"));
        let nameless = DataForm::new(FormType::Result).field(Field::text_single("x").value("y"));
        let extensions = vec![form("urn:b", "two"), open, form("urn:a", "one"), nameless];
        let info = Info { extensions, ..Info::default() };
        assert_eq!(verification_string(&info), "urn:a<one<v<urn:b<two<v<");
    }

    fn info(xml: &str) -> Info {
        let xml = format!("<query xmlns='http://jabber.org/protocol/disco#info'>{xml}</query>");
        Info::read(&Content::parse(xml.as_bytes()).unwrap().iter().next().unwrap()).unwrap()
    }

    fn form(fields: &str) -> String {
        format!("<x xmlns='jabber:x:data' type='result'>{fields}</x>")
    }

    const FIELD_A: &str = "<field var='FORM_TYPE' type='hidden'><value>urn:a</value></field>";

    /// Section 5.4, steps 3.3 to 3.6.
    #[test]
    fn nothing_is_told_twice() {
        let twice = |xml: &str| is_well_formed(&info(&format!("{xml}{xml}")));
        assert!(!twice("<identity category='client' type='pc' name='x'/>"));
        assert!(!twice("<feature var='a'/>"));
        assert!(!twice(&form(FIELD_A)));
        let open = form("<field var='FORM_TYPE'><value>urn:a</value></field>");
        assert!(twice(&open) && twice(&form("<field var='x'><value>y</value></field>")), "they do not count");
        let types = |types: [&str; 2]| {
            let values = types.map(|value| format!("<value>{value}</value>")).concat();
            info(&form(&format!("<field var='FORM_TYPE' type='hidden'>{values}</field>")))
        };
        assert!(is_well_formed(&types(["urn:a", "urn:a"])) && !is_well_formed(&types(["urn:a", "urn:b"])));
        assert!(is_well_formed(&info(
            "<identity category='client' type='pc' name='x'/><identity category='client' type='pc' name='y'/>"
        )));
    }

    /// The weakness of section 9.1: descriptions of different meaning with the same string.
    #[test]
    fn another_story_with_the_same_string_is_not_believed() {
        let truth = info(
            "<identity category='client' type='pc'/><feature var='http://a/b/c+notify'/><feature var='urn:b+notify'/><feature var='urn:c'/><feature var='urn:d'/>",
        );
        assert!(is_well_formed(&truth) && is_unambiguous(&truth));
        let field = "<field var='FORM_TYPE' type='hidden'><value>urn:b+notify</value></field><field var='urn:c'><value>urn:d</value></field>";
        let stories = [
            // A feature that looks like an identity.
            "<identity category='client' type='pc'/><identity category='http:' type='' xml:lang='a' name='b/c+notify'/>\
             <feature var='urn:b+notify'/><feature var='urn:c'/><feature var='urn:d'/>".to_owned(),
            // Features that look like a form.
            format!("<identity category='client' type='pc'/><feature var='http://a/b/c+notify'/>{}", form(field)),
            // Two features in one.
            "<identity category='client' type='pc'/><feature var='http://a/b/c+notify'/><feature var='urn:b+notify&lt;urn:c'/>\
             <feature var='urn:d'/>".to_owned(),
            "<identity category='client' type='pc' name='&lt;http://a/b/c+notify'/>".to_owned(),
        ];
        for story in &stories[..3] {
            let story = info(story);
            assert_eq!(verification_string(&story), verification_string(&truth), "{story:?}");
        }
        for story in stories {
            assert!(!is_unambiguous(&info(&story)), "{story}");
        }
    }

    #[test]
    fn the_element_is_read_as_it_was_written() {
        let caps = Caps { hash: Some("sha-1".into()), node: "http://x".into(), ver: "q0/=".into() };
        let content = Content::from_tree(&caps.tree());
        assert_eq!(Caps::read(&content.child(ns::CAPS, "c").unwrap()), Some(caps.clone()));
        assert_eq!(caps.disco_node(), "http://x#q0/=");
        let content = Content::parse(b"<c xmlns='http://jabber.org/protocol/caps' node='x'/>").unwrap();
        assert_eq!(Caps::read(&content.iter().next().unwrap()), None);
    }
}
